// Aims at: lib/api/store.cpp lib/api/record.cpp lib/api/read.cpp lib/api/keep.cpp
//   lib/api/events.cpp lib/api/values_in.cpp lib/api/values_out.cpp lib/api/error.cpp
//   lib/ingest/live_observation.cpp
//
// Sequences of calls of the C API on a file of their own, with handles that are NULL or whose store
// is closed, structs of other sizes, and ids that are refused, against a model: which traces,
// observations and scores there must be.
//
// Each byte or few is a call.

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <set>
#include <type_traits>
#include <utility>
#include <vector>

#include "fuzz/api_store.hpp"
#include "fuzz/input.hpp"
#include "tracelite/tracelite.h"

namespace tracelite::fuzz {
namespace {

constexpr std::size_t kCallCountMax = 120;
constexpr std::size_t kHandleCount = 3;
constexpr std::array<Bytes, 10> kIds = {
    "a", "b", "c", "0123456789abcdef0123456789abcdef", "0123456789abcdef", "\xe4\xbd\xa0", "a b",
    "d", "",  "\n"};  // the last two are refused

struct Span {
  tl_span* handle = nullptr;
  std::string trace_id, id;
};
struct Snapshot {
  tl_snapshot* handle = nullptr;
  Model seen;
};
struct Cursor {
  tl_cursor* handle = nullptr;
  bool has_row = false;
};

// One input.
class Run {
 public:
  Run(const std::string& path, Bytes bytes) : path_(path), input_(bytes) {}
  ~Run() {
    for (Span& span : spans_) tl_end(span.handle, nullptr);
    for (Snapshot& snapshot : snapshots_) tl_snapshot_close(snapshot.handle);
    for (Cursor& cursor : cursors_) tl_cursor_close(cursor.handle);
    tl_close(store_, UINT32_MAX, nullptr);
    std::filesystem::remove(path_);
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  void run() {
    open();
    for (std::size_t call = 0; call < kCallCountMax && !input_.empty(); ++call) make_call();
    if (store_ == nullptr) open();
    check_all(nullptr, model_);
    expect(tl_check(store_, nullptr, nullptr, nullptr, nullptr), TL_OK, "check");
  }

 private:
  void open() {
    tl_options options{};
    options.struct_size = sizeof options;
    options.map_size_bytes = std::uint64_t{1} << 28;
    options.default_environment = tl_str("default");
    options.commit_interval_ms = 1000;
    expect(tl_open(path_.c_str(), &options, &store_), TL_OK, "open");
  }
  void close() {
    expect(tl_close(store_, UINT32_MAX, nullptr), status_of(true), "close");
    store_ = nullptr;
    // Handles of before are good for nothing but to be freed.
    for (Span& span : spans_) {
      if (span.handle != nullptr) orphans_.insert(span.handle);
    }
    for (Snapshot& snapshot : snapshots_) {
      if (snapshot.handle != nullptr) orphans_.insert(snapshot.handle);
    }
    for (Cursor& cursor : cursors_) {
      if (cursor.handle != nullptr) orphans_.insert(cursor.handle);
    }
  }

  void make_call() {
    switch (input_.below(20)) {
      case 0:
        if (input_.below(4) == 0) close();
        if (store_ == nullptr) open();
        break;
      case 1:
        if (input_.below(4) == 0) close();
        break;
      case 2:
      case 3:
        return put_trace();
      case 4:
      case 5:
        return put_observation();
      case 6:
        return put_score();
      case 7:
        return put_session();
      case 8:
        return begin();
      case 9:
        return update();
      case 10:
        return append();
      case 11:
        return end();
      case 12:
        expect(tl_flush(store_, UINT32_MAX, nullptr), status_of(true), "flush");
        break;
      case 13:
        return snapshot();
      case 14:
        return list();
      case 15:
        return next();
      case 16:
        return get();
      case 17:
        return erase(false);
      case 18:
        return walk();
      default:
        return keep();
    }
  }

  // What a call with the store comes to, if its arguments are good.
  [[nodiscard]] tl_status status_of(bool is_good) const {
    return store_ == nullptr ? TL_MISUSE : is_good ? TL_OK : TL_INVALID;
  }
  [[nodiscard]] tl_status status_of(const void* handle) const {
    return handle == nullptr || orphans_.contains(handle) ? TL_MISUSE : TL_OK;
  }
  Bytes id() { return kIds[input_.below(kIds.size())]; }
  static bool is_good(Bytes id) { return !id.empty() && id != "\n"; }

  // Calls with a struct, sometimes of another size: then it may be refused, but what is taken
  // counts. True if it was taken.
  template <class Struct, class Call>
  bool call_with(Struct& value, tl_status wanted, const char* what, const Call& call) {
    const std::uint8_t size = input_.byte();
    value.struct_size = sizeof(Struct);
    if (size >= 224) value.struct_size = static_cast<std::uint32_t>(size - 224) * 8;
    if (size == 223) value.struct_size = sizeof(Struct) + 64;
    // What has an id and names no trace lies in one of its own until something does.
    if constexpr (std::is_same_v<Struct, tl_observation>) {
      const bool has_id = value.struct_size >= offsetof(Struct, id) + sizeof value.id;
      const bool has_trace =
          value.struct_size >= offsetof(Struct, trace_id) + sizeof value.trace_id;
      if (has_id && !has_trace) value.struct_size = sizeof(Struct);
    }
    // Exactly so many bytes, so that the address sanitizer sees their end.
    std::vector<char> given(std::max<std::size_t>(value.struct_size, sizeof value.struct_size));
    std::memcpy(given.data(), &value, std::min(given.size(), sizeof(Struct)));
    const tl_status status = call(reinterpret_cast<Struct*>(given.data()));
    if (value.struct_size >= sizeof(Struct)) expect(status, wanted, what);
    return status == TL_OK;
  }

  void put_trace() {
    const Bytes trace_id = id();
    tl_trace trace{};
    trace.id = text_of(trace_id);
    trace.set_mask = input_.number(3) & (TL_BIT(TL_FIELD_NAME) | TL_BIT(TL_FIELD_INPUT) |
                                         TL_BIT(TL_FIELD_METADATA) | TL_BIT(TL_FIELD_TAGS) |
                                         TL_BIT(TL_FIELD_TIMESTAMP) | TL_BIT(TL_FIELD_USER_ID));
    trace.name = text_of(id());
    trace.user_id = text_of(id());
    trace.timestamp_ns = static_cast<std::int64_t>(input_.number(8));
    trace.input = payload();
    trace.metadata = payload();
    const tl_text tag = text_of(id());
    trace.tags = &tag;
    trace.tag_count = 1;
    if (call_with(trace, status_of(is_good(trace_id)), "put_trace",
                  [&](const tl_trace* given) { return tl_put_trace(store_, given); })) {
      model_.traces.emplace(trace_id);
    }
  }
  tl_payload payload() {
    tl_payload given{};
    given.form = static_cast<tl_form>(input_.below(5));
    given.text = text_of(input_.take(input_.byte()));
    if (given.text.data == nullptr) given.text.data = "";
    return given;
  }
  void put_observation() {
    const Bytes trace_id = id();
    const Bytes own_id = id();
    tl_observation one{};
    one.id = text_of(own_id);
    one.trace_id = text_of(trace_id);
    one.set_mask = input_.number(3) & (TL_BIT(TL_FIELD_TYPE) | TL_BIT(TL_FIELD_INPUT) |
                                       TL_BIT(TL_FIELD_PARENT_OBSERVATION_ID) |
                                       TL_BIT(TL_FIELD_START_TIME) | TL_BIT(TL_FIELD_LEVEL));
    one.type = static_cast<tl_type>(1 + input_.below(10));
    one.level = static_cast<tl_level>(1 + input_.below(4));
    one.parent_observation_id = text_of(kIds[input_.below(kIds.size() - 2)]);
    one.start_time_ns = static_cast<std::int64_t>(input_.number(8));
    one.input = payload();
    if (call_with(one, status_of(is_good(trace_id) && is_good(own_id)), "put_observation",
                  [&](const tl_observation* given) { return tl_put_observation(store_, given); })) {
      model_.add_observation(std::string(trace_id), std::string(own_id));
    }
  }
  void put_score() {
    const Bytes trace_id = kIds[input_.below(3)];
    tl_score score{};
    const std::string own_id = "score of " + std::string(trace_id);
    score.id = text_of(own_id);
    score.trace_id = text_of(trace_id);
    score.name = tl_str("quality");
    score.value = static_cast<double>(input_.byte());
    score.set_mask = TL_BIT(TL_FIELD_NAME) | TL_BIT(TL_FIELD_VALUE) | TL_BIT(TL_FIELD_TRACE_ID);
    if (call_with(score, status_of(true), "put_score",
                  [&](const tl_score* given) { return tl_put_score(store_, given); })) {
      model_.scores.insert(std::string(trace_id) + "/" + own_id);
    }
  }
  void put_session() {
    const Bytes session_id = id();
    tl_session session{};
    session.id = text_of(session_id);
    session.set_mask = TL_BIT(TL_FIELD_BOOKMARKED);
    session.is_bookmarked = 1;
    // As the one that a trace names: any text.
    call_with(session, status_of(!session_id.empty()), "put_session",
              [&](const tl_session* given) { return tl_put_session(store_, given); });
  }

  // ------------------------------------------------------------------------------ live
  // observations

  Span& span() { return spans_[input_.below(kHandleCount)]; }
  void free(Span& one) {
    orphans_.erase(one.handle);
    one = {};
  }
  void begin() {
    Span& into = span();
    if (into.handle != nullptr) return;
    const Span& parent = span();
    tl_observation one{};
    one.struct_size = sizeof one;
    const Bytes trace_id = kIds[input_.below(kIds.size() - 2)];
    if (input_.below(2) != 0) one.trace_id = text_of(trace_id);
    const tl_status wanted =
        parent.handle != nullptr && status_of(parent.handle) != TL_OK ? TL_MISUSE : status_of(true);
    expect(tl_begin(store_, parent.handle, &one, &into.handle), wanted, "begin");
    require((wanted == TL_OK) == (into.handle != nullptr), "a span comes with TL_OK");
    if (into.handle == nullptr) return;
    tl_text of_trace{};
    tl_text of_own{};
    expect(tl_span_ids(into.handle, &of_trace, &of_own), TL_OK, "span_ids");
    into.trace_id = string_of(of_trace);
    into.id = string_of(of_own);
    if (parent.handle != nullptr) {
      require(into.trace_id == parent.trace_id, "a child is in its parent's trace");
    }
    model_.add_observation(into.trace_id, into.id);
  }
  void note(const Span& one, tl_status status) {
    if (status == TL_OK) model_.add_observation(one.trace_id, one.id);
  }
  void update() {
    const Span& one = span();
    tl_observation fields{};
    fields.struct_size = sizeof fields;
    fields.set_mask = TL_BIT(TL_FIELD_OUTPUT) | TL_BIT(TL_FIELD_NAME);
    fields.output = payload();
    fields.name = tl_str("name");
    const tl_status status = tl_update(one.handle, &fields);
    expect(status, status_of(one.handle), "update");
    note(one, status);
  }
  void append() {
    const Span& one = span();
    const auto field = static_cast<tl_field>(input_.byte());
    const bool is_good = field % 8 != 0;
    const std::string text(input_.byte() * std::size_t{40}, 'x');
    const tl_status status =
        tl_append(one.handle, is_good ? tl_field{TL_FIELD_OUTPUT} : field, text_of(text));
    if (is_good) {
      expect(status, status_of(one.handle), "append");
    } else if (field != TL_FIELD_OUTPUT && field != TL_FIELD_INPUT) {
      require(status != TL_OK, "append refuses other fields");
    }
    note(one, status);
  }
  void end() {
    Span& one = span();
    const tl_status status = tl_end(one.handle, nullptr);
    expect(status, status_of(one.handle), "end");
    note(one, status);
    free(one);
  }

  // ----------------------------------------------------------------------------------------
  // reading

  void snapshot() {
    Snapshot& one = snapshots_[input_.below(kHandleCount)];
    if (one.handle != nullptr) {
      if (status_of(one.handle) == TL_OK) check_all(one.handle, one.seen);
      tl_snapshot_close(one.handle);
      orphans_.erase(one.handle);
      one = {};
      return;
    }
    if (store_ != nullptr) expect(tl_flush(store_, UINT32_MAX, nullptr), TL_OK, "flush");
    expect(tl_snapshot_open(store_, &one.handle), status_of(true), "snapshot_open");
    one.seen = model_;
  }
  void list() {
    Cursor& one = cursors_[input_.below(kHandleCount)];
    if (one.handle != nullptr) {
      tl_cursor_close(one.handle);
      orphans_.erase(one.handle);
      one = {};
    }
    const Snapshot& seen = snapshots_[input_.below(kHandleCount)];
    tl_filter filter{};
    filter.name = text_of(id());
    const auto kind = static_cast<tl_kind>(input_.byte() % 13);
    const bool is_other_store = seen.handle != nullptr && status_of(seen.handle) != TL_OK;
    call_with(filter, TL_OK, "list", [&](const tl_filter* given) {
      const tl_status status =
          tl_list(store_, seen.handle, kind, input_.below(2) == 0 ? nullptr : given,
                  static_cast<tl_order>(input_.below(6)), {}, input_.byte(), &one.handle);
      require((status == TL_OK) == (one.handle != nullptr), "a cursor comes with TL_OK");
      if (store_ == nullptr || is_other_store) expect(status, TL_MISUSE, "list");
      return TL_OK;
    });
  }
  void next() {
    Cursor& one = cursors_[input_.below(kHandleCount)];
    tl_row row{};
    row.struct_size = sizeof row;
    const tl_status status = tl_next(one.handle, &row);
    if (status_of(one.handle) != TL_OK) {
      expect(status, TL_MISUSE, "next");
    } else {
      require(status == TL_OK || status == TL_DONE, "next gives a row or is done");
    }
    one.has_row = status == TL_OK;
    std::array<char, 300> buffer{};
    std::size_t size_bytes = 0;
    const tl_status read =
        tl_payload_read(one.handle, static_cast<tl_field>(input_.byte()),
                        static_cast<tl_read_mode>(input_.below(3)), input_.below(8), buffer.data(),
                        buffer.size(), &size_bytes);
    require(size_bytes <= buffer.size(), "no more is read than there is room for");
    if (!one.has_row) require(read != TL_OK, "there is no payload without a row");
    tl_text preview{};
    (void)tl_preview(one.handle, TL_FIELD_INPUT, input_.byte(), &preview);
    tl_text position{};
    (void)tl_position(one.handle, &position);
  }
  void get() {
    if (store_ != nullptr) expect(tl_flush(store_, UINT32_MAX, nullptr), TL_OK, "flush");
    const Bytes trace_id = id();
    tl_cursor* cursor = nullptr;
    const tl_status status = tl_get(store_, nullptr, TL_KIND_TRACE, {}, text_of(trace_id), &cursor);
    if (store_ == nullptr) {
      expect(status, TL_MISUSE, "get");
    } else if (is_good(trace_id)) {
      const bool is_there = model_.traces.contains(std::string(trace_id));
      expect(status, is_there ? TL_OK : TL_NOT_FOUND, "get");
    }
    tl_cursor_close(cursor);
  }
  // A tree or a replay, to its end.
  void walk() {
    const Snapshot& seen = snapshots_[input_.below(kHandleCount)];
    tl_cursor* cursor = nullptr;
    const Bytes which = id();
    const tl_status status = input_.below(2) == 0
                                 ? tl_tree(store_, seen.handle, text_of(which), &cursor)
                                 : tl_replay(store_, seen.handle, text_of(which), nullptr, &cursor);
    if (store_ == nullptr) expect(status, TL_MISUSE, "walk");
    tl_row row{};
    row.struct_size = sizeof row;
    tl_status last = TL_OK;
    for (std::size_t count = 0; cursor != nullptr && last == TL_OK; ++count) {
      require(count < 10 * kCallCountMax, "a walk ends");
      last = tl_next(cursor, &row);
    }
    if (cursor != nullptr) expect(last, TL_DONE, "walk");
    tl_cursor_close(cursor);
  }

  void check_all(tl_snapshot* snapshot, const Model& wanted) const {
    if (snapshot == nullptr) expect(tl_flush(store_, UINT32_MAX, nullptr), TL_OK, "flush");
    for (const tl_kind kind : {TL_KIND_TRACE, TL_KIND_OBSERVATION, TL_KIND_SCORE}) {
      require(names_of(store_, snapshot, kind) == wanted.of(kind), "a list has what was recorded");
    }
  }

  // ----------------------------------------------------------------------------------------
  // keeping

  // What snapshots and cursors see may remain.
  void erase(bool is_secure) {
    const Bytes trace_id = id();
    tl_filter filter{};
    filter.struct_size = sizeof filter;
    filter.trace_id = text_of(trace_id);
    tl_delete_report report{};
    report.struct_size = sizeof report;
    const tl_status status = is_secure
                                 ? tl_delete_securely(store_, &filter, 0, nullptr, nullptr, &report)
                                 : tl_delete(store_, &filter, nullptr, nullptr, &report);
    const bool remains = is_secure && status == TL_TIMEOUT;
    if (store_ == nullptr) {
      expect(status, TL_MISUSE, "delete");
    } else if (is_good(trace_id) && !remains) {
      expect(status, TL_OK, "delete");
    }
    require(remains == (report.remaining_size_bytes > 0), "what remains is told");
    const bool nobody_looks =
        std::ranges::all_of(snapshots_, [](const auto& one) { return one.handle == nullptr; }) &&
        std::ranges::all_of(cursors_, [](const auto& one) { return one.handle == nullptr; });
    require(!remains || !nobody_looks, "nothing remains where nobody looks");
    if (status == TL_OK || remains) model_.erase_trace(std::string(trace_id));
  }
  // Events, or what is none.
  void import() {
    std::string events;
    Model imported;
    if (input_.below(4) == 0) {
      events = "x" + std::string(input_.take(input_.byte()));
      std::ranges::replace(events, '\n', ' ');
    } else {
      const Bytes trace_id = kIds[input_.below(kIds.size() - 2)];
      const Bytes own_id = kIds[input_.below(kIds.size() - 2)];
      events = events_of(trace_id, own_id);
      imported.add_observation(std::string(trace_id), std::string(own_id));
    }
    tl_import_report report{};
    const auto call = [&](tl_import_report* into) { return import_events(store_, events, into); };
    if (!call_with(report, status_of(true), "import", call)) return;
    model_.traces.merge(imported.traces);
    model_.observations.merge(imported.observations);
  }
  void export_all() {
    const Snapshot& of = snapshots_[input_.below(kHandleCount)];
    if (store_ != nullptr) expect(tl_flush(store_, UINT32_MAX, nullptr), TL_OK, "flush");
    std::string exported;
    const tl_status status = export_events(store_, of.handle, exported);
    if (store_ == nullptr || (of.handle != nullptr && status_of(of.handle) != TL_OK)) {
      return expect(status, TL_MISUSE, "export");
    }
    expect(status, TL_OK, "export");
    const Model& wanted = of.handle == nullptr ? model_ : of.seen;
    require(count_of(exported, R"("score-create")") == wanted.scores.size(),
            "an export has every score");
  }
  // What has come since the last call is told, as long as the file remembers.
  void follow() {
    if (store_ != nullptr) expect(tl_flush(store_, UINT32_MAX, nullptr), TL_OK, "flush");
    tl_cursor* cursor = nullptr;
    std::uint64_t newest = 0;
    const tl_status status = tl_changes(store_, position_, nullptr, &newest, &cursor);
    if (store_ == nullptr) return expect(status, TL_MISUSE, "changes");
    if (status != TL_EXPIRED) {
      expect(status, TL_OK, "changes");
      Names told = names_of(cursor);
      for (const std::string& name : model_.observations) {
        require(followed_.contains(name) || told.contains(name), "a change is told");
      }
    }
    require(newest >= position_, "positions grow");
    position_ = newest;
    followed_ = model_.observations;
  }
  // Of the file itself, which nobody may have open, and of a backup.
  void salvage() {
    // Snapshots and cursors that were not closed hold the file.
    if (store_ != nullptr) {
      salvage(path_, TL_BUSY);
    } else if (orphans_.empty()) {
      salvage(path_, TL_OK);
    }
    if (store_ == nullptr) return;
    const std::string copy = path_ + ".copy";
    expect(tl_flush(store_, UINT32_MAX, nullptr), TL_OK, "flush");
    expect(tl_backup(store_, copy.c_str(), nullptr, nullptr), TL_OK, "backup");
    salvage(copy, TL_OK);
    std::filesystem::remove(copy);
  }
  void salvage(const std::string& from, tl_status wanted) {
    const std::string salvaged = path_ + ".salvaged";
    tl_salvage_report report{};
    const bool is_there = call_with(report, wanted, "salvage", [&](tl_salvage_report* into) {
      return tl_salvage(from.c_str(), salvaged.c_str(), nullptr, nullptr, nullptr, nullptr, into);
    });
    require(is_there == std::filesystem::exists(salvaged), "a new file comes with TL_OK");
    if (is_there) expect_content(salvaged, model_);
  }
  void keep() {
    switch (input_.below(11)) {
      case 0:
        if (store_ != nullptr) check_all(nullptr, model_);
        break;
      case 1:
        expect(tl_compact(store_, nullptr, nullptr), status_of(true), "compact");
        break;
      case 2:
        expect(tl_reindex(store_, nullptr, nullptr), status_of(true), "reindex");
        break;
      case 3: {
        tl_statistics statistics{};
        call_with(statistics, status_of(true), "stats",
                  [&](tl_statistics* given) { return tl_stats(store_, given); });
        break;
      }
      case 4: {
        std::uint64_t count = 0;
        const auto reason = static_cast<tl_reason>(input_.byte());
        const tl_status status = tl_counter(store_, reason, &count);
        if (store_ == nullptr) expect(status, TL_MISUSE, "counter");
        break;
      }
      case 5:
        return import();
      case 6:
        return export_all();
      case 7:
        return follow();
      case 8:
        return salvage();
      case 9:
        return erase(true);
      default:
        expect(tl_open(nullptr, nullptr, nullptr), TL_MISUSE, "open");
        expect(tl_put_trace(store_, nullptr), TL_MISUSE, "put_trace");
        expect(tl_next(nullptr, nullptr), TL_MISUSE, "next");
    }
  }

  std::string path_;
  Input input_;
  tl_store* store_ = nullptr;
  std::array<Span, kHandleCount> spans_;
  std::array<Snapshot, kHandleCount> snapshots_;
  std::array<Cursor, kHandleCount> cursors_;
  std::set<const void*> orphans_;  // of a store that is closed
  Model model_;
  std::uint64_t position_ = 0;  // of what was followed, and the observations that there were
  Names followed_;
};

}  // namespace
}  // namespace tracelite::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  using namespace tracelite::fuzz;
  static const Folder folder;
  Run(folder.file("calls.tl"), as_bytes(data, size_bytes)).run();
  return 0;
}
