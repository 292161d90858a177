// What all cursors share, and the trace of a row.
#include <algorithm>

#include "query/query.hpp"
#include "query/rows.hpp"
#include "record/entity_store.hpp"

namespace tracelite::query {
namespace {

// Who wrote a payload of an entity. Null: it has no such payload.
const model::Order* writer_of(const model::PayloadView& view, const model::Entity& entity) {
  for (const model::Register& reg : entity.registers) {
    if (!model::is_payload(reg.field) || reg.cleared() || reg.tree() != view.is_tree) continue;
    if (model::PayloadValue::decode(reg.value) == view.value) return &entity.order_of(reg);
  }
  return nullptr;
}

bool is_same(const model::PayloadView& view, const model::Entity& before,
             const model::Entity& now) {
  const model::Order* writer = writer_of(view, before);
  const model::Order* writer_now = writer_of(view, now);
  return writer != nullptr && writer_now != nullptr && *writer == *writer_now;
}

// That the payload is what it was in the view that the row was read in: numbers of payloads are
// used again.
Status check_unchanged(const Snapshot::Use& use, const Row& row, const model::PayloadView& view) {
  if (row.generation == use.generation()) return {};
  if (!view.value.is_stored && !view.value.has_media()) return {};
  Row now;
  TL_TRY_ASSIGN(found, load_again(use, row, now));
  if (found && (is_same(view, row.entity, now.entity) || is_same(view, row.root, now.root))) {
    return {};
  }
  return make_error(Code::expired,
                    "this snapshot was given up for the file to grow, and the payload was deleted "
                    "or written anew since; read the row again");
}

}  // namespace

Result<std::string> Cursor::position() const {
  return make_error(Code::misuse, "only a list has a position, and only after its first row");
}

Result<Snapshot::Use> Cursor::use() {
  if (cancelled_) return make_error(Code::cancelled, "this walk over rows was cancelled");
  TL_TRY_ASSIGN(use, snapshot_->use());
  use.watch(cancelled_);
  return use;
}

Result<bool> Cursor::read_again(Row& row) {
  TL_TRY_ASSIGN(use, snapshot_->use());
  return query::read_again(use, row);
}

Result<std::string> Cursor::payload(const Row& row, const model::PayloadView& view,
                                    payload::ReadMode mode) {
  TL_TRY_ASSIGN(use, snapshot_->use());
  TL_TRY(check_unchanged(use, row, view));
  return record::EntityReader(use.transaction()).payload(view, mode);
}

Result<std::size_t> Cursor::read_payload(const Row& row, const model::PayloadView& view,
                                         payload::ReadMode mode, std::uint64_t offset,
                                         std::span<char> out) {
  const bool is_in_record = !view.value.is_stored && !view.value.has_media();
  if (is_in_record && !view.is_tree) {
    if (offset >= view.value.bytes.size()) return std::size_t{0};
    return view.value.bytes.copy(out.data(), out.size(), static_cast<std::size_t>(offset));
  }
  if (!view.is_tree) {
    TL_TRY_ASSIGN(use, snapshot_->use());
    TL_TRY(check_unchanged(use, row, view));
    return payload::ValueReader(use.transaction()).read_into(view.value, mode, offset, out);
  }
  TL_TRY_ASSIGN(visible, payload(row, view, mode));
  if (offset >= visible.size()) return std::size_t{0};
  return visible.copy(out.data(), out.size(), static_cast<std::size_t>(offset));
}

Result<std::uint64_t> Cursor::payload_size_bytes(const Row& row, const model::PayloadView& view,
                                                 payload::ReadMode mode) {
  if (!view.is_tree) return payload::ValueReader::size_bytes(view.value, mode);
  TL_TRY_ASSIGN(visible, payload(row, view, mode));
  return std::uint64_t{visible.size()};
}

void Row::start(Kind new_kind, const Snapshot::Use& use) {
  kind = new_kind;
  generation = use.generation();
  trace_id.clear();
  key = {};
  if (!root.orders.empty()) root = {};
  is_derived = false;
  time_ns = 0;
  environment.clear();
  aggregate = {};
  depth = 0;
  phase = Phase::none;
  at_ns = wait_ns = 0;
}

model::TraceView Row::trace() const {
  model::TraceView view = model::view_trace(entity);
  if (is_derived && !root.orders.empty()) {
    const model::ObservationView from = model::view_observation(root);
    view.name = from.name;
    view.environment = from.environment;
    view.input = from.input;
    view.output = from.output;
  }
  if (is_derived || !view.timestamp_ns) view.timestamp_ns = time_ns;
  return view;
}

}  // namespace tracelite::query
