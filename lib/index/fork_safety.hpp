// SQLite after a fork: a child must find the locks that all connections of a process share free,
// whatever other threads of its parent were doing. SQLite itself does not see to it.
#pragma once

namespace tracelite::index {

// Must have been called before the first connection is opened; any number of times, by any thread.
void prepare_for_forks();

}  // namespace tracelite::index
