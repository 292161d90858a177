// Which files this process has open, so that one file is never opened twice: LMDB's locks belong to
// the process, and closing one of two environments would drop the locks of the other.
//
// Also where fork() is dealt with. A child inherits environments that it must not touch: their
// reader slots, locks and write mutex are the parent's. In the child the registry is empty, the
// inherited guards are closed (or the child would keep their locks alive), and every inherited
// handle can tell by its fork generation that it is one.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "store/guard.hpp"

namespace tracelite::store {

class Environment;
struct OpenFile;

// Grows by one in the child of every fork.
std::uint64_t fork_generation();

class Registry {
 public:
  // Never destroyed: environments may be closed during exit.
  static Registry& instance();

  // Held through every open, close and replacement, so that no fork happens in the middle of one.
  // The last pointer to an OpenFile must not go under it: closing takes it.
  std::mutex mutex;
  // Signalled when a file has been closed.
  std::condition_variable closed;

  struct Entry {
    std::weak_ptr<OpenFile> file;            // expired: it is just being closed
    std::weak_ptr<Environment> environment;  // to share; none if all have gone over to another file
    int guard_descriptor = -1;
    FileIdentity lock_file;
  };
  std::map<FileIdentity, Entry> entries;

 private:
  Registry();
  static void before_fork();
  static void after_fork_in_parent();
  static void after_fork_in_child();
};

}  // namespace tracelite::store
