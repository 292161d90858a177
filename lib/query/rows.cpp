// Records, and what a row says beside them.
#include "query/rows.hpp"

#include "index/index_value.hpp"
#include "query/accumulator.hpp"
#include "record/entity_store.hpp"
#include "record/records.hpp"

namespace tracelite::query {
namespace {

using record::EntityReader;
using record::RecordKey;
using record::RecordKind;

record::ContainerNumber container_number(std::int64_t container) {
  return static_cast<record::ContainerNumber>(container);
}

// A record as it is, into the memory of another. False if there is none.
Result<bool> read_record(const store::Transaction& transaction, const RecordKey& key,
                         model::Entity& entity, Bytes* record = nullptr) {
  TL_TRY_ASSIGN(value, record::records(transaction).get(record::encode(key)));
  if (!value) return false;
  if (record != nullptr) *record = *value;
  TL_TRY(model::decode(*value, entity));
  return true;
}

Status join_stray(const store::Transaction& transaction, model::Entity& observation) {
  if (!observation.has_stray) return {};
  TL_TRY_ASSIGN(whole, EntityReader(transaction).with_stray(std::move(observation)));
  observation = std::move(whole);
  return {};
}

// As load_observation, but also of a stray that readers do not see there.
Result<bool> load_seen_or_not(const Snapshot::Use& use, std::int64_t container, std::int64_t entity,
                              Row& row, const std::string* trace_id) {
  RecordKey key{container_number(container), RecordKind::observation,
                static_cast<record::EntityKey>(entity)};
  row.start(Kind::observation, use);
  TL_TRY_ASSIGN(observation, read_observation(use.transaction(), key, row.entity));
  if (!observation) return false;
  row.key = key;
  if (key.kind == RecordKind::stray) return true;  // its trace id is ""
  if (trace_id != nullptr) {
    row.trace_id = *trace_id;
    return true;
  }
  TL_TRY_ASSIGN(find, use.prepare("SELECT id FROM trace WHERE container = ?1"));
  find.bind(container);
  TL_TRY_ASSIGN(found, find->step());
  if (!found) return false;
  row.trace_id = index::IndexId::from_column(*find, 0);
  return true;
}

}  // namespace

Result<bool> is_visible(const Snapshot::Use& use, const RecordKey& key) {
  if (key.kind != RecordKind::stray) return true;
  TL_TRY_ASSIGN(find,
                use.prepare("SELECT 1 FROM observation WHERE container = ?1 AND entity = ?2"));
  find->bind(1, static_cast<std::int64_t>(key.container));
  find->bind(2, static_cast<std::int64_t>(key.entity));
  return find->step();
}

Result<bool> read_observation(const store::Transaction& transaction, RecordKey& key,
                              model::Entity& observation, Bytes* record) {
  key.kind = RecordKind::observation;
  TL_TRY_ASSIGN(found, read_record(transaction, key, observation, record));
  if (!found) {
    key.kind = RecordKind::stray;
    return read_record(transaction, key, observation);
  }
  if (observation.has_stray && record != nullptr) *record = {};  // the other one may drive it out
  TL_TRY(join_stray(transaction, observation));
  return true;
}

TraceKey TraceKey::read(const index::Statement& row, int first) {
  TraceKey key;
  key.container = row.integer(first);
  key.time_ns = row.integer(first + 1);
  key.has_record = row.integer(first + 2) != 0;
  if (!row.is_null(first + 3)) key.root = row.integer(first + 3);
  key.sums = index::TraceSums::decode(row.bytes(first + 4), key.time_ns);
  return key;
}

Result<bool> load_trace(const Snapshot::Use& use, const TraceKey& key, Row& row) {
  row.start(Kind::trace, use);
  row.key = {container_number(key.container), RecordKind::header, 0};
  row.time_ns = key.time_ns;
  row.is_derived = !key.has_record;
  TL_TRY_ASSIGN(header, read_record(use.transaction(), row.key, row.entity));
  if (!header) return make_error(Code::corrupt, "a trace of the index has no record; try reindex");
  row.trace_id = row.entity.id;
  if (row.is_derived && key.root) {
    RecordKey root{row.key.container, RecordKind::observation,
                   static_cast<record::EntityKey>(*key.root)};
    TL_TRY_ASSIGN(observation, read_observation(use.transaction(), root, row.root));
    if (!observation) return make_error(Code::corrupt, "the root of a trace is gone; try reindex");
  }
  Accumulator sums;
  sums.add_trace(key.time_ns, key.sums);
  row.aggregate = sums.finish();
  return true;
}

Result<bool> load_trace(const Snapshot::Use& use, std::int64_t container, Row& row) {
  const std::string sql =
      std::string("SELECT ") + TraceKey::kColumns + " FROM trace t WHERE t.container = ?1";
  TL_TRY_ASSIGN(find, use.prepare(sql));
  find.bind(container);
  TL_TRY_ASSIGN(found, find->step());
  return found ? load_trace(use, TraceKey::read(*find, 0), row) : false;
}

Result<bool> load_trace_by_id(const Snapshot::Use& use, Bytes id, Row& row) {
  TL_TRY_ASSIGN(containers,
                record::find_containers(use.transaction(), record::DirectoryKind::trace, id));
  for (const record::ContainerNumber container : containers) {
    TL_TRY_ASSIGN(found, load_trace(use, static_cast<std::int64_t>(container), row));
    if (found && row.entity.id == id) return true;
  }
  return false;
}

Result<bool> load_observation(const Snapshot::Use& use, std::int64_t container, std::int64_t entity,
                              Row& row, const std::string* trace_id) {
  TL_TRY_ASSIGN(found, load_seen_or_not(use, container, entity, row, trace_id));
  return found ? is_visible(use, row.key) : false;
}

Status load_observation(const Snapshot::Use& use, const RecordKey& key, Bytes record,
                        const std::string& trace_id, Row& row) {
  row.start(Kind::observation, use);
  row.key = key;
  row.trace_id = trace_id;
  TL_TRY(model::decode(record, row.entity));
  return join_stray(use.transaction(), row.entity);
}

Result<bool> load_score(const Snapshot::Use& use, std::int64_t container, std::int64_t entity,
                        Row& row) {
  const RecordKey key{container_number(container), RecordKind::score,
                      static_cast<record::EntityKey>(entity)};
  row.start(Kind::score, use);
  TL_TRY_ASSIGN(score, read_record(use.transaction(), key, row.entity));
  if (!score) return false;
  row.key = key;
  row.trace_id = model::view_score(row.entity).trace_id;
  return true;
}

Result<bool> load_again(const Snapshot::Use& use, const Row& row, Row& again) {
  if (use.connection() == nullptr) return false;
  const auto container = static_cast<std::int64_t>(row.key.container);
  const auto entity = static_cast<std::int64_t>(row.key.entity);
  TL_TRY_ASSIGN(found, row.kind == Kind::trace ? load_trace(use, container, again)
                       : row.kind == Kind::score
                           ? load_score(use, container, entity, again)
                           : load_seen_or_not(use, container, entity, again, nullptr));
  return found && again.entity.id == row.entity.id;
}

Result<bool> read_again(const Snapshot::Use& use, Row& row) {
  if (row.kind > Kind::score || row.generation == use.generation()) return true;
  Row again;
  TL_TRY_ASSIGN(found, load_again(use, row, again));
  if (!found) return false;
  TL_TRY_ASSIGN(visible, is_visible(use, again.key));
  if (!visible) return false;
  again.depth = row.depth;
  again.phase = row.phase;
  again.at_ns = row.at_ns;
  again.wait_ns = row.wait_ns;
  row = std::move(again);
  return true;
}

Status load_session(const Snapshot::Use& use, std::int64_t term, Bytes session_id,
                    bool may_have_own, Row& row) {
  row.kind = Kind::session;
  row.entity = model::Entity();
  row.entity.kind = model::EntityKind::session;
  row.entity.id = session_id;
  const EntityReader reader(use.transaction());
  std::optional<record::ContainerNumber> container;
  if (may_have_own) {
    TL_TRY_ASSIGN(found, reader.find_session(session_id));
    container = found;
  }
  if (container) {
    row.key = {*container, RecordKind::header, 0};
    TL_TRY_ASSIGN(header, reader.load(row.key));
    if (header) row.entity = std::move(*header);
    TL_TRY_ASSIGN(count, use.prepare("SELECT count(*) FROM score WHERE container = ?1"));
    count.bind(static_cast<std::int64_t>(*container));
    TL_TRY_ASSIGN(counted, count->step());
    if (counted) row.aggregate.score_count += static_cast<std::uint64_t>(count->integer(0));
  }
  TL_TRY_ASSIGN(first, use.prepare("SELECT coalesce(e.text, 'default') FROM member m "
                                   "CROSS JOIN trace t ON t.container = m.container "
                                   "LEFT JOIN term e ON e.id = t.environment "
                                   "WHERE m.term = ?1 AND m.moment = "
                                   "(SELECT min(moment) FROM member WHERE term = ?1) "
                                   "ORDER BY t.time_ns, t.id LIMIT 1"));
  first.bind(term);
  TL_TRY_ASSIGN(has_trace, first->step());
  if (has_trace) row.environment = first->bytes(0);
  return {};
}

}  // namespace tracelite::query
