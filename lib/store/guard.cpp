// See guard.hpp.
#include "store/guard.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/vfs.h>
#endif

#include <algorithm>
#include <array>
#include <cerrno>
#include <random>
#include <thread>
#include <utility>

#include "store/errors.hpp"

namespace tracelite::store {
namespace {

static_assert(sizeof(off_t) == 8, "byte locks lie beyond 4 GiB");

constexpr off_t kUseOffset = off_t{1} << 62;
constexpr off_t kUseSizeBytes = off_t{1} << 60;
constexpr off_t kTurnstileOffset = kUseOffset - 1;
constexpr off_t kQueueOffset = off_t{1} << 61;
constexpr off_t kQueueSizeBytes = off_t{1} << 60;
constexpr std::size_t kGoFirstMax = 64;  // more processes do not write one file at once

#ifdef F_OFD_SETLK
constexpr int kSetLock = F_OFD_SETLK;
constexpr int kSetLockWait = F_OFD_SETLKW;
constexpr int kGetLock = F_OFD_GETLK;
#endif

// Returns 0 or an errno value.
int byte_lock([[maybe_unused]] int descriptor, [[maybe_unused]] short type,
              [[maybe_unused]] off_t offset, [[maybe_unused]] off_t size_bytes,
              [[maybe_unused]] bool wait) {
#ifdef F_OFD_SETLK
  struct flock lock = {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = offset;
  lock.l_len = size_bytes;
  while (fcntl(descriptor, wait ? kSetLockWait : kSetLock, &lock) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
#else
  return ENOTSUP;
#endif
}

// Finds a byte in a range that somebody else has locked; -1 if there is none. Returns 0 or an errno
// value.
int find_lock([[maybe_unused]] int descriptor, [[maybe_unused]] off_t offset,
              [[maybe_unused]] off_t size_bytes, off_t& found) {
  found = -1;
#ifdef F_OFD_SETLK
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = offset;
  lock.l_len = size_bytes;
  if (fcntl(descriptor, kGetLock, &lock) != 0) return errno;
  if (lock.l_type != F_UNLCK) found = lock.l_start;
#endif
  return 0;
}

// Until nobody else has locked it. Returns 0 or an errno value.
int wait_for_byte(int descriptor, off_t offset) {
  const int code = byte_lock(descriptor, F_RDLCK, offset, 1, true);
  byte_lock(descriptor, F_UNLCK, offset, 1, false);
  return code;
}

// A file that is opened as standard input, output or error gets what the program writes to these:
// what is closed of them becomes the null device first, as SQLite does it.
void keep_off_standard_descriptors() {
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(standard, F_GETFD) >= 0) continue;
    const int filler = ::open("/dev/null", O_RDONLY);
    if (filler > STDERR_FILENO) close(filler);  // another thread has taken its place
  }
}

std::int64_t random_place() {
  std::random_device random;
  const auto high = std::uint64_t{random()} << 32;
  return static_cast<std::int64_t>((high | random()) % static_cast<std::uint64_t>(kQueueSizeBytes));
}

// File systems where a shared memory map and locks do not reach the other machines.
bool on_network([[maybe_unused]] int descriptor) {
#ifdef __linux__
  constexpr std::array<std::uint32_t, 14> kNetworkFileSystems = {
      0x6969,      // NFS
      0x517b,      // SMB
      0xfe534d42,  // SMB2
      0xff534d42,  // CIFS
      0x5346414f,  // AFS
      0x6b414653,  // AFS (in the kernel)
      0x73757245,  // Coda
      0x564c,      // NCP
      0x00c36400,  // Ceph
      0x01161970,  // GFS2
      0x7461636f,  // OCFS2
      0x0bd00bd0,  // Lustre
      0x47504653,  // GPFS
      0x19830326,  // BeeGFS
  };
  struct statfs information = {};
  if (fstatfs(descriptor, &information) != 0) return false;
  const auto type = static_cast<std::uint32_t>(information.f_type);
  return std::ranges::find(kNetworkFileSystems, type) != kNetworkFileSystems.end();
#else
  return false;
#endif
}

Error not_regular(const std::string& path, mode_t mode) {
  return make_error(Code::not_tracelite,
                    path + (S_ISDIR(mode) ? " is a directory" : " is not a regular file"), "path");
}

}  // namespace

std::uint64_t lock_file_mark(std::uint64_t inode) {
  return inode % static_cast<std::uint64_t>(kUseSizeBytes);
}

std::optional<FileIdentity> identity_of(const std::string& path) {
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0) return std::nullopt;
  return FileIdentity{status.st_dev, status.st_ino};
}

