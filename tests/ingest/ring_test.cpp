// The memory of the queue: pieces never overlap, and room that was given back is given out again.
#include "ingest/ring.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <cstring>
#include <deque>
#include <random>

namespace tracelite::ingest::test {

BOOST_AUTO_TEST_SUITE(ring)

BOOST_AUTO_TEST_CASE(pieces_stay_as_they_were_filled_until_they_are_given_back) {
  const std::uint64_t seed = std::random_device{}();
  std::mt19937_64 random(seed);
  Ring ring(4096);
  struct Held {
    Ring::Piece piece;
    std::size_t size_bytes;
    char filling;
  };
  std::deque<Held> held;
  std::size_t refused_count = 0;
  const auto check_and_give_back = [&] {
    const Held& oldest = held.front();
    for (std::size_t i = 0; i < oldest.size_bytes; ++i) {
      BOOST_REQUIRE_MESSAGE(oldest.piece.data[i] == oldest.filling, "seed " << seed);
    }
    ring.give_back(oldest.piece.room_bytes);
    held.pop_front();
  };
  for (int i = 0; i < 100'000; ++i) {
    const std::size_t size_bytes = random() % 700;
    const Ring::Piece piece = ring.take(size_bytes);
    if (piece.data == nullptr) {
      ++refused_count;
      BOOST_REQUIRE(!held.empty());
      check_and_give_back();
      continue;
    }
    const auto filling = static_cast<char>(i);
    std::memset(piece.data, filling, size_bytes);
    held.push_back({piece, size_bytes, filling});
    if (random() % 3 == 0) check_and_give_back();
  }
  BOOST_TEST(refused_count > 0U);
  while (!held.empty()) check_and_give_back();
}

BOOST_AUTO_TEST_CASE(what_is_larger_than_the_ring_has_no_room) {
  Ring ring(1000);
  BOOST_TEST((ring.take(5000).data == nullptr));
  BOOST_TEST((ring.take(1000).data != nullptr));
  BOOST_TEST((ring.take(1).data == nullptr));
}

BOOST_AUTO_TEST_CASE(an_empty_ring_begins_where_it_began) {
  Ring ring(std::size_t{1} << 20);
  const Ring::Piece first = ring.take(100);
  ring.give_back(first.room_bytes);
  const Ring::Piece second = ring.take(100);
  BOOST_TEST((second.data == first.data));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::ingest::test
