// What the files of IndexWriter share: its statements, and the row of a trace in memory.
#pragma once

#include "index/index_value.hpp"
#include "index/index_writer.hpp"
#include "index/terms.hpp"
#include "index/trace_sums.hpp"

namespace tracelite::index {

struct Statements {
  Statement find_trace, put_trace, put_sums, erase_trace;
  Statement put_observation, erase_observation, figures, root, count_scores;
  Statement put_score, erase_score;
  Statement add_member, find_member, put_member, erase_member, find_other_member;
  Statement put_attribute, erase_attribute;
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

// The row of the trace that was changed last: entities come trace by trace, so each changes it
// again.
struct LatestTrace {
  record::ContainerNumber container = 0;
  std::string id;
  TraceRow row;  // as it shall be
  enum class Unwritten : std::uint8_t { nothing, sums, row } unwritten = Unwritten::nothing;
};

// The members of a trace that one entity names.
struct Members {
  std::optional<Bytes> session, user;
  std::vector<Bytes> tags;
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

struct IndexWriter::State {
  sqlite3* connection = nullptr;
  Terms terms;
  Statements sql;
  CountChanges counts;
  std::optional<LatestTrace> latest_trace;

  Status change_member(TermKind kind, Bytes text, record::ContainerNumber container,
                       int difference);
  Status change_members(const Members& before, const Members& after,
                        record::ContainerNumber container);
  Status change_attributes(const Change& change);
  Status use_session(Bytes session, int difference);
  // All rows of an observation or a score but that of its trace.
  Status change_observation(const Change& change, const Observed* before, const Observed* after);
  Status change_score(const Change& change);

  // index_writer_traces.cpp
  // What these change is written when another trace is read, or by write_latest_trace().
  Result<TraceRow> read_trace(record::ContainerNumber container);
  void change_trace(record::ContainerNumber container, Bytes id, const TraceRow& row);
  // Of a row that is there.
  void change_sums(const TraceRow& row);
  Status erase_trace(record::ContainerNumber container);
  Status write_latest_trace();
  Status write_trace(record::ContainerNumber container, Bytes id, const TraceRow& row);
  Status write_sums(record::ContainerNumber container, const TraceRow& row);
  Status sum_up(record::ContainerNumber container, TraceSums& sums);
  Status rebuild_root(record::ContainerNumber container, TraceRow& row);
  // Writes the row of a trace with this header, or none if there is nothing to see. `row` is what
  // there was, with the sums of now.
  Status show_trace(record::ContainerNumber container, const model::TraceView& header,
                    const TraceRow& row);
  Status count_in_trace(const Change& change, const Observed* before, const Observed* after);
  Status count_score(record::ContainerNumber container, bool is_more);
};

}  // namespace tracelite::index
