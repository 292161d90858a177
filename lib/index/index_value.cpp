// Conversions between values and SQLite columns.
#include "index/index_value.hpp"

#include <algorithm>

namespace tracelite::index {

IndexId::IndexId(Bytes id) {
  std::string coded;
  const bool hex_size = id.size() == 16 || id.size() == 32;
  const bool hex = std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
  is_blob = hex_size && hex;
  if (!is_blob) {
    bytes = id;
    return;
  }
  const auto digit = [](char c) {
    return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10);
  };
  for (std::size_t i = 0; i < id.size(); i += 2) {
    bytes.push_back(static_cast<char>(digit(id[i]) << 4 | digit(id[i + 1])));
  }
}

std::string IndexId::text_of(bool is_blob, Bytes value) {
  if (!is_blob) return std::string(value);
  static constexpr char kHex[] = "0123456789abcdef";
  std::string id;
  for (const char byte : value) {
    id.push_back(kHex[static_cast<unsigned char>(byte) >> 4]);
    id.push_back(kHex[static_cast<unsigned char>(byte) & 15]);
  }
  return id;
}

std::string IndexId::from_column(const Statement& statement, int at) {
  return text_of(statement.type(at) == SQLITE_BLOB, statement.bytes(at));
}

void IndexId::bind(Statement& statement, int at) const {
  is_blob ? statement.bind_blob(at, bytes) : statement.bind_text(at, bytes);
}

void bind_cost(Statement& statement, int at, model::Int128 units, std::string& text) {
  if (units >= INT64_MIN && units <= INT64_MAX) {
    statement.bind(at, static_cast<std::int64_t>(units));
    return;
  }
  text.clear();
  model::append_int128(text, units);
  statement.bind_blob(at, text);
}

model::Int128 read_cost(const Statement& statement, int at) {
  if (statement.type(at) == SQLITE_INTEGER) return statement.integer(at);
  ByteReader reader(statement.bytes(at));
  return model::read_int128(reader);
}

std::optional<std::int64_t> duration_to_store(const Figures& figures) {
  if (!figures.end_ns) return std::nullopt;
  return wrapping_subtract(*figures.end_ns, figures.start_ns);
}

std::optional<std::int64_t> total_tokens_to_store(const Figures& figures) {
  std::int64_t sum = 0;
  const bool overflows = __builtin_add_overflow(figures.input_tokens, figures.output_tokens, &sum);
  return overflows || sum != figures.total_tokens ? std::optional(figures.total_tokens)
                                                  : std::nullopt;
}

Figures read_figures(const Statement& statement, int first) {
  Figures figures;
  figures.start_ns = statement.integer(first);
  if (!statement.is_null(first + 1)) {
    figures.end_ns = wrapping_add(figures.start_ns, statement.integer(first + 1));
  }
  figures.is_event =
      statement.integer(first + 2) == static_cast<std::int64_t>(model::ObservationType::event);
  figures.level = statement.integer(first + 3);
  figures.input_tokens = statement.integer(first + 4);
  figures.output_tokens = statement.integer(first + 5);
  figures.total_tokens = statement.is_null(first + 6)
                             ? wrapping_add(figures.input_tokens, figures.output_tokens)
                             : statement.integer(first + 6);
  figures.cost = read_cost(statement, first + 7);
  return figures;
}

}  // namespace tracelite::index
