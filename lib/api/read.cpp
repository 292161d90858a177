// Snapshots, cursors and what they give.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>

#include "api/handles.hpp"
#include "api/values_in.hpp"
#include "api/values_out.hpp"
#include "model/media.hpp"
#include "payload/media_store.hpp"

namespace tracelite::api {

using SnapshotPointer = std::shared_ptr<query::Snapshot>;

Result<SnapshotPointer> snapshot_for(tl_store* store, tl_snapshot* snapshot) {
  if (store == nullptr) return null_argument("store");
  TL_TRY(store->state->usable());
  if (snapshot == nullptr) {
    return query::Snapshot::open(store->state->environment, store->state->readers);
  }
  TL_TRY(snapshot->state->usable());
  if (snapshot->state != store->state) {
    return misuse("the snapshot belongs to another store", "snapshot");
  }
  return snapshot->snapshot;
}

namespace {

Status open_snapshot(tl_store* store, tl_snapshot** snapshot) {
  if (snapshot == nullptr) return null_argument("snapshot");
  *snapshot = nullptr;
  TL_TRY_ASSIGN(opened, snapshot_for(store, nullptr));
  *snapshot = new tl_snapshot{store->state, std::move(opened)};
  return {};
}

// What every function that gives a cursor does around the query itself.
template <class Query>
Status open_cursor(tl_store* store, tl_snapshot* snapshot, bool has_position, tl_cursor** cursor,
                   Query&& query) {
  if (cursor == nullptr) return null_argument("cursor");
  *cursor = nullptr;
  TL_TRY_ASSIGN(view, snapshot_for(store, snapshot));
  TL_TRY_ASSIGN(found, query(std::move(view)));
  auto made = std::make_unique<tl_cursor>();
  made->state = store->state;
  made->cursor = std::move(found);
  made->has_position = has_position;
  *cursor = made.release();
  return {};
}

Status list(tl_store* store, tl_snapshot* snapshot, tl_kind kind, const tl_filter* given,
            tl_order given_order, tl_text after, std::uint64_t limit, tl_cursor** cursor) {
  return open_cursor(store, snapshot, true, cursor,
                     [&](SnapshotPointer view) -> Result<std::unique_ptr<query::Cursor>> {
                       if (kind < TL_KIND_TRACE || kind > TL_KIND_DAY) {
                         return make_error(Code::invalid, "no such kind to list", "kind");
                       }
                       const tl_order by = given_order & ~TL_ORDER_ASCENDING;
                       if (by < TL_ORDER_TIME || by > TL_ORDER_COST) {
                         return make_error(Code::invalid, "no such order", "order");
                       }
                       TL_TRY_ASSIGN(filter, convert(given));
                       const query::ListOrder order{static_cast<query::OrderBy>(by),
                                                    (given_order & TL_ORDER_ASCENDING) != 0};
                       return query::list(std::move(view), static_cast<query::Kind>(kind),
                                          std::move(filter), order, from_text(after), limit);
                     });
}

Status replay(tl_store* store, tl_snapshot* snapshot, tl_text session_id,
              const tl_replay_options* given, tl_cursor** cursor) {
  return open_cursor(
      store, snapshot, false, cursor,
      [&](SnapshotPointer view) -> Result<std::unique_ptr<query::Cursor>> {
        tl_replay_options options{};
        if (given != nullptr && !copy_in(given, options)) return no_struct_size();
        query::ReplayPace pace;
        if (options.speed != 0) pace.speed = options.speed;
        pace.max_gap_ns = options.max_gap_ns;
        if (!(pace.speed > 0) || !std::isfinite(pace.speed)) {
          return make_error(Code::invalid, "speed is a number greater than 0", "speed");
        }
        if (pace.max_gap_ns < 0) {
          return make_error(Code::invalid, "max_gap_ns must not be negative", "max_gap_ns");
        }
        return query::replay(std::move(view), from_text(session_id), pace);
      });
}

Status changes(tl_store* store, std::uint64_t position, const tl_filter* given,
               std::uint64_t* newest, tl_cursor** cursor) {
  if (newest == nullptr) return null_argument("newest");
  *newest = position;
  return open_cursor(store, nullptr, false, cursor,
                     [&](SnapshotPointer view) -> Result<std::unique_ptr<query::Cursor>> {
                       TL_TRY_ASSIGN(filter, convert(given));
                       return query::changes(std::move(view), position, std::move(filter), *newest);
                     });
}

// Shows the row at hand; that of a view renewed since, if it cannot be shown any more as it was.
// False if it is gone.
Result<bool> show_row(tl_cursor& cursor, tl_row& row) {
  for (;;) {
    Status shown = show(*cursor.cursor, cursor.storage, row);
    if (shown) return true;
    if (shown.error().code != Code::expired) return std::move(shown).error();
    TL_TRY_ASSIGN(is_there, cursor.cursor->read_again(cursor.storage.row));
    if (!is_there) return false;
  }
}

// TL_DONE is no failure: it is returned beside the Status.
Status next(tl_cursor* cursor, tl_row* given, bool& done) {
  done = false;
  if (cursor == nullptr) return null_argument("cursor");
  if (given == nullptr) return null_argument("row");
  TL_TRY(cursor->state->usable());
  tl_row row{};
  if (given->struct_size < sizeof(given->struct_size)) return no_struct_size();
  cursor->has_row = false;
  while (!cursor->has_row) {
    row = {};
    TL_TRY_ASSIGN(more, cursor->cursor->next(cursor->storage.row));
    done = !more;
    if (done) break;
    TL_TRY_ASSIGN(shown, show_row(*cursor, row));
    cursor->has_row = shown;
  }
  copy_out(row, given);
  return {};
}

Status position(tl_cursor* cursor, tl_text* position) {
  if (cursor == nullptr) return null_argument("cursor");
  if (position == nullptr) return null_argument("position");
  *position = {};
  TL_TRY(cursor->state->usable());
  if (!cursor->has_position) return misuse("a tree, a replay or a single row has no positions");
  TL_TRY_ASSIGN(text, cursor->cursor->position());
  cursor->position = std::move(text);
  *position = to_text(cursor->position);
  return {};
}

// The payload of a field of the row at hand.
Result<const model::PayloadView*> find_payload(tl_cursor* cursor, tl_field field,
                                               tl_read_mode mode) {
  if (cursor == nullptr) return null_argument("cursor");
  TL_TRY(cursor->state->usable());
  if (!cursor->has_row) return misuse("there is no row: call tl_next first");
  if (mode != TL_READ_AS_GIVEN && mode != TL_READ_AS_STORED) {
    return make_error(Code::invalid, "no such mode of reading", "mode");
  }
  const model::PayloadView* view = payload_of(cursor->storage, field);
  if (view == nullptr) {
    return make_error(Code::invalid, "only input, output and metadata are payloads", "field");
  }
  if (view->value.form == model::Form::absent) {
    return make_error(Code::not_found, "this row has no such payload",
                      std::string(model::field_name(static_cast<model::Field>(field))));
  }
  return view;
}

Status read_payload(tl_cursor* cursor, tl_field field, tl_read_mode mode, std::uint64_t offset,
                    std::span<char> room, std::size_t* size_bytes) {
  if (size_bytes == nullptr) return null_argument("size_bytes");
  *size_bytes = 0;
  if (room.data() == nullptr && !room.empty()) return null_argument("buffer");
  TL_TRY_ASSIGN(view, find_payload(cursor, field, mode));
  TL_TRY_ASSIGN(read_bytes,
                cursor->cursor->read_payload(cursor->storage.row, *view,
                                             static_cast<payload::ReadMode>(mode), offset, room));
  *size_bytes = read_bytes;
  return {};
}

Status payload_size(tl_cursor* cursor, tl_field field, tl_read_mode mode,
                    std::uint64_t* size_bytes) {
  if (size_bytes == nullptr) return null_argument("size_bytes");
  *size_bytes = 0;
  TL_TRY_ASSIGN(view, find_payload(cursor, field, mode));
  TL_TRY_ASSIGN(size, cursor->cursor->payload_size_bytes(cursor->storage.row, *view,
                                                         static_cast<payload::ReadMode>(mode)));
  *size_bytes = size;
  return {};
}

// The first characters of a text, or bytes of anything else.
std::size_t preview_size_bytes(std::string_view text, model::Form form, std::size_t count) {
  if (form != model::Form::json && form != model::Form::text) return std::min(text.size(), count);
  std::size_t characters = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool begins = (static_cast<unsigned char>(text[at]) & 0xc0) != 0x80;
    if (begins && ++characters > count) return at;
  }
  return text.size();
}

Status preview(tl_cursor* cursor, tl_field field, std::uint32_t character_count, tl_text* given) {
  constexpr std::uint32_t kCharacterCount = 200;
  constexpr std::uint64_t kCharacterSizeBytesMax = 4;
  if (given == nullptr) return null_argument("preview");
  *given = {"", 0};
  auto found = find_payload(cursor, field, TL_READ_AS_STORED);
  if (!found) return found.error().code == Code::not_found ? Status() : std::move(found).error();
  const model::PayloadView& view = **found;
  if (view.value.form == model::Form::withheld) return {};
  if (character_count == 0) character_count = kCharacterCount;
  TL_TRY_ASSIGN(whole_size, cursor->cursor->payload_size_bytes(cursor->storage.row, view,
                                                               payload::ReadMode::as_stored));
  std::string& text = cursor->previews[field == TL_FIELD_INPUT    ? 0
                                       : field == TL_FIELD_OUTPUT ? 1
                                                                  : 2];
  text.resize(
      static_cast<std::size_t>(std::min(whole_size, kCharacterSizeBytesMax * character_count)));
  TL_TRY_ASSIGN(size, cursor->cursor->read_payload(cursor->storage.row, view,
                                                   payload::ReadMode::as_stored, 0, text));
  text.resize(preview_size_bytes({text.data(), size}, view.value.form, character_count));
  *given = {text.data(), text.size()};
  return {};
}

Status read_medium(tl_store* store, tl_snapshot* snapshot, tl_text id, std::uint64_t offset,
                   std::span<char> room, std::size_t* size_bytes, tl_medium* given) {
  if (size_bytes == nullptr) return null_argument("size_bytes");
  *size_bytes = 0;
  if (room.data() == nullptr && !room.empty()) return null_argument("buffer");
  if (given != nullptr && given->struct_size < sizeof(given->struct_size)) return no_struct_size();
  TL_TRY_ASSIGN(view, snapshot_for(store, snapshot));
  TL_TRY_ASSIGN(use, view->use());
  TL_TRY_ASSIGN(head,
                payload::find_medium_by_id(use.transaction(), model::media_id_in(from_text(id))));
  if (!head) return make_error(Code::not_found, "there is no such medium", "id");
  if (offset < head->size_bytes) {
    TL_TRY_ASSIGN(read_bytes,
                  payload::PayloadReader(use.transaction()).read_into(head->number, offset, room));
    *size_bytes = read_bytes;
  }
  if (given == nullptr) return {};
  // Of fixed size, as the last error is.
  constinit thread_local char mime[model::kMimeSizeBytesMax] = {};
  const std::size_t mime_size = std::min(head->mime.size(), sizeof mime);
  head->mime.copy(mime, mime_size);
  tl_medium medium{};
  medium.mime = to_text({mime, mime_size});
  medium.size_bytes = head->size_bytes;
  medium.use_count = head->use_count;
  copy_out(medium, given);
  return {};
}

}  // namespace
}  // namespace tracelite::api

