// Lists of sessions, users, tags, environments, names, models and days with their sums.
//
// Where no sums are kept (collector.hpp), all groups of a list are summed once, when its first row
// is asked for, in one pass over the traces (or observations) that the filter selects; they are
// kept in memory, sorted: as many as there are groups, or as the limit asks for. A position is the
// key and the sum that the list is ordered by, so another cursor goes on behind it whatever has
// changed since.
#include <algorithm>
#include <unordered_map>
#include <utility>

#include "index/index_value.hpp"
#include "query/accumulator.hpp"
#include "query/collector.hpp"
#include "query/list.hpp"
#include "query/position.hpp"
#include "query/reader.hpp"
#include "query/rows.hpp"
#include "query/selection.hpp"

namespace tracelite::query {
namespace {

using index::TermKind;

TermKind term_kind(Kind kind) {
  switch (kind) {
    case Kind::session:
      return TermKind::session;
    case Kind::user:
      return TermKind::user;
    case Kind::tag:
      return TermKind::tag;
    case Kind::environment:
      return TermKind::environment;
    case Kind::model:
      return TermKind::model;
    default:
      return TermKind::name;
  }
}

// Sessions, users and tags are in the table of members; sessions and users may exist without being
// named by any trace.
bool has_members(Kind kind) { return kind <= Kind::tag; }
bool may_be_bare(Kind kind) { return kind <= Kind::user; }

// ------------------------------------------------------------------------------ summing

// Adds a trace from its time and sums, in columns 0 and 1.
void add_trace(const index::Statement& row, bool with_scores, Accumulator& group) {
  const std::int64_t time_ns = row.integer(0);
  index::TraceSums sums = index::TraceSums::decode(row.bytes(1), time_ns);
  if (!with_scores) sums.score_count = 0;
  group.add_trace(time_ns, sums);
}

Status sum_members(const CachedStatement& rows, bool with_scores, Accumulator& group) {
  for (;;) {
    TL_TRY_ASSIGN(more, rows->step());
    if (!more) return {};
    add_trace(*rows, with_scores, group);
  }
}

// Sessions, users, tags: term by term. `only`: this term alone.
Status collect_members(const Snapshot::Use& use, Kind kind, const Filter& filter,
                       std::optional<std::int64_t> only, Collector& collector) {
  TL_TRY_ASSIGN(conditions, trace_conditions(use, filter));
  if (!conditions) return {};
  Sql members;
  members.add("SELECT t.time_ns, t.sums FROM member m CROSS JOIN trace t WHERE 1");
  members.add(*conditions).add(" AND t.container = m.container AND m.term = ").bind(Value::of(0));
  TL_TRY_ASSIGN(traces, use.prepare(members.text));

  Sql terms;
  terms.add("SELECT id, text, uses FROM term WHERE kind = ");
  terms.bind(Value::of(static_cast<std::int64_t>(term_kind(kind))));
  if (only) terms.add(" AND id = ").bind(Value::of(*only));
  TL_TRY_ASSIGN(all, use.prepare(terms.text));
  all.bind(terms.values);
  const bool bare_too = may_be_bare(kind) && is_empty(filter);
  for (;;) {
    TL_TRY_ASSIGN(more, all->step());
    if (!more) return {};
    const std::int64_t term = all->integer(0);
    if (may_be_bare(kind) && all->integer(2) <= 0) continue;
    members.values.back() = Value::of(term);
    traces.bind(members.values);
    Accumulator sums;
    TL_TRY(sum_members(traces, kind == Kind::session, sums));
    Aggregate aggregate = sums.finish();
    if (aggregate.trace_count > 0 || bare_too) collector.add(term, all->bytes(1), aggregate);
  }
}

using Sums = std::unordered_map<std::int64_t, Accumulator>;

Status collect_sums(const Snapshot::Use& use, const Sums& sums, Collector& collector) {
  TL_TRY_ASSIGN(find, use.prepare("SELECT text FROM term WHERE id = ?1"));
  for (const auto& [term, group] : sums) {
    find.bind(term);
    TL_TRY_ASSIGN(found, find->step());
    if (found) collector.add(term, find->bytes(0), group.finish());
  }
  return {};
}

Status collect_environments(const Snapshot::Use& use, const Filter& filter,
                            std::optional<std::int64_t> only, Collector& collector) {
  TL_TRY_ASSIGN(selection, select_rows(use, Kind::trace, filter));
  if (!selection) return {};
  // A trace without an environment is in the default one, which need not be a term.
  TL_TRY_ASSIGN(default_term, find_term(use, TermKind::environment, kDefaultEnvironment));
  Sql sql;
  sql.add("SELECT t.time_ns, t.sums, coalesce(t.environment, ");
  sql.bind(Value::of(default_term ? default_term->number : kNoTerm))
      .add(") AS e FROM ")
      .add(selection->from);
  sql.add(" WHERE 1").add(selection->where);
  if (only) sql.add(" AND e = ").bind(Value::of(*only));
  TL_TRY_ASSIGN(rows, use.prepare(sql.text));
  rows.bind(sql.values);
  Sums sums;
  for (;;) {
    TL_TRY_ASSIGN(more, rows->step());
    if (!more) break;
    add_trace(*rows, false, sums[rows->integer(2)]);
  }
  if (const auto bare = sums.find(kNoTerm); bare != sums.end()) {
    collector.add(kNoTerm, kDefaultEnvironment, bare->second.finish());
  }
  return collect_sums(use, sums, collector);
}

// Names and models of observations. These come trace by trace, so that traces can be counted.
Status collect_observed(const Snapshot::Use& use, Kind kind, const Filter& filter,
                        std::optional<std::int64_t> only, Collector& collector) {
  TL_TRY_ASSIGN(selection, select_rows(use, Kind::observation, filter));
  if (!selection) return {};
  const char* column = kind == Kind::name ? "o.name" : "o.model";
  Sql sql;
  sql.add("SELECT ").add(column).add(", o.container, ").add(Accumulator::kColumns);
  sql.add(" FROM ").add(selection->from).add(" WHERE 1").add(selection->where);
  sql.add(" AND ").add(column).add(" IS NOT NULL");
  if (only) sql.add(" AND ").add(column).add(" = ").bind(Value::of(*only));
  sql.add(" ORDER BY o.container");
  TL_TRY_ASSIGN(rows, use.prepare(sql.text));
  rows.bind(sql.values);
  Sums sums;
  std::unordered_map<std::int64_t, std::int64_t> last_trace;
  for (;;) {
    TL_TRY_ASSIGN(more, rows->step());
    if (!more) break;
    const std::int64_t term = rows->integer(0);
    const std::int64_t container = rows->integer(1);
    Accumulator& group = sums[term];
    const auto [last, is_new] = last_trace.try_emplace(term, container);
    if (is_new || last->second != container) group.count_trace();
    last->second = container;
    group.add_observation(index::read_figures(*rows, 2));
  }
  return collect_sums(use, sums, collector);
}

Status collect(const Snapshot::Use& use, Kind kind, const Filter& filter, ListOrder order,
               std::optional<std::int64_t> only, Collector& collector) {
  if (has_kept_sums(kind, filter)) return collect_kept(use, kind, order, only, collector);
  if (has_members(kind)) return collect_members(use, kind, filter, only, collector);
  if (kind == Kind::environment) return collect_environments(use, filter, only, collector);
  if (kind == Kind::day) return collect_days(use, filter, collector);
  return collect_observed(use, kind, filter, only, collector);
}

// A group that was found in an older view: its number may be another one's by now. False if it is a
// session that is gone.
Result<bool> find_again(const Snapshot::Use& use, Kind kind, Group& group) {
  if (kind != Kind::session) return true;
  TL_TRY_ASSIGN(term, find_term(use, TermKind::session, group.sums.key));
  if (!term || term->uses <= 0) return false;
  group.term = term->number;
  group.may_have_own = true;
  return true;
}

Status fill(const Snapshot::Use& use, Kind kind, Group group, Row& row) {
  row = Row();
  row.kind = kind;
  row.aggregate = std::move(group.sums);
  if (kind == Kind::day) split_day(row.aggregate);
  if (kind != Kind::session) return {};
  const std::string id = row.aggregate.key;
  return load_session(use, group.term, id, group.may_have_own, row);
}

// ------------------------------------------------------------------------------ the cursor

class GroupCursor : public Cursor {
 public:
  GroupCursor(std::shared_ptr<Snapshot> snapshot, Kind kind, Filter filter, ListOrder order,
              std::uint64_t limit)
      : Cursor(std::move(snapshot)),
        kind_(kind),
        filter_(std::move(filter)),
        order_(order),
        remaining_(limit == 0 ? UINT64_MAX : limit),
        page_size_(is_paged() ? kFirstPageSize : UINT64_MAX) {}

