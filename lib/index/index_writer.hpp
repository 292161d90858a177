// Keeps the index rows of entities in step with their records, within the transaction that writes
// the records.
//
// Knows the schema and the model's views. Must not know how events arrive. Works on any SQLite
// connection that has the schema: the file's, or one in memory that `check` compares with.
#pragma once

#include <cstdint>
#include <memory>

#include "index/attributes.hpp"
#include "index/schema.hpp"
#include "model/view.hpp"
#include "record/record_key.hpp"
#include "record/statistics.hpp"

struct sqlite3;

namespace tracelite::index {

// What changed in the number of visible things, for the statistics.
struct CountChanges {
  std::int64_t traces = 0, observations = 0, scores = 0, sessions = 0, users = 0;
};
void add(record::Statistics& statistics, const CountChanges& changes);

// One entity before and after; null where it did not or does not exist. The attributes must be
// given where the metadata differs, and may be left empty on both sides where it is the same.
struct Change {
  record::RecordKey key;
  Bytes id;  // of the container: the trace's or session's id
  const model::Entity* before = nullptr;
  const model::Entity* after = nullptr;
  Attributes attributes_before, attributes_after;
};

class IndexWriter {
 public:
  // Creates the schema if the database is empty. Errors: those of SQLite, mapped by sqlite_error.
  static Result<std::unique_ptr<IndexWriter>> open(sqlite3* connection);
  ~IndexWriter();
  IndexWriter(const IndexWriter&) = delete;
  IndexWriter& operator=(const IndexWriter&) = delete;

  Status trace_changed(const Change& change);
  Status observation_changed(const Change& change);
  Status score_changed(const Change& change);
  Status session_changed(const Change& change);

  // For many entities of a trace that go: `erase` takes the rows of one (`after` is null), but for
  // what the trace's own row says of it, and afterwards `recount_trace` mends that from the rows
  // that are left. `header` is the trace's, or null where that is gone as well.
  Status erase(const Change& change);
  Status recount_trace(record::ContainerNumber container, Bytes id, const model::Entity* header);
  // Whether a trace belongs to the session.
  Result<bool> has_traces(Bytes session_id);

  // Rows that a batch changes again and again (a trace's own, uses of terms), and those that are
  // put in order first (metadata), are written by this: call it before the transaction commits.
  Status flush();
  // Leaves what was flushed in the form that is read fastest: after many batches.
  Status merge_recent();
  // Of what was flushed.
  CountChanges take_counts();
  // What is remembered of the database (numbers of terms) holds only while this process alone
  // commits: forget it after another's commit, and after a failed transaction.
  void forget();

 private:
  struct State;
  explicit IndexWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tracelite::index
