// Walks that another thread puts an end to.
#include <thread>

#include "random_world.hpp"

namespace tracelite::query::test {
namespace {

struct Fixture {
  World world;

  // Two tags of many traces, none of which has both: looking for such a trace reads all of one.
  void fill(int trace_count) {
    world.commit([&] {
      for (int i = 0; i < trace_count; ++i) {
        TraceSpec trace;
        trace.id = "t" + std::to_string(i);
        trace.time_ns = std::int64_t{i} << 30;
        trace.tags = {i % 2 == 0 ? "even" : "odd"};
        must(world.try_add(trace));
      }
    });
  }
};

BOOST_AUTO_TEST_SUITE(cancelling)

BOOST_FIXTURE_TEST_CASE(a_cancelled_walk_gives_no_row_any_more, Fixture) {
  fill(3);
  for (const Kind kind : {Kind::trace, Kind::tag}) {
    const auto cursor = must(list(world.snapshot(), kind, {}, {}, {}, 0));
    Row row;
    BOOST_TEST(must(cursor->next(row)));
    cursor->cancel();
    for (int i = 0; i < 2; ++i) {
      const auto more = cursor->next(row);
      BOOST_REQUIRE(!more);
      BOOST_TEST((more.error().code == Code::cancelled));
    }
  }
}

// The search is begun again and again, so that it is under way when it is cancelled.
BOOST_FIXTURE_TEST_CASE(a_search_under_way_ends_early_and_leaves_the_snapshot_good, Fixture) {
  fill(20'000);
  Filter filter;
  filter.tags = {"even", "odd"};
  const auto snapshot = world.snapshot();
  int cancelled_count = 0;
  for (int attempt = 0; attempt < 1000 && cancelled_count < 3; ++attempt) {
    const auto cursor = must(list(snapshot, Kind::trace, filter, {}, {}, 0));
    std::atomic<bool> is_begun = false;
    std::thread canceller([&] {
      while (!is_begun) std::this_thread::yield();
      cursor->cancel();
    });
    Row row;
    is_begun = true;
    const auto more = cursor->next(row);
    canceller.join();
    if (more) {
      BOOST_TEST(!*more);
      continue;
    }
    BOOST_REQUIRE((more.error().code == Code::cancelled));
    ++cancelled_count;
    Filter even;
    even.tags = {"even"};
    BOOST_TEST(rows(list(snapshot, Kind::trace, even, {}, {}, 7)).size() == 7U);
  }
  BOOST_TEST(cancelled_count == 3);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tracelite::query::test
