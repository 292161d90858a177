// What api_calls.cpp makes of a store besides its random calls: a model of what is in it, events in
// and out, and what a list has.
#pragma once

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <set>
#include <string>

#include "fuzz/input.hpp"
#include "tracelite/tracelite.h"

namespace tracelite::fuzz {

using Names = std::set<std::string>;

inline tl_text text_of(Bytes bytes) { return {bytes.data(), bytes.size()}; }
inline std::string string_of(const tl_text& text) {
  return text.data == nullptr ? std::string() : std::string(text.data, text.size_bytes);
}
inline void expect(tl_status got, tl_status wanted, const char* what) {
  if (got == wanted) return;
  fail(std::string(what) + ": " + tl_status_name(got) + " instead of " + tl_status_name(wanted) +
       ": " + tl_error()->field + ": " + tl_error()->message);
}

// What must be in the file once all is flushed.
struct Model {
  Names traces, observations, scores;

  void add_observation(const std::string& trace_id, const std::string& id) {
    traces.insert(trace_id);
    observations.insert(trace_id + "/" + id);
  }
  void erase_trace(const std::string& trace_id) {
    traces.erase(trace_id);
    std::erase_if(observations,
                  [&](const std::string& name) { return name.starts_with(trace_id + "/"); });
    std::erase_if(scores,
                  [&](const std::string& name) { return name.starts_with(trace_id + "/"); });
  }
  [[nodiscard]] const Names& of(tl_kind kind) const {
    return kind == TL_KIND_TRACE ? traces : kind == TL_KIND_SCORE ? scores : observations;
  }
};

// What is in the rows of a cursor, which is closed then.
inline Names names_of(tl_cursor* cursor) {
  Names names;
  for (;;) {
    tl_row row{};
    row.struct_size = sizeof row;
    const tl_status status = tl_next(cursor, &row);
    if (status == TL_DONE) break;
    expect(status, TL_OK, "next");
    if (row.trace != nullptr) names.insert(string_of(row.trace->id));
    if (row.observation != nullptr) {
      names.insert(string_of(row.observation->trace_id) + "/" + string_of(row.observation->id));
    }
    if (row.score != nullptr) {
      names.insert(string_of(row.score->trace_id) + "/" + string_of(row.score->id));
    }
  }
  tl_cursor_close(cursor);
  return names;
}
// What there is of a kind, in a snapshot or now.
inline Names names_of(tl_store* store, tl_snapshot* snapshot, tl_kind kind) {
  tl_cursor* cursor = nullptr;
  expect(tl_list(store, snapshot, kind, nullptr, TL_ORDER_TIME, {}, 0, &cursor), TL_OK, "list");
  return names_of(cursor);
}

// A trace and an observation of it.
inline std::string events_of(Bytes trace_id, Bytes own_id) {
  const auto event = [](const char* type, const std::string& body) {
    return std::string(R"({"id":"e","timestamp":"2026-03-01T12:00:00Z","type":")") + type +
           R"(","body":{)" + body + "}}\n";
  };
  const std::string trace(trace_id);
  return event("trace-create", R"("id":")" + trace + '"') +
         event("span-create", R"("id":")" + std::string(own_id) + R"(","traceId":")" + trace + '"');
}
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
inline std::size_t count_of(Bytes text, Bytes part) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != Bytes::npos; at += part.size()) ++count;
  return count;
}

// That a file has this and is sound; it is removed then.
inline void expect_content(const std::string& path, const Model& wanted) {
  tl_options options{};
  options.struct_size = sizeof options;
  options.map_size_bytes = std::uint64_t{1} << 28;
  tl_store* store = nullptr;
  expect(tl_open(path.c_str(), &options, &store), TL_OK, "open of what was salvaged");
  for (const tl_kind kind : {TL_KIND_TRACE, TL_KIND_OBSERVATION, TL_KIND_SCORE}) {
    require(names_of(store, nullptr, kind) == wanted.of(kind), "what is salvaged has everything");
  }
  expect(tl_check(store, nullptr, nullptr, nullptr, nullptr), TL_OK, "check of what was salvaged");
  expect(tl_close(store, UINT32_MAX, nullptr), TL_OK, "close of what was salvaged");
  std::filesystem::remove(path);
}

}  // namespace tracelite::fuzz
