// Counts the transactions of this process on one environment, and stops them for the moment in
// which the map is replaced by a larger one: LMDB moves the map, and whoever looks at it then reads
// unmapped memory.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>

namespace tracelite::store {

class Traffic {
 public:
  using Expire = std::function<void()>;
  // What a reader that can be asked to leave holds; nullptr in others.
  using Expirable = std::list<std::shared_ptr<const Expire>>::iterator;

  // Waits while the map is being replaced. Returns the number of the map.
  std::uint64_t enter();
  std::uint64_t enter(Expire expire, Expirable& entry);
  void leave();
  void leave(Expirable entry);

  enum class Stop { stopped, somebody_else_did, not_in_time };
  // Holds up new transactions, asks the readers to leave, and waits for all to end. Does nothing
  // if the map is not number `seen` any more.
  Stop stop(std::uint64_t seen, std::chrono::milliseconds patience);
  // After stop() has returned `stopped`.
  void resume(bool replaced);

  [[nodiscard]] std::uint64_t map_number();

 private:
  void leave_locked();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t active_ = 0;
  std::uint64_t map_number_ = 1;
  bool stopping_ = false;
  std::list<std::shared_ptr<const Expire>> expirables_;
};

}  // namespace tracelite::store
