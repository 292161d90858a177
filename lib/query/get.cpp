// One entity by its id, as a cursor with one row.
#include "query/list.hpp"
#include "query/rows.hpp"
#include "record/entity_store.hpp"

namespace tracelite::query {
namespace {

using record::EntityReader;
using record::Found;
using record::RecordKey;
using record::RecordKind;

class OneRowCursor : public Cursor {
 public:
  OneRowCursor(std::shared_ptr<Snapshot> snapshot, Row row)
      : Cursor(std::move(snapshot)), row_(std::move(row)) {}

  Result<bool> next(Row& row) override {
    if (is_given_) return false;
    is_given_ = true;
    row = std::move(row_);
    return true;
  }

 private:
  Row row_;
  bool is_given_ = false;
};

Error missing(const char* what, Bytes id) {
  return make_error(Code::not_found, std::string("there is no ") + what + " " + std::string(id),
                    "id");
}

std::int64_t to_integer(std::uint64_t number) { return static_cast<std::int64_t>(number); }

Result<Row> get_trace(const Snapshot::Use& use, Bytes id) {
  Row row;
  TL_TRY_ASSIGN(found, load_trace_by_id(use, id, row));
  if (!found) return missing("trace", id);
  return row;
}

// Where an observation with this id is visible.
Result<std::vector<RecordKey>> find_visible(const Snapshot::Use& use, Bytes trace_id, Bytes id) {
  const EntityReader reader(use.transaction());
  std::vector<RecordKey> keys;
  const auto add = [&](const std::optional<Found>& found) -> Status {
    if (!found) return {};
    for (const RecordKey& key : keys) {
      if (key.container == found->key.container && key.entity == found->key.entity) return {};
    }
    TL_TRY_ASSIGN(visible, is_visible(use, found->key));
    if (visible) keys.push_back(found->key);
    return {};
  };
  if (trace_id.empty()) {
    TL_TRY_ASSIGN(all, reader.find_observations(id));
    for (Found& one : all) TL_TRY(add(std::move(one)));
    TL_TRY_ASSIGN(stray, reader.find_stray(id));
    TL_TRY(add(stray));
    return keys;
  }
  TL_TRY_ASSIGN(container, reader.find_trace(trace_id));
  if (!container) return keys;
  for (const RecordKind kind : {RecordKind::observation, RecordKind::stray}) {
    TL_TRY_ASSIGN(found, reader.find(*container, kind, id));
    TL_TRY(add(found));
  }
  return keys;
}

Result<Row> get_observation(const Snapshot::Use& use, Bytes trace_id, Bytes id) {
  TL_TRY_ASSIGN(keys, find_visible(use, trace_id, id));
  if (keys.empty()) return missing("observation", id);
  if (keys.size() > 1) {
    return make_error(Code::invalid,
                      "observation " + std::string(id) + " is in " + std::to_string(keys.size()) +
                          " traces: say in which",
                      "trace_id");
  }
  Row row;
  TL_TRY_ASSIGN(found, load_observation(use, to_integer(keys.front().container),
                                        to_integer(keys.front().entity), row));
  if (!found) return missing("observation", id);
  return row;
}

Result<Row> get_score(const Snapshot::Use& use, Bytes id) {
  TL_TRY_ASSIGN(found, EntityReader(use.transaction()).find_score(id));
  if (!found) return missing("score", id);
  Row row;
  TL_TRY_ASSIGN(loaded, load_score(use, to_integer(found->key.container),
                                   to_integer(found->key.entity), row));
  if (!loaded) return missing("score", id);
  return row;
}

Result<Row> get_row(Snapshot& snapshot, Kind kind, Bytes trace_id, Bytes id) {
  if (kind > Kind::score) return group_by_key(snapshot, kind, id);
  TL_TRY_ASSIGN(use, snapshot.use());
  if (use.connection() == nullptr) return make_error(Code::not_found, "nothing is recorded", "id");
  if (kind == Kind::trace) return get_trace(use, id);
  if (kind == Kind::observation) return get_observation(use, trace_id, id);
  return get_score(use, id);
}

}  // namespace

Result<std::unique_ptr<Cursor>> get(std::shared_ptr<Snapshot> snapshot, Kind kind, Bytes trace_id,
                                    Bytes id) {
  if (kind < Kind::trace || kind > Kind::model) {
    return make_error(Code::invalid, "there is no such kind", "kind");
  }
  TL_TRY_ASSIGN(row, get_row(*snapshot, kind, trace_id, id));
  return std::unique_ptr<Cursor>(
      std::make_unique<OneRowCursor>(std::move(snapshot), std::move(row)));
}

}  // namespace tracelite::query
