// See retention.hpp.
#include "maintain/retention.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "index/page_file.hpp"
#include "index/statement.hpp"
#include "model/out_of_memory.hpp"
#include "model/time.hpp"
#include "record/statistics.hpp"
#include "store/free_pages.hpp"
#include "store/testing.hpp"

namespace tracelite::maintain {
namespace {

constexpr std::int64_t kNsOfMs = 1'000'000;
constexpr std::int64_t kPassNsMin = 1'000 * kNsOfMs;
constexpr std::int64_t kPassesOfAge = 256;
constexpr std::uint64_t kSlackShare = 32;
// More than the newest logs of some sessions keep (record/session_group.hpp).
constexpr std::uint64_t kExpectedSizeBytesMin = std::uint64_t{4} << 20;
constexpr std::uint64_t kFreedShareMin = 8;
constexpr std::uint64_t kFreeSizeBytesMax = std::uint64_t{4} << 20;
constexpr std::uint64_t kFreeShare = 8;
constexpr store::FreePagesRequest kHoles{.run_page_count_min = 4,
                                         .size_bytes_max = std::uint64_t{16} << 20};
constexpr std::uint64_t kFewHolesSizeBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kCommitsBetweenHoles = 64;
constexpr std::int64_t kSilenceNs = 60 * 1'000 * kNsOfMs;

std::int64_t age_ns(const RetentionRules& rules) {
  constexpr auto kMost =
      static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max() / kNsOfMs);
  return static_cast<std::int64_t>(std::min(rules.age_ms, kMost)) * kNsOfMs;
}

// The newest one whose pages are counted below: that the file names one comes a little earlier.
Result<std::uint64_t> last_seen_commit(store::Environment& environment) {
  TL_TRY_ASSIGN(transaction, environment.begin_read());
  return transaction.id();
}

Result<std::optional<std::int64_t>> newest_trace_ns(store::Environment& environment) {
  TL_TRY_ASSIGN(transaction, environment.begin_read());
  TL_TRY_ASSIGN(pages, transaction.statistics(store::KeySpace::page));
  TL_TRY_ASSIGN(sealed, transaction.statistics(store::KeySpace::sealed));
  if (pages.entries == 0 && sealed.entries == 0) return std::optional<std::int64_t>();
  TL_TRY_ASSIGN(connection, index::Connection::open_reader(transaction));
  TL_TRY_ASSIGN(row, index::Statement::prepare(
                         connection->handle(),
                         "SELECT time_ns FROM trace ORDER BY time_ns >> 20 DESC LIMIT 1"));
  TL_TRY_ASSIGN(found, row.step());
  if (!found) return std::optional<std::int64_t>();
  return std::optional(row.integer(0));
}

}  // namespace

Result<std::uint64_t> size_in_use_bytes(store::Environment& environment) {
  TL_TRY_ASSIGN(transaction, environment.begin_read());
  TL_TRY_ASSIGN(use, transaction.file_use());
  const std::uint64_t free_count = use.free_page_count + index::free_page_count(transaction);
  return (use.file_page_count - std::min(use.file_page_count, free_count)) * use.page_size_bytes;
}

Retention::Retention(std::shared_ptr<store::Environment> environment, const RetentionRules& rules,
                     LogFunction log)
    : environment_(std::move(environment)),
      rules_(rules),
      log_(std::move(log)),
      oldest_(rules.keeps_bookmarked) {}

void Retention::log(bool is_warning, const std::string& message) const {
  if (log_) log_(is_warning, message);
}

// ------------------------------------------------------------------------------ what is due

bool Retention::step() {
  if (silent_until_ns_ != 0 && model::passed_ns() < silent_until_ns_) return false;
  silent_until_ns_ = 0;
  bool more = false;
  const Status status = without_exceptions([&]() -> Status {
    TL_TRY_ASSIGN(is_due, try_step());
    more = is_due;
    return {};
  });
  if (status) return more;
  ended_well([&] {
    log(true, "keeping the caps on age and size failed, and is tried again in a minute: " +
                  status.error().message);
  });
  silent_until_ns_ = model::passed_ns() + kSilenceNs;
  deleter_.reset();
  sweep_.reset();
  stage_ = Stage::idle;
  return false;
}

Result<bool> Retention::try_step() {
  switch (stage_) {
    case Stage::idle: {
      TL_TRY_ASSIGN(due, look());
      if (due == Stage::idle) return false;
      if (due == Stage::holes) return give_back_some();
      TL_TRY(begin(due));
      return erase_some();
    }
    case Stage::age:
    case Stage::size:
      return erase_some();
    case Stage::sweep:
      return sweep_some();
    case Stage::holes:
      return give_back_some();
  }
  return false;
}

