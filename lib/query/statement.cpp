// Values, and the cache of idle statements.
#include "query/statement.hpp"

#include <xxhash.h>

#include <algorithm>

namespace tracelite::query {

struct CachedStatement::Entry {
  std::string sql;
  std::uint64_t hash = 0;  // of sql
  index::Statement statement;
  bool is_idle = false;
  std::uint64_t last_use = 0;  // if idle
};

Value Value::of_column(const index::Statement& row, int column) {
  switch (row.type(column)) {
    case SQLITE_NULL:
      return {};
    case SQLITE_TEXT:
      return text(row.bytes(column));
    case SQLITE_BLOB:
      return blob(row.bytes(column));
    default:
      return of(row.integer(column));
  }
}

CachedStatement::~CachedStatement() {
  if (entry_ != nullptr) cache_->give_back(*entry_);
}

CachedStatement::CachedStatement(CachedStatement&& other) noexcept
    : cache_(other.cache_), entry_(std::exchange(other.entry_, nullptr)) {}

index::Statement* CachedStatement::operator->() const { return &entry_->statement; }
index::Statement& CachedStatement::operator*() const { return entry_->statement; }

void CachedStatement::bind(const std::vector<Value>& values) const {
  index::Statement& statement = entry_->statement;
  statement.restart();
  int at = 0;
  for (const Value& value : values) {
    ++at;
    switch (value.type) {
      case Value::Type::null:
        statement.bind_null(at);
        break;
      case Value::Type::integer:
        statement.bind(at, value.integer);
        break;
      case Value::Type::text:
        statement.bind_text(at, value.bytes);
        break;
      case Value::Type::blob:
        statement.bind_blob(at, value.bytes);
        break;
    }
  }
}

void CachedStatement::bind(std::int64_t value) const {
  entry_->statement.restart();
  entry_->statement.bind(1, value);
}

StatementCache::StatementCache(sqlite3* connection) : connection_(connection) {}
StatementCache::~StatementCache() = default;

Result<CachedStatement> StatementCache::prepare(Bytes sql) {
  const std::uint64_t hash = XXH3_64bits(sql.data(), sql.size());
  for (const auto& entry : entries_) {
    if (!entry->is_idle || entry->hash != hash || entry->sql != sql) continue;
    entry->is_idle = false;
    --idle_count_;
    return CachedStatement(this, entry.get());
  }
  TL_TRY_ASSIGN(statement, index::Statement::prepare(connection_, sql));
  entries_.push_back(std::make_unique<CachedStatement::Entry>());
  CachedStatement::Entry& entry = *entries_.back();
  entry.sql = sql;
  entry.hash = hash;
  entry.statement = std::move(statement);
  return CachedStatement(this, &entry);
}

void StatementCache::give_back(CachedStatement::Entry& entry) {
  entry.statement.reset();
  entry.is_idle = true;
  entry.last_use = ++clock_;
  if (++idle_count_ > kIdleCountMax) drop_oldest_idle();
}

void StatementCache::drop_oldest_idle() {
  auto oldest = entries_.end();
  for (auto at = entries_.begin(); at != entries_.end(); ++at) {
    if (!(*at)->is_idle) continue;
    if (oldest == entries_.end() || (*at)->last_use < (*oldest)->last_use) oldest = at;
  }
  entries_.erase(oldest);
  --idle_count_;
}

}  // namespace tracelite::query
