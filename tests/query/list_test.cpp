// Lists of traces, observations and scores against the oracle.
#include <algorithm>

#include "oracle.hpp"
#include "random_world.hpp"

namespace tracelite::query::test {
namespace {

constexpr Kind kEntityKinds[] = {Kind::trace, Kind::observation, Kind::score};

std::string lines(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all.append(name).append("\n");
  return all;
}

void compare(const std::shared_ptr<Snapshot>& snapshot, const Oracle& oracle, Kind kind,
             const Filter& filter, ListOrder order) {
  const auto given = rows(list(snapshot, kind, filter, order, {}, 0));
  const auto wanted = oracle.list(kind, filter, order);
  BOOST_TEST_CONTEXT("kind " << static_cast<int>(kind) << ", order " << static_cast<int>(order.by)
                             << (order.ascending ? " ascending" : "")) {
    BOOST_REQUIRE_EQUAL(lines(names_of(given)), lines(wanted));
  }
}

struct Fixture {
  std::uint32_t seed = tracelite::test::short_random_seed();
  RandomWorld random{seed};
  World world;
};

BOOST_AUTO_TEST_SUITE(lists)

BOOST_FIXTURE_TEST_CASE(every_order_of_every_kind_gives_everything, Fixture) {
  random.grow(world, 150);
  const Oracle oracle(world);
  const auto snapshot = world.snapshot();
  for (const Kind kind : kEntityKinds) {
    for (int by = 0; by < (kind == Kind::score ? 2 : 5); ++by) {
      for (const bool ascending : {false, true}) {
        compare(snapshot, oracle, kind, {}, {static_cast<OrderBy>(by), ascending});
      }
    }
  }
}

BOOST_FIXTURE_TEST_CASE(each_condition_alone_selects_what_it_says, Fixture) {
  random.grow(world, 120);
  const Oracle oracle(world);
  const auto snapshot = world.snapshot();
  for (int which = 0; which < RandomWorld::kConditionCount; ++which) {
    std::size_t found = 0;
    for (int i = 0; i < 12; ++i) {
      const Filter filter = random.single_filter(which);
      for (const Kind kind : kEntityKinds) {
        compare(snapshot, oracle, kind, filter, random.order(kind != Kind::score));
        found += oracle.list(kind, filter, {}).size();
      }
    }
    BOOST_TEST(found > 0, "condition " << which << " never met anything");
  }
  for (const SeenTrace& trace : oracle.traces()) {
    Filter filter;
    filter.trace_id = trace.id;
    for (const Kind kind : kEntityKinds) compare(snapshot, oracle, kind, filter, {});
  }
}

BOOST_FIXTURE_TEST_CASE(any_combination_selects_what_all_its_conditions_say, Fixture) {
  random.grow(world, 150);
  const Oracle oracle(world);
  const auto snapshot = world.snapshot();
  std::size_t found = 0;
  for (int i = 0; i < 600; ++i) {
    const Filter filter = random.filter(2 + random.below(8));
    const Kind kind = kEntityKinds[random.below(3)];
    compare(snapshot, oracle, kind, filter, random.order(kind != Kind::score));
    found += oracle.list(kind, filter, {}).size();
  }
  BOOST_TEST(found > 100);
}

BOOST_FIXTURE_TEST_CASE(rows_say_what_was_recorded_and_its_sums, Fixture) {
  random.grow(world, 100);
  const Oracle oracle(world);
  const auto snapshot = world.snapshot();
  for (const Row& row : rows(list(snapshot, Kind::trace, {}, {}, {}, 0))) {
    const SeenTrace* seen = oracle.trace(row.trace_id);
    BOOST_REQUIRE(seen != nullptr);
    const model::TraceView view = row.trace();
    BOOST_TEST(view.id == seen->id);
    BOOST_TEST(row.is_derived == seen->is_derived());
    BOOST_TEST(view.name.value_or("") == seen->name());
    BOOST_TEST(view.environment == seen->environment());
    BOOST_REQUIRE(view.timestamp_ns);
    BOOST_TEST(*view.timestamp_ns == seen->time_ns);
    BOOST_TEST(describe(row.aggregate) == describe(oracle.sums(*seen)));
    BOOST_TEST((row.key ==
                record::RecordKey{world.container_of(seen->id), record::RecordKind::header, 0}));
  }
  for (const Row& row : rows(list(snapshot, Kind::observation, {}, {}, {}, 0))) {
    const auto spec = std::find_if(world.observations.begin(), world.observations.end(),
                                   [&](const ObservationSpec& one) {
                                     return one.id == row.entity.id && one.trace_id == row.trace_id;
                                   });
    BOOST_REQUIRE(spec != world.observations.end());
    const model::ObservationView view = model::view_observation(row.entity);
    BOOST_TEST(view.start_ns == spec->start_ns);
    BOOST_TEST(view.name.value_or("") == spec->name.value_or(""));
    BOOST_TEST(view.parent_id.value_or("") == spec->parent.value_or(""));
    BOOST_TEST((view.total_cost() == spec->cost));
  }
  for (const Row& row : rows(list(snapshot, Kind::score, {}, {}, {}, 0))) {
    const auto spec = std::find_if(world.scores.begin(), world.scores.end(),
                                   [&](const ScoreSpec& one) { return one.id == row.entity.id; });
    BOOST_REQUIRE(spec != world.scores.end());
    BOOST_TEST(row.trace_id == spec->trace_id);
    BOOST_TEST(model::view_score(row.entity).name == spec->name);
  }
}

BOOST_FIXTURE_TEST_CASE(a_limit_gives_the_first_rows, Fixture) {
  random.grow(world, 100);
  const auto snapshot = world.snapshot();
  for (const Kind kind : kEntityKinds) {
    const auto all = names_of(rows(list(snapshot, kind, {}, {}, {}, 0)));
    for (const std::size_t limit : {1U, 2U, 63U, 64U, 65U, 1000U}) {
      const auto some = names_of(rows(list(snapshot, kind, {}, {}, {}, limit)));
      const std::vector<std::string> wanted(
          all.begin(), all.begin() + static_cast<std::ptrdiff_t>(std::min(limit, all.size())));
      BOOST_TEST(some == wanted, boost::test_tools::per_element());
    }
  }
}

BOOST_FIXTURE_TEST_CASE(many_rows_with_one_time_come_once_each, Fixture) {
  world.commit([&] {
    for (int i = 0; i < 3000; ++i) {
      TraceSpec trace;
      trace.id = "same-" + std::to_string(i);
      world.add(trace);
    }
  });
  const Oracle oracle(world);
  for (const bool ascending : {false, true}) {
    for (const OrderBy by : {OrderBy::time, OrderBy::name, OrderBy::cost}) {
      compare(world.snapshot(), oracle, Kind::trace, {}, {by, ascending});
    }
  }
}

BOOST_FIXTURE_TEST_CASE(a_member_of_many_traces_is_found_as_one_of_few, Fixture) {
  // More than a query starts from (selection.cpp), in one session; few of them for one user.
  world.commit([&] {
    for (int i = 0; i < 2500; ++i) {
      TraceSpec trace;
      trace.id = "t" + std::to_string(i);
      trace.time_ns = i % 100;
      trace.session = "busy";
      if (i % 500 == 0) trace.user = "rare";
      if (i % 7 == 0) trace.tags = {"seven"};
      world.add(trace);
      if (i % 50 == 0) {
        ObservationSpec observation;
        observation.trace_id = trace.id;
        observation.id = "o";
        observation.start_ns = i % 13;
        world.add(observation);
        ScoreSpec score;
        score.trace_id = trace.id;
        score.id = "s" + std::to_string(i);
        score.name = "n";
        world.add(score);
      }
    }
  });
  const Oracle oracle(world);
  const auto snapshot = world.snapshot();
  Filter busy;
  busy.session_id = "busy";
  Filter rare = busy;
  rare.user_id = "rare";
  Filter tagged = busy;
  tagged.tags = {"seven", "seven"};
  for (const Filter& filter : {busy, rare, tagged}) {
    for (const Kind kind : kEntityKinds) compare(snapshot, oracle, kind, filter, {});
  }
}

BOOST_FIXTURE_TEST_CASE(an_environment_is_looked_for_as_it_would_be_stored, Fixture) {
  world.commit([&] {
    TraceSpec trace;
    trace.id = "a";
    trace.environment = "Staging";
    world.add(trace);
    trace.id = "flags";
    trace.environment.reset();
    trace.flags_only = true;
    trace.bookmarked = true;
    world.add(trace);
  });
  Filter filter;
  filter.environment = "STAGING";
  BOOST_TEST(names_of(rows(list(world.snapshot(), Kind::trace, filter, {}, {}, 0))).size() == 1U);
  filter.environment = "default";  // no term, but what a trace without one reads as
  BOOST_TEST(names_of(rows(list(world.snapshot(), Kind::trace, filter, {}, {}, 0))) ==
                 std::vector<std::string>{"flags"},
             boost::test_tools::per_element());
  BOOST_TEST(names_of(rows(list(world.snapshot(), Kind::environment, {}, {}, {}, 0))) ==
                 (std::vector<std::string>{"staging", "default"}),
             boost::test_tools::per_element());
  const Row without = rows(get(world.snapshot(), Kind::environment, {}, "default")).at(0);
  BOOST_TEST(without.aggregate.trace_count == 1U);
}

// Some are asked of each row, some are where the query starts; half of them lie in either table.
BOOST_FIXTURE_TEST_CASE(metadata_that_many_or_few_have_is_found_alike, Fixture) {
  constexpr int kCount = 450;
  world.commit([&] {
    for (int i = 0; i < kCount; ++i) {
      if (i == kCount / 2) world.merge_metadata();
      Metadata metadata = {{"often", i % 3 == 0 ? "\"no\"" : "\"yes\""}};
      if (i % 60 == 7) metadata["seldom"] = std::to_string(i % 2);
      TraceSpec trace;
      trace.id = "trace-" + std::to_string(i);
      trace.time_ns = i * 31 % kCount;
      trace.user = "user-" + std::to_string(i % 40);
      trace.metadata = metadata;
      world.add(trace);
      ObservationSpec spec = random.observation(trace.id, {});
      spec.metadata = metadata;
      world.add(spec);
      ScoreSpec score;
      score.id = "score-" + std::to_string(i);
      score.trace_id = trace.id;
      score.name = "quality";
      score.time_ns = i * 17 % kCount;
      score.metadata = metadata;
      world.add(score);
    }
  });
  const Oracle oracle(world);
  const auto snapshot = world.snapshot();
  const std::pair<const char*, const char*> all[] = {
      {"often", "yes"}, {"often", "no"}, {"often", nullptr}, {"seldom", "1"}, {"seldom", nullptr}};
  for (const auto& [key, value] : all) {
    Filter filter;
    filter.metadata_key = key;
    if (value != nullptr) filter.metadata_value = value;
    for (const Kind kind : kEntityKinds) {
      BOOST_TEST(!oracle.list(kind, filter, {}).empty());
      for (const bool ascending : {false, true}) {
        compare(snapshot, oracle, kind, filter, {OrderBy::time, ascending});
      }
      compare(snapshot, oracle, kind, filter, {OrderBy::name, false});
      Filter narrowed = filter;
      narrowed.user_id = "user-7";
      compare(snapshot, oracle, kind, narrowed, {OrderBy::time, false});
      narrowed.from_ns = 100;
      narrowed.user_id.reset();
      narrowed.level = model::Level::error;
      compare(snapshot, oracle, kind, narrowed, {OrderBy::time, true});
    }
  }
}

BOOST_FIXTURE_TEST_CASE(what_cannot_be_asked_is_refused, Fixture) {
  random.grow(world, 3);
  const auto snapshot = world.snapshot();
  Filter filter;
  filter.metadata_value = "1";
  BOOST_TEST((failure(list(snapshot, Kind::trace, filter, {}, {}, 0)) == Code::invalid));
  BOOST_TEST(
      (failure(list(snapshot, Kind::score, {}, {OrderBy::cost, false}, {}, 0)) == Code::invalid));
  BOOST_TEST((failure(list(snapshot, static_cast<Kind>(11), {}, {}, {}, 0)) == Code::invalid));
  BOOST_TEST((failure(list(snapshot, static_cast<Kind>(0), {}, {}, {}, 0)) == Code::invalid));
  BOOST_TEST((failure(list(snapshot, Kind::trace, {}, {static_cast<OrderBy>(9), false}, {}, 0)) ==
              Code::invalid));
}

BOOST_FIXTURE_TEST_CASE(a_row_without_a_record_is_an_error_that_can_be_passed, Fixture) {
  ObservationSpec spec;
  spec.trace_id = "t";
  spec.session = "s";
  world.commit([&] {
    for (int i = 0; i < 4; ++i) {
      spec.id = "o" + std::to_string(i);
      spec.start_ns = i;
      world.add(spec);
    }
    spec.id = "o1";
    world.lose_record(spec);
  });
  const auto snapshot = world.snapshot();
  const auto cursor = must(list(snapshot, Kind::observation, {}, {OrderBy::time, true}, {}, 0));
  std::vector<std::string> names;
  Row row;
  BOOST_REQUIRE(must(cursor->next(row)));
  const auto damaged = cursor->next(row);
  BOOST_REQUIRE(!damaged);
  BOOST_TEST((damaged.error().code == Code::corrupt));
  const std::string position = must(cursor->position());
  BOOST_TEST(rows(*cursor).size() == 2U);
  BOOST_TEST(
      rows(list(snapshot, Kind::observation, {}, {OrderBy::time, true}, position, 0)).size() == 2U);
  BOOST_TEST((failure(tree(snapshot, "t")) == Code::corrupt));
  BOOST_TEST((failure(replay(snapshot, "s", {})) == Code::corrupt));
}

BOOST_FIXTURE_TEST_CASE(nothing_recorded_gives_empty_lists, Fixture) {
  const auto snapshot = world.snapshot();
  for (int kind = 1; kind <= 9; ++kind) {
    BOOST_TEST(rows(list(snapshot, static_cast<Kind>(kind), {}, {}, {}, 0)).empty());
    BOOST_TEST((failure(get(snapshot, static_cast<Kind>(kind), {}, "x")) == Code::not_found));
  }
  BOOST_TEST((failure(tree(snapshot, "x")) == Code::not_found));
  BOOST_TEST((failure(replay(snapshot, "x", {})) == Code::not_found));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tracelite::query::test
