// The walk of an export: traces by time, each with its observations and scores; then the scores and
// flags of sessions.
#include "exchange/export_file.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "exchange/langfuse_export.hpp"
#include "record/entity_store.hpp"
#include "record/records.hpp"

namespace tracelite::exchange {
namespace {

using model::Entity;
using query::Snapshot;
using record::EntityReader;
using record::RecordKind;

constexpr std::size_t kWriteSizeBytes = 1 << 20;

// One line to be: an entity with what orders it.
struct Item {
  std::int64_t time_ns = 0;
  record::RecordKey key;
  Entity entity;
};

// The item as it is by now, if the view was renewed since its generation `read_in`. False if it is
// gone.
Result<bool> read_again(const Snapshot::Use& use, std::uint64_t read_in, Item& item) {
  if (use.generation() == read_in) return true;
  query::Row row;
  row.kind = item.key.kind == RecordKind::score ? query::Kind::score : query::Kind::observation;
  row.generation = read_in;
  row.key = item.key;
  row.entity = std::move(item.entity);
  TL_TRY_ASSIGN(is_there, query::read_again(use, row));
  if (!is_there) return false;
  item.key = row.key;
  item.entity = std::move(row.entity);
  return true;
}

// Adds the observations (or scores, or trace-less observations) of a trace, in the order of time
// and id.
Status read_members(const EntityReader& reader, record::ContainerNumber container, RecordKind kind,
                    std::vector<Item>& items) {
  const auto first = static_cast<std::ptrdiff_t>(items.size());
  record::RecordCursor cursor(reader.transaction());
  TL_TRY_ASSIGN(more, cursor.seek({container, kind, 0}));
  while (more) {
    const record::RecordKey key = cursor.key();
    if (key.container != container || key.kind != kind) break;
    TL_TRY_ASSIGN(decoded, model::decode(cursor.record()));
    bool visible = true;
    if (kind == RecordKind::observation) {
      TL_TRY_ASSIGN(whole, reader.with_stray(std::move(decoded)));
      decoded = std::move(whole);
    } else if (kind == RecordKind::stray) {
      TL_TRY_ASSIGN(named, reader.find_observations(decoded.id));
      visible = named.empty();
    }
    if (visible) {
      const std::int64_t time_ns = kind == RecordKind::score
                                       ? model::view_score(decoded).timestamp_ns
                                       : model::view_observation(decoded).start_ns;
      items.push_back({time_ns, key, std::move(decoded)});
    }
    TL_TRY_ASSIGN(again, cursor.next());
    more = again;
  }
  std::sort(items.begin() + first, items.end(), [](const Item& a, const Item& b) {
    return std::tie(a.time_ns, a.entity.id) < std::tie(b.time_ns, b.entity.id);
  });
  return {};
}

class Exporter {
 public:
  Exporter(std::shared_ptr<Snapshot> snapshot, const WriteFunction& write)
      : snapshot_(std::move(snapshot)), write_(write) {}

  // Of a row that has gone in a view that was renewed since, nothing is written.
  Status trace(query::Row& row);
  Status entity(query::Row& row);
  Status finish() { return write_out(0); }

 private:
  Status members(std::optional<Snapshot::Use>& use, const query::Row& trace);
  Status append(const EntityReader& reader, const Entity& entity, Bytes trace_id);
  Status write_out(std::size_t from_size_bytes);
  Status write_between(std::optional<Snapshot::Use>& use);

