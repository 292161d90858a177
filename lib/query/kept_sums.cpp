// Sessions and users from the table that keeps their sums, in the order of its indexes.
#include "index/group_sums.hpp"
#include "query/accumulator.hpp"
#include "query/collector.hpp"
#include "query/selection.hpp"

namespace tracelite::query {
namespace {

// The index that has the rows in an order, and the column in it; null: none has.
const char* index_of(OrderBy by) {
  return by == OrderBy::time ? "group_activity" : by == OrderBy::cost ? "group_cost" : nullptr;
}

// A rank that a position has, as the index has it.
std::int64_t coarse_rank(OrderBy by, model::Int128 rank) {
  index::GroupSums sums;
  if (by == OrderBy::cost) {
    sums.sums.cost = rank;
    return index::cost_rank(sums);
  }
  sums.trace_count = 1;
  sums.last_ns = static_cast<std::int64_t>(rank);
  return index::activity_rank(sums);
}

}  // namespace

bool has_kept_sums(Kind kind, const Filter& filter) {
  return (kind == Kind::session || kind == Kind::user) && is_empty(filter);
}

Status collect_kept(const Snapshot::Use& use, Kind kind, ListOrder order,
                    std::optional<std::int64_t> only, Collector& collector) {
  const auto term_kind = kind == Kind::session ? index::TermKind::session : index::TermKind::user;
  const char* index = only ? nullptr : index_of(order.by);
  const std::string column = order.by == OrderBy::time ? "g.activity" : "g.cost";
  Sql sql;
  sql.add("SELECT g.term, x.text, g.sums, x.uses, ").add(index != nullptr ? column : "0");
  sql.add(" FROM group_sums g ");
  if (index != nullptr) sql.add("INDEXED BY ").add(index);
  sql.add(" CROSS JOIN term x ON x.id = g.term WHERE g.kind = ");
  sql.bind(Value::of(static_cast<std::int64_t>(term_kind)));
  if (only) sql.add(" AND g.term = ").bind(Value::of(*only));
  if (index != nullptr) {
    if (const auto after = collector.after_rank()) {
      sql.add(" AND ").add(column).add(order.ascending ? " >= " : " <= ");
      sql.bind(Value::of(coarse_rank(order.by, *after)));
    }
    sql.add(" ORDER BY ").add(column).add(order.ascending ? "" : " DESC");
  }
  TL_TRY_ASSIGN(rows, use.prepare(sql.text));
  rows.bind(sql.values);
  std::optional<std::int64_t> last_rank;  // in which the collector was filled
  for (;;) {
    TL_TRY_ASSIGN(more, rows->step());
    if (!more) return {};
    if (last_rank && rows->integer(4) != *last_rank) return {};
    index::GroupSums sums = index::GroupSums::decode(rows->bytes(2));
    if (kind == Kind::user) sums.sums.score_count = 0;
    Accumulator accumulator;
    accumulator.add(sums);
    // A term is used once for each of its traces, and by what a session has of its own.
    const bool has_own = rows->integer(3) > static_cast<std::int64_t>(sums.trace_count);
    collector.add(rows->integer(0), rows->bytes(1), accumulator.finish(), has_own);
    if (index != nullptr && !last_rank && collector.is_full()) last_rank = rows->integer(4);
  }
}

}  // namespace tracelite::query
