// SIGKILL at any moment: whatever a commit has acknowledged is there afterwards, in order, whole,
// and the file opens. Two processes write at once; one of them is killed, again and again, while
// the other goes on.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "store/environment.hpp"
#include "store/helpers.hpp"
#include "support/torture.hpp"

namespace tracelite::store::test {
namespace {

// In each of the cases below; TL_KILLS says another number.
constexpr std::uint64_t kUsualKills = tracelite::test::kUnderSanitizer ? 15 : 50;
constexpr std::uint64_t kKillsEach = 25;  // then a new file, so that checking stays quick
constexpr std::uint64_t kLifeMicrosecondsMax = 30'000;

// What a writer says through its pipe: this number is committed.
struct Acknowledgement {
  std::uint32_t writer = 0;
  std::uint32_t number = 0;
};
static_assert(sizeof(Acknowledgement) <= 512, "pipe writes of that size are atomic");

std::string key_of(std::uint32_t writer, std::uint32_t number) {
  std::string key;
  append_big_endian(key, writer);
  append_big_endian(key, number);
  return key;
}

// Large enough for overflow pages, and different for every number.
std::string value_of(std::uint32_t writer, std::uint32_t number) {
  return std::string(100 + number * 37 % 9000, static_cast<char>('a' + (writer + number) % 26));
}

bool write_one(Environment& environment, std::uint32_t writer, std::uint32_t number) {
  auto transaction = environment.begin_write();
  if (!transaction) return false;
  const std::string key = key_of(writer, number);
  if (!transaction->put(KeySpace::directory, key, value_of(writer, number))) return false;
  if (!transaction->put(KeySpace::payload, key, value_of(writer, number + 1))) return false;
  // Something to give back, so that free pages are used again.
  if (number >= 50) (void)transaction->erase(KeySpace::payload, key_of(writer, number - 50));
  return transaction->commit().ok();
}

// Writes until killed. `reopen`: opens and closes the file for each number, so that kills fall into
// that as well.
[[noreturn]] void run_writer(const std::string& path, std::uint32_t writer, std::uint32_t first,
                             bool reopen, int pipe) {
  for (const int number : {SIGABRT, SIGSEGV, SIGBUS}) signal(number, SIG_DFL);
  auto opened = Environment::open(path, {});
  for (std::uint32_t number = first;; ++number) {
    if (reopen && opened) {
      opened.value().reset();
      opened = Environment::open(path, {});
    }
    if (!opened) {
      std::fprintf(stderr, "writer %u: %s\n", writer, opened.error().message.c_str());
      _exit(1);
    }
    if (!write_one(*opened.value(), writer, number)) _exit(2);
    const Acknowledgement done{writer, number};
    if (write(pipe, &done, sizeof done) != static_cast<ssize_t>(sizeof done)) _exit(3);
  }
}

class CrashScene {
 public:
  CrashScene(std::string path, bool reopen) : path_(std::move(path)), reopen_(reopen) {
    BOOST_REQUIRE(pipe(pipe_.data()) == 0);
    BOOST_REQUIRE(fcntl(pipe_[0], F_SETFL, O_NONBLOCK) == 0);
  }
  ~CrashScene() {
    for (const auto& [writer, pid] : writers_) end(pid);
    for (const int end : pipe_) close(end);
  }
  CrashScene(const CrashScene&) = delete;
  CrashScene& operator=(const CrashScene&) = delete;

  void start(std::uint32_t writer) {
    // The last one of this writer may have been committed without having been acknowledged.
    const std::uint32_t first = acknowledged_[writer] + 2;
    starts_[writer].push_back(first);
    const pid_t pid = fork();
    BOOST_REQUIRE(pid >= 0);
    if (pid == 0) run_writer(path_, writer, first, reopen_, pipe_[1]);
    writers_[writer] = pid;
  }

  void kill_one(std::uint32_t writer) {
    BOOST_TEST(end(writers_[writer]) == -SIGKILL);
    writers_.erase(writer);
    hear();
  }

  // On a slow machine all kills may have struck before the first one.
  void wait_for_a_commit() {
    constexpr int kHangsMs = 60'000;
    while (heard_ == 0) {
      pollfd waited{pipe_[0], POLLIN, 0};
      BOOST_REQUIRE(poll(&waited, 1, kHangsMs) == 1);
      hear();
    }
  }