namespace api = tracelite::api;

tl_status tl_snapshot_open(tl_store* store, tl_snapshot** snapshot) {
  return api::guarded([&] { return api::open_snapshot(store, snapshot); });
}

void tl_snapshot_close(tl_snapshot* snapshot) { delete snapshot; }

tl_status tl_list(tl_store* store, tl_snapshot* snapshot, tl_kind kind, const tl_filter* filter,
                  tl_order order, tl_text after, uint64_t limit, tl_cursor** cursor) {
  return api::guarded(
      [&] { return api::list(store, snapshot, kind, filter, order, after, limit, cursor); });
}

tl_status tl_tree(tl_store* store, tl_snapshot* snapshot, tl_text trace_id, tl_cursor** cursor) {
  return api::guarded([&] {
    return api::open_cursor(store, snapshot, false, cursor, [&](api::SnapshotPointer view) {
      return tracelite::query::tree(std::move(view), api::from_text(trace_id));
    });
  });
}

tl_status tl_replay(tl_store* store, tl_snapshot* snapshot, tl_text session_id,
                    const tl_replay_options* options, tl_cursor** cursor) {
  return api::guarded([&] { return api::replay(store, snapshot, session_id, options, cursor); });
}

tl_status tl_get(tl_store* store, tl_snapshot* snapshot, tl_kind kind, tl_text trace_id, tl_text id,
                 tl_cursor** cursor) {
  return api::guarded([&] {
    return api::open_cursor(
        store, snapshot, false, cursor,
        [&](api::SnapshotPointer view)
            -> tracelite::Result<std::unique_ptr<tracelite::query::Cursor>> {
          if (kind < TL_KIND_TRACE || kind > TL_KIND_MODEL) {
            return tracelite::make_error(tracelite::Code::invalid, "no such kind", "kind");
          }
          return tracelite::query::get(std::move(view), static_cast<tracelite::query::Kind>(kind),
                                       api::from_text(trace_id), api::from_text(id));
        });
  });
}

