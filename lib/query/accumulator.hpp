// The sums of a trace or a group, made from index rows one by one.
#pragma once

#include "index/group_sums.hpp"
#include "index/trace_sums.hpp"
#include "query/query.hpp"

namespace tracelite::query {

class Accumulator {
 public:
  // The columns of an observation that index::read_figures reads.
  static constexpr const char* kColumns =
      "o.start_ns, o.duration_ns, o.type, o.level, o.input_tokens, o.output_tokens, "
      "o.total_tokens, o.cost";

  // A trace, an activity at its timestamp, with what is in it. Its scores count only for sessions
  // and traces.
  void add_trace(std::int64_t time_ns, const index::TraceSums& sums);
  void count_trace() { ++trace_count_; }
  void add(const index::TraceSums& sums) { sums_.add(sums); }
  void add(const index::GroupSums& group);
  void add_observation(const index::Figures& figures) { sums_.add(figures); }
  [[nodiscard]] Aggregate finish() const;

 private:
  std::uint64_t trace_count_ = 0;
  index::TraceSums sums_;
  bool has_time_ = false;
  std::int64_t first_ns_ = 0, last_ns_ = 0;  // the timestamps of traces
};

}  // namespace tracelite::query
