// Each limit of model/limits.hpp at its edge, through the C API: what is just inside is kept as it
// was given, what is just outside is refused, dropped or repaired, as the header says.
#include "model/limits.hpp"

#include <boost/test/unit_test.hpp>
#include <string>

#include "api/support.hpp"

namespace tracelite::api::test {
namespace {

// Characters of two bytes: a limit in characters is none in bytes.
std::string characters(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += "\xc3\xa9";
  return text;
}

struct Fixture {
  Folder folder;
  Store store{folder.file()};

  static tl_trace trace_with(std::uint64_t fields) {
    tl_trace trace{};
    trace.struct_size = sizeof trace;
    trace.id = tl_str("t");
    trace.set_mask = fields;
    return trace;
  }
  static tl_score score_with(std::uint64_t fields) {
    tl_score score{};
    score.struct_size = sizeof score;
    score.id = tl_str("s");
    score.trace_id = tl_str("t");
    score.name = tl_str("quality");
    score.set_mask = TL_BIT(TL_FIELD_TRACE_ID) | TL_BIT(TL_FIELD_NAME) | fields;
    return score;
  }
  // What the only trace shows.
  template <class Look>
  void look_at_trace(const Look& look) const {
    store.flush();
    Rows rows(get(store, TL_KIND_TRACE, {}, "t"));
    BOOST_REQUIRE(rows.next());
    look(*rows.row().trace);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(limits, Fixture)

BOOST_AUTO_TEST_CASE(an_id_has_at_most_800_bytes) {
  static_assert(model::kIdSizeBytesMax == 800);
  const std::string longest(800, 'i');
  const std::string longer = longest + "i";
  tl_observation observation{};
  observation.struct_size = sizeof observation;
  for (const bool fits : {true, false}) {
    const std::string& id = fits ? longest : longer;
    const tl_status wanted = fits ? TL_OK : TL_INVALID;
    tl_trace trace = trace_with(0);
    trace.id = text_of(id);
    BOOST_TEST(tl_put_trace(store.get(), &trace) == wanted);
    observation.id = text_of(id);
    observation.trace_id = tl_str("t");
    BOOST_TEST(tl_put_observation(store.get(), &observation) == wanted);
    observation.id = tl_str("o");
    observation.trace_id = text_of(id);
    BOOST_TEST(tl_put_observation(store.get(), &observation) == wanted);
    tl_score score = score_with(TL_BIT(TL_FIELD_VALUE));
    score.id = text_of(id);
    BOOST_TEST(tl_put_score(store.get(), &score) == wanted);
  }
  store.flush();
  BOOST_TEST(count(store, TL_KIND_TRACE) == 2U);
  Rows rows(get(store, TL_KIND_TRACE, {}, longest));
  BOOST_TEST(rows.next());
}

BOOST_AUTO_TEST_CASE(a_session_user_version_and_tag_have_at_most_200_characters) {
  static_assert(model::kShortTextCharactersMax == 200);
  const std::string longest = characters(200);
  const std::string longer = characters(201);
  tl_trace trace = trace_with(TL_BIT(TL_FIELD_SESSION_ID) | TL_BIT(TL_FIELD_USER_ID) |
                              TL_BIT(TL_FIELD_VERSION) | TL_BIT(TL_FIELD_TAGS));
  for (const std::string* text : {&longest, &longer}) {
    const tl_text given = text_of(*text);
    trace.session_id = trace.user_id = trace.version = given;
    trace.tags = &given;
    trace.tag_count = 1;
    must(tl_put_trace(store.get(), &trace));  // what is too long is left out
  }
  look_at_trace([&](const tl_trace& seen) {
    BOOST_TEST(string_of(seen.session_id) == longest);
    BOOST_TEST(string_of(seen.user_id) == longest);
    BOOST_TEST(string_of(seen.version) == longest);
    BOOST_REQUIRE(seen.tag_count == 1U);
    BOOST_TEST(string_of(seen.tags[0]) == longest);
  });
  for (const tl_reason reason :
       {TL_REASON_SESSION_ID, TL_REASON_USER_ID, TL_REASON_VERSION, TL_REASON_TAG}) {
    BOOST_TEST(store.counter(reason) == 1U);
  }
  tl_session session{};
  session.struct_size = sizeof session;
  session.set_mask = TL_BIT(TL_FIELD_BOOKMARKED);
  session.id = text_of(longest);
  BOOST_TEST(tl_put_session(store.get(), &session) == TL_OK);
  session.id = text_of(longer);
  BOOST_TEST(tl_put_session(store.get(), &session) == TL_INVALID);
}

BOOST_AUTO_TEST_CASE(a_name_has_at_most_1000_characters) {
  static_assert(model::kNameCharactersMax == 1000);
  const std::string longest = characters(1000);
  const std::string longer = characters(1001);
  tl_trace trace = trace_with(TL_BIT(TL_FIELD_NAME));
  trace.name = text_of(longest);
  must(tl_put_trace(store.get(), &trace));
  trace.name = text_of(longer);
  expect(tl_put_trace(store.get(), &trace), TL_INVALID, "1000", "name");
  look_at_trace([&](const tl_trace& seen) { BOOST_TEST(string_of(seen.name) == longest); });
}

BOOST_AUTO_TEST_CASE(an_environment_has_at_most_40_characters) {
  static_assert(model::kEnvironmentCharactersMax == 40);
  const std::string longest(40, 'e');
  const std::string longer(41, 'e');
  tl_trace trace = trace_with(TL_BIT(TL_FIELD_ENVIRONMENT));
  trace.environment = text_of(longest);
  must(tl_put_trace(store.get(), &trace));
  look_at_trace([&](const tl_trace& seen) { BOOST_TEST(string_of(seen.environment) == longest); });
  BOOST_TEST(store.counter(TL_REASON_ENVIRONMENT) == 0U);
  trace.id = tl_str("t2");
  trace.environment = text_of(longer);
  must(tl_put_trace(store.get(), &trace));
  store.flush();
  BOOST_TEST(store.counter(TL_REASON_ENVIRONMENT) == 1U);
  Rows rows(get(store, TL_KIND_TRACE, {}, "t2"));
  BOOST_REQUIRE(rows.next());
  BOOST_TEST(string_of(rows.row().trace->environment).size() <= 40U);
}

BOOST_AUTO_TEST_CASE(the_text_of_a_score_has_at_most_500_characters) {
  static_assert(model::kScoreTextCharactersMax == 500);
  const std::string longest = characters(500);
  const std::string longer = characters(501);
  tl_score score = score_with(TL_BIT(TL_FIELD_STRING_VALUE) | TL_BIT(TL_FIELD_DATA_TYPE));
  score.data_type = TL_DATA_TYPE_TEXT;
  score.string_value = text_of(longest);
  must(tl_put_score(store.get(), &score));
  score.string_value = text_of(longer);
  BOOST_TEST(tl_put_score(store.get(), &score) == TL_INVALID);
  store.flush();
  Rows rows(get(store, TL_KIND_SCORE, {}, "s"));
  BOOST_REQUIRE(rows.next());
  BOOST_TEST(string_of(rows.row().score->string_value) == longest);
}

BOOST_AUTO_TEST_CASE(a_cost_keeps_twelve_decimal_places) {
  static_assert(model::kCostDecimalPlaces == 12);
  const tl_cost costs[] = {{tl_str("exact"), tl_str("0.123456789012")},
                           {tl_str("finer"), tl_str("0.0000000000004")}};
  tl_observation observation{};
  observation.struct_size = sizeof observation;
  observation.id = tl_str("o");
  observation.trace_id = tl_str("t");
  observation.set_mask = TL_BIT(TL_FIELD_COST_DETAILS);
  observation.cost_details = costs;
  observation.cost_count = std::size(costs);
  must(tl_put_observation(store.get(), &observation));
  store.flush();
  Rows rows(get(store, TL_KIND_OBSERVATION, "t", "o"));
  BOOST_REQUIRE(rows.next());
  const tl_observation& seen = *rows.row().observation;
  BOOST_REQUIRE(seen.cost_count >= 1U);
  BOOST_TEST(string_of(seen.cost_details[0].amount) == "0.123456789012");
  if (seen.cost_count > 1) BOOST_TEST(string_of(seen.cost_details[1].amount) == "0");
}

// An object below the 64th level is one value: the later takes the place of the earlier whole.
BOOST_AUTO_TEST_CASE(metadata_merges_by_key_to_a_depth_of_64) {
  static_assert(model::kMetadataMergeDepthMax == 64);
  const auto nested = [](std::size_t depth, const std::string& inner) {
    std::string text;
    for (std::size_t i = 0; i < depth; ++i) text += "{\"k\":";
    text += inner;
    return text + std::string(depth, '}');
  };
  for (const bool merges : {true, false}) {
    const std::size_t depth = merges ? 63 : 64;
    const std::string id = merges ? "t" : "deeper";
    tl_trace trace = trace_with(TL_BIT(TL_FIELD_METADATA));
    trace.id = text_of(id);
    for (const char* inner : {"{\"a\":1}", "{\"b\":2}"}) {
      const std::string text = nested(depth, inner);
      trace.metadata = tl_json(text.c_str());
      must(tl_put_trace(store.get(), &trace));
    }
    store.flush();
    Rows rows(get(store, TL_KIND_TRACE, {}, id));
    BOOST_REQUIRE(rows.next());
    BOOST_TEST(rows.payload(TL_FIELD_METADATA) ==
               nested(depth, merges ? "{\"a\":1,\"b\":2}" : "{\"b\":2}"));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
