// Recording into one file: the caller's side (check, sample, copy into the queue) and the one
// writer thread (mask, apply, commit, repeat).
//
// Threads: every public function may be called from any thread.
//
// A child process must not destroy the one that it inherits: there is no writer to wait for, and
// what the writer waited for in the parent would wait for it.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "ingest/given_checker.hpp"
#include "ingest/options.hpp"
#include "ingest/queue.hpp"
#include "ingest/sampling.hpp"
#include "ingest/uncommitted_counters.hpp"
#include "model/event.hpp"
#include "model/result.hpp"
#include "record/statistics.hpp"
#include "store/environment.hpp"

namespace tracelite::ingest {

// A batch holds at most this many bytes of events, so that a transaction stays bounded.
inline constexpr std::uint64_t kBatchSizeBytesMax = std::uint64_t{4} << 20;
// A larger payload is stored in transactions of its own, in parts of this size, before its record.
inline constexpr std::uint64_t kPayloadPartSizeBytes = std::uint64_t{4} << 20;

struct CloseReport {
  std::uint64_t dropped_count = 0;
};

class Recorder {  // NOLINT(clang-analyzer-optin.performance.Padding): the queue's ring again
 public:
  // Starts the writer thread. Errors: no_memory.
  static Result<std::unique_ptr<Recorder>> start(std::shared_ptr<store::Environment> environment,
                                                 Options options);
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  // Reports the warnings, and queues a sealed event that the sample rate keeps: its payloads are
  // copied. Errors: queue_full, misuse (closing).
  Status record(model::EventBuilder& sealed, WhenFull when_full = WhenFull::as_chosen);
  Status record(model::EventBuilder&& sealed) { return record(sealed); }
  // Whether the sample rate keeps an event of this trace, or of what has no trace. False is
  // counted.
  bool keeps(Bytes sampling_id) {
    if (options_.sample_rate >= 1 || is_sampled(sampling_id, options_.sample_rate)) return true;
    count(model::Reason::sampled_out);
    return false;
  }
  bool keeps(const model::EventBuilder& event) {
    return options_.sample_rate >= 1 || keeps(event.sampling_id());
  }
  // Looks through payloads that were given unchecked, and tells what was repaired.
  [[nodiscard]] GivenChecker checker();
  // An event or put that was refused: counted, and reported.
  void refused(const Error& error);
  void count(model::Reason reason, std::uint64_t number = 1) { counters_.count(reason, number); }

  // Strictly increasing, even when the clock steps back.
  std::int64_t next_stamp_ns();

  // Everything recorded before is durable when ok, or was dropped. Errors: timeout, or why nothing
  // can be written: it is kept, and tried again.
  Status wait_until_durable(std::optional<std::chrono::milliseconds> timeout) {
    return queue_.wait_until_durable(timeout);
  }
  // The same, however little room the disk has: for what makes room there.
  Status wait_until_durable_to_make_room();
  // Why events were dropped that can never be written, told once. Errors: corrupt, limit, internal.
  Status tell_dropped() { return queue_.tell_dropped(); }
  CloseReport close(std::optional<std::chrono::milliseconds> timeout);

  [[nodiscard]] std::uint64_t queued_size_bytes() const { return queue_.waiting_size_bytes(); }
  // How often each reason was counted in this file. Errors: corrupt, io.
  [[nodiscard]] Result<record::Counters> counters() const { return counters_.total(*environment_); }
  [[nodiscard]] const Options& options() const { return options_; }
  [[nodiscard]] bool forked() const { return environment_->forked(); }

 private:
  // As long as there is one, free_disk_min_bytes counts for nothing.
  class MakingRoom {
   public:
    explicit MakingRoom(std::atomic<int>& count) : count_(count) { ++count_; }
    ~MakingRoom() { --count_; }
    MakingRoom(const MakingRoom&) = delete;
    MakingRoom& operator=(const MakingRoom&) = delete;

   private:
    std::atomic<int>& count_;
  };

  Recorder(std::shared_ptr<store::Environment> environment, Options options);
  void log(LogLevel level, model::Reason reason, const std::string& message) const;

  std::shared_ptr<store::Environment> environment_;
  const Options options_;
  Queue queue_;
  std::atomic<std::int64_t> last_stamp_ns_{0};
  std::atomic<int> making_room_{0};
  UncommittedCounters counters_;
  std::uint64_t lost_count_ = 0;  // the writer's, until it has ended
  std::thread writer_;
  friend class Writer;
};

}  // namespace tracelite::ingest
