// Which traces go by age or because the file is too large: the oldest ones, in the order of their
// time, a window of the index at a time.
//
// Knows the index and the flags of records. Must not know why they go, nor erase anything.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "index/statement.hpp"
#include "index/terms.hpp"
#include "record/record_key.hpp"
#include "store/environment.hpp"

namespace tracelite::maintain {

// A trace's last activity is the latest of its time and of the starts and ends of its observations.
class OldestTraces {
 public:
  // Rows that one call looks at, so that it is short; and containers that it gives.
  static constexpr std::size_t kRowsMax = 256;
  static constexpr std::size_t kFoundMax = 64;

  // `keeps_bookmarked`: traces that are bookmarked, or of a session that is, stay.
  explicit OldestTraces(bool keeps_bookmarked) : keeps_bookmarked_(keeps_bookmarked) {}

  // From the oldest one.
  void restart();
  // More of those whose last activity is before `before_ns`. What was given must be gone before the
  // next call, or be among the `passed_over`. Errors: corrupt, io, no_memory.
  Result<std::vector<record::ContainerNumber>> older_than(
      std::int64_t before_ns, sqlite3* index, const store::Transaction& transaction,
      const std::set<record::ContainerNumber>& passed_over);
  // More of all of them. By the order of last activity, about: what is still active when the next
  // kFoundMax traces have come goes in a second round.
  Result<std::vector<record::ContainerNumber>> oldest(
      sqlite3* index, const store::Transaction& transaction,
      const std::set<record::ContainerNumber>& passed_over);
  // Whether one that the last call gave goes still, after others may have committed; if not, it
  // stays for this round. Errors: corrupt, io, no_memory.
  Result<bool> goes_still(record::ContainerNumber container, sqlite3* index,
                          const store::Transaction& transaction);
  // There is no more.
  [[nodiscard]] bool is_at_end() const { return is_at_end_; }

 private:
  struct Row {
    std::int64_t bucket = 0;
    record::ContainerNumber container = 0;
    std::int64_t time_ns = 0, last_activity_ns = 0;
    std::vector<index::TermNumber> members;
  };
  static constexpr const char* kColumns = "time_ns >> 20, container, time_ns, sums, members";
  [[nodiscard]] Row decode(const index::Statement& row) const;
  // The next rows; fewer than `size`: the last ones.
  Result<std::vector<Row>> read_window(sqlite3* index, std::size_t size) const;
  // Goes behind the rows, and adds those that go: with their last activity before `before_ns`.
  Status take(const std::vector<Row>& rows, std::int64_t before_ns, sqlite3* index,
              const store::Transaction& transaction,
              const std::set<record::ContainerNumber>& passed_over,
              std::vector<record::ContainerNumber>& found);
  Result<bool> is_kept(const Row& row, sqlite3* index, const store::Transaction& transaction);
  Result<bool> is_bookmarked(const Row& row, sqlite3* index, const store::Transaction& transaction);
  Result<bool> is_bookmarked_session(index::TermNumber term, sqlite3* index,
                                     const store::Transaction& transaction);

  const bool keeps_bookmarked_;
  bool is_at_end_ = false;
  bool is_second_round_ = false;
  // The position: of this bucket of the index so many rows stay.
  std::int64_t bucket_ = std::numeric_limits<std::int64_t>::min();
  std::int64_t kept_count_ = 0;
  std::int64_t before_ns_ = 0;  // what was given last had its last activity before
  // Whether it is bookmarked; false: or no session. Of one transaction: the next one may find other
  // bookmarks, and in an index that was made anew other numbers.
  std::map<index::TermNumber, bool> sessions_;
  std::uint64_t sessions_of_ = 0;
};

}  // namespace tracelite::maintain
