// Export, import, export: the same bytes, whatever happened to the entities before.
#include <boost/test/unit_test.hpp>
#include <iostream>

#include "model/time.hpp"
#include "support.hpp"

namespace tracelite::test {
namespace {

// Random events about a few entities, as clients could send them.
class RandomEvents {
 public:
  explicit RandomEvents(std::uint64_t seed) : random_(seed) {}

  std::string event() {
    static const std::vector<Bytes> kTypes = {
        "trace-create",     "trace-create",      "trace-create",       "span-create",
        "span-update",      "generation-create", "generation-update",  "generation-update",
        "event-create",     "tool-create",       "observation-create", "observation-update",
        "retriever-update", "score-create",      "score-create",       "session-update"};
    const std::string type(pick(kTypes));
    body_.clear();
    if (type == "trace-create") {
      trace();
    } else if (type == "score-create") {
      score();
    } else if (type == "session-update") {
      session();
    } else {
      observation(type.starts_with("observation"));
    }
    return event_text(type, "{" + body_ + "}", "e" + std::to_string(below(1000000)), time());
  }

 private:
  std::size_t below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_);
  }
  bool chance(std::size_t in) { return below(in) == 0; }
  Bytes pick(const std::vector<Bytes>& from) { return from[below(from.size())]; }

  std::string time() {
    return model::format_time(1795220428000000000 + static_cast<std::int64_t>(below(5)) * 500000);
  }
  void member(Bytes name, Bytes json) {
    if (!body_.empty()) body_ += ',';
    body_.append("\"").append(name).append("\":").append(json);
  }
  // Now and then, and then now and then null.
  void maybe(Bytes name, const std::string& json) {
    if (chance(2)) member(name, chance(5) ? "null" : json);
  }
  std::string text() {
    return "\"" +
           std::string(pick({"a", "b", "", "\\u00e9", "\xe4\xbd\xa0", "x\\ny", "\\ud800", "7"})) +
           "\"";
  }
  std::string short_text() {
    return "\"" + std::string(pick({"a", "b", "s1", "\\\"q\\\""})) + "\"";
  }
  std::string time_text() { return "\"" + time() + "\""; }
  std::string flag() { return chance(2) ? "true" : "false"; }
  std::string json() {
    return std::string(pick({"1", "{}", "{ }", "[]", "\"\"", "{\"a\":1}", "[1,\n2]", "-0.0",
                             "{\"$bytes\":\"AP8=\"}", "{ \"$bytes\": \"\\/w==\" }",
                             "{\"$bytes\":\"?\"}", "\"\\ud800\"", "1e400", " true "}));
  }
  std::string metadata() {
    return std::string(pick({"{}", "{\"a\":1}", "{\"a\":null}", "{\"a\":{\"b\":2}}", "[1, 2]",
                             "{\"a\":{\"b\":{\"c\":[ ]}},\"d\":\"\xe4\xbd\xa0\"}", "\"text\"",
                             "{\"$bytes\":\"AP8=\"}", "{\"metadata\":{\"$bytes\":\"AP8=\"}}",
                             "{\"a\":{}}", "{\"b\" : 1.0 , \"b\":2}"}));
  }
  std::string tags() {
    return std::string(pick({"[]", "[\"x\"]", "[\"y\",\"x\",\"y\"]", "[\"\xe4\xbd\xa0\"]"}));
  }
  std::string environment() { return std::string(pick({"\"prod\"", "\"default\"", "\"dev-1\""})); }

