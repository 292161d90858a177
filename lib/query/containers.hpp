// Which traces and sessions a filter means where it is about them as a whole: to delete them.
#pragma once

#include <memory>
#include <vector>

#include "query/query.hpp"

namespace tracelite::query {

// The containers of the traces that a list with this filter gives, and behind them those of what no
// trace stands for, as tl_delete says it:
//  - with nothing but a trace id or a session id: that one, even if there are only scores of it;
//  - with nothing but times, an environment, a session and a trace: sessions without traces, and
//    scores whose trace never came, if the filter selects all the scores; with nothing but times
//    also sessions that have only flags, by when these were put.
// A session in the answer may have traces. Errors: invalid (an empty filter too), corrupt, io,
// no_memory.
Result<std::vector<record::ContainerNumber>> select_containers(Snapshot& snapshot, Filter filter);

}  // namespace tracelite::query
