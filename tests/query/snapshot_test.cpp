// Views: consistent while others write, renewed when the map grows, shared by threads, not by
// forks.
#include "query/snapshot.hpp"

#include <lmdb.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <ctime>
#include <set>
#include <thread>

#include "oracle.hpp"
#include "random_world.hpp"

namespace tracelite::query::test {
namespace {

TraceSpec numbered(int number, const std::string& input = {}) {
  TraceSpec trace;
  trace.id = "t" + std::to_string(number);
  trace.time_ns = number;
  trace.session = "s" + std::to_string(number % 3);
  trace.input = input;
  return trace;
}

ObservationSpec observation_of(int number) {
  ObservationSpec spec;
  spec.trace_id = "t" + std::to_string(number);
  spec.id = "o";
  spec.start_ns = number;
  spec.end_ns = number;
  return spec;
}

// A JSON text that does not get smaller.
std::string random_text(std::mt19937& random, std::size_t size_bytes) {
  std::string text = "\"";
  while (text.size() < size_bytes) text.push_back(static_cast<char>('0' + random() % 75));
  std::replace(text.begin() + 1, text.end(), '\\', '_');
  return text + "\"";
}

struct Fixture {
  std::uint32_t seed = tracelite::test::short_random_seed();
  std::mt19937 random{seed};
};

BOOST_AUTO_TEST_SUITE(snapshots)

BOOST_FIXTURE_TEST_CASE(a_snapshot_stays_as_it_was, Fixture) {
  World world;
  world.commit([&] {
    for (int i = 0; i < 100; ++i) world.add(numbered(i));
  });
  const auto before = world.snapshot();
  const auto cursor = must(list(before, Kind::trace, {}, {}, {}, 0));
  Row row;
  for (int i = 0; i < 10; ++i) BOOST_REQUIRE(must(cursor->next(row)));
  world.commit([&] {
    for (int i = 100; i < 200; ++i) world.add(numbered(i));
  });
  BOOST_TEST(rows(*cursor).size() == 90U);
  BOOST_TEST(rows(list(before, Kind::trace, {}, {}, {}, 0)).size() == 100U);
  BOOST_TEST(rows(list(world.snapshot(), Kind::trace, {}, {}, {}, 0)).size() == 200U);
  BOOST_TEST((failure(get(before, Kind::trace, {}, "t150")) == Code::not_found));
  std::uint64_t traces = 0;
  for (const Row& session : rows(list(before, Kind::session, {}, {}, {}, 0))) {
    traces += session.aggregate.trace_count;
  }
  BOOST_TEST(traces == 100U);
}

BOOST_FIXTURE_TEST_CASE(a_snapshot_from_before_the_first_commit_stays_empty, Fixture) {
  World world;
  const auto before = world.snapshot();
  world.commit([&] { world.add(numbered(1)); });
  BOOST_TEST(rows(list(before, Kind::trace, {}, {}, {}, 0)).empty());
  BOOST_TEST(rows(list(world.snapshot(), Kind::trace, {}, {}, {}, 0)).size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(a_cursor_goes_on_when_the_map_has_grown, Fixture) {
  World world(std::size_t{1} << 20);
  world.commit([&] {
    for (int i = 0; i < 300; ++i) {
      world.add(numbered(i));
      world.add(observation_of(i));
    }
  });
  const auto snapshot = world.snapshot();
  const std::uint64_t generation = must(snapshot->use()).generation();
  const ListOrder ascending{OrderBy::time, true};
  const auto by_time = must(list(snapshot, Kind::trace, {}, ascending, {}, 0));
  const auto by_name = must(list(snapshot, Kind::observation, {}, {OrderBy::name, true}, {}, 0));
  const auto sessions = must(list(snapshot, Kind::session, {}, ascending, {}, 0));
  const auto one_tree = must(tree(snapshot, "t7"));
  const auto one_replay = must(replay(snapshot, "s1", {}));
  Row row;
  std::vector<std::string> names;
  for (int i = 0; i < 100; ++i) {
    BOOST_REQUIRE(must(by_time->next(row)));
    names.push_back(row.trace_id);
    BOOST_REQUIRE(must(by_name->next(row)));
  }
  BOOST_REQUIRE(must(sessions->next(row)));
  BOOST_REQUIRE(must(one_tree->next(row)));
  BOOST_REQUIRE(must(one_replay->next(row)));

  // Fill the map until it must grow; the idle snapshot makes way.
  int grown = 0;
  for (int i = 300; i < 320; ++i) {
    const TraceSpec trace = numbered(i, random_text(random, 200'000));
    for (;;) {
      const Status done = world.try_commit([&] { return world.try_add(trace); });
      if (done) break;
      BOOST_REQUIRE(done.error().engine_code == MDB_MAP_FULL);
      must(world.environment()->grow());
      ++grown;
    }
  }
  BOOST_TEST(grown > 0);
  while (must(by_time->next(row))) names.push_back(row.trace_id);
  // Everything that was there, in order; what came since only if its page was read after it.
  BOOST_REQUIRE(names.size() >= 300U);
  for (std::size_t i = 0; i < names.size(); ++i) BOOST_TEST(names[i] == "t" + std::to_string(i));
  BOOST_TEST(rows(*by_name).size() == 200U);
  BOOST_TEST(rows(*sessions).size() == 2U);
  BOOST_TEST(rows(*one_tree).size() == 1U);
  BOOST_TEST(rows(*one_replay).size() == 399U);
  BOOST_TEST(must(snapshot->use()).generation() > generation);
}

// An observation that was removed since the page of keys was read is left out.
BOOST_FIXTURE_TEST_CASE(rows_that_have_gone_in_a_renewed_view_are_left_out, Fixture) {
  World world(std::size_t{1} << 20);
  world.commit([&] {
    for (int i = 0; i < 10; ++i) world.add(observation_of(i));
  });
  const auto snapshot = world.snapshot();
  const auto cursor = must(list(snapshot, Kind::observation, {}, {OrderBy::time, true}, {}, 0));
  Row row;
  BOOST_REQUIRE(must(cursor->next(row)));
  world.commit([&] { world.erase_observation(observation_of(5)); });
  for (int i = 20; must(snapshot->use()).generation() == 1; ++i) {
    const TraceSpec trace = numbered(i, random_text(random, 300'000));
    if (!world.try_commit([&] { return world.try_add(trace); })) must(world.environment()->grow());
  }
  std::vector<std::string> names = names_of(rows(*cursor));
  BOOST_TEST(names.size() == 8U);
  BOOST_TEST((std::find(names.begin(), names.end(), "t5/o") == names.end()));
}

// For whoever has a row of an older view in hand, such as an export between a row and its payloads.
BOOST_FIXTURE_TEST_CASE(a_row_can_be_read_again_in_a_renewed_view, Fixture) {
  World world(std::size_t{1} << 20);
  world.commit([&] {
    for (int i = 0; i < 3; ++i) world.add(numbered(i, random_text(random, 1'000)));
    for (int i = 0; i < 3; ++i) world.add(observation_of(i));
  });
  const auto snapshot = world.snapshot();
  const auto replayed = must(replay(snapshot, "s1", {}));
  const auto kept = must(get(snapshot, Kind::trace, {}, "t0"));
  const auto changed = must(get(snapshot, Kind::trace, {}, "t1"));
  const auto gone = must(get(snapshot, Kind::observation, "t2", "o"));
  Row kept_row, changed_row, gone_row, step;
  BOOST_REQUIRE(must(kept->next(kept_row)));
  BOOST_REQUIRE(must(changed->next(changed_row)));
  BOOST_REQUIRE(must(gone->next(gone_row)));
  BOOST_REQUIRE(must(replayed->next(step)));
  const std::string text = must(kept->payload(kept_row, kept_row.trace().input));
  const std::string newer = random_text(random, 1'000);
  world.commit([&] {
    TraceSpec trace = numbered(1, newer);
    trace.name = "newer";
    must(world.try_add(trace));
    world.erase_observation(observation_of(2));
  });
  for (int i = 20; must(snapshot->use()).generation() == 1; ++i) {
    const TraceSpec trace = numbered(i, random_text(random, 300'000));
    if (!world.try_commit([&] { return world.try_add(trace); })) must(world.environment()->grow());
  }
  BOOST_TEST(must(kept->payload(kept_row, kept_row.trace().input)) == text);
  const auto refused = changed->payload(changed_row, changed_row.trace().input);
  BOOST_REQUIRE(!refused);
  BOOST_TEST((refused.error().code == Code::expired));
  BOOST_TEST(must(changed->read_again(changed_row)));
  BOOST_TEST(changed_row.trace().name.value_or("") == "newer");
  BOOST_TEST(must(changed->payload(changed_row, changed_row.trace().input)) == newer);
  BOOST_TEST(!must(gone->read_again(gone_row)));
  BOOST_TEST(must(replayed->read_again(step)));
  BOOST_TEST((step.phase == Phase::begin));
  BOOST_TEST(step.at_ns == 1);
  BOOST_TEST(step.trace().name.value_or("") == "newer");
}

BOOST_FIXTURE_TEST_CASE(growing_waits_for_a_call_and_readers_for_growing, Fixture) {
  World world(std::size_t{1} << 20);
  world.commit([&] { world.add(numbered(0)); });
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> reads{0};
  std::atomic<int> wrong{0};
  std::vector<std::thread> readers;
  const auto shared = world.snapshot();
  for (int reader = 0; reader < 3; ++reader) {
    readers.emplace_back([&, reader] {
      std::size_t last = 0;
      while (!stop) {
        auto snapshot = reader == 0 ? Result<std::shared_ptr<Snapshot>>(shared)
                                    : Snapshot::open(world.environment());
        if (!snapshot) {
          ++wrong;
          continue;
        }
        auto cursor = list(*snapshot, Kind::trace, {}, {}, {}, 0);
        std::size_t count = 0;
        for (Row row; cursor;) {
          const auto more = (*cursor)->next(row);
          if (!more) ++wrong;
          if (!more || !*more) break;
          ++count;
        }
        if (count < last || count == 0) ++wrong;
        last = count;
        ++reads;
      }
    });
  }
  int grown = 0;
  for (int i = 1; i < 60; ++i) {
    const TraceSpec trace = numbered(i, random_text(random, 150'000));
    for (;;) {
      const Status done = world.try_commit([&] { return world.try_add(trace); });
      if (done) break;
      if (done.error().engine_code == MDB_MAP_FULL && world.environment()->grow()) {
        ++grown;
        continue;
      }
      ++wrong;
      break;
    }
  }
  while (reads == 0 && wrong == 0) std::this_thread::yield();
  stop = true;
  for (std::thread& reader : readers) reader.join();
  BOOST_TEST(grown > 0);
  BOOST_TEST(wrong == 0);
  BOOST_TEST(reads > 0U);
}

// Every commit adds a trace with one observation and one more session member: no view may show one
// without the others.
BOOST_FIXTURE_TEST_CASE(every_view_agrees_with_itself_while_a_writer_commits, Fixture) {
  World world;
  world.commit([&] {
    world.add(numbered(0));
    world.add(observation_of(0));
  });
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::atomic<int> views{0};
  std::thread reader([&] {
    while (!stop) {
      auto snapshot = Snapshot::open(world.environment());
      if (!snapshot) {
        ++wrong;
        continue;
      }
      std::size_t counts[3] = {};
      const Kind kinds[] = {Kind::trace, Kind::observation, Kind::session};
      for (int i = 0; i < 3; ++i) {
        auto cursor = list(*snapshot, kinds[i], {}, {}, {}, 0);
        for (Row row; cursor;) {
          const auto more = (*cursor)->next(row);
          if (!more) ++wrong;
          if (!more || !*more) break;
          counts[i] += i == 2 ? row.aggregate.observation_count : 1;
        }
      }
      if (counts[0] != counts[1] || counts[1] != counts[2] || counts[0] == 0) ++wrong;
      ++views;
    }
  });
  for (int i = 1; i < 150; ++i) {
    world.commit([&] {
      world.add(numbered(i));
      world.add(observation_of(i));
    });
  }
  while (views == 0) std::this_thread::yield();
  stop = true;
  reader.join();
  BOOST_TEST(wrong == 0);
}

BOOST_FIXTURE_TEST_CASE(cursors_of_one_snapshot_may_be_used_by_several_threads, Fixture) {
  World world;
  world.commit([&] {
    for (int i = 0; i < 500; ++i) {
      world.add(numbered(i));
      world.add(observation_of(i));
    }
  });
  const auto snapshot = world.snapshot();
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int number = 0; number < 4; ++number) {
    threads.emplace_back([&, number] {
      const Kind kind = number % 2 == 0 ? Kind::trace : Kind::observation;
      auto cursor = list(snapshot, kind, {}, {OrderBy::time, true}, {}, 0);
      int next = 0;
      for (Row row; cursor && (*cursor)->next(row).value();) {
        if (row.trace_id != "t" + std::to_string(next++)) ++wrong;
      }
      if (next != 500) ++wrong;
    });
  }
  for (std::thread& thread : threads) thread.join();
  BOOST_TEST(wrong == 0);
}

BOOST_FIXTURE_TEST_CASE(a_child_process_must_open_the_file_anew, Fixture) {
  World world;
  world.commit([&] { world.add(numbered(1)); });
  const auto snapshot = world.snapshot();
  const auto cursor = must(list(snapshot, Kind::trace, {}, {}, {}, 0));
  const pid_t child = fork();
  BOOST_REQUIRE(child >= 0);
  if (child == 0) {
    Row row;
    const auto answer = cursor->next(row);
    const auto opened = Snapshot::open(world.environment());
    const bool right = !answer && answer.error().code == Code::forked && !opened &&
                       opened.error().code == Code::forked;
    _exit(right ? 0 : 1);
  }
  int status = 0;
  BOOST_REQUIRE(waitpid(child, &status, 0) == child);
  BOOST_TEST(status == 0);
  BOOST_TEST(rows(*cursor).size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(opening_costs_little, Fixture) {
  World world;
  world.commit([&] {
    for (int i = 0; i < 1000; ++i) world.add(numbered(i));
  });
  constexpr int kRounds = 300;
  const auto time_of = [&](const char* what, const auto& work) {
    const std::clock_t began = std::clock();  // of the processor: others may keep it busy
    for (int i = 0; i < kRounds; ++i) work();
    const double took_us = static_cast<double>(std::clock() - began) * 1e6 / CLOCKS_PER_SEC;
    BOOST_TEST_MESSAGE(what << ": " << took_us / kRounds << " us");
    return took_us / kRounds;
  };
  time_of("opening a snapshot", [&] { static_cast<void>(world.snapshot()); });
  time_of("... and a trace by id", [&] { rows(get(world.snapshot(), Kind::trace, {}, "t500")); });
  const auto pool = std::make_shared<ReaderPool>();
  const auto pooled = [&] { return must(Snapshot::open(world.environment(), pool)); };
  const double opening_us = time_of("opening with a pool", [&] { static_cast<void>(pooled()); });
  time_of("... and a trace by id", [&] { rows(get(pooled(), Kind::trace, {}, "t500")); });
  BOOST_TEST(opening_us < 500);  // about 5, but for sanitizers
  const auto snapshot = world.snapshot();
  time_of("a trace by id", [&] { rows(get(snapshot, Kind::trace, {}, "t500")); });
  time_of("the newest 50", [&] { rows(list(snapshot, Kind::trace, {}, {}, {}, 50)); });
}

BOOST_FIXTURE_TEST_CASE(a_pooled_reader_sees_what_its_snapshot_is_of, Fixture) {
  World world;
  const auto pool = std::make_shared<ReaderPool>();
  const auto count = [&](const std::shared_ptr<Snapshot>& snapshot) {
    return rows(list(snapshot, Kind::trace, {}, {}, {}, 0)).size();
  };
  std::vector<std::shared_ptr<Snapshot>> kept;
  for (std::size_t i = 0; i < 12; ++i) {
    world.commit([&] { world.add(numbered(static_cast<int>(i))); });
    for (int round = 0; round < 2; ++round) {
      kept.push_back(must(Snapshot::open(world.environment(), pool)));
      BOOST_TEST(count(kept.back()) == i + 1);
    }
    if (i % 3 == 2) kept.erase(kept.begin(), kept.begin() + 4);
  }
  BOOST_TEST(count(kept.front()) < 12U);
  // One of another file must not get into this one.
  World other;
  other.commit([&] { other.add(numbered(1)); });
  kept.clear();
  const auto foreign = must(Snapshot::open(other.environment(), pool));
  BOOST_TEST(count(foreign) == 1U);
}

// A reader that is used again remembers terms, and how often they are used, of one commit only.
BOOST_FIXTURE_TEST_CASE(a_pooled_reader_forgets_terms_with_their_commit, Fixture) {
  World world;
  const auto pool = std::make_shared<ReaderPool>();
  Filter of_session;
  of_session.session_id = "s0";
  const auto count = [&] {
    return rows(list(must(Snapshot::open(world.environment(), pool)), Kind::trace, of_session, {},
                     {}, 5))
        .size();
  };
  world.commit([&] { world.add(numbered(1)); });
  BOOST_TEST(count() == 0U);
  world.commit([&] { world.add(numbered(0)); });
  for (int round = 0; round < 2; ++round) BOOST_TEST(count() == 1U);
  // Enough of them that the list goes by time instead.
  world.commit([&] {
    for (int i = 3; i < 300; ++i) world.add(numbered(i));
  });
  for (int round = 0; round < 2; ++round) BOOST_TEST(count() == 5U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tracelite::query::test
