// What the files of IndexWriter share: its statements, and the row of a trace in memory.
#pragma once

#include <map>
#include <utility>

#include "index/attribute_table.hpp"
#include "index/day_sums.hpp"
#include "index/group_sums.hpp"
#include "index/index_value.hpp"
#include "index/index_writer.hpp"
#include "index/terms.hpp"
#include "index/trace_members.hpp"
#include "index/trace_sums.hpp"

namespace tracelite::index {

struct Statements {
  Statement find_trace, put_trace, put_sums, erase_trace;
  Statement put_observation, erase_observation, figures, root, count_scores;
  Statement put_score, erase_score;
  Statement add_member, erase_member, find_member;
  Statement find_day, put_day, erase_day;
  Statement find_group, put_group, put_group_sums, erase_group;
  Statement group_traces, group_traces_back;
};

// A row of `trace`, as it is read, changed and written back.
struct TraceRow {
  bool exists = false;
  std::int64_t time_ns = 0;
  std::optional<TermNumber> name, environment, release, version;
  bool has_record = false;
  std::optional<std::int64_t> root;
  std::int64_t root_rank = 0;
  std::int64_t root_start_ns = 0;
  TraceSums sums;

  friend bool operator==(const TraceRow&, const TraceRow&) = default;
};

// What the rows of `member` of a trace are made from, and what its session and user have of it.
struct Membership {
  std::int64_t time_ns = 0;
  TraceMembers members;
  TraceSums sums;
};

// The row of a session or user.
struct GroupRow {
  TermKind kind{};
  std::optional<GroupSums> stored;  // what the row says; none: it is not there
  GroupReach stored_reach;
  GroupSums sums;
  GroupReach reach;
  GroupSums::Lost lost;  // of the sums
  bool exists = false;
};

// The row of the trace that was changed last: entities come trace by trace, so each changes it
// again.
struct LatestTrace {
  record::ContainerNumber container = 0;
  std::string id;
  TraceRow row;          // as it shall be
  TraceMembers members;  // the same
  Membership stored;
  enum class Unwritten : std::uint8_t { nothing, sums, row } unwritten = Unwritten::nothing;

  void change_sums() {
    if (unwritten == Unwritten::nothing) unwritten = Unwritten::sums;
  }
};

// The members of a trace that one entity names.
struct Members {
  std::optional<Bytes> session, user;
  std::vector<Bytes> tags;  // ascending
};

// An observation, before or after.
struct Observed {
  explicit Observed(const model::Entity& entity)
      : view(model::view_observation(entity)),
        figures{view.start_ns,
                view.end_ns,
                view.type == model::ObservationType::event,
                static_cast<std::int64_t>(view.level),
                to_token_count(view.input_tokens()),
                to_token_count(view.output_tokens()),
                to_token_count(view.total_tokens()),
                view.total_cost()} {}

  model::ObservationView view;
  Figures figures;
};

// More days with their models, sessions and users are written at once.
inline constexpr std::size_t kUnwrittenDaysMax = 4096;
inline constexpr std::size_t kUnwrittenGroupsMax = 4096;

struct IndexWriter::State {
  sqlite3* connection = nullptr;
  Terms terms;
  AttributeTable attributes;
  Statements sql;
  CountChanges counts;
  std::optional<LatestTrace> latest_trace;
  std::map<std::pair<std::int64_t, TermNumber>, DaySums> days;  // what write_days() adds

  std::map<TermNumber, GroupRow> groups;  // what write_groups() writes

  // index_writer_groups.cpp
  // A session or user has so many uses more: +1 if it is there since then, -1 if it is no more.
  Result<int> use_group(TermKind kind, Bytes text, int difference);
  Result<GroupRow*> read_group(TermNumber term);
  // A trace has changed.
  Status change_groups(const Membership& before, const Membership& after);
  Status find_lost(TermNumber term, GroupRow& row);
  Status sum_up_group(TermNumber term, GroupRow& row);
  Status find_begin(TermNumber term, GroupRow& row);
  Status find_end(TermNumber term, GroupRow& row);
  Status write_groups();

  Status change_day(const Observed* before, const Observed* after);
  Status write_days();
  // Of a session or user.
  Status change_member(TermKind kind, Bytes text, record::ContainerNumber container,
                       int difference);
  Status change_tags(const std::vector<Bytes>& before, const std::vector<Bytes>& after,
                     record::ContainerNumber container);
  Status change_members(const Members& before, const Members& after,
                        record::ContainerNumber container);
  Status change_attributes(const Change& change);
  Status use_session(Bytes session, int difference);
  // All rows of an observation or a score but that of its trace.
  Status change_observation(const Change& change, const Observed* before, const Observed* after);
  Status change_score(const Change& change);

  // index_writer_traces.cpp
  // What these change is written when another trace is read, or by write_latest_trace().
  Status load_trace(record::ContainerNumber container);  // as latest_trace
  Result<TraceRow> read_trace(record::ContainerNumber container);
  void change_trace(record::ContainerNumber container, Bytes id, const TraceRow& row);
  // Of a row that is there.
  void change_sums(const TraceRow& row);
  Status erase_trace(record::ContainerNumber container);
  Status write_latest_trace();
  Status write_trace(const LatestTrace& trace);
  Status write_sums(const LatestTrace& trace);
  Status write_members(record::ContainerNumber container, const Membership& before,
                       const Membership& after);
  Status sum_up(record::ContainerNumber container, TraceSums& sums);
  Status find_root(const Change& change, const Observed* after, const TraceRow& row, TraceRow& now);
  Status rebuild_root(record::ContainerNumber container, TraceRow& row);
  // Writes the row of a trace with this header, or none if there is nothing to see. `row` is what
  // there was, with the sums of now.
  Status show_trace(record::ContainerNumber container, const model::TraceView& header,
                    const TraceRow& row);
  Status count_in_trace(const Change& change, const Observed* before, const Observed* after);
  Status count_score(record::ContainerNumber container, bool is_more);
};

}  // namespace tracelite::index
