// The SQL functions, and numbers that do not fit into SQLite's.
#include "query/reader.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <cstring>

#include "index/index_value.hpp"
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

void span_function(sqlite3_context* context, int, sqlite3_value** values) {
  std::int64_t span = 0;
  if (sqlite3_value_type(values[0]) != SQLITE_NULL &&
      sqlite3_value_type(values[1]) != SQLITE_NULL) {
    span = subtract_saturated(sqlite3_value_int64(values[1]), sqlite3_value_int64(values[0]));
  }
  sqlite3_result_int64(context, std::max<std::int64_t>(span, 0));
}

// The memory that SQLite keeps for an aggregate is zeroed, and aligned to 8 bytes only.
void sum_step(sqlite3_context* context, int, sqlite3_value** values) {
  auto* sum = static_cast<std::int64_t*>(sqlite3_aggregate_context(context, sizeof(std::int64_t)));
  if (sum == nullptr) return sqlite3_result_error_nomem(context);
  *sum = add_saturated(*sum, sqlite3_value_int64(values[0]));
}

void sum_final(sqlite3_context* context) {
  const auto* sum = static_cast<std::int64_t*>(sqlite3_aggregate_context(context, 0));
  sqlite3_result_int64(context, sum == nullptr ? 0 : *sum);
}

void cost_function(sqlite3_context* context, int, sqlite3_value** values) {
  answer(context, cost_of(values[0]));
}

void cost_sum_step(sqlite3_context* context, int, sqlite3_value** values) {
  void* memory = sqlite3_aggregate_context(context, sizeof(Int128));
  if (memory == nullptr) return sqlite3_result_error_nomem(context);
  Int128 sum = 0;
  std::memcpy(&sum, memory, sizeof sum);
  sum += cost_of(values[0]);
  std::memcpy(memory, &sum, sizeof sum);
}

void cost_sum_final(sqlite3_context* context) {
  Int128 sum = 0;
  if (const void* memory = sqlite3_aggregate_context(context, 0); memory != nullptr) {
    std::memcpy(&sum, memory, sizeof sum);
  }
  answer(context, sum);
}

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

struct Function {
  const char* name;
  int arguments;
  void (*call)(sqlite3_context*, int, sqlite3_value**);
  void (*step)(sqlite3_context*, int, sqlite3_value**);
  void (*final)(sqlite3_context*);
};

constexpr Function kFunctions[] = {
    {"tl_span", 2, span_function, nullptr, nullptr},
    {"tl_sum", 1, nullptr, sum_step, sum_final},
    {"tl_cost", 1, cost_function, nullptr, nullptr},
    {"tl_cost_sum", 1, nullptr, cost_sum_step, cost_sum_final},
    {"tl_observation", 2, observation_function, nullptr, nullptr},
};

}  // namespace

Result<std::unique_ptr<Reader>> Reader::open(store::ReadTransaction& transaction) {
  std::unique_ptr<Reader> reader(new Reader);
  TL_TRY_ASSIGN(connection, index::Connection::open_reader(transaction));
  reader->connection_ = std::move(connection);
  reader->statements_ = std::make_unique<StatementCache>(reader->handle());
  reader->transaction_ = &transaction;
  TL_TRY(reader->add_functions());
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
    const int code =
        sqlite3_create_function_v2(handle(), function.name, function.arguments, kFlags, this,
                                   function.call, function.step, function.final, nullptr);
    if (code != SQLITE_OK) return index::sqlite_error(handle(), code, "adding a function");
  }
  return {};
}

Status Reader::attach(store::ReadTransaction& transaction) {
  TL_TRY(connection_->attach(transaction));
  transaction_ = &transaction;
  return run("BEGIN");
}

Status Reader::detach() {
  transaction_ = nullptr;
  TL_TRY(run("COMMIT"));
  return connection_->detach();
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

std::int64_t add_saturated(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return a < 0 ? INT64_MIN : INT64_MAX;
}

}  // namespace tracelite::query
