// What the tests of the C API share: a store that closes itself, import and export of whole texts.
#pragma once

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/helpers.hpp"
#include "tracelite/tracelite.h"

namespace tracelite::api::test {

using store::test::Folder;

inline tl_text text_of(std::string_view view) { return {view.data(), view.size()}; }
inline std::string string_of(const tl_text& text) {
  return text.data == nullptr ? std::string() : std::string(text.data, text.size_bytes);
}

inline void must(tl_status status) {
  if (status != TL_OK) {
    BOOST_FAIL("unexpected " << tl_status_name(status) << ": " << tl_error()->field << ": "
                             << tl_error()->message);
  }
}

// That the last call failed like this, saying this and naming this field.
inline void expect(tl_status got, tl_status wanted, std::string_view part_of_message,
                   std::string_view field = {}) {
  BOOST_TEST(std::string(tl_status_name(got)) == tl_status_name(wanted));
  const std::string message = tl_error()->message;
  BOOST_TEST(message.find(part_of_message) != std::string::npos,
             "the message is: " << message << "; it lacks: " << part_of_message);
  if (!field.empty()) BOOST_TEST(std::string(tl_error()->field) == field);
}

struct Import {
  tl_import_report report{};
  std::vector<std::string> warnings;  // "reason field: message"
  std::vector<std::string> failures;  // "line id field: message"
};

// A tl_read_fn of a std::string_view, which becomes what is left.
inline std::int64_t read_some(void* context, void* buffer, std::size_t capacity) {
  auto& rest = *static_cast<std::string_view*>(context);
  const std::size_t size = std::min(capacity, rest.size());
  if (size > 0) std::memcpy(buffer, rest.data(), size);
  rest.remove_prefix(size);
  return static_cast<std::int64_t>(size);
}

class Store {
 public:
  explicit Store(const std::string& path, tl_options options = {}) {
    options.struct_size = sizeof options;
    must(tl_open(path.c_str(), &options, &store_));
  }
  ~Store() {
    if (store_ != nullptr) tl_close(store_, UINT32_MAX, nullptr);
  }
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  [[nodiscard]] tl_store* get() const { return store_; }
  // For a test that closes it by itself.
  [[nodiscard]] tl_store* release() { return std::exchange(store_, nullptr); }
  void close() { must(tl_close(std::exchange(store_, nullptr), UINT32_MAX, nullptr)); }
  void flush() const { must(tl_flush(store_, UINT32_MAX, nullptr)); }
  // After the cause of a failure is gone; the try that was under way may still fail.
  void flush_after_mending() const {
    if (tl_flush(store_, UINT32_MAX, nullptr) != TL_OK) flush();
  }

  [[nodiscard]] Import import(std::string_view text) const {
    Import result;
    result.report.struct_size = sizeof result.report;
    must(tl_import(store_, TL_FORMAT_LANGFUSE, read_some, &text, take_outcome, &result, nullptr,
                   nullptr, &result.report));
    return result;
  }
  // Every event must succeed.
  void import_all(std::string_view text) const {
    const Import result = import(text);
    for (const std::string& failure : result.failures) BOOST_ERROR("failed: " << failure);
    BOOST_REQUIRE(result.report.failed_count == 0U);
  }
  [[nodiscard]] std::string export_all(tl_snapshot* snapshot = nullptr,
                                       const tl_filter* filter = nullptr) const {
    std::string text;
    must(tl_export(store_, snapshot, filter, TL_FORMAT_LANGFUSE, write_some, &text, nullptr,
                   nullptr));
    return text;
  }
  void check() const {
    std::string findings;
    const tl_status status = tl_check(store_, take_finding, &findings, nullptr, nullptr);
    if (status != TL_OK) BOOST_FAIL("check: " << tl_error()->message << "\n" << findings);
  }
  void reindex() const { must(tl_reindex(store_, nullptr, nullptr)); }
  [[nodiscard]] tl_delete_report remove(const tl_filter& filter) const {
    tl_delete_report report{};
    report.struct_size = sizeof report;
    must(tl_delete(store_, &filter, nullptr, nullptr, &report));
    return report;
  }
  [[nodiscard]] std::uint64_t counter(tl_reason reason) const {
    std::uint64_t count = 0;
    must(tl_counter(store_, reason, &count));
    return count;
  }
  [[nodiscard]] tl_statistics statistics() const {
    tl_statistics statistics{};
    statistics.struct_size = sizeof statistics;
    must(tl_stats(store_, &statistics));
    return statistics;
  }

