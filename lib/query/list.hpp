// The two ways of a list; query.hpp's list() chooses.
#pragma once

#include "query/query.hpp"

namespace tracelite::query {

// Rows that a list reads at once: pages grow, and are bounded.
inline constexpr std::uint64_t kFirstPageSize = 64;
inline constexpr std::uint64_t kPageGrowth = 4;
inline constexpr std::uint64_t kPageSizeMax = 16'384;

// Traces, observations, scores. `filter` is normalised.
Result<std::unique_ptr<Cursor>> list_entities(std::shared_ptr<Snapshot> snapshot, Kind kind,
                                              Filter filter, ListOrder order, Bytes after,
                                              std::uint64_t limit);
// Sessions, users, tags, environments, names, models, days.
Result<std::unique_ptr<Cursor>> list_groups(std::shared_ptr<Snapshot> snapshot, Kind kind,
                                            Filter filter, ListOrder order, Bytes after,
                                            std::uint64_t limit);
// One of them by its key. Errors: not_found.
Result<Row> group_by_key(Snapshot& snapshot, Kind kind, Bytes key);

}  // namespace tracelite::query
