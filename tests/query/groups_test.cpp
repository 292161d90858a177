// Sessions, users, tags, environments, names and models with their sums, against the oracle.
#include <algorithm>

#include "oracle.hpp"
#include "random_world.hpp"

namespace tracelite::query::test {
namespace {

constexpr Kind kGroupKinds[] = {Kind::session,     Kind::user, Kind::tag,
                                Kind::environment, Kind::name, Kind::model};

std::string lines(const std::vector<Aggregate>& all) {
  std::string text;
  for (const Aggregate& sums : all) text.append(describe(sums)).append("\n");
  return text;
}

std::vector<Aggregate> sums_of(const std::vector<Row>& all) {
  std::vector<Aggregate> sums;
  for (const Row& row : all) sums.push_back(row.aggregate);
  return sums;
}

struct Fixture {
  std::uint32_t seed = tracelite::test::short_random_seed();
  RandomWorld random{seed};
  World world;
};

BOOST_AUTO_TEST_SUITE(groups)

BOOST_FIXTURE_TEST_CASE(every_kind_in_every_order, Fixture) {
  random.grow(world, 120);
  const Oracle oracle(world);
  const auto snapshot = world.snapshot();
  for (const Kind kind : kGroupKinds) {
    for (int by = 0; by < 5; ++by) {
      for (const bool ascending : {false, true}) {
        const ListOrder order{static_cast<OrderBy>(by), ascending};
        const auto given = rows(list(snapshot, kind, {}, order, {}, 0));
        BOOST_TEST(lines(sums_of(given)) == lines(oracle.groups(kind, {}, order)));
        BOOST_TEST(!given.empty());
      }
    }
  }
}

BOOST_FIXTURE_TEST_CASE(sums_are_of_what_the_filter_selects, Fixture) {
  random.grow(world, 120);
  const Oracle oracle(world);
  const auto snapshot = world.snapshot();
  for (int i = 0; i < 300; ++i) {
    const Filter filter = random.filter(4 + random.below(10));
    const Kind kind = kGroupKinds[random.below(6)];
    const ListOrder order = random.order();
    const auto given = rows(list(snapshot, kind, filter, order, {}, 0));
    BOOST_REQUIRE_EQUAL(lines(sums_of(given)), lines(oracle.groups(kind, filter, order)));
  }
}

BOOST_FIXTURE_TEST_CASE(a_limit_gives_the_first_groups, Fixture) {
  random.grow(world, 80);
  const Oracle oracle(world);
  for (const Kind kind : kGroupKinds) {
    const ListOrder order = random.order();
    for (const std::size_t limit : {1U, 2U, 5U, 100U}) {
      auto wanted = oracle.groups(kind, {}, order);
      wanted.resize(std::min(limit, wanted.size()));
      const auto given = rows(list(world.snapshot(), kind, {}, order, {}, limit));
      BOOST_TEST(lines(sums_of(given)) == lines(wanted));
    }
  }
}

BOOST_FIXTURE_TEST_CASE(each_group_is_found_by_its_key, Fixture) {
  random.grow(world, 80);
  const Oracle oracle(world);
  const auto snapshot = world.snapshot();
  for (const Kind kind : kGroupKinds) {
    for (const Aggregate& sums : oracle.groups(kind, {}, {})) {
      const auto given = rows(get(snapshot, kind, {}, sums.key));
      BOOST_REQUIRE(given.size() == 1U);
      BOOST_TEST((given.front().kind == kind));
      BOOST_TEST(describe(given.front().aggregate) == describe(sums));
    }
    BOOST_TEST((failure(get(snapshot, kind, {}, "never named")) == Code::not_found));
  }
}

BOOST_FIXTURE_TEST_CASE(a_session_has_its_flags_and_the_environment_of_its_earliest_trace,
                        Fixture) {
  const auto add_trace = [&](const char* id, std::int64_t time_ns, const char* environment,
                             const char* session) {
    TraceSpec trace;
    trace.id = id;
    trace.time_ns = time_ns;
    trace.environment = environment;
    trace.session = session;
    world.add(trace);
  };
  world.commit([&] {
    add_trace("z", 5, "second", "put");
    add_trace("b", 4, "other", "put");
    add_trace("a", 4, "first", "put");
    add_trace("c", 9, "only", "named");
    world.add(SessionSpec{"put", true});
    world.add(SessionSpec{"alone", false});
    ScoreSpec score;
    score.id = "s";
    score.name = "n";
    score.session_id = "scored";
    world.add(score);
  });
  const auto snapshot = world.snapshot();
  const auto one = [&](const char* id) { return rows(get(snapshot, Kind::session, {}, id)).at(0); };
  const Row put = one("put");
  BOOST_TEST(put.environment == "first");
  BOOST_TEST((model::view_session(put.entity).is_bookmarked == true));
  BOOST_TEST((put.entity.kind == model::EntityKind::session));
  const Row named = one("named");
  BOOST_TEST(named.environment == "only");
  BOOST_TEST(named.entity.id == "named");
  BOOST_TEST((named.entity.kind == model::EntityKind::session));
  BOOST_TEST(!model::view_session(named.entity).is_bookmarked);
  BOOST_TEST((model::view_session(one("alone").entity).is_bookmarked == false));
  BOOST_TEST(one("alone").environment == "");
  BOOST_TEST(one("scored").aggregate.score_count == 1U);
  BOOST_TEST(one("scored").aggregate.trace_count == 0U);

  // A filter leaves only what its traces name.
  Filter filter;
  filter.environment = "only";
  BOOST_TEST(names_of(rows(list(snapshot, Kind::session, filter, {}, {}, 0))) ==
                 std::vector<std::string>{"named"},
             boost::test_tools::per_element());
}

// Sums of sessions are kept: they grow commit by commit, and shrink when something goes.
BOOST_FIXTURE_TEST_CASE(kept_sums_follow_every_change, Fixture) {
  const auto erase_some = [&] {
    world.commit([&] {
      for (int i = 0; i < 12; ++i) {
        const ObservationSpec spec = world.observations[static_cast<std::size_t>(
            random.below(static_cast<int>(world.observations.size())))];
        // A trace of nothing else would go with it, or not: that is not what this is about.
        const bool has_record = std::any_of(
            world.traces.begin(), world.traces.end(),
            [&](const TraceSpec& trace) { return trace.id == spec.trace_id && !trace.flags_only; });
        if (has_record) world.erase_observation(spec);
      }
    });
  };
  for (int round = 0; round < 8; ++round) {
    random.grow(world, 12);
    erase_some();
    const Oracle oracle(world);
    const auto snapshot = world.snapshot();
    for (const Kind kind : {Kind::session, Kind::user}) {
      for (int by = 0; by < 5; ++by) {
        for (const bool ascending : {false, true}) {
          const ListOrder order{static_cast<OrderBy>(by), ascending};
          const auto given = rows(list(snapshot, kind, {}, order, {}, 0));
          BOOST_REQUIRE_EQUAL(lines(sums_of(given)), lines(oracle.groups(kind, {}, order)));
        }
      }
      for (const Aggregate& sums : oracle.groups(kind, {}, {})) {
        const auto given = rows(get(snapshot, kind, {}, sums.key));
        BOOST_REQUIRE_EQUAL(describe(given.at(0).aggregate), describe(sums));
      }
    }
  }
}

// Traces whose observations lie far outside their own times, before and behind.
BOOST_FIXTURE_TEST_CASE(the_ends_of_kept_sums_are_found_again, Fixture) {
  const auto at = [](int moment) { return std::int64_t{moment} << index::kMomentShift; };
  world.commit([&] {
    for (int i = 0; i < 60; ++i) {
      TraceSpec trace;
      trace.id = "t" + std::to_string(i);
      trace.time_ns = at(100 + i) + random.below(100);
      trace.user = "u";
      trace.session = "s" + std::to_string(i % 2);
      world.add(trace);
      ObservationSpec spec;
      spec.trace_id = trace.id;
      spec.id = "o";
      spec.start_ns = at(100 + i + random.below(80) - 40) + random.below(100);
      if (random.below(3) > 0) spec.end_ns = spec.start_ns + at(random.below(40));
      world.add(spec);
    }
  });
  while (!world.observations.empty()) {
    const auto last = static_cast<int>(world.observations.size()) - 1;
    const int which = random.below(3) == 0 ? random.below(last + 1) : random.below(2) * last;
    const ObservationSpec gone = world.observations[static_cast<std::size_t>(which)];
    world.commit([&] { world.erase_observation(gone); });
    const Oracle oracle(world);
    for (const Kind kind : {Kind::session, Kind::user}) {
      const auto given = rows(list(world.snapshot(), kind, {}, {}, {}, 0));
      BOOST_REQUIRE_EQUAL(lines(sums_of(given)), lines(oracle.groups(kind, {}, {})));
    }
  }
}

// More sessions than a page has, many of them equal in what they are ordered by.
BOOST_FIXTURE_TEST_CASE(pages_of_kept_sums_make_the_whole_list, Fixture) {
  world.commit([&] {
    for (int i = 0; i < 700; ++i) {
      ObservationSpec spec;
      spec.trace_id = "t" + std::to_string(i);
      spec.id = "o";
      spec.session = "s" + std::to_string(i / 2);
      spec.start_ns = std::int64_t{random.below(20)} << 29;
      spec.cost = model::Int128{random.below(6) - 2} * (i % 50 == 0 ? INT64_MAX : 700'000);
      world.add(spec);
    }
  });
  const Oracle oracle(world);
  const auto snapshot = world.snapshot();
  for (const OrderBy by : {OrderBy::time, OrderBy::cost, OrderBy::tokens}) {
    for (const bool ascending : {false, true}) {
      const ListOrder order{by, ascending};
      const std::string wanted = lines(oracle.groups(Kind::session, {}, order));
      BOOST_TEST(lines(sums_of(rows(list(snapshot, Kind::session, {}, order, {}, 0)))) == wanted);
      std::vector<Aggregate> pages;
      std::string position;
      for (std::size_t size = 1;; size = size * 2 + 1) {
        const auto cursor = must(list(snapshot, Kind::session, {}, order, position, size));
        const auto page = sums_of(rows(*cursor));
        if (page.empty()) break;
        pages.insert(pages.end(), page.begin(), page.end());
        position = must(cursor->position());
      }
      BOOST_TEST(lines(pages) == wanted);
    }
  }
}

BOOST_FIXTURE_TEST_CASE(sums_stay_inside_their_ranges, Fixture) {
  world.commit([&] {
    for (int i = 0; i < 3; ++i) {
      ObservationSpec spec;
      spec.trace_id = "t";
      spec.id = std::to_string(i);
      spec.start_ns = i == 0 ? INT64_MIN : 0;
      spec.end_ns = i == 2 ? INT64_MAX : 1;
      spec.model = "m";
      spec.input_tokens = INT64_MAX;
      spec.cost = model::kCostUnitsMax;
      world.add(spec);
    }
  });
  const auto snapshot = world.snapshot();
  const auto model_row = rows(get(snapshot, Kind::model, {}, "m")).at(0);
  BOOST_TEST(model_row.aggregate.input_tokens == UINT64_MAX);
  BOOST_TEST((model_row.aggregate.total_cost == model::kCostUnitsMax * 3));
  BOOST_TEST(model_row.aggregate.latency_ns == INT64_MAX);
  for (int by = 0; by < 5; ++by) {
    BOOST_TEST(
        rows(list(snapshot, Kind::trace, {}, {static_cast<OrderBy>(by), false}, {}, 0)).size() ==
        1U);
    BOOST_TEST(rows(list(snapshot, Kind::observation, {}, {static_cast<OrderBy>(by), true}, {}, 0))
                   .size() == 3U);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tracelite::query::test
