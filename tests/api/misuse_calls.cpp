// Calls of every C function with arguments that are right, and what makes one of these wrong.
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <utility>

#include "api/misuse.hpp"

namespace tracelite::api::test::misuse {
namespace {

// Something of everything.
void fill(const Store& store) {
  const std::string medium = "\"data:image/png;base64," + std::string(400, 'A') + "\"";
  for (const char* id : {"t", "u", "v"}) {
    Pointed<tl_trace> trace;
    trace.value.id = tl_str(id);
    trace.value.set_mask =
        TL_BIT(TL_FIELD_SESSION_ID) | TL_BIT(TL_FIELD_TIMESTAMP) | TL_BIT(TL_FIELD_INPUT);
    trace.value.session_id = tl_str("s");
    trace.value.timestamp_ns = *id;
    trace.value.input = tl_json(medium.c_str());
    must(tl_put_trace(store.get(), &trace.value));
  }
  for (const char* id : {"o", "p"}) {
    Pointed<tl_observation> observation;
    observation.value.id = tl_str(id);
    observation.value.trace_id = tl_str("t");
    must(tl_put_observation(store.get(), &observation.value));
  }
  store.flush();
}

std::string medium_in(const Store& store) {
  Rows rows(get(store, TL_KIND_TRACE, {}, "t"));
  BOOST_REQUIRE(rows.next());
  char stored[1000];
  std::size_t size = 0;
  must(tl_payload_read(rows.get(), TL_FIELD_INPUT, TL_READ_AS_STORED, 0, stored, sizeof stored,
                       &size));
  const std::string_view text(stored, size);
  const std::size_t begin = text.find("@@@");
  BOOST_REQUIRE(begin != std::string_view::npos);
  return std::string(text.substr(begin, text.rfind("@@@") + 3 - begin));
}

}  // namespace

Scene::Scene(const Folder& its_folder, const std::string& name)
    : folder(its_folder), path(folder.file(name)), store(path) {
  if (count(store, TL_KIND_TRACE) == 0) fill(store);
  medium = medium_in(store);
}

// ------------------------------------------------------------------------------ right arguments

Arguments::Arguments(const Scene& scene, std::string_view function)
    : store(scene.store.get()),
      path_text(scene.path),
      new_path_text(scene.folder.file("salvaged.tl")),
      position(scene.store.statistics().commit_number) {
  must(tl_begin(store, nullptr, nullptr, &span));
  must(tl_begin(store, nullptr, nullptr, &parent));
  must(tl_snapshot_open(store, &snapshot));
  cursor = list(scene.store, TL_KIND_TRACE);
  must(tl_next(cursor, row.pointer));
  if (function == "tl_close") {
    must(tl_open(scene.path.c_str(), nullptr, &own_store));
    store = own_store;
  } else if (function == "tl_backup") {
    path_text = scene.folder.file("backup.tl");
    std::filesystem::remove(path_text);
  } else if (function == "tl_salvage") {
    path_text = scene.folder.file("closed.tl");
    std::filesystem::remove(new_path_text);
  } else if (function == "tl_media_read") {
    id = text_of(scene.medium);
  } else if (function == "tl_wait") {
    position = 0;
  }
  path = path_text.c_str();
  new_path = new_path_text.c_str();
  trace.value.id = tl_str("made");
  observation.value.id = tl_str("made");
  score.value.id = tl_str("made");
  score.value.trace_id = tl_str("t");
  score.value.name = tl_str("grade");
  score.value.value = 1;
  score.value.set_mask = TL_BIT(TL_FIELD_NAME) | TL_BIT(TL_FIELD_VALUE);
  session.value.id = tl_str("s");
  session.value.set_mask = TL_BIT(TL_FIELD_PUBLIC);
  filter.value.trace_id = tl_str("nobody");
  read_fn = [](void*, void*, std::size_t) -> std::int64_t { return 0; };
  write_fn = [](void*, const void*, std::size_t) -> std::int32_t { return 0; };
  outcome_fn = [](void*, const tl_outcome*) {};
  progress = [](void*, std::uint64_t, std::uint64_t) -> std::int32_t { return 0; };
  line = [](void*, tl_text, tl_text, std::uint64_t) {};
  finding = [](void*, tl_text, tl_text) {};
}

Arguments::~Arguments() {
  free_outputs();
  tl_cursor_close(cursor);
  tl_snapshot_close(snapshot);
  tl_end(parent, nullptr);
  tl_end(span, nullptr);
  tl_close(own_store, UINT32_MAX, nullptr);
}

void Arguments::free_outputs() {
  tl_cursor_close(std::exchange(opened_cursor.value, nullptr));
  tl_snapshot_close(std::exchange(opened_snapshot.value, nullptr));
  tl_end(std::exchange(begun_span.value, nullptr), nullptr);
  tl_close(std::exchange(opened_store.value, nullptr), UINT32_MAX, nullptr);
}

bool Arguments::gave_nothing() const {
  return opened_cursor.value == nullptr && opened_snapshot.value == nullptr &&
         begun_span.value == nullptr && opened_store.value == nullptr;
}

// ------------------------------------------------------------------------------ wrong arguments

namespace {

using Change = std::function<void(Arguments&, Arguments*)>;
using Changes = std::map<How, Change>;

template <class Value>
Changes pointer(Pointed<Value> Arguments::*member) {
  return {{How::null, [=](Arguments& own, Arguments*) { (own.*member).pointer = nullptr; }}};
}
template <class Struct>
Changes sized(Pointed<Struct> Arguments::*member) {
  Changes changes = pointer(member);
  changes[How::no_size] = [=](Arguments& own, Arguments*) { (own.*member).value.struct_size = 0; };
  return changes;
}
// Of a function or a buffer.
template <class Pointer>
Changes address(Pointer Arguments::*member) {
  return {{How::null, [=](Arguments& own, Arguments*) { own.*member = nullptr; }}};
}
// The handles are exchanged, so that each is freed once. An own handle that NULL stands for goes.
template <class Handle>
Changes handle(Handle* Arguments::*member, void (*free_it)(Handle*)) {
  const Change exchange = [=](Arguments& own, Arguments* stranger) {
    std::swap(own.*member, stranger->*member);
  };
  return {{How::null,
           [=](Arguments& own, Arguments*) { free_it(std::exchange(own.*member, nullptr)); }},
          {How::closed, exchange},
          {How::other, exchange},
          {How::forked, exchange}};
}
Changes choice(std::int32_t Arguments::*member, std::int32_t least, std::int32_t greatest) {
  return {{How::low, [=](Arguments& own, Arguments*) { own.*member = least - 1; }},
          {How::high, [=](Arguments& own, Arguments*) { own.*member = greatest + 1; }}};
}
Changes words(tl_text Arguments::*member) {
  return {{How::absent, [=](Arguments& own, Arguments*) { own.*member = {}; }},
          {How::no_data, [=](Arguments& own, Arguments*) {
             own.*member = {nullptr, 1};
           }}};
}
Changes file(const char* Arguments::*member) {
  return {{How::null, [=](Arguments& own, Arguments*) { own.*member = nullptr; }},
          {How::empty, [=](Arguments& own, Arguments*) { own.*member = ""; }}};
}
// What belongs to a store is not given beside another one.
Changes open_file() {
  const auto give = [](Arguments& own, Arguments* stranger) {
    if (stranger != nullptr) std::swap(own.own_store, stranger->own_store);
    own.store = stranger == nullptr        ? nullptr
                : own.own_store != nullptr ? own.own_store
                                           : stranger->store;
    tl_snapshot_close(std::exchange(own.snapshot, nullptr));
    tl_end(std::exchange(own.parent, nullptr), nullptr);
  };
  return {{How::null, give}, {How::forked, give}};
}

const std::map<std::string_view, Changes>& all_changes() {
  using A = Arguments;
  const auto end = [](tl_span* span) { (void)tl_end(span, nullptr); };
  static const std::map<std::string_view, Changes> all = {
      {"tl_store *store", open_file()},
      {"tl_span *span", handle<tl_span>(&A::span, end)},
      {"const tl_span *span", handle<tl_span>(&A::span, end)},
      {"tl_span *parent", handle<tl_span>(&A::parent, end)},
      {"tl_snapshot *snapshot", handle<tl_snapshot>(&A::snapshot, tl_snapshot_close)},
      {"tl_cursor *cursor", handle<tl_cursor>(&A::cursor, tl_cursor_close)},
      {"tl_store **store", pointer(&A::opened_store)},
      {"tl_span **span", pointer(&A::begun_span)},
      {"tl_snapshot **snapshot", pointer(&A::opened_snapshot)},
      {"tl_cursor **cursor", pointer(&A::opened_cursor)},
      {"const char *path", file(&A::path)},
      {"const char *new_path", file(&A::new_path)},
      {"const tl_options *options", sized(&A::options)},
      {"const tl_replay_options *options", sized(&A::replay_options)},
      {"const tl_trace *trace", sized(&A::trace)},
      {"const tl_observation *observation", sized(&A::observation)},
      {"const tl_score *score", sized(&A::score)},
      {"const tl_session *session", sized(&A::session)},
      {"const tl_filter *filter", sized(&A::filter)},
      {"tl_row *row", sized(&A::row)},
      {"tl_medium *medium", sized(&A::medium)},
      {"tl_statistics *statistics", sized(&A::statistics)},
      {"tl_close_report *report", sized(&A::close_report)},
      {"tl_import_report *report", sized(&A::import_report)},
      {"tl_delete_report *report", sized(&A::delete_report)},
      {"tl_salvage_report *report", sized(&A::salvage_report)},
      {"tl_field field", choice(&A::field, 0, TL_FIELD_OBSERVATION_ID)},
      {"tl_format format", choice(&A::format, TL_FORMAT_LANGFUSE, TL_FORMAT_LANGFUSE)},
      {"tl_kind kind", choice(&A::kind, TL_KIND_TRACE, TL_KIND_DAY)},
      {"tl_order order", choice(&A::order, TL_ORDER_TIME, TL_ORDER_COST)},
      {"tl_read_mode mode", choice(&A::mode, TL_READ_AS_GIVEN, TL_READ_AS_STORED)},
      {"tl_reason reason", choice(&A::reason, TL_REASON_NONE, TL_REASON_COUNT - 1)},
      {"tl_status status", choice(&A::status, TL_OK, TL_EXPIRED)},
      {"tl_text text", words(&A::text)},
      {"tl_text after", words(&A::after)},
      {"tl_text trace_id", words(&A::trace_id)},
      {"tl_text session_id", words(&A::session_id)},
      {"tl_text id", words(&A::id)},
      {"tl_text *position", pointer(&A::position_text)},
      {"tl_text *preview", pointer(&A::preview)},
      {"tl_text *trace_id", pointer(&A::found_trace_id)},
      {"tl_text *observation_id", pointer(&A::found_observation_id)},
      {"uint64_t *position", pointer(&A::position_number)},
      {"uint64_t *newest", pointer(&A::newest)},
      {"uint64_t *count", pointer(&A::count)},
      {"uint64_t *size_bytes", pointer(&A::whole_size_bytes)},
      {"size_t *size_bytes", pointer(&A::size_bytes)},
      {"void *buffer", address(&A::buffer)},
      {"tl_read_fn read_fn", address(&A::read_fn)},
      {"tl_write_fn write_fn", address(&A::write_fn)},
      {"tl_outcome_fn outcome_fn", address(&A::outcome_fn)},
      {"tl_progress_fn progress", address(&A::progress)},
      {"tl_space_fn line", address(&A::line)},
      {"tl_finding_fn finding", address(&A::finding)},
  };
  return all;
}

}  // namespace

bool spoil(Arguments& arguments, std::string_view parameter, How how, Arguments* stranger) {
  const auto changes = all_changes().find(parameter);
  if (changes == all_changes().end()) return false;
  const auto change = changes->second.find(how);
  if (change == changes->second.end()) return false;
  change->second(arguments, stranger);
  return true;
}

// ------------------------------------------------------------------------------ calls

namespace {

tl_status close(Arguments& a) {
  const tl_status status = tl_close(a.store, 1000, a.close_report.pointer);
  if (status != TL_MISUSE) a.own_store = nullptr;
  return status;
}

tl_status name_of(const char* name) { return name == nullptr ? TL_INVALID : TL_OK; }

}  // namespace

std::span<const Function> functions() {
  using A = Arguments;
  static constexpr Function all[] = {
      {"tl_open", [](A& a) { return tl_open(a.path, a.options.pointer, a.opened_store.pointer); },
       TL_OK},
      {"tl_flush", [](A& a) { return tl_flush(a.store, UINT32_MAX, a.position_number.pointer); },
       TL_OK},
      {"tl_drop_when_full",
       [](A&) -> tl_status {
         tl_drop_when_full(0);
         return TL_OK;
       },
       TL_OK, false},
      {"tl_close", close, kFreed},
      {"tl_put_trace", [](A& a) { return tl_put_trace(a.store, a.trace.pointer); }, TL_OK},
      {"tl_put_observation",
       [](A& a) { return tl_put_observation(a.store, a.observation.pointer); }, TL_OK},
      {"tl_put_score", [](A& a) { return tl_put_score(a.store, a.score.pointer); }, TL_OK},
      {"tl_put_session", [](A& a) { return tl_put_session(a.store, a.session.pointer); }, TL_OK},
      {"tl_begin",
       [](A& a) {
         return tl_begin(a.store, a.parent, a.observation.pointer, a.begun_span.pointer);
       },
       TL_OK},
      {"tl_update", [](A& a) { return tl_update(a.span, a.observation.pointer); }, TL_OK},
      {"tl_append", [](A& a) { return tl_append(a.span, a.field, a.text); }, TL_OK},
      {"tl_end", [](A& a) { return tl_end(std::exchange(a.span, nullptr), a.observation.pointer); },
       kFreed},
      {"tl_span_ids",
       [](A& a) {
         return tl_span_ids(a.span, a.found_trace_id.pointer, a.found_observation_id.pointer);
       },
       TL_OK},
      {"tl_import",
       [](A& a) {
         return tl_import(a.store, a.format, a.read_fn, nullptr, a.outcome_fn, nullptr, a.progress,
                          nullptr, a.import_report.pointer);
       },
       TL_OK},
      {"tl_export",
       [](A& a) {
         return tl_export(a.store, a.snapshot, a.filter.pointer, a.format, a.write_fn, nullptr,
                          a.progress, nullptr);
       },
       TL_OK},
      {"tl_snapshot_open",
       [](A& a) { return tl_snapshot_open(a.store, a.opened_snapshot.pointer); }, TL_OK},
      {"tl_snapshot_close",
       [](A& a) -> tl_status {
         tl_snapshot_close(std::exchange(a.snapshot, nullptr));
         return TL_OK;
       },
       kFreed, false},
      {"tl_list",
       [](A& a) {
         return tl_list(a.store, a.snapshot, a.kind, a.filter.pointer, a.order, a.after, 0,
                        a.opened_cursor.pointer);
       },
       TL_OK},
      {"tl_tree",
       [](A& a) { return tl_tree(a.store, a.snapshot, a.trace_id, a.opened_cursor.pointer); },
       TL_OK},
      {"tl_replay",
       [](A& a) {
         return tl_replay(a.store, a.snapshot, a.session_id, a.replay_options.pointer,
                          a.opened_cursor.pointer);
       },
       TL_OK},
      {"tl_next", [](A& a) { return tl_next(a.cursor, a.row.pointer); }, TL_OK},
      {"tl_cursor_cancel", [](A& a) { return tl_cursor_cancel(a.cursor); }, TL_OK},
      {"tl_position", [](A& a) { return tl_position(a.cursor, a.position_text.pointer); }, TL_OK},
      {"tl_cursor_close",
       [](A& a) -> tl_status {
         tl_cursor_close(std::exchange(a.cursor, nullptr));
         return TL_OK;
       },
       kFreed, false},
      {"tl_get",
       [](A& a) {
         return tl_get(a.store, a.snapshot, a.kind, a.trace_id, a.id, a.opened_cursor.pointer);
       },
       TL_OK},
      {"tl_payload_read",
       [](A& a) {
         return tl_payload_read(a.cursor, a.field, a.mode, 0, a.buffer, sizeof a.room,
                                a.size_bytes.pointer);
       },
       TL_OK},
      {"tl_payload_size",
       [](A& a) { return tl_payload_size(a.cursor, a.field, a.mode, a.whole_size_bytes.pointer); },
       TL_OK},
      {"tl_preview", [](A& a) { return tl_preview(a.cursor, a.field, 0, a.preview.pointer); },
       TL_OK},
      {"tl_media_read",
       [](A& a) {
         return tl_media_read(a.store, a.snapshot, a.id, 0, a.buffer, sizeof a.room,
                              a.size_bytes.pointer, a.medium.pointer);
       },
       TL_OK},
      {"tl_wait", [](A& a) { return tl_wait(a.store, a.position, 0, a.newest.pointer); }, TL_OK},
      {"tl_changes",
       [](A& a) {
         return tl_changes(a.store, a.position, a.filter.pointer, a.newest.pointer,
                           a.opened_cursor.pointer);
       },
       TL_OK},
      {"tl_stats", [](A& a) { return tl_stats(a.store, a.statistics.pointer); }, TL_OK},
      {"tl_counter", [](A& a) { return tl_counter(a.store, a.reason, a.count.pointer); }, TL_OK},
      {"tl_reason_name", [](A& a) { return name_of(tl_reason_name(a.reason)); }, TL_OK, false},
      {"tl_space", [](A& a) { return tl_space(a.store, a.line, nullptr); }, TL_OK},
      {"tl_delete",
       [](A& a) {
         return tl_delete(a.store, a.filter.pointer, a.progress, nullptr, a.delete_report.pointer);
       },
       TL_OK},
      {"tl_delete_securely",
       [](A& a) {
         tl_snapshot_close(std::exchange(a.snapshot, nullptr));  // it would wait for both
         if (a.cursor != nullptr) tl_cursor_close(std::exchange(a.cursor, nullptr));
         return tl_delete_securely(a.store, a.filter.pointer, 0, a.progress, nullptr,
                                   a.delete_report.pointer);
       },
       TL_OK},
      {"tl_check", [](A& a) { return tl_check(a.store, a.finding, nullptr, a.progress, nullptr); },
       TL_OK},
      {"tl_reindex", [](A& a) { return tl_reindex(a.store, a.progress, nullptr); }, TL_OK},
      {"tl_compact", [](A& a) { return tl_compact(a.store, a.progress, nullptr); }, TL_OK},
      {"tl_backup", [](A& a) { return tl_backup(a.store, a.path, a.progress, nullptr); },
       TL_INVALID},  // there is one
      {"tl_salvage",
       [](A& a) {
         return tl_salvage(a.path, a.new_path, a.finding, nullptr, a.progress, nullptr,
                           a.salvage_report.pointer);
       },
       TL_INVALID},  // likewise
      {"tl_error", [](A&) -> tl_status { return tl_error() == nullptr ? TL_INVALID : TL_OK; },
       TL_OK, false},
      {"tl_status_name", [](A& a) { return name_of(tl_status_name(a.status)); }, TL_OK, false},
      {"tl_version", [](A&) { return name_of(tl_version()); }, TL_OK, false},
  };
  return all;
}

}  // namespace tracelite::api::test::misuse
