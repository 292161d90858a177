// The rows of sessions and users: sums that follow from what changes of their traces.
#include <algorithm>

#include "index/index_writer_state.hpp"
#include "index/schema.hpp"

namespace tracelite::index {

namespace {

// Of a stranger's rows, which may say anything.
std::int64_t add_saturated(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return a < 0 ? INT64_MIN : INT64_MAX;
}
std::int64_t subtract_saturated(std::int64_t a, std::int64_t b) {
  std::int64_t difference = 0;
  if (!__builtin_sub_overflow(a, b, &difference)) return difference;
  return a < b ? INT64_MIN : INT64_MAX;
}

}  // namespace

Result<int> IndexWriter::State::use_group(TermKind kind, Bytes text, int difference) {
  TL_TRY_ASSIGN(term, terms.number(kind, text));
  TL_TRY_ASSIGN(existence, terms.use(term, difference));
  if (existence != 0) {
    TL_TRY_ASSIGN(row, read_group(term));
    row->kind = kind;
    row->exists = existence > 0;
  }
  if (existence < 0) TL_TRY(terms.remove(kind, text, term));
  return existence;
}

Result<GroupRow*> IndexWriter::State::read_group(TermNumber term) {
  const auto known = groups.find(term);
  if (known != groups.end()) return &known->second;
  GroupRow row;
  sql.find_group.bind(1, term);
  const ResetGuard guard(sql.find_group);
  TL_TRY_ASSIGN(found, sql.find_group.step());
  if (found) {
    row.kind = static_cast<TermKind>(sql.find_group.integer(0));
    row.stored_reach = row.reach = {sql.find_group.integer(1), sql.find_group.integer(2)};
    row.stored = row.sums = GroupSums::decode(sql.find_group.bytes(3));
    row.exists = true;
  }
  return &groups.emplace(term, row).first->second;
}

Status IndexWriter::State::change_groups(const Membership& before, const Membership& after) {
  const GroupSums::Part was{before.time_ns, &before.sums};
  const GroupSums::Part is{after.time_ns, &after.sums};
  const bool is_same = before.time_ns == after.time_ns && before.sums == after.sums;
  const auto change = [&](TermNumber term, const GroupSums::Part* old_part,
                          const GroupSums::Part* new_part) -> Status {
    TL_TRY_ASSIGN(row, read_group(term));
    row->sums.change(old_part, new_part, row->lost);
    if (new_part != nullptr) row->reach.widen(*new_part);
    return {};
  };
  for (const TraceMembers::Member& member : before.members.all()) {
    if (!member.has_sums) continue;
    const bool stays = after.members.has(member.term);
    if (stays && is_same) continue;
    TL_TRY(change(member.term, &was, stays ? &is : nullptr));
  }
  for (const TraceMembers::Member& member : after.members.all()) {
    if (!member.has_sums || before.members.has(member.term)) continue;
    TL_TRY(change(member.term, nullptr, &is));
  }
  return {};
}

// ------------------------------------------------------------------------------ what was lost

// Once a batch and group at most.
Status IndexWriter::State::find_lost(TermNumber term, GroupRow& row) {
  if (row.lost.all) return sum_up_group(term, row);
  if (row.sums.trace_count == 0) return {};
  if (row.lost.begin) TL_TRY(find_begin(term, row));
  return row.lost.end ? find_end(term, row) : Status();
}

Status IndexWriter::State::sum_up_group(TermNumber term, GroupRow& row) {
  row.sums = {};
  row.reach = {};
  sql.group_traces.bind(1, term);
  const ResetGuard guard(sql.group_traces);
  for (;;) {
    TL_TRY_ASSIGN(found, sql.group_traces.step());
    if (!found) return {};
    const std::int64_t time_ns = sql.group_traces.integer(1);
    const TraceSums of_trace = TraceSums::decode(sql.group_traces.bytes(2), time_ns);
    row.sums.add({time_ns, &of_trace});
    row.reach.widen({time_ns, &of_trace});
  }
}

// From the first trace on, until no other one can have begun earlier.
Status IndexWriter::State::find_begin(TermNumber term, GroupRow& row) {
  const bool has_start = row.sums.sums.observation_count() > 0;
  std::optional<std::int64_t> first_ns, start_ns;
  Statement& traces = sql.group_traces;
  traces.bind(1, term);
  const ResetGuard guard(traces);
  for (;;) {
    TL_TRY_ASSIGN(found, traces.step());
    if (!found) break;
    const std::int64_t moment = traces.integer(0);
    if (first_ns && moment > moment_of(*first_ns) &&
        (!has_start ||
         (start_ns && subtract_saturated(moment, row.reach.lead) > moment_of(*start_ns)))) {
      break;
    }
    const std::int64_t time_ns = traces.integer(1);
    const TraceSums of_trace = TraceSums::decode(traces.bytes(2), time_ns);
    first_ns = std::min(first_ns.value_or(time_ns), time_ns);
    if (of_trace.observation_count() == 0) continue;
    start_ns = std::min(start_ns.value_or(INT64_MAX), of_trace.earliest_start_ns);
  }
  row.sums.first_ns = first_ns.value_or(0);
  if (has_start) row.sums.sums.earliest_start_ns = start_ns.value_or(0);
  return {};
}

// From the last trace back, until nothing later can have happened in another one.
Status IndexWriter::State::find_end(TermNumber term, GroupRow& row) {
  const bool has_activity = row.sums.sums.observation_count() > 0;
  const bool has_end = has_activity && row.sums.sums.latest_end_ns;
  std::optional<std::int64_t> last_ns, activity_ns, end_ns;
  Statement& traces = sql.group_traces_back;
  traces.bind(1, term);
  const ResetGuard guard(traces);
  for (;;) {
    TL_TRY_ASSIGN(found, traces.step());
    if (!found) break;
    const std::int64_t reached = add_saturated(traces.integer(0), row.reach.span);
    if (last_ns && traces.integer(0) < moment_of(*last_ns) &&
        (!has_activity || (activity_ns && reached < moment_of(*activity_ns))) &&
        (!has_end || (end_ns && reached < moment_of(*end_ns)))) {
      break;
    }
    const std::int64_t time_ns = traces.integer(1);
    const TraceSums of_trace = TraceSums::decode(traces.bytes(2), time_ns);
    last_ns = std::max(last_ns.value_or(time_ns), time_ns);
    if (of_trace.observation_count() == 0) continue;
    activity_ns = std::max(activity_ns.value_or(INT64_MIN), of_trace.last_activity_ns);
    if (of_trace.latest_end_ns) {
      end_ns = std::max(end_ns.value_or(INT64_MIN), *of_trace.latest_end_ns);
    }
  }
  row.sums.last_ns = last_ns.value_or(0);
  if (has_activity) row.sums.sums.last_activity_ns = activity_ns.value_or(0);
  row.sums.sums.latest_end_ns = end_ns;
  return {};
}

// ------------------------------------------------------------------------------ writing

// Not while a trace is half written: its session and user have either all of it or nothing.
Status IndexWriter::State::write_groups() {
  for (auto& [term, row] : groups) {
    if (!row.exists) {
      if (!row.stored) continue;
      sql.erase_group.bind(1, term);
      TL_TRY(sql.erase_group.run());
      continue;
    }
    TL_TRY(find_lost(term, row));
    if (row.stored == row.sums && row.stored_reach == row.reach) continue;
    std::string coded;
    row.sums.encode(coded);
    const bool changes_sums_alone = row.stored && row.stored_reach == row.reach &&
                                    activity_rank(*row.stored) == activity_rank(row.sums) &&
                                    cost_rank(*row.stored) == cost_rank(row.sums);
    Statement& put = changes_sums_alone ? sql.put_group_sums : sql.put_group;
    put.bind(1, term);
    if (!changes_sums_alone) {
      put.bind(2, static_cast<std::int64_t>(row.kind));
      put.bind(3, activity_rank(row.sums));
      put.bind(4, cost_rank(row.sums));
      put.bind(5, row.reach.lead);
      put.bind(6, row.reach.span);
    }
    put.bind_blob(changes_sums_alone ? 2 : 7, coded);
    TL_TRY(put.run());
  }
  groups.clear();
  return {};
}

}  // namespace tracelite::index
