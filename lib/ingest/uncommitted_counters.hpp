// What was counted and is in no commit yet, and the sum of it and of what the file has.
//
// Knows which transaction the counts were given to, because for a moment nobody can tell otherwise
// whether a snapshot has them: a sum never misses any, counts any twice, or falls.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>

#include "model/field.hpp"
#include "model/result.hpp"
#include "record/statistics.hpp"
#include "store/environment.hpp"

namespace tracelite::ingest {

class UncommittedCounters {
 public:
  // From any thread, without a lock.
  void count(model::Reason reason, std::uint64_t number);

  // For the writer: all that is in no commit, which this transaction is going to add to the file's.
  record::Counters give_to(std::uint64_t transaction_id);
  // That transaction has failed.
  void take_back();
  // There is something to give.
  [[nodiscard]] bool any() const;

  // From any thread: with what the file has. Errors: corrupt, io.
  Result<record::Counters> total(store::Environment& environment) const;

 private:
  [[nodiscard]] std::uint64_t move_count() const;

  std::array<std::atomic<std::uint64_t>, model::kReasonCount> counted_{};
  mutable std::mutex mutex_;  // of all below, and of moving to and from it
  record::Counters given_{};
  std::uint64_t given_to_ = 0;    // snapshots from this transaction on have what was given
  std::uint64_t move_count_ = 0;  // how often something was given or taken back
};

}  // namespace tracelite::ingest
