// Entities as events, byte for byte.
#include <boost/test/unit_test.hpp>

#include "model/time.hpp"
#include "support.hpp"

namespace tracelite::test {
namespace {

using model::EntityKind;
using model::Event;
using model::EventBuilder;
using model::Field;
using model::Form;

Event finished(EventBuilder& builder) {
  auto event = finish(builder, *model::parse_time("2026-11-21T00:00:00Z"));
  if (!event) BOOST_FAIL(event.error().message);
  return std::move(*event);
}

// What stands in "body" of the exported line.
std::string body_of(const std::string& line) {
  const std::size_t start = line.find("\"body\":") + 7;
  BOOST_REQUIRE(line.ends_with("}\n"));
  return line.substr(start, line.size() - start - 2);
}

std::string exported_body(Bytes type, Bytes body) {
  const Event event = import_event(type, body);
  return body_of(export_entity(event.entity, event.trace_id));
}

EventBuilder trace_builder() {
  EventBuilder builder(EntityKind::trace, false);
  if (!builder.id("t")) BOOST_FAIL("id");
  builder.time(Field::timestamp, 0);
  return builder;
}

constexpr Bytes kTraceStart =
    R"({"id":"t","timestamp":"1970-01-01T00:00:00Z","environment":"default")";

std::string trace_with(Field field, Form form, Bytes bytes) {
  EventBuilder builder = trace_builder();
  builder.payload(field, form, bytes);
  const std::string body = body_of(export_entity(finished(builder).entity));
  BOOST_REQUIRE(body.starts_with(kTraceStart));
  return body.substr(kTraceStart.size());
}

BOOST_AUTO_TEST_SUITE(langfuse_export)

BOOST_AUTO_TEST_CASE(a_line_is_one_event) {
  const Event event = import_event("trace-create", R"({"id":"t1"})");
  BOOST_TEST(export_entity(event.entity) ==
             "{\"id\":\"cb11da434296f2a38cda75ed33ac734f\",\"timestamp\":\"2026-11-21T00:00:00Z\","
             "\"type\":\"trace-create\",\"body\":{\"id\":\"t1\",\"timestamp\":"
             "\"2026-11-21T00:00:00Z\",\"environment\":\"default\"}}\n");
}

// Which is the time of the trace.
BOOST_AUTO_TEST_CASE(a_trace_that_has_only_flags_keeps_the_time_of_its_first_event) {
  model::Entity entity = import_event("trace-create", R"({"id":"t1","public":true})").entity;
  entity.orders.push_back(entity.orders.front());
  entity.orders.back().event_time_ns += 5'000'000'000;
  const std::string line = export_entity(entity);
  BOOST_TEST(line.find(R"("timestamp":"2026-11-21T00:00:00Z","type":"trace-create",)"
                       R"("body":{"id":"t1","public":true}})") != std::string::npos,
             line);
}

BOOST_AUTO_TEST_CASE(the_id_of_an_event_tells_its_entity) {
  const auto id_of = [](Bytes type, Bytes body) {
    const Event event = import_event(type, body);
    return export_entity(event.entity, event.trace_id).substr(7, 32);
  };
  const std::string span = id_of("span-create", R"({"id":"x","traceId":"t"})");
  BOOST_TEST(span == id_of("span-update", R"({"id":"x","traceId":"t","name":"n"})"));
  BOOST_TEST(span != id_of("span-create", R"({"id":"x","traceId":"u"})"));
  BOOST_TEST(span != id_of("span-create", R"({"id":"x"})"));
  BOOST_TEST(id_of("trace-create", R"({"id":"x"})") !=
             id_of("session-update", R"({"id":"x","public":true})"));
}

BOOST_AUTO_TEST_CASE(every_field_is_written) {
  BOOST_TEST(
      exported_body("trace-create", R"({"bookmarked":false,"public":true,"output":"bye",
          "input":{"q": "hi"},"metadata":{"k": 1},"tags":["b","a"],"environment":"staging",
          "version":"v1","release":"r1","sessionId":"s","userId":"u","name":"chat",
          "timestamp":"2026-11-21T01:02:03.004Z","id":"t1"})") ==
      R"({"id":"t1","timestamp":"2026-11-21T01:02:03.004Z","name":"chat","userId":"u",)"
      R"("sessionId":"s","release":"r1","version":"v1","environment":"staging","tags":["a","b"],)"
      R"("metadata":{"k": 1},"input":{"q": "hi"},"output":"bye","public":true,"bookmarked":false})");
  BOOST_TEST(
      exported_body("generation-create", R"({"id":"o1","traceId":"t1","parentObservationId":"o0",
          "name":"call","startTime":"2026-11-21T01:00:00Z","endTime":"2026-11-21T01:00:01Z",
          "completionStartTime":"2026-11-21T01:00:00.5Z","level":"ERROR","statusMessage":"slow",
          "version":"v2","environment":"prod","userId":"u","sessionId":"s","tags":["x"],
          "metadata":{},"input":[1, 2],"output":null,"model":"gpt-4o",
          "modelParameters":{"temperature": 0.10},"usageDetails":{"output":2,"input":3},
          "costDetails":{"total":0.00250,"input":1e-3},"promptName":"p","promptVersion":7})") ==
      R"({"id":"o1","traceId":"t1","parentObservationId":"o0","name":"call",)"
      R"("startTime":"2026-11-21T01:00:00Z","endTime":"2026-11-21T01:00:01Z",)"
      R"("completionStartTime":"2026-11-21T01:00:00.500Z","level":"ERROR","statusMessage":"slow",)"
      R"("version":"v2","environment":"prod","userId":"u","sessionId":"s","tags":["x"],)"
      R"("model":"gpt-4o","modelParameters":{"temperature": 0.10},)"
      R"("usageDetails":{"input":3,"output":2},"costDetails":{"input":0.001,"total":0.0025},)"
      R"("promptName":"p","promptVersion":7,"metadata":{},"input":[1, 2]})");
  BOOST_TEST(
      exported_body("score-create", R"({"id":"c","traceId":"t","observationId":"o","name":"n",
          "value":1e22,"source":"EVAL","comment":"\"","configId":"f","authorUserId":"a",
          "timestamp":"2026-11-21T01:00:00Z","metadata":{"a":1}})") ==
      R"({"id":"c","traceId":"t","observationId":"o","name":"n","value":1e+22,)"
      R"("dataType":"NUMERIC","source":"EVAL","comment":"\"","configId":"f","authorUserId":"a",)"
      R"("environment":"default","timestamp":"2026-11-21T01:00:00Z","metadata":{"a":1}})");
  BOOST_TEST(
      exported_body("score-create", R"({"id":"c","sessionId":"s","name":"n","value":"x"})") ==
      R"({"id":"c","sessionId":"s","name":"n","value":"x","dataType":"CATEGORICAL",)"
      R"("source":"API","environment":"default","timestamp":"2026-11-21T00:00:00Z"})");
  BOOST_TEST(exported_body("session-update", R"({"id":"s","public":true,"bookmarked":false})") ==
             R"({"id":"s","public":true,"bookmarked":false})");
}

