// The checksum of a value, which is part of the file format.
//
// XXH3-64 of the value, seeded with the XXH3-64 of its key, which is seeded in turn with the number
// of its key space and the length of the key: a value that turns up under another key or in another
// key space does not match.
#define XXH_INLINE_ALL  // most values are short: the call would cost as much as the hash
#include <xxhash.h>

#include <algorithm>

#include "store/environment.hpp"
#include "store/value_checker.hpp"

namespace tracelite::store {

namespace {

XXH64_hash_t seed_of(KeySpace space, Bytes key) {
  const auto place = (static_cast<XXH64_hash_t>(space) << 32) | key.size();
  return XXH3_64bits_withSeed(key.data(), key.size(), place);
}

}  // namespace

std::uint64_t checksum(KeySpace space, Bytes key, Bytes value) {
  return XXH3_64bits_withSeed(value.data(), value.size(), seed_of(space, key));
}

void write_checksum(char* out, std::uint64_t checksum) {
  for (std::size_t i = 0; i < kChecksumSizeBytes; ++i) {
    out[i] = static_cast<char>(checksum >> (8 * i));
  }
}

std::uint64_t read_checksum(const char* in) {
  std::uint64_t checksum = 0;
  for (std::size_t i = kChecksumSizeBytes; i-- > 0;) {
    checksum = (checksum << 8) | static_cast<unsigned char>(in[i]);
  }
  return checksum;
}

std::optional<std::uint64_t> matching_checksum(KeySpace space, Bytes key, Bytes stored) {
  if (stored.size() < kChecksumSizeBytes) return std::nullopt;
  const Bytes value = stored.substr(0, stored.size() - kChecksumSizeBytes);
  const std::uint64_t sum = read_checksum(value.data() + value.size());
  if (sum != checksum(space, key, value)) return std::nullopt;
  return sum;
}

struct ValueChecker::Hash {
  XXH3_state_t state;
};

ValueChecker::ValueChecker(KeySpace space, Bytes key, std::uint64_t stored_size_bytes)
    : space_(space), key_(key), is_too_short_(stored_size_bytes < kChecksumSizeBytes) {
  if (!is_too_short_) value_left_bytes_ = stored_size_bytes - kChecksumSizeBytes;
  if (value_left_bytes_ == 0) sum_ = checksum(space, key, {});
}

ValueChecker::~ValueChecker() = default;

void ValueChecker::add(Bytes piece) {
  const Bytes value = piece.substr(
      0, static_cast<std::size_t>(std::min<std::uint64_t>(value_left_bytes_, piece.size())));
  stored_sum_.append(piece.substr(value.size()));
  if (value.empty()) return;
  if (!hash_ && value.size() == value_left_bytes_) {
    sum_ = checksum(space_, key_, value);
  } else {
    if (!hash_) {
      hash_ = std::make_unique<Hash>();
      XXH3_INITSTATE(&hash_->state);
      XXH3_64bits_reset_withSeed(&hash_->state, seed_of(space_, key_));
    }
    XXH3_64bits_update(&hash_->state, value.data(), value.size());
  }
  value_left_bytes_ -= value.size();
}

std::optional<std::uint64_t> ValueChecker::matching_checksum() const {
  if (is_too_short_ || stored_sum_.size() != kChecksumSizeBytes) return std::nullopt;
  const std::uint64_t sum = hash_ ? XXH3_64bits_digest(&hash_->state) : sum_;
  if (sum != read_checksum(stored_sum_.data())) return std::nullopt;
  return sum;
}

}  // namespace tracelite::store
