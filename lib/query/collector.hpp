// Groups with their sums in the order of a list: the first ones behind a position.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "query/query.hpp"

namespace tracelite::query {

inline constexpr std::int64_t kNoTerm = 0;  // terms count from 1

struct Group {
  std::int64_t term = kNoTerm;
  model::Int128 rank = 0;    // what the list is ordered by, before the key
  Aggregate sums;            // with the key
  bool may_have_own = true;  // a session: flags or scores of its own
};

model::Int128 rank_of(const Aggregate& sums, OrderBy by);

// Keeps the first `limit` groups of the order behind a position.
class Collector {
 public:
  Collector(ListOrder order, std::uint64_t limit) : order_(order), limit_(limit) {}

  void start_after(model::Int128 rank, std::string key) {
    after_ = Group{kNoTerm, rank, {}, true};
    after_->sums.key = std::move(key);
  }
  void add(std::int64_t term, Bytes key, Aggregate sums, bool may_have_own = true);
  [[nodiscard]] bool is_full() const { return groups_.size() >= limit_; }
  // Of the position, if there is one.
  [[nodiscard]] std::optional<model::Int128> after_rank() const {
    return after_ ? std::optional(after_->rank) : std::nullopt;
  }
  // Sorted.
  std::vector<Group> take();

 private:
  [[nodiscard]] bool before(const Group& a, const Group& b) const {
    const Group& low = order_.ascending ? a : b;
    const Group& high = order_.ascending ? b : a;
    return low.rank != high.rank ? low.rank < high.rank : low.sums.key < high.sums.key;
  }

  ListOrder order_;
  std::uint64_t limit_;
  std::optional<Group> after_;
  std::vector<Group> groups_;  // at the limit: a heap with the last of the order on top
};

// Days with their models; such a group's key is in two parts.
Status collect_days(const Snapshot::Use& use, const Filter& filter, Collector& collector);
void split_day(Aggregate& sums);

// Whether sums are kept for this list, of sessions or users, and need not be made from traces.
bool has_kept_sums(Kind kind, const Filter& filter);
// All of them, or this one; in the orders of time and cost at least those that the collector has
// room for.
Status collect_kept(const Snapshot::Use& use, Kind kind, ListOrder order,
                    std::optional<std::int64_t> only, Collector& collector);

}  // namespace tracelite::query