BOOST_AUTO_TEST_CASE(an_observation_goes_out_as_what_it_is) {
  for (const Bytes name : {"span", "event", "generation", "agent", "tool", "chain", "retriever",
                           "evaluator", "embedding", "guardrail"}) {
    const std::string type = std::string(name) + "-create";
    const Event event = import_event(type, R"({"id":"o"})");
    BOOST_TEST(export_entity(event.entity).find("\"type\":\"" + type + "\"") != std::string::npos);
  }
  BOOST_TEST(exported_body("span-update", R"({"id":"o"})") ==
             R"({"id":"o","startTime":"2026-11-21T00:00:00Z","environment":"default"})");
}

BOOST_AUTO_TEST_CASE(what_has_nothing_to_say_is_not_written) {
  const auto exported = [](Bytes type, Bytes body) {
    return export_entity(import_event(type, body).entity);
  };
  // That it was put is something: it is listed.
  BOOST_TEST(body_of(exported("session-update", R"({"id":"s"})")) == R"({"id":"s"})");
  BOOST_TEST(body_of(exported("session-update", R"({"id":"s","public":null})")) == R"({"id":"s"})");
  BOOST_TEST(exported("trace-create", R"({"id":"t","public":null})") == "");
  BOOST_TEST(body_of(exported("trace-create", R"({"id":"t","public":true})")) ==
             R"({"id":"t","public":true})");
  model::Entity bare;
  bare.kind = EntityKind::trace;
  bare.id = "t";
  BOOST_TEST(export_entity(bare) == "");
  bare.kind = EntityKind::session;
  BOOST_TEST(export_entity(bare) == "");
}

