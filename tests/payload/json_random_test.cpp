// Properties of the scanner on random text: it agrees with a second parser written in the plainest
// way and with simdjson, sees the end coming, and walks over exactly what is there.
#include <simdjson.h>

#include <boost/test/unit_test.hpp>
#include <cctype>
#include <cstddef>
#include <iostream>
#include <string>
#include <vector>

#include "payload/json_scanner.hpp"
#include "payload/random_json.hpp"

namespace {

using tracelite::Bytes;
using tracelite::payload::check_json;
using tracelite::payload::json_type;
using tracelite::payload::JsonType;
using tracelite::payload::JsonWalker;
using tracelite::payload::skim_value;
using tracelite::test::random_seed;
using tracelite::test::RandomJson;

// RFC 8259 read aloud: recursive, byte by byte, UTF-8 by decoding and comparing.
class PlainParser {
 public:
  explicit PlainParser(Bytes text) : text_(text) {}
  bool valid() {
    space();
    if (!value()) return false;
    space();
    return at_ == text_.size();
  }

 private:
  [[nodiscard]] int peek() const {
    return at_ < text_.size() ? static_cast<unsigned char>(text_[at_]) : -1;
  }
  bool take(char byte) {
    if (peek() != static_cast<unsigned char>(byte)) return false;
    ++at_;
    return true;
  }
  bool word(Bytes word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  void space() {
    while (take(' ') || take('\t') || take('\n') || take('\r')) {
    }
  }
  bool value() {
    if (take('{')) return members('}', true);
    if (take('[')) return members(']', false);
    if (peek() == '"') return string();
    return word("true") || word("false") || word("null") || number();
  }
  bool members(char close, bool named) {
    space();
    if (take(close)) return true;
    do {
      space();
      if (named) {
        if (!string()) return false;
        space();
        if (!take(':')) return false;
        space();
      }
      if (!value()) return false;
      space();
    } while (take(','));
    return take(close);
  }
  bool digits() {
    const std::size_t start = at_;
    while (std::isdigit(peek()) != 0) ++at_;
    return at_ > start;
  }
  bool number() {
    take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      return digits();
    }
    return true;
  }
  bool string() {
    if (!take('"')) return false;
    while (!take('"')) {
      if (take('\\')) {
        if (take('u')) {
          for (int i = 0; i < 4; ++i, ++at_) {
            if (std::isxdigit(peek()) == 0) return false;
          }
        } else if (peek() < 0 || Bytes("\"\\/bfnrt").find(text_[at_++]) == Bytes::npos) {
          return false;
        }
      } else if (!character()) {
        return false;
      }
    }
    return true;
  }
  bool character() {
    const int lead = peek();
    if (lead < 0x20) return false;
    ++at_;
    if (lead < 0x80) return true;
    const int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    unsigned code = static_cast<unsigned>(lead) & (0x3fU >> more);
    if (lead < 0xc0 || lead >= 0xf8) return false;
    for (int i = 0; i < more; ++i, ++at_) {
      if (peek() < 0 || (peek() & 0xc0) != 0x80) return false;
      code = code << 6 | (static_cast<unsigned>(peek()) & 0x3f);
    }
    const unsigned least = more == 3 ? 0x10000 : more == 2 ? 0x800 : 0x80;
    return code >= least && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
  }

