// Counting along the index by time.
#include "query/trace_window.hpp"

#include <algorithm>

#include "index/schema.hpp"
#include "index/trace_sums.hpp"
#include "query/reader.hpp"

namespace tracelite::query {
namespace {

// Looking at an entry of the index, and at the row behind it where it is of the trace, takes as
// long as looking at so many rows of the trace one after the other.
constexpr std::uint64_t kRowsInOneEntry = 4;

Result<std::optional<index::TraceSums>> sums_of(const Snapshot::Use& use, std::int64_t trace) {
  TL_TRY_ASSIGN(find, use.prepare("SELECT sums, time_ns FROM trace WHERE container = ?1"));
  find.bind(trace);
  TL_TRY_ASSIGN(found, find->step());
  if (!found) return std::optional<index::TraceSums>();
  return std::optional(index::TraceSums::decode(find->bytes(0), find->integer(1)));
}

// The moment (start_ns >> kTimeShift) in which the page is full, counted from `first` on without
// that, because what comes in `first` may lie before the page. nullopt: more than `entries_max`
// would have to be looked at.
Result<std::optional<std::int64_t>> last_moment(const Snapshot::Use& use, std::int64_t trace,
                                                std::int64_t first, bool ascending,
                                                std::uint64_t row_count,
                                                std::uint64_t entries_max) {
  static_assert(index::kTimeShift == 20, "as the SQL says");
  TL_TRY_ASSIGN(
      entries,
      use.prepare(ascending ? "SELECT start_ns >> 20, container FROM observation INDEXED BY "
                              "observation_time WHERE start_ns >> 20 >= ?1 "
                              "ORDER BY start_ns >> 20"
                            : "SELECT start_ns >> 20, container FROM observation INDEXED BY "
                              "observation_time WHERE start_ns >> 20 <= ?1 "
                              "ORDER BY start_ns >> 20 DESC"));
  entries.bind(first);
  std::uint64_t own_count = 0;
  std::int64_t moment = first;
  for (std::uint64_t looked_at = 0; looked_at < entries_max; ++looked_at) {
    TL_TRY_ASSIGN(more, entries->step());
    if (!more) return std::optional(ascending ? INT64_MAX : INT64_MIN);
    const std::int64_t next = entries->integer(0);
    if (next != moment && own_count >= row_count) return std::optional(moment);
    moment = next;
    if (moment != first && entries->integer(1) == trace) ++own_count;
  }
  return std::optional<std::int64_t>();
}

}  // namespace

Result<std::optional<Filter>> narrow_to_page(const Snapshot::Use& use,
                                             record::ContainerNumber trace, const Filter& filter,
                                             bool ascending, std::uint64_t row_count) {
  const auto container = static_cast<std::int64_t>(trace);
  TL_TRY_ASSIGN(sums, sums_of(use, container));
  if (!sums || sums->observation_count() / kRowsInOneEntry <= row_count) {
    return std::optional<Filter>();
  }
  // The first and the last time that may be selected; what lies in the moment of the one that a
  // page begins with may have been given by the page before.
  const std::int64_t from_ns = filter.from_ns.value_or(INT64_MIN);
  const std::int64_t last_ns = subtract_saturated(filter.to_ns.value_or(INT64_MAX), 1);
  const std::int64_t first_ns = ascending ? std::max(from_ns, sums->earliest_start_ns)
                                          : std::min(last_ns, sums->last_activity_ns);
  TL_TRY_ASSIGN(last, last_moment(use, container, first_ns >> index::kTimeShift, ascending,
                                  row_count, sums->observation_count() / kRowsInOneEntry));
  if (!last) return std::optional<Filter>();
  Filter narrowed = filter;
  constexpr std::int64_t kMomentNs = std::int64_t{1} << index::kTimeShift;
  if (ascending && *last < (INT64_MAX >> index::kTimeShift)) {
    narrowed.to_ns = std::min(filter.to_ns.value_or(INT64_MAX), (*last + 1) * kMomentNs);
  } else if (!ascending && *last > (INT64_MIN >> index::kTimeShift)) {
    narrowed.from_ns = std::max(filter.from_ns.value_or(INT64_MIN), *last * kMomentNs);
  }
  return std::optional(std::move(narrowed));
}

}  // namespace tracelite::query
