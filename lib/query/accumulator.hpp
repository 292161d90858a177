// The sums of a trace or a group, made from index rows one by one.
#pragma once

#include <optional>

#include "query/query.hpp"
#include "query/snapshot.hpp"

namespace tracelite::query {

class Accumulator {
 public:
  // The columns of an observation that add_observation reads, in its order.
  static constexpr const char* kColumns =
      "o.start_ns, o.end_ns, o.type, o.level, o.input_tokens, o.output_tokens, o.total_tokens, "
      "o.cost";
  static constexpr int kColumnCount = 8;

  // A trace is an activity at its timestamp; its observations come one by one.
  void add_trace(std::int64_t time_ns);
  void count_trace() { ++sums_.trace_count; }
  // `first_column`: where kColumns start in the row.
  void add_observation(const index::Statement& row, int first_column);
  void add_scores(std::uint64_t count) { sums_.score_count += count; }
  [[nodiscard]] Aggregate finish() const;

 private:
  void activity(std::int64_t time_ns);

  Aggregate sums_;
  bool any_ = false;
  std::optional<std::int64_t> earliest_start_, latest_end_;
};

// Adds a trace with its observations, and its scores if they are asked for.
Status add_whole_trace(const Snapshot::Use& use, std::int64_t container, std::int64_t time_ns,
                       bool with_scores, Accumulator& sums);

}  // namespace tracelite::query