tl_status tl_changes(tl_store* store, uint64_t position, const tl_filter* filter, uint64_t* newest,
                     tl_cursor** cursor) {
  return api::guarded([&] { return api::changes(store, position, filter, newest, cursor); });
}

tl_status tl_next(tl_cursor* cursor, tl_row* row) {
  bool done = false;
  const tl_status status = api::guarded([&] { return api::next(cursor, row, done); });
  return status == TL_OK && done ? TL_DONE : status;
}

tl_status tl_cursor_cancel(tl_cursor* cursor) {
  return api::guarded([&]() -> tracelite::Status {
    if (cursor == nullptr) return api::null_argument("cursor");
    TL_TRY(cursor->state->usable());
    cursor->cursor->cancel();
    return {};
  });
}

tl_status tl_position(tl_cursor* cursor, tl_text* position) {
  return api::guarded([&] { return api::position(cursor, position); });
}

void tl_cursor_close(tl_cursor* cursor) { delete cursor; }

tl_status tl_payload_read(tl_cursor* cursor, tl_field field, tl_read_mode mode, uint64_t offset,
                          void* buffer, size_t capacity_bytes, size_t* size_bytes) {
  return api::guarded([&] {
    return api::read_payload(cursor, field, mode, offset,
                             {static_cast<char*>(buffer), capacity_bytes}, size_bytes);
  });
}

tl_status tl_preview(tl_cursor* cursor, tl_field field, uint32_t character_count,
                     tl_text* preview) {
  return api::guarded([&] { return api::preview(cursor, field, character_count, preview); });
}

tl_status tl_payload_size(tl_cursor* cursor, tl_field field, tl_read_mode mode,
                          uint64_t* size_bytes) {
  return api::guarded([&] { return api::payload_size(cursor, field, mode, size_bytes); });
}

tl_status tl_media_read(tl_store* store, tl_snapshot* snapshot, tl_text id, uint64_t offset,
                        void* buffer, size_t capacity_bytes, size_t* size_bytes,
                        tl_medium* medium) {
  return api::guarded([&] {
    return api::read_medium(store, snapshot, id, offset,
                            {static_cast<char*>(buffer), capacity_bytes}, size_bytes, medium);
  });
}
