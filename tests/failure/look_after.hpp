// After a script in which something failed: the fault is over, and everything has to be right.
#pragma once

#include "failure/script.hpp"

namespace tracelite::failure {

// Records, flushes and closes; then opens the file anew, checks it, looks for what was
// acknowledged, and for what the copies of it have. Says what is wrong, or nullptr. What it reads
// becomes part of `progress`, for compare().
const char* look_after(const Paths& paths, Progress& progress);

}  // namespace tracelite::failure
