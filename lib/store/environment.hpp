// One tracelite file, open in this process: an LMDB environment with the locks that make it safe.
//
// Knows bytes, keys, transactions and locks. Must not know what a trace is.
//
// Rules kept here (reasons in lib/README.md):
//  - one Environment a file in a process, however often it is opened (registry by device and
//  inode);
//  - a guard lock of our own (open-file-description locks on the data file) serialises every open
//    and close, so that LMDB's "-lock" file can be removed by the last to close, and a stale one by
//    the first to open;
//  - a turnstile lock before every write transaction, so that processes write in turns;
//  - after a fork the child's handles answer `forked`, and opening anew works there;
//  - every value carries an 8-byte checksum over key space, key and value;
//  - the map grows without the caller noticing, as long as nobody keeps a snapshot busy;
//  - when the file has been replaced by a compacted one, transactions begin on that; those that are
//  under way stay on the old one (replacement.hpp).
//
// Threads: Environment is thread-safe. A transaction and its cursors belong to one thread at a
// time; a WriteTransaction must be committed or dropped by the thread that began it.
//
// Every call on a handle that was inherited through fork() answers `forked`, and on one that was
// moved away or is over `misuse`.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/bytes.hpp"
#include "model/result.hpp"
#include "store/guard.hpp"
#include "store/key_space.hpp"

