// What becomes of a batch: group commit, two recorders on one file, what happens at close.
#include <future>
#include <thread>

#include "ingest/live_observation.hpp"
#include "support.hpp"

namespace tracelite::ingest::test {
namespace {

constexpr std::int64_t kBeginNs = 1'000;
constexpr std::int64_t kEndNs = 2'000;

void begin(EventBuilder& builder) {
  must(builder.text(Field::name, "call"));
  builder.time(Field::start_time, kBeginNs);
}
void end(EventBuilder& builder) { builder.time(Field::end_time, kEndNs); }

std::string numbered(int number) { return "t" + std::to_string(number); }

// How often `work` puts a value.
std::uint64_t count_puts(const std::function<void()>& work) {
  constexpr std::uint64_t kFar = 1'000'000'000;
  store::testing::fail(store::testing::Point::put, kFar, EIO);
  work();
  const auto& trap = store::testing::internal::traps[static_cast<int>(store::testing::Point::put)];
  const std::uint64_t count = kFar - trap.calls_left.load();
  store::testing::fail_nothing();
  return count;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(commit)

BOOST_AUTO_TEST_CASE(events_of_one_commit_interval_share_a_commit) {
  Scene scene;
  for (int round = 0; round < 3; ++round) {
    const std::uint64_t before = scene.commits();
    for (int i = 0; i < 100; ++i) scene.record(trace(numbered(round * 100 + i)));
    scene.flush();
    BOOST_TEST(scene.commits() == before + 1);
  }
  BOOST_TEST(scene.look().statistics().traces == 300U);
}

BOOST_AUTO_TEST_CASE(begin_and_end_in_one_batch_are_one_write) {
  Scene at_once;
  const std::uint64_t once = count_puts([&] {
    at_once.record(observation("t", "o", [](EventBuilder& builder) {
      begin(builder);
      end(builder);
    }));
    at_once.flush();
  });
  Scene in_steps;
  const std::uint64_t before = in_steps.commits();
  const std::uint64_t twice = count_puts([&] {
    in_steps.record(observation("t", "o", begin, kBeginNs));
    in_steps.record(observation("t", "o", end, kEndNs));
    in_steps.flush();
  });
  BOOST_TEST(twice == once);
  BOOST_TEST(in_steps.commits() == before + 1);
  const model::Entity joined = in_steps.look().observation("t", "o");
  const model::ObservationView view = model::view_observation(joined);
  BOOST_TEST(view.start_ns == kBeginNs);
  BOOST_TEST(view.end_ns.value() == kEndNs);
  BOOST_TEST(joined.orders.size() == 2U);
}

BOOST_AUTO_TEST_CASE(an_event_is_written_by_itself_after_the_commit_interval) {
  Options options;
  options.commit_interval_ms = 1;
  Scene scene(options);
  scene.record(trace("t"));
  const auto until = std::chrono::steady_clock::now() + kHangs;
  while (!scene.look().has_trace("t") && std::chrono::steady_clock::now() < until) {
    std::this_thread::yield();
  }
  BOOST_TEST(scene.look().has_trace("t"));
}

BOOST_AUTO_TEST_CASE(a_batch_larger_than_a_transaction_is_several_commits) {
  Options options = lazy();
  options.queue_size_bytes = std::uint64_t{64} << 20;
  Scene scene(options);
  // Holds the writer until everything waits.
  auto held = std::make_unique<store::WriteTransaction>(must(scene.environment()->begin_write()));
  const std::uint64_t before = scene.commits();
  for (int i = 0; i < 12; ++i) {
    scene.record(trace(numbered(i), with_payload(Field::input, Form::text, noise(1 << 20))));
  }
  held.reset();
  scene.flush();
  BOOST_TEST(scene.commits() - before >= 3U);
  for (int i = 0; i < 12; ++i) {
    const Look look = scene.look();
    BOOST_REQUIRE((look.payload(look.trace(numbered(i)), Field::input) == noise(1 << 20)));
  }
}

BOOST_AUTO_TEST_CASE(a_flush_without_anything_new_makes_no_commit) {
  Scene scene;
  scene.record(trace("t"));
  scene.flush();
  const std::uint64_t commit = scene.commits();
  scene.flush();
  BOOST_TEST(scene.commits() == commit);
}

BOOST_AUTO_TEST_CASE(flush_returns_in_time_and_the_writer_goes_on) {
  Gate gate;
  Options options = lazy();
  options.mask = [&](Field, Form form, Bytes bytes) {
    gate.pass();
    return std::optional<Payload>({form, std::string(bytes)});
  };
  Scene scene(options);
  scene.record(trace("t", with_payload(Field::input, Form::text, "x")));
  const auto late = scene.recorder().wait_until_durable(milliseconds(1));
  BOOST_REQUIRE(!late);
  BOOST_TEST((late.error().code == Code::timeout));
  BOOST_TEST(!scene.look().has_trace("t"));
  gate.open();
  scene.flush();
  BOOST_TEST(scene.look().has_trace("t"));
}

BOOST_AUTO_TEST_CASE(a_full_queue_that_drops_counts_what_it_dropped) {
  Options options = lazy();
  options.queue_size_bytes = 4096;
  options.full_policy = FullPolicy::drop;
  std::atomic<int> logged{0};
  options.log = [&](LogLevel level, Reason reason, const std::string&) {
    if (level == LogLevel::warning && reason == Reason::queue_full) ++logged;
  };
  Scene scene(options);
  auto held = std::make_unique<store::WriteTransaction>(must(scene.environment()->begin_write()));
  std::uint64_t kept = 0;
  std::uint64_t dropped = 0;
  for (int i = 0; dropped < 10; ++i) {
    const Status status = scene.recorder().record(
        trace(numbered(i), with_payload(Field::input, Form::text, noise(100))));
    if (status) {
      ++kept;
    } else {
      BOOST_REQUIRE((status.error().code == Code::queue_full));
      ++dropped;
    }
  }
  BOOST_TEST(scene.recorder().queued_size_bytes() <= 4096U);
  BOOST_TEST(logged == 10);
  held.reset();
  scene.flush();
  scene.close();
  BOOST_TEST(scene.look().statistics().traces == kept);
  BOOST_TEST(scene.look().counter(Reason::queue_full) == dropped);
  BOOST_TEST(scene.look().counter(Reason::closed) == 0U);
}

BOOST_AUTO_TEST_CASE(repairs_are_counted_only_for_what_was_recorded) {
  Scene scene;
  const Fill repaired = [](EventBuilder& builder) {
    builder.warn(Reason::environment, "environment", "repaired");
    builder.warn(Reason::tag, "tags", "dropped");
  };
  must(scene.recorder().record(trace("t", repaired)));
  scene.recorder().refused(make_error(Code::invalid, "no such thing"));
  scene.flush();
  scene.close();
  BOOST_TEST((scene.recorder().record(trace("u", repaired)).error().code == Code::misuse));
  BOOST_TEST(scene.look().counter(Reason::environment) == 1U);
  BOOST_TEST(scene.look().counter(Reason::tag) == 1U);
  BOOST_TEST(scene.look().counter(Reason::event_refused) == 1U);
}

BOOST_AUTO_TEST_CASE(counters_of_after_the_last_batch_are_written_at_close) {
  Scene scene;
  scene.record(trace("t"));
  scene.flush();
  scene.recorder().count(Reason::usage, 3);
  scene.close();
  BOOST_TEST(scene.look().counter(Reason::usage) == 3U);
}

BOOST_AUTO_TEST_CASE(closing_writes_what_waits) {
  Scene scene;
  for (int i = 0; i < 100; ++i) scene.record(trace(numbered(i)));
  scene.close();
  BOOST_TEST(scene.look().statistics().traces == 100U);
}

BOOST_AUTO_TEST_CASE(a_recorder_that_is_dropped_writes_what_waits) {
  Scene scene;
  scene.record(trace("t"));
  scene.reopen();
  BOOST_TEST(scene.look().has_trace("t"));
}

BOOST_AUTO_TEST_CASE(closing_with_a_deadline_tells_and_counts_what_was_lost) {
  Gate gate;
  Options options;
  options.commit_interval_ms = 0;
  options.mask = [&](Field, Form form, Bytes bytes) {
    gate.pass();
    return std::optional<Payload>({form, std::string(bytes)});
  };
  Scene scene(options);
  scene.record(trace("kept", with_payload(Field::input, Form::text, "x")));
  gate.wait_for_arrival();  // the writer has this one alone
  std::uint64_t lost = 0;
  for (; lost < 10; ++lost) scene.record(trace(numbered(static_cast<int>(lost))));
  auto closing =
      std::async(std::launch::async, [&] { return scene.recorder().close(milliseconds(0)); });
  // The recorder takes records until it is being closed.
  while (scene.recorder().record(trace("more")).ok()) {
    ++lost;
    std::this_thread::yield();
  }
  gate.open();
  BOOST_TEST(closing.get().dropped_count == lost);
  BOOST_TEST(scene.look().has_trace("kept"));
  BOOST_TEST(scene.look().statistics().traces == 1U);
  BOOST_TEST(scene.look().counter(Reason::closed) == lost);
}

BOOST_AUTO_TEST_CASE(closing_twice_is_as_closing_once) {
  Scene scene;
  scene.record(trace("t"));
  scene.close();
  scene.close();
  BOOST_TEST(scene.look().has_trace("t"));
}

BOOST_AUTO_TEST_CASE(two_recorders_of_one_process_write_to_one_file) {
  constexpr int kEach = 300;
  Options options;
  options.commit_interval_ms = 0;
  Scene scene(options);
  // As a second open of the same path does.
  const auto again = must(store::Environment::open(scene.path(), {}));
  BOOST_TEST(again.get() == scene.environment().get());
  const auto other = must(Recorder::start(again, options));
  const auto write = [](Recorder& recorder, const std::string& name) {
    int failures = 0;
    for (int i = 0; i < kEach; ++i) {
      const auto tagged = [&](EventBuilder& builder) { (void)builder.tag(name); };
      EventBuilder shared(EntityKind::trace, true);
      (void)shared.id("shared" + std::to_string(i % 10));
      (void)shared.tag(name);
      if (!shared.seal(i) || !recorder.record(shared)) ++failures;
      if (!recorder.record(observation("shared" + std::to_string(i % 10), name + numbered(i))))
        ++failures;
      if (!recorder.record(trace(name + numbered(i), tagged))) ++failures;
      if (i % 50 == 0 && !recorder.wait_until_durable(std::nullopt)) ++failures;
    }
    return failures;
  };
  auto beside = std::async(std::launch::async, [&] { return write(*other, "b"); });
  BOOST_TEST(write(scene.recorder(), "a") == 0);
  BOOST_TEST(beside.get() == 0);
  scene.close();
  BOOST_TEST(other->close(std::nullopt).dropped_count == 0U);
  const Look look = scene.look();
  BOOST_TEST(look.statistics().traces == 2U * kEach + 10);
  BOOST_TEST(look.statistics().observations == 2U * kEach);
  for (int i = 0; i < 10; ++i) {
    const model::Entity shared = look.trace("shared" + std::to_string(i));
    BOOST_TEST(model::view_trace(shared).tags == (std::vector<Bytes>{"a", "b"}),
               boost::test_tools::per_element());
  }
  for (int i = 0; i < kEach; ++i) {
    for (const std::string name : {"a", "b"}) {
      BOOST_REQUIRE(look.has_trace(name + numbered(i)));
      BOOST_REQUIRE(
          look.find_observation("shared" + std::to_string(i % 10), name + numbered(i)).has_value());
    }
  }
}

BOOST_AUTO_TEST_CASE(stamps_of_many_threads_strictly_increase) {
  constexpr int kThreads = 4;
  constexpr int kEach = 2000;
  Scene scene;
  std::vector<std::vector<std::int64_t>> stamps(kThreads);
  std::vector<std::thread> threads;
  for (auto& own : stamps) {
    threads.emplace_back([&scene, &own] {
      for (int i = 0; i < kEach; ++i) own.push_back(scene.recorder().next_stamp_ns());
    });
  }
  for (auto& thread : threads) thread.join();
  std::vector<std::int64_t> all;
  for (const auto& own : stamps) {
    BOOST_TEST(std::is_sorted(own.begin(), own.end()));
    all.insert(all.end(), own.begin(), own.end());
  }
  std::sort(all.begin(), all.end());
  BOOST_TEST((std::adjacent_find(all.begin(), all.end()) == all.end()));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::ingest::test
