// Segments: pieces of at least 1 KiB that many groups share, each stored once in the file.
//
// Knows key spaces `segment` and `segment_bytes`. Must not know groups: it counts them.
//
// A segment has a number: segments that come together have numbers that follow each other, so that
// they are compressed together and read together.
//
// Key space `segment_bytes`, packed (store/packed_space.hpp):
//     6 bytes segment number, 1 byte part   its bytes: parts 0, 1, ... of kSegmentPartSizeBytes
//                                           each, but for the last one
// Key space `segment`, how it is found by its bytes:
//     8 bytes hash                          varint: its number; varint: how many groups use it
// The hash is XXH3-64 of the bytes with the file's own seed, or one of the next kSegmentProbeCount
// - 1 numbers if other bytes have that one: equality rests on comparing bytes, never on the hash.
// Other files have other seeds, so that hashes tell nothing about what two files have in common.
//
// Key space `meta`: "piece_seed", 8 bytes big-endian, made when the first payload is stored;
// "next_segment", 8 bytes big-endian, the number that the next segment gets.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "store/environment.hpp"

namespace tracelite::payload {

using SegmentNumber = std::uint64_t;  // 48 bits, from 1

inline constexpr std::size_t kSegmentSizeBytesMin = 1024;
inline constexpr std::size_t kSegmentSizeBytesMax = std::size_t{16} << 10;
// Short enough for blocks of packed entries to be filled well.
inline constexpr std::size_t kSegmentPartSizeBytes = std::size_t{2} << 10;
inline constexpr unsigned kSegmentProbeCount = 8;
inline constexpr std::size_t kSegmentNumberSizeBytes = 6;
inline constexpr SegmentNumber kSegmentNumberMax = (SegmentNumber{1} << 48) - 1;
inline constexpr std::size_t kSegmentCacheSizeBytesMax = std::size_t{4} << 20;
static_assert(kSegmentSizeBytesMax / kSegmentPartSizeBytes < 256, "a part has one byte");
static_assert(kSegmentNumberMax >> (8 * kSegmentNumberSizeBytes - 1) == 1);

Result<std::uint64_t> read_piece_seed(const store::Transaction& transaction);

// Errors: corrupt (also if there is none), io, no_memory.
Result<std::string> read_segment(const store::Transaction& transaction, SegmentNumber number);

// Segments read in one transaction (or consecutive ones), decoded. Belongs to one thread.
class SegmentCache {
 public:
  // Valid until the next call. Errors: as of read_segment.
  Result<Bytes> read(const store::Transaction& transaction, SegmentNumber number);
  void forget() { segments_.clear(), size_bytes_ = 0; }
  void forget(SegmentNumber number);

 private:
  friend class SegmentWriter;
  Bytes keep(SegmentNumber number, std::string bytes);
  std::unordered_map<SegmentNumber, std::string> segments_;
  std::size_t size_bytes_ = 0;
};

// What key space `segment` says of one.
struct SegmentUse {
  std::uint64_t hash = 0;  // its key
  SegmentNumber number = 0;
  std::uint64_t count = 0;
};
// nullopt: there is none with this hash. Errors: corrupt, io.
Result<std::optional<SegmentUse>> segment_use(const store::Transaction& transaction,
                                              std::uint64_t hash);

class SegmentWriter {
 public:
  // The segment with these bytes, stored if it was not; nobody uses a new one yet. nullopt: as many
  // as kSegmentProbeCount others have its hash, or damaged ones; or damage leaves no place for it.
  // Errors: io, limit, and those of put.
  Result<std::optional<SegmentUse>> intern(store::WriteTransaction& transaction, Bytes bytes,
                                           std::uint64_t hash);
  // One more group uses it.
  static Status add_use(store::WriteTransaction& transaction, SegmentUse segment);
  // One fewer; the last one's removes it. Errors: corrupt, also if its bytes are damaged, by which
  // it is found.
  Status drop_use(store::WriteTransaction& transaction, SegmentNumber number, std::uint64_t seed);

  Result<Bytes> read(const store::Transaction& transaction, SegmentNumber number) {
    return cache_.read(transaction, number);
  }
  void forget() { cache_.forget(); }

 private:
  // One with a hash that is free. Errors: also corrupt.
  Result<SegmentUse> add(store::WriteTransaction& transaction, Bytes bytes, std::uint64_t hash);

  SegmentCache cache_;
};

}  // namespace tracelite::payload
