// Each limit of model/limits.hpp at its edge, through the C API: what is just inside is kept as it
// was given, what is just outside is refused, dropped or repaired, as the header says.
#include "model/limits.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "api/error.hpp"
#include "api/support.hpp"
#include "support/sanitizers.hpp"

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
  // Of observation "o" of trace "t".
  template <std::size_t kCount>
  void put_costs(const tl_cost (&costs)[kCount]) const {
    tl_observation observation{};
    observation.struct_size = sizeof observation;
    observation.id = tl_str("o");
    observation.trace_id = tl_str("t");
    observation.set_mask = TL_BIT(TL_FIELD_COST_DETAILS);
    observation.cost_details = costs;
    observation.cost_count = kCount;
    must(tl_put_observation(store.get(), &observation));
    store.flush();
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

// How tl_open answers to options of which `choose` sets one; what it says names `field`.
template <class Choose>
void expect_open(const Choose& choose, tl_status wanted, const std::string& field) {
  const Folder folder;
  tl_options options{};
  options.struct_size = sizeof options;
  choose(options);
  tl_store* store = nullptr;
  const tl_status got = tl_open(folder.file().c_str(), &options, &store);
  if (wanted == TL_OK) {
    BOOST_TEST(got == TL_OK, field << ": " << tl_error()->message);
    must(tl_close(store, 0, nullptr));
    return;
  }
  BOOST_TEST(got == wanted, field << " gave " << tl_status_name(got));
  BOOST_TEST(std::string(tl_error()->field) == field);
  BOOST_TEST(store == nullptr);
  BOOST_TEST(folder.names().empty());
}

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
  put_costs(costs);
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

BOOST_AUTO_TEST_CASE(a_cost_is_at_most_ten_to_the_twentieth) {
  static_assert(model::kCostPowerOfTenMax == 20);
  const tl_cost costs[] = {{tl_str("least"), tl_str("-100000000000000000000")},
                           {tl_str("less"), tl_str("-100000000000000000000.000000000001")},
                           {tl_str("more"), tl_str("100000000000000000000.000000000001")},
                           {tl_str("most"), tl_str("100000000000000000000")}};
  put_costs(costs);
  BOOST_TEST(store.counter(TL_REASON_COST) == 2U);
  Rows rows(get(store, TL_KIND_OBSERVATION, "t", "o"));
  BOOST_REQUIRE(rows.next());
  const tl_observation& seen = *rows.row().observation;
  BOOST_REQUIRE(seen.cost_count == 2U);
  BOOST_TEST(string_of(seen.cost_details[0].name) == "least");
  BOOST_TEST(string_of(seen.cost_details[0].amount) == "-100000000000000000000");
  BOOST_TEST(string_of(seen.cost_details[1].name) == "most");
  BOOST_TEST(string_of(seen.cost_details[1].amount) == "100000000000000000000");
}

BOOST_AUTO_TEST_CASE(options_have_bounds) {
  static_assert(model::kCompressionLevelMax == 19);
  for (const std::int32_t level : {-1, 0, 1, 19, 20}) {
    expect_open([&](tl_options& options) { options.compression_level = level; },
                level >= 0 && level <= 19 ? TL_OK : TL_INVALID, "compression_level");
  }
  static_assert(model::kDictionarySizeBytesMax == 1U << 20);
  for (const std::uint32_t size_bytes : {1U, 1U << 20, (1U << 20) + 1}) {
    expect_open([&](tl_options& options) { options.dictionary_size_bytes = size_bytes; },
                size_bytes <= 1U << 20 ? TL_OK : TL_INVALID, "dictionary_size_bytes");
  }
  static_assert(model::kRetentionSizeBytesMin == 1U << 20);
  for (const std::uint64_t size_bytes : {0U, 1U, (1U << 20) - 1, 1U << 20}) {
    expect_open([&](tl_options& options) { options.retention_size_bytes = size_bytes; },
                size_bytes == 0 || size_bytes >= 1U << 20 ? TL_OK : TL_INVALID,
                "retention_size_bytes");
  }
  for (const double rate : {-1e-9, 0.0, 1.0, 1 + 1e-9}) {
    expect_open(
        [&](tl_options& options) {
          options.sample_rate_set = 1;
          options.sample_rate = rate;
        },
        rate >= 0 && rate <= 1 ? TL_OK : TL_INVALID, "sample_rate");
  }
}

BOOST_AUTO_TEST_CASE(options_without_bounds_take_every_number) {
  for (const std::uint32_t number : {1U, UINT32_MAX}) {
    expect_open([&](tl_options& options) { options.commit_interval_ms = number; }, TL_OK, "");
    expect_open([&](tl_options& options) { options.queue_wait_ms = number; }, TL_OK, "");
  }
  for (const std::uint64_t number : {std::uint64_t{1}, UINT64_MAX}) {
    expect_open([&](tl_options& options) { options.map_size_bytes = number; }, TL_OK, "");
    expect_open([&](tl_options& options) { options.retention_age_ms = number; }, TL_OK, "");
    expect_open([&](tl_options& options) { options.free_disk_min_bytes = number; }, TL_OK, "");
  }
  expect_open([](tl_options& options) { options.retention_size_bytes = UINT64_MAX; }, TL_OK, "");
}

// The least queue takes one event after the other; the largest may be more than the system gives.
BOOST_AUTO_TEST_CASE(a_queue_has_at_most_64_gib) {
  static_assert(model::kQueueSizeBytesMax == std::uint64_t{64} << 30);
  for (const std::uint64_t size_bytes :
       {(std::uint64_t{64} << 30) + 1, UINT64_MAX - 20, UINT64_MAX}) {
    expect_open([&](tl_options& options) { options.queue_size_bytes = size_bytes; }, TL_INVALID,
                "queue_size_bytes");
  }
  for (const std::uint64_t size_bytes : {std::uint64_t{1}, std::uint64_t{64} << 30}) {
    if (size_bytes > 1 && tracelite::test::kUnderSanitizer)
      continue;  // they end the process where memory ends
    const Folder own;
    tl_options options{};
    options.struct_size = sizeof options;
    options.queue_size_bytes = size_bytes;
    tl_store* opened = nullptr;
    const tl_status status = tl_open(own.file().c_str(), &options, &opened);
    if (size_bytes > 1 && status == TL_NO_MEMORY) continue;
    must(status);
    tl_trace trace = trace_with(0);
    for (int i = 0; i < 3; ++i) must(tl_put_trace(opened, &trace));
    must(tl_flush(opened, UINT32_MAX, nullptr));
    must(tl_close(opened, UINT32_MAX, nullptr));
  }
}

BOOST_AUTO_TEST_CASE(what_an_error_says_is_cut_between_characters) {
  static_assert(model::kErrorFieldSizeBytesMax == 255);
  static_assert(model::kErrorMessageSizeBytesMax == 5119);
  const std::string field = "f" + characters(127);
  const std::string message = "m" + characters(2559);
  BOOST_TEST(report(make_error(Code::invalid, message, field)) == TL_INVALID);
  BOOST_TEST(tl_error()->field == field);
  BOOST_TEST(tl_error()->message == message);
  BOOST_TEST(report(make_error(Code::invalid, "m" + message, "f" + field)) == TL_INVALID);
  BOOST_TEST(tl_error()->field == "f" + field.substr(0, 253));
  BOOST_TEST(tl_error()->message == "m" + message.substr(0, 5117));
}

// Of a sum that has reached the end of its range nothing can be taken off: it is made anew.
BOOST_AUTO_TEST_CASE(sums_come_back_from_the_end_of_their_range) {
  constexpr std::uint64_t kMuch = INT64_MAX;  // twice that, and 7, is beyond UINT64_MAX
  for (const auto& [trace_id, amount] :
       {std::pair("a", kMuch), std::pair("b", std::uint64_t{7}), std::pair("c", kMuch)}) {
    tl_trace trace = trace_with(TL_BIT(TL_FIELD_SESSION_ID));
    trace.id = tl_str(trace_id);
    trace.session_id = tl_str("s");
    must(tl_put_trace(store.get(), &trace));
    const tl_usage usage = {tl_str("input"), amount};
    tl_observation observation{};
    observation.struct_size = sizeof observation;
    observation.id = tl_str("o");
    observation.trace_id = tl_str(trace_id);
    observation.set_mask = TL_BIT(TL_FIELD_USAGE_DETAILS);
    observation.usage_details = &usage;
    observation.usage_count = 1;
    must(tl_put_observation(store.get(), &observation));
  }
  store.flush();
  const auto input_tokens = [&] {
    Rows rows(list(store, TL_KIND_SESSION));
    BOOST_REQUIRE(rows.next());
    return rows.row().aggregate->input_tokens;
  };
  BOOST_TEST(input_tokens() == UINT64_MAX);
  for (const char* trace_id : {"a", "c"}) {
    const tl_filter gone = of_trace(trace_id);
    must(tl_delete(store.get(), &gone, nullptr, nullptr, nullptr));
    BOOST_TEST(input_tokens() == (*trace_id == 'a' ? kMuch + 7 : 7));
  }
}

BOOST_AUTO_TEST_CASE(a_preview_of_merged_metadata_is_cut_between_characters) {
  tl_trace trace = trace_with(TL_BIT(TL_FIELD_METADATA));
  const std::string long_text = characters(300);
  for (const std::string& metadata : {std::string(R"({"a":1})"), R"({"b":")" + long_text + "\"}"}) {
    trace.metadata = tl_json(metadata.c_str());
    must(tl_put_trace(store.get(), &trace));
    store.flush();
  }
  Rows rows(get(store, TL_KIND_TRACE, {}, "t"));
  BOOST_REQUIRE(rows.next());
  const std::string whole = R"({"a":1,"b":")" + long_text + "\"}";
  tl_text preview{};
  for (const std::uint32_t character_count : {1U, 12U, 13U, 311U, 312U, 313U, 314U, 1000U}) {
    must(tl_preview(rows.get(), TL_FIELD_METADATA, character_count, &preview));
    const std::uint32_t long_count =
        std::min(character_count - std::min(character_count, 12U), 300U);
    BOOST_TEST(string_of(preview) == whole.substr(0, character_count + long_count));
  }
}

