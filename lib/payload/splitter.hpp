// Where payload bytes are cut into pieces that may be shared.
//
// A cut depends only on the bytes around it, so that the same text is cut alike wherever it stands:
// in an output, in the history of the next call, escaped inside a string, behind an insertion. It
// needs no valid JSON and no knowledge of depth; knows nothing but bytes.
#pragma once

#include <cstdint>
#include <vector>

#include "model/bytes.hpp"

namespace tracelite::payload {

// Shorter pieces are not looked for: saying where they are costs about as much as they do.
inline constexpr std::uint32_t kPieceSizeBytesMin = 40;
inline constexpr std::uint32_t kPieceSizeBytesMax = 1024;

struct Piece {
  std::uint32_t offset = 0;
  std::uint32_t size_bytes = 0;
  bool ends_structure = false;  // cut at an element's end or begin: a good place for a larger cut
  std::uint64_t hash = 0;       // XXH3-64 with the seed; 0 if shorter than kPieceSizeBytesMin

  [[nodiscard]] std::uint32_t end() const { return offset + size_bytes; }
};

// Replaces `pieces` by those of `bytes` (less than 4 GiB): without gaps, in order.
void split(Bytes bytes, std::uint64_t seed, std::vector<Piece>& pieces);

std::uint64_t hash_of(Bytes bytes, std::uint64_t seed);

namespace testing {
// Hashes are cut down to these bits, so that they collide.
inline std::uint64_t hash_mask = UINT64_MAX;
}  // namespace testing

}  // namespace tracelite::payload
