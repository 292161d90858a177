// See content_sums.hpp.
#include "store/content_sums.hpp"

#include "store/environment.hpp"
#include "store/replacement_note.hpp"

namespace tracelite::store {
namespace {

constexpr std::uint32_t bit_of(KeySpace space) {
  return std::uint32_t{1} << static_cast<unsigned>(space);
}

bool counts(KeySpace space, Bytes key) {
  return space != KeySpace::meta || (key != kSumsKey && key != kNoteKey);
}

}  // namespace

void ContentSums::add(KeySpace space, Bytes key, std::uint64_t checksum) {
  if (counts(space, key)) of[static_cast<std::size_t>(space)] += checksum;
}

std::string ContentSums::encode() const {
  std::string value;
  append_big_endian(value, unknown);
  for (const std::uint64_t sum : of) append_big_endian(value, sum);
  return value;
}

std::optional<ContentSums> ContentSums::decode(Bytes value) {
  if (value.size() != kStoredSizeBytes) return std::nullopt;
  ByteReader reader(value);
  ContentSums sums;
  sums.unknown = static_cast<std::uint32_t>(reader.big_endian(4));
  for (std::uint64_t& sum : sums.of) sum = reader.big_endian(8);
  return sums;
}

void SumChanges::put(KeySpace space, Bytes key, std::uint64_t checksum) {
  difference_.add(space, key, checksum);
}

void SumChanges::removed(KeySpace space, Bytes key, std::optional<std::uint64_t> checksum) {
  if (!counts(space, key)) return;
  if (checksum) {
    difference_.of[static_cast<std::size_t>(space)] -= *checksum;
  } else {
    difference_.unknown |= bit_of(space);
  }
}

void SumChanges::cleared(KeySpace space) {
  difference_.of[static_cast<std::size_t>(space)] = 0;
  difference_.unknown &= ~bit_of(space);
  cleared_ |= bit_of(space);
}

ContentSums SumChanges::applied_to(const ContentSums& before) const {
  ContentSums after = difference_;
  for (std::size_t i = 0; i < kKeySpaceCount; ++i) {
    if ((cleared_ >> i & 1) == 0) after.of[i] += before.of[i];
  }
  after.unknown |= before.unknown & ~cleared_;
  return after;
}

}  // namespace tracelite::store
