// Every type of event and every field of a body, as it reads afterwards.
#include <boost/test/unit_test.hpp>

#include "model/time.hpp"
#include "support.hpp"

namespace tracelite::test {
namespace {

using model::Entity;
using model::EntityKind;
using model::Event;
using model::Field;
using model::ObservationType;
using model::parse_time;

std::string named(const model::OptionalText& text) { return std::string(text.value_or("(none)")); }

BOOST_AUTO_TEST_SUITE(langfuse_fields)

BOOST_AUTO_TEST_CASE(a_trace_has_all_its_fields) {
  const Event event = import_event("trace-create", R"({
    "id":"t1","timestamp":"2026-11-21T01:02:03.004Z","name":"chat","userId":"u","sessionId":"s",
    "release":"r1","version":"v1","environment":"staging","tags":["b","a","b"],
    "metadata":{"k": 1},"input":{"q": "hi"},"output":"bye","public":true,"bookmarked":false})");
  BOOST_TEST(event.trace_id.empty());
  BOOST_TEST(!event.entity.first_order().is_update);
  BOOST_TEST((event.entity.first_order().event_time_ns == parse_time("2026-11-21T00:00:00Z")));
  BOOST_TEST((event.entity.first_order().body_time_ns == parse_time("2026-11-21T01:02:03.004Z")));
  const auto trace = model::view_trace(event.entity);
  BOOST_TEST(trace.id == "t1");
  BOOST_TEST((trace.timestamp_ns == parse_time("2026-11-21T01:02:03.004Z")));
  BOOST_TEST(named(trace.name) == "chat");
  BOOST_TEST(named(trace.user_id) == "u");
  BOOST_TEST(named(trace.session_id) == "s");
  BOOST_TEST(named(trace.release) == "r1");
  BOOST_TEST(named(trace.version) == "v1");
  BOOST_TEST(trace.environment == "staging");
  BOOST_TEST((trace.tags == std::vector<Bytes>{"a", "b"}));
  BOOST_TEST(trace.metadata.value.bytes == R"({"k": 1})");
  BOOST_TEST(trace.input.value.bytes == R"({"q": "hi"})");
  BOOST_TEST(trace.output.value.bytes == R"("bye")");
  BOOST_TEST((trace.is_public == true));
  BOOST_TEST((trace.is_bookmarked == false));
}

BOOST_AUTO_TEST_CASE(an_observation_has_all_its_fields) {
  const Event event = import_event("generation-create", R"({
    "id":"o1","traceId":"t1","parentObservationId":"o0","type":"AGENT","name":"call",
    "startTime":"2026-11-21T01:00:00Z","endTime":"2026-11-21T03:00:01+02:00",
    "completionStartTime":"2026-11-21T01:00:00.5Z","level":"WARNING","statusMessage":"slow",
    "version":"v2","environment":"prod","userId":"u","sessionId":"s","tags":["x"],
    "metadata":{},"input":[1, 2],"output":null,"model":"gpt-4o",
    "modelParameters":{"temperature": 0.10},"usageDetails":{"output":2,"input":3},
    "costDetails":{"total":0.000000000001,"input":1e-3},"promptName":"p","promptVersion":7})");
  BOOST_TEST(event.trace_id == "t1");
  const auto observation = model::view_observation(event.entity);
  BOOST_TEST(observation.id == "o1");
  BOOST_TEST(named(observation.parent_id) == "o0");
  BOOST_TEST((observation.type == ObservationType::agent));
  BOOST_TEST(named(observation.name) == "call");
  BOOST_TEST((observation.start_ns == parse_time("2026-11-21T01:00:00Z")));
  BOOST_TEST((observation.end_ns == parse_time("2026-11-21T01:00:01Z")));
  BOOST_TEST((observation.completion_start_ns == parse_time("2026-11-21T01:00:00.5Z")));
  BOOST_TEST((observation.level == model::Level::warning));
  BOOST_TEST(named(observation.status_message) == "slow");
  BOOST_TEST(named(observation.version) == "v2");
  BOOST_TEST(observation.environment == "prod");
  BOOST_TEST(named(observation.user_id) == "u");
  BOOST_TEST(named(observation.session_id) == "s");
  BOOST_TEST((observation.tags == std::vector<Bytes>{"x"}));
  BOOST_TEST(observation.metadata.value.bytes == "{}");
  BOOST_TEST(observation.input.value.bytes == "[1, 2]");
  BOOST_TEST(event.entity.find(Field::output)->cleared());
  BOOST_TEST(named(observation.model) == "gpt-4o");
  BOOST_TEST(named(observation.model_parameters) == R"({"temperature": 0.10})");
  BOOST_TEST(observation.input_tokens() == 3U);
  BOOST_TEST(observation.output_tokens() == 2U);
  BOOST_TEST(observation.total_tokens() == 5U);
  BOOST_TEST(model::format_decimal(observation.total_cost()) == "0.000000000001");
  BOOST_TEST(model::format_decimal(observation.cost.front().second) == "0.001");
  BOOST_TEST(named(observation.prompt_name) == "p");
  BOOST_TEST((observation.prompt_version == 7));
}

