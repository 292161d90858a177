// Segments by themselves: they come back exactly, are found by their bytes, get numbers in order,
// and are there as long as somebody uses them, whatever hashes they have.
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include "payload/group_fixture.hpp"
#include "payload/splitter.hpp"

namespace {

using namespace tracelite;
using namespace tracelite::payload;
using namespace tracelite::test;

constexpr std::uint64_t kSeed = 99;

struct Segments : GroupFixture {
  Segments() {
    std::string value;
    append_big_endian(value, kSeed);
    put_raw(store::KeySpace::meta, "piece_seed", value);
  }
  ~Segments() { payload::testing::hash_mask = UINT64_MAX; }

  SegmentUse intern(store::WriteTransaction& transaction, Bytes bytes) {
    return need(segments.intern(transaction, bytes, hash_of(bytes, kSeed))).value();
  }
  // Used once.
  SegmentUse use(store::WriteTransaction& transaction, Bytes bytes) {
    SegmentUse one = intern(transaction, bytes);
    need(SegmentWriter::add_use(transaction, one));
    ++one.count;
    return one;
  }
  Status drop(SegmentNumber number) {
    auto transaction = begin();
    TL_TRY(segments.drop_use(transaction, number, kSeed));
    return transaction.commit();
  }
  Result<std::string> read(SegmentNumber number) {
    return read_segment(need(environment->begin_read()), number);
  }
  std::uint64_t count_of(const SegmentUse& one) {
    const auto found = need(segment_use(need(environment->begin_read()), one.hash));
    return found && found->number == one.number ? found->count : 0;
  }
  std::vector<std::string> texts(std::size_t count, std::size_t size = 3000) const {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < count; ++i) out.push_back(text_bytes(size, seed + i));
    return out;
  }

  std::uint64_t seed = random_seed();
  SegmentWriter segments;
};

BOOST_FIXTURE_TEST_SUITE(segments, Segments)

BOOST_AUTO_TEST_CASE(segments_of_one_and_of_several_parts_come_back) {
  std::vector<std::string> all;
  for (std::size_t size = kSegmentSizeBytesMin; size <= kSegmentSizeBytesMax;
       size += kSegmentPartSizeBytes / 2) {
    for (const std::size_t exact : {size - 1, size, size + 1}) {
      if (exact < kSegmentSizeBytesMin || exact > kSegmentSizeBytesMax) continue;
      all.push_back(text_bytes(exact, seed + exact));
      all.push_back(random_bytes(exact, seed + exact));
    }
  }
  std::vector<SegmentUse> uses;
  {
    auto transaction = begin();
    for (const std::string& bytes : all) {
      uses.push_back(use(transaction, bytes));
      BOOST_TEST_REQUIRE(need(read_segment(transaction, uses.back().number)) == bytes);
    }
    need(transaction.commit());
  }
  segments.forget();
  const auto snapshot = need(environment->begin_read());
  SegmentCache cache;
  for (std::size_t i = 0; i < all.size(); ++i) {
    BOOST_TEST_REQUIRE(need(read_segment(snapshot, uses[i].number)) == all[i]);
    BOOST_TEST_REQUIRE(need(cache.read(snapshot, uses[i].number)) == all[i]);
  }
  std::size_t part_count = 0;
  for (const std::string& bytes : all) {
    part_count += (bytes.size() + kSegmentPartSizeBytes - 1) / kSegmentPartSizeBytes;
  }
  BOOST_TEST(content(snapshot, kSegmentBytes).size() == part_count);
  for (std::size_t i = 0; i < all.size(); ++i) {
    need(drop(uses[i].number));
    BOOST_TEST((code_of(read(uses[i].number)) == Code::corrupt));
    if (i + 1 < all.size()) BOOST_TEST_REQUIRE(need(read(uses[i + 1].number)) == all[i + 1]);
  }
  for (const store::KeySpace space : kGroupSpaces) BOOST_TEST(entries(space) == 0U);
}

BOOST_AUTO_TEST_CASE(numbers_are_given_in_order_and_once) {
  const auto all = texts(20);
  SegmentNumber next = 1;
  for (std::size_t i = 0; i < all.size(); i += 5) {
    auto transaction = begin();
    for (std::size_t n = i; n < i + 5; ++n) {
      BOOST_TEST(use(transaction, all[n]).number == next++);
      BOOST_TEST(use(transaction, all[i]).number == next - 1 - (n - i));  // there already
    }
    need(transaction.commit());
    segments.forget();
  }
  // Not even the last one's is given again.
  need(drop(next - 1));
  auto transaction = begin();
  BOOST_TEST(intern(transaction, all.back()).number == next);
}

BOOST_AUTO_TEST_CASE(the_last_number_is_given_and_no_more) {
  std::string value;
  append_big_endian(value, kSegmentNumberMax);
  put_raw(store::KeySpace::meta, "next_segment", value);
  const auto all = texts(2);
  auto transaction = begin();
  const SegmentUse last = use(transaction, all[0]);
  BOOST_TEST(last.number == kSegmentNumberMax);
  BOOST_TEST((need(read_segment(transaction, last.number)) == all[0]));
  BOOST_TEST((code_of(segments.intern(transaction, all[1], 7)) == Code::limit));
  BOOST_TEST(intern(transaction, all[0]).number == kSegmentNumberMax);
}

