// A program that uses every function of the API, for tests in which something fails on the way. It
// allocates nothing itself, goes on whatever a call returns, and remembers what it was told.
#pragma once

#include <string>

#include "failure/progress.hpp"

namespace tracelite::failure {

// Something to read and delete, and a file whose index another version has made: before anything
// fails.
void make_base(const std::string& path, const std::string& other_path);

// Where a trial works. What is made there stays for look_after().
struct Paths {
  const char* store;
  const char* backup;
  const char* salvaged;
  const char* other;
};

// Leaves the store open.
void run_script(const Paths& paths, Progress& progress);

// The output of the observation `put`, and the end of that of `child`.
tl_text large_text();

}  // namespace tracelite::failure
