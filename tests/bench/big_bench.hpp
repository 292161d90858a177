// Things of unusual size: a trace of 32,843 observations, 10,000 levels deep; a trace with 1,000
// tags; a user with 100,000 sessions; a payload of 200 MiB.
#pragma once

#include <string>

#include "bench/folder.hpp"

namespace bench {

void bench_big(int run_count, const Folder& folder);

// Each in a process of its own, whose memory is looked at; they print numbers.
void probe_big_page(const std::string& path);      // of the large trace in this file
void probe_big_skeleton(const std::string& path);  // the whole tree
void probe_big_stream(const std::string& path);    // 200 MiB in and out, into a new file

}  // namespace bench