  // Everything acknowledged is in the file; everything in the file is whole.
  void check() {
    auto environment = Environment::open(path_, {});
    if (!environment) BOOST_FAIL(environment.error().message);
    hear();  // before the snapshot, so that it must have all of it
    auto transaction = (*environment)->begin_read();
    BOOST_REQUIRE(transaction);
    std::map<std::uint32_t, std::uint32_t> last;
    Cursor cursor = transaction->cursor(KeySpace::directory);
    for (;;) {
      const auto step = cursor.next();
      if (!step) BOOST_FAIL(step.error().message);
      if (!*step) break;
      const auto writer = static_cast<std::uint32_t>(read_big_endian(cursor.key().substr(0, 4)));
      const auto number = static_cast<std::uint32_t>(read_big_endian(cursor.key().substr(4)));
      BOOST_REQUIRE(cursor.value() == value_of(writer, number));
      const bool follows = number == last[writer] + 1 || starts_at(writer, number);
      BOOST_REQUIRE_MESSAGE(follows, "number " << number << " follows " << last[writer]);
      last[writer] = number;
    }
    Cursor payloads = transaction->cursor(KeySpace::payload);
    for (;;) {
      const auto step = payloads.next();
      if (!step) BOOST_FAIL(step.error().message);
      if (!*step) break;
    }
    for (const auto& [writer, number] : acknowledged_) BOOST_REQUIRE(last[writer] >= number);
  }

  [[nodiscard]] std::uint64_t commits() const { return heard_; }

 private:
  static int end(pid_t pid) {
    ::kill(pid, SIGKILL);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  void hear() {
    Acknowledgement done;
    while (read(pipe_[0], &done, sizeof done) == static_cast<ssize_t>(sizeof done)) {
      acknowledged_[done.writer] = done.number;
      ++heard_;
    }
  }

  [[nodiscard]] bool starts_at(std::uint32_t writer, std::uint32_t number) {
    return std::ranges::find(starts_[writer], number) != starts_[writer].end();
  }

  std::string path_;
  bool reopen_;
  std::array<int, 2> pipe_{};
  std::map<std::uint32_t, pid_t> writers_;
  std::map<std::uint32_t, std::uint32_t> acknowledged_;
  std::map<std::uint32_t, std::vector<std::uint32_t>> starts_;
  std::uint64_t heard_ = 0;
};

std::string in_memory() {
  const std::string folder = "/dev/shm";
  return access(folder.c_str(), W_OK) == 0 ? folder
                                           : std::filesystem::temp_directory_path().string();
}

std::uint64_t kill_in_one_file(const std::string& parent, bool reopen, std::uint64_t kill_count,
                               std::mt19937& random) {
  std::string folder = parent + "/tracelite-crash-XXXXXX";
  BOOST_REQUIRE(mkdtemp(folder.data()) != nullptr);
  const std::string path = folder + "/a.tl";
  std::uint64_t kills = 0;
  {
    CrashScene scene(path, reopen);
    scene.start(0);
    scene.start(1);
    while (kills < kill_count) {
      usleep(static_cast<useconds_t>(random() % kLifeMicrosecondsMax));
      const std::uint32_t writer = random() % 2;
      scene.kill_one(writer);
      const bool both = random() % 5 == 0;
      if (both) scene.kill_one(1 - writer);
      kills += both ? 2 : 1;
      scene.check();
      scene.start(writer);
      if (both) scene.start(1 - writer);
    }
    scene.wait_for_a_commit();
    scene.kill_one(0);
    scene.kill_one(1);
    kills += 2;
    scene.check();
    BOOST_TEST(scene.commits() > 0);
  }
  // The last check() closed the file, and cleaned up after those that were killed.
  BOOST_TEST(!std::filesystem::exists(path + "-lock"));
  std::filesystem::remove_all(folder);
  return kills;
}

void kill_again_and_again(const char* kind, const std::string& parent, bool reopen) {
  const tracelite::test::Torture torture(kind);
  const std::uint64_t seed = random_seed();
  std::mt19937 random(static_cast<std::mt19937::result_type>(seed));
  const std::uint64_t usual = tracelite::test::number_from("TL_KILLS", kUsualKills);
  std::uint64_t kills = 0;
  while (torture.wants_more(kills, usual)) {
    kills += kill_in_one_file(parent, reopen, std::min(usual, kKillsEach), random);
  }
  torture.report(kills, tracelite::test::failures(), seed);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(store_kill)

BOOST_AUTO_TEST_CASE(a_writer_killed_on_a_disk_loses_nothing_acknowledged) {
  kill_again_and_again("kill: of bytes, on a disk", std::filesystem::temp_directory_path(), false);
}

// Where a commit costs nothing there are hundreds of them between two kills.
BOOST_AUTO_TEST_CASE(a_writer_killed_at_any_moment_loses_nothing_acknowledged) {
  kill_again_and_again("kill: of bytes, in memory", in_memory(), false);
}

BOOST_AUTO_TEST_CASE(a_writer_killed_while_opening_and_closing_loses_nothing_acknowledged) {
  kill_again_and_again("kill: of bytes, opening and closing", in_memory(), true);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::store::test
