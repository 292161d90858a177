// Lists, aggregates and single things of a large file, at several sizes: they should not take
// longer in a larger one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/scale_make.hpp"

namespace bench {

struct ScaleOptions {
  std::string folder;  // where the files are kept; that of the build if empty
  std::vector<std::uint64_t> trace_counts = {10'000, 100'000, 1'000'000};
};

// Only makes the files that are missing or stale.
void make_scale(const ScaleOptions& options, ScaleMaker::Sides sides);
// Makes them where it must, and measures.
void bench_scale(const ScaleOptions& options);

// In a process of its own: opens the file, asks a few things, and tells how long opening took and
// how much memory it has.
void probe_scale(const std::string& path);

}  // namespace bench
