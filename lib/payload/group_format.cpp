// Keys, heads, slots and chunks of groups.
#include "payload/group_format.hpp"

namespace tracelite::payload {

using store::KeySpace;
using store::PackedSpace;

namespace {

constexpr int kPositionSizeBytes = 4;
constexpr int kEntrySizeBytes = 2;
static_assert(kLogSizeBytesMax <= std::uint64_t{1} << (8 * kPositionSizeBytes));
static_assert(kSlotCountMax / kSlotsPerEntry <= std::uint64_t{1} << (8 * kEntrySizeBytes));

std::string part_key(GroupNumber group, GroupPart part) {
  std::string key = group_prefix(group);
  key.push_back(static_cast<char>(part));
  return key;
}

}  // namespace

PackedSpace& frames(const store::Transaction& transaction) {
  return PackedSpace::of(transaction, KeySpace::frame);
}

std::string group_prefix(GroupNumber group) {
  std::string key;
  append_big_endian(key, group, kGroupSizeBytes);
  return key;
}

std::string head_key(GroupNumber group) { return part_key(group, GroupPart::head); }

std::string chunk_key(GroupNumber group, std::uint64_t position) {
  std::string key = part_key(group, GroupPart::log);
  append_big_endian(key, position, kPositionSizeBytes);
  return key;
}

std::string slots_key(GroupNumber group, std::uint64_t entry) {
  std::string key = part_key(group, GroupPart::slots);
  append_big_endian(key, entry, kEntrySizeBytes);
  return key;
}

std::optional<GroupKey> decode_group_key(Bytes key) {
  if (key.size() <= kGroupSizeBytes) return std::nullopt;
  GroupKey decoded;
  decoded.group = read_big_endian(key.substr(0, kGroupSizeBytes));
  decoded.part = static_cast<GroupPart>(key[kGroupSizeBytes]);
  const Bytes at = key.substr(kGroupSizeBytes + 1);
  decoded.at = read_big_endian(at);
  const bool fits = (decoded.part == GroupPart::head && at.empty()) ||
                    (decoded.part == GroupPart::log && at.size() == kPositionSizeBytes) ||
                    (decoded.part == GroupPart::slots && at.size() == kEntrySizeBytes);
  return fits ? std::optional(decoded) : std::nullopt;
}

std::string encode(const GroupHead& head) {
  std::string value;
  append_varint(value, head.size_bytes);
  append_varint(value, head.payload_count);
  append_varint(value, head.slot_count);
  append_varint(value, head.recent.size());
  for (const std::uint64_t position : head.recent) append_varint(value, position);
  return value;
}

Result<std::optional<GroupHead>> read_head(const store::Transaction& transaction,
                                           GroupNumber group) {
  TL_TRY_ASSIGN(value, frames(transaction).get(head_key(group)));
  if (!value) return std::optional<GroupHead>();
  ByteReader reader(*value);
  GroupHead head;
  head.size_bytes = reader.varint();
  head.payload_count = reader.varint();
  head.slot_count = reader.varint();
  const std::uint64_t recent_count = reader.varint();
  if (recent_count > kRecentCountMax) return group_damage(group, "its head is wrong");
  for (std::uint64_t i = 0; i < recent_count; ++i) head.recent.push_back(reader.varint());
  if (reader.failed() || !reader.at_end() || head.size_bytes > kLogSizeBytesMax ||
      head.slot_count > kSlotCountMax) {
    return group_damage(group, "its head is wrong");
  }
  return std::optional<GroupHead>(std::move(head));
}

Result<SegmentNumber> read_slot(const store::Transaction& transaction, GroupNumber group,
                                std::uint64_t slot) {
  TL_TRY_ASSIGN(value, frames(transaction).get(slots_key(group, slot / kSlotsPerEntry)));
  const std::size_t offset = slot % kSlotsPerEntry * kSegmentNumberSizeBytes;
  if (!value || value->size() < offset + kSegmentNumberSizeBytes) {
    return group_damage(group, "a slot is missing");
  }
  return read_big_endian(value->substr(offset, kSegmentNumberSizeBytes));
}

Result<Chunk> read_chunk(const store::Transaction& transaction, GroupNumber group,
                         std::uint64_t position) {
  TL_TRY_ASSIGN(found, frames(transaction).at_most(chunk_key(group, position)));
  const auto key = found ? decode_group_key(found->key) : std::nullopt;
  if (key && key->group == group && key->part == GroupPart::log &&
      position - key->at < found->value.size()) {
    // In a file that was made up chunks may overlap: each is over where the next one begins, so
    // that a position has the same byte however it is come by.
    const auto next = decode_group_key(found->next_key);
    const bool is_followed = next && next->group == group && next->part == GroupPart::log;
    return Chunk{key->at, found->value.substr(0, is_followed ? next->at - key->at : Bytes::npos)};
  }
  TL_TRY_ASSIGN(head, read_head(transaction, group));
  if (!head) {
    return make_error(Code::not_found,
                      "there is no group " + std::to_string(group) + " of payloads");
  }
  if (position >= head->size_bytes) return group_damage(group, "a recipe refers beyond the end");
  return group_damage(group, "a part of its log is missing");
}

Error group_damage(GroupNumber group, const char* what) {
  return make_error(Code::corrupt, "the payloads of group " + std::to_string(group) + ": " + what);
}

}  // namespace tracelite::payload
