// SQLite's pages inside the tracelite file: a VFS whose reads and writes are gets and puts of the
// key space `page` in an LMDB transaction that somebody else began.
//
// Knows SQLite's VFS contract and store/. Must not know the schema or what a trace is.
//
// Format: page n (from 1) is stored under its number as 4 bytes big-endian; the value is the first
// 4,064 of SQLite's 4,096 bytes (32 are reserved in every page, and stay zero), checksummed by
// store/ like any other value. Bytes 24-27 and 92-95 of page 1 (SQLite's change counter and
// version-valid-for) are overlaid on reading with the number of the transaction read from, so that
// no two connections can ever reach the same counter with different pages.
//
// A commit of the write connection commits the LMDB transaction from within
// SQLITE_FCNTL_COMMIT_PHASETWO, so that SQLite learns of a failure and drops its cache itself.
#pragma once

#include <cstdint>
#include <memory>

#include "model/result.hpp"
#include "store/environment.hpp"

struct sqlite3;

namespace tracelite::index {

inline constexpr std::uint32_t kPageSizeBytes = 4096;
inline constexpr std::uint32_t kReservedSizeBytes = 32;
inline constexpr std::uint32_t kStoredPageSizeBytes = kPageSizeBytes - kReservedSizeBytes;

// A SQLite connection whose database is the key space `page`. It sees nothing until a transaction
// is attached, and must not be used without one.
class Connection {
 public:
  // The transactions attached later must come from this environment. A write connection creates an
  // empty database on its first write. Errors: no_memory, internal (SQLite's message).
  static Result<std::unique_ptr<Connection>> open_reader(store::ReadTransaction& transaction);
  static Result<std::unique_ptr<Connection>> open_writer(store::WriteTransaction& transaction);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] sqlite3* handle() const;

  // Pins a reader to another snapshot; the previous transaction must not be in use by a statement.
  Status attach(store::ReadTransaction& transaction);

  // Begins a SQLite write transaction on top of an LMDB one (which must have been begun first).
  Status begin(store::WriteTransaction& transaction);
  // Commits both. If the batch changed no index page, commits the LMDB transaction itself. On
  // failure neither is committed, the connection's cache is dropped, and disk_full or io says why
  // (engine_code keeps LMDB's code, MDB_MAP_FULL among them).
  Status commit();
  // Gives up both; safe after any failure, also when SQLite has already rolled back by itself.
  void rollback();

 private:
  struct State;
  explicit Connection(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Maps a SQLite error on this connection to ours, with the engine error of store/ if there was one.
Error sqlite_error(sqlite3* handle, int code, const char* while_doing);

}  // namespace tracelite::index
