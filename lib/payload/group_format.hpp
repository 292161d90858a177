// How a group's log lies in the file. A group is what shares small pieces: the payloads of one
// session, or of one trace without a session. Its log is one run of bytes that only grows: the
// recipes of its payloads with their new bytes inside, one after the other (recipe.hpp). The number
// of a payload says its group and where in the log its recipe begins.
//
// The log is cut into frames of kFrameSizeBytes; a frame is stored as one part once it is full, and
// as one part a commit before, each compressed with the frame's earlier parts as its history.
//
// Key space `frame`; numbers big-endian:
//     6 bytes group                                    the head, see GroupHead
//     6 bytes group, 3 bytes frame, 2 bytes part,      a part's bytes: a block (block.hpp), marked
//         2 bytes piece                                if it is the whole frame
//     6 bytes group, 3 bytes 0xffffff, 2 bytes n       ids of the segments in slots 256 n, ..., 8
//                                                      bytes each: a recipe names a slot
// The head:
//     varint  bytes in the log
//     varint  payloads that records refer to; the last one to go takes the group with it
//     varint  parts of the last frame, 0 if the log ends with a full one
//     varint  slots in use
//     varint  number of recent payloads, then their positions: where the writer goes on comparing
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "payload/payload_store.hpp"
#include "payload/segment_store.hpp"

namespace tracelite::payload {

// What reading one byte costs at most to decode, beside what it refers to. Smaller frames compress
// worse, larger ones cost more for a single payload.
inline constexpr std::size_t kFrameSizeBytes = std::size_t{64} << 10;
inline constexpr unsigned kPositionBits = 28;
inline constexpr std::uint64_t kLogSizeBytesMax = std::uint64_t{1} << kPositionBits;
inline constexpr GroupNumber kGroupNumberMax = (GroupNumber{1} << 35) - 1;
inline constexpr std::size_t kSlotsPerEntry = 256;
inline constexpr std::uint64_t kSlotCountMax = kSlotsPerEntry << 16;
inline constexpr std::size_t kRecentCountMax = 4;
// An open frame with more parts is written anew as one: reading it costs a step a part.
inline constexpr std::uint64_t kOpenPartCountMax = 16;
static_assert(kFrameSizeBytes <= kBlockSizeBytesMax);
static_assert(kLogSizeBytesMax / kFrameSizeBytes < 0xffffff, "frame numbers have three bytes");

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
  std::uint64_t open_part_count = 0;
  std::uint64_t slot_count = 0;
  std::vector<std::uint64_t> recent;
};

std::string group_key(GroupNumber group);
std::string part_prefix(GroupNumber group, std::uint64_t frame, std::uint64_t part);
std::string slots_key(GroupNumber group, std::uint64_t entry);

std::string encode(const GroupHead& head);
// nullopt: there is no such group. Errors: corrupt, io.
Result<std::optional<GroupHead>> read_head(const store::Transaction& transaction,
                                           GroupNumber group);
// Errors: corrupt, io.
Result<SegmentId> read_slot(const store::Transaction& transaction, GroupNumber group,
                            std::uint64_t slot);
// All bytes of a frame, and from how many parts they come. Errors: not_found (no such group),
// corrupt, io, no_memory.
Result<std::string> read_frame(const store::Transaction& transaction, BlockReader& reader,
                               GroupNumber group, std::uint64_t frame,
                               std::uint64_t* part_count = nullptr);

Error group_damage(GroupNumber group, const char* what);

}  // namespace tracelite::payload
