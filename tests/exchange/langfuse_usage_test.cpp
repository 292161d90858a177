// Usage and cost in every shape that clients send.
#include <boost/test/unit_test.hpp>

#include "support.hpp"

namespace tracelite::test {
namespace {

struct Usage {
  std::string usage;  // "input=3 output=2"
  std::string cost;
  std::vector<model::Warning> warnings;
};

Usage usage_of(Bytes members) {
  const Imported imported =
      import_text(event_text("generation-create", R"({"id":"o",)" + std::string(members) + "}"));
  BOOST_REQUIRE_EQUAL(imported.events.size(), 1U);
  const auto view = model::view_observation(imported.events.front().entity);
  Usage found;
  for (const auto& [name, amount] : view.usage) {
    if (!found.usage.empty()) found.usage += ' ';
    found.usage += std::string(name) + '=' + std::to_string(amount);
  }
  for (const auto& [name, units] : view.cost) {
    if (!found.cost.empty()) found.cost += ' ';
    found.cost += std::string(name) + '=' + model::format_decimal(units);
  }
  found.warnings = imported.warnings;
  return found;
}

std::string amounts(Bytes members) {
  const Usage usage = usage_of(members);
  for (const model::Warning& warning : usage.warnings) BOOST_ERROR(warning.message);
  return usage.usage;
}

BOOST_AUTO_TEST_SUITE(langfuse_usage)

BOOST_AUTO_TEST_CASE(details_that_are_no_object_are_dropped_with_a_warning) {
  const Usage found = usage_of(R"("usageDetails":{"prompt_tokens":10,"completion_tokens":7,
             "total_tokens":17,"prompt_tokens_details":[4],"completion_tokens_details":null})");
  BOOST_TEST(found.usage == "input=10 output=7 total=17");
  BOOST_REQUIRE_EQUAL(found.warnings.size(), 1U);
  BOOST_TEST(found.warnings.front().message.find("must be an object") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_flat_map_is_taken_as_it_is) {
  BOOST_TEST(amounts(R"("usageDetails":{"output":2,"input":3})") == "input=3 output=2");
  BOOST_TEST(amounts(R"("usageDetails":{"a":1,"a":2,"b":null})") == "a=2");
  BOOST_TEST(amounts(R"("usageDetails":{})") == "");
  BOOST_TEST(amounts(R"("usageDetails":{"input":18446744073709551615})") ==
             "input=18446744073709551615");
  BOOST_TEST(amounts(R"("usageDetails":{"a":"12","b":12.0,"c":1e3,"d":"7.0"})") ==
             "a=12 b=12 c=1000 d=7");
  // Anthropic's names stay.
  BOOST_TEST(amounts(R"("usageDetails":{"input_tokens":3,"output_tokens":2,
             "cache_read_input_tokens":9})") ==
             "cache_read_input_tokens=9 input_tokens=3 output_tokens=2");
  BOOST_TEST(amounts(R"("usageDetails":{"input_tokens":3,"output_tokens":2})") ==
             "input_tokens=3 output_tokens=2");
}

BOOST_AUTO_TEST_CASE(openai_completions_are_renamed_and_keep_their_sum) {
  BOOST_TEST(amounts(R"("usageDetails":{"prompt_tokens":10,"completion_tokens":7,
             "total_tokens":17,"prompt_tokens_details":{"cached_tokens":4,"audio_tokens":1},
             "completion_tokens_details":{"reasoning_tokens":5,"audio_tokens":null}})") ==
             "input=5 input_audio_tokens=1 input_cached_tokens=4 output=2 "
             "output_reasoning_tokens=5 total=17");
  BOOST_TEST(amounts(R"("usageDetails":{"prompt_tokens":1,"completion_tokens":2})") ==
             "input=1 output=2");
  BOOST_TEST(amounts(R"("usageDetails":{"prompt_tokens":1,"total_tokens":3,
             "completion_tokens_details":null})") == "input=1 total=3");
  // Details that are more than the whole leave nothing of it.
  BOOST_TEST(amounts(R"("usageDetails":{"prompt_tokens_details":{"cached_tokens":4},
             "prompt_tokens":3})") == "input=0 input_cached_tokens=4");
}

BOOST_AUTO_TEST_CASE(openai_responses_are_renamed_and_keep_their_sum) {
  BOOST_TEST(amounts(R"("usageDetails":{"input_tokens":10,"output_tokens":7,"total_tokens":17,
             "input_tokens_details":{"cached_tokens":4},
             "output_tokens_details":{"reasoning_tokens":5}})") ==
             "input=6 input_cached_tokens=4 output=2 output_reasoning_tokens=5 total=17");
}

BOOST_AUTO_TEST_CASE(an_object_with_further_names_is_not_openais) {
  BOOST_TEST(amounts(R"("usageDetails":{"prompt_tokens":10,"completion_tokens":7,"seconds":1})") ==
             "completion_tokens=7 prompt_tokens=10 seconds=1");
}