BOOST_AUTO_TEST_CASE(the_type_of_an_event_implies_the_type_of_its_observation) {
  const std::pair<Bytes, ObservationType> kTypes[] = {{"span", ObservationType::span},
                                                      {"event", ObservationType::event},
                                                      {"generation", ObservationType::generation},
                                                      {"agent", ObservationType::agent},
                                                      {"tool", ObservationType::tool},
                                                      {"chain", ObservationType::chain},
                                                      {"retriever", ObservationType::retriever},
                                                      {"evaluator", ObservationType::evaluator},
                                                      {"embedding", ObservationType::embedding},
                                                      {"guardrail", ObservationType::guardrail}};
  for (const auto& [name, type] : kTypes) {
    const Event created = import_event(std::string(name) + "-create", R"({"id":"o"})");
    BOOST_TEST((model::view_observation(created.entity).type == type));
    BOOST_TEST(!created.entity.find(Field::type)->weak());
    const Event updated = import_event(std::string(name) + "-update", R"({"id":"o"})");
    BOOST_TEST((model::view_observation(updated.entity).type == type));
    BOOST_TEST(updated.entity.find(Field::type)->weak());
    BOOST_TEST(updated.entity.first_order().is_update);
  }
}

BOOST_AUTO_TEST_CASE(a_type_in_the_body_counts_more_than_that_of_the_event) {
  const auto type_of = [](Bytes event_type, Bytes body) {
    return model::view_observation(import_event(event_type, body).entity).type;
  };
  BOOST_TEST((type_of("span-create", R"({"id":"o","type":"TOOL"})") == ObservationType::tool));
  BOOST_TEST((type_of("span-create", R"({"id":"o","type":null})") == ObservationType::span));
  BOOST_TEST(
      (type_of("observation-create", R"({"id":"o","type":"EVENT"})") == ObservationType::event));
  const Event updated = import_event("observation-update", R"({"id":"o","type":"GENERATION"})");
  BOOST_TEST((model::view_observation(updated.entity).type == ObservationType::generation));
  BOOST_TEST(!updated.entity.find(Field::type)->weak());
  BOOST_TEST(
      (import_event("observation-update", R"({"id":"o"})").entity.find(Field::type) == nullptr));
}

BOOST_AUTO_TEST_CASE(a_score_has_all_its_fields) {
  const Event event = import_event("score-create", R"({
    "id":"c1","traceId":"t1","observationId":"o1","name":"quality","value":0.25,
    "dataType":"NUMERIC","source":"EVAL","comment":"fine","configId":"f1","authorUserId":"a1",
    "environment":"prod","timestamp":"2026-11-21T01:00:00Z","metadata":{"a":1}})");
  const auto score = model::view_score(event.entity);
  BOOST_TEST(score.id == "c1");
  BOOST_TEST((score.subject_kind == model::SubjectKind::observation));
  BOOST_TEST(score.trace_id == "t1");
  BOOST_TEST(score.observation_id == "o1");
  BOOST_TEST(score.name == "quality");
  BOOST_TEST((score.value == 0.25));
  BOOST_TEST(!score.string_value.has_value());
  BOOST_TEST((score.data_type == model::DataType::numeric));
  BOOST_TEST((score.source == model::Source::eval));
  BOOST_TEST(named(score.comment) == "fine");
  BOOST_TEST(named(score.config_id) == "f1");
  BOOST_TEST(named(score.author_user_id) == "a1");
  BOOST_TEST(score.environment == "prod");
  BOOST_TEST((score.timestamp_ns == parse_time("2026-11-21T01:00:00Z")));
  BOOST_TEST(score.metadata.value.bytes == R"({"a":1})");
}

