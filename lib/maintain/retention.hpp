// Caps on the age and the size of a file that keep themselves, in small steps that ride on commits.
//
// Knows when something is due, and what comes after what. Must not know queues: whoever records
// calls step() after each of its commits (ingest::Options::chore).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "maintain/believed_clock.hpp"
#include "maintain/deleter.hpp"
#include "maintain/oldest_traces.hpp"
#include "maintain/sweep.hpp"

namespace tracelite::maintain {

struct RetentionRules {
  std::uint64_t age_ms = 0;      // 0: for ever
  std::uint64_t size_bytes = 0;  // 0: without limit
  bool keeps_bookmarked = false;
  store::Durability durability = store::Durability::synced;
};

// One transaction of it erases about so much: some 2 MiB of pages.
inline constexpr DeletionBounds kRetentionBounds{512, 2'048, 64};

// By age, a pass through the traces that are old enough is due whenever another 256th of the age
// (a second at least) is over. By size, a run begins when the pages in use (of LMDB and of SQLite,
// without those that are free) are more than the cap, and ends a 32nd below it, so that it is not
// due again at once.
//
// Free pages are given back to the file system (store/free_pages.hpp) when the file takes more of
// the disk than its pages in use, by more than an eighth of these and 4 MiB; shorter runs than 16
// KiB are left to the next commits.
//
// What shares text with what stays frees little when it goes. So a run by size ends when traces
// have gone that should have freed much, and an eighth of that is not free: what is newer must not
// go for it. What a trace should free is its share of the payloads.
//
// By size, a step erases at most half as many traces as would do if all were of one size, or one,
// so that not much more goes than must.
//
// Belongs to one thread.
class Retention {
 public:
  using LogFunction = std::function<void(bool is_warning, const std::string& message)>;
  Retention(std::shared_ptr<store::Environment> environment, const RetentionRules& rules,
            LogFunction log);

  // One transaction at most. True: more is due at once. What fails is told, and tried again later.
  bool step();

 private:
  enum class Stage : std::uint8_t { idle, age, size, sweep, holes };

  Result<bool> try_step();
  // What is due now, or idle.
  Result<Stage> look();
  Result<bool> is_age_due();
  Result<bool> is_size_due();
  Result<bool> are_holes_due();
  [[nodiscard]] std::uint64_t wanted_bytes() const;
  // How many traces the next step may erase.
  Result<std::size_t> count_of_step();
  Status begin(Stage stage);
  Result<bool> erase_some();
  // By size, with so much in use: whether what was erased since the run began has made room.
  Result<bool> makes_room(std::uint64_t in_use_bytes);
  Result<bool> sweep_some();
  Result<bool> give_back_some();
  void finish();
  void log(bool is_warning, const std::string& message) const;

  const std::shared_ptr<store::Environment> environment_;
  const RetentionRules rules_;
  const LogFunction log_;
  Stage stage_ = Stage::idle;
  std::optional<BelievedClock> clock_;
  std::optional<std::int64_t> last_pass_ns_;  // by age: when it began
  std::int64_t before_ns_ = 0;                // by age: what is older goes
  std::uint64_t looked_at_commit_ = 0;        // for size and holes
  std::uint64_t least_in_use_bytes_ = 0;      // by size: less could not be reached
  // By size: what the run began with.
  std::uint64_t began_in_use_bytes_ = 0, began_payload_bytes_ = 0;
  bool is_shared_ = false;                   // by size: what was erased has made little room
  bool has_told_of_shared_ = false;          // since the file was small enough
  bool makes_holes_ = true;                  // the file system does
  std::uint64_t no_holes_until_commit_ = 0;  // there was little to be given back
  std::int64_t silent_until_ns_ = 0;         // after a failure
  OldestTraces oldest_;
  DeleteReport report_;
  std::optional<Deleter> deleter_;
  std::optional<Sweep> sweep_;
};

// The bytes of the pages in use: the file without those that are free, and what is free within the
// index. Errors: corrupt, io.
Result<std::uint64_t> size_in_use_bytes(store::Environment& environment);

}  // namespace tracelite::maintain
