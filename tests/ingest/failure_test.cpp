// When a batch cannot be written: it is kept and tried again until it can, and what can never be
// written is given up by itself. Nothing is lost, nothing is there twice.
#include <lmdb.h>

#include <atomic>
#include <cerrno>
#include <future>

#include "support.hpp"

namespace tracelite::ingest::test {
namespace {

using store::KeySpace;
using store::testing::Point;

constexpr int kCount = 40;

std::string numbered(int number) { return "o" + std::to_string(number); }

void tag_it(EventBuilder& builder) { must(builder.tag("first")); }

void record_all(const Scene& scene) {
  scene.record(trace("t", tag_it));
  for (int i = 0; i < kCount; ++i) {
    scene.record(observation("t", numbered(i), with_payload(Field::input, Form::text, noise(500))));
  }
  scene.record(score("t", {}, "s"));
}

// All of record_all, each once.
void check_all(const Scene& scene) {
  const Look look = scene.look();
  const record::Statistics statistics = look.statistics();
  BOOST_TEST(statistics.traces == 1U);
  BOOST_TEST(statistics.observations == static_cast<std::uint64_t>(kCount));
  BOOST_TEST(statistics.scores == 1U);
  BOOST_TEST(statistics.payload_size_bytes == 500U * kCount);
  BOOST_TEST(look.record_count() == kCount + 2U);
  BOOST_TEST(look.shared_payload_count() == static_cast<std::uint64_t>(kCount));
  BOOST_TEST(look.trace("t").orders.size() == 1U);
  for (int i = 0; i < kCount; ++i) {
    const model::Entity entity = look.observation("t", numbered(i));
    BOOST_TEST(entity.orders.size() == 1U);
    BOOST_REQUIRE(look.payload(entity, Field::input) == noise(500));
  }
  BOOST_TEST(look.counter(Reason::write_failed) == 0U);
}

// A mark on a record that no later write can get past.
void damage(const Scene& scene, const record::RecordKey& key) {
  auto transaction = must(scene.environment()->begin_write());
  must(record::records(transaction).put(record::encode(key), "no record at all"));
  must(transaction.commit());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(failures)

BOOST_AUTO_TEST_CASE(flush_tells_why_and_succeeds_once_the_cause_is_gone) {
  struct Case {
    Point point;
    std::uint64_t nth;
    int engine_code;
    Code code;
  };
  const Case cases[] = {
      {Point::begin_write, 1, EIO, Code::io},    {Point::put, 1, EIO, Code::io},
      {Point::put, 10, ENOSPC, Code::disk_full}, {Point::put, 20, ENOMEM, Code::no_memory},
      {Point::commit, 1, EIO, Code::io},         {Point::commit, 1, ENOSPC, Code::disk_full},
  };
  for (const Case& one : cases) {
    BOOST_TEST_CONTEXT("point " << static_cast<int>(one.point) << " call " << one.nth << " code "
                                << one.engine_code) {
      Breakage breakage(one.point, one.nth, one.engine_code);
      Options options = lazy();
      options.log = breakage.log();
      Scene scene(options);
      const std::uint64_t before = scene.commits();
      record_all(scene);
      for (int i = 0; i < 2; ++i) {
        const Error error = scene.flush_error();
        BOOST_TEST((error.code == one.code));
        BOOST_TEST(error.engine_code == one.engine_code);
      }
      BOOST_TEST(scene.commits() == before);
      BOOST_TEST(scene.look().statistics().observations == 0U);
      breakage.mend();
      scene.flush_after_mending();
      BOOST_TEST(scene.commits() == before + 1);
      check_all(scene);
    }
  }
}

// What keeps the caps is what may make room: it must not wait for a batch to be written.
BOOST_AUTO_TEST_CASE(a_full_disk_does_not_stop_the_chores_that_make_room) {
  Breakage breakage(Point::commit, 1, ENOSPC);
  std::atomic<bool> is_told{false};
  Options options = lazy();
  options.log = breakage.log();
  options.chore = [&] {
    if (is_told) breakage.mend();
    return false;
  };
  Scene scene(options);
  record_all(scene);
  BOOST_TEST((scene.flush_error().code == Code::disk_full));
  is_told = true;
  // Before the next batch, and without anything else that would help.
  for (int i = 0; i < 3 && !scene.flushed(); ++i) {
  }
  check_all(scene);
}

BOOST_AUTO_TEST_CASE(a_failed_commit_in_the_middle_keeps_what_was_there) {
  Scene scene;
  for (int round = 0; round < 5; ++round) {
    // Each batch joins with the one before; the third put or commit of it fails, once.
    store::testing::fail(round % 2 == 0 ? Point::commit : Point::put, round % 2 == 0 ? 1 : 3, EIO);
    for (int i = 0; i < kCount; ++i) {
      EventBuilder builder(EntityKind::observation, true);
      must(builder.id(numbered(i)));
      must(builder.trace_id("t"));
      must(builder.tag("round" + std::to_string(round)));
      builder.payload(Field::output, Form::text, noise(400, static_cast<std::uint32_t>(round)));
      must(builder.seal(round));
      scene.record(builder);
    }
    scene.flush_after_mending();
  }
  store::testing::fail_nothing();
  const Look look = scene.look();
  BOOST_TEST(look.statistics().observations == static_cast<std::uint64_t>(kCount));
  BOOST_TEST(look.statistics().payload_size_bytes == 400U * kCount);
  BOOST_TEST(look.shared_payload_count() == static_cast<std::uint64_t>(kCount));
  for (int i = 0; i < kCount; ++i) {
    const model::Entity entity = look.observation("t", numbered(i));
    BOOST_TEST(model::view_observation(entity).tags.size() == 5U);
    BOOST_REQUIRE(look.payload(entity, Field::output) == noise(400, 4));
  }
}

BOOST_AUTO_TEST_CASE(recording_goes_on_while_nothing_can_be_written) {
  Breakage breakage(Point::commit, 1, EIO);
  Options options;
  options.commit_interval_ms = 0;
  options.log = breakage.log();
  Scene scene(options);
  scene.record(trace("t", tag_it));
  breakage.wait_for_failure();
  for (int i = 0; i < kCount; ++i) {
    scene.record(observation("t", numbered(i), with_payload(Field::input, Form::text, noise(500))));
  }
  scene.record(score("t", {}, "s"));
  breakage.mend();
  scene.flush_after_mending();
  check_all(scene);
}

BOOST_AUTO_TEST_CASE(closing_with_a_deadline_gives_up_what_cannot_be_written) {
  Breakage breakage(Point::commit, 1, EIO);
  Options options;
  options.commit_interval_ms = 0;
  options.log = breakage.log();
  Scene scene(options);
  scene.record(trace("t"));
  scene.record(trace("u"));
  breakage.wait_for_failure();
  BOOST_TEST(scene.recorder().close(milliseconds(0)).dropped_count == 2U);
  breakage.mend();
  scene.reopen();
  scene.start(lazy());
  scene.record(trace("v"));
  scene.flush();
  BOOST_TEST(scene.look().statistics().traces == 1U);
}

BOOST_AUTO_TEST_CASE(a_full_map_in_the_middle_of_a_batch_grows_and_nobody_notices) {
  for (const std::uint64_t nth : {1U, 5U, 20U}) {
    std::atomic<int> logged{0};
    Options options = lazy();
    options.log = [&](LogLevel, Reason, const std::string&) { ++logged; };
    Scene scene(options);
    record_all(scene);
    const std::size_t map_size = scene.environment()->map_size_bytes();
    store::testing::fail(Point::put, nth, MDB_MAP_FULL);
    scene.flush();
    BOOST_TEST(scene.environment()->map_size_bytes() > map_size);
    BOOST_TEST(logged == 0);
    check_all(scene);
  }
}

BOOST_AUTO_TEST_CASE(a_map_that_is_full_again_and_again_keeps_everything) {
  constexpr std::size_t kSizeBytes = 300'000;
  Options options;
  options.commit_interval_ms = 0;
  Scene scene(options, {.map_size_bytes = store::kMinimumMapSizeBytes});
  for (int i = 0; i < 30; ++i) {
    const std::string text = noise(kSizeBytes, static_cast<std::uint32_t>(i));
    scene.record(observation("t", numbered(i), with_payload(Field::input, Form::text, text)));
  }
  scene.flush();
  BOOST_TEST(scene.environment()->map_size_bytes() > 30 * kSizeBytes * 3 / 4);
  const Look look = scene.look();
  BOOST_TEST(look.statistics().observations == 30U);
  for (int i = 0; i < 30; ++i) {
    const std::string text = noise(kSizeBytes, static_cast<std::uint32_t>(i));
    BOOST_REQUIRE((look.payload(look.observation("t", numbered(i)), Field::input) == text));
  }
}

BOOST_AUTO_TEST_CASE(an_event_that_can_never_be_written_is_dropped_alone) {
  std::atomic<int> told{0};
  Options options = lazy();
  options.log = [&](LogLevel level, Reason reason, const std::string&) {
    if (level == LogLevel::error && reason == Reason::write_failed) ++told;
  };
  Scene scene(options);
  scene.record(observation("t", "bad"));
  scene.record(observation("t", "good"));
  scene.flush();
  damage(scene, scene.look().find_observation("t", "bad")->key);

  scene.record(observation("t", "before"));
  scene.record(observation("t", "bad", tag_it, 2));
  scene.record(observation("t", "good", tag_it, 2));
  scene.record(observation("u", "after"));
  const Error error = scene.flush_error();
  BOOST_TEST((error.code == Code::corrupt));
  BOOST_TEST(told == 1);
  scene.flush();  // told once

  const Look look = scene.look();
  BOOST_TEST(look.find_observation("t", "before").has_value());
  BOOST_TEST(look.find_observation("u", "after").has_value());
  BOOST_TEST(model::view_observation(look.observation("t", "good")).tags.size() == 1U);
  scene.close();
  BOOST_TEST(scene.look().counter(Reason::write_failed) == 1U);
}

// The one that is dropped is alone in its batch, and told by the flush that waited for it.
BOOST_AUTO_TEST_CASE(a_batch_of_nothing_but_a_bad_event_ends) {
  Scene scene;
  scene.record(observation("t", "bad"));
  scene.flush();
  damage(scene, scene.look().find_observation("t", "bad")->key);
  for (int i = 0; i < 3; ++i) {
    scene.record(observation("t", "bad", tag_it, 2 + i));
    BOOST_TEST((scene.flush_error().code == Code::corrupt));
  }
  scene.record(observation("t", "good"));
  scene.flush();
  BOOST_TEST(scene.look().counter(Reason::write_failed) == 3U);
}

BOOST_AUTO_TEST_CASE(a_failure_beside_a_bad_event_drops_only_the_bad_one) {
  Scene scene;
  scene.record(observation("t", "bad"));
  scene.flush();
  damage(scene, scene.look().find_observation("t", "bad")->key);
  scene.record(observation("t", "first"));
  scene.record(observation("t", "bad", tag_it, 2));
  scene.record(observation("t", "second"));
  scene.record(observation("t", "third"));
  // Fails in one of the transactions into which the batch is taken apart.
  store::testing::fail(Point::commit, 2, EIO);
  int failures = 0;
  while (!scene.flushed()) ++failures;
  BOOST_TEST((failures == 1 || failures == 2));  // told apart or together
  const Look look = scene.look();
  for (const char* id : {"first", "second", "third"}) {
    BOOST_TEST(look.observation("t", id).orders.size() == 1U);
  }
  scene.close();
  BOOST_TEST(scene.look().counter(Reason::write_failed) == 1U);
}

BOOST_AUTO_TEST_CASE(what_was_written_of_a_batch_is_not_counted_as_lost) {
  Options options = lazy();
  // The disk fails from the bad event on, until the rest is given up.
  options.log = [](LogLevel level, Reason, const std::string&) {
    if (level == LogLevel::error) {
      store::testing::fail(Point::commit, 1, EIO);
    } else {
      store::testing::fail_nothing();
    }
  };
  Scene scene(options);
  scene.record(observation("t", "bad"));
  scene.flush();
  damage(scene, scene.look().find_observation("t", "bad")->key);
  for (const char* id : {"first", "bad", "second", "third"}) {
    scene.record(observation("t", id, tag_it, 2));
  }
  BOOST_TEST((scene.flush_error().code == Code::io));
  BOOST_TEST(scene.recorder().close(milliseconds(0)).dropped_count == 2U);
  const Look look = scene.look();
  BOOST_TEST(look.find_observation("t", "first").has_value());
  BOOST_TEST(look.counter(Reason::write_failed) == 1U);
  BOOST_TEST(look.counter(Reason::closed) == 2U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::ingest::test