BOOST_AUTO_TEST_CASE(the_older_usage_is_understood) {
  BOOST_TEST(amounts(R"("usage":{"promptTokens":3,"completionTokens":2,"totalTokens":5})") ==
             "input=3 output=2 total=5");
  BOOST_TEST(amounts(R"("usage":{"input":3,"output":null,"total":5,"unit":"TOKENS"})") ==
             "input=3 total=5");
  BOOST_TEST(amounts(R"("usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5})") ==
             "input=3 output=2 total=5");
  BOOST_TEST(amounts(R"("usage":{"promptTokens":3,"seconds":4,"unit":"TOKENS"})") ==
             "input=3 seconds=4");
  BOOST_TEST(amounts(R"("usage":{"input":1},"usageDetails":{"input":2})") == "input=2");
  BOOST_TEST(amounts(R"("usage":{"input":1},"usageDetails":{})") == "input=1");
  BOOST_TEST(amounts(R"("usage":{"input":1},"usageDetails":null)") == "input=1");
  BOOST_TEST(amounts(R"("usage":null,"usageDetails":{"input":2})") == "input=2");
}

BOOST_AUTO_TEST_CASE(costs_are_exact_decimals) {
  BOOST_TEST(usage_of(R"("costDetails":{"input":0.1,"output":1e-12,"x":"2.50","y":null})").cost ==
             "input=0.1 output=0.000000000001 x=2.5");
  BOOST_TEST(usage_of(R"("usage":{"inputCost":0.1,"outputCost":0.2,"totalCost":0.3})").cost ==
             "input=0.1 output=0.2 total=0.3");
  BOOST_TEST(usage_of(R"("usage":{"totalCost":1},"costDetails":{"total":2})").cost == "total=2");
  BOOST_TEST(usage_of(R"("costDetails":{"total":123456789.123456789012})").cost ==
             "total=123456789.123456789012");
}

BOOST_AUTO_TEST_CASE(null_clears) {
  const auto cleared = [](Bytes members, model::Field field) {
    const model::Event event =
        import_event("generation-create", R"({"id":"o",)" + std::string(members) + "}");
    const model::Register* reg = event.entity.find(field);
    return reg != nullptr && reg->cleared();
  };
  BOOST_TEST(cleared(R"("usageDetails":null)", model::Field::usage_details));
  BOOST_TEST(cleared(R"("usage":null)", model::Field::usage_details));
  BOOST_TEST(cleared(R"("costDetails":null)", model::Field::cost_details));
  BOOST_TEST(!cleared(R"("usageDetails":null,"usage":{"input":1})", model::Field::usage_details));
}

BOOST_AUTO_TEST_CASE(what_is_no_amount_is_dropped_with_a_warning) {
  const auto warned = [](Bytes members, Bytes field, Bytes message, model::Reason reason) {
    const Usage usage = usage_of(members);
    BOOST_REQUIRE_EQUAL(usage.warnings.size(), 1U);
    BOOST_TEST(usage.warnings.front().field == field);
    BOOST_TEST(usage.warnings.front().message == message);
    BOOST_TEST((usage.warnings.front().reason == reason));
    return usage;
  };
  using model::Reason;
  BOOST_TEST(warned(R"("usageDetails":{"input":1.5,"output":2})", "usageDetails.input",
                    "usageDetails.input was dropped: 1.5 is not a whole number of 0 or more",
                    Reason::usage)
                 .usage == "output=2");
  warned(R"("usageDetails":{"input":-1})", "usageDetails.input",
         "usageDetails.input was dropped: -1 is not a whole number of 0 or more", Reason::usage);
  warned(R"("usageDetails":{"input":"many"})", "usageDetails.input",
         "usageDetails.input was dropped: \"many\" is not a whole number of 0 or more",
         Reason::usage);
  warned(R"("usageDetails":{"input":18446744073709551616})", "usageDetails.input",
         "usageDetails.input was dropped: 18446744073709551616 is not a whole number of 0 or more",
         Reason::usage);
  warned(R"("usageDetails":{"input":{"a":1}})", "usageDetails.input",
         "usageDetails.input was dropped: {\"a\":1} is not a whole number of 0 or more",
         Reason::usage);
  warned(R"("usageDetails":{"prompt_tokens":3,"prompt_tokens_details":{"cached_tokens":true}})",
         "usageDetails.prompt_tokens_details.cached_tokens",
         "usageDetails.prompt_tokens_details.cached_tokens was dropped: true is not a whole number "
         "of 0 or more",
         Reason::usage);
  warned(R"("usageDetails":[1])", "usageDetails",
         "usageDetails was dropped: it must be an object, not an array", Reason::usage);
  warned(R"("usage":"5")", "usage", "usage was dropped: it must be an object, not a text",
         Reason::usage);
  warned(R"("costDetails":{"total":"free"})", "costDetails.total",
         "costDetails.total was dropped: \"free\" is not a decimal number up to 10^20",
         Reason::cost);
  warned(R"("costDetails":{"total":1e21})", "costDetails.total",
         "costDetails.total was dropped: 1e21 is not a decimal number up to 10^20", Reason::cost);
  warned(R"("costDetails":3)", "costDetails",
         "costDetails was dropped: it must be an object, not a number", Reason::cost);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tracelite::test
