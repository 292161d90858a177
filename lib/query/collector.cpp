// A heap of the first ones.
#include "query/collector.hpp"

#include <algorithm>
#include <utility>

namespace tracelite::query {

model::Int128 rank_of(const Aggregate& sums, OrderBy by) {
  switch (by) {
    case OrderBy::time:
      return sums.last_activity_ns;
    case OrderBy::latency:
      return sums.latency_ns;
    case OrderBy::tokens:
      return sums.total_tokens;
    case OrderBy::cost:
      return sums.total_cost;
    case OrderBy::name:
      break;
  }
  return 0;
}

void Collector::add(std::int64_t term, Bytes key, Aggregate sums, bool may_have_own) {
  Group group{term, rank_of(sums, order_.by), std::move(sums), may_have_own};
  group.sums.key = key;
  if (after_ && !before(*after_, group)) return;
  const auto compare = [this](const Group& a, const Group& b) { return before(a, b); };
  if (groups_.size() < limit_) {
    groups_.push_back(std::move(group));
    if (groups_.size() == limit_) std::make_heap(groups_.begin(), groups_.end(), compare);
    return;
  }
  if (!before(group, groups_.front())) return;
  std::pop_heap(groups_.begin(), groups_.end(), compare);
  groups_.back() = std::move(group);
  std::push_heap(groups_.begin(), groups_.end(), compare);
}

std::vector<Group> Collector::take() {
  std::sort(groups_.begin(), groups_.end(),
            [this](const Group& a, const Group& b) { return before(a, b); });
  return std::move(groups_);
}

}  // namespace tracelite::query
