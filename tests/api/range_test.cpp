// Each argument that chooses among numbers, given one that is none of them: refused with a message,
// and nothing happens.
#include <array>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "api/support.hpp"

namespace tracelite::api::test {
namespace {

constexpr std::array<std::int32_t, 4> kFarOut = {-1, 99, INT32_MAX, INT32_MIN};

void expect_refused(tl_status status, const std::string& what) {
  BOOST_TEST((status == TL_INVALID || status == TL_MISUSE),
             what << " gave " << tl_status_name(status));
  BOOST_TEST(*tl_error()->message != '\0', what << " says nothing");
}

template <class Struct>
Struct sized() {
  Struct value{};
  value.struct_size = sizeof value;
  return value;
}

struct Fixture {
  Folder folder;
  Store store{folder.file()};
  Fixture() {
    auto trace = sized<tl_trace>();
    trace.id = tl_str("t");
    trace.set_mask = TL_BIT(TL_FIELD_INPUT) | TL_BIT(TL_FIELD_SESSION_ID);
    trace.session_id = tl_str("s");
    trace.input = tl_json("[1]");
    must(tl_put_trace(store.get(), &trace));
    store.flush();
  }
  void expect_unchanged() const {
    store.flush();
    BOOST_TEST(store.statistics().observation_count == 0U);
    BOOST_TEST(store.statistics().score_count == 0U);
    BOOST_TEST(count(store, TL_KIND_TRACE) == 1U);
  }
};

void expect_open_refused(const tl_options& options, const std::string& what) {
  const Folder folder;
  tl_store* store = nullptr;
  expect_refused(tl_open(folder.file().c_str(), &options, &store), what);
  BOOST_TEST(store == nullptr);
  BOOST_TEST(folder.names().empty());
}

std::int64_t read_nothing(void* /*context*/, void* /*buffer*/, std::size_t /*capacity*/) {
  return 0;
}
std::int32_t write_nothing(void* /*context*/, const void* /*data*/, std::size_t /*size*/) {
  return 0;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(range)

BOOST_AUTO_TEST_CASE(options) {
  for (const std::int32_t far : kFarOut) {
    const std::string number = std::to_string(far);
    auto given = sized<tl_options>();
    given.full_policy = far;
    expect_open_refused(given, "full_policy " + number);
    given = sized<tl_options>();
    given.durability = far;
    expect_open_refused(given, "durability " + number);
    given = sized<tl_options>();
    given.compression_level = far;
    expect_open_refused(given, "compression_level " + number);
  }
  auto given = sized<tl_options>();
  given.flags = 1U << 31U;
  expect_open_refused(given, "flags");
  given = sized<tl_options>();
  given.flags = TL_OPEN_IMMUTABLE;
  expect_open_refused(given, "TL_OPEN_IMMUTABLE for writing");
  given = sized<tl_options>();
  given.dictionary_size_bytes = UINT32_MAX;
  expect_open_refused(given, "dictionary_size_bytes");
  for (const double rate : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN(),
                            std::numeric_limits<double>::infinity()}) {
    given = sized<tl_options>();
    given.sample_rate_set = 1;
    given.sample_rate = rate;
    expect_open_refused(given, "sample_rate " + std::to_string(rate));
  }
}

BOOST_FIXTURE_TEST_CASE(choices_of_what_is_recorded, Fixture) {
  for (const std::int32_t far : kFarOut) {
    const std::string number = std::to_string(far);
    auto observation = sized<tl_observation>();
    observation.id = tl_str("o");
    observation.set_mask = TL_BIT(TL_FIELD_TYPE);
    observation.type = far;
    expect_refused(tl_put_observation(store.get(), &observation), "type " + number);
    observation.set_mask = TL_BIT(TL_FIELD_LEVEL);
    observation.level = far;
    expect_refused(tl_put_observation(store.get(), &observation), "level " + number);
    observation.set_mask = TL_BIT(TL_FIELD_INPUT);
    observation.input = {far, tl_str("{}")};
    expect_refused(tl_put_observation(store.get(), &observation), "form " + number);
    tl_span* span = nullptr;
    expect_refused(tl_begin(store.get(), nullptr, &observation, &span), "begin, form " + number);
    BOOST_TEST(span == nullptr);
    auto score = sized<tl_score>();
    score.id = tl_str("s");
    score.trace_id = tl_str("t");
    score.name = tl_str("n");
    const std::uint64_t needed =
        TL_BIT(TL_FIELD_TRACE_ID) | TL_BIT(TL_FIELD_NAME) | TL_BIT(TL_FIELD_VALUE);
    score.set_mask = needed | TL_BIT(TL_FIELD_DATA_TYPE);
    score.data_type = far;
    expect_refused(tl_put_score(store.get(), &score), "data_type " + number);
    score.set_mask = needed | TL_BIT(TL_FIELD_SOURCE);
    score.source = far;
    expect_refused(tl_put_score(store.get(), &score), "source " + number);
  }
  expect_unchanged();
}

BOOST_FIXTURE_TEST_CASE(masks_and_lists_of_what_is_recorded, Fixture) {
  auto trace = sized<tl_trace>();
  trace.id = tl_str("t");
  trace.name = tl_str("n");
  trace.set_mask = TL_BIT(TL_FIELD_MODEL);
  expect(tl_put_trace(store.get(), &trace), TL_INVALID, "does not have", "set_mask");
  trace.set_mask = 0;
  trace.clear_mask = TL_BIT(63);
  expect(tl_put_trace(store.get(), &trace), TL_INVALID, "does not have", "set_mask");
  trace.set_mask = trace.clear_mask = TL_BIT(TL_FIELD_NAME);
  expect(tl_put_trace(store.get(), &trace), TL_INVALID, "both set and cleared", "clear_mask");
  auto observation = sized<tl_observation>();
  observation.id = tl_str("o");
  observation.set_mask = TL_BIT(TL_FIELD_MODEL_PARAMETERS);
  for (const char* parameters : {"[1]", "{", "", "{} {}"}) {
    observation.model_parameters = tl_str(parameters);
    expect(tl_put_observation(store.get(), &observation), TL_INVALID, "one JSON object",
           "modelParameters");
  }
  observation.set_mask = TL_BIT(TL_FIELD_USAGE_DETAILS);
  const tl_usage usage = {tl_str("a\xff"), 1};
  observation.usage_details = &usage;
  observation.usage_count = 1;
  expect(tl_put_observation(store.get(), &observation), TL_INVALID, "UTF-8", "usageDetails");
  tl_span* span = nullptr;
  must(tl_begin(store.get(), nullptr, nullptr, &span));
  auto update = sized<tl_observation>();
  update.set_mask = TL_BIT(TL_FIELD_VALUE);
  expect(tl_update(span, &update), TL_INVALID, "does not have", "set_mask");
  must(tl_end(span, nullptr));
  tl_filter by_tags = filter();
  by_tags.tag_count = 1;
  tl_cursor* cursor = nullptr;
  expect(tl_list(store.get(), nullptr, TL_KIND_TRACE, &by_tags, 0, {}, 0, &cursor), TL_INVALID,
         "NULL", "tags");
  BOOST_TEST(cursor == nullptr);
}

BOOST_FIXTURE_TEST_CASE(fields_that_take_no_text_are_not_appended_to, Fixture) {
  tl_span* span = nullptr;
  must(tl_begin(store.get(), nullptr, nullptr, &span));
  for (const std::int32_t field :
       {-1, TL_FIELD_NAME + 0, TL_FIELD_METADATA + 0, 35, 63, 64, INT32_MAX}) {
    expect_refused(tl_append(span, field, tl_str("x")), "append to " + std::to_string(field));
  }
  must(tl_end(span, nullptr));
}

BOOST_FIXTURE_TEST_CASE(kinds_and_orders_of_lists, Fixture) {
  tl_cursor* cursor = nullptr;
  for (const std::int32_t kind : {0, 11, -1, INT32_MAX, INT32_MIN}) {
    const std::string number = std::to_string(kind);
    expect_refused(tl_list(store.get(), nullptr, kind, nullptr, TL_ORDER_TIME, {}, 0, &cursor),
                   "list of kind " + number);
    expect_refused(tl_get(store.get(), nullptr, kind, {}, tl_str("t"), &cursor),
                   "get of kind " + number);
  }
  expect_refused(tl_get(store.get(), nullptr, TL_KIND_DAY, {}, tl_str("t"), &cursor), "get a day");
  for (const std::int32_t order : {5, 0x105, 0x200, -1, INT32_MAX, INT32_MIN}) {
    expect_refused(tl_list(store.get(), nullptr, TL_KIND_TRACE, nullptr, order, {}, 0, &cursor),
                   "order " + std::to_string(order));
  }
  for (const std::int32_t far : kFarOut) {
    tl_filter by_level = filter();
    by_level.level = far;
    expect_refused(tl_list(store.get(), nullptr, TL_KIND_OBSERVATION, &by_level, TL_ORDER_TIME, {},
                           0, &cursor),
                   "level " + std::to_string(far));
    tl_filter by_type = filter();
    by_type.type = far;
    tl_delete_report report = sized<tl_delete_report>();
    expect_refused(tl_delete(store.get(), &by_type, nullptr, nullptr, &report),
                   "delete by type " + std::to_string(far));
  }
  BOOST_TEST(cursor == nullptr);
  expect_unchanged();
}

BOOST_FIXTURE_TEST_CASE(fields_and_modes_of_payloads, Fixture) {
  Rows rows(list(store, TL_KIND_TRACE));
  BOOST_REQUIRE(rows.next());
  char buffer[8];
  std::size_t size = 0;
  std::uint64_t size_bytes = 0;
  tl_text preview{};
  for (const std::int32_t field : {-1, TL_FIELD_NAME + 0, 35, 64, INT32_MAX}) {
    const std::string number = std::to_string(field);
    expect_refused(
        tl_payload_read(rows.get(), field, TL_READ_AS_GIVEN, 0, buffer, sizeof buffer, &size),
        "read of field " + number);
    expect_refused(tl_payload_size(rows.get(), field, TL_READ_AS_GIVEN, &size_bytes),
                   "size of field " + number);
    expect_refused(tl_preview(rows.get(), field, 0, &preview), "preview of field " + number);
  }
  for (const std::int32_t mode : {-1, 2, INT32_MAX}) {
    const std::string number = std::to_string(mode);
    expect_refused(
        tl_payload_read(rows.get(), TL_FIELD_INPUT, mode, 0, buffer, sizeof buffer, &size),
        "read in mode " + number);
    expect_refused(tl_payload_size(rows.get(), TL_FIELD_INPUT, mode, &size_bytes),
                   "size in mode " + number);
  }
  // An offset behind the end is no error: there is nothing there.
  must(tl_payload_read(rows.get(), TL_FIELD_INPUT, TL_READ_AS_GIVEN, UINT64_MAX, buffer,
                       sizeof buffer, &size));
  BOOST_TEST(size == 0U);
}

BOOST_FIXTURE_TEST_CASE(formats_paces_and_reasons, Fixture) {
  for (const std::int32_t format : {0, 2, -1, INT32_MAX}) {
    const std::string number = std::to_string(format);
    expect_refused(tl_import(store.get(), format, read_nothing, nullptr, nullptr, nullptr, nullptr,
                             nullptr, nullptr),
                   "import of format " + number);
    expect_refused(
        tl_export(store.get(), nullptr, nullptr, format, write_nothing, nullptr, nullptr, nullptr),
        "export of format " + number);
  }
  tl_cursor* cursor = nullptr;
  for (const double speed :
       {-1.0, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    auto pace = sized<tl_replay_options>();
    pace.speed = speed;
    expect_refused(tl_replay(store.get(), nullptr, tl_str("s"), &pace, &cursor),
                   "speed " + std::to_string(speed));
  }
  auto pace = sized<tl_replay_options>();
  pace.max_gap_ns = -1;
  expect_refused(tl_replay(store.get(), nullptr, tl_str("s"), &pace, &cursor), "max_gap_ns -1");
  std::uint64_t number = 0;
  for (const std::int32_t reason : {-1, TL_REASON_COUNT + 0, INT32_MAX}) {
    expect_refused(tl_counter(store.get(), reason, &number), "reason " + std::to_string(reason));
    BOOST_TEST(tl_reason_name(reason) == nullptr);
  }
  for (const tl_status status : {TL_OK - 1, INT32_MIN, INT32_MAX}) {
    BOOST_TEST(tl_status_name(status) == nullptr);
  }
}

BOOST_FIXTURE_TEST_CASE(arrays_and_texts_without_memory, Fixture) {
  auto trace = sized<tl_trace>();
  trace.id = tl_str("u");
  trace.set_mask = TL_BIT(TL_FIELD_TAGS);
  trace.tag_count = 3;
  expect_refused(tl_put_trace(store.get(), &trace), "tags that are NULL");
  auto observation = sized<tl_observation>();
  observation.id = tl_str("o");
  observation.set_mask = TL_BIT(TL_FIELD_USAGE_DETAILS);
  observation.usage_count = 1;
  expect_refused(tl_put_observation(store.get(), &observation), "usage_details that are NULL");
  observation.set_mask = TL_BIT(TL_FIELD_COST_DETAILS);
  observation.cost_count = 1;
  expect_refused(tl_put_observation(store.get(), &observation), "cost_details that are NULL");
  expect_unchanged();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
