// One observation every 10 ms: what a trickle costs in bytes written and in CPU time, beside SQLite
// by hand with the same commit interval; and that nothing happens while nothing is recorded.
#pragma once

#include "bench/folder.hpp"

namespace bench {

void bench_trickle(int seconds, const Folder& folder);

}  // namespace bench
