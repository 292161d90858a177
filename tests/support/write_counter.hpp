// Counts what this process writes by calls of the system, in any library: /proc/self/io misstates
// it. The calls are interposed, so this must be linked into the program itself.
#pragma once

#include <cstdint>
#include <set>
#include <string>

namespace counting {

struct Written {
  std::uint64_t size_bytes = 0;
  std::uint64_t call_count = 0;
  std::uint64_t sync_count = 0;  // of files, and writes through descriptors that sync each
};
Written written();

// Of the block device that a file lies on, by whatever process; 0 where it cannot be told.
std::uint64_t device_sectors_written(const std::string& path);

// The threads of this process, by the names that the system gives them.
std::set<std::string> threads();
// How often the threads of this process have gone to sleep, but for the calling one and `others`.
std::uint64_t sleeps_of_other_threads(const std::set<std::string>& others = {});
// Whether these are all asleep now.
bool do_others_sleep(const std::set<std::string>& others = {});

}  // namespace counting