  Status start_after(Bytes after);
  Result<bool> next(Row& row) override;
  Result<std::string> position() const override;

 private:
  // Whether an index has the groups in order: else all are summed up, once.
  [[nodiscard]] bool is_paged() const {
    return has_kept_sums(kind_, filter_) &&
           (order_.by == OrderBy::time || order_.by == OrderBy::cost);
  }
  Status fetch(const Snapshot::Use& use);

  Kind kind_;
  Filter filter_;
  ListOrder order_;
  std::uint64_t remaining_;
  std::uint64_t page_size_;
  bool is_last_page_ = false;
  std::vector<Group> groups_;
  std::size_t next_ = 0;
  std::uint64_t groups_generation_ = 0;
  // Where the page begins.
  std::optional<std::pair<model::Int128, std::string>> after_;
  bool is_any_given_ = false;
};

Status GroupCursor::start_after(Bytes after) {
  if (after.empty()) return {};
  TL_TRY_ASSIGN(values, decode_position(after, fingerprint(kind_, filter_, order_), 2));
  if (values[0].bytes.size() != sizeof(model::Int128)) {
    return make_error(Code::invalid, "this is no position that a list has given", "after");
  }
  after_.emplace(from_sortable(values[0].bytes), values[1].bytes);
  return {};
}

Result<std::string> GroupCursor::position() const {
  if (!is_any_given_) return Cursor::position();
  return encode_position(fingerprint(kind_, filter_, order_),
                         {Value::blob(sortable(after_->first)), Value::text(after_->second)});
}

Status GroupCursor::fetch(const Snapshot::Use& use) {
  const std::uint64_t size = std::min(page_size_, remaining_);
  Collector collector(order_, size);
  if (after_) collector.start_after(after_->first, after_->second);
  if (use.connection() != nullptr) {
    TL_TRY(collect(use, kind_, filter_, order_, std::nullopt, collector));
  }
  groups_ = collector.take();
  groups_generation_ = use.generation();
  next_ = 0;
  is_last_page_ = groups_.size() < size || !is_paged();
  page_size_ = std::min(page_size_ * kPageGrowth, kPageSizeMax);
  return {};
}

Result<bool> GroupCursor::next(Row& row) {
  if (remaining_ == 0) return false;
  TL_TRY_ASSIGN(use, this->use());
  for (;;) {
    if (next_ == groups_.size()) {
      if (is_last_page_) return false;
      TL_TRY(fetch(use));
      if (groups_.empty()) return false;
    }
    Group& group = groups_[next_++];
    after_.emplace(group.rank, group.sums.key);
    is_any_given_ = true;
    if (use.generation() != groups_generation_) {
      TL_TRY_ASSIGN(is_there, find_again(use, kind_, group));
      if (!is_there) continue;
    }
    --remaining_;
    TL_TRY(fill(use, kind_, std::move(group), row));
    return true;
  }
}

}  // namespace

Result<std::unique_ptr<Cursor>> list_groups(std::shared_ptr<Snapshot> snapshot, Kind kind,
                                            Filter filter, ListOrder order, Bytes after,
                                            std::uint64_t limit) {
  auto cursor =
      std::make_unique<GroupCursor>(std::move(snapshot), kind, std::move(filter), order, limit);
  TL_TRY(cursor->start_after(after));
  return std::unique_ptr<Cursor>(std::move(cursor));
}

Result<Row> group_by_key(Snapshot& snapshot, Kind kind, Bytes key) {
  TL_TRY_ASSIGN(use, snapshot.use());
  const Error missing = make_error(Code::not_found, "nothing recorded names it", "id");
  if (use.connection() == nullptr) return missing;
  TL_TRY_ASSIGN(term, find_term(use, term_kind(kind), key));
  if (!term && !(kind == Kind::environment && key == kDefaultEnvironment)) return missing;
  Collector collector({}, 1);
  TL_TRY(collect(use, kind, {}, {}, term ? term->number : kNoTerm, collector));
  std::vector<Group> groups = collector.take();
  if (groups.empty()) return missing;
  Row row;
  TL_TRY(fill(use, kind, std::move(groups.front()), row));
  return row;
}

}  // namespace tracelite::query
