#include "support/write_counter.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <vector>

namespace counting {
namespace {

std::atomic<std::uint64_t> size_bytes{0};
std::atomic<std::uint64_t> call_count{0};
std::atomic<std::uint64_t> sync_count{0};

ssize_t count(int descriptor, long result) {
  if (result < 0) return result;
  size_bytes.fetch_add(static_cast<std::uint64_t>(result), std::memory_order_relaxed);
  call_count.fetch_add(1, std::memory_order_relaxed);
  if ((fcntl(descriptor, F_GETFL) & O_DSYNC) != 0) sync_count.fetch_add(1);
  return result;
}

int count_sync(long result) {
  sync_count.fetch_add(1, std::memory_order_relaxed);
  return static_cast<int>(result);
}

// The word behind this one, for each thread but the calling one and `others`.
std::vector<std::string> status_of_others(const std::string& key,
                                          const std::set<std::string>& others) {
  const std::string own = std::to_string(gettid());
  std::vector<std::string> found;
  for (const std::string& thread : threads()) {
    if (thread == own || others.contains(thread)) continue;
    std::ifstream status("/proc/self/task/" + thread + "/status");
    std::string word;
    while (status >> word && word != key) {
    }
    if (status >> word) found.push_back(word);
  }
  return found;
}

}  // namespace

Written written() { return {size_bytes.load(), call_count.load(), sync_count.load()}; }

std::uint64_t device_sectors_written(const std::string& path) {
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0) return 0;
  std::ifstream file("/sys/dev/block/" + std::to_string(major(status.st_dev)) + ":" +
                     std::to_string(minor(status.st_dev)) + "/stat");
  constexpr int kSectorsWritten = 7;
  std::uint64_t number = 0;
  for (int i = 0; i < kSectorsWritten; ++i) file >> number;
  return file ? number : 0;
}

std::set<std::string> threads() {
  std::set<std::string> names;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    names.insert(thread.path().filename());
  }
  return names;
}

std::uint64_t sleeps_of_other_threads(const std::set<std::string>& others) {
  std::uint64_t sum = 0;
  for (const std::string& count : status_of_others("voluntary_ctxt_switches:", others)) {
    sum += std::stoull(count);
  }
  return sum;
}

bool do_others_sleep(const std::set<std::string>& others) {
  const std::vector<std::string> states = status_of_others("State:", others);
  return std::ranges::all_of(states, [](const std::string& state) { return state == "S"; });
}

}  // namespace counting

// Seen by the shared libraries, which is what this is for.
#pragma GCC visibility push(default)
extern "C" {

ssize_t write(int descriptor, const void* data, size_t size) {
  return counting::count(descriptor, syscall(SYS_write, descriptor, data, size));
}
ssize_t writev(int descriptor, const struct iovec* parts, int part_count) {
  return counting::count(descriptor, syscall(SYS_writev, descriptor, parts, part_count));
}
ssize_t pwrite(int descriptor, const void* data, size_t size, off_t offset) {
  return counting::count(descriptor, syscall(SYS_pwrite64, descriptor, data, size, offset));
}
ssize_t pwrite64(int descriptor, const void* data, size_t size, off64_t offset) {
  return counting::count(descriptor, syscall(SYS_pwrite64, descriptor, data, size, offset));
}
// The kernel takes the offset in two halves, the lower first; on 64 bits that is all of it.
ssize_t pwritev(int descriptor, const struct iovec* parts, int part_count, off_t offset) {
  return counting::count(descriptor,
                         syscall(SYS_pwritev, descriptor, parts, part_count, offset, 0));
}
ssize_t pwritev64(int descriptor, const struct iovec* parts, int part_count, off64_t offset) {
  return counting::count(descriptor,
                         syscall(SYS_pwritev, descriptor, parts, part_count, offset, 0));
}
int fsync(int descriptor) { return counting::count_sync(syscall(SYS_fsync, descriptor)); }
int fdatasync(int descriptor) { return counting::count_sync(syscall(SYS_fdatasync, descriptor)); }
}
#pragma GCC visibility pop
