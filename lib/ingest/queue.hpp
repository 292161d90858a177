// The bounded queue between the threads that record and the one that writes.
//
// Holds queued events and knows their bytes; must not know what they say. What is durable is told
// by the position in the ring behind the last event of a commit.
//
// Who records takes a place and fills it without a lock, unless the queue is full or the writer has
// to be woken. Of those that wait for room nobody starves: one that has waited in vain once gets
// what comes next. The writer sleeps until a position that it names is passed: it is woken once
// when something comes, and once more if much comes before the commit interval is over.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "ingest/options.hpp"
#include "ingest/ring.hpp"
#include "model/bytes.hpp"
#include "model/result.hpp"

namespace tracelite::ingest {

// A waiting writer is woken early once this much is queued, or half of what the queue may hold.
inline constexpr std::uint64_t kEagerSizeBytes = std::uint64_t{4} << 20;

inline constexpr std::chrono::milliseconds kRetryPause{200};

struct Batch {
  std::vector<Bytes> events;  // until the batch is released
  std::uint64_t size_bytes = 0;

 private:
  friend class Queue;
  bool make_room();
  Ring::Position end_ = 0;                          // behind its last event
  std::vector<std::unique_ptr<char[]>> elsewhere_;  // what the ring had no room for
};

// Whether the calling thread drops when a queue is full, whatever the policy of its store: a thread
// that must not wait.
bool& thread_drops();

// What to do when the queue is full: what the store and the thread have chosen, or to wait, for
// work that waits for the disk anyway.
enum class WhenFull : std::uint8_t { as_chosen, wait };

class Queue {  // NOLINT(clang-analyzer-optin.performance.Padding): the ring has lines of its own
 public:
  explicit Queue(const Options& options)
      : options_(options), ring_(static_cast<std::size_t>(options.queue_size_bytes)) {}

  // Takes an event in: `fill(char*)` writes its bytes, and must not fail. Errors: queue_full (by
  // policy, that of the thread included, or the wait ran out), misuse (closed).
  template <class Fill>
  Status push(std::size_t size_bytes, WhenFull when_full, const Fill& fill) {
    Ring::Place place;
    if (!others_wait_.load(std::memory_order_relaxed)) place = ring_.reserve(size_bytes);
    if (place.data == nullptr) {
      TL_TRY_ASSIGN(late, reserve_when_there_is_room(size_bytes, when_full));
      place = std::move(late);
    }
    fill(place.data);
    const Ring::Position begin = place.begin;
    const Ring::Position end = place.end;
    ring_.publish(std::move(place));
    const Ring::Position wake_at = wake_at_.load();
    if (begin < wake_at && wake_at <= end) wake_writer();
    return {};
  }
  // Whether the calling thread may soon have to wait for the writer, which is behind: then it had
  // better do some of the work.
  [[nodiscard]] bool may_soon_wait() const {
    return options_.full_policy == FullPolicy::wait && !thread_drops() &&
           ring_.used_bytes() * 2 > ring_.capacity_bytes();
  }

  // For the writer: waits for events, gathers for the commit interval unless somebody flushes, and
  // takes up to max_size_bytes (at least one event). An empty batch: the queue is closed and empty,
  // or its deadline has passed.
  Batch take(std::uint64_t max_size_bytes);
  // Nobody reads the events any more.
  static void release(Batch& batch);
  // The batch is durable: its room is free again. If some of its events were dropped, `dropped`
  // says why, for tell_dropped.
  void done(Batch& batch, std::optional<Error> dropped);
  // The batch could not be written: tells who waits in flush, and waits a little. False: the queue
  // is closed and its deadline has passed, so the batch is lost.
  bool wait_to_retry(Error error);

  // Waits until everything pushed before is durable, or was dropped. Errors: timeout, or why the
  // writer cannot write; it goes on trying.
  Status wait_until_durable(std::optional<std::chrono::milliseconds> timeout);
  // The error of what was dropped since this was asked last.
  Status tell_dropped();

  // No more pushes; the writer drains what is left until the deadline, then gives up.
  void close(std::optional<std::chrono::steady_clock::time_point> deadline);
  // What was pushed and is not durable. The count is for the writer, and for others when it has
  // ended.
  [[nodiscard]] std::uint64_t waiting_count() const { return ring_.count_left(); }
  [[nodiscard]] std::uint64_t waiting_size_bytes() const { return ring_.used_bytes(); }
  // Somebody waits for the writer, or will soon.
  [[nodiscard]] bool is_wanted() const;
  [[nodiscard]] bool is_closed() const;

 private:
  using Lock = std::unique_lock<std::mutex>;
  using Deadline = std::optional<std::chrono::steady_clock::time_point>;
  Result<Ring::Place> reserve_when_there_is_room(std::size_t size_bytes, WhenFull when_full);
  // Who waits for room.
  struct Waiting {
    std::size_t size_bytes = 0;
    Ring::Position since = 0;  // what was given back when it came
  };
  [[nodiscard]] bool may_wait(WhenFull when_full) const;
  bool is_turn_of(const Waiting& waiting);
  void end_precedence(const Waiting& waiting);
  // False: not in the time that the options give.
  bool wait_for_room(Lock& lock, const Waiting& waiting, WhenFull when_full);
  void wake_writer();
  // False: closed, and the deadline has passed.
  bool wait_for_events();
  void sleep(Lock& lock, Ring::Position until_reserved, Deadline until);
  [[nodiscard]] bool is_over() const {
    return deadline_ && std::chrono::steady_clock::now() >= *deadline_;
  }

  static constexpr Ring::Position kAwake = UINT64_MAX;

  const Options& options_;
  Ring ring_;
  std::atomic<Ring::Position> wake_at_{kAwake};  // the writer sleeps until this is reserved
  std::atomic<bool> others_wait_{false};         // for `first_`
  mutable std::mutex mutex_;                     // of all below
  const Waiting* first_ = nullptr;  // gets the room that comes; null: whoever asks for it
  std::condition_variable not_full_, not_empty_, progress_;
  Ring::Position flush_until_ = 0;  // somebody waits for this
  std::optional<Error> error_;      // of the last try, until one succeeds
  std::optional<Error> dropped_;    // not yet told
  std::uint64_t failure_count_ = 0;
  bool is_short_ = false;  // an event found no room since the last take
  bool closed_ = false;
  Deadline deadline_;
  // The writer's own: events that came after this moment may wait for others.
  std::chrono::steady_clock::time_point taken_at_ = std::chrono::steady_clock::now();
  bool left_some_ = false;
};

}  // namespace tracelite::ingest
