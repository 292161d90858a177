// The guard: our own locks on the data file, which make LMDB's lock file safe to remove and its
// write mutex fair. LMDB never locks the data file, so nothing collides.
//
// Four locks, all of them bound to one open file description, so that they end with the process:
//
//  - the door: held while opening and closing. flock() on the whole file, because it needs no right
//    to write.
//  - in use: a shared lock on one byte, held while the file is open. Which byte it is says which
//    lock file the holder uses (its inode number is the offset), so that a second process notices
//    when the lock file beside the data file has been removed or replaced: two processes with two
//    lock files would both be the only writer.
//  - the turnstile: an exclusive lock on one byte, held from asking for LMDB's write mutex until
//    getting it. LMDB's mutex goes to whoever runs first, which is whoever has just released it.
//  - the queue: every process at the turnstile holds a lock on a byte of its own choice, a new one
//    each time, until it has got the write mutex. The process that made the last commit lets all
//    that are there go first, by waiting for these bytes: with one of them it would take turns, and
//    the others wait. The turnstile alone is not fair either: a process that is woken for it needs
//    longer to take it than a small commit takes. (No circle of processes can wait like this: each
//    waits for those whose last commit is older. What changed nothing is no commit: its number
//    belongs to somebody else's.) Where the file is replaced, those in its queue stay there until
//    it is their turn in the one that took its place, and who has replaced it waits for that:
//    otherwise who does it again and again would be there before them each time.
//
// The byte locks lie far beyond any data, from 2^61 on.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "model/result.hpp"

namespace tracelite::store {

// What tells two files apart, whatever their names.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  auto operator<=>(const FileIdentity&) const = default;
};

// Gives nullopt if there is no such file.
std::optional<FileIdentity> identity_of(const std::string& path);
std::optional<FileIdentity> identity_of(int descriptor);

// What a byte offset can hold of a lock file's inode number; 0 stands for no lock file.
std::uint64_t lock_file_mark(std::uint64_t inode);

class Guard {
 public:
  // Opens an existing regular file, for writing if that is allowed. Errors: not_found (ENOENT is
  // the engine code), permission, not_tracelite (not a regular file), unsupported (network file
  // system), io.
  static Result<Guard> open_existing(const std::string& path, bool immutable = false);
  // Creates the file, mode 0600. Errors: as above; engine code EEXIST if somebody was faster.
  static Result<Guard> create(const std::string& path);

  Guard() = default;
  ~Guard();  // closes the file, which ends all locks
  Guard(Guard&&) noexcept;
  Guard& operator=(Guard&&) noexcept;

  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] FileIdentity identity() const { return identity_; }
  [[nodiscard]] bool writable() const { return writable_; }
  // The file lies on a medium that is mounted read-only, or nobody writes it by the word of who
  // opened it: there need be no lock file.
  [[nodiscard]] bool without_lock_file() const { return without_lock_file_; }

  // Errors: busy (nobody let us in for `patience`), io.
  Status lock_door(std::chrono::milliseconds patience);
  void unlock_door() const;

  // The mark of the lock file of somebody else who has the file open, if there is anybody. Hold the
  // door.
  Result<std::optional<std::uint64_t>> other_user() const;
  // Says that this process uses the lock file with that mark. Hold the door.
  Status start_use(std::uint64_t lock_file_mark);
  // Ends it for every copy of the descriptor, those in forked children included.
  void end_use() const;

  // Waits for the turn of this process, as long as it takes. One thread at a time.
  // `made_last_commit` must answer whether the last commit of all is the last one that this process
  // had made before it called this; of two processes at most one may be told so.
  Status enter_turnstile(const std::function<bool()>& made_last_commit);
  void leave_turnstile() const;
  // Lets others through, and stays in the queue until leaving.
  void let_others_through() const;
  // Until all other processes that are in the queue now have left it. Hold no turn.
  void wait_for_queue() const;
  // Calls `visit` with the place of each other process that is in the queue, in no order.
  void visit_queue(const std::function<void(std::int64_t place)>& visit) const;

 private:
  void visit_queue(std::int64_t from, std::int64_t end,
                   const std::function<void(std::int64_t place)>& visit) const;
  static Result<Guard> adopt(int descriptor, const std::string& path, bool writable,
                             bool without_lock_file);

  int descriptor_ = -1;
  FileIdentity identity_;
  bool writable_ = false;
  bool without_lock_file_ = false;
  std::string path_;
  std::int64_t queue_place_ = 0;  // changes with each use, so that nobody waits for the wrong one
};

// A locked door, to be unlocked.
struct Door {
  explicit Door(const Guard& locked) : guard(locked) {}
  ~Door() { guard.unlock_door(); }
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;
  const Guard& guard;
};

}  // namespace tracelite::store
