// Where in time a page of one trace's observations ends.
//
// A trace has its rows in the order of their records, so that a page in the order of time means to
// look at all of them. The index by time has them, too, among those of other traces: where these
// are few, a page is a short piece of it.
//
// Knows the schema; must not know pages or conditions other than times.
#pragma once

#include <cstdint>
#include <optional>

#include "query/query.hpp"
#include "query/snapshot.hpp"
#include "record/record_key.hpp"

namespace tracelite::query {

// Narrows the times of a filter, from the first one on (or, descending, from the last one back), so
// that at least `row_count` observations of the trace are left, unless there are fewer, and these
// are found by time sooner than by looking at all of the trace. nullopt: they are not. There must
// be a connection. Errors: those of reading.
Result<std::optional<Filter>> narrow_to_page(const Snapshot::Use& use,
                                             record::ContainerNumber trace, const Filter& filter,
                                             bool ascending, std::uint64_t row_count);

}  // namespace tracelite::query
