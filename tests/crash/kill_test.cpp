// Several processes on one file through the C API: writers killed at any moment lose nothing that
// was flushed, readers are never disturbed, and flooding writers take turns.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <map>
#include <string>

#include "api/support.hpp"
#include "crash/killed_processes.hpp"
#include "support/sanitizers.hpp"

namespace tracelite::api::test {
namespace {

using store::test::Child;
using store::test::Line;

}  // namespace

BOOST_AUTO_TEST_SUITE(kill)

BOOST_AUTO_TEST_CASE(a_writer_killed_alone_loses_nothing_flushed) {
  kill_again_and_again("kill: a writer alone", {});
}
BOOST_AUTO_TEST_CASE(writers_and_readers_killed_beside_others_lose_nothing_flushed) {
  kill_again_and_again("kill: among writers and readers", {.writers = 3, .readers = 2});
}
BOOST_AUTO_TEST_CASE(a_writer_killed_while_its_forked_child_lives_loses_nothing_flushed,
                     *boost::unit_test::precondition(tracelite::test::may_fork_beside_threads)) {
  kill_again_and_again("kill: the parent of an idle process", {.children = Children::idle});
}
BOOST_AUTO_TEST_CASE(writers_killed_with_their_forked_children_that_write_lose_nothing_flushed,
                     *boost::unit_test::precondition(tracelite::test::may_fork_beside_threads)) {
  kill_again_and_again("kill: parents of writers",
                       {.writers = 2, .readers = 1, .children = Children::writing});
}
BOOST_AUTO_TEST_CASE(processes_killed_while_they_compact_lose_nothing_flushed) {
  kill_again_and_again("kill: beside and while compacting",
                       {.writers = 1, .readers = 1, .compactors = 1});
}
BOOST_AUTO_TEST_CASE(writers_killed_while_they_delete_lose_nothing_else_and_bring_nothing_back) {
  kill_again_and_again("kill: beside and while deleting",
                       {.writers = 2, .readers = 1, .compactors = 1, .deletes = true});
}

// Each trace is put with its observations in one batch line, so each snapshot has whole traces; its
// lists, sums and trees agree.
BOOST_AUTO_TEST_CASE(readers_in_another_process_always_see_one_consistent_state) {
  const Folder folder(store::test::fast_folder());
  const std::string path = folder.file();
  { const Store create(path); }
  Line to_child;
  Child writer([&] {
    to_child.close_writing();
    const Store store(path);
    for (int i = 0; i < 150; ++i) {
      const std::string n = std::to_string(i);
      std::string text;
      text +=
          R"({"id":"a","timestamp":"2026-11-21T00:00:00Z","type":"trace-create","body":{"id":"t)" +
          n + R"(","sessionId":"s","timestamp":"2026-11-21T00:00:00Z"}})" + "\n";
      for (int o = 0; o < 10; ++o) {
        text +=
            R"({"id":"b","timestamp":"2026-11-21T00:00:01Z","type":"span-create","body":{"id":"o)" +
            n + "-" + std::to_string(o) + R"(","traceId":"t)" + n +
            R"(","startTime":"2026-11-21T00:00:01Z","endTime":"2026-11-21T00:00:02Z","input":"i"}})" +
            "\n";
      }
      store.import_all(text);
    }
    return 0;
  });
  const Store store(path);
  std::uint64_t seen = 0;
  std::uint64_t rounds = 0;
  while (seen < 1500) {
    tl_snapshot* snapshot = nullptr;
    must(tl_snapshot_open(store.get(), &snapshot));
    const std::uint64_t observations = count(store, TL_KIND_OBSERVATION, snapshot);
    std::uint64_t sum = 0;
    std::uint64_t traces = 0;
    for (Rows rows(list(store, TL_KIND_TRACE, snapshot)); rows.next(); ++traces) {
      sum += rows.row().aggregate->observation_count;
    }
    BOOST_REQUIRE(sum == observations);
    BOOST_REQUIRE(observations >= seen);
    if (traces > 0) {
      tl_cursor* cursor = nullptr;
      must(tl_replay(store.get(), snapshot, tl_str("s"), nullptr, &cursor));
      std::uint64_t begins = 0;
      for (Rows rows(cursor); rows.next();) {
        if (rows.row().phase == TL_PHASE_BEGIN && rows.row().observation != nullptr) ++begins;
      }
      BOOST_REQUIRE(begins <= observations);
      std::uint64_t in_sessions = 0;
      for (Rows rows(list(store, TL_KIND_SESSION, snapshot)); rows.next();) {
        in_sessions += rows.row().aggregate->observation_count;
      }
      BOOST_REQUIRE(begins == in_sessions);
    }
    tl_snapshot_close(snapshot);
    seen = observations;
    ++rounds;
  }
  BOOST_TEST(writer.wait() == 0);
  BOOST_TEST_MESSAGE(rounds << " consistent answers");
  store.check();
}

