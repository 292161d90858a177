// Recording without pause from four threads, until all of it is durable, beside what a user could
// write instead: SQLite by hand, RocksDB, and LMDB without an index, which is the floor.
#pragma once

#include <string>
#include <vector>

#include "bench/folder.hpp"

namespace bench {

void bench_sustained(const std::vector<std::string>& sources, int run_count, const Folder& folder);

}  // namespace bench