// But for its input, output and metadata, which have none.
BOOST_AUTO_TEST_CASE(a_record_has_at_most_63_mib) {
  constexpr std::size_t kAlmost = (std::size_t{63} << 20) - 1'000;
  const std::string text(kAlmost + 1'000, 'm');
  const auto put = [&](const char* id, std::size_t size_bytes) {
    tl_observation observation{};
    observation.struct_size = sizeof observation;
    observation.id = tl_str(id);
    observation.trace_id = tl_str("t");
    observation.set_mask = TL_BIT(TL_FIELD_STATUS_MESSAGE);
    observation.status_message = text_of(std::string_view(text).substr(0, size_bytes));
    must(tl_put_observation(store.get(), &observation));
  };
  put("small", 10);
  put("too large", text.size());
  put("large", kAlmost);
  expect(tl_flush(store.get(), UINT32_MAX, nullptr), TL_LIMIT, "give long text as input");
  store.flush();
  BOOST_TEST(store.counter(TL_REASON_WRITE_FAILED) == 1U);
  for (const char* id : {"small", "large"}) {
    Rows rows(get(store, TL_KIND_OBSERVATION, "t", id));
    BOOST_REQUIRE(rows.next());
    const std::size_t size_bytes = id == std::string_view("large") ? kAlmost : 10;
    BOOST_TEST(string_of(rows.row().observation->status_message).size() == size_bytes);
  }
  BOOST_TEST(store.statistics().observation_count == 2U);
  must(tl_compact(store.get(), nullptr, nullptr));
  store.check();
}

// One that the index has as well.
BOOST_AUTO_TEST_CASE(a_model_may_be_as_long_as_a_record) {
  const std::string model((std::size_t{63} << 20) - 1'000, 'm');
  tl_observation observation{};
  observation.struct_size = sizeof observation;
  observation.id = tl_str("o");
  observation.trace_id = tl_str("t");
  observation.set_mask = TL_BIT(TL_FIELD_MODEL);
  observation.model = text_of(model);
  must(tl_put_observation(store.get(), &observation));
  store.flush();
  Rows rows(get(store, TL_KIND_OBSERVATION, "t", "o"));
  BOOST_REQUIRE(rows.next());
  BOOST_TEST((string_of(rows.row().observation->model) == model));
  store.check();
}

BOOST_AUTO_TEST_CASE(an_event_has_at_most_100_warnings_and_the_last_of_each_reason_says_the_rest) {
  std::string tags;
  for (int i = 0; i < 1'000; ++i) tags += "1,";
  const Import result = store.import(R"({"id":"e","timestamp":"2026-11-21T00:00:00Z",)"
                                     R"("type":"trace-create","body":{"id":"t","tags":[)" +
                                     tags + R"(1],"one":1,"two":2}})");
  BOOST_TEST(result.report.succeeded_count == 1U);
  BOOST_TEST(result.report.warned_count == 1U);
  BOOST_REQUIRE(result.warnings.size() == 101U);
  BOOST_TEST(result.warnings[98].ends_with("not a number"), result.warnings[98]);
  BOOST_TEST(result.warnings[99].ends_with("not a number; and 901 more"), result.warnings[99]);
  BOOST_TEST(result.warnings[100].ends_with("; and 1 more"), result.warnings[100]);
  BOOST_TEST(store.counter(TL_REASON_TAG) == 1'001U);
  BOOST_TEST(store.counter(TL_REASON_FIELD) == 2U);
}

BOOST_AUTO_TEST_CASE(a_filter_names_at_most_200_tags) {
  static_assert(model::kFilterTagCountMax == 200);
  std::vector<std::string> names;
  for (int i = 0; i < 201; ++i) names.push_back("tag " + std::to_string(i));
  std::vector<tl_text> tags;
  for (const std::string& name : names) tags.push_back(text_of(name));
  tl_trace trace = trace_with(TL_BIT(TL_FIELD_TAGS));
  trace.tags = tags.data();
  trace.tag_count = tags.size();  // a trace may have any number of them
  must(tl_put_trace(store.get(), &trace));
  store.flush();
  tl_filter wanted = filter();
  wanted.tags = tags.data();
  wanted.tag_count = 200;
  BOOST_TEST(traces_of(store, wanted).size() == 1U);
  for (tl_kind kind = TL_KIND_TRACE; kind <= TL_KIND_DAY; ++kind) {
    tl_cursor* cursor = nullptr;
    must(tl_list(store.get(), nullptr, kind, &wanted, 0, {}, 0, &cursor));
    Rows rows(cursor);
    BOOST_TEST(rows.next() ==
               (kind == TL_KIND_TRACE || kind == TL_KIND_TAG || kind == TL_KIND_ENVIRONMENT));
  }
  wanted.tag_count = 201;
  tl_cursor* cursor = nullptr;
  expect(tl_list(store.get(), nullptr, TL_KIND_TRACE, &wanted, 0, {}, 0, &cursor), TL_LIMIT, "200",
         "tags");
  BOOST_TEST(cursor == nullptr);
  expect(tl_delete(store.get(), &wanted, nullptr, nullptr, nullptr), TL_LIMIT, "200", "tags");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
