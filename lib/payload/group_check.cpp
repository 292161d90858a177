// Walks key space `frame` group by group, then the segments once.
#include "payload/group_check.hpp"

#include <set>
#include <unordered_map>

#include "payload/splitter.hpp"
#include "store/packed_space.hpp"
#include "store/sealed.hpp"

namespace tracelite::payload {
namespace {

using store::KeySpace;

constexpr std::size_t kHashKeySizeBytes = 8;

class GroupChecker {
 public:
  GroupChecker(const store::Transaction& transaction,
               const std::map<GroupNumber, std::uint64_t>& payload_counts,
               const GroupFinding& finding)
      : transaction_(transaction), payload_counts_(payload_counts), finding_(finding) {}

  Status run() {
    store::PackedCursor cursor(transaction_, KeySpace::frame);
    std::optional<GroupNumber> last;
    TL_TRY_ASSIGN(more, cursor.seek({}));
    while (more) {
      const auto key = decode_group_key(cursor.key());
      if (!key) {
        find("frame", "there is a key that is none");
      } else {
        if (key->group != last) {
          end_group();
          begin_group(key->group);
        }
        last = key->group;
        TL_TRY(check_entry(*key, cursor.value()));
      }
      TL_TRY_ASSIGN(again, cursor.next());
      more = again;
    }
    end_group();
    for (const auto& [group, count] : payload_counts_) {
      if (!seen_.contains(group)) find("frame", "group " + std::to_string(group) + " is missing");
    }
    TL_TRY(check_uses());
    return check_segment_bytes();
  }

 private:
  void find(Bytes where, const std::string& message) { finding_(where, message); }
  // What is corrupt is found, other errors are given back.
  Status noted(Bytes where, const Status& status) {
    if (status ||
        (status.error().code != Code::corrupt && status.error().code != Code::not_found)) {
      return status;
    }
    find(where, status.error().message);
    return {};
  }

  void begin_group(GroupNumber group) {
    group_ = group;
    head_.reset();
    log_end_ = 0;
    slot_count_ = 0;
    seen_.insert(group);
  }

  [[nodiscard]] std::string group_name() const { return "group " + std::to_string(group_); }

  Status check_entry(const GroupKey& key, Bytes value) {
    switch (key.part) {
      case GroupPart::head:
        return noted("frame", check_head());
      case GroupPart::log:
        if (key.at != log_end_ || value.empty() || value.size() > kChunkSizeBytes) {
          find("frame", group_name() + " has a gap in its log, or text twice");
        }
        log_end_ = key.at + value.size();
        return {};
      case GroupPart::slots:
        if (key.at * kSlotsPerEntry != slot_count_ || value.size() % kSegmentNumberSizeBytes != 0) {
          find("frame", group_name() + " has a gap in its slots");
        }
        for (; !value.empty() && value.size() >= kSegmentNumberSizeBytes; ++slot_count_) {
          ++uses_[read_big_endian(value.substr(0, kSegmentNumberSizeBytes))];
          value.remove_prefix(kSegmentNumberSizeBytes);
        }
        return {};
    }
    return {};
  }

  Status check_head() {
    TL_TRY_ASSIGN(head, read_head(transaction_, group_));
    if (!head) return {};
    head_ = head;
    const auto counted = payload_counts_.find(group_);
    const std::uint64_t count = counted == payload_counts_.end() ? 0 : counted->second;
    if (head_->payload_count != count) {
      find("frame", group_name() + " counts " + std::to_string(head_->payload_count) +
                        " payloads, records refer to " + std::to_string(count));
    }
    return {};
  }

  void end_group() {
    if (group_ == 0) return;
    if (!head_) {
      find("frame", group_name() + " has no head");
      return;
    }
    if (log_end_ != head_->size_bytes) {
      find("frame", group_name() + " has " + std::to_string(log_end_) + " bytes, not " +
                        std::to_string(head_->size_bytes));
    }
    if (slot_count_ != head_->slot_count) {
      find("frame", group_name() + " has " + std::to_string(slot_count_) + " slots, not " +
                        std::to_string(head_->slot_count));
    }
  }

  Status check_uses() {
    TL_TRY_ASSIGN(seed, read_piece_seed(transaction_));
    store::SealableCursor cursor(transaction_, KeySpace::segment);
    TL_TRY_ASSIGN(more, cursor.next());
    while (more) {
      if (cursor.key().size() != kHashKeySizeBytes) {
        find("segment", "there is a key that is none");
      } else {
        TL_TRY(noted("segment", check_use(read_big_endian(cursor.key()), seed)));
      }
      TL_TRY_ASSIGN(again, cursor.next());
      more = again;
    }
    for (const auto& [number, count] : uses_) {
      find("segment", "shared piece " + std::to_string(number) + " is missing");
    }
    return {};
  }

  Status check_use(std::uint64_t hash, std::uint64_t seed) {
    TL_TRY_ASSIGN(use, segment_use(transaction_, hash));
    if (!use) return {};
    const std::string name = "shared piece " + std::to_string(use->number);
    const auto used = uses_.find(use->number);
    const std::uint64_t expected = used == uses_.end() ? 0 : used->second;
    if (used != uses_.end()) uses_.erase(used);
    if (use->count != expected || expected == 0) {
      find("segment", name + " counts " + std::to_string(use->count) + " uses, groups have " +
                          std::to_string(expected));
    }
    if (!numbers_.insert(use->number).second) find("segment", name + " is there twice");
    TL_TRY_ASSIGN(bytes, read_segment(transaction_, use->number));
    if (hash - hash_of(bytes, seed) >= kSegmentProbeCount) {
      find("segment", name + " is not found by its bytes");
    }
    return {};
  }

  Status check_segment_bytes() {
    store::PackedCursor cursor(transaction_, KeySpace::segment_bytes);
    SegmentNumber last = 0;
    std::uint64_t part_count = 0;  // of that one
    TL_TRY_ASSIGN(more, cursor.seek({}));
    while (more) {
      if (cursor.key().size() != kSegmentNumberSizeBytes + 1) {
        find("segment_bytes", "there is a key that is none");
      } else {
        const SegmentNumber number =
            read_big_endian(cursor.key().substr(0, kSegmentNumberSizeBytes));
        if (!numbers_.contains(number)) {
          find("segment_bytes", "shared piece " + std::to_string(number) + " is counted nowhere");
        }
        if (number != last) part_count = 0;
        last = number;
        if (read_big_endian(cursor.key().substr(kSegmentNumberSizeBytes)) != part_count++) {
          find("segment_bytes", "shared piece " + std::to_string(number) + " has a gap");
        }
      }
      TL_TRY_ASSIGN(again, cursor.next());
      more = again;
    }
    return {};
  }

  const store::Transaction& transaction_;
  const std::map<GroupNumber, std::uint64_t>& payload_counts_;
  const GroupFinding& finding_;
  GroupNumber group_ = 0;  // at hand
  std::optional<GroupHead> head_;
  std::uint64_t log_end_ = 0;
  std::uint64_t slot_count_ = 0;
  std::set<GroupNumber> seen_;
  std::unordered_map<SegmentNumber, std::uint64_t> uses_;
  std::set<SegmentNumber> numbers_;
};

}  // namespace

Status check_groups(const store::Transaction& transaction,
                    const std::map<GroupNumber, std::uint64_t>& payload_counts,
                    const GroupFinding& finding) {
  return GroupChecker(transaction, payload_counts, finding).run();
}

}  // namespace tracelite::payload
