// From keys of the index to rows: reads the record of an entity, and what belongs to it.
//
// Each returns false if the entity is not there (any more).
#pragma once

#include "index/trace_sums.hpp"
#include "query/query.hpp"
#include "query/snapshot.hpp"

namespace tracelite::query {

// A row of `trace`, but for its id: the record has it.
struct TraceKey {
  static constexpr const char* kColumns = "t.container, t.time_ns, t.has_record, t.root, t.sums";

  std::int64_t container = 0;
  std::int64_t time_ns = 0;
  bool has_record = false;
  std::optional<std::int64_t> root;
  index::TraceSums sums;

  // `first`: where kColumns start.
  static TraceKey read(const index::Statement& row, int first);
};

// `key`: of this view, so that corrupt is what it must be if there is no such record.
Result<bool> load_trace(const Snapshot::Use& use, const TraceKey& key, Row& row);
Result<bool> load_trace(const Snapshot::Use& use, std::int64_t container, Row& row);
Result<bool> load_trace_by_id(const Snapshot::Use& use, Bytes id, Row& row);
// Whether readers see an entity there. A trace-less observation that belongs to a trace by now has
// no row in its placeholder, but its record stays.
Result<bool> is_visible(const Snapshot::Use& use, const record::RecordKey& key);
// `trace_id`: of its container, if it is known already. Also false: a trace-less observation that
// belongs to a trace by now.
Result<bool> load_observation(const Snapshot::Use& use, std::int64_t container, std::int64_t entity,
                              Row& row, const std::string* trace_id = nullptr);
// From its record, which has been read already: not that of a stray.
Status load_observation(const Snapshot::Use& use, const record::RecordKey& key, Bytes record,
                        const std::string& trace_id, Row& row);
Result<bool> load_score(const Snapshot::Use& use, std::int64_t container, std::int64_t entity,
                        Row& row);
// The entity of a row that may have been read in another view, by its key: also of a trace-less
// observation that belongs to a trace by now, because its payloads are still those of its record.
Result<bool> load_again(const Snapshot::Use& use, const Row& row, Row& again);
// The session's own record and environment, and the number of its own scores added to
// row.aggregate, which is there already. `may_have_own`: a record or scores.
Status load_session(const Snapshot::Use& use, std::int64_t term, Bytes session_id,
                    bool may_have_own, Row& row);

// The observation as readers see it: with its trace-less events, or made of them alone. `key` gets
// the kind of the record. `record` (may be null): as it lies there, empty if it is not one
// record alone; valid until the next look at a record. False if there is none.
Result<bool> read_observation(const store::Transaction& transaction, record::RecordKey& key,
                              model::Entity& observation, Bytes* record = nullptr);

}  // namespace tracelite::query
