// How a group's log lies in the file. A group is what shares small pieces: the payloads of one
// session, or of one trace without a session. Its log is one run of bytes that only grows: the
// recipes of its payloads with their new bytes inside, one after the other (recipe.hpp). The number
// of a payload says its group and where in the log its recipe begins.
//
// Key space `frame`, packed (store/packed_space.hpp), so that short logs compress with their
// neighbours; numbers big-endian:
//     6 bytes group, 1 byte 0                   the head, see GroupHead
//     6 bytes group, 1 byte 1, 4 bytes position the log's bytes from this position on, up to the
//                                               next chunk's: at most kChunkSizeBytes
//     6 bytes group, 1 byte 2, 2 bytes n        numbers of the segments in slots 256 n, ..., 6
//                                               bytes each: a recipe names a slot
// The head:
//     varint  bytes in the log
//     varint  payloads that records refer to; the last one to go takes the group with it
//     varint  slots in use
//     varint  number of recent payloads, then their positions: where the writer goes on comparing
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "payload/payload_store.hpp"
#include "payload/segment_store.hpp"
#include "store/packed_space.hpp"

namespace tracelite::payload {

// Short enough for blocks of packed entries to be filled well.
inline constexpr std::size_t kChunkSizeBytes = std::size_t{2} << 10;
inline constexpr unsigned kPositionBits = 28;
inline constexpr std::uint64_t kLogSizeBytesMax = std::uint64_t{1} << kPositionBits;
inline constexpr GroupNumber kGroupNumberMax = (GroupNumber{1} << 35) - 1;
inline constexpr std::size_t kSlotsPerEntry = 256;
inline constexpr std::uint64_t kSlotCountMax = kSlotsPerEntry << 16;
inline constexpr std::size_t kRecentCountMax = 4;

// The highest bit tells a payload in a group's log from one that is stored by itself.
inline constexpr PayloadNumber kInGroup = PayloadNumber{1} << 63;

struct GroupPosition {
  GroupNumber group = 0;
  std::uint64_t position = 0;
};
inline PayloadNumber payload_number(GroupPosition at) {
  return kInGroup | at.group << kPositionBits | at.position;
}
inline GroupPosition group_position(PayloadNumber number) {
  return {(number & ~kInGroup) >> kPositionBits, number & (kLogSizeBytesMax - 1)};
}

struct GroupHead {
  std::uint64_t size_bytes = 0;
  std::uint64_t payload_count = 0;
  std::uint64_t slot_count = 0;
  std::vector<std::uint64_t> recent;
};

enum class GroupPart : std::uint8_t { head = 0, log = 1, slots = 2 };

inline constexpr std::size_t kGroupSizeBytes = 6;
static_assert(kGroupNumberMax >> (8 * kGroupSizeBytes) == 0 && sizeof(GroupPart) == 1);
static_assert((kGroupNumberMax << kPositionBits | (kLogSizeBytesMax - 1)) == kInGroup - 1,
              "a group and a position fill what the number of a payload leaves");
// Where groups are kept.
store::PackedSpace& frames(const store::Transaction& transaction);
std::string group_prefix(GroupNumber group);
std::string head_key(GroupNumber group);
std::string chunk_key(GroupNumber group, std::uint64_t position);
std::string slots_key(GroupNumber group, std::uint64_t entry);

// What a key of key space `frame` says.
struct GroupKey {
  GroupNumber group = 0;
  GroupPart part = GroupPart::head;
  std::uint64_t at = 0;  // position or entry
};
// nullopt: it is none.
std::optional<GroupKey> decode_group_key(Bytes key);

std::string encode(const GroupHead& head);
// nullopt: there is no such group. Errors: corrupt, io.
Result<std::optional<GroupHead>> read_head(const store::Transaction& transaction,
                                           GroupNumber group);
// Errors: corrupt, io.
Result<SegmentNumber> read_slot(const store::Transaction& transaction, GroupNumber group,
                                std::uint64_t slot);

struct Chunk {
  std::uint64_t start = 0;
  Bytes bytes;
};
// The chunk that has this position. Valid as what store::PackedSpace gives.
// Errors: not_found (no such group), corrupt, io, no_memory.
Result<Chunk> read_chunk(const store::Transaction& transaction, GroupNumber group,
                         std::uint64_t position);

Error group_damage(GroupNumber group, const char* what);

}  // namespace tracelite::payload
