// What api_calls.cpp does with stores besides its random calls: reading back all that the model
// knows, and events in and out.
#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <string>
#include <utility>

#include "fuzz/api_model.hpp"
#include "fuzz/input.hpp"
#include "tracelite/tracelite.h"

namespace tracelite::fuzz {

inline tl_text text_of(Bytes bytes) { return {bytes.data(), bytes.size()}; }
inline void expect(tl_status got, tl_status wanted, const char* what) {
  if (got == wanted) return;
  fail(std::string(what) + ": " + tl_status_name(got) + " instead of " + tl_status_name(wanted) +
       ": " + tl_error()->field + ": " + tl_error()->message);
}

// A payload of the row that a cursor stands at, as it was given.
inline std::string payload_of(tl_cursor* cursor, tl_field field, const tl_payload& told) {
  if (told.form == TL_FORM_ABSENT) return kAbsent;
  std::string bytes;
  std::array<char, 4096> part{};
  for (;;) {
    std::size_t size_bytes = 0;
    expect(tl_payload_read(cursor, field, TL_READ_AS_GIVEN, bytes.size(), part.data(), part.size(),
                           &size_bytes),
           TL_OK, "payload_read");
    bytes.append(part.data(), size_bytes);
    if (size_bytes < part.size()) break;
  }
  require(bytes.size() == told.text.size_bytes, "a payload is as long as its row says");
  return shown_payload(told.form, bytes);
}

inline Fields fields_of(tl_cursor* cursor, const tl_row& row) {
  if (row.trace != nullptr) {
    const tl_trace& trace = *row.trace;
    Fields fields{{"derived", std::to_string(row.is_derived)},
                  {"name", string_of(trace.name)},
                  {"user", string_of(trace.user_id)},
                  {"time", std::to_string(trace.timestamp_ns)},
                  {"input", payload_of(cursor, TL_FIELD_INPUT, trace.input)}};
    for (std::size_t i = 0; i < trace.tag_count; ++i) {
      fields["tags"].append(string_of(trace.tags[i])).push_back(',');
    }
    return fields;
  }
  if (row.observation != nullptr) {
    const tl_observation& one = *row.observation;
    return {{"name", string_of(one.name)},
            {"parent", string_of(one.parent_observation_id)},
            {"type", std::to_string(one.type)},
            {"level", std::to_string(one.level)},
            {"time", std::to_string(one.start_time_ns)},
            {"input", payload_of(cursor, TL_FIELD_INPUT, one.input)},
            {"output", payload_of(cursor, TL_FIELD_OUTPUT, one.output)}};
  }
  if (row.score != nullptr) return {{"value", std::to_string(row.score->value)}};
  return {{"bookmarked", std::to_string(row.session->is_bookmarked)}};
}
inline std::string key_of(const tl_row& row) {
  if (row.trace != nullptr) return string_of(row.trace->id);
  if (row.observation != nullptr) {
    return string_of(row.observation->trace_id) + "/" + string_of(row.observation->id);
  }
  if (row.score != nullptr) return string_of(row.score->trace_id) + "/" + string_of(row.score->id);
  return string_of(row.session->id);
}

// What is in the rows of a cursor, by kind; it is closed then.
using Rows = std::map<tl_kind, World>;
inline Rows rows_of(tl_cursor* cursor) {
  Rows rows;
  for (;;) {
    tl_row row{};
    row.struct_size = sizeof row;
    const tl_status status = tl_next(cursor, &row);
    if (status == TL_DONE) break;
    expect(status, TL_OK, "next");
    const bool is_new = rows[row.kind].emplace(key_of(row), fields_of(cursor, row)).second;
    require(is_new, "a row comes once");
  }
  tl_cursor_close(cursor);
  return rows;
}

inline constexpr std::array kModelledKinds = {TL_KIND_TRACE, TL_KIND_OBSERVATION, TL_KIND_SCORE,
                                              TL_KIND_SESSION};
// That a snapshot, or what there is, has this and nothing else.
inline void expect_rows(tl_store* store, tl_snapshot* snapshot, const Model& wanted,
                        const char* what, bool is_exported = false) {
  for (const tl_kind kind : kModelledKinds) {
    tl_cursor* cursor = nullptr;
    expect(tl_list(store, snapshot, kind, nullptr, TL_ORDER_TIME, {}, 0, &cursor), TL_OK, "list");
    const std::string found = difference(wanted.of(kind), rows_of(cursor)[kind], is_exported);
    if (!found.empty()) fail(std::string(what) + ": " + found);
  }
}

// A trace and an observation of it, as the model would be told by puts.
struct Imported {
  std::string trace_id, id, name, text;
  Moment number = 0;  // from 1

