// Reading whole traces, whole sessions and single payloads, from either file.
#pragma once

#include <zstd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/sqlite_statement.hpp"
#include "tracelite/tracelite.hpp"

namespace bench {

// A row of a trace list has the sums of its observations; so the page is joined with them.
#define TL_TRACE_COLUMNS \
  "t.id, t.name, t.session_id, t.user_id, t.environment, t.release, t.version, t.tags, t.start_ns"
#define TL_OBSERVATION_SUMS                                                                 \
  "count(o.id), sum(o.level = 'DEBUG'), sum(o.level = 'WARNING'), sum(o.level = 'ERROR'), " \
  "sum(o.id IS NOT NULL AND o.end_ns IS NULL), sum(o.input_tokens), sum(o.output_tokens), " \
  "sum(o.total_tokens), sum(o.cost_usd), min(o.start_ns), max(coalesce(o.end_ns, o.start_ns))"
#define TL_OBSERVATION_COLUMNS                                                               \
  "o.id, o.trace_id, o.parent_id, o.type, o.name, o.level, o.status_message, o.start_ns, "   \
  "o.end_ns, o.model, o.model_parameters, o.input_tokens, o.output_tokens, o.total_tokens, " \
  "o.cost_usd"

std::string page_of_traces(const std::string& from_where);
std::string page_of_traces_with_sums(const std::string& from_where);

// Where payloads are copied to, as a program that shows them does.
class PayloadBuffer {
 public:
  void take(tracelite::Cursor& cursor, tl_field field);
  // Those of input, output and metadata that the mask has.
  void take(tracelite::Cursor& cursor, std::uint64_t set_mask);
  // A text, or a zstd frame if the column holds a blob.
  void take(const SqliteStatement& statement, int column);

  // Of everything taken so far.
  [[nodiscard]] std::uint64_t size_bytes() const { return size_bytes_; }

 private:
  struct FreeDecompressor {
    void operator()(ZSTD_DCtx* decompressor) const { ZSTD_freeDCtx(decompressor); }
  };
  void take_text(std::string_view text);
  void take_frame(std::string_view frame);

  std::vector<char> buffer_ = std::vector<char>(std::size_t{4} << 20);
  std::unique_ptr<ZSTD_DCtx, FreeDecompressor> decompressor_{ZSTD_createDCtx()};
  std::uint64_t size_bytes_ = 0;
};

// Each gives the number of rows.
std::int64_t read_all(tracelite::Cursor cursor);
// Of a tree or a replay; every payload once, at its entity's begin.
std::int64_t read_all(tracelite::Cursor cursor, PayloadBuffer& payloads);

class SqliteReplay {
 public:
  explicit SqliteReplay(sqlite3* db);
  std::int64_t run(std::string_view session, PayloadBuffer& payloads);

 private:
  SqliteStatement traces_;
  SqliteStatement observations_;
};

class SqliteTree {
 public:
  explicit SqliteTree(sqlite3* db);
  std::int64_t run(std::string_view trace);
  std::int64_t run(std::string_view trace, PayloadBuffer& payloads);

 private:
  std::int64_t run(std::string_view trace, SqliteStatement& observations, PayloadBuffer* payloads);

  SqliteStatement trace_;
  SqliteStatement trace_payloads_;
  SqliteStatement observations_;
  SqliteStatement observations_with_payloads_;
};

}  // namespace bench
