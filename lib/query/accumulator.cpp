// Sums that stay inside their ranges.
#include "query/accumulator.hpp"

#include <algorithm>

#include "index/index_value.hpp"
#include "query/reader.hpp"

namespace tracelite::query {
namespace {

void add_tokens(std::uint64_t& sum, std::int64_t more) {
  const auto amount = static_cast<std::uint64_t>(std::max<std::int64_t>(more, 0));
  sum = sum > UINT64_MAX - amount ? UINT64_MAX : sum + amount;
}

}  // namespace

void Accumulator::activity(std::int64_t time_ns) {
  sums_.first_activity_ns = any_ ? std::min(sums_.first_activity_ns, time_ns) : time_ns;
  sums_.last_activity_ns = any_ ? std::max(sums_.last_activity_ns, time_ns) : time_ns;
  any_ = true;
}

void Accumulator::add_trace(std::int64_t time_ns) {
  count_trace();
  activity(time_ns);
}

void Accumulator::add_observation(const index::Statement& row, int first_column) {
  const std::int64_t start_ns = row.integer(first_column);
  const auto type = static_cast<model::ObservationType>(row.integer(first_column + 2));
  const std::int64_t level = row.integer(first_column + 3);
  ++sums_.observation_count;
  activity(start_ns);
  earliest_start_ = std::min(earliest_start_.value_or(start_ns), start_ns);
  if (!row.is_null(first_column + 1)) {
    const std::int64_t end_ns = row.integer(first_column + 1);
    activity(end_ns);
    latest_end_ = std::max(latest_end_.value_or(end_ns), end_ns);
  } else if (type != model::ObservationType::event) {
    ++sums_.unfinished_count;
  }
  if (level >= 1 && level <= model::kLevelCount) ++sums_.level_counts[level - 1];
  add_tokens(sums_.input_tokens, row.integer(first_column + 4));
  add_tokens(sums_.output_tokens, row.integer(first_column + 5));
  add_tokens(sums_.total_tokens, row.integer(first_column + 6));
  sums_.total_cost =
      model::add_saturated(sums_.total_cost, index::read_cost(row, first_column + 7));
}

Aggregate Accumulator::finish() const {
  Aggregate sums = sums_;
  if (latest_end_) {
    sums.latency_ns = std::max<std::int64_t>(subtract_saturated(*latest_end_, *earliest_start_), 0);
  }
  return sums;
}

Status add_whole_trace(const Snapshot::Use& use, std::int64_t container, std::int64_t time_ns,
                       bool with_scores, Accumulator& sums) {
  static const std::string kObservations =
      std::string("SELECT ") + Accumulator::kColumns + " FROM observation o WHERE o.container = ?1";
  sums.add_trace(time_ns);
  TL_TRY_ASSIGN(rows, use.prepare(kObservations));
  rows.bind(container);
  for (;;) {
    TL_TRY_ASSIGN(more, rows->step());
    if (!more) break;
    sums.add_observation(*rows, 0);
  }
  if (!with_scores) return {};
  TL_TRY_ASSIGN(count, use.prepare("SELECT count(*) FROM score WHERE container = ?1"));
  count.bind(container);
  TL_TRY_ASSIGN(counted, count->step());
  if (counted) sums.add_scores(static_cast<std::uint64_t>(count->integer(0)));
  return {};
}

}  // namespace tracelite::query
