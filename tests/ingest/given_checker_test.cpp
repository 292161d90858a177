// What payloads turn out to be behind the queue: nothing that was given is lost.
#include "ingest/given_checker.hpp"

#include "support.hpp"

namespace tracelite::ingest::test {
namespace {

struct Checked {
  Form form{};
  std::string bytes;
  std::string told;
};

Checked check(Field field, Form form, Bytes given) {
  Checked result;
  GivenChecker checker([&](const std::string& name, const std::string& message) {
    result.told += name + ": " + message;
  });
  std::string own;
  Bytes bytes = given;
  checker.check(field, form, bytes, own);
  result.form = form;
  result.bytes = bytes;
  return result;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(given_checker)

BOOST_AUTO_TEST_CASE(what_is_of_its_form_stays_as_it_is) {
  for (const auto& [form, bytes] : std::initializer_list<std::pair<Form, Bytes>>{
           {Form::json, "[1, 2]"}, {Form::text, "[1, 2"}, {Form::bytes, "\xff"}}) {
    const Checked checked = check(Field::input, form, bytes);
    BOOST_TEST((checked.form == form));
    BOOST_TEST(checked.bytes == bytes);
    BOOST_TEST(checked.told.empty());
  }
}

BOOST_AUTO_TEST_CASE(json_that_is_none_is_kept_as_text) {
  const Checked checked = check(Field::output, Form::json, "{\"cut\": ");
  BOOST_TEST((checked.form == Form::text));
  BOOST_TEST(checked.bytes == "{\"cut\": ");
  BOOST_TEST(checked.told.find("output: kept as text") == 0U);
  BOOST_TEST(checked.told.find("at byte 8") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(text_that_is_no_utf8_is_kept_as_bytes) {
  for (const Form form : {Form::json, Form::text}) {
    const Checked checked = check(Field::input, form, "a\xff");
    BOOST_TEST((checked.form == Form::bytes));
    BOOST_TEST(checked.bytes == "a\xff");
    BOOST_TEST(checked.told == "input: kept as bytes, because it is not valid UTF-8");
  }
}

BOOST_AUTO_TEST_CASE(metadata_becomes_an_object) {
  BOOST_TEST(check(Field::metadata, Form::json, "{\"a\":1}").bytes == "{\"a\":1}");
  BOOST_TEST(check(Field::metadata, Form::json, "[1]").bytes == "{\"metadata\":[1]}");
  BOOST_TEST(check(Field::metadata, Form::json, "[1").bytes == "{\"metadata\":\"[1\"}");
  BOOST_TEST(check(Field::metadata, Form::json, " null").bytes == " null");
}

BOOST_AUTO_TEST_CASE(what_was_repaired_is_counted_and_told) {
  Options options;
  std::string told;
  options.log = [&](LogLevel /*level*/, Reason reason, const std::string& message) {
    if (reason == Reason::payload) told = message;
  };
  Scene scene(options);
  scene.record(observation("t", "o", [](EventBuilder& builder) {
    builder.unchecked_payload(Field::input, Form::json, "nonsense");
  }));
  scene.flush();
  scene.close();
  BOOST_TEST(scene.look().counter(Reason::payload) == 1U);
  BOOST_TEST(told.find("input: kept as text") == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::ingest::test
