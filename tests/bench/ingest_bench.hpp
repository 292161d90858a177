// Durable recording of events that lie in memory, parsed before any clock starts.
// ingest_parts.py tells where the processor time goes.
#pragma once

#include "bench/events.hpp"
#include "bench/folder.hpp"

namespace bench {

void bench_ingest(const Events& events, int run_count, const Folder& folder);

}  // namespace bench
