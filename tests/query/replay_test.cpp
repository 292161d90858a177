// A session in the order of time: who begins and ends when, and how long to wait.
#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "oracle.hpp"
#include "random_world.hpp"

namespace tracelite::query::test {
namespace {

struct Fixture {
  std::uint32_t seed = tracelite::test::short_random_seed();
  RandomWorld random{seed};
  World world;

  std::vector<Row> play(const std::string& session, const ReplayPace& pace = {}) {
    return rows(replay(world.snapshot(), session, pace));
  }
};

ObservationSpec observation(const std::string& id, std::int64_t start_ns,
                            std::optional<std::int64_t> end_ns, Text parent = {}) {
  ObservationSpec spec;
  spec.trace_id = "t";
  spec.session = "s";
  spec.id = id;
  spec.start_ns = start_ns;
  spec.end_ns = end_ns;
  spec.parent = std::move(parent);
  return spec;
}

TraceSpec trace(const std::string& id, std::int64_t time_ns, Text session) {
  TraceSpec spec;
  spec.id = id;
  spec.time_ns = time_ns;
  spec.session = std::move(session);
  return spec;
}

// "+id@time" for a begin, "-id@time" for an end, "*id@time" for a point.
std::vector<std::string> script(const std::vector<Row>& steps) {
  std::vector<std::string> words;
  for (const Row& row : steps) {
    const char* sign = row.phase == Phase::begin ? "+" : row.phase == Phase::end ? "-" : "*";
    const std::string& id = row.kind == Kind::trace ? row.trace_id : row.entity.id;
    words.push_back(sign + id + "@" + std::to_string(row.at_ns));
  }
  return words;
}

std::vector<std::string> words(std::initializer_list<const char*> all) {
  return {all.begin(), all.end()};
}

BOOST_AUTO_TEST_SUITE(replays)

BOOST_FIXTURE_TEST_CASE(traces_and_observations_begin_and_end_in_the_order_of_time, Fixture) {
  world.commit([&] {
    world.add(trace("first", 10, "s"));
    world.add(trace("elsewhere", 11, "other"));
    world.add(observation("root", 20, 50));
    world.add(observation("child", 25, 40, "root"));
    ObservationSpec event = observation("event", 30, {}, "root");
    event.type = model::ObservationType::event;
    world.add(event);
    world.add(observation("open", 35, {}, "root"));
  });
  const auto steps = play("s");
  BOOST_TEST(script(steps) == words({"+first@10", "-first@10", "+t@20", "+root@20", "+child@25",
                                     "*event@30", "+open@35", "-child@40", "-root@50", "-t@50"}),
             boost::test_tools::per_element());
  BOOST_TEST(steps[2].depth == 0U);
  BOOST_TEST(steps[3].depth == 1U);
  BOOST_TEST(steps[4].depth == 2U);
  BOOST_TEST(steps[4].trace_id == "t");
  BOOST_TEST((steps[0].kind == Kind::trace));
  BOOST_TEST(steps[2].aggregate.observation_count == 4U);
}

BOOST_FIXTURE_TEST_CASE(at_one_moment_parents_are_around_their_children, Fixture) {
  world.commit([&] {
    world.add(observation("z-parent", 5, 5));
    world.add(observation("a-child", 5, 5, "z-parent"));
    world.add(observation("m-grandchild", 5, 5, "a-child"));
  });
  BOOST_TEST(script(play("s")) == words({"+t@5", "+z-parent@5", "+a-child@5", "+m-grandchild@5",
                                         "-m-grandchild@5", "-a-child@5", "-z-parent@5", "-t@5"}),
             boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(what_ends_where_the_next_begins_ends_first, Fixture) {
  world.commit([&] {
    world.add(observation("root", 0, 9));
    world.add(observation("one", 1, 5, "root"));
    world.add(observation("inner", 2, 5, "one"));
    world.add(observation("two", 5, 9, "root"));
    world.add(observation("last", 9, 9, "two"));
  });
  BOOST_TEST(
      script(play("s")) == words({"+t@0", "+root@0", "+one@1", "+inner@2", "-inner@5", "-one@5",
                                  "+two@5", "+last@9", "-last@9", "-two@9", "-root@9", "-t@9"}),
      boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(a_trace_begins_with_its_first_observation_and_ends_with_its_last, Fixture) {
  world.commit([&] {
    world.add(trace("t", 100, {}));
    world.add(observation("early", 50, 60));
    world.add(observation("late", 120, 110));  // an end before its start reads as the start
    world.add(trace("u", 70, "s"));
    ObservationSpec open = observation("open", 80, {});
    open.trace_id = "u";
    world.add(open);
  });
  BOOST_TEST(script(play("s")) == words({"+t@50", "+early@50", "-early@60", "+u@70", "+open@80",
                                         "+late@120", "-late@120", "-t@120"}),
             boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(random_sessions_keep_every_rule, Fixture) {
  random.grow(world, 150);
  const Oracle oracle(world);
  for (int session = 0; session < 6; ++session) {
    const std::string id = "session-" + std::to_string(session);
    const auto steps = play(id);
    BOOST_TEST(!steps.empty());
    std::map<std::string, std::vector<std::pair<Phase, std::size_t>>> seen;  // by trace/observation
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (i > 0) BOOST_TEST(steps[i - 1].at_ns <= steps[i].at_ns);
      const Row& row = steps[i];
      seen[row.kind == Kind::trace ? row.trace_id : name_of(row)].emplace_back(row.phase, i);
    }
    std::size_t wanted = 0;
    for (const SeenTrace& trace : oracle.traces()) {
      if (!trace.names_session(id)) {
        BOOST_TEST(!seen.contains(trace.id));
        continue;
      }
      ++wanted;
      const auto& own = seen[trace.id];
      BOOST_REQUIRE(!own.empty());
      for (const ObservationSpec* one : trace.observations) {
        ++wanted;
        const auto& phases = seen[one->trace_id + "/" + one->id];
        const bool is_event = one->type == model::ObservationType::event;
        const bool has_end = one->end_ns && !is_event;
        BOOST_REQUIRE(phases.size() == (has_end ? 2U : 1U));
        BOOST_TEST((phases[0].first == (is_event ? Phase::point : Phase::begin)));
        BOOST_TEST(steps[phases[0].second].at_ns == one->start_ns);
        if (has_end) BOOST_TEST((phases[1].first == Phase::end));
        BOOST_TEST(own[0].second < phases[0].second);
        if (own.size() == 2) BOOST_TEST(own[1].second > phases.back().second);
        if (!one->parent) continue;
        // Around its children where the times allow it.
        const auto parent = seen.find(one->trace_id + "/" + *one->parent);
        if (parent == seen.end()) continue;
        const Row& begin = steps[parent->second[0].second];
        if (begin.at_ns <= one->start_ns) BOOST_TEST(parent->second[0].second < phases[0].second);
        if (parent->second.size() != 2) continue;
        const std::size_t end = parent->second[1].second;
        if (steps[end].at_ns >= steps[phases.back().second].at_ns) {
          BOOST_TEST(end > phases.back().second);
        }
      }
    }
    BOOST_TEST(seen.size() == wanted);
  }
}

BOOST_FIXTURE_TEST_CASE(waits_follow_the_pace, Fixture) {
  world.commit([&] {
    world.add(observation("a", 1000, 1500));
    world.add(observation("b", 11'500, 11'501));
  });
  const auto waits = [&](const ReplayPace& pace) {
    std::vector<std::int64_t> all;
    for (const Row& row : play("s", pace)) all.push_back(row.wait_ns);
    return all;
  };
  using Waits = std::vector<std::int64_t>;
  // +t +a -a +b -b -t
  BOOST_TEST((waits({}) == Waits{0, 0, 500, 10'000, 1, 0}));
  BOOST_TEST((waits({2, 0}) == Waits{0, 0, 250, 5000, 1, 0}));
  BOOST_TEST((waits({0.5, 0}) == Waits{0, 0, 1000, 20'000, 2, 0}));
  BOOST_TEST((waits({1, 600}) == Waits{0, 0, 500, 600, 1, 0}));
  BOOST_TEST((waits({10, 600}) == Waits{0, 0, 50, 600, 0, 0}));
  BOOST_TEST((waits({0.5, 600}) == Waits{0, 0, 600, 600, 2, 0}));
  BOOST_TEST((waits({1e-300, 0}) == Waits{0, 0, INT64_MAX, INT64_MAX, INT64_MAX, 0}));
  const auto snapshot = world.snapshot();
  for (const double speed : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN()}) {
    const auto refused = replay(snapshot, "s", {speed, 0});
    BOOST_TEST((failure(refused) == Code::invalid));
    BOOST_TEST(refused.error().field == "speed");
  }
  BOOST_TEST((failure(replay(snapshot, "s", {1, -1})) == Code::invalid));
}

BOOST_FIXTURE_TEST_CASE(a_session_without_traces_has_nothing_to_replay, Fixture) {
  world.commit([&] {
    world.add(SessionSpec{"put", true});
    world.add(trace("t", 1, "s"));
  });
  BOOST_TEST(play("put").empty());
  BOOST_TEST((failure(replay(world.snapshot(), "never", {})) == Code::not_found));
  BOOST_TEST((failure(replay(world.snapshot(), "t", {})) == Code::not_found));
}

BOOST_FIXTURE_TEST_CASE(the_whole_range_of_times_can_be_replayed, Fixture) {
  world.commit([&] {
    world.add(observation("a", INT64_MIN, INT64_MIN + 1));
    world.add(observation("b", INT64_MAX, INT64_MAX));
  });
  const auto steps = play("s");
  BOOST_TEST(steps.size() == 6U);
  BOOST_TEST(steps[3].wait_ns == INT64_MAX);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tracelite::query::test
