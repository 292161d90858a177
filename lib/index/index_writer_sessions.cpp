// The rows of sessions: sums that follow from what changes of their traces.
#include "index/index_writer_state.hpp"

namespace tracelite::index {

Result<SessionRow*> IndexWriter::State::read_session(TermNumber term) {
  const auto known = sessions.find(term);
  if (known != sessions.end()) return &known->second;
  SessionRow row;
  sql.find_session.bind(1, term);
  const ResetGuard guard(sql.find_session);
  TL_TRY_ASSIGN(found, sql.find_session.step());
  if (found) {
    row.stored = row.sums = GroupSums::decode(sql.find_session.bytes(0));
    row.exists = true;
  }
  return &sessions.emplace(term, row).first->second;
}

Status IndexWriter::State::change_sessions(const Membership& before, const Membership& after) {
  const GroupSums::Part was{before.time_ns, &before.sums};
  const GroupSums::Part is{after.time_ns, &after.sums};
  const bool is_same = before.time_ns == after.time_ns && before.sums == after.sums;
  const auto change = [&](TermNumber term, const GroupSums::Part* old_part,
                          const GroupSums::Part* new_part) -> Status {
    TL_TRY_ASSIGN(row, read_session(term));
    if (!row->sums.change(old_part, new_part)) row->must_sum_up = true;
    return {};
  };
  for (const TraceMembers::Member& member : before.members.all()) {
    if (!member.is_session) continue;
    const bool stays = after.members.has(member.term);
    if (stays && is_same) continue;
    TL_TRY(change(member.term, &was, stays ? &is : nullptr));
  }
  for (const TraceMembers::Member& member : after.members.all()) {
    if (!member.is_session || before.members.has(member.term)) continue;
    TL_TRY(change(member.term, nullptr, &is));
  }
  return {};
}

// From the rows of its traces: only where it cannot be told from the one that changed. Once a batch
// and session at most.
Status IndexWriter::State::sum_up_session(TermNumber term, GroupSums& sums) {
  sums = {};
  sql.session_traces.bind(1, term);
  const ResetGuard guard(sql.session_traces);
  for (;;) {
    TL_TRY_ASSIGN(found, sql.session_traces.step());
    if (!found) return {};
    const std::int64_t time_ns = sql.session_traces.integer(0);
    const TraceSums of_trace = TraceSums::decode(sql.session_traces.bytes(1), time_ns);
    sums.add({time_ns, &of_trace});
  }
}

// Not while a trace is half written: its sessions have either all of it or nothing.
Status IndexWriter::State::write_sessions() {
  for (auto& [term, row] : sessions) {
    if (!row.exists) {
      if (!row.stored) continue;
      sql.erase_session.bind(1, term);
      TL_TRY(sql.erase_session.run());
      continue;
    }
    if (row.must_sum_up) TL_TRY(sum_up_session(term, row.sums));
    if (row.stored == row.sums) continue;
    std::string coded;
    row.sums.encode(coded);
    const bool keeps_rank = row.stored && activity_rank(*row.stored) == activity_rank(row.sums) &&
                            cost_rank(*row.stored) == cost_rank(row.sums);
    Statement& put = keeps_rank ? sql.put_session_sums : sql.put_session;
    put.bind(1, term);
    if (!keeps_rank) {
      put.bind(2, activity_rank(row.sums));
      put.bind(3, cost_rank(row.sums));
    }
    put.bind_blob(keeps_rank ? 2 : 4, coded);
    TL_TRY(put.run());
  }
  sessions.clear();
  return {};
}

}  // namespace tracelite::index
