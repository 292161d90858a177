// See oldest_traces.hpp.
#include "maintain/oldest_traces.hpp"

#include <algorithm>

#include "index/schema.hpp"
#include "index/trace_members.hpp"
#include "index/trace_sums.hpp"
#include "model/view.hpp"
#include "record/entity_store.hpp"

namespace tracelite::maintain {

using record::ContainerNumber;
using Containers = std::vector<ContainerNumber>;

namespace {

std::int64_t last_activity(Bytes coded_sums, std::int64_t time_ns) {
  const index::TraceSums sums = index::TraceSums::decode(coded_sums, time_ns);
  return sums.observation_count() == 0 ? time_ns : std::max(time_ns, sums.last_activity_ns);
}

}  // namespace

void OldestTraces::restart() {
  is_at_end_ = is_second_round_ = false;
  bucket_ = std::numeric_limits<std::int64_t>::min();
  kept_count_ = 0;
}

Result<std::vector<OldestTraces::Row>> OldestTraces::read_window(sqlite3* index,
                                                                 std::size_t size) const {
  TL_TRY_ASSIGN(rows, index::Statement::prepare(
                          index,
                          "SELECT time_ns >> 20, container, time_ns, sums, members FROM trace "
                          "WHERE time_ns >> 20 >= ?1 ORDER BY time_ns >> 20, name, container "
                          "LIMIT ?2 OFFSET ?3"));
  rows.bind(1, bucket_);
  rows.bind(2, static_cast<std::int64_t>(size));
  rows.bind(3, kept_count_);
  std::vector<Row> window;
  for (;;) {
    TL_TRY_ASSIGN(more, rows.step());
    if (!more) return window;
    Row row;
    row.bucket = rows.integer(0);
    row.container = static_cast<ContainerNumber>(rows.integer(1));
    row.time_ns = rows.integer(2);
    row.last_activity_ns = last_activity(rows.bytes(3), row.time_ns);
    if (keeps_bookmarked_) row.members = index::TraceMembers::decode(rows.bytes(4)).terms();
    window.push_back(std::move(row));
  }
}

Status OldestTraces::take(const std::vector<Row>& rows, std::int64_t before_ns, sqlite3* index,
                          const store::Transaction& transaction,
                          const std::set<ContainerNumber>& passed_over, Containers& found) {
  for (const Row& row : rows) {
    bool stays = row.last_activity_ns >= before_ns || passed_over.contains(row.container);
    if (!stays) {
      TL_TRY_ASSIGN(kept, is_kept(row, index, transaction));
      stays = kept;
    }
    if (row.bucket != bucket_) kept_count_ = 0;
    bucket_ = row.bucket;
    if (stays) {
      ++kept_count_;
    } else {
      found.push_back(row.container);
    }
  }
  return {};
}

Result<Containers> OldestTraces::older_than(std::int64_t before_ns, sqlite3* index,
                                            const store::Transaction& transaction,
                                            const std::set<ContainerNumber>& passed_over) {
  sessions_.clear();
  Containers found;
  for (std::size_t seen = 0; seen < kRowsMax && found.empty() && !is_at_end_; seen += kFoundMax) {
    TL_TRY_ASSIGN(window, read_window(index, kFoundMax));
    is_at_end_ = window.size() < kFoundMax || window.back().time_ns >= before_ns;
    TL_TRY(take(window, before_ns, index, transaction, passed_over, found));
  }
  return found;
}

Result<Containers> OldestTraces::oldest(sqlite3* index, const store::Transaction& transaction,
                                        const std::set<ContainerNumber>& passed_over) {
  constexpr std::int64_t kAny = std::numeric_limits<std::int64_t>::max();
  sessions_.clear();
  Containers found;
  for (std::size_t seen = 0; seen < kRowsMax && found.empty() && !is_at_end_; seen += kFoundMax) {
    constexpr std::size_t kWindowSize = 2 * kFoundMax;
    TL_TRY_ASSIGN(window, read_window(index, kWindowSize));
    const bool is_last = window.size() < kWindowSize;
    std::int64_t before_ns = kAny;
    if (!is_second_round_ && !window.empty() && window.back().time_ns < kAny) {
      before_ns = window.back().time_ns + 1;
    }
    if (!is_last) window.resize(kFoundMax);
    TL_TRY(take(window, before_ns, index, transaction, passed_over, found));
    if (!is_last) continue;
    if (is_second_round_) {
      is_at_end_ = true;
    } else {
      restart();
      is_second_round_ = true;
    }
  }
  return found;
}

// ------------------------------------------------------------------------------ bookmarks

Result<bool> OldestTraces::is_kept(const Row& row, sqlite3* index,
                                   const store::Transaction& transaction) {
  if (!keeps_bookmarked_) return false;
  auto header =
      record::EntityReader(transaction).load({row.container, record::RecordKind::header, 0});
  if (!header) {
    // Whether it is bookmarked cannot be told.
    if (header.error().code == Code::corrupt) return true;
    return std::move(header).error();
  }
  if (*header && model::view_trace(**header).is_bookmarked.value_or(false)) return true;
  for (const index::TermNumber term : row.members) {
    TL_TRY_ASSIGN(kept, is_bookmarked_session(term, index, transaction));
    if (kept) return true;
  }
  return false;
}

Result<bool> OldestTraces::is_bookmarked_session(index::TermNumber term, sqlite3* index,
                                                 const store::Transaction& transaction) {
  if (const auto known = sessions_.find(term); known != sessions_.end()) return known->second;
  TL_TRY_ASSIGN(
      row, index::Statement::prepare(index, "SELECT text FROM term WHERE id = ?1 AND kind = ?2"));
  row.bind(1, static_cast<std::int64_t>(term));
  row.bind(2, static_cast<std::int64_t>(index::TermKind::session));
  TL_TRY_ASSIGN(is_session, row.step());
  bool is_bookmarked = false;
  if (is_session) {
    const record::EntityReader reader(transaction);
    TL_TRY_ASSIGN(container, reader.find_session(row.bytes(0)));
    if (container) {
      TL_TRY_ASSIGN(header, reader.load({*container, record::RecordKind::header, 0}));
      is_bookmarked = header && model::view_session(*header).is_bookmarked.value_or(false);
    }
  }
  sessions_[term] = is_bookmarked;
  return is_bookmarked;
}

}  // namespace tracelite::maintain
