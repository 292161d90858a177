// Traces as trees, whatever is missing, circular, deep or wide in them.
#include <algorithm>
#include <ctime>
#include <set>

#include "oracle.hpp"
#include "random_world.hpp"

namespace tracelite::query::test {
namespace {

struct Fixture {
  std::uint32_t seed = tracelite::test::short_random_seed();
  std::mt19937 random{seed};
  World world;

  int below(int count) { return std::uniform_int_distribution<int>(0, count - 1)(random); }
};

ObservationSpec observation(const std::string& trace_id, const std::string& id, Text parent,
                            std::int64_t start_ns) {
  ObservationSpec spec;
  spec.trace_id = trace_id;
  spec.id = id;
  spec.parent = std::move(parent);
  spec.start_ns = start_ns;
  return spec;
}

// "id@depth" for each row.
std::vector<std::string> shape(const std::vector<Row>& all) {
  std::vector<std::string> words;
  for (const Row& row : all) {
    const std::string& id = row.kind == Kind::trace ? row.trace_id : row.entity.id;
    words.push_back(id + "@" + std::to_string(row.depth));
  }
  return words;
}

// The same by recursion, from the specifications of one trace.
class Tree {
 public:
  Tree(const std::string& trace_id, std::vector<ObservationSpec> specs) : specs_(std::move(specs)) {
    std::sort(specs_.begin(), specs_.end(), [](const auto& a, const auto& b) {
      return std::tie(a.start_ns, a.id) < std::tie(b.start_ns, b.id);
    });
    for (const ObservationSpec& spec : specs_) parents_[spec.id] = spec.parent.value_or("");
    for (const ObservationSpec& spec : specs_) {  // the earliest first
      if (is_above_itself(spec.id)) parents_[spec.id] = "";
    }
    words.push_back(trace_id + "@0");
    for (const ObservationSpec& spec : specs_) {
      if (!parents_.contains(parents_[spec.id])) walk(spec.id, 1);
    }
  }
  std::vector<std::string> words;

 private:
  bool is_above_itself(const std::string& id) {
    std::string at = parents_[id];
    for (std::size_t steps = 0; steps <= specs_.size(); ++steps) {
      if (at == id) return true;
      if (!parents_.contains(at)) return false;
      at = parents_[at];
    }
    return false;
  }
  void walk(const std::string& id, int depth) {
    words.push_back(id + "@" + std::to_string(depth));
    for (const ObservationSpec& spec : specs_) {
      if (parents_[spec.id] == id) walk(spec.id, depth + 1);
    }
  }

