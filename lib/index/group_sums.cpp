// Sums that grow and shrink one trace at a time.
#include "index/group_sums.hpp"

#include <algorithm>

#include "index/schema.hpp"

namespace tracelite::index {
namespace {

constexpr int kActivityShift = 30;
constexpr int kCostShift = 20;

using Time = std::optional<std::int64_t>;

Time start_of(const GroupSums::Part& part) {
  return part.sums->observation_count() > 0 ? Time(part.sums->earliest_start_ns) : Time();
}
Time activity_of(const GroupSums::Part& part) {
  return part.sums->observation_count() > 0 ? Time(part.sums->last_activity_ns) : Time();
}

// Whether `before` held an end of a range that reaches to `held`, and `after` does not.
bool begin_is_lost(const Time& before, const Time& after, std::int64_t held) {
  return before && *before <= held && !(after && *after <= held);
}
bool end_is_lost(const Time& before, const Time& after, std::int64_t held) {
  return before && *before >= held && !(after && *after >= held);
}

void find_lost(const GroupSums& group, const GroupSums::Part& before, const GroupSums::Part* after,
               GroupSums::Lost& lost) {
  const auto now = [&](auto value_of) { return after == nullptr ? Time() : value_of(*after); };
  const auto time_of = [](const GroupSums::Part& part) { return Time(part.time_ns); };
  const auto end_of = [](const GroupSums::Part& part) { return part.sums->latest_end_ns; };
  if (begin_is_lost(time_of(before), now(time_of), group.first_ns) ||
      begin_is_lost(start_of(before), now(start_of), group.sums.earliest_start_ns)) {
    lost.begin = true;
  }
  if (end_is_lost(time_of(before), now(time_of), group.last_ns) ||
      end_is_lost(activity_of(before), now(activity_of), group.sums.last_activity_ns) ||
      (group.sums.latest_end_ns &&
       end_is_lost(end_of(before), now(end_of), *group.sums.latest_end_ns))) {
    lost.end = true;
  }
}

}  // namespace

void GroupSums::add(const Part& trace) {
  first_ns = trace_count == 0 ? trace.time_ns : std::min(first_ns, trace.time_ns);
  last_ns = trace_count == 0 ? trace.time_ns : std::max(last_ns, trace.time_ns);
  ++trace_count;
  sums.add(*trace.sums);
}

void GroupSums::change(const Part* before, const Part* after, Lost& lost) {
  if (before != nullptr && trace_count <= 1) {
    lost.all = lost.all || trace_count == 0;
    *this = {};
  } else if (before != nullptr) {
    find_lost(*this, *before, after, lost);
    --trace_count;
    if (!sums.take_off(*before->sums)) lost.all = true;
  }
  if (after != nullptr) add(*after);
}

void GroupReach::widen(const GroupSums::Part& trace) {
  const std::int64_t moment = moment_of(trace.time_ns);
  if (const auto start_ns = start_of(trace)) lead = std::max(lead, moment - moment_of(*start_ns));
  if (const auto last_ns = activity_of(trace)) span = std::max(span, moment_of(*last_ns) - moment);
}

std::int64_t GroupSums::last_activity_ns() const {
  if (trace_count == 0) return 0;
  return sums.observation_count() == 0 ? last_ns : std::max(last_ns, sums.last_activity_ns);
}

void GroupSums::encode(std::string& out) const {
  append_varint(out, trace_count);
  if (trace_count == 0) return;
  append_varint(out, zigzag(first_ns));
  append_varint(out, static_cast<std::uint64_t>(wrapping_subtract(last_ns, first_ns)));
  sums.encode(first_ns, out);
}

GroupSums GroupSums::decode(Bytes coded) {
  GroupSums group;
  ByteReader reader(coded);
  group.trace_count = reader.varint();
  if (group.trace_count == 0) return group;
  group.first_ns = reader.signed_varint();
  group.last_ns = wrapping_add(group.first_ns, static_cast<std::int64_t>(reader.varint()));
  group.sums = TraceSums::decode(reader.rest(), group.first_ns);
  return group;
}

std::int64_t activity_rank(const GroupSums& sums) {
  return sums.last_activity_ns() >> kActivityShift;
}

std::int64_t cost_rank(const GroupSums& sums) {
  return static_cast<std::int64_t>(
      std::clamp<model::Int128>(sums.sums.cost >> kCostShift, INT64_MIN, INT64_MAX));
}

}  // namespace tracelite::index
