// The queue by itself: its bound, what a full one does, what the writer gets, and how it ends.
#include "ingest/queue.hpp"

#include <algorithm>
#include <future>
#include <thread>

#include "support.hpp"

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

Status push(Queue& queue, const std::string& event) {
  return queue.push(event.size(), [&](char* out) { std::copy(event.begin(), event.end(), out); });
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
    must(queue.flush(std::nullopt));
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
  must(queue.flush(milliseconds(0)));  // nothing was pushed
  for (int i = 0; i < 3; ++i) must(push(queue, sized(1)));
  const Status late = queue.flush(milliseconds(0));
  BOOST_REQUIRE(!late);
  BOOST_TEST((late.error().code == Code::timeout));
  BOOST_TEST(late.error().message.find(std::to_string(3 * Ring::room_bytes(1)) + " bytes") !=
             std::string::npos);
  take_one_batch(queue);
  must(queue.flush(milliseconds(0)));
}

BOOST_AUTO_TEST_CASE(a_flush_does_not_wait_for_what_is_pushed_after_it_began) {
  Options options = small(FullPolicy::drop);
  options.commit_interval_ms = kNeverByItselfMs;
  Queue queue(options);
  must(push(queue, sized(1)));
  must(push(queue, sized(1)));
  auto flushed = std::async(std::launch::async, [&] { return queue.flush(std::nullopt).ok(); });
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

BOOST_AUTO_TEST_CASE(what_was_dropped_is_told_by_one_flush) {
  const Options options = small(FullPolicy::drop);
  Queue queue(options);
  must(push(queue, sized(1)));
  Batch batch = queue.take(kEverything);
  queue.done(batch, make_error(Code::corrupt, "its record is damaged"));
  const Status told = queue.flush(milliseconds(0));
  BOOST_REQUIRE(!told);
  BOOST_TEST((told.error().code == Code::corrupt));
  must(queue.flush(milliseconds(0)));
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
