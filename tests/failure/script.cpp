#include "failure/script.hpp"

#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "api/other_index.hpp"
#include "api/support.hpp"
#include "index/schema.hpp"
#include "store/testing.hpp"

namespace tracelite::failure {
namespace {

constexpr std::uint32_t kFlushTimeoutMs = 10'000;
constexpr const char* kEvents =
    R"({"id":"i1","timestamp":"2026-11-22T10:00:00Z","type":"trace-create","body":{"id":"imported",)"
    R"("sessionId":"session","userId":"user","tags":["a","b"],"input":{"question":"why?"}}})"
    "\n"
    R"({"id":"i2","timestamp":"2026-11-22T10:00:01Z","type":"generation-create","body":{"id":"o",)"
    R"("traceId":"imported","startTime":"2026-11-22T10:00:01Z","model":"m","metadata":{"k":"v"},)"
    R"("usageDetails":{"input":3},"costDetails":{"total":0.5},"output":"because"}})"
    "\n";
// A picture of one colour.
constexpr const char* kWithMedium =
    R"({"image":"data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAABAAAAAQAQMAAAAlPW0iAAAABlBMVEUAAAD//)"
    R"(/+l2Z/dAAAAM0lEQVR4nGP4/5/h/1+G/58ZDrAz3D/McH8yw83NDDeNGe4Ug9C9zwz3gVLMDA/A6P9/AFGGFyjOXZtQA)"
    R"(AAAAElFTkSuQmCC"})";

constexpr std::size_t kLargeSizeBytes = std::size_t{300} << 10;
char large_text[kLargeSizeBytes];  // NOLINT: the script allocates nothing

// What a failing system explains.
bool is_expected(tl_status status) {
  switch (status) {
    case TL_OK:
    case TL_DONE:
    case TL_MISUSE:  // of a handle that was not made
    case TL_NOT_FOUND:
    case TL_IO:
    case TL_DISK_FULL:
    case TL_NO_MEMORY:
    case TL_BUSY:
    case TL_TIMEOUT:
    case TL_EXPIRED:
      return true;
    default:
      return false;
  }
}

class Script {
 public:
  explicit Script(Progress& progress) : progress_(progress) {}

  bool did(const char* what, tl_status status) {
    const bool succeeded = status == TL_OK || status == TL_DONE || status == TL_NOT_FOUND;
    if (!succeeded && progress_.failed == nullptr) progress_.failed = what;
    if (!is_expected(status) && progress_.unexpected == TL_OK) {
      progress_.unexpected = status;
      progress_.unexpected_of = what;
      const tl_error_info* const error = tl_error();
      std::snprintf(progress_.unexpected_message, sizeof progress_.unexpected_message, "%s: %s",
                    error->field, error->message);
    }
    return status == TL_OK;
  }

  void record();
  void read();
  void keep(const char* backup_path);
  void read_only(const char* other_path);

 private:
  tl_store* store() { return progress_.store; }
  void record_entities();
  void record_live();
  void import();
  void walk(const char* what, tl_status opened, tl_cursor* cursor);
  void read_one();
  void follow();

  Progress& progress_;
};

#define DID(call) did(#call, call)

template <class Struct>
Struct sized() {
  Struct value{};
  value.struct_size = sizeof value;
  return value;
}

void Script::record_entities() {
  auto trace = sized<tl_trace>();
  trace.set_mask = TL_BIT(TL_FIELD_NAME) | TL_BIT(TL_FIELD_INPUT) | TL_BIT(TL_FIELD_SESSION_ID) |
                   TL_BIT(TL_FIELD_TAGS);
  trace.id = tl_str("first");
  trace.name = tl_str("a trace");
  trace.session_id = tl_str("session");
  const tl_text tags[] = {tl_str("a"), tl_str("b")};
  trace.tags = tags;
  trace.tag_count = 2;
  trace.input = tl_json(kWithMedium);
  DID(tl_put_trace(store(), &trace));
  auto observation = sized<tl_observation>();
  observation.set_mask =
      TL_BIT(TL_FIELD_TRACE_ID) | TL_BIT(TL_FIELD_OUTPUT) | TL_BIT(TL_FIELD_LEVEL);
  observation.id = tl_str("put");
  observation.trace_id = tl_str("first");
  observation.level = TL_LEVEL_ERROR;
  observation.output.form = TL_FORM_TEXT;
  observation.output.text = {large_text, sizeof large_text};
  DID(tl_put_observation(store(), &observation));
  auto score = sized<tl_score>();
  score.set_mask = TL_BIT(TL_FIELD_TRACE_ID) | TL_BIT(TL_FIELD_NAME) | TL_BIT(TL_FIELD_VALUE);
  score.id = tl_str("score");
  score.trace_id = tl_str("first");
  score.name = tl_str("good");
  score.value = 1;
  DID(tl_put_score(store(), &score));
  auto session = sized<tl_session>();
  session.set_mask = TL_BIT(TL_FIELD_BOOKMARKED);
  session.id = tl_str("session");
  session.is_bookmarked = 1;
  DID(tl_put_session(store(), &session));
}

