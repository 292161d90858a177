// A long trace lies in the order in which it came, and everything in it is found again.
#include "support.hpp"

namespace tracelite::ingest::test {
namespace {

constexpr int kCount = 3 * static_cast<int>(record::kChapterObservationCount) + 7;

std::string numbered(int number) { return "o" + std::to_string(number); }

record::Chapter chapter(const Look& look, int number) {
  const auto found = look.find_observation("t", numbered(number));
  if (!found) BOOST_FAIL("observation " << number << " is gone");
  return record::chapter_of(found->key.entity);
}

void record_range(const Scene& scene, int from, int to) {
  for (int i = from; i < to; ++i) scene.record(observation("t", numbered(i), {}, i + 1));
}

void check_order(const Look& look, int count) {
  for (int i = 0; i < count; ++i) {
    BOOST_REQUIRE_EQUAL(chapter(look, i), i / static_cast<int>(record::kChapterObservationCount));
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(chapters)

BOOST_AUTO_TEST_CASE(a_long_trace_in_one_batch_lies_in_the_order_in_which_it_came) {
  Scene scene;
  record_range(scene, 0, kCount);
  scene.flush();
  check_order(scene.look(), kCount);
}

BOOST_AUTO_TEST_CASE(a_chapter_is_filled_whoever_writes) {
  Scene scene;
  record_range(scene, 0, 500);
  scene.flush();
  const auto other = must(Recorder::start(scene.environment(), lazy()));
  for (int i = 500; i < 700; ++i) {
    EventBuilder event = observation("t", numbered(i), {}, i + 1);
    must(other->record(event));
  }
  must(other->wait_until_durable(std::nullopt));
  record_range(scene, 700, kCount);
  scene.flush();
  check_order(scene.look(), kCount);
}

BOOST_AUTO_TEST_CASE(an_observation_of_any_chapter_is_joined_with_what_comes_later) {
  Scene scene;
  record_range(scene, 0, kCount);
  scene.flush();
  for (int i = 0; i < kCount; ++i) {
    scene.record(observation(
        "t", numbered(i), [](EventBuilder& builder) { builder.time(Field::end_time, 1); },
        kCount + i + 1));
  }
  scene.flush();
  const Look look = scene.look();
  BOOST_TEST(look.statistics().observations == static_cast<std::uint64_t>(kCount));
  check_order(look, kCount);
  for (int i = 0; i < kCount; ++i) {
    BOOST_REQUIRE_EQUAL(look.observation("t", numbered(i)).orders.size(), 2U);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::ingest::test
