// What real clients send, and the recorded conversations that the project is measured on.
#include <simdjson.h>

#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>

#include "model/time.hpp"
#include "support.hpp"

namespace tracelite::test {
namespace {

using model::EntityKind;
using model::Field;

std::filesystem::path shared_file(const char* name) {
  return std::filesystem::path(TL_TESTS_DIR) / ".." / ".." / "shared" / name;
}

bool is_there(const std::filesystem::path& path) {
  if (std::filesystem::exists(path)) return true;
  std::cout << "skipped: there is no " << path.lexically_normal().string() << "\n";
  return false;
}

// As a Langfuse JavaScript client sends them: the update before the create, all with one timestamp,
// two trace-creates that make one trace.
constexpr Bytes kFirstBody = R"({"batch":[
{"id":"1","type":"event-create","timestamp":"2026-11-21T00:20:28.509Z","body":{"id":"ev1",
 "startTime":"2026-11-21T00:20:28.507Z","name":"ev","level":"WARNING","traceId":"tr1",
 "parentObservationId":null}},
{"id":"2","type":"score-create","timestamp":"2026-11-21T00:20:28.513Z","body":{"id":"sc1",
 "name":"quality","value":0.9,"traceId":"tr1","observationId":null}},
{"id":"3","type":"generation-update","timestamp":"2026-11-21T00:20:28.513Z","body":{
 "output":"hello","usage":{"promptTokens":3,"completionTokens":2,"totalTokens":5},"id":"ge1",
 "traceId":"tr1","endTime":"2026-11-21T00:20:28.507Z"}},
{"id":"4","type":"trace-create","timestamp":"2026-11-21T00:20:28.513Z","body":{"id":"tr1",
 "timestamp":"2026-11-21T00:20:28.507Z","output":"bye"}},
{"id":"5","type":"trace-create","timestamp":"2026-11-21T00:20:28.513Z","body":{"id":"tr1",
 "timestamp":"2026-11-21T00:20:28.506Z","name":"legacy-trace","userId":"u1","sessionId":"s1",
 "tags":["a","b"],"metadata":{"k":1},"input":{"q":"hi"}}},
{"id":"6","type":"span-create","timestamp":"2026-11-21T00:20:28.513Z","body":{"id":"sp1",
 "startTime":"2026-11-21T00:20:28.507Z","name":"step","input":{"x":1},"traceId":"tr1",
 "parentObservationId":null}},
{"id":"7","type":"span-update","timestamp":"2026-11-21T00:20:28.513Z","body":{"output":{"y":2},
 "id":"sp1","traceId":"tr1","endTime":"2026-11-21T00:20:28.507Z"}},
{"id":"8","type":"generation-create","timestamp":"2026-11-21T00:20:28.513Z","body":{"id":"ge1",
 "startTime":"2026-11-21T00:20:28.507Z","name":"llm","model":"gpt-4o-mini",
 "modelParameters":{"temperature":0.5},"input":[{"role":"user","content":"hi"}],"traceId":"tr1",
 "parentObservationId":"sp1"}}],"metadata":{"batch_size":8,"sdk_version":"3.39.2"}})";

constexpr Bytes kSecondBody = R"({"batch":[{"id":"9","type":"score-create",
 "timestamp":"2026-11-21T00:20:28.731Z","body":{"traceId":"00000000000000000000000000000000",
 "name":"s","value":1,"dataType":"BOOLEAN","comment":"c","id":"sc2"}}]})";

Entities import_body(Bytes body, std::size_t count) {
  const Imported imported = import_text(body);
  BOOST_TEST(imported.report.succeeded_count == count);
  BOOST_TEST(imported.report.failed_count == 0U);
  BOOST_TEST(imported.report.warned_count == 0U);
  Entities entities;
  entities.add(imported.events);
  return entities;
}

