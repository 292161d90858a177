// A forked child can use SQLite, whatever other threads of its parent were doing.
#include "index/fork_safety.hpp"

#include <sqlite3.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
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

}  // namespace

BOOST_AUTO_TEST_SUITE(fork_safety)

BOOST_AUTO_TEST_CASE(a_child_finds_all_locks_free,
                     *boost::unit_test::precondition(tracelite::test::not_under_thread_sanitizer)) {
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
