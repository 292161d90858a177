// Strings in and out of JSON, JSON on one line, UTF-8, base64, and the byte searches below them.
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "payload/base64.hpp"
#include "payload/byte_scan.hpp"
#include "payload/json_scanner.hpp"
#include "payload/random_json.hpp"

namespace {

using namespace std::string_view_literals;
using namespace tracelite::payload;
using tracelite::Bytes;
using tracelite::test::random_seed;
using tracelite::test::RandomJson;

std::string in_quotes(Bytes text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string one_line(Bytes json) {
  std::string out = "before\n";
  append_one_line(out, json);
  return out.substr(7);
}

std::string random_bytes(RandomJson& random, std::size_t size) {
  std::string out(size, '\0');
  for (char& byte : out) byte = static_cast<char>(random.below(256));
  return out;
}

BOOST_AUTO_TEST_SUITE(json_text)

BOOST_AUTO_TEST_CASE(escapes_only_what_must_be_escaped) {
  BOOST_TEST(in_quotes("") == "\"\"");
  BOOST_TEST(in_quotes("a/b'c\x7f") == "\"a/b'c\x7f\"");
  BOOST_TEST(in_quotes("\"\\\b\f\n\r\t") == "\"\\\"\\\\\\b\\f\\n\\r\\t\"");
  BOOST_TEST(in_quotes("\0\x01\x1f"sv) == "\"\\u0000\\u0001\\u001f\"");
  BOOST_TEST(in_quotes("\xe4\xbd\xa0\xf0\x9f\x98\x80\xe2\x80\xa8") ==
             "\"\xe4\xbd\xa0\xf0\x9f\x98\x80\xe2\x80\xa8\"");
}

BOOST_AUTO_TEST_CASE(invalid_bytes_become_replacement_characters) {
  BOOST_TEST(in_quotes("a\xff"
                       "b") ==
             "\"a\xef\xbf\xbd"
             "b\"");
  BOOST_TEST(in_quotes("\xe4\xbd") == "\"\xef\xbf\xbd\"");
  BOOST_TEST(in_quotes("\xe4\xbd\"") == "\"\xef\xbf\xbd\\\"\"");
  BOOST_TEST(in_quotes("\xc0\x80") == "\"\xef\xbf\xbd\xef\xbf\xbd\"");
  BOOST_TEST(in_quotes("\xed\xa0\x80") == "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
  BOOST_TEST(in_quotes("\xc3\xa9\xff\xc3\xa9") == "\"\xc3\xa9\xef\xbf\xbd\xc3\xa9\"");
}

BOOST_AUTO_TEST_CASE(unescapes_every_escape) {
  BOOST_TEST(unescape_json("") == "");
  BOOST_TEST(unescape_json("plain") == "plain");
  BOOST_TEST(unescape_json("\\\"\\\\\\/\\b\\f\\n\\r\\t") == "\"\\/\b\f\n\r\t");
  BOOST_TEST(unescape_json("\\u0041\\u00e9\\u4F60\\u0000") == "A\xc3\xa9\xe4\xbd\xa0\0"sv);
  BOOST_TEST(unescape_json("\\ud83d\\uDE00!") == "\xf0\x9f\x98\x80!");
  BOOST_TEST(unescape_json("\\ud800\\udc00\\udbff\\udfff") == "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf");
}

BOOST_AUTO_TEST_CASE(lone_surrogates_become_replacement_characters) {
  const std::string replaced = "\xef\xbf\xbd";
  BOOST_TEST(unescape_json("\\ud800") == replaced);
  BOOST_TEST(unescape_json("\\udc00x") == replaced + "x");
  BOOST_TEST(unescape_json("\\ud800\\ud800\\udc00") == replaced + "\xf0\x90\x80\x80");
  BOOST_TEST(unescape_json("\\ud800\\n") == replaced + "\n");
  BOOST_TEST(unescape_json("\\ud800\\u0041") == replaced + "A");
  BOOST_TEST(unescape_json("\\udc00\\ud800") == replaced + replaced);
}

BOOST_AUTO_TEST_CASE(unescaping_broken_text_stays_inside_it) {
  for (const Bytes text : {"\\"sv, "\\u"sv, "\\u1"sv, "\\u12g4"sv, "\\ud800\\"sv, "\\ud800\\u"sv}) {
    const std::vector<char> exact(text.begin(), text.end());
    unescape_json({exact.data(), exact.size()});
  }
}

BOOST_AUTO_TEST_CASE(any_text_comes_back_from_a_json_string) {
  const std::uint64_t seed = random_seed();
  RandomJson random(seed);
  for (int i = 0; i < 20000; ++i) {
    std::string bytes = random_bytes(random, random.below(60));
    if (random.chance(2)) bytes = unescape_json(random.string_inside());
    const std::string json = in_quotes(bytes);
    BOOST_REQUIRE_MESSAGE(!check_json(json), "seed " << seed);
    const std::string back = unescape_json(Bytes(json).substr(1, json.size() - 2));
    BOOST_REQUIRE(is_valid_utf8(back));
    if (is_valid_utf8(bytes)) BOOST_REQUIRE_EQUAL(back, bytes);
  }
}

BOOST_AUTO_TEST_CASE(line_breaks_between_tokens_become_spaces) {
  BOOST_TEST(one_line("{\n  \"a\\n\": [1,\r\n2]\n}") == "{   \"a\\n\": [1,  2] }");
  BOOST_TEST(one_line("1") == "1");
  const std::uint64_t seed = random_seed();
  RandomJson random(seed);
  for (int i = 0; i < 2000; ++i) {
    const std::string json = random.value(3);
    const std::string line = one_line(json);
    BOOST_REQUIRE(line.find_first_of("\r\n") == std::string::npos);
    BOOST_REQUIRE(line.size() == json.size());
    BOOST_REQUIRE_MESSAGE(!check_json(line), "seed " << seed);
  }
}

BOOST_AUTO_TEST_CASE(utf8_is_checked_anywhere) {
  BOOST_TEST(is_valid_utf8(""));
  BOOST_TEST(is_valid_utf8("\0\x7f"sv));
  for (std::size_t before = 0; before < 40; ++before) {
    const std::string start(before, 'x');
    for (const Bytes good : {"\xc3\xa9"sv, "\xe4\xbd\xa0"sv, "\xf0\x9f\x98\x80"sv, "\xed\x9f\xbf"sv,
                             "\xe0\xa0\x80"sv}) {
      BOOST_TEST(is_valid_utf8(start + std::string(good) + "tail"));
      BOOST_TEST(!is_valid_utf8(start + std::string(good.substr(0, good.size() - 1))));
      BOOST_TEST(!is_valid_utf8(start + std::string(good.substr(1)) + "a long enough tail"));
    }
    for (const Bytes bad : {"\x80"sv, "\xc0\x80"sv, "\xed\xa0\x80"sv, "\xf4\x90\x80\x80"sv}) {
      BOOST_TEST(!is_valid_utf8(start + std::string(bad) + "a long enough tail"));
    }
  }
}

// Both kinds of block must find what a loop finds, whichever of them this machine uses.
template <class Block>
void check_searches(RandomJson& random) {
  static constexpr std::string_view kBytes =
      "aaaaaaaaaaaaaaaaaaaaaaaaa zZ!#;=|~[]{}\"\\\x01\x1f\x20\x7f\x80\xdb\xdd\xfb\xfd\xff";
  for (int i = 0; i < 20000; ++i) {
    std::string text(random.below(70), 'b');
    for (char& byte : text) {
      if (random.chance(6)) byte = kBytes[random.below(kBytes.size())];
    }
    const char* const begin = text.data();
    const char* const end = begin + text.size();
    const auto expect = [&](const char* found, auto matters) {
      const char* at = begin;
      while (at != end && !matters(*at)) ++at;
      BOOST_REQUIRE(found == at);
    };
    const auto high = [](char byte) { return static_cast<unsigned char>(byte) >= 0x80; };
    const auto low = [](char byte) { return static_cast<unsigned char>(byte) < 0x20; };
    const auto in = [](char byte, Bytes set) { return set.find(byte) != Bytes::npos; };
    expect(find_string_event<Block>(begin, end),
           [&](char byte) { return high(byte) || low(byte) || in(byte, "\"\\"); });
    expect(find_quote_or_backslash<Block>(begin, end), [&](char byte) { return in(byte, "\"\\"); });
    expect(find_bracket_or_quote<Block>(begin, end), [&](char byte) { return in(byte, "\"[]{}"); });
    expect(find_not_ascii<Block>(begin, end), high);
    for (std::size_t at = 0; at + Block::kSizeBytes <= text.size(); ++at) {
      const Bytes part = Bytes(text).substr(at, Block::kSizeBytes);
      const bool any = std::any_of(part.begin(), part.end(),
                                   [&](char byte) { return high(byte) || byte < '+'; });
      BOOST_REQUIRE((Block(part.data()).below_or_not_ascii('+') != 0) == any);
    }
  }
}

BOOST_AUTO_TEST_CASE(searches_find_what_a_loop_finds) {
  RandomJson random(random_seed());
  check_searches<WordBlock>(random);
  check_searches<ScanBlock>(random);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(base64)

std::string encoded(Bytes bytes) {
  std::string out;
  append_base64(out, bytes);
  return out;
}

BOOST_AUTO_TEST_CASE(known_answers) {
  // RFC 4648, section 10
  BOOST_TEST(encoded("") == "");
  BOOST_TEST(encoded("f") == "Zg==");
  BOOST_TEST(encoded("fo") == "Zm8=");
  BOOST_TEST(encoded("foo") == "Zm9v");
  BOOST_TEST(encoded("foobar") == "Zm9vYmFy");
  BOOST_TEST(encoded("\xff\xfe\xfd\xfb\xff") == "//79+/8=");
}

BOOST_AUTO_TEST_CASE(only_canonical_text_is_decoded) {
  for (const Bytes text : {"Zg="sv, "Zg"sv, "Zh=="sv, "Zm9="sv, " Zg=="sv, "Zg==\n"sv, "Zg ="sv,
                           "Z==="sv, "===="sv, "Zg==Zg=="sv, "Zm=v"sv, "Zm9v\n\n\n\n"sv,
                           "    Zm9v"sv, "Zm9v----"sv, "_-__"sv, "Zm\0v"sv, "\xff\xff\xff\xff"sv}) {
    BOOST_TEST(!decode_base64(text), text);
  }
  BOOST_TEST(decode_base64("").value() == "");
  BOOST_TEST(decode_base64("Zg==").value() == "f");
}

BOOST_AUTO_TEST_CASE(every_byte_string_comes_back) {
  const std::uint64_t seed = random_seed();
  RandomJson random(seed);
  std::vector<std::size_t> sizes = {12287, 12288, 12289, 24576, 40000, 1000001};
  for (std::size_t size = 0; size < 200; ++size) sizes.push_back(size);
  for (const std::size_t size : sizes) {
    const std::string bytes = random_bytes(random, size);
    const std::string text = encoded(bytes);
    BOOST_TEST(text.size() == (size + 2) / 3 * 4);
    BOOST_REQUIRE(decode_base64(text).value() == bytes);

    std::string json;
    append_bytes_json(json, bytes);
    BOOST_REQUIRE(!check_json(json));
    BOOST_REQUIRE(bytes_from_json(json).value() == bytes);
  }
}

BOOST_AUTO_TEST_CASE(padding_is_allowed_only_at_the_end_of_long_text) {
  std::string text = encoded(std::string(20000, 'x'));
  BOOST_TEST(decode_base64(text).has_value());
  text.replace(16380, 4, "Zg==");  // the end of an inner block
  BOOST_TEST(!decode_base64(text));
}

BOOST_AUTO_TEST_CASE(only_the_export_form_means_bytes) {
  BOOST_TEST(bytes_from_json("{\"$bytes\":\"Zg==\"}").value() == "f");
  BOOST_TEST(bytes_from_json(" { \"$bytes\" : \"\" } ").value() == "");
  BOOST_TEST(bytes_from_json("{\"$bytes\":\"\\/\\/79+\\/8=\"}").value() == "\xff\xfe\xfd\xfb\xff");
  for (const Bytes json :
       {"{}"sv, "[]"sv, "null"sv, "\"$bytes\""sv, "{\"$bytes\":1}"sv, "{\"$bytes\":null}"sv,
        "{\"$bytes\":\"Zh==\"}"sv, "{\"$bytes\":\"Zg\"}"sv, "{\"$bytes\":\"Zg==\",\"a\":1}"sv,
        "{\"a\":1,\"$bytes\":\"Zg==\"}"sv, "{\"$bytes\":\"Zg==\",\"$bytes\":\"Zg==\"}"sv,
        "{\"bytes\":\"Zg==\"}"sv, "[\"$bytes\",\"Zg==\"]"sv, "{\"$bytes\":[\"Zg==\"]}"sv,
        "{\"$bytes\":\"Zg==\\n\"}"sv}) {
    BOOST_TEST(!bytes_from_json(json), json);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
