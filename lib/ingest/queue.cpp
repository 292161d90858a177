// Waiting and waking: one mutex held for moves only, no timer while nothing is queued.
#include "ingest/queue.hpp"

#include <algorithm>
#include <thread>
#include <utility>

namespace tracelite::ingest {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

bool& thread_drops() {
  thread_local bool drops = false;
  return drops;
}

namespace {
constexpr int kSpinTriesMax = 100;
}

// One event larger than the whole queue is let in when it is alone.
bool Queue::has_room_for(std::uint64_t size_bytes) const {
  return size_bytes_ == 0 || size_bytes_ + size_bytes <= options_.queue_size_bytes;
}

void Queue::Place::take_memory(Ring& ring, std::size_t wanted_bytes) {
  const Ring::Piece piece = ring.take(wanted_bytes);
  if (piece.data == nullptr) elsewhere = std::make_unique_for_overwrite<char[]>(wanted_bytes);
  data = elsewhere ? elsewhere.get() : piece.data;
  size_bytes = wanted_bytes;
  room_bytes = piece.room_bytes;
}

Status Queue::wait_for_room(Lock& lock, std::size_t size_bytes) {
  const auto ready = [&] {
    if (closed_ || has_room_for(size_bytes)) return true;
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
                    "the recording queue is full (" + std::to_string(size_bytes_) + " of " +
                        std::to_string(options_.queue_size_bytes) +
                        " bytes): the record was dropped; raise queue_size_bytes, or let "
                        "recording wait");
}

Result<Queue::Place*> Queue::reserve(std::size_t size_bytes) {
  Lock lock(mutex_, std::try_to_lock);
  // It is held for some 50 ns; going to sleep and being woken takes a hundred times as long.
  for (int tries = 0; tries < kSpinTriesMax && !lock.owns_lock(); ++tries) (void)lock.try_lock();
  if (!lock.owns_lock()) lock.lock();
  if (!closed_ && !has_room_for(size_bytes)) TL_TRY(wait_for_room(lock, size_bytes));
  if (closed_) return make_error(Code::misuse, "the store is being closed");
  const bool was_empty = places_.empty();
  if (was_empty) oldest_at_ = steady_clock::now();
  Place& place = places_.emplace_back();
  try {
    place.take_memory(ring_, size_bytes);
  } catch (...) {
    places_.pop_back();
    throw;
  }
  ++pushed_sequence_;
  const bool had_much = has_much();
  size_bytes_ += size_bytes;
  const bool wake = was_empty || (!had_much && has_much());
  lock.unlock();
  if (wake) not_empty_.notify_one();
  return &place;
}

bool Queue::has_much() const {
  return size_bytes_ >= kEagerSizeBytes || size_bytes_ * 2 >= options_.queue_size_bytes;
}

// Lets a trickle collect for the commit interval; a flood, a full queue, a flush or a close ends
// the wait.
void Queue::gather(Lock& lock) {
  const auto until = oldest_at_ + milliseconds(options_.commit_interval_ms);
  not_empty_.wait_until(lock, until, [&] {
    return closed_ || flush_sequence_ > durable_sequence_ || is_short_ || has_much();
  });
}

Batch Queue::take(std::uint64_t max_size_bytes) {
  Lock lock(mutex_);
  not_empty_.wait(lock, [&] { return closed_ || !places_.empty(); });
  Batch batch;
  if (places_.empty()) return batch;
  gather(lock);
  is_short_ = false;
  if (closed_ && deadline_ && steady_clock::now() >= *deadline_) return batch;
  batch.last_sequence = pushed_sequence_ - places_.size();
  while (!places_.empty()) {
    Place& place = places_.front();
    if (!batch.events.empty() && batch.size_bytes + place.size_bytes > max_size_bytes) break;
    if (!place.is_filled.load(std::memory_order_acquire)) {
      if (!batch.events.empty()) break;
      lock.unlock();  // it stays the first: nobody else takes
      while (!place.is_filled.load(std::memory_order_acquire)) std::this_thread::yield();
      lock.lock();
    }
    take_front(batch);
  }
  if (!places_.empty())
    oldest_at_ = steady_clock::now() - milliseconds(options_.commit_interval_ms);
  return batch;
}

void Queue::take_front(Batch& batch) {
  Place& place = places_.front();
  batch.events.emplace_back(place.data, place.size_bytes);
  batch.size_bytes += place.size_bytes;
  batch.room_bytes_ += place.room_bytes;
  if (place.elsewhere) batch.elsewhere_.push_back(std::move(place.elsewhere));
  ++batch.last_sequence;
  places_.pop_front();
}

void Queue::release(Batch& batch) {
  batch.events.clear();
  batch.elsewhere_.clear();
  const Lock lock(mutex_);
  ring_.give_back(std::exchange(batch.room_bytes_, 0));
}

void Queue::done(Batch& batch, std::optional<Error> dropped) {
  release(batch);
  const Lock lock(mutex_);
  size_bytes_ -= batch.size_bytes;
  durable_sequence_ = batch.last_sequence;
  error_.reset();
  if (dropped) dropped_ = std::move(dropped);
  progress_.notify_all();
  not_full_.notify_all();
}

bool Queue::wait_to_retry(const Error& error) {
  Lock lock(mutex_);
  error_ = error;
  ++failure_count_;
  progress_.notify_all();
  if (closed_ && deadline_ && steady_clock::now() >= *deadline_) return false;
  auto until = steady_clock::now() + kRetryPause;
  if (deadline_) until = std::min(until, *deadline_);
  const std::uint64_t flush_before = flush_sequence_;
  const bool closed_before = closed_;
  not_empty_.wait_until(
      lock, until, [&] { return flush_sequence_ != flush_before || closed_ != closed_before; });
  return true;
}

Status Queue::flush(std::optional<milliseconds> timeout) {
  Lock lock(mutex_);
  const std::uint64_t wanted = pushed_sequence_;
  if (durable_sequence_ >= wanted && !dropped_) return {};
  flush_sequence_ = std::max(flush_sequence_, wanted);
  const std::uint64_t failures_before = failure_count_;
  not_empty_.notify_one();
  const auto ready = [&] {
    return durable_sequence_ >= wanted || failure_count_ > failures_before;
  };
  if (timeout) {
    progress_.wait_for(lock, *timeout, ready);
  } else {
    progress_.wait(lock, ready);
  }
  if (durable_sequence_ >= wanted) {
    if (!dropped_) return {};
    Error dropped = std::move(*dropped_);
    dropped_.reset();
    return dropped;
  }
  if (error_) return *error_;
  return make_error(Code::timeout,
                    "not everything is durable yet: " + std::to_string(wanted - durable_sequence_) +
                        " records are still being written; flush again");
}

void Queue::close(std::optional<steady_clock::time_point> deadline) {
  const Lock lock(mutex_);
  closed_ = true;
  deadline_ = deadline;
  not_empty_.notify_all();
  not_full_.notify_all();
}

std::uint64_t Queue::waiting_count() const {
  const Lock lock(mutex_);
  return pushed_sequence_ - durable_sequence_;
}

std::uint64_t Queue::waiting_size_bytes() const {
  const Lock lock(mutex_);
  return size_bytes_;
}

}  // namespace tracelite::ingest
