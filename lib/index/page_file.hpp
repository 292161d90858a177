// SQLite's pages inside the tracelite file: a VFS whose reads and writes are gets and puts of the
// key space `page` in an LMDB transaction that somebody else began.
//
// Knows SQLite's VFS contract, store/ and the version of the schema. Must not know the schema
// itself or what a trace is.
//
// Format: page n (from 1) is stored under its number, plain or sealed (store/sealed.hpp);
// the value is the first 4,064 of SQLite's 4,096 bytes (32 are reserved in every page, and stay
// zero), checksummed by store/ like any other value. The pages are exactly those from 1 to the
// number in page 1's header. Bytes 24-27 and 92-95 of page 1 (SQLite's change counter and
// version-valid-for) hold its version: a number that grows with every commit that changes a page.
// What SQLite reads there is a counter private to the connection, made so that a cache is kept only
// over pages that did not change (page_file_vfs.hpp says how). Bytes 60-63 (SQLite's user_version)
// hold the version of the schema (schema.hpp) that whoever wrote page 1 knows.
//
// A commit of the write connection commits the LMDB transaction from within
// SQLITE_FCNTL_COMMIT_PHASETWO, so that SQLite learns of a failure and drops its cache itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "model/result.hpp"
#include "store/environment.hpp"

struct sqlite3;

namespace tracelite::index {

class MemoryImage;

inline constexpr std::uint32_t kPageSizeBytes = 4096;
inline constexpr std::uint32_t kReservedSizeBytes = 32;
inline constexpr std::uint32_t kStoredPageSizeBytes = kPageSizeBytes - kReservedSizeBytes;
static_assert(kStoredPageSizeBytes == 4064 &&
              kStoredPageSizeBytes <= store::kOnePageValueSizeBytes);
inline constexpr std::size_t kWriterCacheSizeBytes = 4 << 20;
inline constexpr std::size_t kReaderCacheSizeBytes = 1 << 20;
// A row has parts of one record, of 63 MiB at most; a damaged one must not ask for more memory.
inline constexpr int kIndexValueSizeBytesMax = 64 << 20;

// A SQLite connection whose database is the key space `page`. It sees nothing until a transaction
// is attached, and must not be used without one. A transaction must stay where it is in memory
// while it is attached. Statements must be finalized before their connection is destroyed. One
// thread at a time.
//
// The schema may have no triggers and no views, and texts of SQL need their single quotes: the
// index may come from a stranger, so all this is switched off. VACUUM and ATTACH do not work, and
// no value may be larger than kIndexValueSizeBytesMax.
class Connection {
 public:
  // The transactions attached later must come from the same environment. Errors: no_memory, io,
  // corrupt, other_geometry (pages of another size), unsupported (another version of the schema),
  // internal (SQLite's message).
  //
  // A reader is pinned to the given transaction. A writer needs its transaction only to open, and
  // must begin() before its first statement; in an empty key space it creates an empty database.
  // With an image of the commit that the transaction sees, its pages are read instead of the
  // file's.
  static Result<std::unique_ptr<Connection>> open_reader(
      store::ReadTransaction& transaction, std::shared_ptr<const MemoryImage> image = nullptr);
  static Result<std::unique_ptr<Connection>> open_writer(store::WriteTransaction& transaction);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] sqlite3* handle() const;

  // Pins a reader to another snapshot: the next statement sees it. Errors: misuse (a statement has
  // not been reset, or a transaction is open), corrupt, other_geometry, unsupported, io.
  Status attach(store::ReadTransaction& transaction,
                std::shared_ptr<const MemoryImage> image = nullptr);
  // Lets go of a reader's snapshot, which can then be dropped; the cache is kept. Errors: misuse.
  Status detach();

  // As detach, but SQLite's read transaction, if one is open, stays so: it goes on with resume() as
  // if nothing had been, or must be ended before attach(). All statements must have been reset.
  void pause();
  // Goes on after pause() if this transaction sees the commit that was attached last. False if not.
  [[nodiscard]] bool resume(store::ReadTransaction& transaction);

  // Begins a SQLite write transaction on top of an LMDB one, which must have been begun first, and
  // must be neither moved nor destroyed before commit() or rollback() has returned. On failure the
  // LMDB transaction is still the caller's. Errors: as attach.
  Status begin(store::WriteTransaction& transaction);
  // Of a batch that has begun: there was no page before it. That may be so although the batch
  // before it had left a schema: a file that is compacted without a record has no index.
  [[nodiscard]] bool is_empty() const;
  // Commits both; the LMDB transaction also if no page changed. On failure neither is committed, as
  // after rollback(), and the error is the one that spoilt the batch: disk_full or io with LMDB's
  // engine_code (MDB_MAP_FULL: grow, and run the batch again); misuse if a statement is running.
  //
  // A statement's failure may make SQLite undo the whole batch (see sqlite3_get_autocommit). The
  // batch cannot be committed any more then, whatever else is run in it.
  Status commit();
  // Gives up both, and resets all statements; safe after any failure, and without a batch. The LMDB
  // transaction given to begin() is dropped: of the caller's object only its destructor may run.
  void rollback();

 private:
  struct State;
  explicit Connection(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Whether connections can be opened, as far as the version of the schema goes: what is missing or
// damaged is told where it is read. Errors: unsupported.
Status check_schema_version(const store::Transaction& transaction);

// Pages that the index has and does not use, as the transaction sees it; 0 where there is none.
std::uint64_t free_page_count(const store::Transaction& transaction);

// Why a page could not be had since the connection was attached, if so: what SQLite makes of that
// is not always an error.
std::optional<Error> page_failure(sqlite3* handle);

// Maps a SQLite error on this connection to ours, with the engine error of store/ if there was one.
Error sqlite_error(sqlite3* handle, int code, const char* while_doing);

}  // namespace tracelite::index
