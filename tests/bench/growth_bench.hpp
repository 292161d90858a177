// Bytes of the file by the number of calls of a growing history: linear, or it is not stored once.
#pragma once

#include <cstdint>

#include "bench/folder.hpp"

namespace bench {

// Histories of 10, 30, 100, ... calls, up to this many.
void bench_growth(std::uint32_t call_count_max, const Folder& folder);

}  // namespace bench
