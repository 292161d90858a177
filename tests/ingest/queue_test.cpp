// The queue by itself: its bound, what a full one does, what the writer gets, and how it ends.
#include "ingest/queue.hpp"

#include <algorithm>
#include <atomic>
#include <future>
#include <thread>

#include "support.hpp"
#include "support/sanitizers.hpp"

namespace tracelite::ingest::test {
namespace {

constexpr std::uint64_t kEverything = std::uint64_t{1} << 40;
constexpr std::uint64_t kQueueSizeBytes = 1024;
constexpr std::size_t kWholeSizeBytes = 1008;  // an event for which there is just room

Options small(FullPolicy policy) {
  Options options;
  options.commit_interval_ms = 0;
  options.queue_size_bytes = kQueueSizeBytes;
  options.full_policy = policy;
  return options;
}

std::string sized(std::size_t size_bytes) { return std::string(size_bytes, 'e'); }

Status push(Queue& queue, const std::string& event, WhenFull when_full = WhenFull::as_chosen) {
  return queue.push(event.size(), when_full,
                    [&](char* out) { std::copy(event.begin(), event.end(), out); });
}

void take_one_batch(Queue& queue) {
  Batch batch = queue.take(kEverything);
  queue.done(batch, std::nullopt);
}

// A writer that takes whatever there is until the queue is closed.
class Taker {
 public:
  explicit Taker(Queue& queue) : queue_(queue), thread_([this] { run(); }) {}
  ~Taker() {
    queue_.close(std::nullopt);
    thread_.join();
  }
  Taker(const Taker&) = delete;
  Taker& operator=(const Taker&) = delete;