BOOST_AUTO_TEST_CASE(a_score_is_of_a_trace_an_observation_or_a_session) {
  const auto kind_of = [](Bytes subject) {
    const std::string body = R"({"id":"c","name":"n","value":1,)" + std::string(subject) + "}";
    return model::view_score(import_event("score-create", body).entity).subject_kind;
  };
  BOOST_TEST((kind_of(R"("traceId":"t","observationId":null)") == model::SubjectKind::trace));
  BOOST_TEST((kind_of(R"("traceId":"t","observationId":"o","sessionId":null)") ==
              model::SubjectKind::observation));
  BOOST_TEST((kind_of(R"("sessionId":"s")") == model::SubjectKind::session));
}

BOOST_AUTO_TEST_CASE(the_data_type_of_a_score_follows_its_value) {
  const auto score_of = [](Bytes value) {
    const std::string body = R"({"id":"c","name":"n","traceId":"t",)" + std::string(value) + "}";
    return import_event("score-create", body).entity;
  };
  using model::DataType;
  const auto check = [&](Bytes value, DataType type, std::optional<double> number, Bytes text) {
    const Entity entity = score_of(value);
    const auto score = model::view_score(entity);
    BOOST_TEST((score.data_type == type), value);
    BOOST_TEST((score.value == number), value);
    BOOST_TEST(score.string_value.value_or("") == text, value);
  };
  check(R"("value":1.5)", DataType::numeric, 1.5, "");
  check(R"("value":-0.0)", DataType::numeric, -0.0, "");
  check(R"("value":1E+2)", DataType::numeric, 100, "");
  check(R"("value":"good")", DataType::categorical, std::nullopt, "good");
  check(R"("value":true)", DataType::boolean, 1, "");
  check(R"("value":false,"dataType":"NUMERIC")", DataType::numeric, 0, "");
  check(R"("value":1,"dataType":"BOOLEAN")", DataType::boolean, 1, "");
  check(R"("value":1,"stringValue":"True","dataType":"BOOLEAN")", DataType::boolean, 1, "True");
  check(R"("value":null,"stringValue":"x","dataType":"TEXT")", DataType::text, std::nullopt, "x");
  check(R"("value":"y","dataType":"CORRECTION")", DataType::correction, std::nullopt, "y");
  check(R"("value":2,"stringValue":"two","dataType":"CATEGORICAL")", DataType::categorical, 2,
        "two");
}

BOOST_AUTO_TEST_CASE(a_later_value_of_a_score_takes_the_place_of_another_kind_of_value) {
  Entities entities;
  entities.add(import_event(
      event_text("score-create", R"({"id":"c","name":"n","traceId":"t","value":true})", "e1")));
  entities.add(import_event(event_text("score-create",
                                       R"({"id":"c","name":"n","traceId":"t","value":"seven"})",
                                       "e2", "2026-11-21T00:00:01Z")));
  const auto score = model::view_score(*entities.find(EntityKind::score, "", "c"));
  BOOST_TEST(!score.value.has_value());
  BOOST_TEST(named(score.string_value) == "seven");
  BOOST_TEST((score.data_type == model::DataType::categorical));
}

BOOST_AUTO_TEST_CASE(a_session_has_two_flags) {
  const Event event =
      import_event("session-update", R"({"id":"s1","public":true,"bookmarked":null})");
  BOOST_TEST((event.entity.kind == EntityKind::session));
  BOOST_TEST(event.entity.first_order().is_update);
  const auto session = model::view_session(event.entity);
  BOOST_TEST(session.id == "s1");
  BOOST_TEST((session.is_public == true));
  BOOST_TEST(!session.is_bookmarked.has_value());
}

BOOST_AUTO_TEST_CASE(a_log_of_an_sdk_is_passed_over) {
  const Imported imported = import_text(event_text("sdk-log", R"({"log":"x"})"));
  BOOST_TEST(imported.events.empty());
  BOOST_TEST(imported.report.event_count == 1U);
  BOOST_TEST(imported.report.ignored_count == 1U);
  BOOST_TEST(imported.report.succeeded_count == 0U);
  BOOST_REQUIRE_EQUAL(imported.told.size(), 1U);
  BOOST_TEST(imported.told.front().http_status == 201);
}

