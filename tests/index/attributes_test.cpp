// Metadata as the index sees it: each key once, whatever was given, and no more of it than the
// index takes.
#include "index/attributes.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <map>
#include <random>
#include <string>

#include "model/limits.hpp"
#include "store/helpers.hpp"

namespace tracelite::index::test {
namespace {

using model::Entity;
using model::Field;
using model::Form;
using model::PayloadValue;
using store::test::Folder;
using store::test::must;

class File {
 public:
  // What is read of an entity with this as its metadata.
  [[nodiscard]] Result<Attributes> read(std::string value) const {
    const auto transaction = must(environment_->begin_read());
    Entity entity;
    entity.registers.push_back({Field::metadata, 0, 0, std::move(value)});
    return read_attributes(record::EntityReader(transaction), entity);
  }
  [[nodiscard]] payload::PayloadNumber put(Bytes bytes) const {
    auto transaction = must(environment_->begin_write());
    payload::PayloadWriter payloads;
    const auto number = must(payloads.put(transaction, bytes));
    must(transaction.commit());
    return number;
  }

 private:
  Folder folder_{store::test::fast_folder()};
  std::shared_ptr<store::Environment> environment_ = store::test::open_file(folder_.file());
};

std::string object_of_size(std::size_t size_bytes) {
  const std::string begin = R"({"key":1,"long":")";
  return begin + std::string(size_bytes - begin.size() - 2, 'x') + R"("})";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(attributes)

BOOST_AUTO_TEST_CASE(of_equal_keys_the_last_one_counts_in_its_place) {
  const Attributes expected = {{"b", "2"}, {"", std::nullopt}, {"a", "text"}, {"c", "null"}};
  BOOST_TEST((attributes_of(R"({"a":1,"b":1,"b":2,"":[],"a":{},"\u0061":"te\u0078t","c":null})") ==
              expected));
  BOOST_TEST(attributes_of("[1]").empty());
  BOOST_TEST(attributes_of("{}").empty());
}

BOOST_AUTO_TEST_CASE(any_object_gives_what_going_through_it_key_by_key_would) {
  std::mt19937_64 random(store::test::random_seed());
  for (int round = 0; round < 200; ++round) {
    Attributes expected;
    std::string json = "{";
    for (std::uint64_t n = random() % 40; n > 0; --n) {
      const std::string key = "k" + std::to_string(random() % 15);
      const std::string value = std::to_string(random() % 1000);
      json += (json.size() > 1 ? ",\"" : "\"") + key + "\":" + value;
      std::erase_if(expected, [&](const auto& attribute) { return attribute.first == key; });
      expected.emplace_back(key, value);
    }
    BOOST_TEST_REQUIRE((attributes_of(json + "}") == expected));
  }
}

// Looking through all of them for each would take 10^12 comparisons, far beyond the program's time.
BOOST_AUTO_TEST_CASE(keys_without_number_are_no_work_without_end) {
  constexpr std::uint64_t kCount = 1'000'000;
  std::string json = "{";
  for (std::uint64_t n = 0; n < kCount; ++n) {
    json += (n > 0 ? ",\"" : "\"") + std::to_string(n) + "\":0";
  }
  json += R"(,"0":1})";
  const Attributes found = attributes_of(json);
  BOOST_TEST(found.size() == kCount);
  BOOST_TEST(found.front().first == "1");
  BOOST_TEST((found.back() == Attributes::value_type("0", "1")));
}

BOOST_AUTO_TEST_CASE(metadata_that_is_too_large_is_not_indexed_and_not_read) {
  const File file;
  for (const std::size_t more : {0U, 1U}) {
    const std::string json = object_of_size(model::kIndexedMetadataSizeBytesMax + more);
    const auto found = must(file.read(PayloadValue::encode_inline(Form::json, json)));
    BOOST_TEST(found.size() == (more == 0 ? 2U : 0U));
    const auto number = file.put(json);
    const auto stored =
        must(file.read(PayloadValue::encode_stored(Form::json, number, json.size())));
    BOOST_TEST(stored.size() == (more == 0 ? 2U : 0U));
  }
  // There is none of this number, as who reads it would find.
  constexpr payload::PayloadNumber kNone = 999;
  const std::size_t large = model::kIndexedMetadataSizeBytesMax + 1;
  BOOST_TEST(must(file.read(PayloadValue::encode_stored(Form::json, kNone, large))).empty());
  BOOST_TEST(!file.read(PayloadValue::encode_stored(Form::json, kNone, large - 1)));
}

// What compresses well enough takes a few bytes in the file, however long it is.
BOOST_AUTO_TEST_CASE(metadata_that_is_longer_than_it_says_is_refused) {
  const File file;
  std::string zeros = object_of_size(model::kIndexedMetadataSizeBytesMax + 1);
  const auto number = file.put(zeros);
  const auto found = file.read(PayloadValue::encode_stored(Form::json, number, 100));
  BOOST_REQUIRE(!found);
  BOOST_TEST((found.error().code == Code::corrupt));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::index::test
