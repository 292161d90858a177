// Sums of traces and observations as readers see them.
#include "query/accumulator.hpp"

#include <algorithm>

namespace tracelite::query {

void Accumulator::add_trace(std::int64_t time_ns, const index::TraceSums& sums) {
  count_trace();
  first_ns_ = has_time_ ? std::min(first_ns_, time_ns) : time_ns;
  last_ns_ = has_time_ ? std::max(last_ns_, time_ns) : time_ns;
  has_time_ = true;
  sums_.add(sums);
}

void Accumulator::add(const index::GroupSums& group) {
  if (group.trace_count == 0) return;
  trace_count_ += group.trace_count;
  first_ns_ = has_time_ ? std::min(first_ns_, group.first_ns) : group.first_ns;
  last_ns_ = has_time_ ? std::max(last_ns_, group.last_ns) : group.last_ns;
  has_time_ = true;
  sums_.add(group.sums);
}

Aggregate Accumulator::finish() const {
  Aggregate sums;
  sums.trace_count = trace_count_;
  sums.observation_count = sums_.observation_count();
  sums.score_count = sums_.score_count;
  std::copy(sums_.level_counts.begin(), sums_.level_counts.end(), sums.level_counts);
  sums.unfinished_count = sums_.unfinished_count;
  sums.input_tokens = sums_.input_tokens;
  sums.output_tokens = sums_.output_tokens;
  sums.total_tokens = sums_.total_tokens;
  sums.total_cost = sums_.cost;
  sums.first_activity_ns = first_ns_;
  sums.last_activity_ns = last_ns_;
  if (sums.observation_count > 0) {
    sums.first_activity_ns =
        has_time_ ? std::min(first_ns_, sums_.earliest_start_ns) : sums_.earliest_start_ns;
    sums.last_activity_ns =
        has_time_ ? std::max(last_ns_, sums_.last_activity_ns) : sums_.last_activity_ns;
  }
  sums.latency_ns = sums_.latency_ns();
  return sums;
}

}  // namespace tracelite::query
