// The bounded queue between the threads that record and the one that writes.
//
// Holds queued events and knows their number and bytes; must not know what they say. Every event
// has a sequence number, from 1; what is durable is told by the highest number of a commit.
//
// Who records takes a place under the lock and fills it without; the writer waits at a place that
// is not filled yet.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "ingest/options.hpp"
#include "ingest/ring.hpp"
#include "model/bytes.hpp"
#include "model/result.hpp"

namespace tracelite::ingest {

// A waiting writer is woken early once this much is queued, or half of what the queue may hold.
inline constexpr std::uint64_t kEagerSizeBytes = std::uint64_t{4} << 20;

inline constexpr std::chrono::milliseconds kRetryPause{200};

// What a longer queue holds beyond it is allocated event by event.
inline constexpr std::uint64_t kRingSizeBytesMax = std::uint64_t{64} << 20;

struct Batch {
  std::vector<Bytes> events;  // until the batch is released
  std::uint64_t size_bytes = 0;
  std::uint64_t last_sequence = 0;  // of the last event

 private:
  friend class Queue;
  std::size_t room_bytes_ = 0;                      // of the ring
  std::vector<std::unique_ptr<char[]>> elsewhere_;  // what the ring had no room for
};

// Whether the calling thread drops when a queue is full, whatever the policy of its store: a thread
// that must not wait.
bool& thread_drops();

class Queue {
 public:
  explicit Queue(const Options& options)
      : options_(options),
        ring_(static_cast<std::size_t>(std::min(options.queue_size_bytes, kRingSizeBytesMax))) {}

  // Takes an event in: `fill(char*)` writes its bytes, and must not fail. Errors: queue_full (by
  // policy, that of the thread included, or the wait ran out), misuse (closed).
  template <class Fill>
  Status push(std::size_t size_bytes, const Fill& fill) {
    TL_TRY_ASSIGN(place, reserve(size_bytes));
    fill(place->data);
    place->is_filled.store(true, std::memory_order_release);
    return {};
  }

  // For the writer: waits for events, gathers for the commit interval unless somebody flushes, and
  // takes up to max_size_bytes (at least one event). An empty batch: the queue is closed and empty.
  Batch take(std::uint64_t max_size_bytes);
  // Nobody reads the events any more: their memory is used again. They count as waiting all the
  // same, until done().
  void release(Batch& batch);
  // The batch is durable: its room is free again. If some of its events were dropped, `dropped`
  // says why, and the next flush returns it.
  void done(Batch& batch, std::optional<Error> dropped);
  // The batch could not be written: tells who waits in flush, and waits a little. False: the queue
  // is closed and its deadline has passed, so the batch is lost.
  bool wait_to_retry(const Error& error);

  // Waits until everything pushed before is durable. Errors: timeout, or why the writer cannot
  // write.
  Status flush(std::optional<std::chrono::milliseconds> timeout);

  // No more pushes; the writer drains what is left until the deadline, then gives up.
  void close(std::optional<std::chrono::steady_clock::time_point> deadline);
  [[nodiscard]] std::uint64_t waiting_count() const;
  [[nodiscard]] std::uint64_t waiting_size_bytes() const;

 private:
  using Lock = std::unique_lock<std::mutex>;
  struct Place {
    char* data = nullptr;
    std::size_t size_bytes = 0;
    std::size_t room_bytes = 0;  // of the ring
    std::unique_ptr<char[]> elsewhere;
    std::atomic<bool> is_filled{false};
    void take_memory(Ring& ring, std::size_t wanted_bytes);
  };
  Result<Place*> reserve(std::size_t size_bytes);
  Status wait_for_room(Lock& lock, std::size_t size_bytes);
  void take_front(Batch& batch);
  [[nodiscard]] bool has_room_for(std::uint64_t size_bytes) const;
  [[nodiscard]] bool has_much() const;
  void gather(Lock& lock);

  const Options& options_;
  mutable std::mutex mutex_;
  std::condition_variable not_full_, not_empty_, progress_;
  Ring ring_;
  std::deque<Place> places_;      // the oldest first
  std::uint64_t size_bytes_ = 0;  // of the events here and of the batch in work
  std::uint64_t pushed_sequence_ = 0, durable_sequence_ = 0;
  std::uint64_t flush_sequence_ = 0;  // somebody waits for this one
  std::chrono::steady_clock::time_point oldest_at_{};
  std::optional<Error> error_;    // of the last try, until one succeeds
  std::optional<Error> dropped_;  // not yet told by a flush
  std::uint64_t failure_count_ = 0;
  bool is_short_ = false;  // an event found no room since the last take
  bool closed_ = false;
  std::optional<std::chrono::steady_clock::time_point> deadline_;
};

}  // namespace tracelite::ingest
