#include "bench/sqlite_statement.hpp"

#include <stdexcept>
#include <string>

namespace bench {

void require_sqlite(int code, sqlite3* db) {
  if (code != SQLITE_OK) throw std::runtime_error(std::string("SQLite: ") + sqlite3_errmsg(db));
}

SqliteStatement::SqliteStatement(sqlite3* db, const char* sql) {
  sqlite3_stmt* statement = nullptr;
  require_sqlite(sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr),
                 db);
  statement_.reset(statement);
}

void SqliteStatement::bind(int index, std::string_view text) {
  require_sqlite(sqlite3_bind_text(statement_.get(), index, text.data(),
                                   static_cast<int>(text.size()), SQLITE_STATIC),
                 sqlite3_db_handle(statement_.get()));
}

void SqliteStatement::bind_blob(int index, std::string_view bytes) {
  require_sqlite(sqlite3_bind_blob(statement_.get(), index, bytes.data(),
                                   static_cast<int>(bytes.size()), SQLITE_STATIC),
                 sqlite3_db_handle(statement_.get()));
}

void SqliteStatement::bind(int index, std::int64_t number) {
  require_sqlite(sqlite3_bind_int64(statement_.get(), index, number),
                 sqlite3_db_handle(statement_.get()));
}

void SqliteStatement::bind(int index, double number) {
  require_sqlite(sqlite3_bind_double(statement_.get(), index, number),
                 sqlite3_db_handle(statement_.get()));
}

void SqliteStatement::start(std::initializer_list<Parameter> parameters) {
  int index = 0;
  for (const Parameter& parameter : parameters) {
    ++index;
    std::visit([&](auto value) { bind(index, value); }, parameter);
  }
}

bool SqliteStatement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) require_sqlite(code, sqlite3_db_handle(statement_.get()));
  return false;
}

void SqliteStatement::reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
}

std::string_view SqliteStatement::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  const auto size_bytes = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
  return data == nullptr ? std::string_view() : std::string_view(data, size_bytes);
}

bool SqliteStatement::is_blob(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_BLOB;
}

std::string_view SqliteStatement::blob(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  const auto size_bytes = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
  return {data, size_bytes};
}

std::int64_t SqliteStatement::number(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

double SqliteStatement::real(int column) const {
  return sqlite3_column_double(statement_.get(), column);
}

std::int64_t SqliteStatement::read_all(std::initializer_list<Parameter> parameters) {
  start(parameters);
  std::int64_t row_count = 0;
  while (step()) {
    ++row_count;
    const int column_count = sqlite3_data_count(statement_.get());
    for (int column = 0; column < column_count; ++column) {
      switch (sqlite3_column_type(statement_.get(), column)) {
        case SQLITE_INTEGER:
          static_cast<void>(number(column));
          break;
        case SQLITE_TEXT:
          static_cast<void>(text(column));
          break;
        default:
          static_cast<void>(sqlite3_column_double(statement_.get(), column));
          break;
      }
    }
  }
  reset();
  return row_count;
}

}  // namespace bench
