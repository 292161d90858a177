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

Status Queue::wait_for_room(Lock& lock, std::size_t size_bytes) {
  const auto ready = [&] {
    if (closed_ || ring_.has_room(size_bytes)) return true;
    is_short_ = true;
    not_empty_.notify_one();
    return false;
  };
  bool room = ready();
  if (!room && options_.full_policy == FullPolicy::wait && !thread_drops()) {
    room = true;
    if (options_.queue_wait_ms == 0) {
      not_full_.wait(lock, ready);
    } else {
      room = not_full_.wait_for(lock, milliseconds(options_.queue_wait_ms), ready);
    }
  }
  if (room) return {};
  return make_error(Code::queue_full,
                    "the recording queue is full (" + std::to_string(ring_.used_bytes()) + " of " +
                        std::to_string(ring_.capacity_bytes()) +
                        " bytes): the record was dropped; raise queue_size_bytes, or let "
                        "recording wait");
}

Result<Ring::Place> Queue::reserve_when_there_is_room(std::size_t size_bytes) {
  Lock lock(mutex_);
  for (;;) {
    if (closed_) return make_error(Code::misuse, "the store is being closed");
    Ring::Place place = ring_.reserve(size_bytes);
    if (place.data != nullptr) return place;
    TL_TRY(wait_for_room(lock, size_bytes));
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

Status Queue::flush(std::optional<milliseconds> timeout) {
  Lock lock(mutex_);
  const Ring::Position wanted = ring_.reserved();
  if (ring_.given_back() >= wanted && !dropped_) return {};
  flush_until_ = std::max(flush_until_, wanted);
  const std::uint64_t failures_before = failure_count_;
  not_empty_.notify_one();
  const auto ready = [&] {
    return ring_.given_back() >= wanted || failure_count_ > failures_before;
  };
  if (timeout) {
    progress_.wait_for(lock, *timeout, ready);
  } else {
    progress_.wait(lock, ready);
  }
  if (ring_.given_back() >= wanted) {
    if (!dropped_) return {};
    Error dropped = std::move(*dropped_);
    dropped_.reset();
    return dropped;
  }
  if (error_) return *error_;
  return make_error(Code::timeout, "not everything is durable yet: " +
                                       std::to_string(wanted - ring_.given_back()) +
                                       " bytes are still being written; flush again");
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
