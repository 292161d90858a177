// What a competent user would write with SQLite in an afternoon: the baseline.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "bench/events.hpp"

namespace bench {

class SqliteStatement {
 public:
  using Parameter = std::variant<std::string_view, std::int64_t>;

  SqliteStatement(sqlite3* db, const char* sql);

  void bind(int index, std::string_view text);
  void bind(int index, std::int64_t number);
  void bind(int index, double number);
  void start(std::initializer_list<Parameter> parameters);
  bool step();   // false: no further row
  void reset();  // also drops what is bound

  [[nodiscard]] std::string_view text(int column) const;
  [[nodiscard]] std::int64_t number(int column) const;
  // Reads every column of every row, as a program that shows them does; gives the number of rows.
  std::int64_t read_all(std::initializer_list<Parameter> parameters);

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class SqliteByHand {
 public:
  explicit SqliteByHand(const std::string& path);

  // Durable when it returns: one transaction for each batch of at most batch_size_bytes.
  void import(const Events& events, std::uint64_t batch_size_bytes);
  void checkpoint();
  [[nodiscard]] std::uint64_t commit_count() const { return commit_count_; }
  [[nodiscard]] sqlite3* handle() const { return db_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  void run(const char* sql);

  std::unique_ptr<sqlite3, Close> db_;
  std::uint64_t commit_count_ = 0;
};

}  // namespace bench
