// Questions and answers: lists, trees, replays and single entities, each a cursor over rows.
//
// Knows the index for what to find and in which order, and the records for what a row says. Must
// not know the C API or any exchange format.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/view.hpp"
#include "payload/value_reader.hpp"
#include "query/snapshot.hpp"
#include "record/record_key.hpp"

namespace tracelite::query {

enum class Kind : std::uint8_t {  // the numbers of tl_kind
  trace = 1,
  observation = 2,
  score = 3,
  session = 4,
  user = 5,
  tag = 6,
  environment = 7,
  name = 8,
  model = 9,
  day = 10,
};

// Every condition given must hold. How each applies to each kind is said at tl_filter.
struct Filter {
  std::optional<std::string> trace_id, session_id, user_id, environment, name, release, version,
      model, metadata_key, metadata_value;
  std::vector<std::string> tags;
  std::optional<model::Level> level;
  std::optional<model::ObservationType> type;
  std::optional<std::int64_t> from_ns, to_ns;

  friend bool operator==(const Filter&, const Filter&) = default;
};

enum class OrderBy : std::uint8_t { time = 0, name = 1, latency = 2, tokens = 3, cost = 4 };
struct ListOrder {
  OrderBy by = OrderBy::time;
  bool ascending = false;
};

struct Aggregate {
  std::string key;
  std::string model;  // of days
  std::uint64_t trace_count = 0, observation_count = 0, score_count = 0;
  std::uint64_t level_counts[model::kLevelCount] = {};
  std::uint64_t unfinished_count = 0;
  std::uint64_t input_tokens = 0, output_tokens = 0, total_tokens = 0;
  model::Int128 total_cost = 0;
  std::int64_t first_activity_ns = 0, last_activity_ns = 0, latency_ns = 0;
};

enum class Phase : std::uint8_t { none = 0, begin = 1, end = 2, point = 3 };

struct Row {
  Kind kind{};
  Phase phase = Phase::none;
  std::uint64_t generation = 0;  // of the view that the entity was read in
  bool is_derived = false;
  std::uint32_t depth = 0;
  std::string trace_id;      // of a trace, an observation or a trace's score; "" of a stray one
  record::RecordKey key;     // of the entity's record
  model::Entity entity;      // traces, observations (stray events joined), scores, sessions
  model::Entity root;        // a derived trace: the observation it is read from
  std::int64_t time_ns = 0;  // traces: the timestamp, or what stands for it
  std::string environment;   // sessions: of the earliest trace; "" if there is none
  Aggregate aggregate;       // traces, sessions and groups
  std::int64_t at_ns = 0;
  std::int64_t wait_ns = 0;

  // Makes it a row of this kind with nothing in it, but keeps the memory of what was.
  void start(Kind new_kind, const Snapshot::Use& use);
  // What to show of a trace: its own record, or what is derived from its root. `timestamp_ns` is
  // always set.
  [[nodiscard]] model::TraceView trace() const;
};

class Cursor {
 public:
  virtual ~Cursor() = default;
  // False at the end. A row that an earlier call has filled must come back as it was, or empty:
  // what is in it may be used again. Errors: cancelled, corrupt, io, no_memory.
  virtual Result<bool> next(Row& row) = 0;
  // Any thread, at any time: next() fails with `cancelled`, also one that is under way, and stays
  // so.
  void cancel() { cancelled_ = true; }
  // The position after the last row, as printable text; misuse where there is none.
  virtual Result<std::string> position() const;
  // A payload of a row that next() gave, at this cursor's snapshot. Also expired: the view was
  // renewed since, and the payload has gone or is another one there; read_again() helps.
  Result<std::string> payload(const Row& row, const model::PayloadView& view,
                              payload::ReadMode mode = payload::ReadMode::as_given);
  Result<std::uint64_t> payload_size_bytes(const Row& row, const model::PayloadView& view,
                                           payload::ReadMode mode);
  // Its bytes from offset on, as far as out has room for them; how many.
  Result<std::size_t> read_payload(const Row& row, const model::PayloadView& view,
                                   payload::ReadMode mode, std::uint64_t offset,
                                   std::span<char> out);
  // The row as it is by now, if the view was renewed since it was read. False if it is gone.
  Result<bool> read_again(Row& row);

 protected:
  explicit Cursor(std::shared_ptr<Snapshot> snapshot) : snapshot_(std::move(snapshot)) {}
  // The snapshot for one call of next(), which can be cancelled. Errors: cancelled.
  Result<Snapshot::Use> use();

  std::shared_ptr<Snapshot> snapshot_;

 private:
  std::atomic<bool> cancelled_ = false;
};

// As Cursor::read_again. Rows of sessions and groups stay as they are: all of them is in the row.
Result<bool> read_again(const Snapshot::Use& use, Row& row);

// `after`: a position of a list with the same kind, filter and order, or empty. limit 0: all.
Result<std::unique_ptr<Cursor>> list(std::shared_ptr<Snapshot> snapshot, Kind kind, Filter filter,
                                     ListOrder order, Bytes after, std::uint64_t limit);
// Errors: not_found.
Result<std::unique_ptr<Cursor>> tree(std::shared_ptr<Snapshot> snapshot, Bytes trace_id);
struct ReplayPace {
  double speed = 1;
  std::int64_t max_gap_ns = 0;
};
Result<std::unique_ptr<Cursor>> replay(std::shared_ptr<Snapshot> snapshot, Bytes session_id,
                                       const ReplayPace& pace);
// One entity. `trace_id` may be empty for an observation whose id is in one trace only.
Result<std::unique_ptr<Cursor>> get(std::shared_ptr<Snapshot> snapshot, Kind kind, Bytes trace_id,
                                    Bytes id);

// The traces, observations and scores that commits behind a number changed, each once, as it is in
// the snapshot, in the order of time. `newest` becomes the number to go on from, also where it
// fails. The session and the user of a filter: the row or its trace names it. Errors: expired (the
// list of changes does not reach back so far), invalid (a filter by metadata).
Result<std::unique_ptr<Cursor>> changes(std::shared_ptr<Snapshot> snapshot, std::uint64_t behind,
                                        Filter filter, std::uint64_t& newest);

}  // namespace tracelite::query
