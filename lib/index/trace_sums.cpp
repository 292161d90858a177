// Sums that grow and shrink one observation at a time.
#include "index/trace_sums.hpp"

#include <algorithm>

namespace tracelite::index {
namespace {

void add_saturated(std::uint64_t& sum, std::uint64_t more) {
  if (__builtin_add_overflow(sum, more, &sum)) sum = UINT64_MAX;
}

std::uint64_t tokens(std::int64_t amount) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(amount, 0));
}

std::int64_t last_activity(const Figures& observation) {
  return std::max(observation.end_ns.value_or(observation.start_ns), observation.start_ns);
}

bool is_unfinished(const Figures& observation) {
  return !observation.end_ns && !observation.is_event;
}

std::uint64_t* count_of(TraceSums& sums, std::int64_t level) {
  if (level < 1 || level > static_cast<std::int64_t>(sums.level_counts.size())) return nullptr;
  return &sums.level_counts[static_cast<std::size_t>(level - 1)];
}

bool is_at_its_end(const TraceSums& sums) {
  const auto at_end = [](model::Int128 cost) {
    return model::add_saturated(cost, 1) == cost || model::add_saturated(cost, -1) == cost;
  };
  return std::max({sums.input_tokens, sums.output_tokens, sums.total_tokens}) == UINT64_MAX ||
         at_end(sums.cost);
}

// Whether nothing but `before` may have held an end of the range of times, which `after` does not.
bool may_narrow(const TraceSums& sums, const Figures& before, const Figures* after) {
  if (after == nullptr) return true;
  if (before.start_ns == sums.earliest_start_ns && after->start_ns > before.start_ns) return true;
  if (last_activity(before) == sums.last_activity_ns &&
      last_activity(*after) < last_activity(before)) {
    return true;
  }
  return before.end_ns && before.end_ns == sums.latest_end_ns &&
         (!after->end_ns || *after->end_ns < *before.end_ns);
}

}  // namespace

std::uint64_t TraceSums::observation_count() const {
  std::uint64_t count = 0;
  for (const std::uint64_t of_level : level_counts) count += of_level;
  return count;
}

std::int64_t TraceSums::latency_ns() const {
  if (!latest_end_ns || *latest_end_ns < earliest_start_ns) return 0;
  std::int64_t latency = 0;
  return __builtin_sub_overflow(*latest_end_ns, earliest_start_ns, &latency) ? INT64_MAX : latency;
}

void TraceSums::add(const Figures& observation) {
  TraceSums one;
  if (std::uint64_t* count = count_of(one, observation.level); count != nullptr) *count = 1;
  one.unfinished_count = is_unfinished(observation) ? 1 : 0;
  one.input_tokens = tokens(observation.input_tokens);
  one.output_tokens = tokens(observation.output_tokens);
  one.total_tokens = tokens(observation.total_tokens);
  one.cost = observation.cost;
  one.earliest_start_ns = observation.start_ns;
  one.last_activity_ns = last_activity(observation);
  one.latest_end_ns = observation.end_ns;
  add(one);
}

void TraceSums::add(const TraceSums& other) {
  score_count += other.score_count;
  if (other.observation_count() == 0) return;
  const bool is_first = observation_count() == 0;
  for (std::size_t i = 0; i < level_counts.size(); ++i) level_counts[i] += other.level_counts[i];
  unfinished_count += other.unfinished_count;
  add_saturated(input_tokens, other.input_tokens);
  add_saturated(output_tokens, other.output_tokens);
  add_saturated(total_tokens, other.total_tokens);
  cost = model::add_saturated(cost, other.cost);
  if (is_first || other.earliest_start_ns < earliest_start_ns) {
    earliest_start_ns = other.earliest_start_ns;
  }
  if (is_first || other.last_activity_ns > last_activity_ns) {
    last_activity_ns = other.last_activity_ns;
  }
  if (other.latest_end_ns && (!latest_end_ns || *other.latest_end_ns > *latest_end_ns)) {
    latest_end_ns = other.latest_end_ns;
  }
}

bool TraceSums::take_off(const TraceSums& other) {
  if (is_at_its_end(*this)) return false;
  score_count -= other.score_count;
  for (std::size_t i = 0; i < level_counts.size(); ++i) level_counts[i] -= other.level_counts[i];
  unfinished_count -= other.unfinished_count;
  input_tokens -= other.input_tokens;
  output_tokens -= other.output_tokens;
  total_tokens -= other.total_tokens;
  // In a stranger's row they need not have been added before.
  if (__builtin_sub_overflow(cost, other.cost, &cost)) return false;
  if (observation_count() > 0) return true;
  earliest_start_ns = last_activity_ns = 0;
  latest_end_ns.reset();
  return true;
}

bool TraceSums::change(const Figures* before, const Figures* after) {
  if (before != nullptr) {
    if (is_at_its_end(*this) || may_narrow(*this, *before, after)) return false;
    if (std::uint64_t* count = count_of(*this, before->level); count != nullptr) --*count;
    unfinished_count -= is_unfinished(*before) ? 1 : 0;
    input_tokens -= tokens(before->input_tokens);
    output_tokens -= tokens(before->output_tokens);
    total_tokens -= tokens(before->total_tokens);
    if (__builtin_sub_overflow(cost, before->cost, &cost)) return false;
  }
  if (after != nullptr) add(*after);
  return true;
}

void TraceSums::encode(std::int64_t time_ns, std::string& out) const {
  append_varint(out, score_count);
  if (observation_count() == 0) return;
  for (const std::uint64_t count : level_counts) append_varint(out, count);
  append_varint(out, unfinished_count);
  append_varint(out, input_tokens);
  append_varint(out, output_tokens);
  append_varint(out, total_tokens);
  model::append_int128(out, cost);
  append_varint(out, zigzag(wrapping_subtract(earliest_start_ns, time_ns)));
  const auto distance = [&](std::int64_t later_ns) {
    return static_cast<std::uint64_t>(wrapping_subtract(later_ns, earliest_start_ns));
  };
  append_varint(out, distance(last_activity_ns));
  append_varint(out, latest_end_ns ? 1 : 0);
  if (latest_end_ns) append_varint(out, distance(*latest_end_ns));
}

TraceSums TraceSums::decode(Bytes coded, std::int64_t time_ns) {
  TraceSums sums;
  ByteReader reader(coded);
  sums.score_count = reader.varint();
  if (reader.at_end()) return sums;
  for (std::uint64_t& count : sums.level_counts) count = reader.varint();
  sums.unfinished_count = reader.varint();
  sums.input_tokens = reader.varint();
  sums.output_tokens = reader.varint();
  sums.total_tokens = reader.varint();
  sums.cost = model::read_int128(reader);
  sums.earliest_start_ns = wrapping_add(time_ns, reader.signed_varint());
  const auto later = [&](std::uint64_t distance) {
    return wrapping_add(sums.earliest_start_ns, static_cast<std::int64_t>(distance));
  };
  sums.last_activity_ns = later(reader.varint());
  if (reader.varint() != 0) sums.latest_end_ns = later(reader.varint());
  return sums;
}

}  // namespace tracelite::index
