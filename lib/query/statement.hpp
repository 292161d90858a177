// Statements of one reading connection, kept prepared between queries, and values bound to them.
//
// Must not know the schema.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "index/statement.hpp"

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
  static Value of_column(const index::Statement& row, int column);

  // The order that SQLite sorts values by: NULL, then numbers, then texts and blobs by their bytes.
  friend auto operator<=>(const Value&, const Value&) = default;
};

class StatementCache;

// A statement on loan from a cache: reset and given back when this is dropped.
class CachedStatement {
 public:
  ~CachedStatement();
  CachedStatement(CachedStatement&& other) noexcept;
  CachedStatement& operator=(CachedStatement&&) = delete;

  index::Statement* operator->() const;
  index::Statement& operator*() const;
  // Starts anew with these values for ?1, ?2, ...; they must stay until the statement is reset.
  void bind(const std::vector<Value>& values) const;
  void bind(std::int64_t value) const;

 private:
  friend class StatementCache;
  struct Entry;
  CachedStatement(StatementCache* cache, Entry* entry) : cache_(cache), entry_(entry) {}

  StatementCache* cache_;
  Entry* entry_;  // the cache's; nullptr once moved away
};

// Must outlive its statements, and be destroyed before the connection.
class StatementCache {
 public:
  static constexpr std::size_t kIdleCountMax = 32;

  explicit StatementCache(sqlite3* connection);
  ~StatementCache();
  StatementCache(const StatementCache&) = delete;
  StatementCache& operator=(const StatementCache&) = delete;

  // Errors: those of SQLite, mapped by index::sqlite_error.
  Result<CachedStatement> prepare(Bytes sql);
  // No statement is on loan.
  [[nodiscard]] bool is_idle() const { return idle_count_ == entries_.size(); }

 private:
  friend class CachedStatement;
  void give_back(CachedStatement::Entry& entry);
  void drop_oldest_idle();

  sqlite3* connection_;
  std::vector<std::unique_ptr<CachedStatement::Entry>> entries_;
  std::size_t idle_count_ = 0;
  std::uint64_t clock_ = 0;
};

}  // namespace tracelite::query