  // Those of another number are later.
  [[nodiscard]] std::string events() const {
    const std::string time = ":" + two_digits(number / 60) + ":" + two_digits(number % 60) + "Z";
    const auto event = [&](const char* type, const std::string& body) {
      return R"({"id":"e","timestamp":"2001-01-01T00)" + time + R"(","type":")" + type +
             R"(","body":{)" + body + R"(,"name":")" + name + R"(","input":")" + text + "\"}}\n";
    };
    return event("trace-create",
                 R"("id":")" + trace_id + R"(","timestamp":"2002-02-02T02)" + time + '"') +
           event("span-create", R"("id":")" + id + R"(","traceId":")" + trace_id +
                                    R"(","level":"WARNING","startTime":"2002-02-02T02)" + time +
                                    '"');
  }
  void enter(Model& model) const {
    const std::int64_t time_ns = (kFirstS + static_cast<std::int64_t>(number)) * 1'000'000'000;
    tl_trace trace{};
    trace.id = text_of(trace_id);
    trace.set_mask = TL_BIT(TL_FIELD_NAME) | TL_BIT(TL_FIELD_INPUT) | TL_BIT(TL_FIELD_TIMESTAMP);
    trace.name = text_of(name);
    const std::string json = '"' + text + '"';
    trace.input = {TL_FORM_JSON, text_of(json)};
    trace.timestamp_ns = time_ns;
    model.put(number, trace);
    tl_observation one{};
    one.id = text_of(id);
    one.trace_id = text_of(trace_id);
    one.set_mask = TL_BIT(TL_FIELD_NAME) | TL_BIT(TL_FIELD_INPUT) | TL_BIT(TL_FIELD_START_TIME) |
                   TL_BIT(TL_FIELD_LEVEL) | TL_BIT(TL_FIELD_TYPE);
    one.name = trace.name;
    one.input = trace.input;
    one.start_time_ns = time_ns;
    one.level = TL_LEVEL_WARNING;
    one.type = TL_TYPE_SPAN;
    model.put(number, one);
  }

 private:
  static constexpr std::int64_t kFirstS = 1'012'615'200;  // 2002-02-02T02:00:00Z
  static std::string two_digits(Moment of) { return std::to_string(100 + of % 60).substr(1); }
};
inline tl_status import_events(tl_store* store, Bytes events, tl_import_report* report) {
  const auto read_some = [](void* context, void* buffer, std::size_t capacity) {
    auto& rest = *static_cast<Bytes*>(context);
    const std::size_t size = rest.copy(static_cast<char*>(buffer), capacity);
    rest.remove_prefix(size);
    return static_cast<std::int64_t>(size);
  };
  return tl_import(store, TL_FORMAT_LANGFUSE, read_some, &events, nullptr, nullptr, nullptr,
                   nullptr, report);
}
inline tl_status export_events(tl_store* store, tl_snapshot* snapshot, std::string& events) {
  const auto write_some = [](void* context, const void* data, std::size_t size) {
    static_cast<std::string*>(context)->append(static_cast<const char*>(data), size);
    return std::int32_t{0};
  };
  return tl_export(store, snapshot, nullptr, TL_FORMAT_LANGFUSE, write_some, &events, nullptr,
                   nullptr);
}

// An empty file beside others, for as long as a call needs it.
class OtherStore {
 public:
  explicit OtherStore(std::string path) : path_(std::move(path)) {
    tl_options options{};
    options.struct_size = sizeof options;
    options.map_size_bytes = std::uint64_t{1} << 28;
    options.default_environment = tl_str("default");
    expect(tl_open(path_.c_str(), &options, &store_), TL_OK, "open of another store");
  }
  ~OtherStore() {
    tl_close(store_, UINT32_MAX, nullptr);
    std::filesystem::remove(path_);
  }
  OtherStore(const OtherStore&) = delete;
  OtherStore& operator=(const OtherStore&) = delete;
  [[nodiscard]] tl_store* get() const { return store_; }

 private:
  std::string path_;
  tl_store* store_ = nullptr;
};

// That a file has this and is sound; it is removed then.
inline void expect_content(const std::string& path, const Model& wanted) {
  const OtherStore store(path);
  expect_rows(store.get(), nullptr, wanted, "what was salvaged");
  expect(tl_check(store.get(), nullptr, nullptr, nullptr, nullptr), TL_OK,
         "check of what was salvaged");
}

// That what is exported is imported as what it was, and is exported as the same then.
inline void expect_exported(const std::string& path, const std::string& events,
                            const Model& wanted) {
  const OtherStore store(path);
  tl_import_report report{};
  report.struct_size = sizeof report;
  expect(import_events(store.get(), events, &report), TL_OK, "import of what was exported");
  require(report.failed_count == 0, "what is exported can be imported");
  expect_rows(store.get(), nullptr, wanted, "what was exported", true);
  std::string again;
  expect(export_events(store.get(), nullptr, again), TL_OK, "export of what was exported");
  require(again == events, "what was exported is exported as the same bytes");
}

}  // namespace tracelite::fuzz
