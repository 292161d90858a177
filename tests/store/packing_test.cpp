// How many entries a value takes: pages are filled, and hardly anything is compressed in vain.
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

#include "store/helpers.hpp"
#include "store/packing.hpp"
#include "support/random_seed.hpp"

namespace {

using namespace tracelite;
using namespace tracelite::store;
using store::test::must;

// Few words make entries that compress well, many such that do not.
class Entries {
 public:
  explicit Entries(std::size_t word_count) : word_count_(word_count) {
    random_.seed(tracelite::test::random_seed());
  }

  PackedBlock block(std::size_t entry_size_bytes) {
    PackedBlock block;
    while (block.size_bytes < kCutSizeBytes) {
      std::string key;
      append_big_endian(key, ++number_);
      std::string value;
      const std::size_t size_bytes = entry_size_bytes / 2 + random_() % entry_size_bytes;
      while (value.size() < size_bytes) {
        append_big_endian(value, random_() % word_count_ * 0x9e3779b97f4a7c15U);
      }
      if (block.places.empty()) block.begin = key;
      block.put(block.places.size(), false, key, value);
    }
    return block;
  }

 private:
  std::size_t word_count_;
  std::mt19937_64 random_;
  std::uint64_t number_ = 0;
};

struct Sum {
  std::uint64_t raw_size_bytes = 0;
  std::uint64_t value_size_bytes = 0;
  std::uint64_t page_count = 0;
};

std::size_t page_count_of(std::size_t value_size_bytes) {
  return 1 + (value_size_bytes + 4096 - kOnePageValueSizeBytes - 1) / 4096;
}

void pack(BlockCodec& codec, Packer& packer, const PackedBlock& block, Sum& sum) {
  for (std::size_t from = 0; from < block.places.size();) {
    const auto packed = must(packer.pack(codec, kQuickPacking, {}, block, from));
    BOOST_REQUIRE(packed.to > from);
    const auto coded = must(parse_block(packed.value));
    std::string raw;
    block.append_raw(raw, from, from, packed.to);
    BOOST_REQUIRE((must(codec.decode(coded, nullptr)) == raw));
    const std::size_t page_count = page_count_of(packed.value.size());
    BOOST_TEST(page_count <= kQuickPacking.page_count_max);
    BOOST_TEST(raw.size() <= kQuickPacking.raw_size_bytes_max);
    sum.raw_size_bytes += raw.size();
    if (packed.to < block.places.size()) {  // what is left over at the end fills no page
      sum.value_size_bytes += packed.value.size();
      sum.page_count += page_count;
    }
    from = packed.to;
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(packing)

BOOST_AUTO_TEST_CASE(pages_are_filled_and_little_is_compressed_in_vain) {
  for (const std::size_t word_count : {16U, 256U, 4'096U, 1U << 30U}) {
    for (const std::size_t entry_size_bytes : {60U, 600U, 2'000U}) {
      Entries entries(word_count);
      BlockCodec codec;
      Packer packer;
      Sum sum;
      for (int i = 0; i < 20; ++i) pack(codec, packer, entries.block(entry_size_bytes), sum);
      BOOST_TEST_CONTEXT("words: " << word_count << ", bytes an entry: " << entry_size_bytes) {
        BOOST_TEST(codec.encoded_size_bytes() < sum.raw_size_bytes * 11 / 10);
        BOOST_TEST(sum.value_size_bytes > sum.page_count * 4096 * 17 / 20);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(what_comes_is_packed_well_also_after_what_was_quite_different) {
  Entries dull(4);
  Entries lively(1U << 30U);
  BlockCodec codec;
  Packer packer;
  Sum sum;
  for (int i = 0; i < 10; ++i) {
    pack(codec, packer, dull.block(600), sum);
    pack(codec, packer, lively.block(600), sum);
  }
  BOOST_TEST(codec.encoded_size_bytes() < sum.raw_size_bytes * 5 / 4);
}

BOOST_AUTO_TEST_CASE(values_hold_pieces_of_any_size_and_bytes_that_do_not_compress) {
  std::mt19937_64 random(1);
  BlockCodec codec;
  for (std::size_t size_bytes : {0U, 1U, 100U, 5'000U, 70'000U}) {
    for (const bool is_dull : {false, true}) {
      std::string raw(size_bytes, 'x');
      for (char& byte : raw) byte = is_dull ? 'x' : static_cast<char>(random());
      for (std::size_t piece_count = 1; piece_count < 4; ++piece_count) {
        must(codec.begin(3, nullptr, 0, size_bytes));
        for (std::size_t i = 1; i < piece_count; ++i) {
          must(codec.add(Bytes(raw).substr(0, size_bytes * i / piece_count)));
        }
        const std::string value(must(codec.finish(raw)));
        BOOST_TEST(value.size() <= size_bytes + 16);
        BOOST_TEST((must(codec.decode(must(parse_block(value)), nullptr)) == raw));
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
