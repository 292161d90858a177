// The memory of the queue: places never overlap, come in order, and room that was given back is
// given out again.
#include "ingest/ring.hpp"
#include "support/random_seed.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <cstring>
#include <deque>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace tracelite::ingest::test {
namespace {

bool push(Ring& ring, const std::string& event) {
  Ring::Place place = ring.reserve(event.size());
  if (place.data == nullptr) return false;
  std::copy(event.begin(), event.end(), place.data);
  ring.publish(std::move(place));
  return true;
}

// The first event, taken and given back.
std::string pull(Ring& ring) {
  const auto front = ring.front();
  BOOST_REQUIRE(front.has_value());
  std::string event(*front);
  (void)ring.pop();
  ring.give_back(ring.read());
  return event;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ring)

BOOST_AUTO_TEST_CASE(events_come_in_order_and_whole_whatever_their_sizes) {
  const std::uint64_t seed = tracelite::test::random_seed();
  std::mt19937_64 random(seed);
  Ring ring(4096);
  std::deque<std::string> expected;
  std::size_t refused_count = 0;
  std::size_t elsewhere_count = 0;
  for (int i = 0; i < 100'000; ++i) {
    const bool is_large = random() % (expected.empty() ? 4 : 50) == 0;
    const std::size_t size_bytes = random() % (is_large ? 9000 : 700);
    const std::string event(size_bytes, static_cast<char>(i));
    if (push(ring, event)) {
      expected.push_back(event);
      if (Ring::room_bytes(size_bytes) > ring.capacity_bytes()) ++elsewhere_count;
    } else {
      ++refused_count;
      BOOST_REQUIRE_MESSAGE(!expected.empty(), "seed " << seed);
    }
    // Mostly as fast as it fills; now and then until nothing is left.
    const std::size_t pulled = i % 100 == 0 ? expected.size() : random() % 9 / 4;
    for (std::size_t at = 0; at < pulled && !expected.empty(); ++at) {
      BOOST_REQUIRE_MESSAGE(pull(ring) == expected.front(), "seed " << seed);
      expected.pop_front();
    }
    if (expected.empty() && random() % 2 == 0) ring.restart();
  }
  BOOST_TEST(refused_count > 0U);
  BOOST_TEST(elsewhere_count > 0U);
  BOOST_TEST(ring.count_left() == expected.size());
  for (const std::string& event : expected) BOOST_REQUIRE(pull(ring) == event);
  BOOST_TEST(ring.is_empty());
  BOOST_TEST(ring.used_bytes() == 0U);
}

BOOST_AUTO_TEST_CASE(a_place_is_read_when_it_is_filled_and_not_before) {
  Ring ring(4096);
  // What lies there from before must not pass for an event.
  for (int i = 0; i < 20; ++i) {
    BOOST_REQUIRE(push(ring, std::string(500, '\xff')));
    (void)pull(ring);
  }
  Ring::Place first = ring.reserve(3);
  BOOST_REQUIRE(push(ring, "two"));
  BOOST_TEST(!ring.front().has_value());
  BOOST_TEST(!ring.is_empty());
  std::memcpy(first.data, "one", 3);
  ring.publish(std::move(first));
  BOOST_TEST(pull(ring) == "one");
  BOOST_TEST(pull(ring) == "two");
}

BOOST_AUTO_TEST_CASE(what_is_larger_than_the_ring_is_let_in_when_it_is_alone) {
  Ring ring(1000);
  const std::string large(5000, 'l');
  BOOST_REQUIRE(push(ring, "small"));
  BOOST_TEST(!ring.has_room(large.size()));
  BOOST_TEST(!push(ring, large));
  BOOST_TEST(pull(ring) == "small");
  BOOST_TEST(ring.has_room(large.size()));
  BOOST_REQUIRE(push(ring, large));
  BOOST_TEST(!push(ring, "small"));
  BOOST_TEST((pull(ring) == large));
  BOOST_TEST(push(ring, "small"));
}

BOOST_AUTO_TEST_CASE(what_nobody_came_to_read_is_freed) {
  Ring ring(1000);
  BOOST_TEST(push(ring, std::string(5000, 'l')));  // the address sanitizer looks
}

BOOST_AUTO_TEST_CASE(a_closed_ring_takes_nothing) {
  Ring ring(1000);
  BOOST_REQUIRE(push(ring, "before"));
  ring.close();
  BOOST_TEST(ring.is_closed());
  BOOST_TEST(!push(ring, "after"));
  BOOST_TEST(pull(ring) == "before");
  BOOST_TEST(ring.is_empty());
}

BOOST_AUTO_TEST_CASE(an_empty_ring_begins_where_it_began) {
  Ring ring(std::size_t{1} << 20);
  BOOST_REQUIRE(push(ring, std::string(100, 'a')));
  const char* const first = ring.front()->data();
  (void)pull(ring);
  ring.restart();
  BOOST_REQUIRE(push(ring, std::string(100, 'b')));
  BOOST_TEST((ring.front()->data() == first));
}

BOOST_AUTO_TEST_CASE(threads_reserve_at_once_and_each_place_is_its_own) {
  constexpr int kThreadCount = 4;
  constexpr int kEach = 20'000;
  Ring ring(std::size_t{1} << 16);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreadCount; ++thread) {
    threads.emplace_back([&ring, thread] {
      for (int i = 0; i < kEach; ++i) {
        const std::string event = std::to_string(thread) + ":" + std::to_string(i) +
                                  std::string(static_cast<std::size_t>(i % 300), 'x');
        while (!push(ring, event)) std::this_thread::yield();
      }
    });
  }
  std::vector<int> next(kThreadCount, 0);
  bool in_order = true;
  for (int left = kThreadCount * kEach; left > 0;) {
    const auto front = ring.front();
    if (!front) {
      std::this_thread::yield();
      continue;
    }
    const std::size_t thread = std::stoul(std::string(front->substr(0, 1)));
    const int number = next[thread]++;
    in_order = in_order && *front == std::to_string(thread) + ":" + std::to_string(number) +
                                         std::string(static_cast<std::size_t>(number % 300), 'x');
    (void)ring.pop();
    ring.give_back(ring.read());
    --left;
  }
  for (std::thread& thread : threads) thread.join();
  BOOST_TEST(in_order);
  BOOST_TEST(ring.used_bytes() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::ingest::test
