#include "support/file_recorder.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

namespace recording {
namespace {

struct Descriptor {
  std::uint32_t file = 0;
  bool syncs_each = false;
  bool is_folder = false;
};

// Held through each call that is recorded, so that the order of the entries is that of the calls.
std::mutex mutex;
std::atomic<bool> is_on{false};
std::string folder;
std::vector<Entry> entries;
std::map<int, Descriptor> descriptors;
std::map<std::string, std::uint32_t> names;  // as the running system sees them
std::uint32_t file_count = 0;

Entry entry(Kind kind, std::uint32_t file, std::uint64_t offset = 0, std::uint64_t size_bytes = 0) {
  Entry made;
  made.kind = kind;
  made.file = file;
  made.offset = offset;
  made.size_bytes = size_bytes;
  return made;
}

#if !defined(__SANITIZE_THREAD__)
// The name within the folder, or nothing.
std::optional<std::string> name_of(const char* path) {
  const std::string_view view(path);
  if (view.size() <= folder.size() + 1 || !view.starts_with(folder) || view[folder.size()] != '/') {
    return std::nullopt;
  }
  return std::string(view.substr(folder.size() + 1));
}

void add_name(Kind kind, const std::string& name, const std::string& to = {}) {
  Entry made = entry(kind, names[name]);
  made.name = name;
  made.to = to;
  entries.push_back(std::move(made));
}

long open_raw(int at, const char* path, int flags, mode_t mode) {
  return syscall(SYS_openat, at, path, flags, mode);
}

int fail_or(long result) { return static_cast<int>(result); }

int recorded_open(int at, const char* path, int flags, mode_t mode) {
  if (!is_on.load(std::memory_order_relaxed)) return fail_or(open_raw(at, path, flags, mode));
  const std::scoped_lock lock(mutex);
  const auto name = name_of(path);
  const bool was_there = name && names.contains(*name);
  const int descriptor = fail_or(open_raw(at, path, flags, mode));
  if (descriptor < 0) return descriptor;
  descriptors.erase(descriptor);
  if (folder == path) {
    descriptors[descriptor] = Descriptor{0, false, true};
  } else if (name) {
    if (!was_there) {
      names[*name] = ++file_count;
      add_name(Kind::create, *name);
    } else if ((flags & O_TRUNC) != 0) {
      entries.push_back(entry(Kind::truncate, names[*name]));
    }
    descriptors[descriptor] = Descriptor{names[*name], (flags & (O_DSYNC | O_SYNC)) != 0, false};
  }
  return descriptor;
}

const Descriptor* known(int descriptor) {
  const auto found = descriptors.find(descriptor);
  return found == descriptors.end() ? nullptr : &found->second;
}

void add_write(const Descriptor& to, std::uint64_t offset, std::string data) {
  Entry made = entry(Kind::write, to.file, offset, data.size());
  made.data = std::move(data);
  const std::uint64_t size_bytes = made.size_bytes;
  entries.push_back(std::move(made));
  if (to.syncs_each) entries.push_back(entry(Kind::sync_range, to.file, offset, size_bytes));
}

std::string joined(const struct iovec* parts, int part_count) {
  std::string all;
  for (int i = 0; i < part_count; ++i) {
    all.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
  }
  return all;
}

// `offset`: -1 where the descriptor stands.
template <class Call, class Data>
ssize_t recorded_write(int descriptor, std::int64_t offset, const Call& call, const Data& data) {
  if (!is_on.load(std::memory_order_relaxed)) return call();
  const std::scoped_lock lock(mutex);
  const Descriptor* to = known(descriptor);
  if (to == nullptr) return call();
  if (offset < 0) offset = syscall(SYS_lseek, descriptor, 0, SEEK_CUR);
  const ssize_t count = call();
  if (count <= 0) return count;
  std::string bytes = data();
  bytes.resize(static_cast<std::size_t>(count));
  add_write(*to, static_cast<std::uint64_t>(offset), std::move(bytes));
  return count;
}

template <class Call>
int recorded_sync(int descriptor, const Call& call) {
  if (!is_on.load(std::memory_order_relaxed)) return fail_or(call());
  const std::scoped_lock lock(mutex);
  const long result = call();
  const Descriptor* of = known(descriptor);
  if (result == 0 && of != nullptr) {
    entries.push_back(entry(of->is_folder ? Kind::sync_folder : Kind::sync, of->file));
  }
  return fail_or(result);
}

template <class Call>
int recorded_truncate(const Call& call, std::uint64_t size_bytes, int descriptor,
                      const char* path) {
  if (!is_on.load(std::memory_order_relaxed)) return fail_or(call());
  const std::scoped_lock lock(mutex);
  const long result = call();
  if (result != 0) return fail_or(result);
  if (path != nullptr) {
    if (const auto name = name_of(path); name && names.contains(*name)) {
      entries.push_back(entry(Kind::truncate, names[*name], size_bytes));
    }
  } else if (const Descriptor* of = known(descriptor)) {
    entries.push_back(entry(Kind::truncate, of->file, size_bytes));
  }
  return 0;
}

int recorded_punch(int descriptor, int mode, off_t offset, off_t size) {
  const auto call = [&] { return syscall(SYS_fallocate, descriptor, mode, offset, size); };
  if (!is_on.load(std::memory_order_relaxed)) return fail_or(call());
  const std::scoped_lock lock(mutex);
  const long result = call();
  const Descriptor* of = known(descriptor);
  if (result == 0 && of != nullptr && (mode & FALLOC_FL_PUNCH_HOLE) != 0) {
    entries.push_back(entry(Kind::punch, of->file, static_cast<std::uint64_t>(offset),
                            static_cast<std::uint64_t>(size)));
  }
  return fail_or(result);
}

template <class Call>
int recorded_naming(Kind kind, const Call& call, const char* path, const char* to_path) {
  if (!is_on.load(std::memory_order_relaxed)) return fail_or(call());
  const std::scoped_lock lock(mutex);
  const long result = call();
  if (result != 0) return fail_or(result);
  const auto name = name_of(path);
  const auto to = to_path != nullptr ? name_of(to_path) : std::nullopt;
  if (!name || !names.contains(*name)) return 0;
  add_name(kind, *name, to.value_or(std::string()));
  if (to) names[*to] = names[*name];
  if (kind != Kind::link) names.erase(*name);
  return 0;
}

#endif

}  // namespace

void start(const std::string& recorded) {
  const std::scoped_lock lock(mutex);
  folder = recorded;
  entries.clear();
  descriptors.clear();
  names.clear();
  file_count = 0;
  is_on = true;
}

std::vector<Entry> stop() {
  is_on = false;
  const std::scoped_lock lock(mutex);
  descriptors.clear();
  return std::exchange(entries, {});
}

void mark(int number, std::uint64_t argument) {
  if (!is_on) return;
  const std::scoped_lock lock(mutex);
  Entry made = entry(Kind::mark, 0, argument);
  made.mark = number;
  entries.push_back(std::move(made));
}

}  // namespace recording

