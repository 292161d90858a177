// The scanner and the store on recorded conversations, where they are at hand.
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "payload/json_scanner.hpp"

namespace {

using namespace tracelite;
using namespace tracelite::payload;
namespace fs = std::filesystem;

fs::path corpus() { return fs::path(TL_TESTS_DIR) / "../../shared/corpus"; }

boost::test_tools::assertion_result corpus_is_there(boost::unit_test::test_unit_id /*unit*/) {
  boost::test_tools::assertion_result found(fs::is_directory(corpus()));
  found.message() << "no recorded conversations beside the project";
  return found;
}

std::vector<std::string> json_texts() {
  std::vector<std::string> texts;
  for (const auto& entry : fs::recursive_directory_iterator(corpus())) {
    const std::string extension = entry.path().extension().string();
    if (extension != ".json" && extension != ".jsonl") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    if (extension == ".json") {
      texts.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    } else {
      for (std::string line; std::getline(file, line);) texts.push_back(line);
    }
  }
  return texts;
}

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
  const std::vector<std::string> texts = json_texts();
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
