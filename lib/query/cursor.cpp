// What all cursors share, and the trace of a row.
#include <algorithm>

#include "query/query.hpp"
#include "record/entity_store.hpp"

namespace tracelite::query {

Result<std::string> Cursor::position() const {
  return make_error(Code::misuse, "only a list has a position, and only after its first row");
}

Result<std::string> Cursor::payload(const model::PayloadView& view) {
  TL_TRY_ASSIGN(use, snapshot_->use());
  return record::EntityReader(use.transaction()).payload(view);
}

Result<std::size_t> Cursor::read_payload(const model::PayloadView& view, std::uint64_t offset,
                                         std::span<char> out) {
  if (view.value.is_stored && view.value.number != 0 && !view.is_tree) {
    TL_TRY_ASSIGN(use, snapshot_->use());
    return payload::PayloadReader(use.transaction()).read_into(view.value.number, offset, out);
  }
  std::string visible;
  Bytes bytes = view.value.bytes;
  if (view.is_tree) {
    TL_TRY_ASSIGN(whole, payload(view));
    visible = std::move(whole);
    bytes = visible;
  }
  if (offset >= bytes.size()) return std::size_t{0};
  bytes = bytes.substr(static_cast<std::size_t>(offset), out.size());
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return bytes.size();
}

void Row::start(Kind new_kind) {
  kind = new_kind;
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