#if !defined(__SANITIZE_THREAD__)
// Seen by the shared libraries, which is what this is for.
#pragma GCC visibility push(default)
extern "C" {

// The mode is only there where a file may be made.
#define TL_RECORDED_OPEN(at, path, flags)         \
  mode_t mode = 0;                                \
  if (((flags) & (O_CREAT | __O_TMPFILE)) != 0) { \
    va_list arguments;                            \
    va_start(arguments, flags);                   \
    mode = va_arg(arguments, mode_t);             \
    va_end(arguments);                            \
  }                                               \
  return recording::recorded_open(at, path, flags, mode)

int open(const char* path, int flags, ...) { TL_RECORDED_OPEN(AT_FDCWD, path, flags); }
int open64(const char* path, int flags, ...) { TL_RECORDED_OPEN(AT_FDCWD, path, flags); }
int openat(int at, const char* path, int flags, ...) { TL_RECORDED_OPEN(at, path, flags); }
int openat64(int at, const char* path, int flags, ...) { TL_RECORDED_OPEN(at, path, flags); }
int creat(const char* path, mode_t mode) {
  return recording::recorded_open(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

int close(int descriptor) {
  if (recording::is_on.load(std::memory_order_relaxed)) {
    const std::scoped_lock lock(recording::mutex);
    recording::descriptors.erase(descriptor);
    return static_cast<int>(syscall(SYS_close, descriptor));
  }
  return static_cast<int>(syscall(SYS_close, descriptor));
}

ssize_t write(int descriptor, const void* data, size_t size) {
  return recording::recorded_write(
      descriptor, -1, [&] { return syscall(SYS_write, descriptor, data, size); },
      [&] { return std::string(static_cast<const char*>(data), size); });
}
ssize_t writev(int descriptor, const struct iovec* parts, int part_count) {
  return recording::recorded_write(
      descriptor, -1, [&] { return syscall(SYS_writev, descriptor, parts, part_count); },
      [&] { return recording::joined(parts, part_count); });
}
ssize_t pwrite(int descriptor, const void* data, size_t size, off_t offset) {
  return recording::recorded_write(
      descriptor, offset, [&] { return syscall(SYS_pwrite64, descriptor, data, size, offset); },
      [&] { return std::string(static_cast<const char*>(data), size); });
}
ssize_t pwrite64(int descriptor, const void* data, size_t size, off64_t offset) {
  return pwrite(descriptor, data, size, offset);
}
// The kernel takes the offset in two halves, the lower first; on 64 bits that is all of it.
ssize_t pwritev(int descriptor, const struct iovec* parts, int part_count, off_t offset) {
  return recording::recorded_write(
      descriptor, offset,
      [&] { return syscall(SYS_pwritev, descriptor, parts, part_count, offset, 0); },
      [&] { return recording::joined(parts, part_count); });
}
ssize_t pwritev64(int descriptor, const struct iovec* parts, int part_count, off64_t offset) {
  return pwritev(descriptor, parts, part_count, offset);
}

int fsync(int descriptor) {
  return recording::recorded_sync(descriptor, [&] { return syscall(SYS_fsync, descriptor); });
}
int fdatasync(int descriptor) {
  return recording::recorded_sync(descriptor, [&] { return syscall(SYS_fdatasync, descriptor); });
}

int fallocate(int descriptor, int mode, off_t offset, off_t size) {
  return recording::recorded_punch(descriptor, mode, offset, size);
}
int fallocate64(int descriptor, int mode, off64_t offset, off64_t size) {
  return recording::recorded_punch(descriptor, mode, offset, size);
}

int ftruncate(int descriptor, off_t size) noexcept {
  return recording::recorded_truncate([&] { return syscall(SYS_ftruncate, descriptor, size); },
                                      static_cast<std::uint64_t>(size), descriptor, nullptr);
}
int ftruncate64(int descriptor, off64_t size) noexcept { return ftruncate(descriptor, size); }
int truncate(const char* path, off_t size) noexcept {
  return recording::recorded_truncate([&] { return syscall(SYS_truncate, path, size); },
                                      static_cast<std::uint64_t>(size), -1, path);
}
int truncate64(const char* path, off64_t size) noexcept { return truncate(path, size); }

int rename(const char* from, const char* to) noexcept {
  return recording::recorded_naming(
      recording::Kind::rename,
      [&] { return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0U); }, from, to);
}
int renameat(int from_folder, const char* from, int to_folder, const char* to) noexcept {
  return recording::recorded_naming(
      recording::Kind::rename,
      [&] { return syscall(SYS_renameat2, from_folder, from, to_folder, to, 0U); }, from, to);
}
int renameat2(int from_folder, const char* from, int to_folder, const char* to,
              unsigned flags) noexcept {
  return recording::recorded_naming(
      recording::Kind::rename,
      [&] { return syscall(SYS_renameat2, from_folder, from, to_folder, to, flags); }, from, to);
}
int link(const char* from, const char* to) noexcept {
  return recording::recorded_naming(
      recording::Kind::link, [&] { return syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0); },
      from, to);
}
int unlink(const char* path) noexcept {
  return recording::recorded_naming(
      recording::Kind::unlink, [&] { return syscall(SYS_unlinkat, AT_FDCWD, path, 0); }, path,
      nullptr);
}
}
#pragma GCC visibility pop
#endif
