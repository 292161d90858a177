// The grammar of JSON, case by case: what check_json must accept, what it must refuse, and where.
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "payload/json_scanner.hpp"

namespace {

using namespace std::string_view_literals;
using tracelite::Bytes;
using tracelite::payload::check_json;
using tracelite::payload::json_type;
using tracelite::payload::JsonType;

std::string repeat(std::string_view text, std::size_t count) {
  std::string out;
  out.reserve(text.size() * count);
  for (std::size_t i = 0; i < count; ++i) out += text;
  return out;
}

const std::vector<Bytes> kAccepted = {
    // structure
    "{}"sv,
    "[]"sv,
    " [ ] "sv,
    "\t{\r\n}\n"sv,
    "[1,2]"sv,
    "[[],[[]],{}]"sv,
    "{\"a\":{\"b\":[]}}"sv,
    "{\"a\":1,\"a\":2}"sv,
    "{\"\":0}"sv,
    "[null,true,false]"sv,
    "null"sv,
    " true "sv,
    "false"sv,
    "\"text\""sv,
    "\"\""sv,
    "0"sv,
    "{ \"a\" : 1 , \"b\" : [ 2 , 3 ] }"sv,
    // numbers of any length, by grammar alone
    "-0"sv,
    "-1"sv,
    "10"sv,
    "1.5"sv,
    "0.0"sv,
    "-0.10"sv,
    "1e5"sv,
    "1E5"sv,
    "1e+5"sv,
    "1e-5"sv,
    "0e0"sv,
    "1.25e007"sv,
    "1e400"sv,
    "-1e-400"sv,
    "123456789012345678901234567890"sv,
    "0.1234567890123456789012345678901234567890"sv,
    "[1,-2,3.5e9]"sv,
    " 1 "sv,
    // escapes; a lone surrogate escape is valid text
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""sv,
    "\"\\u0000\""sv,
    "\"\\uD83D\\ude00\""sv,
    "\"\\ud800\""sv,
    "\"\\uDC00\\uD800\""sv,
    "\"\\uabcdEF\""sv,
    "{\"\\u0061\":1}"sv,
    "\"\\\\\""sv,
    "\"\\\\\\\\\""sv,
    // UTF-8 up to its corners
    "\"\x7f\""sv,
    "\"\xc2\x80\""sv,
    "\"\xdf\xbf\""sv,
    "\"\xe0\xa0\x80\""sv,
    "\"\xed\x9f\xbf\""sv,
    "\"\xee\x80\x80\""sv,
    "\"\xef\xbf\xbf\""sv,
    "\"\xf0\x90\x80\x80\""sv,
    "\"\xf4\x8f\xbf\xbf\""sv,
    "\"\xef\xbb\xbf\""sv,
    "\"\xe2\x80\xa8\""sv,
    "\"caf\xc3\xa9 \xe4\xbd\xa0\xe5\xa5\xbd\""sv,
    "{\"\xe4\xbd\xa0\":\"\xf0\x9f\x98\x80\"}"sv,
};

struct Refused {
  Bytes text;
  std::size_t offset;
  bool at_end;
  Bytes reason;  // part of it; empty if it does not matter
};

const std::vector<Refused> kRefused = {
    // nothing, or not enough
    {""sv, 0, true, "a value is missing"},
    {" \n"sv, 2, true, "a value is missing"},
    {"["sv, 1, true, "a value is missing"},
    {"[1"sv, 2, true, "inside an array"},
    {"[1,"sv, 3, true, "a value is missing"},
    {"{"sv, 1, true, "a member name"},
    {"{\"a\""sv, 4, true, "a colon"},
    {"{\"a\":"sv, 5, true, "a value is missing"},
    {"{\"a\":1"sv, 6, true, "inside an object"},
    {"{\"a\":1,"sv, 7, true, "a member name"},
    {"\"abc"sv, 4, true, "inside a string"},
    {"\"abc\\"sv, 5, true, "inside an escape"},
    {"\"\\u00"sv, 5, true, "four hex digits"},
    {"\"\xe4\xbd"sv, 3, true, "inside a character"},
    {"\"\xf0"sv, 2, true, "inside a character"},
    {"tru"sv, 3, true, ""},
    {"-"sv, 1, true, "a digit"},
    {"1."sv, 2, true, "a digit"},
    {"1e"sv, 2, true, "a digit"},
    {"1e+"sv, 3, true, "a digit"},
    // structure
    {"[1,]"sv, 3, false, "a value is missing"},
    {"[,1]"sv, 1, false, "a value is missing"},
    {"[1,,2]"sv, 3, false, "a value is missing"},
    {"[1 2]"sv, 3, false, "a comma or ]"},
    {"[1}"sv, 2, false, "a comma or ]"},
    {"[1:2]"sv, 2, false, "a comma or ]"},
    {"{\"a\" 1}"sv, 5, false, "a colon"},
    {"{\"a\":1,}"sv, 7, false, "a member name"},
    {"{,}"sv, 1, false, "a member name"},
    {"{a:1}"sv, 1, false, "a member name"},
    {"{1:1}"sv, 1, false, "a member name"},
    {"{'a':1}"sv, 1, false, "a member name"},
    {"{\"a\":}"sv, 5, false, "a value is missing"},
    {"{\"a\"}"sv, 4, false, "a colon"},
    {"{\"a\":1]"sv, 6, false, "a comma or }"},
    {"{\"a\":1 \"b\":2}"sv, 7, false, "a comma or }"},
    {"{\"a\"::1}"sv, 5, false, "a value is missing"},
    {"]"sv, 0, false, "a value is missing"},
    {"[]]"sv, 2, false, "after the value"},
    {"{}}"sv, 2, false, "after the value"},
    {"1 2"sv, 2, false, "after the value"},
    {"\"a\"b"sv, 3, false, "after the value"},
    {"{} // end"sv, 3, false, "after the value"},
    {"/**/1"sv, 0, false, "a value is missing"},
    {"[1]\0"sv, 3, false, "after the value"},
    {"[1\0]"sv, 2, false, "a comma or ]"},
    {"\0"sv, 0, false, "a value is missing"},
    {"\xc2\xa0"
     "1"sv,
     0, false, "a value is missing"},
    {"[\f1]"sv, 1, false, "a value is missing"},
    {"[\v1]"sv, 1, false, "a value is missing"},
    {"\xef\xbb\xbf{}"sv, 0, false, "byte order mark"},
    {"[\xef\xbb\xbf]"sv, 1, false, "a value is missing"},
    {"{\"a\":tru,\"b\":01}"sv, 8, false, "not true, false or null"},
    // words
    {"nul "sv, 3, false, ""},
    {"True"sv, 0, false, "a value is missing"},
    {"truefalse"sv, 4, false, "after the value"},
    {"NaN"sv, 0, false, "a value is missing"},
    {"Infinity"sv, 0, false, "a value is missing"},
    {"-Infinity"sv, 1, false, "a digit"},
    {"undefined"sv, 0, false, "a value is missing"},
    {"'x'"sv, 0, false, "a value is missing"},
    // numbers
    {"01"sv, 1, false, "leading zero"},
    {"-01"sv, 2, false, "leading zero"},
    {"00"sv, 1, false, "leading zero"},
    {"+1"sv, 0, false, "a value is missing"},
    {".5"sv, 0, false, "a value is missing"},
    {"-.5"sv, 1, false, "a digit"},
    {"[1.]"sv, 3, false, "a digit"},
    {"1.e5"sv, 2, false, "a digit"},
    {"1e5.5"sv, 3, false, "after the value"},
    {"1.5.5"sv, 3, false, "after the value"},
    {"[1e]"sv, 3, false, "a digit"},
    {"--1"sv, 1, false, "a digit"},
    {"0x1"sv, 1, false, "after the value"},
    {"1_000"sv, 1, false, "after the value"},
    {"1a"sv, 1, false, "after the value"},
    {"\xef\xbc\x91"sv, 0, false, ""},  // a full-width digit one
    // strings
    {"\"a\nb\""sv, 2, false, "control character"},
    {"\"a\tb\""sv, 2, false, "control character"},
    {"\"a\0b\""sv, 2, false, "control character"},
    {"\"\x1f\""sv, 1, false, "control character"},
    {"\"\\a\""sv, 2, false, "escape does not exist"},
    {"\"\\'\""sv, 2, false, "escape does not exist"},
    {"\"\\x41\""sv, 2, false, "escape does not exist"},
    {"\"\\U0041\""sv, 2, false, "escape does not exist"},
    {"\"\\u12g4\""sv, 5, false, "four hex digits"},
    {"\"\\u123\""sv, 6, false, "four hex digits"},
    {"\"\\u+123\""sv, 3, false, "four hex digits"},
    {"\"\\\n\""sv, 2, false, "escape does not exist"},
    {"{\"a\tb\":1}"sv, 3, false, "control character"},
    // UTF-8
    {"\"\x80\""sv, 1, false, "UTF-8"},
    {"\"\xbf\""sv, 1, false, "UTF-8"},
    {"\"\xc0\x80\""sv, 1, false, "UTF-8"},          // overlong
    {"\"\xc1\xbf\""sv, 1, false, "UTF-8"},          // overlong
    {"\"\xe0\x9f\xbf\""sv, 2, false, "UTF-8"},      // overlong
    {"\"\xf0\x8f\xbf\xbf\""sv, 2, false, "UTF-8"},  // overlong
    {"\"\xed\xa0\x80\""sv, 2, false, "UTF-8"},      // a surrogate
    {"\"\xf4\x90\x80\x80\""sv, 2, false, "UTF-8"},  // above U+10FFFF
    {"\"\xf5\x80\x80\x80\""sv, 1, false, "UTF-8"},
    {"\"\xff\""sv, 1, false, "UTF-8"},
    {"\"\xe4\xbd\""sv, 3, false, "UTF-8"},
    {"\"\xf0\x9f\x98\""sv, 4, false, "UTF-8"},
    {"\"\xc3\""sv, 2, false, "UTF-8"},
    {"\"\xe4\xbd\xa0\x80\""sv, 4, false, "UTF-8"},
    {"[\xe9]"sv, 1, false, ""},
};

BOOST_AUTO_TEST_SUITE(json_check)

BOOST_AUTO_TEST_CASE(accepts_every_valid_text) {
  for (const Bytes text : kAccepted) {
    const auto error = check_json(text);
    BOOST_TEST(!error, text << ": " << (error ? error->reason : ""));
  }
}

BOOST_AUTO_TEST_CASE(refuses_with_place_and_reason) {
  for (const Refused& refused : kRefused) {
    BOOST_TEST_CONTEXT("text: " << refused.text) {
      const auto error = check_json(refused.text);
      BOOST_REQUIRE(error);
      BOOST_TEST(error->offset == refused.offset);
      BOOST_TEST(error->at_end == refused.at_end);
      BOOST_TEST(Bytes(error->reason).find(refused.reason) != Bytes::npos,
                 "reason: " << error->reason);
    }
  }
}

// Blocks of 8 or 16 bytes are looked at together: the same fault must be found at every distance
// from the start and the end of the text.
BOOST_AUTO_TEST_CASE(finds_a_fault_at_every_alignment) {
  for (std::size_t before = 0; before < 40; ++before) {
    for (std::size_t after = 0; after < 40; ++after) {
      const std::string start = "\"" + std::string(before, 'x');
      const std::string end = std::string(after, 'y') + "\"";
      BOOST_TEST(!check_json(start + "\\n" + end));
      BOOST_TEST(!check_json(start + "\xe4\xbd\xa0" + end));
      BOOST_TEST(!check_json(start + "\xf0\x9f\x98\x80\xc3\xa9" + end));
      for (const Bytes fault : {"\x01"sv, "\x1f"sv, "\xff"sv, "\0"sv}) {
        const auto error = check_json(start + std::string(fault) + end);
        BOOST_REQUIRE(error);
        BOOST_TEST(error->offset == start.size());
      }
      const auto error = check_json(start + "\xe4\xbd" + end);
      BOOST_REQUIRE(error);
      BOOST_TEST(error->offset == start.size() + 2);
    }
  }
}

BOOST_AUTO_TEST_CASE(nesting_is_limited_by_nothing) {
  for (const std::size_t depth : {1UL, 63UL, 64UL, 65UL, 127UL, 128UL, 129UL, 1025UL, 1000000UL}) {
    BOOST_TEST_CONTEXT("depth " << depth) {
      BOOST_TEST(!check_json(repeat("[", depth) + repeat("]", depth)));
      BOOST_TEST(!check_json(repeat("{\"a\":", depth) + "1" + repeat("}", depth)));
      BOOST_TEST(!check_json(repeat("[{\"a\":", depth) + "null" + repeat("}]", depth)));

      const auto open = check_json(repeat("[", depth) + repeat("]", depth - 1));
      BOOST_REQUIRE(open);
      BOOST_TEST(open->at_end);
      const auto extra = check_json(repeat("[", depth) + repeat("]", depth + 1));
      BOOST_REQUIRE(extra);
      BOOST_TEST(extra->offset == 2 * depth);
      const auto wrong = check_json("{\"a\":" + repeat("[", depth) + repeat("]", depth) + "]");
      BOOST_REQUIRE(wrong);
      BOOST_TEST(wrong->offset == 5 + 2 * depth);
      BOOST_TEST(!wrong->at_end);
    }
  }
}

// Objects and arrays in an order that a wrong bit anywhere would upset.
BOOST_AUTO_TEST_CASE(every_bracket_must_match_its_own) {
  std::string open;
  std::string close;
  for (std::size_t i = 0; i < 300; ++i) {
    const bool object = (i * i / 3 + i / 7) % 2 == 0;
    open += object ? "{\"k\":" : "[";
    close.insert(close.begin(), object ? '}' : ']');
  }
  BOOST_TEST(!check_json(open + "0" + close));
  for (std::size_t i = 0; i < close.size(); ++i) {
    std::string wrong = close;
    wrong[i] = wrong[i] == '}' ? ']' : '}';
    const auto error = check_json(open + "0" + wrong);
    BOOST_REQUIRE(error);
    BOOST_TEST(error->offset == open.size() + 1 + i);
  }
}

BOOST_AUTO_TEST_CASE(very_long_numbers_and_strings) {
  BOOST_TEST(!check_json(std::string(1000000, '9') + "." + std::string(1000000, '0') + "e" +
                         std::string(1000, '7')));
  BOOST_TEST(!check_json("\"" + std::string(1000000, 'a') + "\""));
  BOOST_TEST(!check_json("\"" + repeat("\\u0041\\\\", 100000) + "\""));
}

BOOST_AUTO_TEST_CASE(type_is_told_by_the_first_byte) {
  BOOST_TEST((json_type(" \n{}") == JsonType::object));
  BOOST_TEST((json_type("[1]") == JsonType::array));
  BOOST_TEST((json_type("\"x\"") == JsonType::string));
  BOOST_TEST((json_type("-1") == JsonType::number));
  BOOST_TEST((json_type("7") == JsonType::number));
  BOOST_TEST((json_type("true") == JsonType::boolean));
  BOOST_TEST((json_type("false") == JsonType::boolean));
  BOOST_TEST((json_type("\tnull") == JsonType::null));
  BOOST_TEST(!json_type(""));
  BOOST_TEST(!json_type("  "));
  BOOST_TEST(!json_type("x"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
