// The VFS under Connection (page_file.hpp): what SQLite takes for a file is the key space `page` of
// whatever transaction is attached.
//
// Internal to index/. Knows SQLite's VFS and pager contract; must not know SQL. One object a
// connection; used by one thread at a time, like its connection.
//
// Why a stale cache can neither be read nor written back. SQLite keeps its page cache for as long
// as bytes 24-39 of page 1 look the same. In the file, bytes 24-27 and 92-95 hold the version of
// page 1, which grows with every commit that writes a page (each of them writes page 1). SQLite is
// not shown that version but a counter private to this connection: it becomes a number never seen
// before when the version is not that of this connection's last look or last successful commit, and
// when a write transaction of this connection ended without a commit, whatever SQLite believes of
// it. The connection's own commits leave the counter as SQLite wrote it, so a lone writer's cache
// stays warm, also across commits of anybody that touch no page.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "index/memory_image.hpp"
#include "model/result.hpp"
#include "store/environment.hpp"

namespace tracelite::index {

class PageFile {
 public:
  PageFile();
  PageFile(const PageFile&) = delete;
  PageFile& operator=(const PageFile&) = delete;

  // To be registered under its zName while the connection is opened; must outlive the connection.
  sqlite3_vfs* vfs() { return &vfs_; }
  // The PageFile of a connection; nullptr if that connection has another VFS.
  static PageFile* of(sqlite3* handle);

  // Makes a transaction the content of the file. Checks page 1: other_geometry if its page size or
  // reserve is not ours, unsupported if its schema has another version, corrupt if it is no SQLite
  // header or the number of pages cannot be as it says.
  Status attach(const store::ReadTransaction& transaction);
  Status attach(store::WriteTransaction& transaction);
  // The same, but with the pages of an image of what the transaction sees; it must live as long.
  void attach(const store::ReadTransaction& transaction, const MemoryImage& image);
  // Lets go of a read transaction, and takes one that sees the same commit in its place, while
  // SQLite may go on reading in between only what it has in its cache. False if it sees another.
  void pause() { transaction_ = nullptr; }
  bool resume(const store::ReadTransaction& transaction);
  // Ends the use of the transaction. A write transaction that was not committed costs the
  // connection its cache.
  void detach();

  // True while SQLite has a read or write transaction open.
  [[nodiscard]] bool locked() const { return lock_level_ != SQLITE_LOCK_NONE; }
  [[nodiscard]] bool committed() const { return committed_; }
  // As the transaction was attached.
  [[nodiscard]] bool was_empty() const { return page_count_before_ == 0; }
  // What store/ said when a callback failed last, or when the write transaction was spoilt.
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }

  // Until then SQLite may not commit: a statement that commits by itself, outside of
  // Connection::commit, fails.
  void allow_commit() { may_commit_ = true; }
  // Commits the write transaction, unless a write has failed; called by SQLite's commit.
  int commit();

 private:
  struct File;       // what SQLite holds as its sqlite3_file
  struct Callbacks;  // the C functions that SQLite calls
  static const sqlite3_io_methods kMethods;

  Status attach_transaction(const store::Transaction& transaction);
  [[nodiscard]] Result<std::optional<Bytes>> get(std::uint32_t number) const;
  int read(std::span<char> out, std::uint64_t offset);
  int read_missing(std::span<char> out, std::uint32_t number);
  void show_counter(std::span<char> out, std::size_t start) const;
  void show_another_counter();
  [[nodiscard]] std::uint32_t version_to_write() const;

  int write(Bytes page, std::uint64_t offset);
  Status put(std::uint32_t number, Bytes page);
  Status erase_beyond(std::uint32_t page_count);
  Status settle_page_count();

  int lock(int level);
  int fail(Error error, int io_code);
  int spoil(Error error, int io_code);

  sqlite3_vfs vfs_{};
  std::string name_;
  const store::Transaction* transaction_ = nullptr;
  const MemoryImage* image_ = nullptr;         // has the pages instead of the transaction
  std::uint64_t transaction_id_ = 0;           // of the one attached last; 0 if it is of no use
  store::WriteTransaction* writer_ = nullptr;  // the same transaction, if it may write
  std::uint32_t page_count_ = 0;               // as page 1 says now
  std::uint32_t page_count_before_ = 0;        // as page 1 said when the transaction was attached
  std::uint32_t shown_counter_ = 1;            // what SQLite reads at bytes 24-27 and 92-95
  std::uint32_t highest_counter_ = 1;          // that SQLite may ever have seen
  std::uint32_t version_ = 0;                  // stored there: the page 1 that it stands for
  int lock_level_ = SQLITE_LOCK_NONE;
  bool wrote_ = false;
  bool may_commit_ = false;
  bool committed_ = false;
  int spoilt_code_ = SQLITE_OK;  // the result of the first failed write of this transaction
  std::optional<Error> failure_;
};

}  // namespace tracelite::index
