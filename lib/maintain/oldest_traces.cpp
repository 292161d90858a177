// See oldest_traces.hpp.
#include "maintain/oldest_traces.hpp"

#include <algorithm>
#include <utility>

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

OldestTraces::Row OldestTraces::decode(const index::Statement& row) const {
  Row decoded;
  decoded.bucket = row.integer(0);
  decoded.container = static_cast<ContainerNumber>(row.integer(1));
  decoded.time_ns = row.integer(2);
  decoded.last_activity_ns = last_activity(row.bytes(3), decoded.time_ns);
  if (keeps_bookmarked_) decoded.members = index::TraceMembers::decode(row.bytes(4)).terms();
  return decoded;
}

Result<std::vector<OldestTraces::Row>> OldestTraces::read_window(sqlite3* index,
                                                                 std::size_t size) const {
  TL_TRY_ASSIGN(rows, index::Statement::prepare(
                          index, std::string("SELECT ") + kColumns +
                                     " FROM trace WHERE time_ns >> 20 >= ?1 "
                                     "ORDER BY time_ns >> 20, name, container LIMIT ?2 OFFSET ?3"));
  rows.bind(1, bucket_);
  rows.bind(2, static_cast<std::int64_t>(size));
  rows.bind(3, kept_count_);
  std::vector<Row> window;
  for (;;) {
    TL_TRY_ASSIGN(more, rows.step());
    if (!more) return window;
    window.push_back(decode(rows));
  }
}

Status OldestTraces::take(const std::vector<Row>& rows, std::int64_t before_ns, sqlite3* index,
                          const store::Transaction& transaction,
                          const std::set<ContainerNumber>& passed_over, Containers& found) {
  before_ns_ = before_ns;
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

Result<bool> OldestTraces::goes_still(ContainerNumber container, sqlite3* index,
                                      const store::Transaction& transaction) {
  TL_TRY_ASSIGN(found, index::Statement::prepare(index, std::string("SELECT ") + kColumns +
                                                            " FROM trace WHERE container = ?1"));
  found.bind(1, static_cast<std::int64_t>(container));
  TL_TRY_ASSIGN(is_there, found.step());
  if (!is_there) return true;
  const Row row = decode(found);
  bool stays = row.last_activity_ns >= before_ns_;
  if (!stays) {
    TL_TRY_ASSIGN(kept, is_kept(row, index, transaction));
    stays = kept;
  }
  if (stays && row.bucket == bucket_) ++kept_count_;
  return !stays;
}

Result<Containers> OldestTraces::older_than(std::int64_t before_ns, sqlite3* index,
                                            const store::Transaction& transaction,
                                            const std::set<ContainerNumber>& passed_over) {
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
  Result<bool> kept = is_bookmarked(row, index, transaction);
  // Of what is damaged it cannot be told.
  if (!kept && kept.error().code == Code::corrupt) return true;
  return kept;
}

Result<bool> OldestTraces::is_bookmarked(const Row& row, sqlite3* index,
                                         const store::Transaction& transaction) {
  TL_TRY_ASSIGN(
      header,
      record::EntityReader(transaction).load({row.container, record::RecordKind::header, 0}));
  if (header && model::view_trace(*header).is_bookmarked.value_or(false)) return true;
  for (const index::TermNumber term : row.members) {
    TL_TRY_ASSIGN(kept, is_bookmarked_session(term, index, transaction));
    if (kept) return true;
  }
  return false;
}

Result<bool> OldestTraces::is_bookmarked_session(index::TermNumber term, sqlite3* index,
                                                 const store::Transaction& transaction) {
  if (std::exchange(sessions_of_, transaction.id()) != transaction.id()) sessions_.clear();
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
