// What recording takes of the time of the thread that records.
#pragma once

#include "bench/folder.hpp"

namespace bench {

// Complete observations in bursts that fit the queue, beside spdlog's asynchronous logger (where it
// was found at build time), SQLite's insert on the same thread, and a copy into memory.
void bench_caller(int run_count, const Folder& folder);

}  // namespace bench
