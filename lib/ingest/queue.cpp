// Waiting and waking: no timer while nothing is queued.
#include "ingest/queue.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "model/out_of_memory.hpp"

namespace tracelite::ingest {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

bool& thread_drops() {
  thread_local bool drops = false;
  return drops;
}

// ------------------------------------------------------------------------------ who records

bool Queue::may_wait(WhenFull when_full) const {
  return when_full == WhenFull::wait ||
         (options_.full_policy == FullPolicy::wait && !thread_drops());
}

// One for which the room that is given back does not suffice would never get it beside many that
// take it at once. It takes precedence then, and all others that can wait do so.
bool Queue::is_turn_of(const Waiting& waiting) {
  if (first_ != nullptr && first_ != &waiting) return false;
  if (ring_.has_room(waiting.size_bytes)) return true;
  if (first_ == nullptr && ring_.given_back() != waiting.since) {
    first_ = &waiting;
    others_wait_.store(true, std::memory_order_relaxed);
  }
  is_short_ = true;
  not_empty_.notify_one();
  return false;
}

void Queue::end_precedence(const Waiting& waiting) {
  if (first_ != &waiting) return;
  first_ = nullptr;
  others_wait_.store(false, std::memory_order_relaxed);
  not_full_.notify_all();
}

bool Queue::wait_for_room(Lock& lock, const Waiting& waiting, WhenFull when_full) {
  const auto ready = [&] { return closed_ || is_turn_of(waiting); };
  if (when_full != WhenFull::wait && options_.queue_wait_ms != 0) {
    return not_full_.wait_for(lock, milliseconds(options_.queue_wait_ms), ready);
  }
  not_full_.wait(lock, ready);
  return true;
}

Result<Ring::Place> Queue::reserve_when_there_is_room(std::size_t size_bytes, WhenFull when_full) {
  const bool waits = may_wait(when_full);
  Lock lock(mutex_);
  const Waiting waiting{size_bytes, ring_.given_back()};
  // However it ends: there may be no memory for what the ring has no room for.
  const struct Precedence {
    Queue& queue;
    const Waiting& of;
    ~Precedence() { queue.end_precedence(of); }
  } precedence{*this, waiting};
  for (;;) {
    if (closed_) return make_error(Code::misuse, "the store is being closed");
    // Who cannot wait takes what there is.
    if (!waits || is_turn_of(waiting)) {
      Ring::Place place = ring_.reserve(size_bytes);
      if (place.data != nullptr) return place;
    }
    if (waits && wait_for_room(lock, waiting, when_full)) continue;
    is_short_ = true;
    not_empty_.notify_one();
    return make_error(Code::queue_full,
                      "the recording queue is full (" + std::to_string(ring_.used_bytes()) +
                          " of " + std::to_string(ring_.capacity_bytes()) +
                          " bytes): the record was dropped; raise queue_size_bytes, or let "
                          "recording wait");
  }
}

// The lock: so that the writer is not between its look at the ring and its sleep.
void Queue::wake_writer() {
  { const Lock lock(mutex_); }
  not_empty_.notify_one();
}

// ------------------------------------------------------------------------------ the writer

void Queue::sleep(Lock& lock, Ring::Position until_reserved, Deadline until) {
  // Published before the look at the ring: who reserves looks at them the other way round.
  wake_at_.store(until_reserved);
  const auto is_time = [&] {
    return ring_.reserved() >= until_reserved || closed_ || is_short_ ||
           flush_until_ > ring_.given_back();
  };
  if (until) {
    not_empty_.wait_until(lock, *until, is_time);
  } else {
    not_empty_.wait(lock, is_time);
  }
  wake_at_.store(kAwake);
}

// For one more event. False: there is no memory.
bool Batch::make_room() {
  const auto grow = [](auto& list) {
    if (list.size() == list.capacity()) list.reserve(list.size() * 2 + 1);
  };
  return ended_well([&] {
    grow(events);
    grow(elsewhere_);
  });
}

// Lets a trickle collect for the commit interval; a flood, a full queue, a flush or a close ends
// the wait.
bool Queue::wait_for_events() {
  Lock lock(mutex_);
  if (ring_.is_empty()) {
    ring_.restart();
    while (ring_.is_empty() && !closed_) {
      is_short_ = false;
      sleep(lock, ring_.read() + 1, std::nullopt);
    }
    taken_at_ = steady_clock::now();
  }
  if (!left_some_ && !closed_ && options_.commit_interval_ms > 0) {
    const std::uint64_t much = std::min(kEagerSizeBytes, ring_.capacity_bytes() / 2);
    sleep(lock, ring_.read() + much, taken_at_ + milliseconds(options_.commit_interval_ms));
  }
  is_short_ = false;
  return !(closed_ && is_over());
}

Batch Queue::take(std::uint64_t max_size_bytes) {
  Batch batch;
  if (!wait_for_events()) return batch;
  bool has_memory = true;
  while (batch.events.empty() && !ring_.is_empty()) {
    while (const std::optional<Bytes> event = ring_.front()) {
      if (!batch.events.empty() && batch.size_bytes + event->size() > max_size_bytes) break;
      has_memory = batch.make_room();
      if (!has_memory) break;
      batch.events.push_back(*event);
      batch.size_bytes += event->size();
      if (auto elsewhere = ring_.pop()) batch.elsewhere_.push_back(std::move(elsewhere));
    }
    if (!batch.events.empty()) break;
    if (has_memory) {
      std::this_thread::yield();  // the first one is being filled
    } else if (!wait_to_retry(no_memory())) {
      return batch;
    }
  }
  batch.end_ = ring_.read();
  left_some_ = !ring_.is_empty();
  taken_at_ = steady_clock::now();
  return batch;
}

void Queue::release(Batch& batch) {
  batch.events.clear();
  batch.elsewhere_.clear();
}

void Queue::done(Batch& batch, std::optional<Error> dropped) {
  release(batch);
  const Lock lock(mutex_);
  ring_.give_back(batch.end_);
  error_.reset();
  if (dropped) dropped_ = std::move(dropped);
  progress_.notify_all();
  not_full_.notify_all();
}

bool Queue::wait_to_retry(Error error) {
  Lock lock(mutex_);
  error_ = std::move(error);
  ++failure_count_;
  progress_.notify_all();
  if (closed_ && is_over()) return false;
  auto until = steady_clock::now() + kRetryPause;
  if (deadline_) until = std::min(until, *deadline_);
  const Ring::Position flush_before = flush_until_;
  const bool closed_before = closed_;
  not_empty_.wait_until(lock, until,
                        [&] { return flush_until_ != flush_before || closed_ != closed_before; });
  return true;
}

// ------------------------------------------------------------------------------ others

Status Queue::wait_until_durable(std::optional<milliseconds> timeout) {
  Lock lock(mutex_);
  const Ring::Position wanted = ring_.reserved();
  if (ring_.given_back() >= wanted) return {};
  flush_until_ = std::max(flush_until_, wanted);
  const std::uint64_t failures_before = failure_count_;
  not_empty_.notify_one();
  // Where a try has succeeded before this thread saw that one had failed, it waits on.
  const auto ready = [&] {
    return ring_.given_back() >= wanted || (failure_count_ > failures_before && error_);
  };
  if (timeout) {
    progress_.wait_for(lock, *timeout, ready);
  } else {
    progress_.wait(lock, ready);
  }
  if (ring_.given_back() >= wanted) return {};
  if (error_) return *error_;
  return make_error(Code::timeout, "not everything is durable yet: " +
                                       std::to_string(wanted - ring_.given_back()) +
                                       " bytes are still being written; flush again");
}

Status Queue::tell_dropped() {
  const Lock lock(mutex_);
  if (!dropped_) return {};
  Error dropped = std::move(*dropped_);
  dropped_.reset();
  return dropped;
}

bool Queue::is_wanted() const { return !ring_.is_empty() || is_closed(); }

bool Queue::is_closed() const {
  const Lock lock(mutex_);
  return closed_;
}

void Queue::close(std::optional<steady_clock::time_point> deadline) {
  const Lock lock(mutex_);
  ring_.close();
  closed_ = true;
  deadline_ = deadline;
  not_empty_.notify_all();
  not_full_.notify_all();
}

}  // namespace tracelite::ingest
