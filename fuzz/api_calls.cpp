// Aims at: lib/api/store.cpp lib/api/record.cpp lib/api/read.cpp lib/api/keep.cpp
//   lib/api/events.cpp lib/api/values_in.cpp lib/api/values_out.cpp lib/api/error.cpp
//   lib/ingest/live_observation.cpp
//
// Sequences of calls of the C API on a file of their own, with handles that are NULL or whose store
// is closed, structs of other sizes, and ids that are refused, against a model: which traces,
// observations, scores and sessions there must be, with their payloads and some of their fields.
//
// Each byte or few is a call. What is open, and what it must come to, is in api_handles.hpp; the
// calls that record in api_recording.hpp, the model in api_model.hpp; here are those that read and
// keep.

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>

#include "fuzz/api_recording.hpp"
#include "fuzz/api_store.hpp"
#include "fuzz/input.hpp"
#include "tracelite/tracelite.h"

namespace tracelite::fuzz {
namespace {

constexpr std::size_t kCallCountMax = 120;

// One input.
class Run : public Recording {
 public:
  using Recording::Recording;

  void run() {
    open();
    for (std::size_t call = 0; call < kCallCountMax && !input_.empty(); ++call) make_call();
    if (store_ == nullptr) open();
    check_all(nullptr, model_);
    expect(tl_check(store_, nullptr, nullptr, nullptr, nullptr), TL_OK, "check");
  }

 private:
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

  // ----------------------------------------------------------------------------------------
  // reading

  void snapshot() {
    Snapshot& one = any_snapshot();
    if (one.handle != nullptr) {
      if (status_of(one.handle) == TL_OK) check_all(one.handle, one.seen);
      tl_snapshot_close(one.handle);
      return forget(one);
    }
    flush();
    expect(tl_snapshot_open(store_, &one.handle), status_of(true), "snapshot_open");
    one.seen = model_;
  }
  void list() {
    Cursor& one = cursor();
    if (one.handle != nullptr) {
      tl_cursor_close(one.handle);
      forget(one);
    }
    const Snapshot& seen = any_snapshot();
    tl_filter filter{};
    filter.name = text_of(id());
    const auto kind = static_cast<tl_kind>(input_.byte() % 13);
    const bool is_other_store = is_orphan(seen.handle);
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
    Cursor& one = cursor();
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
    flush();
    const Bytes trace_id = id();
    tl_cursor* cursor = nullptr;
    const tl_status status = tl_get(store_, nullptr, TL_KIND_TRACE, {}, text_of(trace_id), &cursor);
    if (store_ == nullptr) {
      expect(status, TL_MISUSE, "get");
    } else if (is_good(trace_id)) {
      const std::string key(trace_id);
      const bool is_there = model_.has_trace(key);
      expect(status, is_there ? TL_OK : TL_NOT_FOUND, "get");
      if (!is_there) return;
      const std::string found =
          difference({{key, model_.of(TL_KIND_TRACE)[key]}}, rows_of(cursor)[TL_KIND_TRACE]);
      return found.empty() ? void() : fail("get: " + found);
    }
    tl_cursor_close(cursor);
  }
  // A tree or a replay, to its end.
  void walk() {
    const Snapshot& seen = any_snapshot();
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

  void check_all(tl_snapshot* snapshot, const Model& wanted) {
    if (snapshot == nullptr) flush();
    expect_rows(store_, snapshot, wanted, "what was recorded");
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
  void export_all() {
    const Snapshot& of = any_snapshot();
    flush();
    std::string exported;
    const tl_status status = export_events(store_, of.handle, exported);
    if (store_ == nullptr || is_orphan(of.handle)) {
      return expect(status, TL_MISUSE, "export");
    }
    expect(status, TL_OK, "export");
    expect_exported(path_ + ".exported", exported, of.handle == nullptr ? model_ : of.seen);
  }
  // What has come or changed since the last call is told, as it is now, as long as the file
  // remembers. Traces that are derived change with their observations.
  void follow() {
    flush();
    tl_cursor* cursor = nullptr;
    std::uint64_t newest = 0;
    const tl_status status = tl_changes(store_, position_, nullptr, &newest, &cursor);
    if (store_ == nullptr) return expect(status, TL_MISUSE, "changes");
    if (status != TL_EXPIRED) {
      expect(status, TL_OK, "changes");
      Rows told = rows_of(cursor);
      for (const tl_kind kind : {TL_KIND_TRACE, TL_KIND_OBSERVATION, TL_KIND_SCORE}) {
        check_told(kind, told[kind]);
      }
    }
    require(newest >= position_, "positions grow");
    position_ = newest;
    followed_ = model_;
  }
  void check_told(tl_kind kind, const World& told) const {
    const World before = followed_.of(kind);
    for (const auto& [key, fields] : model_.of(kind)) {
      const auto one = told.find(key);
      if (one != told.end()) {
        const std::string found = difference({{key, fields}}, {*one});
        if (!found.empty()) fail("a change: " + found);
      }
      const auto known = before.find(key);
      const bool is_derived = fields.contains("derived") && fields.at("derived") == "1";
      const bool is_same = known != before.end() && known->second == fields;
      if (!is_derived && !is_same && one == told.end()) fail("no change is told of " + key);
    }
    for (const auto& [key, fields] : told) {
      if (!model_.of(kind).contains(key)) fail("a change is told of what is gone: " + key);
    }
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
    flush();
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

  std::uint64_t position_ = 0;  // of what was followed, and what there was
  Model followed_;
};

}  // namespace
}  // namespace tracelite::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  using namespace tracelite::fuzz;
  static const Folder folder;
  Run(folder.file("calls.tl"), as_bytes(data, size_bytes)).run();
  return 0;
}
