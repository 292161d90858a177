// Times: nanoseconds inside, ISO 8601 outside.
#include "model/time.hpp"

#include <boost/test/unit_test.hpp>

#include "support.hpp"

namespace tracelite::test {
namespace {

using model::format_time;
using model::parse_time;

// A time as it is written again; "none" if it is refused.
std::string read(Bytes text) {
  const auto time = parse_time(text);
  return time ? format_time(*time) : "none";
}

BOOST_AUTO_TEST_CASE(times_are_written_with_the_decimals_they_need) {
  BOOST_TEST(format_time(0) == "1970-01-01T00:00:00Z");
  BOOST_TEST(format_time(1) == "1970-01-01T00:00:00.000000001Z");
  BOOST_TEST(format_time(1'000) == "1970-01-01T00:00:00.000001Z");
  BOOST_TEST(format_time(120'000'000) == "1970-01-01T00:00:00.120Z");
  BOOST_TEST(format_time(-1) == "1969-12-31T23:59:59.999999999Z");
  BOOST_TEST(format_time(-1'000'000'000) == "1969-12-31T23:59:59Z");
  BOOST_TEST(format_time(1'795'220'428'509'000'000) == "2026-11-21T00:20:28.509Z");
}

BOOST_AUTO_TEST_CASE(usual_ways_to_write_a_time_are_read) {
  BOOST_TEST(read("2026-11-21T00:20:28.509Z") == "2026-11-21T00:20:28.509Z");
  BOOST_TEST(read("2026-11-21t00:20:28z") == "2026-11-21T00:20:28Z");
  BOOST_TEST(read("2026-11-21 00:20:28") == "2026-11-21T00:20:28Z");
  BOOST_TEST(read("2026-11-21T00:20") == "2026-11-21T00:20:00Z");
  BOOST_TEST(read("2026-11-21") == "2026-11-21T00:00:00Z");
  BOOST_TEST(read("2026-11-21T00:20:28,5Z") == "2026-11-21T00:20:28.500Z");
  BOOST_TEST(read("2026-11-21T00:20:28.123456789Z") == "2026-11-21T00:20:28.123456789Z");
  BOOST_TEST(read("2026-11-21T00:20:28.1234567899999Z") == "2026-11-21T00:20:28.123456789Z");
  BOOST_TEST(read("2026-11-21T00:20:28.123456+00:00") == "2026-11-21T00:20:28.123456Z");
  BOOST_TEST(read("2016-12-31T23:59:60Z") == "2017-01-01T00:00:00Z");  // a leap second
}

BOOST_AUTO_TEST_CASE(offsets_lead_to_utc) {
  BOOST_TEST(read("2026-11-21T01:20:28+01:00") == "2026-11-21T00:20:28Z");
  BOOST_TEST(read("2026-11-20T18:50:28-0530") == "2026-11-21T00:20:28Z");
  BOOST_TEST(read("2026-11-21T02:20:28+02") == "2026-11-21T00:20:28Z");
  BOOST_TEST(read("2026-12-31T23:30:00-01:00") == "2027-01-01T00:30:00Z");
}

BOOST_AUTO_TEST_CASE(leap_days_are_those_of_the_calendar) {
  BOOST_TEST(read("2024-02-29T12:00:00Z") == "2024-02-29T12:00:00Z");
  BOOST_TEST(read("2000-02-29T12:00:00Z") == "2000-02-29T12:00:00Z");
  BOOST_TEST(read("2023-02-29T12:00:00Z") == "none");
  BOOST_TEST(read("1900-02-29T12:00:00Z") == "none");
  BOOST_TEST(read("2024-02-30T12:00:00Z") == "none");
}

BOOST_AUTO_TEST_CASE(times_reach_to_both_ends_of_64_bits) {
  BOOST_TEST(format_time(INT64_MIN) == "1677-09-21T00:12:43.145224192Z");
  BOOST_TEST(format_time(INT64_MAX) == "2262-04-11T23:47:16.854775807Z");
  BOOST_TEST((parse_time("1677-09-21T00:12:43.145224192Z") == INT64_MIN));
  BOOST_TEST((parse_time("2262-04-11T23:47:16.854775807Z") == INT64_MAX));
  BOOST_TEST((parse_time("2262-04-12T00:47:16.854775807+01:00") == INT64_MAX));
  BOOST_TEST(read("1677-09-21T00:12:43.145224191Z") == "none");
  BOOST_TEST(read("2262-04-11T23:47:16.854775808Z") == "none");
  BOOST_TEST(read("1600-01-01T00:00:00Z") == "none");
  BOOST_TEST(read("9999-12-31T23:59:59Z") == "none");
  BOOST_TEST(read("0001-01-01T00:00:00Z") == "none");
}

BOOST_AUTO_TEST_CASE(what_is_no_time_is_refused) {
  for (const Bytes text : {"",
                           "2026",
                           "2026-11",
                           "2026-13-01",
                           "2026-00-01",
                           "2026-01-00",
                           "2026-01-32",
                           "26-01-01",
                           "2026-1-1",
                           "2026/01/01",
                           "2026-01-01T",
                           "2026-01-01T1:00",
                           "2026-01-01T24:00",
                           "2026-01-01T00:60",
                           "2026-01-01T00:00:61",
                           "2026-01-01T00:00:00.Z",
                           "2026-01-01T00:00:00.",
                           "2026-01-01T00:00:00Zx",
                           "2026-01-01T00:00:00 Z",
                           "2026-01-01T00:00:00+",
                           "2026-01-01T00:00:00+1",
                           "2026-01-01T00:00:00+24:00",
                           "2026-01-01T00:00:00+01:",
                           "2026-01-01T00:00:00+01:60",
                           "2026-01-01T00:00:00+01:0",
                           "2026-01-01T00:00:00-",
                           " 2026-01-01",
                           "2026-01-01 ",
                           "+2026-01-01",
                           "-026-01-01",
                           "now",
                           "1795220428"}) {
    BOOST_TEST_INFO_SCOPE("'" << text << "'");
    BOOST_TEST(read(text) == "none");
  }
}

BOOST_AUTO_TEST_CASE(every_time_comes_back_from_its_text) {
  const std::uint64_t seed = random_seed();
  Random random(seed);
  for (std::size_t i = 0; i < scaled(100'000); ++i) {
    auto time = static_cast<std::int64_t>(random.number());
    if (random.chance(2)) time -= time % 1'000'000;
    BOOST_TEST_INFO_SCOPE("TL_SEED=" << seed << " time " << time);
    BOOST_REQUIRE((parse_time(format_time(time)) == time));
  }
}

}  // namespace
}  // namespace tracelite::test
