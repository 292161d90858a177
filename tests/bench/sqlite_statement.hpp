// A prepared statement of SQLite. What is bound must live until the statement is reset.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <variant>

namespace bench {

void require_sqlite(int code, sqlite3* db);

class SqliteStatement {
 public:
  using Parameter = std::variant<std::string_view, std::int64_t>;

  SqliteStatement(sqlite3* db, const char* sql);

  void bind(int index, std::string_view text);
  void bind_blob(int index, std::string_view bytes);
  void bind(int index, std::int64_t number);
  void bind(int index, double number);
  void start(std::initializer_list<Parameter> parameters);
  bool step();   // false: no further row
  void reset();  // also drops what is bound

  [[nodiscard]] std::string_view text(int column) const;
  [[nodiscard]] bool is_blob(int column) const;
  [[nodiscard]] std::string_view blob(int column) const;
  [[nodiscard]] std::int64_t number(int column) const;
  [[nodiscard]] double real(int column) const;
  // Reads every column of every row, as a program that shows them does; gives the number of rows.
  std::int64_t read_all(std::initializer_list<Parameter> parameters);

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

}  // namespace bench
