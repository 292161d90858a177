// The SQL functions, and numbers that do not fit into SQLite's.
#include "query/reader.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>

#include "index/index_value.hpp"
#include "index/trace_members.hpp"
#include "record/entity_store.hpp"

namespace tracelite::query {
namespace {

using model::Int128;

__extension__ using UInt128 = unsigned __int128;

constexpr UInt128 kSignBit = UInt128{1} << 127;

Bytes bytes_of(sqlite3_value* value) {
  const void* data = sqlite3_value_blob(value);
  const auto size_bytes = static_cast<std::size_t>(sqlite3_value_bytes(value));
  return data == nullptr ? Bytes() : Bytes(static_cast<const char*>(data), size_bytes);
}

Int128 cost_of(sqlite3_value* value) {
  if (sqlite3_value_type(value) == SQLITE_INTEGER) return sqlite3_value_int64(value);
  ByteReader reader(bytes_of(value));
  return model::read_int128(reader);
}

void answer(sqlite3_context* context, Int128 number) {
  const std::string bytes = sortable(number);
  sqlite3_result_blob(context, bytes.data(), static_cast<int>(bytes.size()), SQLITE_TRANSIENT);
}

void duration_function(sqlite3_context* context, int, sqlite3_value** values) {
  const std::int64_t duration_ns = sqlite3_value_int64(values[0]);
  sqlite3_result_int64(context, duration_ns < 0 ? INT64_MAX : duration_ns);
}

index::TraceSums sums_of(sqlite3_value* value, std::int64_t time_ns = 0) {
  return index::TraceSums::decode(bytes_of(value), time_ns);
}

void latency_function(sqlite3_context* context, int, sqlite3_value** values) {
  sqlite3_result_int64(context, sums_of(values[0], sqlite3_value_int64(values[1])).latency_ns());
}

void tokens_function(sqlite3_context* context, int, sqlite3_value** values) {
  const std::uint64_t tokens = sums_of(values[0]).total_tokens;
  sqlite3_result_int64(context,
                       static_cast<std::int64_t>(std::min<std::uint64_t>(tokens, INT64_MAX)));
}

void cost_of_function(sqlite3_context* context, int, sqlite3_value** values) {
  answer(context, sums_of(values[0]).cost);
}

void cost_function(sqlite3_context* context, int, sqlite3_value** values) {
  answer(context, cost_of(values[0]));
}

void names_function(sqlite3_context* context, int, sqlite3_value** values) {
  const std::int64_t term = sqlite3_value_int64(values[1]);
  sqlite3_result_int(context, index::TraceMembers::names(bytes_of(values[0]), term) ? 1 : 0);
}

// So many steps of SQLite's take some ten microseconds.
constexpr int kStepsBetweenLooks = 1000;

int shall_stop(void* reader) { return static_cast<const Reader*>(reader)->is_cancelled() ? 1 : 0; }

void observation_function(sqlite3_context* context, int, sqlite3_value** values) {
  const auto* reader = static_cast<const Reader*>(sqlite3_user_data(context));
  const std::string id =
      index::IndexId::text_of(sqlite3_value_type(values[1]) == SQLITE_BLOB, bytes_of(values[1]));
  const auto container = static_cast<record::ContainerNumber>(sqlite3_value_int64(values[0]));
  const record::EntityReader entities(*reader->transaction());
  for (const auto kind : {record::RecordKind::observation, record::RecordKind::stray}) {
    const auto found = entities.find(container, kind, id);
    if (!found) return sqlite3_result_error(context, found.error().message.c_str(), -1);
    if (*found) {
      return sqlite3_result_int64(context, static_cast<std::int64_t>((*found)->key.entity));
    }
  }
  sqlite3_result_null(context);
}

// There is no way to throw through SQLite.
template <void (*kCall)(sqlite3_context*, int, sqlite3_value**)>
void guarded(sqlite3_context* context, int count, sqlite3_value** values) noexcept {
  try {
    kCall(context, count, values);
  } catch (...) {
    sqlite3_result_error_nomem(context);
  }
}

struct Function {
  const char* name;
  int arguments;
  void (*call)(sqlite3_context*, int, sqlite3_value**);
};

constexpr Function kFunctions[] = {
    {"tl_duration", 1, guarded<duration_function>},
    {"tl_cost", 1, guarded<cost_function>},
    {"tl_latency", 2, guarded<latency_function>},
    {"tl_tokens", 1, guarded<tokens_function>},
    {"tl_cost_of", 1, guarded<cost_of_function>},
    {"tl_observation", 2, guarded<observation_function>},
    {"tl_names", 2, guarded<names_function>},
};

}  // namespace

namespace {

std::string term_key(index::TermKind kind, Bytes text) {
  std::string key;
  key.reserve(text.size() + 1);
  key.push_back(static_cast<char>(kind));
  return std::move(key.append(text));
}

}  // namespace

const Term* TermCache::find(index::TermKind kind, Bytes text) const {
  const auto found = entries_.find(term_key(kind, text));
  return found == entries_.end() ? nullptr : &found->second;
}

void TermCache::add(index::TermKind kind, Bytes text, const Term& term) {
  if (entries_.size() >= kEntriesMax) entries_.clear();
  entries_.emplace(term_key(kind, text), term);
}

Result<std::unique_ptr<Reader>> Reader::open(store::ReadTransaction& transaction,
                                             std::shared_ptr<const index::MemoryImage> image) {
  std::unique_ptr<Reader> reader(new Reader);
  TL_TRY_ASSIGN(connection, index::Connection::open_reader(transaction, std::move(image)));
  reader->connection_ = std::move(connection);
  reader->statements_ = std::make_unique<StatementCache>(reader->handle());
  reader->transaction_ = &transaction;
  TL_TRY(reader->add_functions());
  sqlite3_progress_handler(reader->handle(), kStepsBetweenLooks, shall_stop, reader.get());
  TL_TRY(reader->run("BEGIN"));
  return reader;
}

Status Reader::run(const char* sql) {
  TL_TRY_ASSIGN(statement, statements_->prepare(sql));
  TL_TRY_ASSIGN(row, statement->step());
  static_cast<void>(row);
  return {};
}

Status Reader::add_functions() {
  constexpr int kFlags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY;
  for (const Function& function : kFunctions) {
    const int code = sqlite3_create_function_v2(handle(), function.name, function.arguments, kFlags,
                                                this, function.call, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return index::sqlite_error(handle(), code, "adding a function");
  }
  return {};
}

Status Reader::attach(store::ReadTransaction& transaction,
                      std::shared_ptr<const index::MemoryImage> image) {
  transaction_ = &transaction;
  if (connection_->resume(transaction)) {
    transaction.companions() = std::move(companions_);
    return {};
  }
  companions_ = {};
  terms_.clear();
  TL_TRY(run("COMMIT"));
  TL_TRY(connection_->attach(transaction, std::move(image)));
  return run("BEGIN");
}

bool Reader::detach() {
  // A query that fails may take the transaction with it.
  if (!statements_->is_idle() || sqlite3_get_autocommit(handle()) != 0) return false;
  if (transaction_ != nullptr) companions_ = std::move(transaction_->companions());
  transaction_ = nullptr;
  connection_->pause();
  return true;
}

std::string sortable(Int128 number) {
  const UInt128 turned = static_cast<UInt128>(number) ^ kSignBit;
  std::string bytes;
  append_big_endian(bytes, static_cast<std::uint64_t>(turned >> 64));
  append_big_endian(bytes, static_cast<std::uint64_t>(turned));
  return bytes;
}

Int128 from_sortable(Bytes bytes) {
  const UInt128 turned =
      UInt128{read_big_endian(bytes.substr(0, 8))} << 64 | read_big_endian(bytes.substr(8, 8));
  return static_cast<Int128>(turned ^ kSignBit);
}

std::int64_t subtract_saturated(std::int64_t a, std::int64_t b) {
  std::int64_t difference = 0;
  if (!__builtin_sub_overflow(a, b, &difference)) return difference;
  return a < b ? INT64_MIN : INT64_MAX;
}

}  // namespace tracelite::query
