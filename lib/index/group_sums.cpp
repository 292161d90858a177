// Sums that grow and shrink one trace at a time.
#include "index/group_sums.hpp"

#include <algorithm>

namespace tracelite::index {
namespace {

constexpr int kActivityShift = 30;
constexpr int kCostShift = 20;

// Whether nothing but `before` may have held an end of a range, which `after` does not.
bool may_narrow(const GroupSums& group, const GroupSums::Part& before,
                const GroupSums::Part* after) {
  const auto is_lost = [&](auto value_of, const auto& held, auto is_as_far) {
    return value_of(before) == held && (after == nullptr || !is_as_far(value_of(*after), held));
  };
  const auto least = [](const auto& now, const auto& held) { return now && *now <= *held; };
  const auto most = [](const auto& now, const auto& held) { return now && *now >= *held; };
  using Time = std::optional<std::int64_t>;
  const auto time = [](const GroupSums::Part& part) { return Time(part.time_ns); };
  const auto start = [](const GroupSums::Part& part) {
    return part.sums->observation_count() > 0 ? Time(part.sums->earliest_start_ns) : Time();
  };
  const auto activity = [](const GroupSums::Part& part) {
    return part.sums->observation_count() > 0 ? Time(part.sums->last_activity_ns) : Time();
  };
  const auto end = [](const GroupSums::Part& part) { return part.sums->latest_end_ns; };
  if (is_lost(time, Time(group.first_ns), least) || is_lost(time, Time(group.last_ns), most)) {
    return true;
  }
  if (before.sums->observation_count() == 0) return false;
  return is_lost(start, Time(group.sums.earliest_start_ns), least) ||
         is_lost(activity, Time(group.sums.last_activity_ns), most) ||
         (before.sums->latest_end_ns && is_lost(end, group.sums.latest_end_ns, most));
}

}  // namespace

void GroupSums::add(const Part& trace) {
  first_ns = trace_count == 0 ? trace.time_ns : std::min(first_ns, trace.time_ns);
  last_ns = trace_count == 0 ? trace.time_ns : std::max(last_ns, trace.time_ns);
  ++trace_count;
  sums.add(*trace.sums);
}

bool GroupSums::change(const Part* before, const Part* after) {
  if (before != nullptr) {
    if (trace_count == 0) return false;
    if (trace_count == 1) {
      *this = {};
    } else if (may_narrow(*this, *before, after) || !sums.take_off(*before->sums)) {
      return false;
    } else {
      --trace_count;
    }
  }
  if (after != nullptr) add(*after);
  return true;
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
