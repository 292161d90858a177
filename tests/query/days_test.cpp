// Days by model, kept summed up or summed on reading, against sums made here.
#include <algorithm>
#include <map>

#include "index/day_sums.hpp"
#include "model/decimal.hpp"
#include "random_world.hpp"

namespace tracelite::query::test {
namespace {

using index::kDayNs;

struct Fixture {
  std::uint32_t seed = tracelite::test::short_random_seed();
  RandomWorld random{seed};
  World world;

  // Observations of a few days before and after 1970.
  void grow(int count) {
    world.commit([&] {
      for (int i = 0; i < count; ++i) {
        ObservationSpec spec = random.observation(random.one_of("trace-", 8), {});
        spec.start_ns = (random.below(5) - 2) * kDayNs + random.below(3) - 1;
        spec.end_ns.reset();
        if (random.chance(2)) spec.end_ns = spec.start_ns + random.below(10);
        world.add(spec);
      }
    });
  }
  void erase_some() {
    world.commit([&] {
      for (int i = 0; i < 20 && !world.observations.empty(); ++i) {
        const auto at = random.below(static_cast<int>(world.observations.size()));
        const ObservationSpec spec = world.observations[static_cast<std::size_t>(at)];
        world.erase_observation(spec);
      }
    });
  }
};

std::string describe_day(const Aggregate& sums) {
  std::string text = sums.key + " " + sums.model;
  for (const std::uint64_t count : sums.level_counts) text += " " + std::to_string(count);
  for (const std::uint64_t number :
       {sums.trace_count, sums.observation_count, sums.unfinished_count, sums.input_tokens,
        sums.output_tokens, sums.total_tokens}) {
    text += " " + std::to_string(number);
  }
  return text + " " + model::format_decimal(sums.total_cost) + "\n";
}

const char* date_of(std::int64_t day) {
  static constexpr const char* kDates[] = {"1969-12-29", "1969-12-30", "1969-12-31",
                                           "1970-01-01", "1970-01-02", "1970-01-03"};
  return kDates[day + 3];
}

// Newest first; of a day the last model first.
std::string expected(const World& world, const Filter& filter) {
  std::map<std::pair<std::int64_t, std::string>, Aggregate> days;
  for (const ObservationSpec& spec : world.observations) {
    if ((filter.from_ns && spec.start_ns < *filter.from_ns) ||
        (filter.to_ns && spec.start_ns >= *filter.to_ns) ||
        (filter.model && spec.model != *filter.model) ||
        (filter.name && spec.name != *filter.name)) {
      continue;
    }
    std::int64_t day = -3;
    while ((day + 1) * kDayNs <= spec.start_ns) ++day;
    Aggregate& sums = days[{day, spec.model.value_or("")}];
    ++sums.observation_count;
    ++sums.level_counts[static_cast<int>(spec.level) - 1];
    if (!spec.end_ns && spec.type != model::ObservationType::event) ++sums.unfinished_count;
    sums.input_tokens += spec.input_tokens;
    sums.output_tokens += spec.output_tokens;
    sums.total_tokens += spec.input_tokens + spec.output_tokens;
    sums.total_cost += spec.cost;
  }
  std::string text;
  for (auto at = days.rbegin(); at != days.rend(); ++at) {
    at->second.key = date_of(at->first.first);
    at->second.model = at->first.second;
    text += describe_day(at->second);
  }
  return text;
}

std::string given(const World& world, const Filter& filter) {
  std::string text;
  for (const Row& row : rows(list(world.snapshot(), Kind::day, filter, {}, {}, 0))) {
    text += describe_day(row.aggregate);
  }
  return text;
}

BOOST_AUTO_TEST_SUITE(days)

BOOST_FIXTURE_TEST_CASE(they_are_the_sums_of_what_began_on_them, Fixture) {
  for (int round = 0; round < 6; ++round) {
    grow(60);
    if (round % 2 == 1) erase_some();
    for (int i = 0; i < 40; ++i) {
      Filter filter;
      if (random.chance(3)) filter.model = random.one_of("model-", 4);
      if (random.chance(6)) filter.name = random.one_of("step-", 6);
      const std::int64_t off_ns = random.chance(2) ? 0 : random.below(3) - 1;
      if (random.chance(2)) filter.from_ns = (random.below(5) - 2) * kDayNs + off_ns;
      if (random.chance(2)) filter.to_ns = (random.below(5) - 1) * kDayNs + off_ns;
      BOOST_REQUIRE_EQUAL(given(world, filter), expected(world, filter));
    }
  }
  while (!world.observations.empty()) erase_some();
  BOOST_TEST(given(world, {}).empty());
}

BOOST_FIXTURE_TEST_CASE(pages_of_them_make_the_whole_list, Fixture) {
  grow(120);
  for (const bool ascending : {false, true}) {
    for (const OrderBy by : {OrderBy::time, OrderBy::name, OrderBy::tokens, OrderBy::cost}) {
      const ListOrder order{by, ascending};
      std::string whole;
      for (const Row& row : rows(list(world.snapshot(), Kind::day, {}, order, {}, 0))) {
        whole += describe_day(row.aggregate);
      }
      std::string pages;
      std::string position;
      for (;;) {
        const auto cursor = must(list(world.snapshot(), Kind::day, {}, order, position, 2));
        const auto page = rows(*cursor);
        if (page.empty()) break;
        for (const Row& row : page) pages += describe_day(row.aggregate);
        position = must(cursor->position());
      }
      BOOST_TEST(pages == whole);
    }
  }
}

BOOST_FIXTURE_TEST_CASE(no_model_and_an_empty_one_are_one_row, Fixture) {
  world.commit([&] {
    for (const char* id : {"none", "empty"}) {
      ObservationSpec spec;
      spec.trace_id = "t";
      spec.id = id;
      if (spec.id == "empty") spec.model = "";
      world.add(spec);
    }
  });
  for (const std::int64_t from_ns : {std::int64_t{0}, std::int64_t{-1}}) {  // kept, and selected
    Filter filter;
    filter.from_ns = from_ns;
    const auto all = rows(list(world.snapshot(), Kind::day, filter, {}, {}, 0));
    BOOST_REQUIRE(all.size() == 1U);
    BOOST_TEST(all[0].aggregate.observation_count == 2U);
  }
}

BOOST_FIXTURE_TEST_CASE(a_day_covers_the_whole_of_its_time, Fixture) {
  world.commit([&] {
    for (const std::int64_t start_ns : {std::int64_t{INT64_MIN}, std::int64_t{0}, INT64_MAX}) {
      ObservationSpec spec;
      spec.trace_id = "t";
      spec.id = "o" + std::to_string(start_ns);
      spec.start_ns = start_ns;
      world.add(spec);
    }
  });
  const auto all = rows(list(world.snapshot(), Kind::day, {}, {OrderBy::time, true}, {}, 0));
  BOOST_REQUIRE(all.size() == 3U);
  BOOST_TEST(all[0].aggregate.key == "1677-09-21");
  BOOST_TEST(all[1].aggregate.key == "1970-01-01");
  BOOST_TEST(all[2].aggregate.key == "2262-04-11");
  BOOST_TEST(all[0].aggregate.first_activity_ns == INT64_MIN);
  BOOST_TEST(all[1].aggregate.first_activity_ns == 0);
  BOOST_TEST(all[1].aggregate.last_activity_ns == kDayNs - 1);
  BOOST_TEST(all[2].aggregate.last_activity_ns == INT64_MAX);
  BOOST_TEST((failure(get(world.snapshot(), Kind::day, {}, "1970-01-01")) == Code::invalid));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tracelite::query::test
