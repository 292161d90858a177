// Connection: opens SQLite on a PageFile, and joins SQLite's transactions to those of store/.

#include <cassert>
#include <cstdio>
#include <string>
#include <utility>

#include "index/fork_safety.hpp"
#include "index/memory_image.hpp"
#include "index/page_file.hpp"
#include "index/page_file_vfs.hpp"

namespace tracelite::index {

namespace {

constexpr char kDatabaseName[] = "index";

Error misuse(const char* message) { return make_error(Code::misuse, message); }

Code code_of(int sqlite_code) {
  switch (sqlite_code & 0xff) {
    case SQLITE_FULL:
      return Code::disk_full;
    case SQLITE_NOMEM:
      return Code::no_memory;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Code::corrupt;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Code::busy;
    case SQLITE_READONLY:
      return Code::read_only;
    case SQLITE_INTERRUPT:
      return Code::cancelled;
    case SQLITE_TOOBIG:
      return Code::limit;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
      return Code::io;
    default:
      return Code::internal;
  }
}

// The codes that PageFile answers with. A constraint, say, has nothing to do with the last failure.
bool comes_from_page_file(int sqlite_code) {
  const int primary = sqlite_code & 0xff;
  return primary == SQLITE_IOERR || primary == SQLITE_FULL || primary == SQLITE_NOMEM;
}

Status execute(sqlite3* handle, const char* sql) {
  const int code = sqlite3_exec(handle, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return sqlite_error(handle, code, sql);
  return {};
}

Status configure_limits(sqlite3* handle) {
  struct Switch {
    int option;
    int value;
  };
  // The index may come from a stranger, and needs nothing of all this.
  constexpr Switch kSwitches[] = {
      {SQLITE_DBCONFIG_DEFENSIVE, 1},      {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
      {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0}, {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
      {SQLITE_DBCONFIG_ENABLE_FKEY, 0},    {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
      {SQLITE_DBCONFIG_DQS_DDL, 0},        {SQLITE_DBCONFIG_DQS_DML, 0},
  };
  for (const Switch& entry : kSwitches) {
    const int code = sqlite3_db_config(handle, entry.option, entry.value, nullptr);
    if (code != SQLITE_OK) return sqlite_error(handle, code, "configuring the index");
  }
  sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, 0);
  sqlite3_limit(handle, SQLITE_LIMIT_WORKER_THREADS, 0);
  sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, kIndexValueSizeBytesMax);
  return {};
}

// journal_mode=OFF would break statements and savepoints, WAL has no place to be, and EXCLUSIVE
// would never look for other writers. Without synchronous, COMMIT still comes to PageFile::commit.
Status configure(sqlite3* handle, bool writer) {
  TL_TRY(configure_limits(handle));
  const std::size_t cache_size_bytes = writer ? kWriterCacheSizeBytes : kReaderCacheSizeBytes;
  const std::string pragmas =
      "PRAGMA page_size=" + std::to_string(kPageSizeBytes) +
      ";PRAGMA auto_vacuum=NONE;PRAGMA journal_mode=MEMORY;PRAGMA temp_store=MEMORY"
      ";PRAGMA locking_mode=NORMAL;PRAGMA synchronous=OFF;PRAGMA secure_delete=OFF"
      ";PRAGMA cell_size_check=ON;PRAGMA cache_size=-" +
      std::to_string(cache_size_bytes / 1024) + (writer ? "" : ";PRAGMA query_only=ON");
  TL_TRY(execute(handle, pragmas.c_str()));
  int reserved = kReservedSizeBytes;
  const int code = sqlite3_file_control(handle, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
  if (code != SQLITE_OK) return sqlite_error(handle, code, "configuring the index");
  return {};
}

int run(sqlite3_stmt* statement) {
  const int code = sqlite3_step(statement);
  sqlite3_reset(statement);
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

}  // namespace

struct Connection::State {
  PageFile file;
  sqlite3* handle = nullptr;
  sqlite3_stmt* begin = nullptr;  // of a writer only
  sqlite3_stmt* commit = nullptr;
  store::WriteTransaction* transaction = nullptr;  // of the batch that has begun
  const store::Environment* environment = nullptr;
  std::shared_ptr<const MemoryImage> image;  // that is attached
  bool writer = false;

  Status open();
  Status attach(store::ReadTransaction& snapshot, std::shared_ptr<const MemoryImage> with);
  Status prepare();
  bool close();
  [[nodiscard]] bool idle() const { return sqlite3_get_autocommit(handle) != 0 && !file.locked(); }
  [[nodiscard]] bool statement_busy() const;
  void reset_statements() const;
};

Status Connection::State::open() {
  prepare_for_forks();
  // The name is needed only to find the VFS; what was found stays with the handle.
  if (const int code = sqlite3_vfs_register(file.vfs(), 0); code != SQLITE_OK) {
    return make_error(code_of(code), "the index cannot be opened", {}, code);
  }
  const int flags = SQLITE_OPEN_NOMUTEX |
                    (writer ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
  const int code = sqlite3_open_v2(kDatabaseName, &handle, flags, file.vfs()->zName);
  sqlite3_vfs_unregister(file.vfs());
  if (handle == nullptr) return make_error(Code::no_memory, "the index cannot be opened", {}, code);
  if (code != SQLITE_OK) return sqlite_error(handle, code, "opening the index");
  sqlite3_extended_result_codes(handle, 1);
  TL_TRY(configure(handle, writer));
  return writer ? prepare() : Status{};
}

Status Connection::State::attach(store::ReadTransaction& snapshot,
                                 std::shared_ptr<const MemoryImage> with) {
  image = std::move(with);
  if (!image) return file.attach(snapshot);
  assert(image->transaction_id() == snapshot.id());
  file.attach(snapshot, *image);
  return {};
}

Status Connection::State::prepare() {
  const std::pair<const char*, sqlite3_stmt**> statements[] = {{"BEGIN IMMEDIATE", &begin},
                                                               {"COMMIT", &commit}};
  for (const auto& [sql, statement] : statements) {
    const int code =
        sqlite3_prepare_v3(handle, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, nullptr);
    if (code != SQLITE_OK) return sqlite_error(handle, code, sql);
  }
  return {};
}

// False if somebody still has a statement of this connection.
bool Connection::State::close() {
  sqlite3_finalize(begin);
  sqlite3_finalize(commit);
  begin = commit = nullptr;
  return sqlite3_close(handle) == SQLITE_OK;
}

bool Connection::State::statement_busy() const {
  sqlite3_stmt* statement = nullptr;
  while ((statement = sqlite3_next_stmt(handle, statement)) != nullptr) {
    if (sqlite3_stmt_busy(statement) != 0) return true;
  }
  return false;
}

void Connection::State::reset_statements() const {
  sqlite3_stmt* statement = nullptr;
  while ((statement = sqlite3_next_stmt(handle, statement)) != nullptr) {
    sqlite3_reset(statement);
  }
}

Connection::Connection(std::unique_ptr<State> state) : state_(std::move(state)) {}

Connection::~Connection() {
  rollback();
  // A statement that outlives its connection is a bug of ours. SQLite keeps the handle for it, so
  // the VFS must stay as well.
  if (!state_->close()) static_cast<void>(state_.release());
}

Result<std::unique_ptr<Connection>> Connection::open_reader(
    store::ReadTransaction& transaction, std::shared_ptr<const MemoryImage> image) {
  auto connection = std::unique_ptr<Connection>(new Connection(std::make_unique<State>()));
  State& state = *connection->state_;
  state.environment = transaction.environment().get();
  TL_TRY(state.attach(transaction, std::move(image)));
  TL_TRY(state.open());
  return connection;
}

Result<std::unique_ptr<Connection>> Connection::open_writer(store::WriteTransaction& transaction) {
  auto connection = std::unique_ptr<Connection>(new Connection(std::make_unique<State>()));
  State& state = *connection->state_;
  state.environment = transaction.environment().get();
  state.writer = true;
  TL_TRY(state.file.attach(transaction));
  TL_TRY(state.open());
  state.file.detach();
  return connection;
}

sqlite3* Connection::handle() const { return state_->handle; }

Status Connection::attach(store::ReadTransaction& transaction,
                          std::shared_ptr<const MemoryImage> image) {
  TL_TRY(detach());
  if (transaction.environment().get() != state_->environment) {
    return misuse("the snapshot is of another file");
  }
  return state_->attach(transaction, std::move(image));
}

Status Connection::detach() {
  if (state_->writer) return misuse("a write connection takes no snapshot");
  if (!state_->idle() || state_->statement_busy()) {
    return misuse("a statement still reads the previous snapshot; reset it");
  }
  state_->file.detach();
  return {};
}

void Connection::pause() { state_->file.pause(); }

bool Connection::resume(store::ReadTransaction& transaction) {
  return transaction.environment().get() == state_->environment && state_->file.resume(transaction);
}

Status Connection::begin(store::WriteTransaction& transaction) {
  State& state = *state_;
  if (!state.writer) return misuse("a read connection cannot begin a batch");
  if (state.transaction != nullptr || !state.idle()) return misuse("a batch has begun already");
  if (transaction.environment().get() != state.environment) {
    return misuse("the transaction is of another file");
  }
  TL_TRY(state.file.attach(transaction));
  if (const int code = run(state.begin); code != SQLITE_OK) {
    Error error = sqlite_error(state.handle, code, "beginning a batch");
    state.file.detach();
    return error;
  }
  state.transaction = &transaction;
  return {};
}

bool Connection::is_empty() const { return state_->file.was_empty(); }

Status Connection::commit() {
  State& state = *state_;
  if (state.transaction == nullptr) return misuse("no batch has begun");
  const auto refuse = [this](Error error) {
    rollback();
    return error;
  };
  if (sqlite3_get_autocommit(state.handle) != 0) {
    // SQLite undid the batch when one of its statements failed.
    return refuse(state.file.failure().value_or(misuse("the batch was rolled back already")));
  }
  if (state.statement_busy()) return refuse(misuse("a statement is still running; reset it"));
  state.file.allow_commit();
  int code = run(state.commit);
  // SQLite need not have called PageFile::commit if no page changed. If it did, the batch is
  // durable whatever else happened, say that there was no memory left.
  if (code == SQLITE_OK && !state.file.committed()) code = state.file.commit();
  if (!state.file.committed()) return refuse(sqlite_error(state.handle, code, "committing"));
  state.transaction = nullptr;
  state.file.detach();
  return {};
}

void Connection::rollback() {
  State& state = *state_;
  if (state.transaction == nullptr) return;
  state.reset_statements();
  if (sqlite3_get_autocommit(state.handle) == 0) {
    sqlite3_exec(state.handle, "ROLLBACK", nullptr, nullptr, nullptr);
  }
  state.file.detach();
  const store::WriteTransaction dropped = std::move(*std::exchange(state.transaction, nullptr));
}

std::optional<Error> page_failure(sqlite3* handle) {
  const PageFile* file = PageFile::of(handle);
  return file != nullptr ? file->failure() : std::nullopt;
}

Error sqlite_error(sqlite3* handle, int code, const char* while_doing) {
  const PageFile* file = PageFile::of(handle);
  if (file != nullptr && file->failure() && comes_from_page_file(code)) return *file->failure();
  std::string message = std::string("the index failed (") + while_doing + "): ";
  message +=
      sqlite3_extended_errcode(handle) == code ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
  return make_error(code_of(code), std::move(message), {}, code);
}

}  // namespace tracelite::index