Result<Retention::Stage> Retention::look() {
  TL_TRY_ASSIGN(is_old, is_age_due());
  if (is_old) return Stage::age;
  TL_TRY_ASSIGN(commit, last_seen_commit(*environment_));
  if (commit == looked_at_commit_) return Stage::idle;
  TL_TRY_ASSIGN(is_large, is_size_due());
  if (is_large) return Stage::size;
  looked_at_commit_ = commit;
  TL_TRY_ASSIGN(is_sparse, are_holes_due());
  return is_sparse ? Stage::holes : Stage::idle;
}

Result<bool> Retention::is_age_due() {
  if (rules_.age_ms == 0) return false;
  if (!clock_) {
    TL_TRY_ASSIGN(newest_ns, newest_trace_ns(*environment_));
    clock_.emplace(newest_ns, model::now_ns(), model::passed_ns());
  }
  const std::int64_t now_ns = clock_->believe(model::now_ns(), model::passed_ns());
  const std::int64_t pause_ns = std::max(age_ns(rules_) / kPassesOfAge, kPassNsMin);
  if (last_pass_ns_ && now_ns >= *last_pass_ns_ && now_ns - *last_pass_ns_ < pause_ns) return false;
  last_pass_ns_ = now_ns;
  if (__builtin_sub_overflow(now_ns, age_ns(rules_), &before_ns_)) return false;
  return true;
}

Result<bool> Retention::is_size_due() {
  if (rules_.size_bytes == 0) return false;
  TL_TRY_ASSIGN(in_use_bytes, size_in_use_bytes(*environment_));
  if (in_use_bytes <= rules_.size_bytes) {
    least_in_use_bytes_ = 0;
    has_told_of_shared_ = false;
  }
  const std::uint64_t slack_bytes = rules_.size_bytes / kSlackShare;
  // Somebody has made room meanwhile, by compacting say: what could not be reached may be now.
  if (in_use_bytes + slack_bytes < least_in_use_bytes_) least_in_use_bytes_ = 0;
  return in_use_bytes > rules_.size_bytes && in_use_bytes > least_in_use_bytes_ + slack_bytes;
}

Result<bool> Retention::are_holes_due() {
  if (!makes_holes_ || looked_at_commit_ < no_holes_until_commit_) return false;
  TL_TRY_ASSIGN(wasted_bytes, store::wasted_size_bytes(*environment_));
  const std::uint64_t wanted = store::testing::free_size_bytes_max;
  if (wanted != 0) return wasted_bytes > wanted;
  TL_TRY_ASSIGN(in_use_bytes, size_in_use_bytes(*environment_));
  return wasted_bytes > kFreeSizeBytesMax + in_use_bytes / kFreeShare;
}

// ------------------------------------------------------------------------------ a run

Status Retention::begin(Stage stage) {
  if (stage == Stage::size) {
    TL_TRY_ASSIGN(in_use_bytes, size_in_use_bytes(*environment_));
    TL_TRY_ASSIGN(transaction, environment_->begin_read());
    TL_TRY_ASSIGN(statistics, record::read_statistics(transaction));
    began_in_use_bytes_ = in_use_bytes;
    began_payload_bytes_ = statistics.payload_size_bytes;
  }
  stage_ = stage;
  is_shared_ = false;
  report_ = {};
  oldest_.restart();
  deleter_.emplace(*environment_, Deleter::Options{kRetentionBounds, rules_.durability, true},
                   report_);
  return {};
}

std::uint64_t Retention::wanted_bytes() const {
  return rules_.size_bytes - rules_.size_bytes / kSlackShare;
}

Result<std::size_t> Retention::count_of_step() {
  if (stage_ != Stage::size) return kRetentionBounds.containers_max;
  TL_TRY_ASSIGN(in_use_bytes, size_in_use_bytes(*environment_));
  TL_TRY_ASSIGN(transaction, environment_->begin_read());
  TL_TRY_ASSIGN(statistics, record::read_statistics(transaction));
  const std::uint64_t surplus_bytes = in_use_bytes - std::min(in_use_bytes, wanted_bytes());
  const std::uint64_t of_one_bytes = in_use_bytes / std::max<std::uint64_t>(statistics.traces, 1);
  const std::uint64_t count = surplus_bytes / 2 / std::max<std::uint64_t>(of_one_bytes, 1);
  return static_cast<std::size_t>(
      std::clamp<std::uint64_t>(count, 1, kRetentionBounds.containers_max));
}