 private:
  static std::int32_t write_some(void* context, const void* data, std::size_t size) {
    static_cast<std::string*>(context)->append(static_cast<const char*>(data), size);
    return 0;
  }
  static void take_outcome(void* context, const tl_outcome* outcome) {
    auto& result = *static_cast<Import*>(context);
    const std::string rest = string_of(outcome->field) + ": " + string_of(outcome->message);
    if (outcome->http_status != 201) {
      result.failures.push_back(std::to_string(outcome->line) + " " + string_of(outcome->event_id) +
                                " " + rest);
    } else if (outcome->is_warning != 0) {
      result.warnings.push_back(std::string(tl_reason_name(outcome->reason)) + " " + rest);
    }
  }
  static void take_finding(void* context, tl_text where, tl_text message) {
    static_cast<std::string*>(context)->append(string_of(where) + ": " + string_of(message) + "\n");
  }

  tl_store* store_ = nullptr;
};

// A cursor that closes itself.
class Rows {
 public:
  explicit Rows(tl_cursor* cursor) : cursor_(cursor) {}
  ~Rows() { tl_cursor_close(cursor_); }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  bool next() {
    row_ = {};
    row_.struct_size = sizeof row_;
    const tl_status status = tl_next(cursor_, &row_);
    if (status == TL_DONE) return false;
    must(status);
    return true;
  }
  [[nodiscard]] const tl_row& row() const { return row_; }
  [[nodiscard]] tl_cursor* get() const { return cursor_; }
  [[nodiscard]] std::string payload(tl_field field) const {
    std::string bytes;
    std::string buffer(std::size_t{1} << 20, '\0');
    for (std::size_t size = buffer.size(); size == buffer.size();) {
      must(tl_payload_read(cursor_, field, TL_READ_AS_GIVEN, bytes.size(), buffer.data(),
                           buffer.size(), &size));
      bytes.append(buffer, 0, size);
    }
    return bytes;
  }

 private:
  tl_cursor* cursor_;
  tl_row row_{};
};

inline tl_cursor* list(const Store& store, tl_kind kind, tl_snapshot* snapshot = nullptr) {
  tl_cursor* cursor = nullptr;
  must(tl_list(store.get(), snapshot, kind, nullptr, TL_ORDER_TIME | TL_ORDER_ASCENDING, {}, 0,
               &cursor));
  return cursor;
}
inline tl_cursor* get(const Store& store, tl_kind kind, std::string_view trace_id,
                      std::string_view id) {
  tl_cursor* cursor = nullptr;
  const tl_text trace = trace_id.empty() ? tl_text{} : text_of(trace_id);
  must(tl_get(store.get(), nullptr, kind, trace, text_of(id), &cursor));
  return cursor;
}
inline std::uint64_t count(const Store& store, tl_kind kind, tl_snapshot* snapshot = nullptr) {
  std::uint64_t number = 0;
  for (Rows rows(list(store, kind, snapshot)); rows.next();) ++number;
  return number;
}

inline tl_filter filter() {
  tl_filter any{};
  any.struct_size = sizeof any;
  return any;
}
// Everything: a time that covers all.
inline tl_filter all_times() {
  tl_filter all = filter();
  all.from_ns = INT64_MIN;
  return all;
}
inline tl_filter of_trace(std::string_view id) {
  tl_filter of = filter();
  of.trace_id = text_of(id);
  return of;
}
// The ids of the traces that a filter selects, sorted.
inline std::vector<std::string> traces_of(const Store& store, const tl_filter& filter) {
  tl_cursor* cursor = nullptr;
  must(tl_list(store.get(), nullptr, TL_KIND_TRACE, &filter, TL_ORDER_TIME, {}, 0, &cursor));
  std::vector<std::string> ids;
  for (Rows rows(cursor); rows.next();) ids.push_back(string_of(rows.row().trace->id));
  std::sort(ids.begin(), ids.end());
  return ids;
}

// A factor for how many random cases to run.
inline int test_scale() {
  const char* scale = std::getenv("TL_TEST_SCALE");
  return scale == nullptr ? 1 : std::max(1, std::atoi(scale));
}

}  // namespace tracelite::api::test