void Script::record_live() {
  auto begin = sized<tl_observation>();
  begin.set_mask = TL_BIT(TL_FIELD_TRACE_ID) | TL_BIT(TL_FIELD_NAME);
  begin.trace_id = tl_str("live");
  begin.name = tl_str("call");
  tl_span* parent = nullptr;
  tl_span* child = nullptr;
  DID(tl_begin(store(), nullptr, &begin, &parent));
  DID(tl_begin(store(), parent, nullptr, &child));
  tl_text trace_id{};
  tl_text id{};
  DID(tl_span_ids(child, &trace_id, &id));
  DID(tl_append(child, TL_FIELD_OUTPUT, tl_str("streamed, ")));
  DID(tl_append(child, TL_FIELD_OUTPUT, {large_text, sizeof large_text}));
  auto update = sized<tl_observation>();
  update.set_mask = TL_BIT(TL_FIELD_METADATA);
  update.metadata = tl_json(R"({"key":"value"})");
  DID(tl_update(child, &update));
  DID(tl_end(child, nullptr));
  progress_.span = parent;
}

std::int64_t read_events(void* context, void* buffer, std::size_t capacity) {
  const char*& rest = *static_cast<const char**>(context);
  const std::size_t size = std::min(std::strlen(rest), capacity);
  std::memcpy(buffer, rest, size);
  rest += size;
  return static_cast<std::int64_t>(size);
}
std::int32_t write_nowhere(void* /*context*/, const void* /*data*/, std::size_t /*size*/) {
  return 0;
}

void Script::import() {
  const char* events = kEvents;
  auto report = sized<tl_import_report>();
  DID(tl_import(store(), TL_FORMAT_LANGFUSE, read_events, &events, nullptr, nullptr, nullptr,
                nullptr, &report));
}

void Script::record() {
  tl_drop_when_full(0);
  record_entities();
  progress_.first_flushed = DID(tl_flush(store(), kFlushTimeoutMs, nullptr));
  record_live();
  import();
  auto trace = sized<tl_trace>();
  trace.id = tl_str("second");
  const bool put = DID(tl_put_trace(store(), &trace));
  std::uint64_t position = 0;
  progress_.second_flushed = DID(tl_flush(store(), kFlushTimeoutMs, &position)) && put;
}

// All rows, with everything that can be asked of them.
void Script::walk(const char* what, tl_status opened, tl_cursor* cursor) {
  did(what, opened);
  auto row = sized<tl_row>();
  char buffer[4096];
  while (did(what, tl_next(cursor, &row))) {
    tl_text preview{};
    DID(tl_preview(cursor, TL_FIELD_INPUT, 0, &preview));
    std::size_t size = 0;
    DID(tl_payload_read(cursor, TL_FIELD_INPUT, TL_READ_AS_GIVEN, 0, buffer, sizeof buffer, &size));
    std::uint64_t size_bytes = 0;
    DID(tl_payload_size(cursor, TL_FIELD_INPUT, TL_READ_AS_STORED, &size_bytes));
  }
  tl_cursor_close(cursor);
}

void Script::read_one() {
  tl_cursor* cursor = nullptr;
  DID(tl_get(store(), nullptr, TL_KIND_OBSERVATION, tl_str("base"), tl_str("base-observation"),
             &cursor));
  auto row = sized<tl_row>();
  DID(tl_next(cursor, &row));
  char buffer[4096];
  std::size_t size = 0;
  DID(tl_payload_read(cursor, TL_FIELD_INPUT, TL_READ_AS_STORED, 0, buffer, sizeof buffer, &size));
  tl_cursor_close(cursor);
  // A reference in what was stored names its medium.
  auto medium = sized<tl_medium>();
  const std::string_view stored(buffer, size);
  const std::size_t id = stored.find("id=");
  if (id != std::string_view::npos && id + 25 <= size) {
    DID(tl_media_read(store(), nullptr, {buffer + id + 3, 22}, 0, buffer, sizeof buffer, &size,
                      &medium));
  }
}

