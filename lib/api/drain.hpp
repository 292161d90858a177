// Stores that ask for it (tl_options.drain_on_sigterm_ms) are flushed before the process ends by
// SIGTERM or by exit().
//
// The handler only writes to a pipe. A thread that sleeps behind it flushes, and lets happen then
// what would have happened without: the handler that was there before is called as the system
// would, or the process ends of the signal. Both are there only once a store has asked, and the
// handler only while one is open. A child of a fork starts without either.
#pragma once

#include <chrono>
#include <memory>

#include "api/handles.hpp"

namespace tracelite::api {

// From now on. Errors: no_memory (no thread or descriptor can be had), io.
Status drain_at_the_end(const std::shared_ptr<StoreState>& state, std::chrono::milliseconds within);
// It is about to be closed.
void do_not_drain(const StoreState& state);

}  // namespace tracelite::api