std::optional<FileIdentity> identity_of(int descriptor) {
  struct stat status = {};
  if (fstat(descriptor, &status) != 0) return std::nullopt;
  return FileIdentity{status.st_dev, status.st_ino};
}

Result<Guard> Guard::adopt(int descriptor, const std::string& path, bool writable,
                           bool without_lock_file) {
  Guard guard;
  guard.descriptor_ = descriptor;
  guard.path_ = path;
  guard.writable_ = writable;
  guard.without_lock_file_ = without_lock_file;
  guard.queue_place_ = random_place();
  struct stat status = {};
  if (fstat(descriptor, &status) != 0) return system_error(errno, "look at", path);
  if (!S_ISREG(status.st_mode)) return not_regular(path, status.st_mode);
  guard.identity_ = FileIdentity{status.st_dev, status.st_ino};
  if (on_network(descriptor)) {
    return make_error(Code::unsupported,
                      path + " is on a network file system; put it on a local disk", "path");
  }
#ifndef F_OFD_SETLK
  return make_error(Code::unsupported, "this system has no open-file-description locks");
#endif
  return guard;
}

Result<Guard> Guard::open_existing(const std::string& path, bool immutable) {
  // Opening a pipe or a device can block or do harm, so look first. The path is a real one; a link
  // there has just been put in its place.
  struct stat status = {};
  if (lstat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    return not_regular(path, status.st_mode);
  }
  keep_off_standard_descriptors();
  constexpr int kFlags = O_CLOEXEC | O_NOCTTY | O_NOFOLLOW;
  int descriptor = immutable ? -1 : ::open(path.c_str(), O_RDWR | kFlags);
  if (descriptor >= 0) return adopt(descriptor, path, true, false);
  const int reason = immutable ? EROFS : errno;
  if (reason != EACCES && reason != EPERM && reason != EROFS) {
    return system_error(reason, "open", path);
  }
  descriptor = ::open(path.c_str(), O_RDONLY | kFlags);
  if (descriptor < 0) return system_error(errno, "open", path);
  return adopt(descriptor, path, false, reason == EROFS);
}

Result<Guard> Guard::create(const std::string& path) {
  keep_off_standard_descriptors();
  const int descriptor =
      ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOCTTY, S_IRUSR | S_IWUSR);
  if (descriptor < 0) return system_error(errno, "create", path);
  Result<Guard> guard = adopt(descriptor, path, true, false);
  if (!guard) unlink(path.c_str());
  return guard;
}

Guard::~Guard() {
  if (descriptor_ >= 0) close(descriptor_);
}

Guard::Guard(Guard&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      identity_(other.identity_),
      writable_(other.writable_),
      without_lock_file_(other.without_lock_file_),
      path_(std::move(other.path_)),
      queue_place_(other.queue_place_) {}

Guard& Guard::operator=(Guard&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(identity_, other.identity_);
  std::swap(writable_, other.writable_);
  std::swap(without_lock_file_, other.without_lock_file_);
  std::swap(path_, other.path_);
  std::swap(queue_place_, other.queue_place_);
  return *this;
}

Status Guard::lock_door(std::chrono::milliseconds patience) {
  // A process that was stopped inside the door must not stop everybody else for ever, so this is a
  // bounded series of tries instead of one call that waits.
  constexpr std::chrono::milliseconds kPauseMax{20};
  std::chrono::milliseconds pause{1};
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return system_error(errno, "lock", path_);
    if (std::chrono::steady_clock::now() >= deadline) {
      return make_error(Code::busy, "another process has been opening or closing " + path_ +
                                        " for too long; try again");
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, kPauseMax);
  }
  return {};
}