// The number of a commit tells the turns: no writer commits more than a few times while the other
// one waits.
BOOST_AUTO_TEST_CASE(two_flooding_writers_take_turns_and_lose_nothing) {
  constexpr std::uint32_t kFlushes = 100;
  constexpr std::uint32_t kPutsEach = 20;
  const Folder folder;  // on a disk, so that commits take their time
  const std::string path = folder.file();
  { const Store create(path); }
  Line ready;
  Line told;
  std::array<int, 2> said{};
  BOOST_REQUIRE(pipe(said.data()) == 0);
  const auto flood = [&](std::uint32_t writer) {
    ::close(said[0]);
    told.close_writing();
    tl_store* store = nullptr;
    CHILD_CHECK(1, tl_open(path.c_str(), nullptr, &store) == TL_OK);
    ready.send('r');
    CHILD_CHECK(2, told.receive() == 'g');
    std::uint32_t number = 0;
    for (std::uint32_t i = 0; i < kFlushes; ++i) {
      for (std::uint32_t n = 0; n < kPutsEach; ++n)
        CHILD_CHECK(3, put(store, writer, number++, trace_id(writer)));
      Acknowledgement done{.writer = writer, .number = number};
      CHILD_CHECK(4, tl_flush(store, UINT32_MAX, &done.position) == TL_OK);
      CHILD_CHECK(5, ::write(said[1], &done, sizeof done) == sizeof done);
    }
    return tl_close(store, UINT32_MAX, nullptr) == TL_OK ? 0 : 6;
  };
  Child first([&] { return flood(0); });
  Child second([&] { return flood(1); });
  ::close(said[1]);
  for (int i = 0; i < 2; ++i) BOOST_REQUIRE(ready.receive() == 'r');
  told.send('g');
  told.send('g');
  std::map<std::uint64_t, std::uint32_t> commits;  // by position
  std::array<std::uint64_t, 2> last{};
  Acknowledgement one;
  while (read(said[0], &one, sizeof one) == static_cast<ssize_t>(sizeof one)) {
    commits[one.position] = one.writer;
    last.at(one.writer) = std::max(last.at(one.writer), one.position);
  }
  ::close(said[0]);
  BOOST_TEST(first.wait() == 0);
  BOOST_TEST(second.wait() == 0);
  std::uint64_t changes = 0;
  const std::uint64_t both_until = std::min(last[0], last[1]);
  std::uint32_t before = 2;
  for (const auto& [position, writer] : commits) {
    if (position > both_until) break;
    if (before != 2 && writer != before) ++changes;
    before = writer;
  }
  BOOST_TEST_MESSAGE(changes << " changes of turn up to commit " << both_until);
  // While both flood, neither is shut out for long.
  BOOST_TEST(changes >= kFlushes / 10);
  const Store store(path);
  BOOST_TEST(count(store, TL_KIND_OBSERVATION) == 2U * kFlushes * kPutsEach);
  store.check();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
