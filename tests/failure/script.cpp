#include "failure/script.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>

#include "api/other_index.hpp"
#include "api/support.hpp"
#include "failure/reading.hpp"
#include "index/schema.hpp"
#include "store/testing.hpp"

namespace tracelite::failure {
namespace {

constexpr std::uint32_t kFlushTimeoutMs = 10'000;
constexpr std::int64_t kStartNs = 1'795'341'600'000'000'000;  // 2026-11-22, so that nothing differs
constexpr std::uint64_t kBaseObservationCount = 20;
constexpr const char* kEvents =
    R"({"id":"i1","timestamp":"2026-11-22T10:00:00Z","type":"trace-create","body":{"id":"imported",)"
    R"("timestamp":"2026-11-22T10:00:00Z","sessionId":"session","userId":"user","tags":["a","b"],)"
    R"("input":{"question":"why?"}}})"
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

std::array<char, std::size_t{300} << 10> large;  // the script allocates nothing

class Script {
 public:
  Script(const Paths& paths, Progress& progress) : paths_(paths), progress_(progress) {}

  void open();
  void record();
  void read();
  void keep();
  void read_only();

 private:
  tl_store* store() { return progress_.store; }
  bool did(const char* what, tl_status status) { return did_of(store() != nullptr, what, status); }
  bool did_of(bool has_handle, const char* what, tl_status status) {
    return note(progress_, what, status, has_handle);
  }
  void recorded(Thing thing, bool is) {
    if (is) progress_.recorded |= bit(thing);
  }
  bool flush();
  void record_entities();
  void record_live();
  void record_lazily();
  void import();
  void tell_statistics();
  void remove();
  void copy();

