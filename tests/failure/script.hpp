// A program that uses every function of the API, for tests in which something fails on the way. It
// allocates nothing itself, goes on whatever a call returns, and remembers what was acknowledged.
#pragma once

#include <cstddef>
#include <string>

#include "tracelite/tracelite.h"

namespace tracelite::failure {

// Something to read and delete, and a file whose index another version has made: before anything
// fails.
void make_base(const std::string& path, const std::string& other_path);

struct Progress {
  tl_store* store = nullptr;  // still open if it was opened and not closed
  tl_span* span = nullptr;    // never ended
  bool first_flushed = false;
  bool second_flushed = false;
  const char* failed = nullptr;  // the first call that did not succeed
  // The first answer that no failing system explains, and of what.
  tl_status unexpected = TL_OK;
  const char* unexpected_of = nullptr;
  char unexpected_message[300] = {};
};

// Leaves the store open.
void run_script(const char* path, const char* backup_path, const char* other_path,
                Progress& progress);

// The fault is over: records, flushes and closes; then opens the file anew, checks it, and looks
// for what was acknowledged. Says what is wrong, or nullptr.
const char* look_after(const char* path, Progress& progress);

}  // namespace tracelite::failure