void Script::follow() {
  std::uint64_t newest = 0;
  DID(tl_wait(store(), 1, 0, &newest));
  tl_cursor* changes = nullptr;
  const tl_status told =
      tl_changes(store(), newest > 0 ? newest - 1 : 0, nullptr, &newest, &changes);
  walk("tl_changes", told, changes);
}

void Script::read() {
  tl_snapshot* snapshot = nullptr;
  DID(tl_snapshot_open(store(), &snapshot));
  tl_filter filter = sized<tl_filter>();
  for (tl_kind kind = TL_KIND_TRACE; kind <= TL_KIND_DAY; ++kind) {
    tl_cursor* cursor = nullptr;
    const tl_status listed =
        tl_list(store(), snapshot, kind, nullptr, TL_ORDER_TIME, {}, 0, &cursor);
    walk("tl_list", listed, cursor);
  }
  const tl_text tag = tl_str("a");
  filter.tags = &tag;
  filter.tag_count = 1;
  filter.session_id = tl_str("session");
  filter.user_id = tl_str("user");
  tl_cursor* cursor = nullptr;
  DID(tl_list(store(), nullptr, TL_KIND_TRACE, &filter, TL_ORDER_COST, {}, 10, &cursor));
  auto row = sized<tl_row>();
  if (DID(tl_next(cursor, &row))) {
    tl_text position{};
    DID(tl_position(cursor, &position));
  }
  tl_cursor_cancel(cursor);
  tl_cursor_close(cursor);
  cursor = nullptr;
  const tl_status tree = tl_tree(store(), snapshot, tl_str("base"), &cursor);
  walk("tl_tree", tree, cursor);
  cursor = nullptr;
  const tl_status replay = tl_replay(store(), snapshot, tl_str("session"), nullptr, &cursor);
  walk("tl_replay", replay, cursor);
  read_one();
  DID(tl_export(store(), snapshot, nullptr, TL_FORMAT_LANGFUSE, write_nowhere, nullptr, nullptr,
                nullptr));
  tl_snapshot_close(snapshot);
  follow();
}

void ignore_space(void* /*context*/, tl_text /*space*/, tl_text /*table*/, std::uint64_t /*size*/) {
}

void print_finding(void* /*context*/, tl_text where, tl_text message) {
  std::fprintf(stderr, "found: %.*s: %.*s\n", static_cast<int>(where.size_bytes), where.data,
               static_cast<int>(message.size_bytes), message.data);
}

void Script::keep(const char* backup_path) {
  auto statistics = sized<tl_statistics>();
  DID(tl_stats(store(), &statistics));
  std::uint64_t count = 0;
  DID(tl_counter(store(), TL_REASON_TAG, &count));
  DID(tl_space(store(), ignore_space, nullptr));
  auto filter = sized<tl_filter>();
  filter.trace_id = tl_str("base-gone");
  auto report = sized<tl_delete_report>();
  DID(tl_delete(store(), &filter, nullptr, nullptr, &report));
  DID(tl_delete_securely(store(), &filter, 0, nullptr, nullptr, &report));
  DID(tl_check(store(), print_finding, nullptr, nullptr, nullptr));
  DID(tl_reindex(store(), nullptr, nullptr));
  if (DID(tl_backup(store(), backup_path, nullptr, nullptr))) {
    char salvage_path[1024];
    std::snprintf(salvage_path, sizeof salvage_path, "%s.salvaged", backup_path);
    auto salvaged = sized<tl_salvage_report>();
    DID(tl_salvage(backup_path, salvage_path, print_finding, nullptr, nullptr, nullptr, &salvaged));
    unlink(salvage_path);
  }
  unlink(backup_path);
  DID(tl_compact(store(), nullptr, nullptr));
}

