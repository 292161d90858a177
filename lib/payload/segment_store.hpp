// Segments: pieces of at least 1 KiB that many groups share, each stored once in the file.
//
// Knows key space `segment` and how a segment gets its name. Must not know groups: it counts them.
//
// Key space `segment`:
//     8 bytes (the segment's id)                    varint: how many groups use it
//     8 bytes (the segment's id), 2 bytes (piece)   its bytes: a block (block.hpp)
// The id is XXH3-64 of the bytes with the file's own seed, or one of the next kSegmentProbeCount -
// 1 numbers if other bytes have that id: equality rests on comparing bytes, never on the hash.
// Other files have other seeds, so that ids tell nothing about what two files have in common.
//
// Key space `meta`, key "piece_seed": 8 bytes big-endian, made when the first payload is stored.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "payload/block.hpp"

namespace tracelite::payload {

using SegmentId = std::uint64_t;

inline constexpr std::size_t kSegmentSizeBytesMin = 1024;
inline constexpr std::size_t kSegmentSizeBytesMax = std::size_t{16} << 10;
inline constexpr unsigned kSegmentProbeCount = 8;
inline constexpr std::size_t kSegmentCacheSizeBytesMax = std::size_t{4} << 20;

Result<std::uint64_t> read_piece_seed(const store::Transaction& transaction);

// Segments read in one transaction (or consecutive ones), decoded. Belongs to one thread.
class SegmentCache {
 public:
  // Valid until the next call. Errors: corrupt (also if there is none), io, no_memory.
  Result<Bytes> read(const store::Transaction& transaction, BlockReader& reader, SegmentId id);
  void forget() { segments_.clear(), size_bytes_ = 0; }

 private:
  friend class SegmentWriter;
  Bytes keep(SegmentId id, std::string bytes);
  std::unordered_map<SegmentId, std::string> segments_;
  std::size_t size_bytes_ = 0;
};

class SegmentWriter {
 public:
  // The segment with these bytes, stored if it was not; nobody uses a new one yet. nullopt: as many
  // as kSegmentProbeCount others have its hash, or damaged ones. Errors: io, and those of put.
  Result<std::optional<SegmentId>> intern(store::WriteTransaction& transaction, Bytes bytes,
                                          std::uint64_t hash);
  // One more group uses it.
  static Status add_use(store::WriteTransaction& transaction, SegmentId id);
  // One fewer; the last one's removes it. Damage to its bytes does not matter.
  static Status drop_use(store::WriteTransaction& transaction, SegmentId id);

  Result<Bytes> read(const store::Transaction& transaction, SegmentId id) {
    return cache_.read(transaction, reader_, id);
  }
  void forget() { cache_.forget(); }

 private:
  BlockReader reader_;
  BlockWriter writer_;
  SegmentCache cache_;
};

// How many groups use a segment, as the file says; nullopt: there is none.
Result<std::optional<std::uint64_t>> segment_use_count(const store::Transaction& transaction,
                                                       SegmentId id);

}  // namespace tracelite::payload
