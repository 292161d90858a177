// Costs: exact decimals with 12 places.
#include "model/decimal.hpp"

#include <boost/test/unit_test.hpp>

#include "support.hpp"

namespace tracelite::test {
namespace {

using model::add_saturated;
using model::format_decimal;
using model::Int128;
using model::kCostUnitsMax;
using model::parse_decimal;

// The number as it reads after it was stored; "none" if it is refused.
std::string kept(Bytes text) {
  const auto units = parse_decimal(text);
  return units ? format_decimal(*units) : "none";
}

BOOST_AUTO_TEST_CASE(decimals_are_exact) {
  BOOST_TEST(kept("0") == "0");
  BOOST_TEST(kept("-0") == "0");
  BOOST_TEST(kept("0.1") == "0.1");
  BOOST_TEST(kept("0.00125") == "0.00125");
  BOOST_TEST(kept("-3.50") == "-3.5");
  BOOST_TEST(kept("007.700") == "7.7");
  BOOST_TEST(kept("0.000000000001") == "0.000000000001");
  BOOST_TEST(kept("123456789.123456789012") == "123456789.123456789012");
  Int128 sum = 0;
  for (int i = 0; i < 10; ++i) sum += *parse_decimal("0.1");
  BOOST_TEST(format_decimal(sum) == "1");  // unlike doubles
}

BOOST_AUTO_TEST_CASE(twelve_places_are_kept_and_the_rest_rounded_half_to_even) {
  BOOST_TEST(kept("0.0000000000005") == "0");
  BOOST_TEST(kept("0.0000000000015") == "0.000000000002");
  BOOST_TEST(kept("0.0000000000025") == "0.000000000002");
  BOOST_TEST(kept("0.00000000000250000000000001") == "0.000000000003");
  BOOST_TEST(kept("0.0000000000024999") == "0.000000000002");
  BOOST_TEST(kept("-0.0000000000015") == "-0.000000000002");
  BOOST_TEST(kept("0.9999999999995") == "1");
  BOOST_TEST(kept("0.00000000000009") == "0");
  BOOST_TEST(kept("0.000000000000501") == "0.000000000001");
  BOOST_TEST(kept("1.0000000000005") == "1");
  BOOST_TEST(kept("1." + times(100'000, "3")) == "1.333333333333");
}

BOOST_AUTO_TEST_CASE(exponents_are_understood) {
  BOOST_TEST(kept("1e3") == "1000");
  BOOST_TEST(kept("1E+3") == "1000");
  BOOST_TEST(kept("12.5e-3") == "0.0125");
  BOOST_TEST(kept("5e-12") == "0.000000000005");
  BOOST_TEST(kept("5e-13") == "0");
  BOOST_TEST(kept("1e-2000000") == "0");
  BOOST_TEST(kept("1e-99999999999999999999") == "0");
  BOOST_TEST(kept("0e99999999999999999999") == "0");
  BOOST_TEST(kept("1e99999999999999999999") == "none");
  BOOST_TEST(kept("0." + times(50, "0") + "1e51") == "1");
  BOOST_TEST(kept("1" + times(50, "0") + "e-50") == "1");
  BOOST_TEST(kept("1e01") == "10");
}

BOOST_AUTO_TEST_CASE(huge_numbers_are_refused_where_they_no_longer_fit) {
  BOOST_TEST(kept("1e20") == "1" + times(20, "0"));
  BOOST_TEST(kept("99999999999999999999.999999999999") == "99999999999999999999.999999999999");
  BOOST_TEST(kept("-1e20") == "-1" + times(20, "0"));
  BOOST_TEST(kept("100000000000000000000.000000000001") == "none");
  BOOST_TEST(kept("99999999999999999999.9999999999995") ==
             "1" + times(20, "0"));  // rounded up to it
  BOOST_TEST(kept("1e21") == "none");
  BOOST_TEST(kept("9" + times(1'000, "9")) == "none");
  BOOST_TEST((*parse_decimal("1e20") == kCostUnitsMax));
}

BOOST_AUTO_TEST_CASE(what_is_no_decimal_number_is_refused) {
  for (const Bytes text :
       {"",      "-",    ".",   "-.", "e5", "1e", "1e+", "1e-", "1e+-5", "1e--5", "1e5.0",
        "1.2.3", "0x10", "1,5", " 1", "1 ", "+1", "--1", "NaN", "inf",   "1_000", "\xd9\xa1"}) {
    BOOST_TEST_INFO_SCOPE("'" << text << "'");
    BOOST_TEST(kept(text) == "none");
  }
  BOOST_TEST(kept(Bytes("1\0", 2)) == "none");
}

BOOST_AUTO_TEST_CASE(sums_go_far_beyond_64_bits_and_stop_at_the_end_of_128) {
  Int128 sum = 0;
  for (int i = 0; i < 1'000'000; ++i) sum = add_saturated(sum, kCostUnitsMax);
  BOOST_TEST(format_decimal(sum) == "1" + times(26, "0"));
  for (int i = 0; i < 1'000'000; ++i) sum = add_saturated(sum, kCostUnitsMax);
  BOOST_TEST(format_decimal(sum) == "170141183460469231731687303.715884105727");
  sum = 0;
  for (int i = 0; i < 2'000'000; ++i) sum = add_saturated(sum, -kCostUnitsMax);
  BOOST_TEST(format_decimal(sum) == "-170141183460469231731687303.715884105728");
}

BOOST_AUTO_TEST_CASE(every_number_comes_back_from_its_text_and_its_bytes) {
  const std::uint64_t seed = random_seed();
  BOOST_TEST_INFO_SCOPE("TL_SEED=" << seed);
  Random random(seed);
  for (std::size_t i = 0; i < scaled(100'000); ++i) {
    Int128 units = static_cast<Int128>(random.number()) * static_cast<Int128>(random.number() >> 1);
    for (std::size_t cut = random.below(13); cut > 0; --cut)
      units /= 1 + static_cast<int>(random.below(1000));
    units %= kCostUnitsMax;
    if (random.chance(2)) units = -units;
    BOOST_REQUIRE((parse_decimal(format_decimal(units)) == units));
    std::string bytes;
    model::append_int128(bytes, units);
    ByteReader reader(bytes);
    BOOST_REQUIRE((model::read_int128(reader) == units));
    BOOST_REQUIRE(reader.at_end());
    BOOST_REQUIRE(!reader.failed());
  }
}

BOOST_AUTO_TEST_CASE(damaged_128_bit_numbers_fail_the_reader) {
  for (const std::string& bytes : {std::string(), std::string("\x80"), std::string(25, '\xff')}) {
    ByteReader reader(bytes);
    model::read_int128(reader);
    BOOST_TEST(reader.failed());
  }
}

}  // namespace
}  // namespace tracelite::test
