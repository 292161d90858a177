// Which traces are recorded: by the trace id alone, the same everywhere, whole traces in or out.
#include "ingest/sampling.hpp"

#include "support.hpp"

namespace tracelite::ingest::test {
namespace {

// Ids in W3C form; what counts are the lower eight bytes.
const std::string kUpper = "ffffffffffffffff";
const std::string kInHalf = kUpper + "7fffffffffff0000";
const std::string kOutOfHalf = kUpper + "8000000000000000";

std::string numbered(int number) { return "trace-" + std::to_string(number); }

Options half() {
  Options options = lazy();
  options.sample_rate = 0.5;
  return options;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sampling)

BOOST_AUTO_TEST_CASE(an_id_in_w3c_form_is_in_if_its_lower_half_is_below_the_rate) {
  BOOST_TEST(is_sampled(kInHalf, 0.5));
  BOOST_TEST(!is_sampled(kOutOfHalf, 0.5));
  BOOST_TEST(is_sampled("00000000000000007fffffffffff0000", 0.5));
  BOOST_TEST(!is_sampled("00000000000000008000000000000000", 0.5));
  BOOST_TEST(is_sampled(kUpper + "3fffffffffff0000", 0.25));
  BOOST_TEST(!is_sampled(kUpper + "4000000000000000", 0.25));
  BOOST_TEST(is_sampled(kUpper + "0000000000000000", 1e-18));
  BOOST_TEST(!is_sampled(kUpper + "0000000000000100", 1e-18));
}

BOOST_AUTO_TEST_CASE(all_or_none_at_the_ends) {
  for (const std::string& id : {kInHalf, kOutOfHalf, kUpper + kUpper, numbered(1)}) {
    BOOST_TEST(is_sampled(id, 1));
    BOOST_TEST(!is_sampled(id, 0));
  }
}

BOOST_AUTO_TEST_CASE(a_share_of_other_ids_is_in_and_stays_in_at_higher_rates) {
  constexpr int kCount = 10'000;
  int in_tenth = 0;
  int in_half = 0;
  for (int i = 0; i < kCount; ++i) {
    const std::string id = numbered(i);
    const bool tenth = is_sampled(id, 0.1);
    const bool half = is_sampled(id, 0.5);
    BOOST_REQUIRE((!tenth || half));
    in_tenth += tenth ? 1 : 0;
    in_half += half ? 1 : 0;
  }
  // The ids are always the same, so these are no chances.
  BOOST_TEST((in_tenth > 900 && in_tenth < 1100));
  BOOST_TEST((in_half > 4800 && in_half < 5200));
}

BOOST_AUTO_TEST_CASE(only_lower_case_hex_of_its_length_has_w3c_form) {
  // By their last digits as hex all of these were out.
  int in = 0;
  for (int i = 0; i < 100; ++i) {
    const std::string tail = "FFFFFFFFFFFFFF" + std::to_string(10 + i % 90);
    in += is_sampled(kUpper + tail, 0.5) ? 1 : 0;
    in += is_sampled(kUpper + "0" + "ffffffffffffff" + std::to_string(10 + i % 90), 0.5) ? 1 : 0;
  }
  BOOST_TEST(in > 50);
}

BOOST_AUTO_TEST_CASE(scores_and_observations_follow_their_trace) {
  Scene scene(half());
  for (const std::string& id : {kInHalf, kOutOfHalf}) {
    scene.record(trace(id));
    scene.record(observation(id, "observation"));
    scene.record(score(id, {}, "score of " + id));
  }
  scene.flush();
  const Look look = scene.look();
  BOOST_TEST(look.has_trace(kInHalf));
  BOOST_TEST(look.find_observation(kInHalf, "observation").has_value());
  BOOST_TEST(look.has_score("score of " + kInHalf));
  BOOST_TEST(!look.has_trace(kOutOfHalf));
  BOOST_TEST(!look.has_score("score of " + kOutOfHalf));
  BOOST_TEST(look.statistics().observations == 1U);
  BOOST_TEST(look.counter(Reason::sampled_out) == 3U);
}

BOOST_AUTO_TEST_CASE(an_observation_without_a_trace_goes_by_its_own_id) {
  Scene scene(half());
  scene.record(observation({}, kInHalf));
  scene.record(observation({}, kOutOfHalf));
  scene.flush();
  BOOST_TEST(scene.look().has_trace(kInHalf));
  BOOST_TEST(!scene.look().has_trace(kOutOfHalf));
}

BOOST_AUTO_TEST_CASE(sessions_and_their_scores_are_always_kept) {
  Options options = lazy();
  options.sample_rate = 0;
  Scene scene(options);
  scene.record(trace(kInHalf));
  scene.record(session("holidays"));
  scene.record(score({}, "holidays", "liked"));
  scene.flush();
  BOOST_TEST(scene.look().statistics().traces == 0U);
  BOOST_TEST(scene.look().statistics().sessions == 1U);
  BOOST_TEST(scene.look().has_score("liked"));
}

BOOST_AUTO_TEST_CASE(every_process_and_every_part_of_a_trace_decides_the_same) {
  Scene first(half());
  Scene second(half());
  for (int i = 0; i < 200; ++i) {
    first.record(trace(numbered(i)));
    second.record(observation(numbered(i), "observation"));
  }
  first.flush();
  second.flush();
  const Look traces = first.look();
  const Look observations = second.look();
  for (int i = 0; i < 200; ++i) {
    BOOST_REQUIRE(traces.has_trace(numbered(i)) == observations.has_trace(numbered(i)));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::ingest::test
