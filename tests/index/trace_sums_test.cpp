// Sums kept from change to change are the sums made anew.
#include "index/trace_sums.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <limits>
#include <map>
#include <random>

namespace tracelite::index::test {
namespace {

std::string coded(const TraceSums& sums, std::int64_t time_ns = 0) {
  std::string bytes;
  sums.encode(time_ns, bytes);
  return bytes;
}

TraceSums sum_of(const std::map<int, Figures>& all) {
  TraceSums sums;
  for (const auto& [number, figures] : all) sums.add(figures);
  return sums;
}

Figures finished(std::int64_t start_ns, std::int64_t end_ns) {
  Figures figures;
  figures.start_ns = start_ns;
  figures.end_ns = end_ns;
  figures.level = 2;
  return figures;
}

// Times, tokens and costs from a few, so that they meet; some at the end of their range.
class RandomFigures {
 public:
  explicit RandomFigures(std::uint32_t seed) : random_(seed) {}

  int below(int end) { return static_cast<int>(random_() % static_cast<unsigned>(end)); }
  Figures next() {
    Figures figures;
    figures.start_ns = time();
    if (below(3) != 0) figures.end_ns = std::max(figures.start_ns, time());
    figures.is_event = below(4) == 0;
    figures.level = 1 + below(4);
    figures.input_tokens = tokens();
    figures.output_tokens = tokens();
    figures.total_tokens = tokens();
    figures.cost = below(3) == 0 ? model::kCostUnitsMax : below(1000) - 500;
    return figures;
  }

 private:
  std::int64_t time() {
    switch (below(30)) {
      case 0:
        return std::numeric_limits<std::int64_t>::min();
      case 1:
        return std::numeric_limits<std::int64_t>::max();
      default:
        return below(6);
    }
  }
  std::int64_t tokens() {
    return below(5) == 0 ? std::numeric_limits<std::int64_t>::max() : below(100);
  }

  std::mt19937 random_;
};

BOOST_AUTO_TEST_SUITE(trace_sums)

BOOST_AUTO_TEST_CASE(changes_come_to_the_sums_made_anew) {
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    RandomFigures random(seed);
    std::map<int, Figures> all;
    TraceSums sums;
    int told = 0;
    for (int i = 0; i < 60; ++i) {
      const int number = random.below(8);
      const auto at = all.find(number);
      const std::optional<Figures> before =
          at == all.end() ? std::nullopt : std::optional(at->second);
      std::optional<Figures> after;
      if (!before || random.below(4) != 0) after = random.next();
      if (after) {
        all[number] = *after;
      } else {
        all.erase(number);
      }
      const bool is_told = sums.change(before ? &*before : nullptr, after ? &*after : nullptr);
      if (!is_told) sums = sum_of(all);
      told += is_told ? 1 : 0;
      BOOST_REQUIRE_MESSAGE(coded(sums) == coded(sum_of(all)), "seed " << seed << ", step " << i);
    }
    BOOST_TEST(told > 10);
  }
}

BOOST_AUTO_TEST_CASE(the_coding_comes_back) {
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    RandomFigures random(seed);
    TraceSums sums;
    sums.score_count = static_cast<std::uint64_t>(random.below(3));
    for (int i = random.below(4); i > 0; --i) sums.add(random.next());
    for (const std::int64_t time_ns : {std::int64_t{0}, INT64_MIN, INT64_MAX, std::int64_t{5}}) {
      BOOST_REQUIRE(TraceSums::decode(coded(sums, time_ns), time_ns) == sums);
    }
  }
  BOOST_TEST(coded(TraceSums()).size() == 1U);
}

BOOST_AUTO_TEST_CASE(an_end_that_comes_later_needs_no_summing) {
  TraceSums sums;
  Figures begun = finished(10, 0);
  begun.end_ns.reset();
  BOOST_TEST(sums.change(nullptr, &begun));
  BOOST_TEST(sums.unfinished_count == 1U);
  const Figures other = finished(11, 15);
  BOOST_TEST(sums.change(nullptr, &other));
  const Figures ended = finished(10, 20);
  BOOST_TEST(sums.change(&begun, &ended));
  BOOST_TEST(sums.unfinished_count == 0U);
  BOOST_TEST(sums.latency_ns() == 10);
  BOOST_TEST(sums.observation_count() == 2U);
  // But nobody knows what is next to the latest end when that goes.
  BOOST_TEST(!sums.change(&ended, nullptr));
}

BOOST_AUTO_TEST_CASE(sums_stay_at_the_end_of_their_range) {
  Figures large = finished(0, 1);
  large.total_tokens = INT64_MAX;
  TraceSums sums;
  for (int i = 0; i < 4; ++i) BOOST_TEST(sums.change(nullptr, &large));
  BOOST_TEST(sums.total_tokens == UINT64_MAX);
  const Figures small = finished(0, 1);
  BOOST_TEST(!sums.change(&large, &small));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tracelite::index::test