  Bytes text_;
  std::size_t at_ = 0;
};

struct Seeded {
  std::uint64_t seed = random_seed();
  RandomJson random{seed};
};

BOOST_FIXTURE_TEST_SUITE(json_random, Seeded)

BOOST_AUTO_TEST_CASE(agrees_with_a_plain_parser) {
  std::size_t accepted = 0;
  std::size_t refused = 0;
  for (int i = 0; i < 100000; ++i) {
    std::string text = random.space() + random.value(4) + random.space();
    if (!random.chance(4)) text = random.mutated(std::move(text));
    const bool valid = PlainParser(text).valid();
    const auto error = check_json(text);
    BOOST_REQUIRE_MESSAGE(valid == !error, "seed " << seed << ": " << text);
    if (error) BOOST_REQUIRE(error->offset <= text.size());
    // What ends too early must end at the end; nothing else need be said about it.
    if (error && error->at_end) BOOST_REQUIRE(error->offset == text.size());
    ++(valid ? accepted : refused);
  }
  BOOST_TEST(accepted > 20000U);
  BOOST_TEST(refused > 20000U);
}

BOOST_AUTO_TEST_CASE(agrees_with_simdjson_where_it_keeps_to_the_grammar) {
  simdjson::dom::parser parser;
  for (int i = 0; i < 100000; ++i) {
    std::string text = random.space() + random.value(4) + random.space();
    if (!random.chance(4)) text = random.mutated(std::move(text));
    const simdjson::error_code other = parser.parse(text).error();
    const auto error = check_json(text);
    if ((other == simdjson::SUCCESS) == !error) continue;
    // simdjson refuses numbers that do not fit its types and lone surrogates. Nothing else.
    const bool excused =
        !error && (other == simdjson::NUMBER_ERROR ||
                   (other == simdjson::STRING_ERROR && text.find("\\u") != std::string::npos));
    BOOST_REQUIRE_MESSAGE(excused, "seed " << seed << ": " << text << ": " << other);
  }
}

BOOST_AUTO_TEST_CASE(every_proper_prefix_of_a_container_is_unfinished) {
  for (int i = 0; i < 2000; ++i) {
    const std::string text = random.space() + random.container(3, random.chance(2));
    BOOST_REQUIRE_MESSAGE(!check_json(text), "seed " << seed << ": " << text);
    for (std::size_t size = 0; size < text.size(); ++size) {
      const Bytes prefix = Bytes(text).substr(0, size);
      const auto error = check_json(prefix);
      BOOST_REQUIRE_MESSAGE(error && error->at_end, "seed " << seed << ": " << prefix);
      BOOST_REQUIRE_MESSAGE(!skim_value(prefix), "seed " << seed << ": " << prefix);
    }
    BOOST_REQUIRE(skim_value(text) == text.size());
    BOOST_REQUIRE(skim_value(text + ",{}") == text.size());
  }
}

BOOST_AUTO_TEST_CASE(walker_gives_exactly_the_members) {
  for (int i = 0; i < 20000; ++i) {
    const bool object = random.chance(2);
    std::vector<RandomJson::Member> members;
    const std::string text =
        random.space() + random.container(3, object, &members) + random.space();
    JsonWalker walker(text);
    for (const auto& member : members) {
      BOOST_REQUIRE_MESSAGE(walker.next(), "seed " << seed << ": " << text);
      BOOST_REQUIRE_EQUAL(walker.key(), member.key);
      BOOST_REQUIRE_EQUAL(walker.value(), member.value);
    }
    BOOST_REQUIRE_MESSAGE(!walker.next(), "seed " << seed << ": " << text);
    BOOST_REQUIRE(!walker.next());
  }
}

// Neither may read outside the text or run forever, whatever it is given (the sanitizers look on).
BOOST_AUTO_TEST_CASE(walker_and_skim_stay_inside_broken_text) {
  for (int i = 0; i < 50000; ++i) {
    const std::string broken = random.mutated(random.container(3, random.chance(2)));
    const std::vector<char> exact(broken.begin(), broken.end());  // no NUL behind it
    const Bytes text(exact.data(), exact.size());
    JsonWalker walker(text);
    for (std::size_t members = 0; walker.next(); ++members) BOOST_REQUIRE(members <= text.size());
    if (const auto end = skim_value(text)) BOOST_REQUIRE(*end <= text.size());
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(json_skim)

std::size_t skimmed(Bytes text) {
  const auto end = skim_value(text);
  return end ? *end : Bytes::npos;
}

BOOST_AUTO_TEST_CASE(finds_the_end_of_one_value) {
  BOOST_TEST(skimmed("{\"a\":1},{\"b\":2}") == 7U);
  BOOST_TEST(skimmed("  [1,[2]] x") == 9U);
  BOOST_TEST(skimmed("\"a]}\\\"b\",1") == 8U);
  BOOST_TEST(skimmed("12,") == 2U);
  BOOST_TEST(skimmed("12]") == 2U);
  BOOST_TEST(skimmed("tru }") == 3U);
  BOOST_TEST(skimmed(",1") == 0U);
  BOOST_TEST(skimmed("{\"a\":\"}\"}") == 9U);
  BOOST_TEST(skimmed("{'a'; b}!") == 8U);  // not JSON, but balanced
}

BOOST_AUTO_TEST_CASE(waits_for_text_that_has_not_come) {
  for (const Bytes text : {"", " ", "12", "{", "[1,2", "\"abc", "\"abc\\", "\"abc\\\"", "{\"a}"}) {
    BOOST_TEST(skimmed(text) == Bytes::npos, text);
  }
}

BOOST_AUTO_TEST_CASE(a_missing_or_extra_bracket_does_not_swallow_the_neighbour) {
  BOOST_TEST(skimmed("{\"a\":[1,[2},{\"b\":1}") == 11U);
  BOOST_TEST(skimmed("{\"a\":1]},{\"b\":1}") == 8U);
  BOOST_TEST(skimmed("[{\"a\":1],[]") == 8U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
