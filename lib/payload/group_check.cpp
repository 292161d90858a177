// Walks key space `frame` group by group, then `segment` once.
#include "payload/group_check.hpp"

#include <unordered_map>

namespace tracelite::payload {
namespace {

using store::KeySpace;

constexpr std::size_t kGroupKeySizeBytes = 6;
constexpr std::size_t kSegmentKeySizeBytes = 8;

class GroupChecker {
 public:
  GroupChecker(const store::Transaction& transaction,
               const std::map<GroupNumber, std::uint64_t>& payload_counts,
               const GroupFinding& finding)
      : transaction_(transaction), payload_counts_(payload_counts), finding_(finding) {}

  Status run() {
    store::Cursor cursor = transaction_.cursor(KeySpace::frame);
    std::string from;
    while (true) {
      TL_TRY_ASSIGN(more, cursor.seek(from));
      if (!more) break;
      const GroupNumber group = read_big_endian(cursor.key().substr(0, kGroupKeySizeBytes));
      TL_TRY(check_group(group));
      from = group_key(group + 1);
    }
    for (const auto& [group, count] : payload_counts_) {
      TL_TRY_ASSIGN(head, read_head(transaction_, group));
      if (!head) find("frame", "group " + std::to_string(group) + " is missing");
    }
    return check_segments();
  }

 private:
  void find(Bytes where, const std::string& message) { finding_(where, message); }

  Status check_group(GroupNumber group) {
    const std::string name = "group " + std::to_string(group);
    TL_TRY_ASSIGN(head, read_head(transaction_, group));
    if (!head) {
      find("frame", name + " has no head");
      return {};
    }
    const auto counted = payload_counts_.find(group);
    const std::uint64_t count = counted == payload_counts_.end() ? 0 : counted->second;
    if (head->payload_count != count) {
      find("frame", name + " counts " + std::to_string(head->payload_count) +
                        " payloads, records refer to " + std::to_string(count));
    }
    std::uint64_t size_bytes = 0;
    while (size_bytes < head->size_bytes) {
      const std::uint64_t frame = size_bytes / kFrameSizeBytes;
      TL_TRY_ASSIGN(bytes, read_frame(transaction_, reader_, group, frame));
      size_bytes += bytes.size();
      if (bytes.size() < kFrameSizeBytes) break;
    }
    if (size_bytes != head->size_bytes) {
      find("frame", name + " has " + std::to_string(size_bytes) + " bytes, not " +
                        std::to_string(head->size_bytes));
    }
    for (std::uint64_t slot = 0; slot < head->slot_count; ++slot) {
      TL_TRY_ASSIGN(id, read_slot(transaction_, group, slot));
      ++uses_[id];
    }
    return {};
  }

  Status check_segments() {
    store::Cursor cursor = transaction_.cursor(KeySpace::segment);
    TL_TRY_ASSIGN(more, cursor.seek({}));
    while (more) {
      if (cursor.key().size() == kSegmentKeySizeBytes) {
        const SegmentId id = read_big_endian(cursor.key());
        TL_TRY_ASSIGN(count, segment_use_count(transaction_, id));
        const auto used = uses_.find(id);
        const std::uint64_t expected = used == uses_.end() ? 0 : used->second;
        if (count != expected || expected == 0) {
          find("segment", "shared piece " + std::to_string(id) + " counts " +
                              std::to_string(count.value_or(0)) + " uses, groups have " +
                              std::to_string(expected));
        }
        if (used != uses_.end()) uses_.erase(used);
      }
      TL_TRY_ASSIGN(again, cursor.next());
      more = again;
    }
    for (const auto& [id, count] : uses_) {
      find("segment", "shared piece " + std::to_string(id) + " is missing");
    }
    return {};
  }

  const store::Transaction& transaction_;
  const std::map<GroupNumber, std::uint64_t>& payload_counts_;
  const GroupFinding& finding_;
  BlockReader reader_;
  std::unordered_map<SegmentId, std::uint64_t> uses_;
};

}  // namespace

Status check_groups(const store::Transaction& transaction,
                    const std::map<GroupNumber, std::uint64_t>& payload_counts,
                    const GroupFinding& finding) {
  return GroupChecker(transaction, payload_counts, finding).run();
}

}  // namespace tracelite::payload
