// Importing a stream of events, and the size of the files that come of it.
#pragma once

#include <string>

#include "bench/events.hpp"
#include "bench/folder.hpp"

namespace bench {

struct Files {
  std::string tracelite;
  std::string sqlite;
};

// Both files anew in each run, in turns; gives those of the last run.
Files bench_import(const Events& events, int run_count, const Folder& folder);

}  // namespace bench