 private:
  void run() {
    for (Batch batch = queue_.take(kEverything); !batch.events.empty();
         batch = queue_.take(kEverything)) {
      queue_.done(batch, std::nullopt);
    }
  }
  Queue& queue_;
  std::thread thread_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(queue)

BOOST_AUTO_TEST_CASE(the_bound_is_in_bytes_not_in_events) {
  const Options options = small(FullPolicy::drop);
  Queue queue(options);
  for (int i = 0; i < 25; ++i) must(push(queue, sized(8)));
  must(push(queue, sized(208)));
  BOOST_TEST(queue.waiting_size_bytes() == kQueueSizeBytes);
  const Status refused = push(queue, sized(1));
  BOOST_REQUIRE(!refused);
  BOOST_TEST((refused.error().code == Code::queue_full));
  BOOST_TEST(refused.error().message.find("1024 of 1024 bytes") != std::string::npos);
  BOOST_TEST(queue.waiting_count() == 26U);
}

BOOST_AUTO_TEST_CASE(the_batch_at_work_counts_until_it_is_durable) {
  const Options options = small(FullPolicy::drop);
  Queue queue(options);
  must(push(queue, sized(kWholeSizeBytes)));
  Batch batch = queue.take(kEverything);
  BOOST_TEST(queue.waiting_size_bytes() == kQueueSizeBytes);
  BOOST_TEST((push(queue, sized(1)).error().code == Code::queue_full));
  queue.done(batch, std::nullopt);
  BOOST_TEST(queue.waiting_size_bytes() == 0U);
  must(push(queue, sized(kWholeSizeBytes)));
}

BOOST_AUTO_TEST_CASE(an_event_larger_than_the_queue_is_let_in_when_it_is_alone) {
  const Options options = small(FullPolicy::drop);
  Queue queue(options);
  must(push(queue, sized(5000)));
  BOOST_TEST((push(queue, sized(1)).error().code == Code::queue_full));
  take_one_batch(queue);
  must(push(queue, sized(1)));
  BOOST_TEST((push(queue, sized(5000)).error().code == Code::queue_full));
}

BOOST_AUTO_TEST_CASE(waiting_for_room_ends_with_an_error_when_its_time_is_over) {
  Options options = small(FullPolicy::wait);
  options.queue_wait_ms = 1;
  Queue queue(options);
  must(push(queue, sized(kWholeSizeBytes)));
  BOOST_TEST((push(queue, sized(1)).error().code == Code::queue_full));
  BOOST_TEST(queue.waiting_count() == 1U);
}

BOOST_AUTO_TEST_CASE(a_thread_that_must_not_wait_drops_where_others_wait) {
  const Options options = small(FullPolicy::wait);
  Queue queue(options);
  must(push(queue, sized(kWholeSizeBytes)));
  thread_drops() = true;
  BOOST_TEST((push(queue, sized(1)).error().code == Code::queue_full));
  std::promise<bool> pushed;
  std::thread pusher([&] { pushed.set_value(push(queue, sized(600)).ok()); });  // its own setting
  thread_drops() = false;
  take_one_batch(queue);
  BOOST_TEST(pushed.get_future().get());
  pusher.join();
}

// There is never so much room at once where others take each piece of it.
BOOST_AUTO_TEST_CASE(a_large_event_gets_its_room_beside_many_small_ones) {
  const Options options = small(FullPolicy::wait);
  Queue queue(options);
  std::atomic<bool> is_over{false};
  const auto record_small = [&] {
    while (!is_over && push(queue, sized(8))) {
    }
  };
  std::thread first(record_small);
  std::thread second(record_small);
  const auto is_full = [&] { return queue.waiting_size_bytes() == kQueueSizeBytes; };
  // One small event, whose room somebody takes who is let to it.
  const auto take_one = [&] {
    constexpr int kTriesMax = 1'000;
    for (int i = 0; i < kTriesMax && !is_full(); ++i) std::this_thread::yield();
    Batch batch = queue.take(1);
    queue.done(batch, std::nullopt);
  };
  while (!is_full()) std::this_thread::yield();
  std::atomic<bool> is_in{false};
  std::thread large([&] { is_in = push(queue, sized(kWholeSizeBytes)).ok(); });
  const auto until = std::chrono::steady_clock::now() + kHangs;
  while (!is_in && std::chrono::steady_clock::now() < until) take_one();
  BOOST_TEST(is_in);
  is_over = true;
  queue.close(std::nullopt);
  for (Batch batch = queue.take(kEverything); !batch.events.empty();
       batch = queue.take(kEverything)) {
    queue.done(batch, std::nullopt);
  }
  first.join();
  second.join();
  large.join();
}

BOOST_AUTO_TEST_CASE(one_that_gives_up_waiting_holds_nobody_up) {
  Options options = small(FullPolicy::wait);
  options.queue_wait_ms = 50;
  Queue queue(options);
  for (int i = 0; i < 4; ++i) must(push(queue, sized(240)));
  std::promise<Status> large;
  std::thread waiting([&] { large.set_value(push(queue, sized(kWholeSizeBytes))); });
  // It has precedence once a part has been given back, until its time is over.
  Batch batch = queue.take(240);
  queue.done(batch, std::nullopt);
  BOOST_TEST((large.get_future().get().error().code == Code::queue_full));
  waiting.join();
  must(push(queue, sized(240)));
}

// Also if it had precedence by then, which it has in most of these rounds.
BOOST_AUTO_TEST_CASE(one_for_which_there_is_no_memory_holds_nobody_up,
                     *boost::unit_test::precondition(tracelite::test::not_under_sanitizers)) {
  constexpr std::size_t kTooLarge = std::size_t{1} << 63;
  Options options = small(FullPolicy::wait);
  options.queue_wait_ms = 30'000;
  for (int round = 0; round < 50; ++round) {
    Queue queue(options);
    for (int i = 0; i < 3; ++i) must(push(queue, sized(8)));
    std::atomic<bool> has_begun{false};
    bool is_refused = false;
    std::thread large([&] {
      has_begun = true;
      try {
        (void)queue.push(kTooLarge, WhenFull::as_chosen, [](char*) {});
      } catch (const std::bad_alloc&) {
        is_refused = true;
      }
    });
    while (!has_begun) std::this_thread::yield();
    for (int i = 0; i < 3; ++i) {
      for (int k = 0; k < 100; ++k) std::this_thread::yield();
      Batch batch = queue.take(1);
      queue.done(batch, std::nullopt);
    }
    large.join();
    BOOST_TEST(is_refused);
    BOOST_REQUIRE(push(queue, sized(8)).ok());
  }
}

BOOST_AUTO_TEST_CASE(waiting_for_room_ends_when_a_batch_is_durable) {
  const Options options = small(FullPolicy::wait);
  Queue queue(options);
  must(push(queue, sized(kWholeSizeBytes)));
  std::promise<bool> pushed;
  std::thread pusher([&] { pushed.set_value(push(queue, sized(600)).ok()); });
  take_one_batch(queue);
  BOOST_TEST(pushed.get_future().get());
  pusher.join();
  BOOST_TEST(queue.waiting_size_bytes() == Ring::room_bytes(600));
}

BOOST_AUTO_TEST_CASE(what_must_wait_waits_where_the_store_and_the_thread_drop) {
  Options options = small(FullPolicy::drop);
  options.queue_wait_ms = 1;
  Queue queue(options);
  must(push(queue, sized(kWholeSizeBytes)));
  std::promise<bool> pushed;
  std::thread pusher([&] {
    thread_drops() = true;
    pushed.set_value(push(queue, sized(600), WhenFull::wait).ok());
  });
  take_one_batch(queue);
  BOOST_TEST(pushed.get_future().get());
  pusher.join();
}

// A queue that is smaller than what wakes the writer early must not wait out the commit interval.
BOOST_AUTO_TEST_CASE(a_full_queue_wakes_the_writer_before_the_commit_interval_is_over) {
  for (const std::size_t size_bytes : {300U, 400U, 700U}) {
    Options options = small(FullPolicy::wait);
    options.commit_interval_ms = kNeverByItselfMs;
    options.queue_wait_ms = static_cast<std::uint32_t>(kHangs.count());
    Queue queue(options);
    const Taker writer(queue);
    for (int i = 0; i < 200; ++i) {
      const Status pushed = push(queue, sized(i % 2 == 0 ? size_bytes : 1000 - size_bytes / 2));
      BOOST_REQUIRE_MESSAGE(pushed.ok(), "the writer slept while the queue was full");
    }
  }
}

BOOST_AUTO_TEST_CASE(a_half_full_queue_wakes_the_writer_before_the_commit_interval_is_over) {
  Options options = small(FullPolicy::drop);
  options.commit_interval_ms = kNeverByItselfMs;
  Queue queue(options);
  const Taker writer(queue);
  for (int round = 0; round < 200; ++round) {
    must(push(queue, sized(200)));
    must(push(queue, sized(200)));
    for (int i = 0; i < 100; ++i) std::this_thread::yield();  // the writer may come to gather
    must(push(queue, sized(200)));
    const auto until = std::chrono::steady_clock::now() + kHangs;
    // What the end of the ring had no room for counts too, so less may be taken than was pushed.
    const auto is_half_full = [&] { return queue.waiting_size_bytes() * 2 >= kQueueSizeBytes; };
    while (is_half_full() && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    BOOST_REQUIRE_MESSAGE(!is_half_full(), "the writer slept while the queue was half full");
    must(queue.wait_until_durable(std::nullopt));
  }
}

BOOST_AUTO_TEST_CASE(a_batch_is_bounded_in_bytes_keeps_the_order_and_is_never_empty) {
  Options options = small(FullPolicy::drop);
  options.queue_size_bytes = 100'000;
  Queue queue(options);
  std::vector<std::string> pushed;
  for (std::size_t i = 0; i < 40; ++i) {
    pushed.push_back(std::to_string(i) + sized(i * 37 % 500));
    must(push(queue, pushed.back()));
  }
  std::vector<std::string> taken;
  while (queue.waiting_count() > 0) {
    Batch batch = queue.take(300);
    BOOST_REQUIRE(!batch.events.empty());
    BOOST_TEST((batch.size_bytes <= 300 || batch.events.size() == 1));
    taken.insert(taken.end(), batch.events.begin(), batch.events.end());
    queue.done(batch, std::nullopt);
  }
  BOOST_TEST(taken == pushed, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_flush_that_runs_out_of_time_says_how_much_is_left) {
  Options options = small(FullPolicy::drop);
  Queue queue(options);
  must(queue.wait_until_durable(milliseconds(0)));  // nothing was pushed
  for (int i = 0; i < 3; ++i) must(push(queue, sized(1)));
  const Status late = queue.wait_until_durable(milliseconds(0));
  BOOST_REQUIRE(!late);
  BOOST_TEST((late.error().code == Code::timeout));
  BOOST_TEST(late.error().message.find(std::to_string(3 * Ring::room_bytes(1)) + " bytes") !=
             std::string::npos);
  take_one_batch(queue);
  must(queue.wait_until_durable(milliseconds(0)));
}

// Tries that fail, between others that bring a part of the queue to the file.
BOOST_AUTO_TEST_CASE(a_flush_without_a_limit_does_not_run_out_of_time) {
  const Options options = small(FullPolicy::wait);
  Queue queue(options);
  std::atomic<int> flushing{8};
  std::atomic<int> timeouts{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 30; ++k) {
        (void)push(queue, sized(8));
        const Status flushed = queue.wait_until_durable(std::nullopt);
        if (!flushed && flushed.error().code == Code::timeout) ++timeouts;
      }
      if (--flushing == 0) queue.close(std::nullopt);
    });
  }
  for (int i = 0; flushing > 0; ++i) {
    Batch batch = queue.take(1);
    if (batch.events.empty()) break;
    if (i % 4 == 0) (void)queue.wait_to_retry(make_error(Code::io, "a try has failed"));
    queue.done(batch, std::nullopt);
  }
  for (std::thread& thread : threads) thread.join();
  BOOST_TEST(timeouts == 0);
}

BOOST_AUTO_TEST_CASE(a_flush_does_not_wait_for_what_is_pushed_after_it_began) {
  Options options = small(FullPolicy::drop);
  options.commit_interval_ms = kNeverByItselfMs;
  Queue queue(options);
  must(push(queue, sized(1)));
  must(push(queue, sized(1)));
  auto flushed =
      std::async(std::launch::async, [&] { return queue.wait_until_durable(std::nullopt).ok(); });
  Batch first = queue.take(1);  // gives something only because the flush has begun
  must(push(queue, sized(1)));
  queue.done(first, std::nullopt);
  BOOST_TEST((flushed.wait_for(milliseconds(0)) == std::future_status::timeout));
  Batch second = queue.take(1);
  queue.done(second, std::nullopt);
  BOOST_REQUIRE((flushed.wait_for(kHangs) == std::future_status::ready));
  BOOST_TEST(flushed.get());
  BOOST_TEST(queue.waiting_count() == 1U);
}

BOOST_AUTO_TEST_CASE(what_was_dropped_is_told_once) {
  const Options options = small(FullPolicy::drop);
  Queue queue(options);
  must(push(queue, sized(1)));
  Batch batch = queue.take(kEverything);
  queue.done(batch, make_error(Code::corrupt, "its record is damaged"));
  must(queue.wait_until_durable(milliseconds(0)));
  const Status told = queue.tell_dropped();
  BOOST_REQUIRE(!told);
  BOOST_TEST((told.error().code == Code::corrupt));
  must(queue.tell_dropped());
}

BOOST_AUTO_TEST_CASE(a_closed_queue_takes_nothing_and_gives_what_it_has) {
  Options options = small(FullPolicy::wait);
  options.commit_interval_ms = kNeverByItselfMs;
  Queue queue(options);
  must(push(queue, sized(1)));
  queue.close(std::nullopt);
  BOOST_TEST((push(queue, sized(1)).error().code == Code::misuse));
  Batch batch = queue.take(kEverything);
  BOOST_TEST(batch.events.size() == 1U);
  queue.done(batch, std::nullopt);
  BOOST_TEST(queue.take(kEverything).events.empty());
}

BOOST_AUTO_TEST_CASE(closing_sends_away_who_waits_for_room) {
  const Options options = small(FullPolicy::wait);
  Queue queue(options);
  must(push(queue, sized(kWholeSizeBytes)));
  auto waiting = std::async(std::launch::async, [&] { return push(queue, sized(1)).error().code; });
  queue.close(std::nullopt);
  BOOST_TEST((waiting.get() == Code::misuse));
}

BOOST_AUTO_TEST_CASE(a_deadline_that_has_passed_gives_nothing_more) {
  const Options options = small(FullPolicy::wait);
  Queue queue(options);
  must(push(queue, sized(1)));
  must(push(queue, sized(1)));
  Batch batch = queue.take(1);
  queue.close(std::chrono::steady_clock::now());
  BOOST_TEST(!queue.wait_to_retry(make_error(Code::io, "it fails")));
  BOOST_TEST(queue.take(kEverything).events.empty());
  BOOST_TEST(queue.waiting_count() == 2U);
  BOOST_TEST(batch.events.size() == 1U);
}

BOOST_AUTO_TEST_CASE(many_threads_push_and_nothing_is_lost_or_passed_by) {
  constexpr int kThreads = 4;
  constexpr int kEach = 500;
  Options options = small(FullPolicy::wait);
  Queue queue(options);
  std::vector<std::thread> pushers;
  pushers.reserve(kThreads);
  for (int thread = 0; thread < kThreads; ++thread) {
    pushers.emplace_back([&queue, thread] {
      for (int i = 0; i < kEach; ++i) {
        (void)push(queue, std::to_string(thread) + ":" + std::to_string(i));
      }
    });
  }
  std::vector<int> next(kThreads, 0);
  for (int left = kThreads * kEach; left > 0;) {
    Batch batch = queue.take(kEverything);
    for (const Bytes event : batch.events) {
      const std::size_t thread = std::stoul(std::string(event));
      BOOST_REQUIRE(event == std::to_string(thread) + ":" + std::to_string(next[thread]++));
      --left;
    }
    queue.done(batch, std::nullopt);
  }
  for (auto& pusher : pushers) pusher.join();
  BOOST_TEST(queue.waiting_count() == 0U);
}

// An event that found no room while the queue was as good as empty must not be refused: the writer
// moves both ends of the ring when it goes to sleep.
BOOST_AUTO_TEST_CASE(a_queue_that_is_empty_refuses_nothing) {
  const Options options = small(FullPolicy::drop);
  Queue queue(options);
  const Taker writer(queue);
  for (int i = 0; i < 20'000; ++i) {
    must(push(queue, sized(i % 3 == 0 ? kWholeSizeBytes : 300)));
    while (queue.waiting_size_bytes() > 0) std::this_thread::yield();
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::ingest::test
