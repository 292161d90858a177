// fork() while threads record: a child can use the library whatever they were doing, and can let go
// of what it inherits.
#include <array>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "api/support.hpp"
#include "support/random_seed.hpp"
#include "support/sanitizers.hpp"

namespace tracelite::api::test {
namespace {

using store::test::Child;

constexpr std::uint32_t kFlushTimeoutMs = 60'000;
constexpr unsigned kHangsS = 120;

tl_status record_one(tl_store* store, const char* name) {
  tl_observation observation{};
  observation.struct_size = sizeof observation;
  observation.set_mask = TL_BIT(TL_FIELD_NAME);
  observation.name = tl_str(name);
  tl_span* span = nullptr;
  const tl_status begun = tl_begin(store, nullptr, &observation, &span);
  return begun == TL_OK ? tl_end(span, nullptr) : begun;
}

int record_in_a_child(const std::string& path) {
  alarm(kHangsS);
  tl_store* store = nullptr;
  CHILD_CHECK(1, tl_open(path.c_str(), nullptr, &store) == TL_OK);
  CHILD_CHECK(2, record_one(store, "child") == TL_OK);
  CHILD_CHECK(3, tl_flush(store, kFlushTimeoutMs, nullptr) == TL_OK);
  return 0;
}

// Threads begin to record, and the first fork comes before, during or after the first commit.
int fork_while_threads_record(const std::string& path, std::uint32_t forks_after_us) {
  tl_store* store = nullptr;
  CHILD_CHECK(10, tl_open(path.c_str(), nullptr, &store) == TL_OK);
  std::atomic<bool> over = false;
  std::atomic<int> failures = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      while (!over) {
        if (record_one(store, "thread") != TL_OK) ++failures;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));  // leave the others some room
      }
    });
  }
  for (int round = 0; round < 3; ++round) {
    std::this_thread::sleep_for(std::chrono::microseconds(forks_after_us));
    Child child([&] { return record_in_a_child(path); });
    CHILD_CHECK(11, child.wait() == 0);
  }
  over = true;
  for (std::thread& thread : threads) thread.join();
  CHILD_CHECK(12, failures == 0);
  CHILD_CHECK(13, tl_close(store, UINT32_MAX, nullptr) == TL_OK);
  return 0;
}

std::vector<std::string> lines_of(const std::string& command) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  BOOST_TEST_REQUIRE(pipe.get() != nullptr);
  std::vector<std::string> lines(1);
  std::array<char, 4096> part{};
  while (std::fgets(part.data(), part.size(), pipe.get()) != nullptr) {
    lines.back().append(part.data());
    if (lines.back().ends_with('\n')) lines.emplace_back();
  }
  return lines;
}

bool contains(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(forking)

BOOST_AUTO_TEST_CASE(children_record_while_threads_of_their_parent_do,
                     *boost::unit_test::precondition(tracelite::test::may_fork_beside_threads)) {
  std::mt19937 random(tracelite::test::short_random_seed());
  for (int round = 0; round < 20; ++round) {
    const Folder folder(store::test::fast_folder());
    const auto forks_after_us = static_cast<std::uint32_t>(random() % 60'000);
    Child program([&] { return fork_while_threads_record(folder.file(), forks_after_us); });
    BOOST_TEST_REQUIRE(program.wait() == 0);
    const Store store(folder.file());
    BOOST_TEST(store.export_all().find("\"child\"") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_child_can_free_what_it_inherits) {
  const Folder folder(store::test::fast_folder());
  tl_store* store = nullptr;
  must(tl_open(folder.file().c_str(), nullptr, &store));
  must(record_one(store, "before"));
  must(tl_flush(store, UINT32_MAX, nullptr));
  tl_span* span = nullptr;
  tl_snapshot* snapshot = nullptr;
  tl_cursor* cursor = nullptr;
  must(tl_begin(store, nullptr, nullptr, &span));
  must(tl_snapshot_open(store, &snapshot));
  must(tl_list(store, snapshot, TL_KIND_TRACE, nullptr, TL_ORDER_TIME, {}, 0, &cursor));
  // By now the writer waits for records: in the child nobody does, but it looks as if.
  for (int round = 0; round < 10; ++round) {
    Child child([&] {
      alarm(kHangsS);
      CHILD_CHECK(1, tl_end(span, nullptr) == TL_FORKED);
      if (round % 2 == 0) CHILD_CHECK(2, tl_close(store, UINT32_MAX, nullptr) == TL_FORKED);
      tl_cursor_close(cursor);
      tl_snapshot_close(snapshot);
      if (round % 2 == 1) CHILD_CHECK(3, tl_close(store, UINT32_MAX, nullptr) == TL_FORKED);
      return 0;
    });
    BOOST_TEST_REQUIRE(child.wait() == 0);
  }
  tl_row row{};
  row.struct_size = sizeof row;
  must(tl_next(cursor, &row));
  tl_cursor_close(cursor);
  tl_snapshot_close(snapshot);
  must(tl_end(span, nullptr));
  must(tl_close(store, UINT32_MAX, nullptr));
}

// Whoever is first makes it, everybody else waits; a child waits for a thread that it does not
// have.
BOOST_AUTO_TEST_CASE(nothing_is_made_on_first_use_nor_behind_locks_of_others) {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe");
  const std::vector<std::string> symbols =
      lines_of("nm --demangle --format=sysv '" + program + "'");
  std::size_t own = 0;
  for (const std::string& symbol : symbols) {
    if (contains(symbol, "tracelite::store::Environment::open")) ++own;
    const bool is_guard = contains(symbol, "guard variable for tracelite::") &&
                          !contains(symbol, "TLS") && !contains(symbol, "test::") &&
                          !contains(symbol, "Registry::instance()");  // used when it is loaded
    BOOST_TEST(!is_guard, symbol);
    for (const char* locking : {"RAND_bytes", "RAND_priv_bytes", "EVP_Digest", "EVP_MD_", "EVP_Q_",
                                "SHA256@", "SHA256 "}) {
      BOOST_TEST(!symbol.starts_with(locking), symbol);
    }
  }
  BOOST_TEST(own > 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