BOOST_AUTO_TEST_CASE(payloads_of_every_form) {
  using namespace std::string_view_literals;
  BOOST_TEST(trace_with(Field::input, Form::json, " [1,\r\n 2]\n") == ",\"input\":[1,   2]}");
  BOOST_TEST(trace_with(Field::input, Form::json, "null") == "}");
  BOOST_TEST(trace_with(Field::input, Form::null, "") == "}");
  BOOST_TEST(trace_with(Field::output, Form::text, "a\"\n") == R"(,"output":"a\"\n"})");
  BOOST_TEST(trace_with(Field::output, Form::text, "") == R"(,"output":""})");
  BOOST_TEST(trace_with(Field::output, Form::text, "\xff") == ",\"output\":\"\xef\xbf\xbd\"}");
  BOOST_TEST(trace_with(Field::input, Form::bytes, "\0\xff"sv) == R"(,"input":{"$bytes":"AP8="}})");
  BOOST_TEST(trace_with(Field::input, Form::bytes, "") == R"(,"input":{"$bytes":""}})");
  // What import reads as bytes is written as they are.
  BOOST_TEST(trace_with(Field::input, Form::json, R"({ "$bytes" : "\/w==" })") ==
             R"(,"input":{"$bytes":"/w=="}})");
  BOOST_TEST(trace_with(Field::input, Form::json, R"({"$bytes":"x"})") ==
             R"(,"input":{"$bytes":"x"}})");
  BOOST_TEST(trace_with(Field::metadata, Form::json, R"({"$bytes":"AP8="})") ==
             R"(,"metadata":{"$bytes":"AP8="}})");
  EventBuilder builder = trace_builder();
  builder.withheld(Field::output, 100);
  BOOST_TEST(body_of(export_entity(finished(builder).entity)) == std::string(kTraceStart) + "}");
}

BOOST_AUTO_TEST_CASE(merged_metadata_and_payloads_elsewhere_are_loaded) {
  Entities entities;
  entities.add(import_event(event_text("trace-create", R"({"id":"t","metadata":{"b":1,"a":2}})")));
  entities.add(import_event(event_text("trace-create", R"({"id":"t","metadata":{"b":null}})", "e2",
                                       "2026-11-21T00:00:01Z")));
  BOOST_TEST(body_of(entities.exported()).find(R"("metadata":{"a":2})") != std::string::npos);

  model::Entity stored = import_event("trace-create", R"({"id":"t","input":1,"output":2})").entity;
  stored.find(Field::output)->value = model::PayloadValue::encode_stored(Form::text, 7, 3);
  std::string out = "before";
  const auto load = [](const model::PayloadView& view) -> Result<std::string> {
    if (view.value.number != 7) return make_error(Code::internal, "not stored");
    return std::string("abc");
  };
  BOOST_TEST(exchange::append_event(stored, {}, load, out).ok());
  BOOST_TEST(out.ends_with("\"input\":1,\"output\":\"abc\"}}\n"));
  out = "before";
  auto status = exchange::append_event(
      stored, {},
      [](const model::PayloadView&) -> Result<std::string> {
        return make_error(Code::corrupt, "broken");
      },
      out);
  BOOST_REQUIRE(!status.ok());
  BOOST_TEST((status.error().code == Code::corrupt));
  BOOST_TEST(out == "before");
}

// Names that were given as they are, by the C API, come back as they are.
BOOST_AUTO_TEST_CASE(usage_with_openais_names_is_not_renamed_by_a_round_trip) {
  EventBuilder builder(EntityKind::observation, false);
  BOOST_REQUIRE(builder.id("o").ok());
  builder.usage("prompt_tokens", 3);
  builder.usage("completion_tokens", 2);
  const std::string line = export_entity(finished(builder).entity);
  BOOST_TEST(line.find(R"("usageDetails":{"completion_tokens":2,"prompt_tokens":3,"flat":null})") !=
             std::string::npos);
  BOOST_TEST(export_entity(import_event(line).entity) == line);
}

// Two events, one with a data type and one without, can leave a type that does not fit.
BOOST_AUTO_TEST_CASE(the_data_type_of_a_score_fits_its_value) {
  const auto exported = [](auto&& write) {
    EventBuilder builder(EntityKind::score, false);
    BOOST_REQUIRE(builder.id("c").ok());
    BOOST_REQUIRE(builder.subject("t", "", "").ok());
    BOOST_REQUIRE(builder.text(Field::name, "n").ok());
    write(builder);
    return finished(builder).entity;
  };
  model::Entity score = exported([](EventBuilder& builder) {
    builder.number(1);
    builder.data_type(model::DataType::boolean);
  });
  score.find(Field::value)->value =
      exported([](EventBuilder& builder) { builder.number(5); }).find(Field::value)->value;
  const std::string line = export_entity(score);
  BOOST_TEST(line.find(R"("value":5,"dataType":"NUMERIC")") != std::string::npos);
  BOOST_TEST(export_entity(import_event(line).entity) == line);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tracelite::test