void check_first_body(Bytes body, const std::string& trace_id, const std::string& span_id,
                      const std::string& generation_id, const std::string& event_id,
                      const std::string& score_id) {
  const Entities entities = import_body(body, 8);
  BOOST_TEST(entities.size() == 5U);
  const auto* trace_entity = entities.find(EntityKind::trace, "", trace_id);
  const auto* span_entity = entities.find(EntityKind::observation, trace_id, span_id);
  const auto* call_entity = entities.find(EntityKind::observation, trace_id, generation_id);
  const auto* event_entity = entities.find(EntityKind::observation, trace_id, event_id);
  const auto* score_entity = entities.find(EntityKind::score, "", score_id);
  BOOST_REQUIRE(trace_entity != nullptr && span_entity != nullptr && call_entity != nullptr);
  BOOST_REQUIRE(event_entity != nullptr && score_entity != nullptr);

  const auto trace = model::view_trace(*trace_entity);
  BOOST_TEST((trace.timestamp_ns == model::parse_time("2026-11-21T00:20:28.506Z")));
  BOOST_TEST((trace.name == "legacy-trace"));
  BOOST_TEST((trace.user_id == "u1"));
  BOOST_TEST((trace.session_id == "s1"));
  BOOST_TEST((trace.tags == std::vector<Bytes>{"a", "b"}));
  BOOST_TEST(trace.metadata.value.bytes == R"({"k":1})");
  BOOST_TEST(trace.input.value.bytes == R"({"q":"hi"})");
  BOOST_TEST(trace.output.value.bytes == R"("bye")");

  const auto span = model::view_observation(*span_entity);
  BOOST_TEST((span.type == model::ObservationType::span));
  BOOST_TEST((span.name == "step"));
  BOOST_TEST(!span.parent_id.has_value());
  BOOST_TEST(!span.is_unfinished());
  BOOST_TEST(span.output.value.bytes == R"({"y":2})");

  const auto call = model::view_observation(*call_entity);
  BOOST_TEST((call.type == model::ObservationType::generation));
  BOOST_TEST((call.parent_id == Bytes(span_id)));
  BOOST_TEST((call.model == "gpt-4o-mini"));
  BOOST_TEST(call.input_tokens() == 3U);
  BOOST_TEST(call.output_tokens() == 2U);
  BOOST_TEST(call.total_tokens() == 5U);
  BOOST_TEST(call.input.value.bytes == R"([{"role":"user","content":"hi"}])");
  BOOST_TEST(call.output.value.bytes == R"("hello")");

  const auto event = model::view_observation(*event_entity);
  BOOST_TEST((event.type == model::ObservationType::event));
  BOOST_TEST((event.level == model::Level::warning));
  const auto score = model::view_score(*score_entity);
  BOOST_TEST(score.trace_id == trace_id);
  BOOST_TEST((score.value == 0.9));
}

void check_second_body(Bytes body, const std::string& score_id) {
  const Entities entities = import_body(body, 1);
  const auto* entity = entities.find(EntityKind::score, "", score_id);
  BOOST_REQUIRE(entity != nullptr);
  const auto score = model::view_score(*entity);
  BOOST_TEST(score.trace_id == std::string(32, '0'));
  BOOST_TEST((score.data_type == model::DataType::boolean));
  BOOST_TEST((score.value == 1));
  BOOST_TEST((score.comment == "c"));
}

// Reads the output of a command.
exchange::ReadFunction read_pipe(const std::shared_ptr<FILE>& pipe) {
  return [pipe](char* buffer, std::size_t capacity) {
    return static_cast<std::int64_t>(std::fread(buffer, 1, capacity, pipe.get()));
  };
}

// The raw text of a member, as simdjson finds it; empty if there is none.
std::string raw_member(simdjson::ondemand::parser& parser, const simdjson::padded_string& line,
                       std::string_view name) {
  simdjson::ondemand::document document;
  simdjson::ondemand::value value;
  std::string_view raw;
  if (parser.iterate(line).get(document) != simdjson::SUCCESS) return "?";
  if (document["body"][name].get(value) != simdjson::SUCCESS) return {};
  if (simdjson::to_json_string(value).get(raw) != simdjson::SUCCESS) return "?";
  return std::string(raw.substr(0, raw.find_last_not_of(" \t\r\n") + 1));
}

