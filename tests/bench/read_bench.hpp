// Reading payloads back: single ones, whole traces, whole sessions.
#pragma once

#include "bench/events.hpp"
#include "bench/folder.hpp"

namespace bench {

// From the file as it was imported, and from the compacted one.
void bench_read(const Events& events, int run_count, const Folder& folder);

}  // namespace bench
