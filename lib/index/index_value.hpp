// How ids, keys, costs and attribute values are written in index rows.
#pragma once

#include <cstdint>
#include <string>

#include "index/statement.hpp"
#include "index/trace_sums.hpp"
#include "model/decimal.hpp"
#include "record/record_key.hpp"

namespace tracelite::index {

// An id as it is bound and compared: a BLOB for 16 or 32 lower-case hex digits, else TEXT.
struct IndexId {
  explicit IndexId(Bytes id);
  // Back to the text of the id.
  static std::string text_of(bool is_blob, Bytes value);
  static std::string from_column(const Statement& statement, int at);
  void bind(Statement& statement, int at) const;

  bool is_blob = false;
  std::string bytes;
};

// 64 unsigned bits as SQLite's signed integer, and back.
inline std::int64_t to_integer(std::uint64_t value) { return static_cast<std::int64_t>(value); }
inline std::uint64_t from_integer(std::int64_t value) { return static_cast<std::uint64_t>(value); }

// Tokens are kept as signed integers: what does not fit is stored as the greatest that does.
inline std::int64_t to_token_count(std::uint64_t value) {
  return value > INT64_MAX ? INT64_MAX : static_cast<std::int64_t>(value);
}

// `text` must stay until the statement is reset: it holds the digits where an integer is too small.
void bind_cost(Statement& statement, int at, model::Int128 units, std::string& text);
model::Int128 read_cost(const Statement& statement, int at);
// What a row of `observation` says shortly: see the schema.
std::optional<std::int64_t> duration_to_store(const Figures& figures);
std::optional<std::int64_t> total_tokens_to_store(const Figures& figures);
// From start_ns, duration_ns, type, level, input_tokens, output_tokens, total_tokens and cost of a
// row of `observation`, in columns from `first` on.
Figures read_figures(const Statement& statement, int first);

}  // namespace tracelite::index