  std::shared_ptr<Snapshot> snapshot_;
  const WriteFunction& write_;
  std::string out_;
};

Status Exporter::write_out(std::size_t from_size_bytes) {
  if (out_.size() <= from_size_bytes) return {};
  if (!write_(out_)) return make_error(Code::cancelled, "the export was stopped by its writer");
  out_.clear();
  return {};
}

// In the middle of a trace. Whoever takes the output may read the snapshot, or make it expire: so
// the use ends before, and the view may be another one behind.
Status Exporter::write_between(std::optional<Snapshot::Use>& use) {
  if (out_.size() <= kWriteSizeBytes) return {};
  use.reset();
  TL_TRY(write_out(kWriteSizeBytes));
  TL_TRY_ASSIGN(again, snapshot_->use());
  use.emplace(std::move(again));
  return {};
}

Status Exporter::append(const EntityReader& reader, const Entity& entity, Bytes trace_id) {
  const PayloadLoader load = [&](const model::PayloadView& view) { return reader.payload(view); };
  return append_event(entity, trace_id, load, out_);
}

// All of them are looked up in one view, so that none is missed that becomes one of another kind.
Status Exporter::members(std::optional<Snapshot::Use>& use, const query::Row& trace) {
  const std::uint64_t read_in = use->generation();
  std::vector<Item> items;
  for (const RecordKind kind : {RecordKind::observation, RecordKind::stray, RecordKind::score}) {
    TL_TRY(read_members(EntityReader(use->transaction()), trace.key.container, kind, items));
  }
  for (Item& item : items) {
    TL_TRY(write_between(use));
    TL_TRY_ASSIGN(is_there, read_again(*use, read_in, item));
    if (!is_there) continue;
    const Bytes trace_id = item.key.kind == RecordKind::stray ? Bytes() : Bytes(trace.entity.id);
    TL_TRY(append(EntityReader(use->transaction()), item.entity, trace_id));
  }
  return {};
}

Status Exporter::trace(query::Row& row) {
  {
    TL_TRY_ASSIGN(begun, snapshot_->use());
    std::optional<Snapshot::Use> use(std::move(begun));
    TL_TRY_ASSIGN(is_there, query::read_again(*use, row));
    if (!is_there) return {};
    TL_TRY(append(EntityReader(use->transaction()), row.entity, row.entity.id));
    TL_TRY(members(use, row));
  }
  return write_out(kWriteSizeBytes);
}

Status Exporter::entity(query::Row& row) {
  {
    TL_TRY_ASSIGN(use, snapshot_->use());
    TL_TRY_ASSIGN(is_there, query::read_again(use, row));
    if (!is_there) return {};
    TL_TRY(append(EntityReader(use.transaction()), row.entity, {}));
  }
  return write_out(kWriteSizeBytes);
}

// True if the score is written with its trace: it has one that can be seen.
Result<bool> belongs_to_trace(const std::shared_ptr<Snapshot>& snapshot, const Entity& score) {
  const model::ScoreView view = model::view_score(score);
  if (view.subject_kind == model::SubjectKind::session) return false;
  auto trace = query::get(snapshot, query::Kind::trace, {}, view.trace_id);
  if (!trace && trace.error().code != Code::not_found) return std::move(trace).error();
  return trace.ok();
}

}  // namespace

Status export_langfuse(const std::shared_ptr<query::Snapshot>& snapshot,
                       const query::Filter& filter, const WriteFunction& write,
                       const ExportProgress& progress) {
  Exporter exporter(snapshot, write);
  const query::ListOrder by_time{query::OrderBy::time, true};
  query::Row row;
  TL_TRY_ASSIGN(traces, query::list(snapshot, query::Kind::trace, filter, by_time, {}, 0));
  for (std::uint64_t done = 1;; ++done) {
    TL_TRY_ASSIGN(more, traces->next(row));
    if (!more) break;
    TL_TRY(exporter.trace(row));
    if (progress && progress(done)) return make_error(Code::cancelled, "the export was cancelled");
  }
  TL_TRY_ASSIGN(scores, query::list(snapshot, query::Kind::score, filter, by_time, {}, 0));
  while (true) {
    TL_TRY_ASSIGN(more, scores->next(row));
    if (!more) break;
    TL_TRY_ASSIGN(written, belongs_to_trace(snapshot, row.entity));
    if (!written) TL_TRY(exporter.entity(row));
  }
  const query::ListOrder by_id{query::OrderBy::name, true};
  TL_TRY_ASSIGN(sessions, query::list(snapshot, query::Kind::session, filter, by_id, {}, 0));
  while (true) {
    TL_TRY_ASSIGN(more, sessions->next(row));
    if (!more) break;
    if (!row.entity.orders.empty()) TL_TRY(exporter.entity(row));
  }
  return exporter.finish();
}

}  // namespace tracelite::exchange
