// Waits for the next commit of any process, without asking again and again.
//
// LMDB writes commits with pwrite, which the system tells to those who watch the file (inotify).
// One of the threads that wait reads these events, and looks after each at the number of the newest
// commit, which is one read from the map; the others wait for it. The watch is there as long as
// somebody waits. When the file is replaced by a compacted one, the old file is written to (the
// note, see replacement.hpp) and loses its name, both of which wake the waiters, too: they go over
// as every transaction does, and watch the new one.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "store/environment.hpp"

namespace tracelite::store {

class CommitWatch {
 public:
  CommitWatch();
  ~CommitWatch();
  CommitWatch(const CommitWatch&) = delete;
  CommitWatch& operator=(const CommitWatch&) = delete;

  // The number of the newest commit, once that is another than `position`. Thread-safe. Errors:
  // timeout; cancelled (a signal came); misuse (close() was called); unsupported (not on Linux);
  // io (no watch left: EMFILE, ENOSPC); those of Environment::begin_read.
  Result<std::uint64_t> wait(const std::shared_ptr<Environment>& environment,
                             std::uint64_t position,
                             std::optional<std::chrono::milliseconds> timeout);
  // Everybody who waits, or will, gets misuse; returns when all have left.
  void close();

 private:
  using Lock = std::unique_lock<std::mutex>;
  using Deadline = std::optional<std::chrono::steady_clock::time_point>;
  struct Events;
  Result<std::uint64_t> wait_in_line(Lock& lock, Environment& environment, std::uint64_t position,
                                     const Deadline& deadline);
  Status read_events(Lock& lock, Environment& environment, std::uint64_t position,
                     const Deadline& deadline);
  // Without the lock.
  static Status sleep_until_events(const Events& events, const Environment& environment,
                                   std::uint64_t position, const Deadline& deadline);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::unique_ptr<Events> events_;  // while somebody waits
  std::uint64_t waiting_count_ = 0;
  bool is_read_ = false;  // by one of the threads that wait
  bool is_closed_ = false;
};

}  // namespace tracelite::store