  void common() {
    maybe("name", text());
    maybe("userId", short_text());
    maybe("sessionId", short_text());
    maybe("version", short_text());
    maybe("environment", environment());
    maybe("tags", tags());
    maybe("metadata", metadata());
    maybe("input", json());
    maybe("output", json());
  }
  void trace() {
    member("id", pick({"\"t1\"", "\"0123456789abcdef0123456789abcdef\""}));
    if (chance(4)) {
      maybe("public", flag());
      maybe("bookmarked", flag());
      return;
    }
    maybe("timestamp", time_text());
    maybe("release", text());
    maybe("public", flag());
    maybe("bookmarked", flag());
    common();
  }
  void observation(bool needs_type) {
    member("id", pick({"\"o1\"", "\"0123456789abcdef\""}));
    if (!chance(5)) member("traceId", pick({"\"t1\"", "\"t2\""}));
    if (needs_type || chance(4)) member("type", pick({"\"SPAN\"", "\"TOOL\"", "\"EVENT\""}));
    common();
    maybe("parentObservationId", pick_id());
    maybe("startTime", time_text());
    maybe("endTime", time_text());
    maybe("completionStartTime", time_text());
    maybe("level", std::string(pick({"\"DEBUG\"", "\"DEFAULT\"", "\"ERROR\""})));
    maybe("statusMessage", text());
    maybe("model", text());
    maybe("modelParameters", std::string(pick({"{}", "{\"t\": 1,\n\"u\":2}", "{\"t\":0.1}"})));
    maybe("usageDetails", usage());
    maybe("usage", std::string(pick({"{\"promptTokens\":1,\"totalTokens\":4}", "{\"input\":2}"})));
    maybe("costDetails", std::string(pick({"{\"total\":0.1}", "{\"a\":1e-12,\"b\":-2.5}", "{}"})));
    maybe("promptName", text());
    maybe("promptVersion", std::to_string(below(3)));
  }
  std::string pick_id() { return std::string(pick({"\"o1\"", "\"o9\""})); }
  std::string usage() {
    return std::string(pick({"{}", "{\"input\":3,\"output\":1}", "{\"total\":18446744073709551615}",
                             "{\"prompt_tokens\":3,\"completion_tokens\":2}",
                             "{\"prompt_tokens\":3,\"x\":2}", "{\"input_tokens\":3,\"flat\":1}"}));
  }
  void score() {
    member("id", pick({"\"c1\"", "\"c2\""}));
    static const std::vector<Bytes> kSubjects = {R"("traceId":"t1")",
                                                 R"("traceId":"t1","observationId":"o1")",
                                                 R"("sessionId":"s1","traceId":null)"};
    body_.append(",").append(pick(kSubjects));
    static const std::vector<Bytes> kValues = {
        R"("value":1)",
        R"("value":5)",
        R"("value":0.1)",
        R"("value":-1.5e-7)",
        R"("value":"x")",
        R"("value":"")",
        R"("value":"x","dataType":"TEXT")",
        R"("value":true)",
        R"("value":0,"dataType":"BOOLEAN","stringValue":"False")",
        R"("value":2,"stringValue":"two","dataType":"CATEGORICAL")",
        R"("value":"y","dataType":"CORRECTION")",
        R"("value":null,"stringValue":"z")"};
    body_.append(",").append(pick(kValues));
    member("name", pick({"\"n\"", "\"m\""}));
    maybe("source", std::string(pick({"\"API\"", "\"EVAL\"", "\"ANNOTATION\""})));
    maybe("comment", text());
    maybe("configId", text());
    maybe("authorUserId", text());
    maybe("environment", environment());
    maybe("timestamp", time_text());
    maybe("metadata", metadata());
  }
  void session() {
    member("id", pick({"\"s1\"", "\"s2\""}));
    maybe("public", flag());
    maybe("bookmarked", flag());
  }

  std::mt19937_64 random_;
  std::string body_;
};

Entities import_lines(const std::string& text) {
  const Imported imported = import_text(text);
  for (const Told& one : imported.failures()) BOOST_FAIL(one.field << ": " << one.message);
  Entities entities;
  entities.add(imported.events);
  return entities;
}

BOOST_AUTO_TEST_SUITE(langfuse_round_trip)

BOOST_AUTO_TEST_CASE(an_export_imports_to_the_same_export) {
  const std::uint64_t first_seed = random_seed();
  for (std::size_t round = 0; round < scaled(1000); ++round) {
    const std::uint64_t seed = first_seed + round;
    RandomEvents random(seed);
    std::string text;
    for (std::size_t n = 1 + seed % 40; n > 0; --n) {
      std::string event = random.event();
      std::replace(event.begin(), event.end(), '\n', ' ');
      text += event + "\n";
    }
    const std::string once = import_lines(text).exported();
    const Imported again = import_text(once);
    BOOST_TEST_INFO("TL_SEED=" << seed);
    BOOST_TEST(again.report.warned_count == 0U);
    const std::string twice = import_lines(once).exported();
    if (once == twice) continue;
    std::cout << "TL_SEED=" << seed << "\n" << text << "\n--- once\n" << once;
    std::cout << "--- twice\n" << twice;
    BOOST_FAIL("the second export differs");
  }
}

// Line breaks between tokens are the one thing that an export changes.
BOOST_AUTO_TEST_CASE(documents_with_line_breaks_in_payloads_come_back_on_one_line) {
  const Imported imported = import_text(
      "[\n" + event_text("trace-create", "{\"id\":\"t\",\"input\":{\n\"a\":\r\n1}}") + "\n]");
  BOOST_REQUIRE_EQUAL(imported.events.size(), 1U);
  BOOST_TEST(payload_of(imported.events.front().entity, model::Field::input).bytes ==
             "{\n\"a\":\r\n1}");
  const std::string once = export_entity(imported.events.front().entity);
  BOOST_TEST(once.find("\"input\":{ \"a\":  1}") != std::string::npos);
  BOOST_TEST(export_entity(import_event(once).entity) == once);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tracelite::test
