// See lock_file.hpp.
#include "store/lock_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>

#include "store/errors.hpp"
#include "store/registry.hpp"

namespace tracelite::store {
namespace {

constexpr const char* kLockSuffix = "-lock";

// Whether this process has the lock file open, for a data file that has got another name since.
bool is_ours(const FileIdentity& lock_file) {
  const auto& entries = Registry::instance().entries;
  return std::ranges::any_of(
      entries, [&](const auto& entry) { return entry.second.lock_file == lock_file; });
}

// Whether some process has it open through LMDB.
bool is_alive(const std::string& lock_path, const FileIdentity& lock_file) {
  if (is_ours(lock_file)) return true;
  bool alive = false;
#ifdef F_OFD_GETLK
  const int descriptor = ::open(lock_path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return true;  // not ours to read; LMDB will say why
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_len = 1;
  alive = fcntl(descriptor, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
  close(descriptor);
#endif
  return alive;
}

void renew_lock(int descriptor, short type, off_t offset) {
  struct flock lock = {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = offset;
  lock.l_len = 1;
  // If it fails, somebody has taken what was ours; there is nothing better to do than to go on.
  fcntl(descriptor, F_SETLK, &lock);
}

}  // namespace

std::string lock_path_of(const std::string& path) { return path + kLockSuffix; }

namespace {

// The same on the stack; empty: it is too long to be one.
class LockPath {
 public:
  explicit LockPath(const std::string& path) {
    const int size = std::snprintf(path_.data(), path_.size(), "%s%s", path.c_str(), kLockSuffix);
    if (static_cast<std::size_t>(size) >= path_.size()) path_.front() = '\0';
  }
  [[nodiscard]] const char* c_str() const { return path_.data(); }

 private:
  std::array<char, PATH_MAX> path_;
};

}  // namespace

void unlink_lock_file_of(const std::string& path) { unlink(LockPath(path).c_str()); }

void remove_lock_file_of(const std::string& path, std::uint64_t inode) {
  const LockPath lock_path(path);
  struct stat status = {};
  if (stat(lock_path.c_str(), &status) == 0 && status.st_ino == inode) unlink(lock_path.c_str());
}

FoundLockFile find_lock_file(const std::string& lock_path, std::uint64_t theirs) {
  const auto here = identity_of(lock_path);
  if (!here) return FoundLockFile::missing;
  if (lock_file_mark(here->inode) != theirs) return FoundLockFile::another;
  return is_alive(lock_path, *here) ? FoundLockFile::theirs : FoundLockFile::abandoned;
}

Status remove_stale_lock_file(const std::string& lock_path) {
  const auto here = identity_of(lock_path);
  if (here && is_alive(lock_path, *here)) {
    return make_error(Code::busy, "the lock file " + lock_path +
                                      " is in use by another program, or for another file that had "
                                      "this name; close that first");
  }
  // LMDB can live with it if it stays. One that is a link to nothing must go as well.
  unlink(lock_path.c_str());
  return {};
}

namespace {

// What somebody has put in the place of a lock file, in a folder where we may not remove it: LMDB
// would write to whatever it leads to.
bool is_a_link(const std::string& path) {
  struct stat status = {};
  return lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_nlink != 1;
}

}  // namespace

int create_lock_file(const std::string& lock_path, const LockFileOwner& owner) {
  const std::string zeros(kLockFileSizeBytes, '\0');  // first: there may be no memory for it
  const int descriptor =
      ::open(lock_path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, owner.mode);
  // A stale one that could not be removed can be used.
  if (descriptor < 0 && errno == EEXIST) return is_a_link(lock_path) ? ELOOP : 0;
  if (descriptor < 0) return errno;
  int code = fchmod(descriptor, owner.mode) == 0 ? 0 : errno;  // whatever the umask is
  // As SQLite does, so that root locks nobody out of his own file.
  if (code == 0 && geteuid() == 0 && fchown(descriptor, owner.user, owner.group) != 0) code = errno;
  for (std::size_t done = 0; done < zeros.size() && code == 0;) {
    const ssize_t count = write(descriptor, zeros.data() + done, zeros.size() - done);
    if (count >= 0) {
      done += static_cast<std::size_t>(count);
    } else if (errno != EINTR) {
      code = errno;
    }
  }
  close(descriptor);
  if (code != 0) unlink(lock_path.c_str());
  return code;
}

LockKeeper::~LockKeeper() {
  if (descriptor_ >= 0) close(descriptor_);
}

Status LockKeeper::start(const std::string& lock_path, std::uint64_t inode) {
  descriptor_ = ::open(lock_path.c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor_ < 0) return system_error(errno, "open the lock file", lock_path);
  const auto here = identity_of(descriptor_);
  if (here && here->inode == inode) return {};
  return make_error(Code::busy, "the lock file " + lock_path + " was replaced");
}

void LockKeeper::renew() const {
  if (descriptor_ < 0) return;
  renew_lock(descriptor_, F_RDLCK, 0);
  renew_lock(descriptor_, F_WRLCK, getpid());
}

}  // namespace tracelite::store
