// Keys, heads and frames of groups.
#include "payload/group_format.hpp"

namespace tracelite::payload {

using store::KeySpace;

namespace {
constexpr std::uint64_t kSlotsFrame = 0xffffff;
}

std::string group_key(GroupNumber group) {
  std::string key;
  append_big_endian(key, group, 6);
  return key;
}

std::string part_prefix(GroupNumber group, std::uint64_t frame, std::uint64_t part) {
  std::string key = group_key(group);
  append_big_endian(key, frame, 3);
  append_big_endian(key, part, 2);
  return key;
}

std::string slots_key(GroupNumber group, std::uint64_t entry) {
  return part_prefix(group, kSlotsFrame, entry);
}

std::string encode(const GroupHead& head) {
  std::string value;
  append_varint(value, head.size_bytes);
  append_varint(value, head.payload_count);
  append_varint(value, head.open_part_count);
  append_varint(value, head.slot_count);
  append_varint(value, head.recent.size());
  for (const std::uint64_t position : head.recent) append_varint(value, position);
  return value;
}

Result<std::optional<GroupHead>> read_head(const store::Transaction& transaction,
                                           GroupNumber group) {
  TL_TRY_ASSIGN(value, transaction.get(KeySpace::frame, group_key(group)));
  if (!value) return std::optional<GroupHead>();
  ByteReader reader(*value);
  GroupHead head;
  head.size_bytes = reader.varint();
  head.payload_count = reader.varint();
  head.open_part_count = reader.varint();
  head.slot_count = reader.varint();
  const std::uint64_t recent_count = reader.varint();
  if (recent_count > kRecentCountMax) return group_damage(group, "its head is wrong");
  for (std::uint64_t i = 0; i < recent_count; ++i) head.recent.push_back(reader.varint());
  if (reader.failed() || !reader.at_end() || head.size_bytes > kLogSizeBytesMax ||
      head.open_part_count > kOpenPartCountMax || head.slot_count > kSlotCountMax) {
    return group_damage(group, "its head is wrong");
  }
  return std::optional<GroupHead>(std::move(head));
}

Result<SegmentId> read_slot(const store::Transaction& transaction, GroupNumber group,
                            std::uint64_t slot) {
  TL_TRY_ASSIGN(value, transaction.get(KeySpace::frame, slots_key(group, slot / kSlotsPerEntry)));
  const std::size_t offset = slot % kSlotsPerEntry * sizeof(SegmentId);
  if (!value || value->size() < offset + sizeof(SegmentId)) {
    return group_damage(group, "a slot is missing");
  }
  return read_big_endian(value->substr(offset, sizeof(SegmentId)));
}

Result<std::string> read_frame(const store::Transaction& transaction, BlockReader& reader,
                               GroupNumber group, std::uint64_t frame, std::uint64_t* part_count) {
  std::string bytes;
  bytes.reserve(kFrameSizeBytes);
  for (std::uint64_t part = 0;; ++part) {
    const std::string prefix = part_prefix(group, frame, part);
    TL_TRY_ASSIGN(block, find_block(transaction, KeySpace::frame, prefix));
    if (!block) break;
    const std::size_t before = bytes.size();
    if (block->raw_size_bytes > kFrameSizeBytes - before) {
      return group_damage(group, "a frame is too long");
    }
    bytes.resize(before + block->raw_size_bytes);
    TL_TRY(reader.read(transaction, KeySpace::frame, prefix, *block, Bytes(bytes).substr(0, before),
                       bytes.data() + before));
    if (part_count != nullptr) *part_count = part + 1;
    if (block->marked) break;
  }
  if (bytes.empty()) {
    TL_TRY_ASSIGN(head, read_head(transaction, group));
    if (!head) {
      return make_error(Code::not_found,
                        "there is no group " + std::to_string(group) + " of payloads");
    }
    return group_damage(group, "a frame is missing");
  }
  return bytes;
}

Error group_damage(GroupNumber group, const char* what) {
  return make_error(Code::corrupt, "the payloads of group " + std::to_string(group) + ": " + what);
}

}  // namespace tracelite::payload
