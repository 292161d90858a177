// A prepared SQLite statement: bind, step, read; reset and unbound by itself after use.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <optional>
#include <utility>

#include "index/page_file.hpp"
#include "model/bytes.hpp"
#include "model/result.hpp"

namespace tracelite::index {

// Parameters count from 1, columns from 0.
class Statement {
 public:
  Statement() = default;
  static Result<Statement> prepare(sqlite3* connection, Bytes sql) {
    Statement statement;
    const int code = sqlite3_prepare_v3(connection, sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement.statement_, nullptr);
    if (code != SQLITE_OK) return sqlite_error(connection, code, "preparing a statement");
    return statement;
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(Statement&& other) noexcept
      : statement_(std::exchange(other.statement_, nullptr)),
        bind_code_(other.bind_code_),
        is_started_(other.is_started_) {}
  Statement& operator=(Statement&& other) noexcept {
    std::swap(statement_, other.statement_);
    std::swap(bind_code_, other.bind_code_);
    std::swap(is_started_, other.is_started_);
    return *this;
  }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  [[nodiscard]] sqlite3_stmt* get() const { return statement_; }

  // A value that cannot be bound is told by the next step.
  void bind(int at, std::int64_t value) { note(sqlite3_bind_int64(statement_, at, value)); }
  void bind_null(int at) { note(sqlite3_bind_null(statement_, at)); }
  void bind(int at, std::optional<std::int64_t> value) { value ? bind(at, *value) : bind_null(at); }
  // The bytes must stay until the statement is reset.
  void bind_text(int at, Bytes text) {
    note(sqlite3_bind_text64(statement_, at, text.data() == nullptr ? "" : text.data(), text.size(),
                             SQLITE_STATIC, SQLITE_UTF8));
  }
  void bind_blob(int at, Bytes blob) {
    note(sqlite3_bind_blob64(statement_, at, blob.data() == nullptr ? "" : blob.data(), blob.size(),
                             SQLITE_STATIC));
  }

  // True if there is a row. The statement is reset when there is none.
  Result<bool> step() {
    is_started_ = true;
    const int code = bind_code_ == SQLITE_OK ? sqlite3_step(statement_) : bind_code_;
    if (code == SQLITE_ROW) return true;
    sqlite3* connection = sqlite3_db_handle(statement_);
    if (code == SQLITE_DONE) {
      reset();
      return false;
    }
    Error error = sqlite_error(connection, code, "reading or writing the index");
    reset();
    return error;
  }
  // Runs a statement that gives no row.
  Status run() {
    auto row = step();
    if (!row) return std::move(row).error();
    reset();
    return {};
  }
  // To the start, and all parameters to NULL.
  void reset() {
    restart();
    sqlite3_clear_bindings(statement_);
    bind_code_ = SQLITE_OK;
  }
  // To the start, with what was bound.
  void restart() {
    if (is_started_) sqlite3_reset(statement_);
    is_started_ = false;
  }

  [[nodiscard]] int type(int at) const { return sqlite3_column_type(statement_, at); }
  [[nodiscard]] bool is_null(int at) const { return type(at) == SQLITE_NULL; }
  [[nodiscard]] std::int64_t integer(int at) const { return sqlite3_column_int64(statement_, at); }
  // A text or blob; valid until the next step.
  [[nodiscard]] Bytes bytes(int at) const {
    const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_, at));
    return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, at))};
  }

 private:
  void note(int code) {
    if (code != SQLITE_OK) bind_code_ = code;
  }

  sqlite3_stmt* statement_ = nullptr;
  int bind_code_ = SQLITE_OK;
  bool is_started_ = false;
};

// Resets the statement when the scope ends: text read from it is valid until then.
class ResetGuard {
 public:
  explicit ResetGuard(Statement& statement) : statement_(statement) {}
  ~ResetGuard() { statement_.reset(); }
  ResetGuard(const ResetGuard&) = delete;
  ResetGuard& operator=(const ResetGuard&) = delete;

 private:
  Statement& statement_;
};

}  // namespace tracelite::index
