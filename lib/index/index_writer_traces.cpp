// The row of a trace: what is kept of its observations and scores, and when there is one at all.
#include <algorithm>
#include <cassert>

#include "index/index_writer_state.hpp"

namespace tracelite::index {

using model::Entity;
using model::TraceView;

namespace {

// Lower is nearer to being the root: without a parent first, then the earliest, then by what of the
// key does not depend on the order in which they came.
struct RootRank {
  std::int64_t has_parent = 0;
  std::int64_t start_ns = 0;
  record::EntityKey hash = 0;
  record::EntityKey entity = 0;
  friend auto operator<=>(const RootRank&, const RootRank&) = default;
};

std::optional<std::int64_t> optional_integer(const Statement& statement, int at) {
  return statement.is_null(at) ? std::nullopt : std::optional(statement.integer(at));
}

bool trace_is_visible(const TraceView& view) {
  return view.has_record || view.is_public || view.is_bookmarked;
}

Entity no_trace(Bytes id) {
  return Entity{model::EntityKind::trace, false, std::string(id), {}, {}};
}

}  // namespace

Result<TraceRow> IndexWriter::State::read_trace(record::ContainerNumber container) {
  TL_TRY(load_trace(container));
  return latest_trace->row;
}

Status IndexWriter::State::load_trace(record::ContainerNumber container) {
  if (latest_trace && latest_trace->container == container) return {};
  TL_TRY(write_latest_trace());
  latest_trace.emplace().container = container;
  TraceRow& row = latest_trace->row;
  Statement& find = sql.find_trace;
  find.bind(1, to_integer(container));
  const ResetGuard guard(find);
  TL_TRY_ASSIGN(found, find.step());
  if (!found) return {};
  row.exists = true;
  row.time_ns = find.integer(0);
  row.name = optional_integer(find, 1);
  row.environment = optional_integer(find, 2);
  row.release = optional_integer(find, 3);
  row.version = optional_integer(find, 4);
  row.has_record = find.integer(5) != 0;
  row.root = optional_integer(find, 6);
  row.root_rank = find.integer(7);
  row.root_start_ns = find.integer(8);
  row.sums = TraceSums::decode(find.bytes(9), row.time_ns);
  latest_trace->members = TraceMembers::decode(find.bytes(10));
  latest_trace->stored = {row.time_ns, latest_trace->members, row.sums};
  return {};
}

// `container` is the one that was read last, here and below.
void IndexWriter::State::change_trace(record::ContainerNumber container, Bytes id,
                                      const TraceRow& row) {
  if (!row.exists) ++counts.traces;
  assert(latest_trace && latest_trace->container == container);
  latest_trace->id = id;
  latest_trace->row = row;
  latest_trace->row.exists = true;
  latest_trace->unwritten = LatestTrace::Unwritten::row;
}

void IndexWriter::State::change_sums(const TraceRow& row) {
  latest_trace->row.sums = row.sums;
  latest_trace->change_sums();
}

Status IndexWriter::State::erase_trace(record::ContainerNumber container) {
  --counts.traces;
  const LatestTrace latest = *std::exchange(latest_trace, std::nullopt);
  TL_TRY(write_members(container, latest.stored, {}));
  sql.erase_trace.bind(1, to_integer(container));
  return sql.erase_trace.run();
}

Status IndexWriter::State::write_latest_trace() {
  if (!latest_trace) return {};
  if (groups.size() >= kUnwrittenGroupsMax) TL_TRY(write_groups());
  const LatestTrace latest = *std::exchange(latest_trace, std::nullopt);
  if (latest.unwritten == LatestTrace::Unwritten::nothing || !latest.row.exists) return {};
  TL_TRY(latest.unwritten == LatestTrace::Unwritten::row ? write_trace(latest)
                                                         : write_sums(latest));
  return write_members(latest.container, latest.stored,
                       {latest.row.time_ns, latest.members, latest.row.sums});
}

Status IndexWriter::State::write_trace(const LatestTrace& trace) {
  const IndexId index_id(trace.id);
  const TraceRow& row = trace.row;
  Statement& put = sql.put_trace;
  put.bind(1, to_integer(trace.container));
  index_id.bind(put, 2);
  put.bind(3, row.time_ns);
  put.bind(4, row.name);
  put.bind(5, row.environment);
  put.bind(6, row.release);
  put.bind(7, row.version);
  put.bind(8, std::int64_t{row.has_record});
  put.bind(9, row.root);
  put.bind(10, row.root ? std::optional(row.root_rank) : std::nullopt);
  put.bind(11, row.root ? std::optional(row.root_start_ns) : std::nullopt);
  std::string sums;
  row.sums.encode(row.time_ns, sums);
  put.bind_blob(12, sums);
  std::string members;
  trace.members.encode(members);
  if (!members.empty()) put.bind_blob(13, members);
  return put.run();
}

Status IndexWriter::State::write_sums(const LatestTrace& trace) {
  std::string sums;
  trace.row.sums.encode(trace.row.time_ns, sums);
  sql.put_sums.bind(1, to_integer(trace.container));
  sql.put_sums.bind_blob(2, sums);
  std::string members;
  trace.members.encode(members);
  if (!members.empty()) sql.put_sums.bind_blob(3, members);
  return sql.put_sums.run();
}

Status IndexWriter::State::write_members(record::ContainerNumber container,
                                         const Membership& before, const Membership& after) {
  const std::vector<TermNumber> old_terms = before.members.terms();
  const std::vector<TermNumber> new_terms = after.members.terms();
  const std::int64_t moment_before = moment_of(before.time_ns);
  const std::int64_t moment_after = moment_of(after.time_ns);
  const bool has_moved = moment_before != moment_after;
  // Those of `all` that are not among the others at the same moment.
  const auto apply = [&](Statement& change, std::int64_t moment, const auto& all,
                         const auto& others) -> Status {
    for (const TermNumber term : all) {
      if (!has_moved && std::binary_search(others.begin(), others.end(), term)) continue;
      change.bind(1, term);
      change.bind(2, moment);
      change.bind(3, to_integer(container));
      TL_TRY(change.run());
    }
    return {};
  };
  TL_TRY(apply(sql.erase_member, moment_before, old_terms, new_terms));
  TL_TRY(apply(sql.add_member, moment_after, new_terms, old_terms));
  return change_groups(before, after);
}

// From the rows: only where it cannot be told from the one that changed.
Status IndexWriter::State::sum_up(record::ContainerNumber container, TraceSums& sums) {
  sums = {};
  sql.figures.bind(1, to_integer(container));
  const ResetGuard figures_guard(sql.figures);
  for (;;) {
    TL_TRY_ASSIGN(found, sql.figures.step());
    if (!found) break;
    sums.add(read_figures(sql.figures, 0));
  }
  sql.count_scores.bind(1, to_integer(container));
  const ResetGuard count_guard(sql.count_scores);
  TL_TRY_ASSIGN(counted, sql.count_scores.step());
  if (counted) sums.score_count = static_cast<std::uint64_t>(sql.count_scores.integer(0));
  return {};
}

// Finds the root among all observations: only where it cannot be told from the one that changed.
Status IndexWriter::State::rebuild_root(record::ContainerNumber container, TraceRow& row) {
  row.root.reset();
  sql.root.bind(1, to_integer(container));
  const ResetGuard guard(sql.root);
  TL_TRY_ASSIGN(found, sql.root.step());
  if (!found) return {};
  row.root = sql.root.integer(0);
  row.root_rank = sql.root.integer(1);
  row.root_start_ns = sql.root.integer(2);
  row.name = optional_integer(sql.root, 3);
  row.environment = optional_integer(sql.root, 4);
  return {};
}

Status IndexWriter::State::show_trace(record::ContainerNumber container, const TraceView& header,
                                      const TraceRow& row) {
  if (!trace_is_visible(header) && row.sums.observation_count() == 0) {
    return row.exists ? erase_trace(container) : Status();
  }
  TraceRow now;
  now.exists = row.exists;
  now.sums = row.sums;
  now.has_record = header.has_record;
  now.time_ns = header.timestamp_ns.value_or(header.first_event_ns);
  if (header.has_record) {
    TL_TRY_ASSIGN(name, terms.optional_number(TermKind::name, header.name));
    TL_TRY_ASSIGN(environment, terms.number(TermKind::environment, header.environment));
    TL_TRY_ASSIGN(release, terms.optional_number(TermKind::release, header.release));
    TL_TRY_ASSIGN(version, terms.optional_number(TermKind::version, header.version));
    now.name = name;
    now.environment = environment;
    now.release = release;
    now.version = version;
  } else {
    TL_TRY(rebuild_root(container, now));
    if (now.root) now.time_ns = now.sums.earliest_start_ns;
  }
  change_trace(container, header.id, now);
  return {};
}

Status IndexWriter::trace_changed(const Change& change) {
  State& state = *state_;
  const Entity none = no_trace(change.id);
  const TraceView before = model::view_trace(change.before == nullptr ? none : *change.before);
  const TraceView after = model::view_trace(change.after == nullptr ? none : *change.after);
  TL_TRY(state.change_members({before.session_id, before.user_id, before.tags},
                              {after.session_id, after.user_id, after.tags}, change.key.container));
  TL_TRY(state.change_attributes(change));
  TL_TRY_ASSIGN(row, state.read_trace(change.key.container));
  if (!row.exists && trace_is_visible(after)) {
    TL_TRY(state.sum_up(change.key.container, row.sums));
  }
  return state.show_trace(change.key.container, after, row);
}

Status IndexWriter::recount_trace(record::ContainerNumber container, Bytes id,
                                  const Entity* header) {
  const Entity none = no_trace(id);
  TL_TRY_ASSIGN(row, state_->read_trace(container));
  TL_TRY(state_->sum_up(container, row.sums));
  return state_->show_trace(container, model::view_trace(header == nullptr ? none : *header), row);
}

// After one observation changed: it is the root itself, or has no say in it, but where the root
// went or fell behind.
Status IndexWriter::State::find_root(const Change& change, const Observed* after,
                                     const TraceRow& row, TraceRow& now) {
  const bool was_root = row.root && from_integer(*row.root) == change.key.entity;
  if (!row.root || (after == nullptr && was_root)) {
    return rebuild_root(change.key.container, now);
  }
  if (after == nullptr) return {};
  const record::EntityKey root = from_integer(*row.root);
  const record::EntityKey entity = change.key.entity;
  const RootRank current{row.root_rank, row.root_start_ns, record::without_chapter(root), root};
  const RootRank own{after->view.parent_id ? 1 : 0, after->view.start_ns,
                     record::without_chapter(entity), entity};
  if (current < own) return was_root ? rebuild_root(change.key.container, now) : Status();
  TL_TRY_ASSIGN(name, terms.optional_number(TermKind::name, after->view.name));
  TL_TRY_ASSIGN(environment, terms.number(TermKind::environment, after->view.environment));
  now.root = to_integer(entity);
  now.root_rank = own.has_parent;
  now.root_start_ns = own.start_ns;
  now.name = name;
  now.environment = environment;
  return {};
}

// The trace's row after one of its observations came, changed or went.
Status IndexWriter::State::count_in_trace(const Change& change, const Observed* before,
                                          const Observed* after) {
  TL_TRY_ASSIGN(row, read_trace(change.key.container));
  TraceRow now = row;
  if (!row.exists || !now.sums.change(before == nullptr ? nullptr : &before->figures,
                                      after == nullptr ? nullptr : &after->figures)) {
    TL_TRY(sum_up(change.key.container, now.sums));
  }
  if (now.has_record) {
    if (now.sums == row.sums) return {};
    row.exists ? change_sums(now) : change_trace(change.key.container, change.id, now);
    return {};
  }
  if (now.sums.observation_count() == 0 && row.exists) {
    // Only its two flags may keep a trace without observations in sight: trace_changed decides.
    return erase_trace(change.key.container);
  }
  TL_TRY(find_root(change, after, row, now));
  now.time_ns = now.sums.earliest_start_ns;
  if (!row.exists || now != row) change_trace(change.key.container, change.id, now);
  return {};
}

Status IndexWriter::State::count_score(record::ContainerNumber container, bool is_more) {
  TL_TRY_ASSIGN(row, read_trace(container));
  if (!row.exists) return {};
  is_more ? ++row.sums.score_count : --row.sums.score_count;
  change_sums(row);
  return {};
}

}  // namespace tracelite::index