// With an index that has to be made in memory.
void Script::read_only(const char* other_path) {
  auto options = sized<tl_options>();
  options.read_only = 1;
  options.flags = TL_OPEN_UNTRUSTED;
  tl_store* other = nullptr;
  if (!DID(tl_open(other_path, &options, &other))) return;
  tl_cursor* cursor = nullptr;
  const tl_status listed =
      tl_list(other, nullptr, TL_KIND_TRACE, nullptr, TL_ORDER_TIME, {}, 0, &cursor);
  walk("tl_list", listed, cursor);
  DID(tl_close(other, kFlushTimeoutMs, nullptr));
}

bool has_trace(tl_store* store, const char* id) {
  tl_cursor* cursor = nullptr;
  const tl_status found = tl_get(store, nullptr, TL_KIND_TRACE, {}, tl_str(id), &cursor);
  tl_cursor_close(cursor);
  return found == TL_OK;
}

// What the system's failure left undone may be told once more.
bool goes_on(tl_store* store) {
  auto trace = sized<tl_trace>();
  trace.id = tl_str("after");
  if (tl_put_trace(store, &trace) != TL_OK) return false;
  constexpr int kTriesMax = 3;
  for (int i = 0; i < kTriesMax; ++i) {
    if (tl_flush(store, kFlushTimeoutMs, nullptr) == TL_OK) return true;
  }
  return false;
}

}  // namespace

void make_base(const std::string& path, const std::string& other_path) {
  using namespace api::test;
  {
    const Store other(other_path);
    auto trace = sized<tl_trace>();
    trace.id = tl_str("other");
    must(tl_put_trace(other.get(), &trace));
    other.flush();
  }
  write_index_version(other_path, index::kSchemaVersion + 1);
  const Store store(path);
  for (const char* id : {"base", "base-gone"}) {
    auto trace = sized<tl_trace>();
    trace.set_mask = TL_BIT(TL_FIELD_SESSION_ID) | TL_BIT(TL_FIELD_USER_ID);
    trace.id = tl_str(id);
    trace.session_id = tl_str("session");
    trace.user_id = tl_str("user");
    must(tl_put_trace(store.get(), &trace));
    for (int i = 0; i < 20; ++i) {
      auto observation = sized<tl_observation>();
      const std::string own = id + ("-" + std::to_string(i));
      observation.set_mask = TL_BIT(TL_FIELD_TRACE_ID) | TL_BIT(TL_FIELD_INPUT);
      observation.id = i == 0 ? tl_str("base-observation") : text_of(own);
      observation.trace_id = tl_str(id);
      observation.input = tl_json(kWithMedium);
      must(tl_put_observation(store.get(), &observation));
    }
  }
  store.flush();
}

void run_script(const char* path, const char* backup_path, const char* other_path,
                Progress& progress) {
  for (std::size_t i = 0; i < sizeof large_text; ++i) {
    large_text[i] = static_cast<char>('a' + i * i % 26);
  }
  Script script(progress);
  tl_options options = sized<tl_options>();
  options.commit_interval_ms = 1;
  options.drain_on_sigterm_ms = 1;
  // Nothing is too much, but what is free is given back at once.
  options.retention_size_bytes = std::uint64_t{1} << 30;
  store::testing::free_size_bytes_max = 1;
  if (!script.did("tl_open", tl_open(path, &options, &progress.store))) progress.store = nullptr;
  script.record();
  script.read();
  script.keep(backup_path);
  script.read_only(other_path);
}

const char* look_after(const char* path, Progress& progress) {
  if (progress.store != nullptr && !goes_on(progress.store)) return "it does not go on";
  tl_end(progress.span, nullptr);
  if (progress.store != nullptr && tl_close(progress.store, kFlushTimeoutMs, nullptr) != TL_OK) {
    return "it does not close";
  }
  tl_store* store = nullptr;
  if (tl_open(path, nullptr, &store) != TL_OK) return "it does not open again";
  if (tl_check(store, print_finding, nullptr, nullptr, nullptr) != TL_OK) return "it is damaged";
  if (!has_trace(store, "base")) return "what was there is lost";
  if (progress.first_flushed && !has_trace(store, "first")) return "the first flush was not true";
  if (progress.second_flushed && !has_trace(store, "second"))
    return "the second flush was not true";
  if (progress.store != nullptr && !has_trace(store, "after")) return "what came after is lost";
  if (!goes_on(store)) return "nothing can be recorded any more";
  return tl_close(store, kFlushTimeoutMs, nullptr) == TL_OK ? nullptr : "it does not close again";
}

}  // namespace tracelite::failure
