// Bad events: each failure and each repair with its field, its reason and its message.
#include <boost/test/unit_test.hpp>

#include "support.hpp"

namespace tracelite::test {
namespace {

using model::Reason;

// The failure of one event of JSON text.
void refused(Bytes text, Bytes event_id, Bytes field, Bytes message) {
  const Imported imported = import_text(text);
  BOOST_TEST(imported.events.empty(), text);
  BOOST_TEST(imported.report.failed_count == 1U, text);
  BOOST_TEST(imported.report.succeeded_count == 0U, text);
  BOOST_REQUIRE_EQUAL(imported.told.size(), 1U);
  const Told& told = imported.told.front();
  BOOST_TEST(told.http_status == 400);
  BOOST_TEST(!told.is_warning);
  BOOST_TEST((told.reason == Reason::event_refused));
  BOOST_TEST(told.line == 1U);
  BOOST_TEST(told.event_id == event_id, text);
  BOOST_TEST(told.field == field, text);
  BOOST_TEST(told.message == message, text);
}

void refused_body(Bytes type, Bytes body, Bytes field, Bytes message) {
  refused(event_text(type, body), "e1", field, message);
}

// An event that is recorded with one warning; gives the event.
model::Event warned(Bytes type, Bytes body, Reason reason, Bytes field, Bytes message) {
  Imported imported = import_text(event_text(type, body));
  BOOST_REQUIRE_EQUAL(imported.events.size(), 1U);
  BOOST_TEST(imported.report.succeeded_count == 1U);
  BOOST_TEST(imported.report.warned_count == 1U);
  BOOST_REQUIRE_EQUAL(imported.told.size(), 2U);
  const Told& told = imported.told.front();
  BOOST_TEST(told.http_status == 201);
  BOOST_TEST(told.is_warning);
  BOOST_TEST((told.reason == reason), told.message);
  BOOST_TEST(told.event_id == "e1");
  BOOST_TEST(told.field == field);
  BOOST_TEST(told.message == message);
  BOOST_TEST(!imported.told.back().is_warning);
  BOOST_TEST(imported.told.back().http_status == 201);
  BOOST_REQUIRE_EQUAL(imported.warnings.size(), 1U);
  BOOST_TEST(imported.warnings.front().message == message);
  return std::move(imported.events.front());
}

std::string envelope(Bytes members) { return "{" + std::string(members) + "}"; }

constexpr Bytes kTime = R"("timestamp":"2026-11-21T00:00:00Z")";
constexpr Bytes kRest = R"("type":"trace-create","body":{"id":"t"})";

BOOST_AUTO_TEST_SUITE(langfuse_refusals)

BOOST_AUTO_TEST_CASE(the_envelope_needs_its_four_members) {
  const std::string time(kTime);
  const std::string rest(kRest);
  refused(envelope(time + "," + rest), "", "id",
          "an event needs a text as its id, which is missing");
  refused(envelope(R"("id":null,)" + time + "," + rest), "", "id",
          "an event needs a text as its id, not null");
  refused(envelope(R"("id":7,)" + time + "," + rest), "", "id",
          "an event needs a text as its id, not a number");
  refused(envelope(R"("id":"",)" + time + "," + rest), "", "id", "an id must not be empty");
  refused(envelope(R"("id":"a\nb",)" + time + "," + rest), "", "id",
          "an id must not contain control characters");
  refused(envelope(R"("id":"e1",)" + rest), "e1", "timestamp",
          "an event needs a time as its timestamp, which is missing");
  refused(envelope(R"("id":"e1","timestamp":1795220428,)" + rest), "e1", "timestamp",
          "an event needs a time as its timestamp, not a number");
  refused(envelope(R"("id":"e1","timestamp":"yesterday",)" + rest), "e1", "timestamp",
          "\"yesterday\" is no time: write it as 2026-11-21T00:20:28.509Z");
  refused(envelope(R"("id":"e1","body":{},)" + time), "e1", "type",
          "an event needs a text as its type, which is missing");
  refused(envelope(R"("id":"e1","type":[],"body":{},)" + time), "e1", "type",
          "an event needs a text as its type, not an array");
  refused(envelope(R"("id":"e1","type":"trace-create",)" + time), "e1", "body",
          "an event needs an object as its body, which is missing");
  refused(envelope(R"("id":"e1","type":"trace-create","body":"{}",)" + time), "e1", "body",
          "an event needs an object as its body, not a text");
}

BOOST_AUTO_TEST_CASE(a_type_of_event_that_is_not_known_is_refused) {
  for (const Bytes type : {"trace-update", "spam-create", "create", "-create", "span",
                           "SPAN-CREATE", "score-update", "session-create", "span_create"}) {
    refused_body(type, R"({"id":"x"})", "type",
                 "\"" + std::string(type) +
                     "\" is no event type: use trace-create, score-create, session-update, or "
                     "span-create and the like");
  }
}

BOOST_AUTO_TEST_CASE(what_is_no_event_is_refused) {
  refused("7", "", "", "an event is a JSON object, not a number");
  refused("\"trace-create\"", "", "", "an event is a JSON object, not a text");
  refused("[null]", "", "", "an event is a JSON object, not null");
  refused("{}", "", "id", "an event needs a text as its id, which is missing");
  refused(R"({"batch":{}})", "", "batch", "a batch is an array of events, not an object");
}

BOOST_AUTO_TEST_CASE(text_that_is_not_json_is_refused) {
  refused("hello", "", "",
          "this is not valid JSON: a value is missing, at byte 0; correct it and send the event "
          "again");
  refused(R"({"id":"e1","timestamp":"2026-11-21T00:00:00Z","type":"trace-create","body":{"id":"t")",
          "e1", "",
          "the JSON is cut off: the text ends inside an object, at byte 84; send the whole event "
          "again");
  refused(
      R"({"id":"e1","timestamp":"2026-11-21T00:00:00Z","type":"trace-create","body":{"id":tru}})",
      "e1", "",
      "this is not valid JSON: a word is not true, false or null, at byte 84; correct it and "
      "send the event again");
  // simdjson's On-Demand would take these.
  refused(event_text("trace-create", R"({"input":{"b":01}})"), "e1", "",
          "this is not valid JSON: a number has a leading zero, at byte 90; correct it and send "
          "the event again");
  refused(R"({"id":"e1","x":"\ud8"})", "e1", "",
          "this is not valid JSON: \\u needs four hex digits, at byte 20; correct it and send the "
          "event again");
}

BOOST_AUTO_TEST_CASE(ids_of_the_wrong_kind_are_refused) {
  refused_body("trace-create", R"({"id":7})", "body.id", "an id is a text, not a number");
  refused_body("trace-create", R"({"id":""})", "body.id", "an id must not be empty");
  refused_body("span-create", R"({"id":"a\u0000"})", "body.id",
               "an id must not contain control characters");
  refused_body("span-create", R"({"id":")" + std::string(801, 'x') + R"("})", "body.id",
               "an id has at most 800 bytes, this one has 801");
  refused_body("span-update", R"({"name":"n"})", "body.id",
               "an update needs the id of what it updates, which is missing");
  refused_body("session-update", R"({"id":null,"public":true})", "body.id",
               "an update needs the id of what it updates, which is missing");
  refused_body("session-update", R"({"id":")" + std::string(201, 'x') + R"(","public":true})",
               "body.id", "a session id has 1 to 200 characters of UTF-8");
  refused_body("span-create", R"({"id":"o","traceId":[]})", "traceId",
               "traceId must be a text, not an array");
  refused_body("span-create", R"({"id":"o","traceId":""})", "traceId", "an id must not be empty");
  refused_body("span-create", R"({"id":"o","parentObservationId":1})", "parentObservationId",
               "parentObservationId must be a text, not a number");
}

BOOST_AUTO_TEST_CASE(times_names_types_and_levels_of_the_wrong_kind_are_refused) {
  refused_body("trace-create", R"({"id":"t","timestamp":12})", "body.timestamp",
               "body.timestamp must be a time as text, not a number");
  refused_body("span-create", R"({"id":"o","startTime":"12:00"})", "startTime",
               "startTime \"12:00\" is no time: write it as 2026-11-21T00:20:28.509Z");
  refused_body("span-create", R"({"id":"o","endTime":{}})", "endTime",
               "endTime must be a time as text, not an object");
  refused_body("trace-create", R"({"id":"t","name":["n"]})", "name",
               "name must be a text, not an array");
  refused_body("trace-create", R"({"id":"t","name":")" + std::string(1001, 'n') + R"("})", "name",
               "a trace's name has at most 1000 characters, this one has 1001");
  refused_body("span-create", R"({"id":"o","type":"STEP"})", "body.type",
               "body.type \"STEP\" is not known: use one of SPAN, EVENT, GENERATION, AGENT, TOOL, "
               "CHAIN, RETRIEVER, EVALUATOR, EMBEDDING, GUARDRAIL");
  refused_body("span-create", R"({"id":"o","type":1})", "body.type",
               "body.type must be a text, not a number");
  refused_body("observation-create", R"({"id":"o"})", "body.type",
               "an observation-create needs a type in its body: SPAN, ...");
  refused_body("span-create", R"({"id":"o","level":"FATAL"})", "level",
               "level \"FATAL\" is not known: use one of DEBUG, DEFAULT, WARNING, ERROR");
  refused_body("span-create", R"({"id":"o","level":3})", "level",
               "level must be a text, not a number");
}

BOOST_AUTO_TEST_CASE(scores_that_make_no_sense_are_refused) {
  const auto refused_score = [](Bytes members, Bytes field, Bytes message) {
    refused_body("score-create", R"({"id":"c",)" + std::string(members) + "}", field, message);
  };
  const std::string of_trace = R"("traceId":"t","name":"n",)";
  refused_score(R"("name":"n","value":1)", "traceId",
                "a score needs a subject: traceId, traceId with observationId, or sessionId");
  refused_score(R"("observationId":"o","name":"n","value":1)", "traceId",
                "a score of an observation needs its traceId too");
  refused_score(of_trace + R"("sessionId":"s","value":1)", "sessionId",
                "a score belongs to a session or to a trace, not to both: give one of them");
  refused_score(R"("traceId":"t","value":1)", "name", "a score needs a name");
  refused_score(R"("traceId":"t","name":null,"value":1)", "name", "a score needs a name");
  refused_score(R"("traceId":"t","name":"","value":1)", "name", "a score's name must not be empty");
  refused_score(R"("traceId":"t","name":"n")", "value",
                "a score needs a value: a number, or a text");
  refused_score(of_trace + R"("value":null)", "value",
                "a score needs a value: a number, or a text");
  refused_score(of_trace + R"("value":[1])", "value",
                "value must be a number or a text, not an array");
  refused_score(of_trace + R"("value":1e999)", "value", "value is out of the range of a double");
  refused_score(of_trace + R"("value":1,"stringValue":2)", "stringValue",
                "stringValue must be a text, not a number");
  refused_score(of_trace + R"("value":2,"dataType":"BOOLEAN")", "value",
                "a BOOLEAN score's value is 0 or 1");
  refused_score(of_trace + R"("value":"x","dataType":"NUMERIC")", "value",
                "a NUMERIC or BOOLEAN score has a number as its value");
  refused_score(of_trace + R"("value":1,"dataType":"CATEGORICAL")", "value",
                "a score of this data type has a text as its value");
  refused_score(of_trace + R"("value":"","dataType":"TEXT")", "value",
                "a TEXT score has 1 to 500 characters");
  refused_score(of_trace + R"("value":1,"dataType":"SMELL")", "dataType",
                "dataType \"SMELL\" is not known: use one of NUMERIC, BOOLEAN, CATEGORICAL, TEXT, "
                "CORRECTION");
  refused_score(of_trace + R"("value":1,"source":"GUESS")", "source",
                "source \"GUESS\" is not known: use one of API, EVAL, ANNOTATION");
}

BOOST_AUTO_TEST_CASE(texts_of_the_wrong_kind_are_dropped_with_a_warning) {
  warned("trace-create", R"({"id":"t","version":2})", Reason::field, "version",
         "version was dropped: it must be a text, not a number");
  warned("trace-create", R"({"id":"t","userId":17})", Reason::field, "userId",
         "userId was dropped: it must be a text, not a number");
  warned("trace-create", R"({"id":"t","environment":true})", Reason::field, "environment",
         "environment was dropped: it must be a text, not a boolean");
  warned("trace-create", R"({"id":"t","public":"yes"})", Reason::field, "public",
         "public was dropped: it must be true or false, not a text");
  warned("trace-create", R"({"id":"t","tags":"a"})", Reason::field, "tags",
         "tags was dropped: it must be a list of texts, not a text");
  warned("span-create", R"({"id":"o","model":{}})", Reason::field, "model",
         "model was dropped: it must be a text, not an object");
  warned("span-create", R"({"id":"o","modelParameters":[]})", Reason::field, "modelParameters",
         "modelParameters was dropped: it must be an object, not an array");
  warned("span-create", R"({"id":"o","promptVersion":"1"})", Reason::field, "promptVersion",
         "promptVersion was dropped: it must be a whole number, not a text");
  const auto event = warned("trace-create", R"({"id":"t","tags":["a",1,"b"]})", Reason::tag, "tags",
                            "a tag was dropped: it must be a text, not a number");
  BOOST_TEST((model::view_trace(event.entity).tags == std::vector<Bytes>{"a", "b"}));
}

BOOST_AUTO_TEST_CASE(members_that_nobody_knows_are_dropped_with_a_warning) {
  warned("trace-create", R"({"id":"t","externalId":"x","htmlPath":null})", Reason::field,
         "externalId", "externalId was dropped: it is no field of what this event is about");
  warned("trace-create", R"({"id":"t","endTime":"2026-11-21T00:00:00Z"})", Reason::field, "endTime",
         "endTime was dropped: it is no field of what this event is about");
  warned("session-update", R"({"id":"s","name":"n"})", Reason::field, "name",
         "name was dropped: it is no field of what this event is about");
}

BOOST_AUTO_TEST_CASE(each_repair_of_the_model_is_told) {
  const std::string long_text(201, 's');
  auto event =
      warned("trace-create", R"({"id":"t","sessionId":")" + long_text + R"("})", Reason::session_id,
             "sessionId", "sessionId was dropped: it must have 1 to 200 characters, not 201");
  BOOST_TEST(!model::view_trace(event.entity).session_id.has_value());
  warned("trace-create", R"({"id":"t","userId":")" + long_text + R"("})", Reason::user_id, "userId",
         "userId was dropped: it must have 1 to 200 characters, not 201");
  warned("span-create", R"({"id":"o","version":"","name":"n"})", Reason::version, "version",
         "version was dropped: it must have 1 to 200 characters, not 0");
  warned("trace-create", R"({"id":"t","tags":["a",")" + long_text + R"("]})", Reason::tag, "tags",
         "a tag was dropped: it must have 1 to 200 characters");
  event = warned("trace-create", R"({"id":"t","environment":"Prod!"})", Reason::environment,
                 "environment",
                 "environment \"Prod!\" is stored as \"default\": it may have up to 40 of a-z, "
                 "0-9, - and _");
  BOOST_TEST(model::view_trace(event.entity).environment == "default");
  event = warned("trace-create", R"({"id":"t","environment":"Prod"})", Reason::environment,
                 "environment",
                 "environment \"Prod\" is stored as \"prod\": it may have up to 40 of a-z, 0-9, - "
                 "and _");
  BOOST_TEST(model::view_trace(event.entity).environment == "prod");
  warned("generation-create", R"({"id":"o","usageDetails":{"input":1.5}})", Reason::usage,
         "usageDetails.input",
         "usageDetails.input was dropped: 1.5 is not a whole number of 0 or more");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tracelite::test