void Guard::unlock_door() const { flock(descriptor_, LOCK_UN); }

Result<std::optional<std::uint64_t>> Guard::other_user() const {
  off_t found = 0;
  const int code = find_lock(descriptor_, kUseOffset, kUseSizeBytes, found);
  if (code != 0) return system_error(code, "lock", path_);
  if (found < 0) return std::optional<std::uint64_t>{};
  return std::optional<std::uint64_t>{static_cast<std::uint64_t>(found - kUseOffset)};
}

Status Guard::start_use(std::uint64_t lock_file_mark) {
  const off_t offset = kUseOffset + static_cast<off_t>(lock_file_mark);
  const int code = byte_lock(descriptor_, F_RDLCK, offset, 1, false);
  if (code != 0) return system_error(code, "lock", path_);
  return {};
}

void Guard::end_use() const { byte_lock(descriptor_, F_UNLCK, kUseOffset, kUseSizeBytes, false); }

Status Guard::enter_turnstile(const std::function<bool()>& made_last_commit) {
  int code = EAGAIN;
  while (code == EAGAIN || code == EACCES) {  // a place that somebody else has just chosen
    queue_place_ = (queue_place_ + 1) % kQueueSizeBytes;
    code = byte_lock(descriptor_, F_WRLCK, kQueueOffset + queue_place_, 1, false);
  }
  if (code != 0) return system_error(code, "lock", path_);
  // Looked for first, asked second: the other way round, one of them could have come after a commit
  // of its own, and be waiting for us.
  std::array<std::int64_t, kGoFirstMax> waiting{};
  std::size_t count = 0;
  visit_queue([&](std::int64_t place) {
    if (count < waiting.size()) waiting.at(count++) = place;
  });
  if (count > 0 && !made_last_commit()) count = 0;
  for (std::size_t i = 0; i < count && code == 0; ++i) {
    code = wait_for_byte(descriptor_, kQueueOffset + waiting.at(i));
  }
  if (code == 0) code = byte_lock(descriptor_, F_WRLCK, kTurnstileOffset, 1, true);
  if (code == 0) return {};
  leave_turnstile();
  return system_error(code, "lock", path_);
}

void Guard::leave_turnstile() const {
  let_others_through();
  byte_lock(descriptor_, F_UNLCK, kQueueOffset + queue_place_, 1, false);
}

void Guard::let_others_through() const {
  byte_lock(descriptor_, F_UNLCK, kTurnstileOffset, 1, false);
}

void Guard::wait_for_queue() const {
  visit_queue([this](std::int64_t place) { wait_for_byte(descriptor_, kQueueOffset + place); });
}

void Guard::visit_queue(const std::function<void(std::int64_t place)>& visit) const {
  visit_queue(0, kQueueSizeBytes, visit);
}

// Of the locks in a range the system names any, not the first: so look on both sides of it. Each
// takes one level more, and processes that have a file open are few.
void Guard::visit_queue(std::int64_t from, std::int64_t end,
                        const std::function<void(std::int64_t place)>& visit) const {
  off_t found = -1;
  if (from >= end || find_lock(descriptor_, kQueueOffset + from, end - from, found) != 0) return;
  const std::int64_t place = found - kQueueOffset;
  if (place < from || place >= end) return;
  visit(place);
  visit_queue(from, place, visit);
  visit_queue(place + 1, end, visit);
}

}  // namespace tracelite::store
