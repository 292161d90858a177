// Payloads come out with the bytes that they had in the event, whatever their size and depth.
#include <boost/test/unit_test.hpp>

#include "payload/base64.hpp"
#include "support.hpp"

namespace tracelite::test {
namespace {

using model::Field;
using model::Form;

model::Event event_with_input(Bytes input) {
  std::string body = R"({"id":"o","input":)";
  body.append(input).append(R"( ,"output":"after"})");
  return import_event("span-create", body);
}

void same_bytes(Bytes json) {
  const model::Event event = event_with_input(json);
  const auto input = payload_of(event.entity, Field::input);
  BOOST_TEST((input.form == Form::json));
  BOOST_TEST((input.bytes == json), std::string(json.substr(0, 100)));
  BOOST_TEST(payload_of(event.entity, Field::output).bytes == "\"after\"");
}

BOOST_AUTO_TEST_SUITE(langfuse_payload)

BOOST_AUTO_TEST_CASE(json_keeps_its_bytes) {
  for (const Bytes json : {"true",
                           "0",
                           "-0.0",
                           "1e400",
                           "123456789012345678901234567890",
                           "\"\"",
                           "\"\\ud800\"",
                           "\"\\/\\u0041\"",
                           "[]",
                           "{}",
                           "[ 1 ,\t2 ]",
                           "{\"b\":1,\"a\":2,\"b\":3}",
                           "{ }",
                           "\"\xe4\xbd\xa0\xe5\xa5\xbd\"",
                           "\"]}\\\"\\\\\"",
                           "[[],[[]],{\"\":{}}]",
                           "0.10",
                           "{\"$bytes\":\"not base64\"}",
                           "{\"$bytes\":\"AAAA\",\"x\":1}",
                           "{\"$bytes\":1}"}) {
    same_bytes(json);
  }
}

BOOST_AUTO_TEST_CASE(bytes_are_recognised) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  std::string json;
  payload::append_bytes_json(json, all);
  const auto recognised = [](Bytes text) {
    const model::Event event = event_with_input(text);
    const auto input = payload_of(event.entity, Field::input);
    BOOST_TEST((input.form == Form::bytes), text);
    return std::string(input.bytes);
  };
  BOOST_TEST((recognised(json) == all));
  BOOST_TEST(recognised(R"({"$bytes":""})") == "");
  BOOST_TEST(recognised(R"( { "\u0024bytes" : "\/\/8=" } )") == "\xff\xff");
}

BOOST_AUTO_TEST_CASE(metadata_is_an_object_or_kept_under_a_key) {
  const auto metadata_of = [](Bytes json) {
    const std::string body = R"({"id":"t","metadata":)" + std::string(json) + "}";
    const model::Event event = import_event("trace-create", body);
    const auto metadata = payload_of(event.entity, Field::metadata);
    BOOST_TEST((metadata.form == Form::json));
    return std::string(metadata.bytes);
  };
  BOOST_TEST(metadata_of(R"({"a" : 1})") == R"({"a" : 1})");
  BOOST_TEST(metadata_of("[1, 2]") == R"({"metadata":[1, 2]})");
  BOOST_TEST(metadata_of(R"("x\n")") == R"({"metadata":"x\n"})");
  BOOST_TEST(metadata_of("7") == R"({"metadata":7})");
  // It is an object already, so its bytes stay.
  BOOST_TEST(metadata_of(R"({"$bytes":"AAAA"})") == R"({"$bytes":"AAAA"})");
}

BOOST_AUTO_TEST_CASE(nesting_of_a_million_levels) {
  const std::size_t levels = 1'000'000;
  same_bytes(std::string(levels, '[') + std::string(levels, ']'));
  std::string objects;
  for (std::size_t i = 0; i < levels; ++i) objects += "{\"a\":";
  same_bytes(objects + "1" + std::string(levels, '}'));
  // Where it is not looked at, and where it is not closed.
  const std::string open(levels, '[');
  const std::string text = R"({"x":)" + open + std::string(levels, ']') + "," +
                           event_text("span-create", R"({"id":"o"})").substr(1);
  import_event(text);
  const Imported cut = import_text(text.substr(0, levels) + "\n" + text);
  BOOST_TEST(cut.events.size() == 1U);
  BOOST_TEST(cut.report.failed_count == 1U);
  BOOST_TEST(import_text(open + "\n" + text).events.size() == 1U);
  const std::string metadata = R"({"id":"o","metadata":)" + objects + "1" +
                               std::string(levels, '}') + R"(,"usageDetails":)" + open +
                               std::string(levels, ']') + "}";
  const Imported deep = import_text(event_text("span-create", metadata));
  BOOST_TEST(deep.events.size() == 1U);
  BOOST_TEST(deep.report.warned_count == 1U);  // usageDetails is no object
}

BOOST_AUTO_TEST_CASE(a_payload_of_64_mib) {
  std::string json = "[\"";
  while (json.size() < std::size_t{64} << 20) json += "0123456789 \\n \xe4\xbd\xa0 \\\" ";
  json += "\"]";
  same_bytes(json);
  std::string bytes_json;
  payload::append_bytes_json(bytes_json, json);
  const model::Event event = event_with_input(bytes_json);
  BOOST_TEST((payload_of(event.entity, Field::input).bytes == json));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tracelite::test