  const Paths& paths_;
  Progress& progress_;
  std::uint64_t position_ = 0;  // of the first flush
};

#define DID(call) did(#call, call)
#define DID_OF(handle, call) did_of((handle) != nullptr, #call, call)

void Script::open() {
  tl_options options = sized<tl_options>();
  options.commit_interval_ms = 1;
  options.drain_on_sigterm_ms = 1;
  // Nothing is too much, but what is free is given back at once.
  options.retention_size_bytes = std::uint64_t{1} << 30;
  store::testing::free_size_bytes_max = 1;
  if (!did_of(true, "tl_open", tl_open(paths_.store, &options, &progress_.store))) {
    progress_.store = nullptr;
  }
}

// What was recorded through this store is durable then.
bool Script::flush() {
  const bool is_durable = DID(tl_flush(store(), kFlushTimeoutMs, &position_));
  if (is_durable) progress_.durable |= progress_.recorded & ~bit(Thing::lazy);
  return is_durable;
}

void Script::record_entities() {
  auto trace = sized<tl_trace>();
  trace.set_mask = TL_BIT(TL_FIELD_TIMESTAMP) | TL_BIT(TL_FIELD_NAME) | TL_BIT(TL_FIELD_INPUT) |
                   TL_BIT(TL_FIELD_SESSION_ID) | TL_BIT(TL_FIELD_TAGS);
  trace.id = tl_str("first");
  trace.timestamp_ns = kStartNs;
  trace.name = tl_str("a trace");
  trace.session_id = tl_str("session");
  const tl_text tags[] = {tl_str("a"), tl_str("b")};
  trace.tags = tags;
  trace.tag_count = 2;
  trace.input = tl_json(kWithMedium);
  recorded(Thing::first, DID(tl_put_trace(store(), &trace)));
  auto observation = sized<tl_observation>();
  observation.set_mask = TL_BIT(TL_FIELD_TRACE_ID) | TL_BIT(TL_FIELD_START_TIME) |
                         TL_BIT(TL_FIELD_OUTPUT) | TL_BIT(TL_FIELD_LEVEL);
  observation.id = tl_str("put");
  observation.trace_id = tl_str("first");
  observation.start_time_ns = kStartNs + 1;
  observation.level = TL_LEVEL_ERROR;
  observation.output.form = TL_FORM_TEXT;
  observation.output.text = large_text();
  recorded(Thing::put, DID(tl_put_observation(store(), &observation)));
  auto score = sized<tl_score>();
  score.set_mask = TL_BIT(TL_FIELD_TRACE_ID) | TL_BIT(TL_FIELD_TIMESTAMP) | TL_BIT(TL_FIELD_NAME) |
                   TL_BIT(TL_FIELD_VALUE);
  score.id = tl_str("score");
  score.trace_id = tl_str("first");
  score.timestamp_ns = kStartNs + 2;
  score.name = tl_str("good");
  score.value = 1;
  recorded(Thing::score, DID(tl_put_score(store(), &score)));
  auto session = sized<tl_session>();
  session.set_mask = TL_BIT(TL_FIELD_BOOKMARKED);
  session.id = tl_str("session");
  session.is_bookmarked = 1;
  recorded(Thing::session, DID(tl_put_session(store(), &session)));
}

void Script::record_live() {
  constexpr std::uint64_t kGiven = TL_BIT(TL_FIELD_TRACE_ID) | TL_BIT(TL_FIELD_START_TIME) |
                                   TL_BIT(TL_FIELD_COMPLETION_START_TIME);
  auto begin = sized<tl_observation>();
  begin.set_mask = kGiven | TL_BIT(TL_FIELD_NAME);
  begin.trace_id = tl_str("live");
  begin.id = tl_str("parent");
  begin.start_time_ns = begin.completion_start_time_ns = kStartNs + 3;
  begin.name = tl_str("call");
  tl_span* parent = nullptr;
  tl_span* child = nullptr;
  recorded(Thing::parent, DID(tl_begin(store(), nullptr, &begin, &parent)));
  begin.set_mask = kGiven;
  begin.id = tl_str("child");
  begin.start_time_ns = begin.completion_start_time_ns = kStartNs + 4;
  bool is_whole = DID(tl_begin(store(), parent, &begin, &child)) && parent != nullptr;
  recorded(Thing::begun, child != nullptr);
  tl_text trace_id{};
  tl_text id{};
  DID_OF(child, tl_span_ids(child, &trace_id, &id));
  is_whole &= DID_OF(child, tl_append(child, TL_FIELD_OUTPUT, tl_str("streamed, ")));
  is_whole &= DID_OF(child, tl_append(child, TL_FIELD_OUTPUT, large_text()));
  auto update = sized<tl_observation>();
  update.set_mask = TL_BIT(TL_FIELD_METADATA);
  update.metadata = tl_json(R"({"key":"value"})");
  is_whole &= DID_OF(child, tl_update(child, &update));
  auto end = sized<tl_observation>();
  end.set_mask = TL_BIT(TL_FIELD_END_TIME);
  end.end_time_ns = kStartNs + 5;
  is_whole &= DID_OF(child, tl_end(child, &end));
  recorded(Thing::child, is_whole);
  progress_.span = parent;
}

std::int64_t read_events(void* context, void* buffer, std::size_t capacity) {
  const char*& rest = *static_cast<const char**>(context);
  const std::size_t size = std::min(std::strlen(rest), capacity);
  std::memcpy(buffer, rest, size);
  rest += size;
  return static_cast<std::int64_t>(size);
}

void Script::import() {
  const char* events = kEvents;
  auto report = sized<tl_import_report>();
  const bool is_durable = DID(tl_import(store(), TL_FORMAT_LANGFUSE, read_events, &events, nullptr,
                                        nullptr, nullptr, nullptr, &report));
  if (!is_durable) return;
  recorded(Thing::imported, true);
  progress_.durable |= bit(Thing::imported);
  if (report.event_count != 2 || report.succeeded_count != 2) {
    progress_.say_wrong("tl_import", "it has not counted what it imported");
  }
}

void Script::record_lazily() {
  auto options = sized<tl_options>();
  options.durability = TL_DURABILITY_LAST_COMMIT;
  tl_store* lazy = nullptr;
  if (!did_of(true, "tl_open", tl_open(paths_.store, &options, &lazy))) lazy = nullptr;
  auto trace = sized<tl_trace>();
  trace.set_mask = TL_BIT(TL_FIELD_TIMESTAMP);
  trace.id = tl_str("lazy");
  trace.timestamp_ns = kStartNs + 6;
  const bool is_put = DID_OF(lazy, tl_put_trace(lazy, &trace));
  recorded(Thing::lazy, is_put);
  bool is_durable = DID_OF(lazy, tl_flush(lazy, kFlushTimeoutMs, nullptr));
  is_durable |= DID_OF(lazy, tl_close(lazy, kFlushTimeoutMs, nullptr));
  if (is_put && is_durable) progress_.durable |= bit(Thing::lazy);
}

void Script::record() {
  tl_drop_when_full(0);
  record_entities();
  if (!flush()) position_ = 0;
  const std::uint64_t first_position = position_;
  record_live();
  import();
  record_lazily();
  auto trace = sized<tl_trace>();
  trace.set_mask = TL_BIT(TL_FIELD_TIMESTAMP);
  trace.id = tl_str("second");
  trace.timestamp_ns = kStartNs + 7;
  recorded(Thing::second, DID(tl_put_trace(store(), &trace)));
  flush();
  position_ = first_position;
}

void Script::read() {
  tl_snapshot* snapshot = nullptr;
  DID(tl_snapshot_open(store(), &snapshot));
  Reading reading(progress_, store(), snapshot);
  reading.list_all();
  reading.list_some();
  reading.tree_of_base();
  reading.replay();
  reading.get_base();
  reading.export_all();
  tl_snapshot_close(snapshot);
  reading.follow(position_, position_ != 0);
}

void count_line(void* context, tl_text /*space*/, tl_text /*table*/, std::uint64_t /*size*/) {
  ++static_cast<Answer*>(context)->row_count;
}

void print_finding(void* /*context*/, tl_text where, tl_text message) {
  std::fprintf(stderr, "found: %.*s: %.*s\n", static_cast<int>(where.size_bytes), where.data,
               static_cast<int>(message.size_bytes), message.data);
}

void Script::tell_statistics() {
  auto statistics = sized<tl_statistics>();
  Answer& counts = progress_.begin_answer("tl_stats");
  counts.is_complete = DID(tl_stats(store(), &statistics));
  for (const std::uint64_t count :
       {statistics.trace_count, statistics.observation_count, statistics.score_count,
        statistics.session_count, statistics.user_count, statistics.payload_size_bytes}) {
    counts.hash = counts.hash * 31 + count;
  }
  if (counts.is_complete && statistics.observation_count < 2 * kBaseObservationCount) {
    progress_.say_wrong("tl_stats", "it has lost observations");
  }
  std::uint64_t tag_count = 0;
  if (DID(tl_counter(store(), TL_REASON_TAG, &tag_count)) && tag_count != 0) {
    progress_.say_wrong("tl_counter", "no tag was dropped");
  }
  Answer& lines = progress_.begin_answer("tl_space");
  lines.is_complete = DID(tl_space(store(), count_line, &lines));
}

// Whether the file has these bytes somewhere.
bool says(const char* path, std::string_view text) {
  static std::array<char, std::size_t{64} << 10> piece;
  const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
  bool is_there = false;
  std::size_t kept = 0;
  for (ssize_t size = 1; descriptor >= 0 && size > 0 && !is_there;) {
    size = ::read(descriptor, piece.data() + kept, piece.size() - kept);
    const std::string_view seen(piece.data(),
                                kept + static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    is_there = seen.find(text) != std::string_view::npos;
    kept = std::min(seen.size(), text.size());
    std::memmove(piece.data(), piece.data() + seen.size() - kept, kept);
  }
  close(descriptor);
  return is_there;
}

void Script::remove() {
  auto filter = sized<tl_filter>();
  filter.trace_id = tl_str("base-gone");
  auto report = sized<tl_delete_report>();
  progress_.may_delete = true;
  Reading reading(progress_, store());
  const bool is_deleted = DID(tl_delete(store(), &filter, nullptr, nullptr, &report));
  if (is_deleted) {
    if (report.trace_count != 1 || report.observation_count != kBaseObservationCount) {
      progress_.say_wrong("tl_delete", "it has not counted what it deleted");
    }
    reading.miss_what_is_deleted();
  }
  auto securely = sized<tl_delete_report>();
  const bool is_zeroed =
      DID(tl_delete_securely(store(), &filter, kFlushTimeoutMs, nullptr, nullptr, &securely));
  progress_.has_deleted = is_deleted || is_zeroed;
  if (!is_zeroed) return;
  if (is_deleted && securely.trace_count != 0) {
    progress_.say_wrong("tl_delete_securely", "it has deleted what was deleted");
  }
  reading.miss_what_is_deleted();
  if (says(paths_.store, "base-gone")) {
    progress_.say_wrong("tl_delete_securely", "the file still says what was deleted");
  }
}

void Script::copy() {
  progress_.has_backup = DID(tl_backup(store(), paths_.backup, nullptr, nullptr));
  Answer& answer = progress_.begin_answer("tl_salvage");
  if (progress_.has_backup) {
    auto report = sized<tl_salvage_report>();
    progress_.has_salvaged = did_of(true, "tl_salvage",
                                    tl_salvage(paths_.backup, paths_.salvaged, print_finding,
                                               nullptr, nullptr, nullptr, &report));
    answer.is_complete = progress_.has_salvaged;
    for (const std::uint64_t count :
         {report.trace_count, report.observation_count, report.score_count, report.session_count,
          report.medium_count, report.payload_count}) {
      answer.hash = answer.hash * 31 + count;
    }
    answer.row_count = report.observation_count;
    answer.base_row_count = report.lost_page_count + report.lost_value_count +
                            report.lost_record_count + report.lost_payload_count +
                            report.doubtful_count;
  } else if (store() != nullptr && access(paths_.backup, F_OK) == 0) {
    progress_.say_wrong("tl_backup", "it has failed and left a file");
  }
  if (!progress_.has_salvaged && access(paths_.salvaged, F_OK) == 0) {
    progress_.say_wrong("tl_salvage", "it has failed and left a file");
  }
}

void Script::keep() {
  tell_statistics();
  remove();
  DID(tl_check(store(), print_finding, nullptr, nullptr, nullptr));
  DID(tl_reindex(store(), nullptr, nullptr));
  copy();
  DID(tl_compact(store(), nullptr, nullptr));
}

// With an index that has to be made in memory.
void Script::read_only() {
  auto options = sized<tl_options>();
  options.read_only = 1;
  options.flags = TL_OPEN_UNTRUSTED;
  tl_store* other = nullptr;
  if (!did_of(true, "tl_open", tl_open(paths_.other, &options, &other))) other = nullptr;
  Reading(progress_, other).list_all();
  DID_OF(other, tl_close(other, kFlushTimeoutMs, nullptr));
}

}  // namespace

tl_text large_text() { return {large.data(), large.size()}; }

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
    for (std::uint64_t i = 0; i < kBaseObservationCount; ++i) {
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

void run_script(const Paths& paths, Progress& progress) {
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>('a' + i * i % 26);
  Script script(paths, progress);
  script.open();
  script.record();
  script.read();
  script.keep();
  script.read_only();
}

}  // namespace tracelite::failure