namespace tracelite::store {

inline constexpr std::uint32_t kFormatVersion = 1;
inline constexpr std::size_t kDefaultMapSizeBytes = std::size_t{1} << 38;
inline constexpr std::size_t kMinimumMapSizeBytes = std::size_t{1} << 20;
inline constexpr std::size_t kChecksumSizeBytes = 8;
// The largest value that fills exactly one overflow page of LMDB (4,096 less its 16-byte header),
// checksum not counted.
inline constexpr std::size_t kOnePageValueSizeBytes = 4080 - kChecksumSizeBytes;

inline constexpr std::size_t kKeySizeBytesMax = 511;  // LMDB's

// If the Environment is shared with an earlier opener, that one's options hold.
struct OpenOptions {
  bool read_only = false;  // the file must exist; nothing is written
  // Address space reserved for the file: halved if there is not so much, grown when it is full.
  std::size_t map_size_bytes = kDefaultMapSizeBytes;
  // How long to wait for other processes that are just opening or closing the file.
  std::chrono::milliseconds door_patience{10'000};
  // How long a larger map waits for the transactions of this process to end.
  std::chrono::milliseconds grow_patience{5'000};
  // A file that must not exist and that nobody else is to see yet: its commits are not durable
  // before sync() has returned.
  bool draft = false;
  // A new file numbers its transactions from beyond this one.
  std::uint64_t transactions_after = 0;
  // The file may come from anybody: all of it is looked through (page_verifier.hpp) before LMDB
  // is let to its trees; if this process has it open already, at a snapshot, unless it has been
  // looked through then. This takes as long as reading it, behind the door.
  bool untrusted = false;
  // Nobody writes the file while it is open: read without a lock file, whatever the medium. With
  // read_only.
  bool immutable = false;
};

class ReadTransaction;
class WriteTransaction;
class Cursor;

// What a commit survives. Each leaves a sound file whatever happens.
enum class Durability : std::uint8_t {
  synced,            // a power cut loses nothing
  last_may_be_lost,  // a power cut may lose the last commit, unless sync() came behind it
};

struct KeySpaceStatistics {
  std::uint64_t entries = 0;
  std::uint64_t branch_pages = 0;
  std::uint64_t leaf_pages = 0;
  std::uint64_t overflow_pages = 0;
};

struct FileUse {
  std::uint64_t page_size_bytes = 0;
  std::uint64_t file_page_count = 0;
  std::uint64_t free_page_count = 0;  // of these: what no commit uses any more
};

class Environment : public std::enable_shared_from_this<Environment> {
 public:
  // Opens the file, creating it (mode 0600, folder synced) unless read-only; shares the Environment
  // that this process already has for the same file. Symbolic links are followed. Errors: invalid
  // (empty path), not_found, permission, not_tracelite, newer_format, other_geometry, corrupt
  // (truncated, heads disagree; untrusted, and anything is wrong), unsupported (network file
  // system), busy (the lock file was removed while others use it; another process is stuck in open
  // or close), io, no_memory, disk_full.
  static Result<std::shared_ptr<Environment>> open(const std::string& path,
                                                   const OpenOptions& options);

  // The last owner closes the file behind the guard's door, and removes the lock file if no other
  // process has it open. A transaction owns its environment.
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  // A consistent view of the newest commit. `expire`, if given, is called from another thread when
  // the map must grow: it must see to it that the transaction ends soon (it may wait for a call in
  // progress). It may be called once more while the transaction is just ending, or right after, so
  // it must own what it touches (capture a weak_ptr, not `this`).
  // Errors: forked, no_memory, io, busy (all reader slots taken; a reader holds up a larger map).
  // Also the errors of open, when the file has just been replaced.
  Result<ReadTransaction> begin_read(const std::function<void()>& expire = {});

  // Waits its turn, behind other threads and other processes. If a sync has failed since the last
  // commit, the heads of the file are written again first. Errors: forked, read_only, misuse
  // (this thread has one already), io, corrupt, busy (a reader holds up a larger map), and those of
  // open, when the file has just been replaced.
  Result<WriteTransaction> begin_write(Durability durability = Durability::synced);

  // Makes the map larger after a transaction failed with disk_full and engine code MDB_MAP_FULL;
  // the failed transaction must be dropped first, and the calling thread must have no other one.
  // Expires readers and waits for the transactions of this process. Does nothing if somebody else
  // did it since. Errors: forked, disk_full (no address space left), busy (a transaction did not
  // end in time), io.
  Status grow();

  // Makes the map large enough for so many bytes more than the file has now. No transaction of the
  // calling thread may be active. Errors: as grow.
  Status make_room(std::uint64_t size_bytes);
  // Everything that was committed is durable when it returns ok. If a sync has failed before, it
  // waits for its turn to write, and the thread must have no write transaction. Errors: io,
  // disk_full, forked, and those of begin_write.
  Status sync();

  [[nodiscard]] bool forked() const;
  [[nodiscard]] bool writable() const;      // false if the medium or permissions forbid it
  [[nodiscard]] bool opened_alone() const;  // no other process had it open when this one did
  [[nodiscard]] std::uint64_t opened_at_transaction_id() const;  // the newest commit then
  [[nodiscard]] const std::string& path() const;                 // absolute, without symbolic links
  // Which file it is that transactions begin on now, until it is replaced.
  [[nodiscard]] FileIdentity identity() const;
  // The number of the newest commit; 0 on an inherited handle.
  [[nodiscard]] std::uint64_t last_transaction_id() const;
  [[nodiscard]] Result<std::uint64_t> file_size_bytes() const;
  // What the file system has left for this process. Errors: io.
  [[nodiscard]] Result<std::uint64_t> free_disk_bytes() const;
  [[nodiscard]] std::size_t map_size_bytes() const;
  // The age in transactions of the oldest snapshot of any process, 0 if none.
  [[nodiscard]] std::uint64_t oldest_reader_lag() const;

  struct State;  // for this room only
  explicit Environment(std::unique_ptr<State> state);
  [[nodiscard]] State& state() const { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

// What a higher room keeps for the life of a transaction: decoded bytes, for one. Each has a place
// of its own.
enum class CompanionSlot : std::uint8_t { payloads, directory, packed };
inline constexpr std::size_t kCompanionCount = 3;
class WriteTransaction;
class Companion {
 public:
  virtual ~Companion() = default;
  // Writes what it has kept; in the order of the slots, so that one may still write to those behind
  // it. What it fails with is what the commit fails with.
  virtual Status before_commit(WriteTransaction&) { return {}; }
};
using Companions = std::array<std::unique_ptr<Companion>, kCompanionCount>;

// What reads and writes share. Values are views into the map: valid until the transaction ends, or
// (in a write transaction) until the next put or erase.
class Transaction {
 public:
  // The transaction number: of the commit that is seen (read), or that will be made (write). A file
  // that replaces another goes on with larger numbers, and not with the next one.
  [[nodiscard]] std::uint64_t id() const;
  // Another one for each file that this process opens: numbers of payloads that were read in one
  // file mean nothing in the one that has replaced it.
  [[nodiscard]] std::uint64_t file_number() const;

  // nullopt if there is no such key. Errors: corrupt (checksum), io.
  Result<std::optional<Bytes>> get(KeySpace space, Bytes key) const;
  // Not positioned yet. Where making it fails, its first call says so.
  Cursor cursor(KeySpace space) const;
  // One that passes over damaged entries: its calls verify nothing, and only read_value() tells.
  Cursor key_cursor(KeySpace space) const;
  Result<KeySpaceStatistics> statistics(KeySpace space) const;
  // The file's size is as it is now, the rest as in this transaction's commit. Errors: io.
  [[nodiscard]] Result<FileUse> file_use() const;
  [[nodiscard]] const std::shared_ptr<Environment>& environment() const;
  // Empty until somebody puts something in; destroyed with the transaction, unless they are moved
  // to another one that reads the same commit.
  [[nodiscard]] Companions& companions() const;
  [[nodiscard]] std::unique_ptr<Companion>& companion(CompanionSlot slot) const;

  struct State;  // for this room only
  [[nodiscard]] const State& state() const { return *state_; }

 protected:
  explicit Transaction(std::unique_ptr<State> state);
  ~Transaction();
  Transaction(Transaction&&) noexcept;
  Transaction& operator=(Transaction&&) noexcept;
  [[nodiscard]] Status usable() const;
  std::unique_ptr<State> state_;
};

class ReadTransaction : public Transaction {
 public:
  explicit ReadTransaction(std::unique_ptr<State> state);  // for this room only
  ~ReadTransaction() = default;
  ReadTransaction(ReadTransaction&&) noexcept = default;
  ReadTransaction& operator=(ReadTransaction&&) noexcept = default;
};

// Dropping it without commit() aborts. After a put or erase has failed, only dropping is allowed.
class WriteTransaction : public Transaction {
 public:
  explicit WriteTransaction(std::unique_ptr<State> state);  // for this room only
  ~WriteTransaction() = default;
  WriteTransaction(WriteTransaction&&) noexcept = default;
  WriteTransaction& operator=(WriteTransaction&&) noexcept = default;

  // Neither key nor value may be a view that this transaction has given out.
  // Errors: disk_full (engine code MDB_MAP_FULL: drop, grow(), run again; or ENOSPC), limit (key
  // longer than kKeySizeBytesMax), invalid (empty key), io, no_memory.
  Status put(KeySpace space, Bytes key, Bytes value);
  // Writes the parts one after the other as one value, without joining them in memory first.
  Status put(KeySpace space, Bytes key, std::span<const Bytes> parts);
  // True if the key was there.
  Result<bool> erase(KeySpace space, Bytes key);
  // Removes every key of a key space.
  Status clear(KeySpace space);

  // Writes what packed key spaces have in memory first. As durable as begin_write was told, and
  // everything before it durable for good, when it returns ok; but where there was nothing to write
  // nothing is synced, and no commit made (has_committed()). The transaction
  // is over either way, except if it was called from another thread than the one that began it
  // (misuse). Closes its cursors. Errors: those of put.
  Status commit();
  [[nodiscard]] bool finished() const;  // committed or failed in commit()
  // commit() has made a commit. One that had nothing to write makes none: the next transaction, of
  // whomever, gets its number.
  [[nodiscard]] bool has_committed() const;

  // Bytes put so far: callers bound a transaction with it.
  [[nodiscard]] std::uint64_t put_size_bytes() const;

 private:
  Status clear_patches(KeySpace space);
  Status take_from_sums(KeySpace space, Bytes key);
  Status write_sums();
  Status give_up(Status failure);
};

// Walks one key space in key order. After its transaction has ended every call answers `misuse`;
// in a write transaction it must be positioned anew after a put or erase.
class Cursor {
 public:
  ~Cursor();
  Cursor(Cursor&&) noexcept;
  Cursor& operator=(Cursor&&) noexcept;

  // Each returns false when there is no such entry. Errors: corrupt (checksum), io.
  Result<bool> seek(Bytes key_at_least);  // an empty key: the first entry
  Result<bool> seek_last();               // the last entry of the key space
  Result<bool> next();                    // not positioned: the first entry
  Result<bool> previous();                // not positioned: the last entry
  // Of the entry that the last call found.
  [[nodiscard]] Bytes key() const;
  [[nodiscard]] Bytes value() const;               // without its checksum; empty if it goes by keys
  [[nodiscard]] Result<Bytes> read_value() const;  // verified now. Errors: corrupt, misuse

  struct State;  // for this room only
  explicit Cursor(std::unique_ptr<State> state);

 private:
  friend class Transaction;
  std::unique_ptr<State> state_;
};

// Whether it failed because the map was full: drop the transaction, grow(), and run it again.
bool is_map_full(const Error& error);

// The checksum that `put` appends to a value, least significant byte first.
std::uint64_t checksum(KeySpace space, Bytes key, Bytes value);
void write_checksum(char* out, std::uint64_t checksum);
std::uint64_t read_checksum(const char* in);
// Of a value as it is stored, with its checksum; nullopt if that does not match.
std::optional<std::uint64_t> matching_checksum(KeySpace space, Bytes key, Bytes stored);

}  // namespace tracelite::store