Result<bool> Retention::makes_room(std::uint64_t in_use_bytes) {
  TL_TRY_ASSIGN(transaction, environment_->begin_read());
  TL_TRY_ASSIGN(statistics, record::read_statistics(transaction));
  const std::uint64_t left_bytes = std::min(statistics.payload_size_bytes, began_payload_bytes_);
  const double share = static_cast<double>(began_payload_bytes_ - left_bytes) /
                       static_cast<double>(std::max<std::uint64_t>(began_payload_bytes_, 1));
  const auto expected_bytes =
      static_cast<std::uint64_t>(share * static_cast<double>(began_in_use_bytes_));
  const std::uint64_t freed_bytes =
      began_in_use_bytes_ - std::min(in_use_bytes, began_in_use_bytes_);
  return expected_bytes < kExpectedSizeBytesMin || freed_bytes >= expected_bytes / kFreedShareMin;
}

Result<bool> Retention::erase_some() {
  Deleter::Choice choice;
  choice.more = [this](sqlite3* index, const store::Transaction& transaction) {
    return stage_ == Stage::age
               ? oldest_.older_than(before_ns_, index, transaction, deleter_->passed_over())
               : oldest_.oldest(index, transaction, deleter_->passed_over());
  };
  choice.goes_still = [this](record::ContainerNumber container, sqlite3* index,
                             const store::Transaction& transaction) {
    return oldest_.goes_still(container, index, transaction);
  };
  TL_TRY_ASSIGN(containers_max, count_of_step());
  TL_TRY(deleter_->step(choice, containers_max));
  bool is_over = deleter_->waiting_count() == 0 && oldest_.is_at_end();
  if (stage_ == Stage::size) {
    TL_TRY_ASSIGN(in_use_bytes, size_in_use_bytes(*environment_));
    // A trace of which a part is gone goes as a whole.
    const bool is_small = in_use_bytes <= wanted_bytes() && !deleter_->has_unfinished();
    if (!is_over && !is_small && !deleter_->has_unfinished()) {
      TL_TRY_ASSIGN(makes, makes_room(in_use_bytes));
      is_shared_ = !makes;
      is_over = is_shared_;
    }
    least_in_use_bytes_ = is_over && !is_small ? in_use_bytes : 0;
    is_over = is_over || is_small;
  }
  if (!is_over) return true;
  const Status damage = deleter_->damage();
  if (!damage) log(true, damage.error().message);
  deleter_.reset();
  sweep_.emplace(*environment_, report_.traces > 0);
  stage_ = Stage::sweep;
  return true;
}

Result<bool> Retention::sweep_some() {
  TL_TRY_ASSIGN(more, sweep_->step());
  if (more) return true;
  finish();
  return true;
}

Result<bool> Retention::give_back_some() {
  TL_TRY_ASSIGN(done, store::clear_free_pages(*environment_, kHoles));
  makes_holes_ = done.makes_holes;
  stage_ = done.is_more && done.makes_holes ? Stage::holes : Stage::idle;
  // The rest is held by snapshots, or lies in small pieces.
  if (stage_ == Stage::idle && done.size_bytes < kFewHolesSizeBytes &&
      store::testing::free_size_bytes_max == 0) {
    no_holes_until_commit_ = looked_at_commit_ + kCommitsBetweenHoles;
  }
  return stage_ == Stage::holes;
}

void Retention::finish() {
  sweep_.reset();
  stage_ = Stage::idle;
  looked_at_commit_ = 0;
  if (report_.traces > 0) {
    log(false, "the caps on age and size have deleted " + std::to_string(report_.traces) +
                   (report_.traces == 1 ? " trace with " : " traces with ") +
                   std::to_string(report_.observations) + " observations");
  }
  if (is_shared_) {
    if (!has_told_of_shared_) {
      log(true,
          "deleting has made little room, because what is newer or kept shares text with "
          "it: retention_size_bytes (" +
              std::to_string(rules_.size_bytes) +
              ") cannot be kept, nothing more was deleted; compact the file");
    }
    has_told_of_shared_ = true;
  } else if (least_in_use_bytes_ > 0) {
    log(true, "the file uses " + std::to_string(least_in_use_bytes_) +
                  " bytes and nothing is left that may be deleted: retention_size_bytes (" +
                  std::to_string(rules_.size_bytes) + ") cannot be kept; compact the file");
  }
}

}  // namespace tracelite::maintain
