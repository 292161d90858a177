// A forked child can use SQLite, whatever other threads of its parent were doing.
#include "index/fork_safety.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>

#include <array>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <string>
#include <string_view>
#include <thread>

#include "store/helpers.hpp"
#include "support/sanitizers.hpp"

namespace tracelite::index::test {
namespace {

// Something of each lock: random numbers, memory, the list of VFSs.
int use_sqlite() {
  char some[64];
  sqlite3_randomness(sizeof some, some);
  void* memory = sqlite3_malloc(100);
  sqlite3_free(memory);
  return sqlite3_vfs_find(nullptr) != nullptr && memory != nullptr ? 0 : 1;
}

// Whether the main thread sleeps: "pid (name) S ...". Allocates nothing, because a fork may be
// waiting for whoever does.
bool is_main_thread_asleep() {
  std::array<char, 64> path{};
  std::snprintf(path.data(), path.size(), "/proc/self/task/%d/stat", getpid());
  std::array<char, 256> text{};
  const int descriptor = open(path.data(), O_RDONLY | O_CLOEXEC);
  const ssize_t count = read(descriptor, text.data(), text.size());
  close(descriptor);
  const std::string_view line(text.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
  const std::size_t name_end = line.rfind(") ");
  return name_end != std::string_view::npos && line.substr(name_end).starts_with(") S");
}

// A thread in the middle of initialising SQLite, until a fork has begun and either waits for it or
// is over.
std::atomic<bool> is_initialising{false};
std::atomic<bool> is_forking{false};
std::atomic<bool> has_forked{false};

int stay_for_a_fork(void* /*context*/) {
  is_initialising = true;
  while (!is_forking || (!has_forked && !is_main_thread_asleep())) std::this_thread::yield();
  return SQLITE_OK;
}

int fork_while_sqlite_is_initialised() {
  // An earlier test may have done it.
  CHILD_CHECK(1, sqlite3_shutdown() == SQLITE_OK);
  sqlite3_pcache_methods2 methods{};
  CHILD_CHECK(2, sqlite3_config(SQLITE_CONFIG_GETPCACHE2, &methods) == SQLITE_OK);
  methods.xInit = stay_for_a_fork;
  CHILD_CHECK(3, sqlite3_config(SQLITE_CONFIG_PCACHE2, &methods) == SQLITE_OK);
  // What is registered last is called first before a fork, and last after it.
  CHILD_CHECK(4, pthread_atfork([] { is_forking = true; }, [] { has_forked = true; }, [] {}) == 0);
  std::thread first(prepare_for_forks);
  while (!is_initialising) std::this_thread::yield();
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    prepare_for_forks();
    _exit(use_sqlite());
  }
  first.join();
  int status = 0;
  CHILD_CHECK(5, waitpid(child, &status, 0) == child);
  CHILD_CHECK(6, status == 0);
  return 0;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(fork_safety)

BOOST_AUTO_TEST_CASE(a_fork_waits_until_sqlite_is_initialised,
                     *boost::unit_test::precondition(tracelite::test::not_under_thread_sanitizer)) {
  store::test::Child program(fork_while_sqlite_is_initialised);
  BOOST_TEST(program.wait() == 0);
}

BOOST_AUTO_TEST_CASE(a_child_finds_all_locks_free,
                     *boost::unit_test::precondition(tracelite::test::may_fork_beside_threads)) {
  prepare_for_forks();
  std::atomic<bool> over = false;
  std::thread busy([&] {
    while (!over) (void)use_sqlite();
  });
  for (int round = 0; round < 200; ++round) {
    store::test::Child child([] {
      alarm(60);
      return use_sqlite();
    });
    BOOST_TEST_REQUIRE(child.wait() == 0);
  }
  over = true;
  busy.join();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::index::test
