// Payloads in a real file: what is put comes back, in parts and as a whole; what is damaged or
// hostile is called corrupt; what is erased leaves nothing.
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include "payload/block.hpp"
#include "payload/payload_store.hpp"
#include "payload/random_json.hpp"
#include "payload/store_fixture.hpp"
#include "store/testing.hpp"

namespace {

using namespace tracelite;
using namespace tracelite::payload;
using namespace tracelite::test;
using store::KeySpace;

BOOST_FIXTURE_TEST_SUITE(payload_store, StoreFixture)

BOOST_AUTO_TEST_CASE(every_size_around_a_boundary_comes_back) {
  std::vector<std::size_t> sizes = {0,   1,   2,     63,    64,    65,     127,
                                    128, 129, 16383, 16384, 16385, 1 << 20};
  for (const std::size_t edge :
       {kMinimumCompressedSizeBytes, std::size_t{990}, std::size_t{1980}, std::size_t{2010},
        std::size_t{3600}, store::kOnePageValueSizeBytes, 2 * store::kOnePageValueSizeBytes,
        2 * store::kOnePageValueSizeBytes + 3600, kSliceSizeBytes, 2 * kSliceSizeBytes}) {
    for (std::size_t size = edge - 8; size <= edge + 8; ++size) sizes.push_back(size);
  }
  std::vector<std::pair<PayloadNumber, std::string>> stored;
  auto transaction = begin();
  for (const std::size_t size : sizes) {
    for (const std::string& bytes :
         {random_bytes(size, size), text_bytes(size, size).substr(0, size),
          std::string(size, 'a')}) {
      stored.emplace_back(need(writer.put(transaction, bytes)), bytes);
    }
  }
  // Inside the transaction that wrote them, and after it.
  const PayloadReader inside(transaction);
  for (const auto& [number, bytes] : stored) BOOST_REQUIRE(need(inside.read_all(number)) == bytes);
  need(transaction.commit());
  close();
  open();
  const auto snapshot = need(environment->begin_read());
  const PayloadReader reader(snapshot);
  for (const auto& [number, bytes] : stored) {
    BOOST_REQUIRE(need(reader.size_bytes(number)) == bytes.size());
    BOOST_REQUIRE(need(reader.read_all(number)) == bytes);
  }
}

BOOST_AUTO_TEST_CASE(each_value_fits_one_page) {
  const std::vector<std::string> payloads = {random_bytes(300000, 1), text_bytes(300000, 2),
                                             random_bytes(5000, 3), random_bytes(7500, 4)};
  for (const std::string& bytes : payloads) put(bytes);
  const auto snapshot = need(environment->begin_read());
  auto cursor = snapshot.cursor(KeySpace::payload);
  for (bool more = need(cursor.seek({})); more; more = need(cursor.next())) {
    BOOST_TEST(cursor.value().size() <= store::kOnePageValueSizeBytes);
    BOOST_TEST(cursor.key().size() == 12U);
  }
}

BOOST_AUTO_TEST_CASE(text_is_compressed_and_noise_is_not) {
  const PayloadNumber noise = put(random_bytes(100000, 1));
  const PayloadNumber text = put(std::string(100000, 'x'));
  const auto snapshot = need(environment->begin_read());
  const auto first = [&](PayloadNumber number) {
    return std::string(*need(snapshot.get(KeySpace::payload, key_of(number, 0, 0))));
  };
  BOOST_TEST(first(noise)[0] == '\0');
  BOOST_TEST(first(text)[0] == '\1');
  BOOST_TEST(first(text).size() < 100U);
}

BOOST_AUTO_TEST_CASE(numbers_count_up_and_are_not_used_again) {
  BOOST_TEST(put("a") == 1U);
  BOOST_TEST(put("b") == 2U);
  need(erase(2));
  close();
  open();
  BOOST_TEST(put("c") == 3U);
  {
    auto aborted = begin();
    BOOST_TEST(need(writer.put(aborted, "d")) == 4U);
  }
  BOOST_TEST(put("e") == 4U);
  BOOST_TEST(need(read_all(4)) == "e");
}

BOOST_AUTO_TEST_CASE(what_is_not_there_is_not_found) {
  put("a");
  for (const PayloadNumber number :
       {PayloadNumber{0}, PayloadNumber{2}, PayloadNumber{1} << 48, UINT64_MAX}) {
    BOOST_TEST((code_of(read_all(number)) == Code::not_found));
    BOOST_TEST((code_of(size(number)) == Code::not_found));
    need(erase(number));
  }
  auto transaction = begin();
  BOOST_TEST((code_of(writer.append(transaction, 0, "x")) == Code::not_found));
  // A number without an append is no payload yet; an append of nothing makes it one.
  const PayloadNumber number = need(writer.create(transaction));
  const PayloadReader reader(transaction);
  BOOST_TEST((code_of(reader.size_bytes(number)) == Code::not_found));
  need(writer.append(transaction, number, ""));
  BOOST_TEST(need(reader.size_bytes(number)) == 0U);
  BOOST_TEST(need(reader.read_all(number)) == "");
  need(writer.append(transaction, number, "later"));
  need(writer.append(transaction, number, ""));
  BOOST_TEST(need(reader.read_all(number)) == "later");
}

BOOST_AUTO_TEST_CASE(a_large_payload_grows_over_several_appends_and_transactions) {
  const std::uint64_t seed = test::random_seed();
  test::RandomJson random(seed);
  const std::string all = text_bytes(3 << 20, seed) + random_bytes(2 << 20, seed);
  PayloadNumber number = 0;
  {
    auto transaction = begin();
    number = need(writer.create(transaction));
    need(transaction.commit());
  }
  const PayloadNumber neighbour = put("neighbour");
  for (std::size_t at = 0; at < all.size();) {
    const std::size_t part = 1 + random.below(700000);
    append(number, Bytes(all).substr(at, part));
    at += part;
  }
  BOOST_TEST(need(size(number)) == all.size());
  BOOST_REQUIRE(need(read_all(number)) == all);
  BOOST_TEST(need(read_all(neighbour)) == "neighbour");

  const auto snapshot = need(environment->begin_read());
  const PayloadReader reader(snapshot);
  for (int i = 0; i < 300; ++i) {
    const std::size_t offset = random.below(all.size() + 10);
    const std::size_t wanted = random.below(random.chance(4) ? 1000000 : 3000);
    std::string out = "before ";
    need(reader.read(number, offset, wanted, out));
    const Bytes expected = offset < all.size() ? Bytes(all).substr(offset, wanted) : Bytes{};
    BOOST_REQUIRE_MESSAGE(out == "before " + std::string(expected),
                          "seed " << seed << ", offset " << offset << ", size " << wanted);
  }
}

BOOST_AUTO_TEST_CASE(many_small_appends_come_back_in_order) {
  const PayloadNumber number = put("");
  std::string all;
  auto transaction = begin();
  for (int i = 0; i < 1000; ++i) {
    const std::string part = "token " + std::to_string(i) + " ";
    need(writer.append(transaction, number, part));
    all += part;
    if (i % 97 == 0) BOOST_REQUIRE(need(PayloadReader(transaction).read_all(number)) == all);
  }
  need(transaction.commit());
  BOOST_TEST(need(read_all(number)) == all);
  BOOST_TEST(entries() <= 8U);  // each slice is at least twice as long as the next
}

// A piece that was damaged must neither spoil nor keep out what comes behind it.
BOOST_AUTO_TEST_CASE(text_is_appended_behind_a_damaged_end) {
  const PayloadNumber number = put("");
  const std::string first = random_bytes(900, 1);
  append(number, first);
  damage(Bytes(first).substr(100, 200));
  append(number, random_bytes(700, 2));
  append(number, "end");
  BOOST_TEST((code_of(read_all(number)) == Code::corrupt));
  const auto snapshot = need(environment->begin_read());
  BOOST_TEST(entries() == 3U);
}

BOOST_AUTO_TEST_CASE(reading_at_and_beyond_the_end) {
  const PayloadNumber number = put("0123456789");
  const auto snapshot = need(environment->begin_read());
  const PayloadReader reader(snapshot);
  const auto part = [&](std::uint64_t offset, std::uint64_t wanted) {
    std::string out;
    need(reader.read(number, offset, wanted, out));
    return out;
  };
  BOOST_TEST(part(0, 0) == "");
  BOOST_TEST(part(9, 5) == "9");
  BOOST_TEST(part(10, 5) == "");
  BOOST_TEST(part(11, 5) == "");
  BOOST_TEST(part(UINT64_MAX, UINT64_MAX) == "");
  BOOST_TEST(part(3, UINT64_MAX) == "3456789");
  std::string out;
  BOOST_TEST((code_of(reader.read(99, 0, 0, out)) == Code::not_found));
}

// A batch that failed is run again with the same writer: nothing of the first try may be left.
BOOST_AUTO_TEST_CASE(a_failed_write_is_told_and_leaves_nothing) {
  using store::testing::Point;
  const std::string bytes = text_bytes(700000, 1);
  const PayloadNumber first = put("first");
  for (std::uint64_t nth = 1; nth < 60; nth += 7) {
    {
      auto transaction = begin();
      store::testing::fail(Point::put, nth, ENOSPC);
      const auto failed = writer.put(transaction, bytes);
      store::testing::fail_nothing();
      BOOST_TEST((code_of(failed) == Code::disk_full));
    }
    BOOST_TEST(entries() == 1U);
  }
  const PayloadNumber number = put(bytes);
  BOOST_TEST(number == first + 1);
  BOOST_REQUIRE(need(read_all(number)) == bytes);
  {
    auto transaction = begin();
    store::testing::fail(Point::erase, 20, ENOSPC);
    BOOST_TEST((code_of(writer.erase(transaction, number)) == Code::disk_full));
    store::testing::fail_nothing();
  }
  BOOST_REQUIRE(need(read_all(number)) == bytes);
}

BOOST_AUTO_TEST_CASE(erase_leaves_nothing) {
  std::vector<PayloadNumber> numbers;
  for (const std::size_t size : {0UL, 10UL, 2500UL, 5000UL, 600000UL}) {
    numbers.push_back(put(random_bytes(size, size)));
  }
  append(numbers[1], text_bytes(400000, 1));
  const PayloadNumber kept = put("kept");
  for (const PayloadNumber number : numbers) {
    need(erase(number));
    BOOST_TEST((code_of(read_all(number)) == Code::not_found));
  }
  BOOST_TEST(entries() == 1U);
  BOOST_TEST(need(read_all(kept)) == "kept");
  need(erase(kept));
  BOOST_TEST(entries() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(payload_damage, StoreFixture)

BOOST_AUTO_TEST_CASE(a_turned_bit_is_corrupt_and_stays_with_its_payload) {
  const PayloadNumber before = put("before");
  const std::string bytes = random_bytes(100, 1);
  const PayloadNumber number = put(bytes);
  const PayloadNumber after = put("after");
  damage(bytes);
  BOOST_TEST((code_of(read_all(number)) == Code::corrupt));
  BOOST_TEST((code_of(size(number)) == Code::corrupt));
  BOOST_TEST(need(read_all(before)) == "before");
  BOOST_TEST(need(read_all(after)) == "after");

  // Neighbours can still be written, and the damaged one can be removed.
  append(before, " and more");
  BOOST_TEST(need(read_all(before)) == "before and more");
  need(erase(before));
  need(erase(number));
  BOOST_TEST((code_of(read_all(number)) == Code::not_found));
  BOOST_TEST(entries() == 1U);
}

BOOST_AUTO_TEST_CASE(a_turned_bit_in_a_later_piece_spoils_what_needs_it_alone) {
  const std::string bytes = random_bytes(2 * kSliceSizeBytes, 1);
  const PayloadNumber number = put(bytes);
  damage(Bytes(bytes).substr(kSliceSizeBytes + 9000, 100));
  BOOST_TEST((code_of(read_all(number)) == Code::corrupt));
  BOOST_TEST(need(size(number)) == bytes.size());
  const auto snapshot = need(environment->begin_read());
  const PayloadReader reader(snapshot);
  std::string out = "kept";
  BOOST_TEST((code_of(reader.read(number, 0, bytes.size(), out)) == Code::corrupt));
  BOOST_TEST(out == "kept");
  need(reader.read(number, 100, 1000, out));
  BOOST_TEST(out == "kept" + bytes.substr(100, 1000));
}

BOOST_AUTO_TEST_CASE(missing_and_foreign_pieces_are_corrupt) {
  const std::string bytes = random_bytes(3 * kSliceSizeBytes, 1);
  for (const auto& [slice, piece] : {std::pair{0, 0}, {0, 1}, {0, 64}, {1, 0}, {1, 5}, {2, 0}}) {
    BOOST_TEST_CONTEXT("slice " << slice << ", piece " << piece) {
      const PayloadNumber number = put(bytes);
      erase_value(number, static_cast<std::uint64_t>(slice), static_cast<std::uint64_t>(piece));
      const Code expected = slice == 0 && piece == 0 ? Code::not_found : Code::corrupt;
      BOOST_TEST((code_of(read_all(number)) == expected));
      need(erase(number));
      BOOST_TEST(entries() == 0U);
    }
  }
  const PayloadNumber number = put(bytes);
  put_value(number, 1, 3, "");
  BOOST_TEST((code_of(read_all(number)) == Code::corrupt));
  put_value(number, 1, 3, random_bytes(10, 1));
  BOOST_TEST((code_of(read_all(number)) == Code::corrupt));
  put_value(number, 1, 64, random_bytes(4000, 1));
  BOOST_TEST((code_of(read_all(number)) == Code::corrupt));
}

std::string header(unsigned coding, std::uint64_t raw, std::uint64_t stored) {
  std::string out(1, static_cast<char>(coding));
  append_varint(out, raw);
  append_varint(out, stored);
  return out;
}

BOOST_AUTO_TEST_CASE(hostile_headers_are_corrupt) {
  const std::string compressed = [&] {
    const PayloadNumber number = put(std::string(1000, 'x'));
    const auto snapshot = need(environment->begin_read());
    // coding, two bytes of raw size, one of stored size
    return std::string(*need(snapshot.get(KeySpace::payload, key_of(number, 0, 0)))).substr(4);
  }();
  const std::size_t stored = compressed.size();
  const std::vector<std::string> hostile = {
      "",
      std::string(1, '\0'),
      std::string("\0\x05", 2),
      header(0, 5, 5),             // no body, and no piece follows
      header(0, 5, 5) + "1234",    // too short
      header(0, 5, 5) + "123456",  // too long
      header(0, 5, 4) + "1234",    // raw, but two sizes
      header(0, 4, 5) + "12345",
      header(2, 5, 5) + "12345",  // no such coding
      header(0x7f, 5, 5) + "12345",
      header(0x80, 5, 5) + "12345",  // another slice should follow
      header(0, kSliceSizeBytes + 1, kSliceSizeBytes + 1) + "12345",
      header(0, UINT64_MAX, UINT64_MAX) + "12345",
      header(1, UINT64_MAX, stored) + compressed,
      header(1, std::uint64_t{1} << 40, stored) + compressed,
      header(1, kSliceSizeBytes + 1, stored) + compressed,
      header(1, kSliceSizeBytes, stored) + compressed,  // more than zstd gives
      header(1, 1001, stored) + compressed,
      header(1, 999, stored) + compressed,     // less than zstd gives
      header(1, stored, stored) + compressed,  // not smaller
      header(1, 1000, 0),
      header(1, 1000, 4) + "1234",  // no frame
      header(1, 1000, stored - 1) + compressed.substr(1),
      header(1, 1000, stored - 1) + compressed.substr(0, stored - 1),
      std::string(1, '\0') + std::string(10, '\xff'),  // a varint without end
      std::string(4000, '\xff'),
  };
  put_value(7, 0, 0, header(1, 1000, stored) + compressed);
  BOOST_TEST(need(read_all(7)) == std::string(1000, 'x'));
  for (std::size_t i = 0; i < hostile.size(); ++i) {
    BOOST_TEST_CONTEXT("case " << i) {
      put_value(7, 0, 0, hostile[i]);
      BOOST_TEST((code_of(read_all(7)) == Code::corrupt));
      std::string out;
      const auto snapshot = need(environment->begin_read());
      BOOST_TEST((code_of(PayloadReader(snapshot).read(7, 1, UINT64_MAX, out)) == Code::corrupt));
      BOOST_TEST(out.empty());
    }
  }
}

// Whatever a frame holds, it gives its bytes or `corrupt` (the sanitizers look on).
BOOST_AUTO_TEST_CASE(random_values_are_harmless) {
  const std::uint64_t seed = test::random_seed();
  test::RandomJson random(seed);
  const PayloadNumber number = put(text_bytes(3000, seed));
  std::string original;
  {
    const auto snapshot = need(environment->begin_read());
    original = *need(snapshot.get(KeySpace::payload, key_of(number, 0, 0)));
  }
  auto transaction = begin();
  const PayloadReader reader(transaction);
  for (int i = 0; i < 5000; ++i) {
    std::string value = original;
    for (std::size_t n = 1 + random.below(3); n > 0; --n) {
      value[random.below(random.chance(2) ? 16 : value.size())] =
          static_cast<char>(random.below(256));
    }
    need(transaction.put(KeySpace::payload, key_of(number, 0, 0), value));
    const auto read = reader.read_all(number);
    if (read) {
      BOOST_REQUIRE(read->size() <= kSliceSizeBytes);
    } else {
      BOOST_REQUIRE((read.error().code == Code::corrupt));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_wrong_counter_is_corrupt) {
  for (const Bytes value : {Bytes(""), Bytes("1"), Bytes("\0\0\0\0\0\0\0\0", 8)}) {
    auto transaction = begin();
    need(transaction.put(KeySpace::meta, "next_payload", value));
    BOOST_TEST((code_of(writer.put(transaction, "x")) == Code::corrupt));
  }
  auto transaction = begin();
  std::string last;
  append_big_endian(last, (PayloadNumber{1} << 48) - 1);
  need(transaction.put(KeySpace::meta, "next_payload", last));
  const PayloadNumber number = need(writer.put(transaction, "the last"));
  need(writer.append(transaction, number, " one"));
  BOOST_TEST(need(PayloadReader(transaction).read_all(number)) == "the last one");
  BOOST_TEST((code_of(writer.put(transaction, "x")) == Code::limit));
  need(writer.erase(transaction, number));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
