// The scanner and the store on recorded conversations, where they are at hand.
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <string>
#include <vector>

#include "payload/corpus.hpp"
#include "payload/json_scanner.hpp"

namespace {

using namespace tracelite;
using namespace tracelite::payload;
using test::corpus_is_there;

// Members and elements at all depths, strings taken apart and put together again.
std::size_t walk(Bytes value) {
  const auto type = json_type(value);
  if (type == JsonType::string) {
    const Bytes inside = value.substr(1, value.size() - 2);
    std::string again;
    append_json_string(again, unescape_json(inside));
    if (inside.find('\\') == Bytes::npos) BOOST_REQUIRE(again == value);
    return 1;
  }
  std::size_t count = 1;
  for (JsonWalker walker(value); walker.next();) count += walk(walker.value());
  return count;
}

BOOST_AUTO_TEST_SUITE(payload_corpus, *boost::unit_test::precondition(corpus_is_there))

BOOST_AUTO_TEST_CASE(every_recorded_text_is_valid_and_can_be_walked) {
  std::size_t values = 0;
  const std::vector<std::string> texts = test::corpus_texts();
  for (const std::string& text : texts) {
    const auto error = check_json(text);
    BOOST_REQUIRE_MESSAGE(!error, text.substr(0, 100) << ": " << (error ? error->reason : ""));
    BOOST_REQUIRE(is_valid_utf8(text));
    if (text.starts_with('{') || text.starts_with('[')) {
      BOOST_REQUIRE(*skim_value(text) <= text.size());
    }
    values += walk(text);
    // Cut anywhere, it is unfinished or has lost only white space.
    const Bytes cut = Bytes(text).substr(0, text.size() / 2);
    if (const auto unfinished = check_json(cut)) BOOST_REQUIRE(unfinished->at_end);
  }
  BOOST_TEST(texts.size() > 100U);
  BOOST_TEST(values > 100000U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
