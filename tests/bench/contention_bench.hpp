// A reader in another process, on a core of its own, lists without pause while the writer floods on
// the other: what that costs the writer, the reader, and the file.
#pragma once

#include <string>

#include "bench/folder.hpp"

namespace bench {

struct ContentionOptions {
  int run_count = 9;
  double run_s = 10;
};

void bench_contention(const ContentionOptions& options, const Folder& folder);

// The reading process: lists this file until its standard input ends, then prints what it has seen.
void probe_contention(const std::string& path);

}  // namespace bench
