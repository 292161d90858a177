// What the tests of this room share: folders that go away, children that report through pipes.
#pragma once

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "store/environment.hpp"
#include "support/coverage.hpp"
#include "support/random_seed.hpp"

namespace tracelite::store::test {

using tracelite::test::random_seed;
using tracelite::test::short_random_seed;

// A folder of its own for every test, removed with everything in it.
class Folder {
 public:
  explicit Folder(const std::string& parent = std::filesystem::temp_directory_path()) {
    std::string pattern = parent + "/tracelite-test-XXXXXX";
    BOOST_REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path_ = std::filesystem::canonical(pattern);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  [[nodiscard]] std::string path() const { return path_; }
  [[nodiscard]] std::string file(const std::string& name = "a.tl") const {
    return path_ + "/" + name;
  }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      found.push_back(entry.path().filename());
    }
    std::ranges::sort(found);
    return found;
  }

 private:
  std::string path_;
};

// Where syncing costs nothing, for tests that commit a lot and do not look at durability.
inline std::string fast_folder() {
  const std::string in_memory = "/dev/shm";
  return access(in_memory.c_str(), W_OK) == 0 ? in_memory
                                              : std::filesystem::temp_directory_path().string();
}

inline const std::vector<std::string> kOnlyTheDataFile = {"a.tl"};
inline const std::vector<std::string> kNothing = {};

// At most so many bytes from its begin.
inline std::string read_head(const std::string& path, std::size_t size_bytes) {
  std::ifstream file(path, std::ios::binary);
  std::string head(size_bytes, '\0');
  file.read(head.data(), static_cast<std::streamsize>(size_bytes));
  head.resize(static_cast<std::size_t>(file.gcount()));
  return head;
}

inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
inline void write_file(const std::string& path, std::string_view content) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(content.data(), static_cast<std::streamsize>(content.size()));
}

// The value, or a failed test that says why there is none.
template <class T>
T must(Result<T> result) {
  if (!result) BOOST_FAIL("unexpected error: " + result.error().message);
  return std::move(result).value();
}
inline void must(const Status& status) {
  if (!status) BOOST_FAIL("unexpected error: " + status.error().message);
}

inline std::shared_ptr<Environment> open_file(const std::string& path, OpenOptions options = {}) {
  return must(Environment::open(path, options));
}

// The error of an open that must fail.
inline Error open_error(const std::string& path, OpenOptions options = {}) {
  auto opened = Environment::open(path, options);
  if (opened) BOOST_FAIL("opening " + path + " should have failed");
  return std::move(opened).error();
}

inline void put_one(Environment& environment, Bytes key, Bytes value,
                    KeySpace space = KeySpace::directory) {
  auto transaction = must(environment.begin_write());
  must(transaction.put(space, key, value));
  must(transaction.commit());
}

// nullopt if there is none.
inline std::optional<std::string> get_one(Environment& environment, Bytes key,
                                          KeySpace space = KeySpace::directory) {
  auto transaction = must(environment.begin_read());
  const auto found = must(transaction.get(space, key));
  if (!found) return std::nullopt;
  return std::string(*found);
}

// A one-way line of bytes between processes. Each side closes what it does not use by dropping it.
class Line {
 public:
  Line() { BOOST_REQUIRE(pipe(ends_) == 0); }
  ~Line() {
    close_reading();
    close_writing();
  }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  void send(char byte) const {
    if (write(ends_[1], &byte, 1) != 1) _exit(99);
  }
  // '\0' when the other side is gone.
  [[nodiscard]] char receive() const {
    char byte = 0;
    return read(ends_[0], &byte, 1) == 1 ? byte : '\0';
  }
  void close_reading() { close_end(0); }
  void close_writing() { close_end(1); }
  [[nodiscard]] int reading() const { return ends_[0]; }
  [[nodiscard]] int writing() const { return ends_[1]; }

 private:
  void close_end(int end) {
    if (ends_[end] >= 0) close(ends_[end]);
    ends_[end] = -1;
  }
  int ends_[2] = {-1, -1};
};

// A process that runs a function and ends with what it returns, without any clean-up.
class Child {
 public:
  explicit Child(const std::function<int()>& body) {
    std::fflush(nullptr);
    const pid_t parent = getpid();
    const bool is_main = gettid() == parent;  // the system means the thread, not the process
    pid_ = fork();
    BOOST_REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      // A test that is killed leaves nobody behind. Of a parent in another process namespace only
      // 0 is seen.
      const bool ends_with_parent = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
      const bool has_parent = getppid() == parent || getppid() == 0;
      if (is_main && !(ends_with_parent && has_parent)) _exit(97);
      for (const int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM, SIGTERM}) {
        signal(number, SIG_DFL);
      }
      alarm(600);  // a child that hangs must not outlive the test
      int code = 98;
      try {
        code = body();
      } catch (...) {  // a failed BOOST_REQUIRE, among others
      }
      tracelite::test::write_down_what_was_run();
      _exit(code);
    }
  }
  ~Child() {
    if (pid_ > 0) kill();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Its exit code, or minus the signal that ended it.
  int wait() {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  int kill() {
    ::kill(pid_, SIGKILL);
    return wait();
  }
  [[nodiscard]] pid_t id() const { return pid_; }
  // Without waiting, and without taking the exit code from who waits.
  [[nodiscard]] bool has_ended() const {
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == pid_;
  }

 private:
  pid_t pid_ = 0;
};

// Mounts of our own, seen by nobody else: for a child.
inline bool own_mounts() {
  return unshare(CLONE_NEWNS) == 0 && mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

// Preconditions for tests whose children mount, or count processes from 1.
inline boost::test_tools::assertion_result may_mount(boost::unit_test::test_unit_id /*unit*/) {
  static const int refused =
      Child([] {
        const std::string folder = std::filesystem::temp_directory_path();
        return own_mounts() && mount("tmpfs", folder.c_str(), "tmpfs", 0, "size=1m") == 0 ? 0 : 1;
      }).wait();
  boost::test_tools::assertion_result may(refused == 0);
  may.message() << "skipped: mounting is not allowed here";
  return may;
}
inline boost::test_tools::assertion_result may_be_a_container(
    boost::unit_test::test_unit_id /*unit*/) {
  static const int refused = Child([] { return unshare(CLONE_NEWPID) == 0 ? 0 : 1; }).wait();
  boost::test_tools::assertion_result may(refused == 0);
  may.message() << "skipped: process numbers of one's own are not allowed here";
  return may;
}

// For the children: an exit code that tells which check failed.
#define CHILD_CHECK(code, condition)                                                \
  do {                                                                              \
    if (!(condition)) {                                                             \
      std::fprintf(stderr, "child: line %d: not true: %s\n", __LINE__, #condition); \
      return code;                                                                  \
    }                                                                               \
  } while (false)

// A process that has the file open until told to close it.
class Holder {
 public:
  explicit Holder(const std::string& path)
      : child_([this, path] {
          told_.close_writing();
          auto opened = Environment::open(path, {});
          CHILD_CHECK(1, opened);
          said_.send('o');
          (void)told_.receive();
          return 0;
        }) {
    told_.close_reading();
    said_.close_writing();
    BOOST_REQUIRE(said_.receive() == 'o');
  }
  int close() {
    told_.close_writing();
    return child_.wait();
  }
  int kill() { return child_.kill(); }

 private:
  Line told_;
  Line said_;
  Child child_;
};

}  // namespace tracelite::store::test
