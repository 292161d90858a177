// Limits and repairs of single values (MODEL: Identifiers, Trace, Session).
#include <boost/test/unit_test.hpp>
#include <functional>

#include "model/limits.hpp"
#include "model/media.hpp"
#include "model/register_check.hpp"
#include "model/view.hpp"
#include "support.hpp"

namespace tracelite::test {
namespace {

using model::EntityKind;
using model::EventBuilder;
using model::Field;
using model::Form;
using model::Reason;

constexpr Bytes kTwoBytes = "\xc3\xa9";           // e with acute
constexpr Bytes kFourBytes = "\xf0\x9f\x98\x80";  // a smiley
constexpr Bytes kNotUtf8 = "a\xff";
const std::string kNul(1, '\0');

EventBuilder builder_of(EntityKind kind) {
  EventBuilder builder(kind, false);
  check_ok(builder.id("e"));
  return builder;
}

std::string message_of(const Status& status) {
  return status ? "ok" : const_cast<Status&>(status).error().message;
}
std::string field_of(const Status& status) {
  return status ? "ok" : const_cast<Status&>(status).error().field;
}

// ---- ids

BOOST_AUTO_TEST_CASE(ids_have_1_to_800_bytes_of_utf8_without_control_characters) {
  const auto refused = [](Bytes id) {
    EventBuilder builder(EntityKind::observation, false);
    const Status status = builder.id(id);
    if (!status) BOOST_TEST(field_of(status) == "id");
    return message_of(status);
  };
  BOOST_TEST(refused("x") == "ok");
  BOOST_TEST(refused(std::string(800, 'x')) == "ok");
  BOOST_TEST(refused(times(200, kFourBytes)) == "ok");
  BOOST_TEST(refused("with spaces, \"quotes\" and / slashes") == "ok");
  BOOST_TEST(refused("") == "an id must not be empty");
  BOOST_TEST(refused(std::string(801, 'x')) == "an id has at most 800 bytes, this one has 801");
  BOOST_TEST(refused("a\nb") == "an id must not contain control characters");
  BOOST_TEST(refused("a" + kNul) == "an id must not contain control characters");
  BOOST_TEST(refused("a\x7f") == "an id must not contain control characters");
  BOOST_TEST(refused(kNotUtf8) == "an id must be valid UTF-8");
  BOOST_TEST(refused("\xed\xa0\x80") == "an id must be valid UTF-8");  // a surrogate
  BOOST_TEST(refused("\xc0\x80") == "an id must be valid UTF-8");      // an overlong NUL
}

BOOST_AUTO_TEST_CASE(an_event_needs_an_id) {
  EventBuilder builder(EntityKind::trace, false);
  const auto event = finish(builder, 1);
  BOOST_REQUIRE(!event);
  BOOST_TEST((event.error().code == Code::invalid));
  BOOST_TEST(event.error().field == "id");
}

BOOST_AUTO_TEST_CASE(the_ids_of_trace_and_parent_are_checked_and_named) {
  EventBuilder builder = builder_of(EntityKind::observation);
  BOOST_TEST(field_of(builder.trace_id("a\tb")) == "traceId");
  BOOST_TEST(field_of(builder.text(Field::parent_observation_id, std::string(801, 'p'))) ==
             "parentObservationId");
  BOOST_TEST(field_of(builder.text(Field::parent_observation_id, "")) == "parentObservationId");
}

BOOST_AUTO_TEST_CASE(a_session_is_put_by_any_text_that_a_trace_may_name) {
  const auto id = [](Bytes text) {
    EventBuilder builder(EntityKind::session, true);
    return message_of(builder.id(text));
  };
  BOOST_TEST(id("s") == "ok");
  BOOST_TEST(id("a\tb") == "ok");
  BOOST_TEST(id(times(200, kFourBytes)) == "ok");
  BOOST_TEST(id(times(201, "x")) == "a session id has 1 to 200 characters of UTF-8");
  BOOST_TEST(id("") == "a session id has 1 to 200 characters of UTF-8");
  BOOST_TEST(id(kNotUtf8) == "a session id has 1 to 200 characters of UTF-8");
}

// ---- short texts

BOOST_AUTO_TEST_CASE(short_texts_of_more_than_200_characters_are_dropped_with_a_warning) {
  struct Case {
    Field field;
    Reason reason;
    const char* name;
  };
  for (const Case& one : {Case{Field::session_id, Reason::session_id, "sessionId"},
                          Case{Field::user_id, Reason::user_id, "userId"},
                          Case{Field::version, Reason::version, "version"}}) {
    BOOST_TEST_INFO_SCOPE(one.name);
    for (const std::string& good : {std::string("x"), times(200, "x"), times(200, kTwoBytes),
                                    times(200, kFourBytes), "a" + kNul}) {
      EventBuilder builder = builder_of(EntityKind::trace);
      check_ok(builder.text(one.field, good));
      BOOST_TEST(builder.warnings().empty());
      const auto event = value_of(finish(builder, 1));
      BOOST_TEST(event.entity.find(one.field)->value == good);
    }
    for (const std::string& bad : {std::string(), times(201, "x"), times(201, kTwoBytes),
                                   times(200, kFourBytes) + "x", std::string(kNotUtf8)}) {
      EventBuilder builder = builder_of(EntityKind::trace);
      check_ok(builder.text(one.field, bad));
      BOOST_REQUIRE(builder.warnings().size() == 1);
      BOOST_TEST((builder.warnings()[0].reason == one.reason));
      BOOST_TEST(builder.warnings()[0].field == one.name);
      BOOST_TEST((value_of(finish(builder, 1)).entity.find(one.field) == nullptr));
    }
  }
  EventBuilder builder = builder_of(EntityKind::trace);
  check_ok(builder.text(Field::session_id, times(201, "x")));
  BOOST_TEST(builder.warnings()[0].message ==
             "sessionId was dropped: it must have 1 to 200 characters, not 201");
}

BOOST_AUTO_TEST_CASE(a_dropped_text_writes_nothing_so_the_earlier_one_stays) {
  EventBuilder first = builder_of(EntityKind::trace);
  check_ok(first.text(Field::user_id, "u"));
  EventBuilder second = builder_of(EntityKind::trace);
  check_ok(second.text(Field::user_id, times(201, "x")));
  NoMetadata source;
  const auto joined = value_of(
      model::join(value_of(finish(first, 1)).entity, value_of(finish(second, 2)).entity, source));
  BOOST_TEST((view_trace(joined).user_id == "u"));
}

BOOST_AUTO_TEST_CASE(tags_are_sorted_each_once_and_bad_ones_dropped_with_a_warning) {
  EventBuilder builder = builder_of(EntityKind::trace);
  for (const std::string& tag :
       {std::string("b"), std::string("a"), std::string("b"), times(200, kTwoBytes),
        times(201, "x"), std::string(), std::string(kNotUtf8)}) {
    check_ok(builder.tag(tag));
  }
  BOOST_TEST(builder.warnings().size() == 3U);
  for (const auto& warning : builder.warnings()) {
    BOOST_TEST((warning.reason == Reason::tag));
    BOOST_TEST(warning.field == "tags");
  }
  const auto event = value_of(finish(builder, 1));
  const auto tags = view_trace(event.entity).tags;
  BOOST_REQUIRE(tags.size() == 3U);
  BOOST_TEST(tags[0] == "a");
  BOOST_TEST(tags[1] == "b");
  BOOST_TEST(tags[2] == times(200, kTwoBytes));
}

BOOST_AUTO_TEST_CASE(a_trace_name_has_at_most_1000_characters) {
  EventBuilder builder = builder_of(EntityKind::trace);
  BOOST_TEST(message_of(builder.text(Field::name, times(1000, "x"))) == "ok");
  BOOST_TEST(message_of(builder.text(Field::name, times(1000, kFourBytes))) == "ok");
  BOOST_TEST(message_of(builder.text(Field::name, "")) == "ok");
  BOOST_TEST(message_of(builder.text(Field::name, times(1001, kTwoBytes))) ==
             "a trace's name has at most 1000 characters, this one has 1001");
  BOOST_TEST(field_of(builder.text(Field::name, times(1001, "x"))) == "name");
  EventBuilder observation = builder_of(EntityKind::observation);
  BOOST_TEST(message_of(observation.text(Field::name, times(1001, "x"))) == "ok");
}

BOOST_AUTO_TEST_CASE(free_texts_must_be_utf8) {
  EventBuilder builder = builder_of(EntityKind::observation);
  for (const Field field : {Field::name, Field::release, Field::status_message, Field::model,
                            Field::prompt_name, Field::comment}) {
    BOOST_TEST(field_of(builder.text(field, kNotUtf8)) == model::field_name(field));
    BOOST_TEST(message_of(builder.text(field, kNul + "\n" + times(5000, kTwoBytes))) == "ok");
  }
}

// ---- environment

BOOST_AUTO_TEST_CASE(environments_are_repaired_never_refused) {
  struct Case {
    std::string given, kept;
  };
  const std::string forty = times(40, "e");
  for (const Case& one : {Case{"production", "production"},
                          Case{"a-b_c-9", "a-b_c-9"},
                          Case{forty, forty},
                          Case{"Prod", "prod"},
                          Case{"Prod!", "default"},
                          Case{"LANGFUSE-x", "x"},
                          Case{"langfuse_x", "x"},
                          Case{"langfusex", "x"},
                          Case{"langfuse", "default"},
                          Case{"langfuse_", "default"},
                          Case{"langfuse-", "default"},
                          Case{"langfuse--x", "-x"},
                          Case{"langfuse-langfuse", "default"},
                          Case{"langfuse-langfuse_x", "x"},
                          Case{forty + "f", forty},
                          Case{"langfuse-" + forty + "f", forty},
                          Case{"", "default"},
                          Case{std::string(kTwoBytes), "default"},
                          Case{forty + std::string(kTwoBytes), forty},
                          Case{times(39, "e") + std::string(kTwoBytes), "default"},
                          Case{"a b", "default"},
                          Case{"a" + kNul, "default"},
                          Case{std::string(kNotUtf8), "default"},
                          Case{"my-langfuse", "my-langfuse"},
                          Case{"-", "-"}}) {
    BOOST_TEST_INFO_SCOPE("'" << one.given << "'");
    EventBuilder builder = builder_of(EntityKind::trace);
    check_ok(builder.text(Field::environment, one.given));
    const bool repaired = one.given != one.kept;
    BOOST_REQUIRE(builder.warnings().size() == (repaired ? 1U : 0U));
    if (repaired) {
      BOOST_TEST((builder.warnings()[0].reason == Reason::environment));
      BOOST_TEST(builder.warnings()[0].field == "environment");
    }
    const auto event = value_of(finish(builder, 1));
    BOOST_TEST(view_trace(event.entity).environment == one.kept);
    // What was repaired once stays as it is when it is exported and imported.
    BOOST_TEST(model::repair_environment(one.kept).first == one.kept);
    BOOST_TEST(!model::repair_environment(one.kept).second);
  }
}

BOOST_AUTO_TEST_CASE(the_warning_about_an_environment_says_what_became_of_it) {
  EventBuilder builder = builder_of(EntityKind::score);
  check_ok(builder.text(Field::environment, "Prod!"));
  BOOST_TEST(builder.warnings()[0].message ==
             "environment \"Prod!\" is stored as \"default\": it may have up to 40 of a-z, 0-9, - "
             "and _");
}

BOOST_AUTO_TEST_CASE(the_warning_about_a_long_environment_is_still_utf8) {
  for (const Bytes character : {kTwoBytes, kFourBytes}) {
    EventBuilder builder = builder_of(EntityKind::trace);
    check_ok(builder.text(Field::environment, "x" + times(300, character)));
    BOOST_TEST(message_of(builder.text(Field::name, builder.warnings()[0].message)) == "ok");
  }
}

BOOST_AUTO_TEST_CASE(a_missing_environment_reads_as_default) {
  EventBuilder builder = builder_of(EntityKind::trace);
  const auto event = value_of(finish(builder, 1));
  BOOST_TEST(view_trace(event.entity).environment == "default");
  BOOST_TEST((event.entity.find(Field::environment) == nullptr));  // and is not stored
}

// ---- usage and cost

model::ObservationView view_of(EventBuilder builder, model::Entity& entity) {
  entity = value_of(finish(builder, 1)).entity;
  return view_observation(entity);
}

BOOST_AUTO_TEST_CASE(usage_is_sorted_and_of_a_name_given_twice_the_last_counts) {
  EventBuilder builder = builder_of(EntityKind::observation);
  builder.usage("output", 1);
  builder.usage("input", 7);
  builder.usage("output", UINT64_MAX);
  model::Entity entity;
  const auto usage = view_of(builder, entity).usage;
  BOOST_REQUIRE(usage.size() == 2U);
  BOOST_TEST(usage[0].first == "input");
  BOOST_TEST(usage[0].second == 7U);
  BOOST_TEST(usage[1].first == "output");
  BOOST_TEST(usage[1].second == UINT64_MAX);
}

BOOST_AUTO_TEST_CASE(usage_and_cost_whose_name_is_no_text_are_dropped_with_a_warning) {
  EventBuilder builder = builder_of(EntityKind::observation);
  builder.usage("", 1);
  builder.usage(kNotUtf8, 1);
  builder.cost("", 1);
  builder.cost(kNotUtf8, 1);
  builder.cost("a", model::kCostUnitsMax + 1);
  builder.cost("b", -model::kCostUnitsMax - 1);
  BOOST_REQUIRE(builder.warnings().size() == 6U);
  BOOST_TEST((builder.warnings()[0].reason == Reason::usage));
  BOOST_TEST((builder.warnings()[5].reason == Reason::cost));
  const auto event = value_of(finish(builder, 1));
  BOOST_TEST(event.entity.registers.empty());
}

BOOST_AUTO_TEST_CASE(costs_keep_twelve_places_and_their_sign) {
  EventBuilder builder = builder_of(EntityKind::observation);
  builder.cost("output", *model::parse_decimal("0.000000000001"));
  builder.cost("discount", *model::parse_decimal("-1e20"));
  model::Entity entity;
  const auto cost = view_of(builder, entity).cost;
  BOOST_REQUIRE(cost.size() == 2U);
  BOOST_TEST(cost[0].first == "discount");
  BOOST_TEST(model::format_decimal(cost[0].second) == "-100000000000000000000");
  BOOST_TEST(model::format_decimal(cost[1].second) == "0.000000000001");
}

BOOST_AUTO_TEST_CASE(token_counts_are_sums_by_name_unless_the_total_was_given) {
  EventBuilder builder = builder_of(EntityKind::observation);
  builder.usage("input", 10);
  builder.usage("input_cached_tokens", 3);
  builder.usage("cached_input", 2);
  builder.usage("output", 5);
  builder.usage("output_reasoning", 1);
  builder.usage("other", 100);
  model::Entity entity;
  auto view = view_of(builder, entity);
  BOOST_TEST(view.input_tokens() == 15U);
  BOOST_TEST(view.output_tokens() == 6U);
  BOOST_TEST(view.total_tokens() == 121U);
  builder.usage("total", 16);
  view = view_of(builder, entity);
  BOOST_TEST(view.total_tokens() == 16U);
  BOOST_TEST(view.input_tokens() == 15U);
  BOOST_TEST(view_of(builder_of(EntityKind::observation), entity).total_tokens() == 0U);
}

BOOST_AUTO_TEST_CASE(token_sums_stop_at_the_end_of_64_bits) {
  EventBuilder builder = builder_of(EntityKind::observation);
  builder.usage("input", UINT64_MAX);
  builder.usage("input_more", 2);
  model::Entity entity;
  const auto view = view_of(builder, entity);
  BOOST_TEST(view.input_tokens() == UINT64_MAX);
  BOOST_TEST(view.total_tokens() == UINT64_MAX);
}

BOOST_AUTO_TEST_CASE(the_total_cost_is_given_or_the_exact_sum) {
  EventBuilder builder = builder_of(EntityKind::observation);
  builder.cost("input", *model::parse_decimal("0.1"));
  builder.cost("output", *model::parse_decimal("0.2"));
  model::Entity entity;
  BOOST_TEST(model::format_decimal(view_of(builder, entity).total_cost()) == "0.3");
  builder.cost("total", *model::parse_decimal("0.25"));
  BOOST_TEST(model::format_decimal(view_of(builder, entity).total_cost()) == "0.25");
}

// ---- observations

BOOST_AUTO_TEST_CASE(an_end_before_its_start_reads_as_the_start) {
  EventBuilder builder = builder_of(EntityKind::observation);
  builder.time(Field::start_time, 500);
  builder.time(Field::end_time, 100);
  model::Entity entity;
  const auto view = view_of(builder, entity);
  BOOST_TEST(view.start_ns == 500);
  BOOST_TEST(*view.end_ns == 500);
  BOOST_TEST(ByteReader(entity.find(Field::end_time)->value).signed_varint() == 100);  // as stored
  builder.time(Field::start_time, 50);
  BOOST_TEST(*view_of(builder, entity).end_ns == 100);
}

BOOST_AUTO_TEST_CASE(what_was_not_written_reads_as_its_default) {
  EventBuilder builder = builder_of(EntityKind::observation);
  const auto entity = value_of(finish(builder, 42)).entity;
  const auto view = view_observation(entity);
  BOOST_TEST(view.start_ns == 42);
  BOOST_TEST(!view.end_ns);
  BOOST_TEST(view.is_unfinished());
  BOOST_TEST((view.type == model::ObservationType::span));
  BOOST_TEST((view.level == model::Level::normal));
  BOOST_TEST(view.environment == "default");
  BOOST_TEST(!view.name);
  BOOST_TEST((view.input.value.form == Form::absent));
  BOOST_TEST(entity.registers.empty());
}

BOOST_AUTO_TEST_CASE(an_event_is_a_point_in_time_and_never_unfinished) {
  EventBuilder builder = builder_of(EntityKind::observation);
  builder.type(model::ObservationType::event, false);
  model::Entity entity;
  BOOST_TEST(!view_of(builder, entity).is_unfinished());
}

BOOST_AUTO_TEST_CASE(a_field_given_twice_in_one_event_has_its_last_value) {
  EventBuilder builder = builder_of(EntityKind::observation);
  check_ok(builder.text(Field::name, "first"));
  check_ok(builder.text(Field::name, "second"));
  builder.clear(Field::model);
  check_ok(builder.text(Field::model, "m"));
  check_ok(builder.text(Field::prompt_name, "p"));
  builder.clear(Field::prompt_name);
  model::Entity entity;
  const auto view = view_of(builder, entity);
  BOOST_TEST((view.name == "second"));
  BOOST_TEST((view.model == "m"));
  BOOST_TEST(!view.prompt_name);
}

BOOST_AUTO_TEST_CASE(fields_fixed_at_the_first_write_and_tags_cannot_be_cleared) {
  EventBuilder builder = builder_of(EntityKind::observation);
  for (const Field field :
       {Field::start_time, Field::timestamp, Field::environment, Field::tags, Field::subject}) {
    builder.clear(field);
  }
  BOOST_TEST(value_of(finish(builder, 1)).entity.registers.empty());
}

// ---- payloads

BOOST_AUTO_TEST_CASE(payloads_come_back_byte_for_byte_in_their_form) {
  struct Case {
    Form form;
    std::string bytes;
  };
  for (const Case& one : {Case{Form::json, " {\"b\" : 1,\n\"a\":2} "}, Case{Form::json, "1e400"},
                          Case{Form::text, ""}, Case{Form::text, "a\nb" + kNul},
                          Case{Form::bytes, std::string(kNotUtf8) + kNul}, Case{Form::bytes, ""},
                          Case{Form::null, ""}}) {
    EventBuilder builder = builder_of(EntityKind::observation);
    builder.payload(Field::input, one.form, one.bytes);
    model::Entity entity;
    const auto view = view_of(builder, entity);
    BOOST_TEST((view.input.value.form == one.form));
    BOOST_TEST(view.input.value.bytes == one.bytes);
    BOOST_TEST(view.input.value.size_bytes == one.bytes.size());
    BOOST_TEST(!view.input.is_tree);
    BOOST_TEST(model::payload_size_bytes(entity) == one.bytes.size());
  }
}

BOOST_AUTO_TEST_CASE(stored_payloads_have_a_number_and_a_size) {
  const std::string value = model::PayloadValue::encode_stored(Form::text, 1ULL << 47, 1ULL << 40);
  const auto payload = model::PayloadValue::decode(value);
  BOOST_TEST((payload.form == Form::text));
  BOOST_TEST(payload.is_stored);
  BOOST_TEST(payload.number == 1ULL << 47);
  BOOST_TEST(payload.size_bytes == 1ULL << 40);
  BOOST_TEST(payload.bytes.empty());
}

BOOST_AUTO_TEST_CASE(a_payload_remembers_what_its_references_stand_for) {
  model::MediaUse use;
  const std::string hash(model::kMediaHashSizeBytes, 'h');
  use.offset = 5;
  use.given_size_bytes = 1000;
  use.hash = hash;
  use.header_kind = model::MediaHeader::given;
  use.has_escaped_slashes = true;
  use.mime = "image/png";
  use.given_header = "data:image\\/png;base64,";
  model::MediaListBuilder builder;
  builder.add(use);
  use.offset = use.end() + 2;
  use.header_kind = model::MediaHeader::data_uri;
  builder.add(use);
  const std::uint64_t stored_size_bytes = use.end() + 3;
  const std::uint64_t given_size_bytes = 5 + 1000 + 2 + 1000 + 3;
  BOOST_TEST(builder.given_size_bytes(stored_size_bytes) == given_size_bytes);
  const std::string list = builder.finish();
  const model::PayloadMedia media{list, given_size_bytes};
  const std::string text(stored_size_bytes, 't');
  for (const std::string& value :
       {model::PayloadValue::encode_inline(Form::text, text, media),
        model::PayloadValue::encode_stored(Form::text, 9, stored_size_bytes, media)}) {
    const auto payload = model::PayloadValue::decode(value);
    BOOST_TEST(payload.size_bytes == given_size_bytes);
    BOOST_TEST(payload.stored_size_bytes == stored_size_bytes);
    BOOST_TEST((payload.bytes.empty() ? payload.number == 9 : payload.bytes == text));
    model::MediaWalker walker(payload.media_list);
    BOOST_REQUIRE(walker.next());
    BOOST_TEST(walker.use().offset == 5U);
    BOOST_TEST(walker.use().has_escaped_slashes);
    BOOST_TEST(walker.use().header() == "data:image\\/png;base64,");
    BOOST_REQUIRE(walker.next());
    BOOST_TEST(walker.use().header() == "data:image/png;base64,");
    BOOST_TEST(walker.use().offset == use.offset);
    BOOST_TEST(!walker.next());
    BOOST_TEST(!walker.failed());
    BOOST_TEST(model::is_sound({Field::input, 0, 0, value}));
    // Whatever byte of the list is wrong: it is noticed, or still a list within these bytes.
    for (std::size_t at = 0; at < value.size(); ++at) {
      std::string damaged = value;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x41);
      if (model::is_sound({Field::input, 0, 0, damaged})) {
        const auto odd = model::PayloadValue::decode(damaged);
        for (model::MediaWalker again(odd.media_list); again.next();) {
          BOOST_TEST(again.use().end() <= odd.stored_size_bytes);
        }
      }
    }
  }
  BOOST_TEST(!model::is_sound(
      {Field::input, 0, 0,
       model::PayloadValue::encode_inline(Form::text, text, {list, given_size_bytes + 1})}));
  BOOST_TEST(!model::is_sound(
      {Field::input, 0, 0, model::PayloadValue::encode_inline(Form::bytes, text, media)}));
}

BOOST_AUTO_TEST_CASE(withheld_text_has_only_its_size) {
  EventBuilder builder = builder_of(EntityKind::observation);
  builder.withheld(Field::output, 12345);
  model::Entity entity;
  const auto view = view_of(builder, entity);
  BOOST_TEST((view.output.value.form == Form::withheld));
  BOOST_TEST(view.output.value.size_bytes == 12345U);
  BOOST_TEST((value_of(model::decode(encoded(entity))) == entity));
}

BOOST_AUTO_TEST_CASE(an_empty_object_is_weak_however_it_is_written) {
  for (const std::string& empty :
       {std::string("{}"), std::string(" {\n} "), "{" + times(1000, " \t\r\n") + "}"}) {
    for (const Field field : {Field::input, Field::output, Field::metadata}) {
      EventBuilder builder = builder_of(EntityKind::trace);
      builder.payload(field, Form::json, empty);
      BOOST_TEST(value_of(finish(builder, 1)).entity.find(field)->weak());
    }
    EventBuilder builder = builder_of(EntityKind::observation);
    builder.model_parameters(empty);
    BOOST_TEST(value_of(finish(builder, 1)).entity.find(Field::model_parameters)->weak());
  }
  for (const Bytes full : {"{\"a\":{}}", "[]", "\"{}\"", "0"}) {
    EventBuilder builder = builder_of(EntityKind::trace);
    builder.payload(Field::input, Form::json, full);
    BOOST_TEST(!value_of(finish(builder, 1)).entity.find(Field::input)->weak());
  }
  EventBuilder builder = builder_of(EntityKind::trace);
  builder.payload(Field::input, Form::text, "{}");
  BOOST_TEST(!value_of(finish(builder, 1)).entity.find(Field::input)->weak());
}

BOOST_AUTO_TEST_CASE(null_metadata_clears_in_every_form) {
  for (const auto& [form, bytes] :
       {std::pair<Form, Bytes>{Form::null, ""}, {Form::json, "null"}, {Form::json, " null\n"}}) {
    EventBuilder builder = builder_of(EntityKind::trace);
    builder.payload(Field::metadata, form, bytes);
    BOOST_TEST(value_of(finish(builder, 1)).entity.find(Field::metadata)->cleared());
  }
}

// ---- the order of events

BOOST_AUTO_TEST_CASE(events_are_ordered_by_time_then_creates_then_body_time_then_body) {
  const auto order = [](std::int64_t event_time, bool is_update, std::optional<std::int64_t> start,
                        Bytes name) {
    EventBuilder builder(EntityKind::observation, is_update);
    check_ok(builder.id("e"));
    if (start) builder.time(Field::start_time, *start);
    check_ok(builder.text(Field::name, name));
    return value_of(finish(builder, event_time)).entity.first_order();
  };
  BOOST_TEST((order(1, true, 9, "a") < order(2, false, 1, "a")));
  BOOST_TEST((order(1, false, 9, "a") < order(1, true, 1, "a")));
  BOOST_TEST((order(1, false, 1, "a") < order(1, false, 2, "a")));
  BOOST_TEST((order(5, false, 4, "a") < order(5, false, std::nullopt, "a")));  // then: event time
  BOOST_TEST((order(5, false, std::nullopt, "a") < order(5, false, 6, "a")));
  BOOST_TEST((order(1, false, 1, "a") != order(1, false, 1, "b")));
  BOOST_TEST((order(1, false, 1, "a") == order(1, false, 1, "a")));
}

BOOST_AUTO_TEST_CASE(events_that_say_something_else_are_other_events) {
  std::vector<std::uint64_t> digests;
  const auto add = [&](const std::function<void(EventBuilder&)>& fill) {
    EventBuilder builder = builder_of(EntityKind::observation);
    fill(builder);
    digests.push_back(value_of(finish(builder, 1)).entity.first_order().digest);
  };
  add([](EventBuilder&) {});
  add([](EventBuilder& b) { check_ok(b.trace_id("t")); });
  add([](EventBuilder& b) { check_ok(b.text(Field::name, "t")); });
  add([](EventBuilder& b) { check_ok(b.text(Field::name, "t", true)); });
  add([](EventBuilder& b) { check_ok(b.text(Field::model, "t")); });
  add([](EventBuilder& b) { b.clear(Field::name); });
  add([](EventBuilder& b) { check_ok(b.text(Field::name, "")); });
  add([](EventBuilder& b) { b.payload(Field::input, Form::text, times(100, "x")); });
  add([](EventBuilder& b) { b.payload(Field::input, Form::bytes, times(100, "x")); });
  add([](EventBuilder& b) { b.payload(Field::input, Form::text, times(100, "x") + "y"); });
  const std::string streamed = times(100, "x");
  add([&](EventBuilder& b) { b.streamed(Field::input, streamed); });
  std::sort(digests.begin(), digests.end());
  BOOST_TEST((std::unique(digests.begin(), digests.end()) == digests.end()));
}

BOOST_AUTO_TEST_CASE(the_same_body_is_the_same_event_whatever_the_order_of_its_fields) {
  EventBuilder one = builder_of(EntityKind::trace);
  check_ok(one.text(Field::name, "n"));
  check_ok(one.tag("a"));
  check_ok(one.tag("b"));
  EventBuilder two = builder_of(EntityKind::trace);
  check_ok(two.tag("b"));
  check_ok(two.text(Field::name, "n"));
  check_ok(two.tag("a"));
  BOOST_TEST((value_of(finish(one, 7)).entity == value_of(finish(two, 7)).entity));
}

}  // namespace
}  // namespace tracelite::test
