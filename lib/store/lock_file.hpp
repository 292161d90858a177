// LMDB's lock file, which lies beside the data file while that is open: the table of snapshots and
// the write mutex. Two processes with two lock files would both be the only writer, so everything
// that is done to it is here.
//
// LMDB marks a lock file as used by process-owned locks: one on its first byte, and one on the byte
// whose number is the process's, by which others see whether the owner of a snapshot still lives.
// Such locks end as soon as the process closes *any* descriptor of the file, which a program does
// that copies its own folder. Therefore a process that has the lock file open through LMDB must not
// look at it through this file's functions, and renews its locks from time to time.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "model/result.hpp"
#include "store/guard.hpp"

namespace tracelite::store {

// LMDB takes the number of snapshots that all processes together may have from the size of the lock
// file: 64 bytes each, after 192 of its own.
inline constexpr std::size_t kLockFileSizeBytes = 32'768;
inline constexpr unsigned kReadersMax = (kLockFileSizeBytes - 192) / 64;

// Where LMDB looks for it.
std::string lock_path_of(const std::string& path);
// Unlinks it, also where memory has run out.
void unlink_lock_file_of(const std::string& path);
// The same if it is still the one with that inode number.
void remove_lock_file_of(const std::string& path, std::uint64_t inode);

// What lies there while others use the one with the mark `theirs`.
enum class FoundLockFile { theirs, missing, another, abandoned };
FoundLockFile find_lock_file(const std::string& lock_path, std::uint64_t theirs);

// Removes the one that a crash has left, when nobody has the data file open. Errors: busy (a
// program uses it without our guard, or this process for a file that had this name).
Status remove_stale_lock_file(const std::string& lock_path);

// Whoever may write the file may write the lock file.
struct LockFileOwner {
  mode_t mode;
  uid_t user;
  gid_t group;
};
// Makes it before LMDB does. LMDB makes it without contents and writes to it through a map: on a
// full disk that is not an error but a SIGBUS. Returns 0 or an errno value; ELOOP: a link lies
// there that cannot be removed.
int create_lock_file(const std::string& lock_path, const LockFileOwner& owner);

// Renews this process's locks. Must be started after LMDB has opened the lock file, and destroyed
// after LMDB has closed it.
class LockKeeper {
 public:
  LockKeeper() = default;
  ~LockKeeper();
  LockKeeper(const LockKeeper&) = delete;
  LockKeeper& operator=(const LockKeeper&) = delete;

  // Errors: busy (it is not the one with that inode number any more), io.
  Status start(const std::string& lock_path, std::uint64_t inode);
  void renew() const;

 private:
  int descriptor_ = -1;
};

}  // namespace tracelite::store