BOOST_AUTO_TEST_SUITE(langfuse_real_input)

BOOST_AUTO_TEST_CASE(a_batch_in_wire_order_makes_one_trace) {
  check_first_body(kFirstBody, "tr1", "sp1", "ge1", "ev1", "sc1");
  check_second_body(kSecondBody, "sc2");
}

BOOST_AUTO_TEST_CASE(the_recorded_requests_of_a_real_client) {
  const auto path = shared_file("langfuse_js_wire.json");
  if (!is_there(path)) return;
  simdjson::dom::parser parser;
  simdjson::dom::array requests;
  BOOST_REQUIRE(parser.load(path.string()).get(requests) == simdjson::SUCCESS);
  std::vector<std::string> bodies;
  for (const simdjson::dom::element request : requests) {
    std::string_view url;
    std::string_view body;
    if (request["url"].get(url) != simdjson::SUCCESS || url != "/api/public/ingestion") continue;
    BOOST_REQUIRE(request["body"].get(body) == simdjson::SUCCESS);
    bodies.emplace_back(body);
  }
  BOOST_REQUIRE_EQUAL(bodies.size(), 2U);
  check_first_body(bodies[0], "bdbbc580-e9ee-48f1-ba74-2282fba4b558",
                   "8a0f024d-5f6a-49f0-ab5d-1957b26fc137", "a4f3ac47-7dd7-4625-92de-e6f03a6bd897",
                   "393d625b-05ac-4242-a563-5d3908358364", "a1f11854-c04b-400e-a1ce-e6848fed2632");
  check_second_body(bodies[1], "c0a1364b-09a7-4109-b7a9-225d7c7cc1bd");
}

// Line by line beside simdjson, which has its own idea of where a value begins and ends.
BOOST_AUTO_TEST_CASE(every_event_of_the_corpus_succeeds_and_keeps_its_payloads) {
  const auto script = shared_file("corpus/make_events.py");
  if (!is_there(script)) return;
  const std::string command = "python3 '" + script.string() + "' all";
  const std::shared_ptr<FILE> pipe(popen(command.c_str(), "r"), pclose);
  BOOST_REQUIRE(pipe != nullptr);
  std::string text;  // what is read and not yet compared
  const auto read = [&, from = read_pipe(pipe)](char* buffer, std::size_t capacity) {
    const std::int64_t size = from(buffer, capacity);
    text.append(buffer, static_cast<std::size_t>(size));
    return size;
  };
  simdjson::ondemand::parser parser;
  std::size_t line_start = 0;
  std::size_t payload_count = 0;
  std::size_t different_count = 0;
  const auto compare = [&](const model::EventBuilder& sealed) -> Status {
    TL_TRY_ASSIGN(event, assembled(sealed));
    const std::size_t line_end = text.find('\n', line_start);
    const simdjson::padded_string line(Bytes(text).substr(line_start, line_end - line_start));
    line_start = line_end + 1;
    for (const Field field : {Field::input, Field::output, Field::metadata}) {
      std::string wanted = raw_member(parser, line, model::field_name(field));
      if (wanted == "null") wanted.clear();  // clears
      if (payload_of(event.entity, field).bytes != wanted) ++different_count;
      if (!wanted.empty()) ++payload_count;
    }
    if (line_start > (std::size_t{1} << 24)) {
      text.erase(0, line_start);
      line_start = 0;
    }
    return {};
  };
  exchange::ImportReport report;
  BOOST_REQUIRE(exchange::import_langfuse(read, compare, {}, {}, report).ok());
  BOOST_TEST(report.event_count == 30725U);
  BOOST_TEST(report.succeeded_count == 30725U);
  BOOST_TEST(report.warned_count == 0U);
  BOOST_TEST(report.failed_count == 0U);
  BOOST_TEST(different_count == 0U);
  BOOST_TEST(payload_count > 60000U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tracelite::test
