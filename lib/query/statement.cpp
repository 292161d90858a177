// Binding, stepping, and the cache of idle statements.
#include "query/statement.hpp"

#include <sqlite3.h>

#include <algorithm>

#include "index/page_file.hpp"
#include "model/entity.hpp"

namespace tracelite::query {

Value Value::id(Bytes id) {
  std::string coded;
  model::append_id(coded, id);
  // The coding says how many bytes of hex follow; 0 stands for a text.
  return coded.front() == '\0' ? text(id) : blob(Bytes(coded).substr(1));
}

std::string Value::as_id() const {
  if (type != Type::blob) return bytes;
  std::string coded(1, static_cast<char>(bytes.size()));
  coded.append(bytes);
  ByteReader reader(coded);
  return model::read_id(reader);
}

Statement::~Statement() { drop(); }

Statement::Statement(Statement&& other) noexcept
    : cache_(other.cache_),
      sql_(std::move(other.sql_)),
      statement_(std::exchange(other.statement_, nullptr)) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  if (this != &other) {
    drop();
    cache_ = other.cache_;
    sql_ = std::move(other.sql_);
    statement_ = std::exchange(other.statement_, nullptr);
  }
  return *this;
}

void Statement::drop() {
  if (statement_ == nullptr) return;
  cache_->give_back(std::move(sql_), std::exchange(statement_, nullptr));
}

Status Statement::bind_one(int index, const Value& value) {
  int code = SQLITE_OK;
  switch (value.type) {
    case Value::Type::null:
      code = sqlite3_bind_null(statement_, index);
      break;
    case Value::Type::integer:
      code = sqlite3_bind_int64(statement_, index, value.integer);
      break;
    case Value::Type::text:
      code = sqlite3_bind_text64(statement_, index, value.bytes.data(), value.bytes.size(),
                                 SQLITE_TRANSIENT, SQLITE_UTF8);
      break;
    case Value::Type::blob:
      code = sqlite3_bind_blob64(statement_, index, value.bytes.data(), value.bytes.size(),
                                 SQLITE_TRANSIENT);
      break;
  }
  if (code != SQLITE_OK) return index::sqlite_error(cache_->connection(), code, "binding a value");
  return {};
}

Status Statement::bind(const std::vector<Value>& values) {
  sqlite3_reset(statement_);
  int index = 0;
  for (const Value& value : values) TL_TRY(bind_one(++index, value));
  return {};
}

Status Statement::bind(std::int64_t value) {
  sqlite3_reset(statement_);
  return bind_one(1, Value::of(value));
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    sqlite3_reset(statement_);
    return false;
  }
  return index::sqlite_error(cache_->connection(), code, "reading");
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

Bytes Statement::bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const auto size_bytes = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  return data == nullptr ? Bytes() : Bytes(static_cast<const char*>(data), size_bytes);
}

Value Statement::value(int column) const {
  switch (sqlite3_column_type(statement_, column)) {
    case SQLITE_NULL:
      return {};
    case SQLITE_TEXT:
      return Value::text(bytes(column));
    case SQLITE_BLOB:
      return Value::blob(bytes(column));
    default:
      return Value::of(integer(column));
  }
}

StatementCache::~StatementCache() {
  for (const auto& [sql, statement] : idle_) sqlite3_finalize(statement);
}

Result<Statement> StatementCache::prepare(std::string sql) {
  const auto found = std::find_if(idle_.begin(), idle_.end(),
                                  [&](const auto& entry) { return entry.first == sql; });
  if (found != idle_.end()) {
    sqlite3_stmt* const statement = found->second;
    idle_.erase(found);
    return Statement(this, std::move(sql), statement);
  }
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(connection_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return index::sqlite_error(connection_, code, "preparing a query");
  return Statement(this, std::move(sql), statement);
}

void StatementCache::give_back(std::string sql, sqlite3_stmt* statement) {
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  if (idle_.size() >= kIdleCountMax) {
    sqlite3_finalize(idle_.front().second);
    idle_.erase(idle_.begin());
  }
  idle_.emplace_back(std::move(sql), statement);
}

}  // namespace tracelite::query
