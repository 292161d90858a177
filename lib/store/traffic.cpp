// See traffic.hpp.
#include "store/traffic.hpp"

#include <utility>
#include <vector>

#include "model/out_of_memory.hpp"

namespace tracelite::store {

std::uint64_t Traffic::enter() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !stopping_; });
  ++active_;
  return map_number_;
}

std::uint64_t Traffic::enter(Expire expire, Expirable& entry) {
  auto shared = std::make_shared<const Expire>(std::move(expire));
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !stopping_; });
  ++active_;
  entry = expirables_.insert(expirables_.end(), std::move(shared));
  return map_number_;
}

void Traffic::leave() {
  const std::scoped_lock lock(mutex_);
  leave_locked();
}

void Traffic::leave(Expirable entry) {
  std::shared_ptr<const Expire> last;  // what it owns may take other locks when it goes
  const std::scoped_lock lock(mutex_);
  last = std::move(*entry);
  expirables_.erase(entry);
  leave_locked();
}

void Traffic::leave_locked() {
  --active_;
  if (stopping_ && active_ == 0) changed_.notify_all();
}

Traffic::Stop Traffic::stop(std::uint64_t seen, std::chrono::milliseconds patience) {
  std::vector<std::shared_ptr<const Expire>> asked;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !stopping_; });
    if (map_number_ != seen) return Stop::somebody_else_did;
    asked.assign(expirables_.begin(), expirables_.end());
    stopping_ = true;
  }
  // Without the lock: a reader that leaves takes it.
  for (const auto& expire : asked) {
    ended_well([&] { (*expire)(); });
  }
  asked.clear();

  std::unique_lock lock(mutex_);
  if (changed_.wait_for(lock, patience, [this] { return active_ == 0; })) return Stop::stopped;
  stopping_ = false;
  changed_.notify_all();
  return Stop::not_in_time;
}

void Traffic::resume(bool replaced) {
  const std::scoped_lock lock(mutex_);
  if (replaced) ++map_number_;
  stopping_ = false;
  changed_.notify_all();
}

std::uint64_t Traffic::map_number() {
  const std::scoped_lock lock(mutex_);
  return map_number_;
}

}  // namespace tracelite::store
