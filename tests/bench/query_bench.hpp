// The same questions to both files.
#pragma once

#include <string>

#include "bench/import_bench.hpp"

namespace bench {

void bench_queries(const Files& files, const std::string& source);

}  // namespace bench