  std::vector<ObservationSpec> specs_;
  std::map<std::string, std::string> parents_;
};

std::vector<std::string> words(std::initializer_list<const char*> all) {
  return {all.begin(), all.end()};
}

BOOST_AUTO_TEST_SUITE(trees)

BOOST_FIXTURE_TEST_CASE(children_follow_their_parent_in_the_order_of_start_and_id, Fixture) {
  world.commit([&] {
    world.add(observation("t", "root", {}, 5));
    world.add(observation("t", "late", "root", 9));
    world.add(observation("t", "b", "root", 7));
    world.add(observation("t", "a", "root", 7));
    world.add(observation("t", "deep", "b", 1));  // before its parent
    world.add(observation("t", "orphan", "gone", 6));
    world.add(observation("t", "self", "self", 4));
    world.add(observation("t", "child of self", "self", 4));
    world.add(observation("other", "elsewhere", "root", 1));
  });
  const auto given = rows(tree(world.snapshot(), "t"));
  BOOST_TEST(shape(given) == words({"t@0", "self@1", "child of self@2", "root@1", "a@2", "b@2",
                                    "deep@3", "late@2", "orphan@1"}),
             boost::test_tools::per_element());
  BOOST_TEST((given.front().kind == Kind::trace));
  BOOST_TEST(given.front().aggregate.observation_count == 8U);
  BOOST_TEST((given.back().kind == Kind::observation));
  BOOST_TEST(given.back().trace_id == "t");
}

BOOST_FIXTURE_TEST_CASE(a_cycle_is_cut_at_its_earliest_member, Fixture) {
  world.commit([&] {
    world.add(observation("t", "c", "b", 3));
    world.add(observation("t", "a", "c", 2));
    world.add(observation("t", "b", "a", 1));
    world.add(observation("t", "below", "a", 9));
    world.add(observation("t", "x", "y", 4));
    world.add(observation("t", "y", "x", 4));
  });
  BOOST_TEST(shape(rows(tree(world.snapshot(), "t"))) ==
                 words({"t@0", "b@1", "c@2", "a@3", "below@4", "x@1", "y@2"}),
             boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(random_parents_give_the_same_tree_as_recursion, Fixture) {
  for (int round = 0; round < 300; ++round) {
    const std::string trace_id = "trace-" + std::to_string(round);
    const int count = 1 + below(30);
    std::vector<ObservationSpec> specs;
    for (int i = 0; i < count; ++i) {
      Text parent;
      if (below(5) != 0) parent = "o" + std::to_string(below(count + 2));
      specs.push_back(observation(trace_id, "o" + std::to_string(i), parent, below(6)));
    }
    world.commit([&] {
      for (const ObservationSpec& spec : specs) world.add(spec);
    });
    const auto given = shape(rows(tree(world.snapshot(), trace_id)));
    BOOST_TEST_CONTEXT("round " << round) {
      BOOST_TEST(given == Tree(trace_id, specs).words, boost::test_tools::per_element());
    }
  }
}

BOOST_FIXTURE_TEST_CASE(a_trace_without_observations_is_one_row, Fixture) {
  world.commit([&] {
    TraceSpec trace;
    trace.id = "t";
    world.add(trace);
    ScoreSpec score;
    score.id = "s";
    score.name = "n";
    score.trace_id = "unseen";
    world.add(score);
  });
  BOOST_TEST(shape(rows(tree(world.snapshot(), "t"))) == words({"t@0"}),
             boost::test_tools::per_element());
  // A trace that only a score names is no trace.
  BOOST_TEST((failure(tree(world.snapshot(), "unseen")) == Code::not_found));
  BOOST_TEST((failure(tree(world.snapshot(), "never")) == Code::not_found));
}

// Rows are read ahead, up to a bound in bytes: some records here are beyond it by themselves.
BOOST_FIXTURE_TEST_CASE(records_of_any_size_come_in_the_order_of_the_tree, Fixture) {
  constexpr int kCount = 1'500;
  std::vector<std::size_t> sizes_bytes;
  world.commit([&] {
    for (int i = 0; i < kCount; ++i) {
      const std::size_t size_bytes = i % 100 == 7 ? 1'300'000 : i % 3 == 0 ? 9'000 : 10;
      sizes_bytes.push_back(static_cast<std::size_t>(below(static_cast<int>(size_bytes))));
      ObservationSpec spec = observation("large", std::to_string(i), {}, i);
      spec.model = std::string(sizes_bytes.back(), 'm');
      must(world.try_add(spec));
    }
  });
  const auto cursor = must(tree(world.snapshot(), "large"));
  Row row;
  BOOST_REQUIRE(must(cursor->next(row)));
  for (int i = 0; i < kCount; ++i) {
    BOOST_REQUIRE_MESSAGE(must(cursor->next(row)), "seed " << seed);
    BOOST_REQUIRE(row.entity.id == std::to_string(i));
    const auto model = model::view_observation(row.entity).model;
    BOOST_REQUIRE(model.value_or("").size() == sizes_bytes[static_cast<std::size_t>(i)]);
  }
  BOOST_TEST(!must(cursor->next(row)));
}

BOOST_FIXTURE_TEST_CASE(trees_have_no_position, Fixture) {
  world.commit([&] { world.add(observation("t", "o", {}, 1)); });
  const auto cursor = must(tree(world.snapshot(), "t"));
  Row row;
  BOOST_REQUIRE(must(cursor->next(row)));
  BOOST_TEST((cursor->position().error().code == Code::misuse));
}

BOOST_FIXTURE_TEST_CASE(a_hundred_thousand_observations_ten_thousand_levels_deep, Fixture) {
  constexpr int kCount = 100'000;
  constexpr int kDepth = 10'000;
  // A chain of 10,000, ten hang below every link; given in an order that has nothing to do with it.
  std::vector<int> numbers(kCount);
  for (int i = 0; i < kCount; ++i) numbers[static_cast<std::size_t>(i)] = i;
  std::shuffle(numbers.begin(), numbers.end(), random);
  world.commit([&] {
    for (const int i : numbers) {
      Text parent;
      if (i >= kDepth) parent = std::to_string(i % kDepth);
      if (i > 0 && i < kDepth) parent = std::to_string(i - 1);
      must(world.try_add(observation("huge", std::to_string(i), parent, i)));
    }
  });
  const auto snapshot = world.snapshot();
  const auto began = std::clock();
  const auto cursor = must(tree(snapshot, "huge"));
  const auto built = std::clock();
  std::vector<bool> seen(kCount);
  std::vector<std::string> path;  // the ids above the row
  std::uint32_t deepest = 0;
  int count = 0;
  Row row;
  BOOST_REQUIRE(must(cursor->next(row)));
  BOOST_TEST(row.aggregate.observation_count == static_cast<std::uint64_t>(kCount));
  while (must(cursor->next(row))) {
    ++count;
    const int id = std::stoi(row.entity.id);
    BOOST_REQUIRE(!seen[static_cast<std::size_t>(id)]);
    seen[static_cast<std::size_t>(id)] = true;
    deepest = std::max(deepest, row.depth);
    BOOST_REQUIRE(row.depth <= path.size() + 1);
    path.resize(row.depth - 1);
    const auto parent = model::view_observation(row.entity).parent_id;
    BOOST_REQUIRE(path.empty() ? !parent : *parent == path.back());
    path.push_back(row.entity.id);
  }
  BOOST_TEST(count == kCount);
  BOOST_TEST(deepest == static_cast<std::uint32_t>(kDepth) + 1);
  const auto ms = [](std::clock_t from, std::clock_t to) {
    return (to - from) * 1000 / CLOCKS_PER_SEC;
  };
  BOOST_TEST_MESSAGE("skeleton " << ms(began, built) << " ms, rows " << ms(built, std::clock())
                                 << " ms of the processor");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tracelite::query::test
