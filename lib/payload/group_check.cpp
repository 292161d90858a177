// Walks key space `frame` group by group, then `segment` once.
#include "payload/group_check.hpp"

#include <set>
#include <unordered_map>

namespace tracelite::payload {
namespace {

using store::KeySpace;

constexpr std::size_t kGroupKeySizeBytes = 6;
constexpr std::size_t kSlotsKeySizeBytes = kGroupKeySizeBytes + 3 + 2;
constexpr std::size_t kPartKeySizeBytes = kGroupKeySizeBytes + 3 + 2 + 2;
constexpr std::size_t kSegmentKeySizeBytes = 8;

class GroupChecker {
 public:
  GroupChecker(const store::Transaction& transaction,
               const std::map<GroupNumber, std::uint64_t>& payload_counts,
               const GroupFinding& finding)
      : transaction_(transaction), payload_counts_(payload_counts), finding_(finding) {}

  Status run() {
    store::Cursor cursor = transaction_.cursor(KeySpace::frame);
    std::optional<GroupNumber> last;
    TL_TRY_ASSIGN(more, cursor.seek({}));
    while (more) {
      const Bytes key = cursor.key();
      if (!is_frame_key(key)) {
        find("frame", "there is a key that is none");
      } else {
        const GroupNumber group = read_big_endian(key.substr(0, kGroupKeySizeBytes));
        if (group != last) TL_TRY(check_group(group));
        last = group;
        check_place(group, key);
      }
      TL_TRY_ASSIGN(again, cursor.next());
      more = again;
    }
    for (const auto& [group, count] : payload_counts_) {
      if (!seen_.contains(group)) find("frame", "group " + std::to_string(group) + " is missing");
    }
    return check_segments();
  }

 private:
  void find(Bytes where, const std::string& message) { finding_(where, message); }
  // True if there is no error; what is corrupt is found, other errors are given back.
  Result<bool> noted(Bytes where, const Status& status) {
    if (status) return true;
    if (status.error().code != Code::corrupt && status.error().code != Code::not_found) {
      return status.error();
    }
    find(where, status.error().message);
    return false;
  }

  static bool is_frame_key(Bytes key) {
    return key.size() == kGroupKeySizeBytes || key.size() == kSlotsKeySizeBytes ||
           key.size() == kPartKeySizeBytes;
  }

  // Nothing may lie behind the end of a log.
  void check_place(GroupNumber group, Bytes key) {
    if (!head_ || key.size() == kGroupKeySizeBytes) return;
    const std::uint64_t frame = read_big_endian(key.substr(kGroupKeySizeBytes, 3));
    const std::uint64_t entry = read_big_endian(key.substr(kGroupKeySizeBytes + 3, 2));
    const bool within = key.size() == kSlotsKeySizeBytes
                            ? entry * kSlotsPerEntry < head_->slot_count
                            : frame * kFrameSizeBytes < head_->size_bytes;
    if (!within) {
      find("frame", "group " + std::to_string(group) + " has something behind its end");
    }
  }

  Status check_group(GroupNumber group) {
    const std::string name = "group " + std::to_string(group);
    seen_.insert(group);
    head_.reset();
    auto head = read_head(transaction_, group);
    if (!head) {
      TL_TRY(noted("frame", head.error()));
      return {};
    }
    if (!*head) {
      find("frame", name + " has no head");
      return {};
    }
    head_ = **head;
    const auto counted = payload_counts_.find(group);
    const std::uint64_t count = counted == payload_counts_.end() ? 0 : counted->second;
    if (head_->payload_count != count) {
      find("frame", name + " counts " + std::to_string(head_->payload_count) +
                        " payloads, records refer to " + std::to_string(count));
    }
    TL_TRY(noted("frame", check_log(group, name)));
    TL_TRY(noted("frame", check_slots(group)));
    return {};
  }

  Status check_log(GroupNumber group, const std::string& name) {
    std::uint64_t size_bytes = 0;
    std::uint64_t part_count = 0;
    while (size_bytes < head_->size_bytes) {
      const std::uint64_t frame = size_bytes / kFrameSizeBytes;
      TL_TRY_ASSIGN(bytes, read_frame(transaction_, reader_, group, frame, &part_count));
      size_bytes += bytes.size();
      if (bytes.size() < kFrameSizeBytes) break;
    }
    if (size_bytes != head_->size_bytes) {
      find("frame", name + " has " + std::to_string(size_bytes) + " bytes, not " +
                        std::to_string(head_->size_bytes));
    }
    if (size_bytes % kFrameSizeBytes == 0) part_count = 0;
    if (part_count != head_->open_part_count) {
      find("frame", name + " has " + std::to_string(part_count) + " parts, not " +
                        std::to_string(head_->open_part_count));
    }
    return {};
  }

  Status check_slots(GroupNumber group) {
    for (std::uint64_t slot = 0; slot < head_->slot_count; ++slot) {
      TL_TRY_ASSIGN(id, read_slot(transaction_, group, slot));
      ++uses_[id];
    }
    return {};
  }

  Status check_segments() {
    store::Cursor cursor = transaction_.cursor(KeySpace::segment);
    std::optional<SegmentId> last;  // that has a count
    TL_TRY_ASSIGN(more, cursor.seek({}));
    while (more) {
      const Bytes key = cursor.key();
      if (key.size() == kSegmentKeySizeBytes) {
        last = read_big_endian(key);
        TL_TRY(noted("segment", check_segment(*last, key)));
      } else if (key.size() != kSegmentKeySizeBytes + 2) {
        find("segment", "there is a key that is none");
      } else if (last != read_big_endian(key.substr(0, kSegmentKeySizeBytes))) {
        find("segment", "there are bytes of a shared piece without a count");
      }
      TL_TRY_ASSIGN(again, cursor.next());
      more = again;
    }
    for (const auto& [id, count] : uses_) {
      find("segment", "shared piece " + std::to_string(id) + " is missing");
    }
    return {};
  }

  Status check_segment(SegmentId id, Bytes key) {
    const auto used = uses_.find(id);
    const std::uint64_t expected = used == uses_.end() ? 0 : used->second;
    if (used != uses_.end()) uses_.erase(used);
    TL_TRY_ASSIGN(count, segment_use_count(transaction_, id));
    if (count != expected || expected == 0) {
      find("segment", "shared piece " + std::to_string(id) + " counts " +
                          std::to_string(count.value_or(0)) + " uses, groups have " +
                          std::to_string(expected));
    }
    TL_TRY_ASSIGN(block, find_block(transaction_, KeySpace::segment, key));
    if (!block) {
      find("segment", "shared piece " + std::to_string(id) + " has no bytes");
      return {};
    }
    bytes_.resize(block->raw_size_bytes);
    return reader_.read(transaction_, KeySpace::segment, key, *block, {}, bytes_.data());
  }

  const store::Transaction& transaction_;
  const std::map<GroupNumber, std::uint64_t>& payload_counts_;
  const GroupFinding& finding_;
  BlockReader reader_;
  std::string bytes_;              // of a segment
  std::optional<GroupHead> head_;  // of the group at hand
  std::set<GroupNumber> seen_;
  std::unordered_map<SegmentId, std::uint64_t> uses_;
};

}  // namespace

Status check_groups(const store::Transaction& transaction,
                    const std::map<GroupNumber, std::uint64_t>& payload_counts,
                    const GroupFinding& finding) {
  return GroupChecker(transaction, payload_counts, finding).run();
}

}  // namespace tracelite::payload