BOOST_AUTO_TEST_CASE(null_clears_and_what_is_absent_writes_nothing) {
  Entities entities;
  entities.add(import_event(event_text("trace-create", R"({"id":"t","timestamp":
      "2026-11-21T00:00:00Z","name":"n","userId":"u","tags":["a"],"environment":"prod",
      "input":1,"metadata":{"a":1,"b":{"c":2}},"public":true})")));
  entities.add(import_event(event_text("trace-create", R"({"id":"t","timestamp":null,
      "name":null,"tags":null,"environment":null,"input":null,"metadata":{"b":{"c":null}}})",
                                       "e2", "2026-11-21T00:00:01Z")));
  const Entity& entity = *entities.find(EntityKind::trace, "", "t");
  const auto trace = model::view_trace(entity);
  BOOST_TEST(!trace.name.has_value());
  BOOST_TEST(named(trace.user_id) == "u");
  BOOST_TEST((trace.tags == std::vector<Bytes>{"a"}));
  BOOST_TEST(trace.environment == "prod");
  BOOST_TEST((trace.input.value.form == model::Form::absent));
  BOOST_TEST((trace.is_public == true));
  BOOST_TEST((trace.timestamp_ns == parse_time("2026-11-21T00:00:00Z")));
  BOOST_TEST(*load_inline(trace.metadata) == R"({"a":1})");
}

BOOST_AUTO_TEST_CASE(of_a_key_given_twice_the_last_counts) {
  const std::string text = R"({"id":"x","body":{"id":"wrong"},"timestamp":12,"type":"nothing",
      "id":"e1","timestamp":"2026-11-21T00:00:00Z","type":"trace-create","body":{"id":"t0",
      "name":"first","name":7,"\u006eame":"last","id":"t1","input":1,"input": [2] ,
      "metadata":{"a":1,"a":2}}})";
  const Event event = import_event(text);
  const auto trace = model::view_trace(event.entity);
  BOOST_TEST(trace.id == "t1");
  BOOST_TEST(named(trace.name) == "last");
  BOOST_TEST(trace.input.value.bytes == "[2]");
  BOOST_TEST(trace.metadata.value.bytes == R"({"a":1,"a":2})");
}

BOOST_AUTO_TEST_CASE(texts_are_unescaped_and_payloads_are_not) {
  const Event event = import_event(
      "trace-create", R"({"id":"t\u00e91","name":"a\"\\\/\n\ud83d\ude00","input":"a\/\u0041"})");
  const auto trace = model::view_trace(event.entity);
  BOOST_TEST(trace.id ==
             "t\xc3\xa9"
             "1");
  BOOST_TEST(named(trace.name) == "a\"\\/\n\xf0\x9f\x98\x80");
  BOOST_TEST(trace.input.value.bytes == R"("a\/\u0041")");
}

BOOST_AUTO_TEST_CASE(a_create_without_an_id_has_that_of_its_event) {
  BOOST_TEST(import_event("trace-create", R"({"name":"n"})").entity.id == "e1");
  BOOST_TEST(import_event("span-create", R"({"id":null})").entity.id == "e1");
  BOOST_TEST(import_event("score-create", R"({"name":"n","value":1,"traceId":"t"})").entity.id ==
             "e1");
}

// Or else a trace that nothing but its creation is known of would not be there.
BOOST_AUTO_TEST_CASE(a_trace_is_there_once_it_is_created_but_not_by_its_flags) {
  const auto trace_of = [](Bytes body) {
    return model::view_trace(import_event("trace-create", body).entity).has_record;
  };
  BOOST_TEST(trace_of(R"({"id":"t"})"));
  BOOST_TEST(trace_of(R"({"id":"t","name":null,"public":true})"));
  BOOST_TEST(!trace_of(R"({"id":"t","public":true})"));
  BOOST_TEST(!trace_of(R"({"id":"t","bookmarked":null})"));
  const Event event = import_event("trace-create", R"({"id":"t"})");
  BOOST_TEST(event.entity.find(Field::timestamp)->weak());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tracelite::test