BOOST_AUTO_TEST_CASE(a_segment_is_there_as_long_as_it_is_used) {
  const std::string bytes = text_bytes(5000, seed);
  auto transaction = begin();
  const SegmentUse one = use(transaction, bytes);
  for (int i = 0; i < 2; ++i) use(transaction, bytes);
  need(transaction.commit());
  for (const std::uint64_t left : {2U, 1U}) {
    need(drop(one.number));
    BOOST_TEST(count_of(one) == left);
    BOOST_TEST((need(read(one.number)) == bytes));
  }
  need(drop(one.number));
  for (const store::KeySpace space : kGroupSpaces) BOOST_TEST(entries(space) == 0U);
  BOOST_TEST((code_of(drop(one.number)) == Code::corrupt));
}

// All have one hash, so that each takes the next place.
BOOST_AUTO_TEST_CASE(of_segments_whose_hashes_collide_the_right_one_is_dropped) {
  payload::testing::hash_mask = 0;
  const auto all = texts(kSegmentProbeCount + 1);
  for (const bool forgets : {false, true}) {
    for (std::size_t dropped = 0; dropped < kSegmentProbeCount; ++dropped) {
      std::vector<SegmentUse> uses;
      {
        auto transaction = begin();
        for (std::size_t i = 0; i < kSegmentProbeCount; ++i) {
          uses.push_back(use(transaction, all[i]));
          BOOST_TEST(uses[i].hash == i);
          use(transaction, all[i]);
        }
        // No place is left.
        BOOST_TEST(!need(segments.intern(transaction, all.back(), 0)).has_value());
        need(transaction.commit());
      }
      if (forgets) segments.forget();
      for (const std::uint64_t left : {1U, 0U}) {
        need(drop(uses[dropped].number));
        for (std::size_t i = 0; i < kSegmentProbeCount; ++i) {
          BOOST_TEST(count_of(uses[i]) == (i == dropped ? left : 2U));
          if (i == dropped && left == 0) {
            BOOST_TEST((code_of(read(uses[i].number)) == Code::corrupt));
          } else {
            BOOST_TEST((need(read(uses[i].number)) == all[i]));
          }
        }
      }
      // Those behind the gap are still found by their numbers; the gap takes another one.
      {
        auto transaction = begin();
        const SegmentUse fresh = use(transaction, all.back());
        BOOST_TEST(fresh.hash == dropped);
        need(transaction.commit());
        need(drop(fresh.number));
      }
      for (std::size_t i = 0; i < kSegmentProbeCount; ++i) {
        for (int n = 0; n < 2 && i != dropped; ++n) need(drop(uses[i].number));
      }
      for (const store::KeySpace space : kGroupSpaces) BOOST_TEST(entries(space) == 0U);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_segment_that_is_too_long_is_corrupt) {
  const SegmentUse one = [&] {
    auto transaction = begin();
    const SegmentUse used = use(transaction, text_bytes(kSegmentSizeBytesMax, seed));
    need(transaction.commit());
    return used;
  }();
  auto transaction = begin();
  std::string key;
  append_big_endian(key, one.number, kSegmentNumberSizeBytes);
  key.push_back(static_cast<char>(kSegmentSizeBytesMax / kSegmentPartSizeBytes));
  put_entry(transaction, kSegmentBytes, key, "more");
  BOOST_TEST((code_of(read_segment(transaction, one.number)) == Code::corrupt));
}

// It cannot be found by its bytes any more, so it stays; the same bytes are stored anew.
BOOST_AUTO_TEST_CASE(a_damaged_segment_is_replaced_by_another) {
  const std::string bytes = random_bytes(9000, seed);
  SegmentUse damaged;
  {
    auto transaction = begin();
    damaged = use(transaction, bytes);
    need(transaction.commit());
  }
  segments.forget();
  const Entries blocks = values(kSegmentBytes);
  BOOST_REQUIRE(blocks.size() > 1U);
  put_raw(kSegmentBytes, blocks.back().first, "no block");
  BOOST_TEST((code_of(read(damaged.number)) == Code::corrupt));
  BOOST_TEST((code_of(drop(damaged.number)) == Code::corrupt));
  BOOST_TEST(count_of(damaged) == 1U);
  SegmentUse fresh;
  {
    auto transaction = begin();
    fresh = use(transaction, bytes);
    need(transaction.commit());
  }
  segments.forget();
  BOOST_TEST(fresh.number > damaged.number);
  BOOST_TEST((need(read(fresh.number)) == bytes));
  need(drop(fresh.number));
  BOOST_TEST((code_of(read(fresh.number)) == Code::corrupt));
  BOOST_TEST(count_of(damaged) == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
