#include "bench/ingest_bound.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#include <algorithm>
#include <memory>
#include <random>
#include <stdexcept>
#include <unordered_set>
#include <vector>

#include "bench/measure.hpp"

namespace bench {
namespace {

struct FreeCompressor {
  void operator()(ZSTD_CCtx* compressor) const { ZSTD_freeCCtx(compressor); }
};

struct Same {
  bool operator()(const XXH128_hash_t& a, const XXH128_hash_t& b) const {
    return a.low64 == b.low64 && a.high64 == b.high64;
  }
};
struct LowHalf {
  std::size_t operator()(const XXH128_hash_t& hash) const { return hash.low64; }
};

constexpr std::size_t kPartSizeBytesMin = 64;

// Behind the brace that ends the part which begins at `from`.
std::size_t end_of_part(std::string_view payload, std::size_t from) {
  const std::size_t brace = payload.find('}', std::min(payload.size(), from + kPartSizeBytesMin));
  return brace == std::string_view::npos ? payload.size() : brace + 1;
}

// What is left of the payloads without the parts that came before, neighbours in one.
std::vector<std::string_view> unique_parts_of(const std::vector<std::string_view>& payloads) {
  std::unordered_set<XXH128_hash_t, LowHalf, Same> seen;
  std::vector<std::string_view> unique;
  for (const std::string_view payload : payloads) {
    bool continues = false;
    for (std::size_t from = 0; from < payload.size();) {
      const std::size_t to = end_of_part(payload, from);
      const bool is_new = seen.insert(XXH3_128bits(payload.data() + from, to - from)).second;
      if (is_new && continues) {
        unique.back() = {unique.back().data(), unique.back().size() + to - from};
      } else if (is_new) {
        unique.push_back(payload.substr(from, to - from));
      }
      continues = is_new;
      from = to;
    }
  }
  return unique;
}

std::uint64_t read(const std::vector<std::string_view>& payloads) {
  std::uint64_t all = 0;
  for (const std::string_view payload : payloads) {
    all ^= XXH3_64bits(payload.data(), payload.size());
  }
  return all;
}

void compress(const std::vector<std::string_view>& payloads) {
  const std::unique_ptr<ZSTD_CCtx, FreeCompressor> compressor(ZSTD_createCCtx());
  std::vector<char> frame;
  for (const std::string_view payload : payloads) {
    frame.resize(std::max(frame.size(), ZSTD_compressBound(payload.size())));
    ZSTD_compressCCtx(compressor.get(), frame.data(), frame.size(), payload.data(), payload.size(),
                      1);
  }
}

void write_durably(const std::vector<char>& bytes, const std::string& path) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  std::size_t done_bytes = 0;
  while (file >= 0 && done_bytes < bytes.size()) {
    const ssize_t size_bytes = write(file, bytes.data() + done_bytes, bytes.size() - done_bytes);
    if (size_bytes <= 0) break;
    done_bytes += static_cast<std::size_t>(size_bytes);
  }
  const bool is_durable = file >= 0 && done_bytes == bytes.size() && fsync(file) == 0;
  if (file >= 0) close(file);
  if (!is_durable) throw std::runtime_error("cannot write " + path);
}

std::uint64_t sum_of_sizes(const std::vector<std::string_view>& payloads) {
  std::uint64_t size_bytes = 0;
  for (const std::string_view payload : payloads) size_bytes += payload.size();
  return size_bytes;
}

}  // namespace

Bound measure_bound(const PreparedEvents& events, std::uint64_t file_size_bytes,
                    const std::string& path) {
  std::vector<std::string_view> payloads;
  for (const Event& event : events.all()) {
    for (const std::string_view payload : payloads_of(event)) payloads.push_back(payload);
  }
  std::vector<char> bytes(file_size_bytes);
  std::mt19937_64 random(1);
  for (char& byte : bytes) byte = static_cast<char>(random());

  Bound bound;
  const std::vector<std::string_view> unique = unique_parts_of(payloads);
  bound.read_s = measure([&] { bound.hash = read(payloads); }).wall_s;
  bound.compress_s = measure([&] { compress(unique); }).wall_s;
  bound.write_s = measure([&] { write_durably(bytes, path); }).wall_s;
  unlink(path.c_str());
  bound.payload_size_bytes = sum_of_sizes(payloads);
  bound.unique_size_bytes = sum_of_sizes(unique);
  return bound;
}

}  // namespace bench
