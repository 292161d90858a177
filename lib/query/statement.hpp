// Prepared statements of one reading connection, kept between queries.
//
// Knows SQLite's C API. Must not know the schema.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "model/bytes.hpp"
#include "model/result.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace tracelite::query {

// A value of SQL: an id, a term, or what a list is ordered by.
struct Value {
  enum class Type : std::uint8_t { null = 0, integer = 1, text = 2, blob = 3 };

  Type type = Type::null;
  std::int64_t integer = 0;
  std::string bytes;

  static Value of(std::int64_t integer) { return {Type::integer, integer, {}}; }
  static Value text(Bytes bytes) { return {Type::text, 0, std::string(bytes)}; }
  static Value blob(Bytes bytes) { return {Type::blob, 0, std::string(bytes)}; }
  // An id as the index keeps it: 16 or 32 lower-case hex digits as a BLOB, any other as TEXT.
  static Value id(Bytes id);
  // The id that id() was made from.
  [[nodiscard]] std::string as_id() const;
};

class StatementCache;

// A prepared statement; goes back to its cache, reset, when it is dropped. Texts of a row are valid
// until the next step.
class Statement {
 public:
  Statement() = default;
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;

  // Binds the values to ?1, ?2, ... and starts anew.
  Status bind(const std::vector<Value>& values);
  Status bind(std::int64_t value);
  // False at the end.
  Result<bool> step();

  [[nodiscard]] bool is_null(int column) const;
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] Bytes bytes(int column) const;
  [[nodiscard]] Value value(int column) const;

 private:
  friend class StatementCache;
  Statement(StatementCache* cache, std::string sql, sqlite3_stmt* statement)
      : cache_(cache), sql_(std::move(sql)), statement_(statement) {}
  void drop();
  Status bind_one(int index, const Value& value);

  StatementCache* cache_ = nullptr;
  std::string sql_;
  sqlite3_stmt* statement_ = nullptr;
};

// Must outlive its statements, and be destroyed before the connection.
class StatementCache {
 public:
  static constexpr std::size_t kIdleCountMax = 32;

  explicit StatementCache(sqlite3* connection) : connection_(connection) {}
  ~StatementCache();
  StatementCache(const StatementCache&) = delete;
  StatementCache& operator=(const StatementCache&) = delete;

  // Errors: those of SQLite, mapped by index::sqlite_error.
  Result<Statement> prepare(std::string sql);
  [[nodiscard]] sqlite3* connection() const { return connection_; }

 private:
  friend class Statement;
  void give_back(std::string sql, sqlite3_stmt* statement);

  sqlite3* connection_;
  std::vector<std::pair<std::string, sqlite3_stmt*>> idle_;  // the one used last at the end
};

}  // namespace tracelite::query
