// Several processes that write all the time take turns. LMDB's own mutex does not see to that: a
// process that commits back to back starves the others.
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <functional>
#include <set>
#include <vector>

#include "helpers.hpp"
#include "store/guard.hpp"
#include "store/replacement.hpp"
#include "support/progress_of_processes.hpp"

namespace tracelite::store::test {
namespace {

// What a process says of each of its turns, in the order of all turns.
struct Turn {
  char name = 0;
  std::uint64_t waited = 0;  // for so many transactions of others, from asking to getting it
};

// Takes turns until there have been `count` of them in the file.
int flood(const std::string& path, char name, std::uint64_t count, const Line& ready,
          const Line& start) {
  auto opened = Environment::open(path, {});
  CHILD_CHECK(1, opened);
  ready.send('r');
  (void)start.receive();
  for (std::uint64_t length = 0; length < count;) {
    const std::uint64_t before = opened.value()->last_transaction_id();
    auto transaction = opened.value()->begin_write();
    CHILD_CHECK(2, transaction);
    const auto statistics = transaction->statistics(KeySpace::directory);
    CHILD_CHECK(3, statistics);
    length = statistics->entries;
    std::string key;
    append_big_endian(key, length);
    std::string value(1, name);
    append_big_endian(value, transaction->id() - 1 - before);
    CHILD_CHECK(4, transaction->put(KeySpace::directory, key, value));
    CHILD_CHECK(5, transaction->commit());
  }
  opened.value().reset();
  return 0;
}

std::vector<Turn> turns_of(const std::string& path) {
  auto environment = open_file(path);
  auto transaction = must(environment->begin_read());
  Cursor cursor = transaction.cursor(KeySpace::directory);
  std::vector<Turn> turns;
  while (must(cursor.next())) {
    turns.push_back({cursor.value().front(), read_big_endian(cursor.value().substr(1))});
  }
  return turns;
}

// Each process must get its turn before the others have had more than `wait_max`, but for a few
// late ones: the machine may have stopped it just before it asked. Who is starved is late again and
// again, so that a large part of all turns goes by.
void check_turns(const std::string& path, const std::string& names, std::uint64_t count,
                 std::uint64_t wait_max) {
  constexpr std::size_t kFew = 3;
  constexpr std::uint64_t kLargePart = 16;
  Line ready;
  Line start;
  open_file(path).reset();
  std::vector<std::unique_ptr<Child>> children;
  for (const char name : names) {
    children.push_back(std::make_unique<Child>([&, name] {
      start.close_writing();
      return flood(path, name, count, ready, start);
    }));
  }
  for (std::size_t i = 0; i < names.size(); ++i) BOOST_REQUIRE(ready.receive() == 'r');
  start.close_writing();
  for (auto& child : children) BOOST_TEST(child->wait() == 0);
  const std::vector<Turn> turns = turns_of(path);
  BOOST_TEST(turns.size() >= count);
  for (const char name : names) {
    std::vector<std::uint64_t> waits;
    for (const Turn& turn : turns) {
      if (turn.name == name) waits.push_back(turn.waited);
    }
    BOOST_REQUIRE(!waits.empty());
    std::ranges::sort(waits, std::greater());
    std::uint64_t waited_late = 0;
    for (std::size_t i = kFew; i < waits.size(); ++i) {
      if (waits[i] > wait_max) waited_late += waits[i];
    }
    BOOST_TEST_MESSAGE(name << ": " << waits.size() << " turns, longest wait " << waits.front()
                            << ", late but for a few " << waited_late);
    BOOST_TEST(waited_late * kLargePart <= turns.size());
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(turns)

BOOST_AUTO_TEST_CASE(two_processes_that_flood_take_turns) {
  const Folder folder;
  check_turns(folder.file(), "ab", 300, 3);
}

BOOST_AUTO_TEST_CASE(four_processes_that_flood_take_turns) {
  const Folder folder;
  check_turns(folder.file(), "abcd", 400, 4 * 3);
}

// Nothing to wait for between two commits: the hardest case.
BOOST_AUTO_TEST_CASE(processes_take_turns_where_commits_cost_nothing) {
  const Folder folder(fast_folder());
  check_turns(folder.file(), "ab", 10'000, 3);
}

// Descriptors of one process are as good as processes here.
BOOST_AUTO_TEST_CASE(all_that_are_in_the_queue_are_found_wherever_they_are) {
  constexpr std::size_t kCount = 6;
  const Folder folder;
  open_file(folder.file()).reset();
  const auto mine_was_not_last = [] { return false; };
  for (int round = 0; round < 5; ++round) {
    const Guard looking = must(Guard::open_existing(folder.file()));
    std::vector<Guard> waiting;
    for (std::size_t i = 0; i < kCount; ++i) {
      waiting.push_back(must(Guard::open_existing(folder.file())));
      must(waiting.back().enter_turnstile(mine_was_not_last));
      waiting.back().let_others_through();
    }
    std::set<std::int64_t> places;
    looking.visit_queue([&](std::int64_t place) { BOOST_TEST(places.insert(place).second); });
    BOOST_TEST(places.size() == kCount);
    for (const Guard& guard : waiting) guard.leave_turnstile();
    looking.visit_queue([](std::int64_t place) { BOOST_ERROR("still waiting at " << place); });
  }
}

// Who has replaced the file is back before those who waited know of it.
BOOST_AUTO_TEST_CASE(who_replaces_the_file_again_and_again_lets_those_go_first_who_wait) {
  constexpr std::uint32_t kReplacer = 0;
  constexpr std::uint32_t kWriters = 2;
  constexpr std::uint64_t kTurns = 40;
  constexpr int kBusy = 8;  // so that it takes a while until who is woken runs
  const Folder folder(fast_folder());
  const std::string path = folder.file();
  open_file(path).reset();
  const tracelite::test::Progress progress;
  Line ready;
  Child replacer([&] {
    auto opened = Environment::open(path, {});
    CHILD_CHECK(1, opened);
    ready.send('r');
    for (;; progress.add(kReplacer)) {
      auto replacement = Replacement::begin(*opened);
      CHILD_CHECK(2, replacement);
      CHILD_CHECK(3, copy_in_order((*replacement)->content(), *(*replacement)->scratch(), {}));
      CHILD_CHECK(4, (*replacement)->finish({}));
      CHILD_CHECK(5, (*opened)->begin_read());  // as compacting does, to let go of the old file
    }
  });
  BOOST_REQUIRE(ready.receive() == 'r');
  std::vector<std::unique_ptr<Child>> busy;
  busy.reserve(kBusy);
  for (int i = 0; i < kBusy; ++i) {
    busy.push_back(std::make_unique<Child>([]() -> int {
      for (std::atomic<std::uint64_t> count = 0;;) ++count;
    }));
  }
  std::vector<std::unique_ptr<Child>> writers;
  for (std::uint32_t writer = kReplacer + 1; writer <= kWriters; ++writer) {
    writers.push_back(std::make_unique<Child>([&, writer] {
      auto opened = Environment::open(path, {});
      CHILD_CHECK(1, opened);
      std::uint64_t late = 0;
      for (std::uint64_t turn = 0; turn < kTurns; ++turn) {
        std::uint64_t before = progress.of(kReplacer);
        // Asks while the next replacement is under way.
        for (const std::uint64_t one_less = before; before == one_less;
             before = progress.of(kReplacer)) {
          sched_yield();
        }
        auto transaction = (*opened)->begin_write();
        CHILD_CHECK(2, transaction);
        if (progress.of(kReplacer) - before > 2) ++late;
        CHILD_CHECK(3, transaction->put(KeySpace::directory, std::to_string(writer), "was here"));
        CHILD_CHECK(4, transaction->commit());
      }
      // The machine may have stopped it just before it asked.
      CHILD_CHECK(5, late * 8 <= kTurns);
      return 0;
    }));
  }
  for (auto& writer : writers) BOOST_TEST(writer->wait() == 0);
  BOOST_TEST(replacer.kill() == -SIGKILL);
  BOOST_TEST_MESSAGE(progress.of(kReplacer) << " replacements");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::store::test
