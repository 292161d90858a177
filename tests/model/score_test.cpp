// Scores: their subject, their value and its type.
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <functional>
#include <limits>

#include "model/view.hpp"
#include "support.hpp"

namespace tracelite::test {
namespace {

using model::DataType;
using model::EntityKind;
using model::EventBuilder;
using model::Field;
using model::SubjectKind;

EventBuilder score() {
  EventBuilder builder(EntityKind::score, false);
  check_ok(builder.id("s"));
  check_ok(builder.text(Field::name, "quality"));
  check_ok(builder.subject("t", {}, {}));
  return builder;
}

// "ok", or the field and why it is refused.
std::string outcome(EventBuilder& builder) {
  const auto event = finish(builder, 1);
  if (event) return "ok";
  BOOST_TEST((event.error().code == Code::invalid));
  return event.error().field + ": " + event.error().message;
}

std::string with_value(std::optional<double> value, std::optional<Bytes> text,
                       std::optional<DataType> type) {
  EventBuilder builder = score();
  if (value) builder.number(*value);
  if (text) check_ok(builder.text(Field::string_value, *text));
  if (type) builder.data_type(*type);
  return outcome(builder);
}

BOOST_AUTO_TEST_CASE(the_data_type_is_inferred_from_the_value) {
  const auto inferred = [](std::optional<double> value, std::optional<Bytes> text) {
    EventBuilder builder = score();
    if (value) builder.number(*value);
    if (text) check_ok(builder.text(Field::string_value, *text));
    const auto event = value_of(finish(builder, 1));
    BOOST_TEST((event.entity.find(Field::data_type) == nullptr));  // on reading, not stored
    return view_score(event.entity).data_type;
  };
  BOOST_TEST((inferred(0.9, {}) == DataType::numeric));
  BOOST_TEST((inferred({}, "good") == DataType::categorical));
  BOOST_TEST((inferred({}, "") == DataType::categorical));
}

BOOST_AUTO_TEST_CASE(every_data_type_has_its_own_values) {
  BOOST_TEST(with_value(-1.5, {}, DataType::numeric) == "ok");
  BOOST_TEST(with_value({}, "x", DataType::numeric) ==
             "value: a NUMERIC or BOOLEAN score has a number as its value");
  BOOST_TEST(with_value(0, {}, DataType::boolean) == "ok");
  BOOST_TEST(with_value(1, {}, DataType::boolean) == "ok");
  BOOST_TEST(with_value(1, "True", DataType::boolean) == "ok");
  BOOST_TEST(with_value(2, {}, DataType::boolean) == "value: a BOOLEAN score's value is 0 or 1");
  BOOST_TEST(with_value({}, "true", DataType::boolean) ==
             "value: a NUMERIC or BOOLEAN score has a number as its value");
  BOOST_TEST(with_value({}, "good", DataType::categorical) == "ok");
  BOOST_TEST(with_value(3, "good", DataType::categorical) == "ok");
  BOOST_TEST(with_value(3, {}, DataType::categorical) ==
             "value: a score of this data type has a text as its value");
  BOOST_TEST(with_value({}, "a corrected answer", DataType::correction) == "ok");
  BOOST_TEST(with_value(1, {}, DataType::correction) ==
             "value: a score of this data type has a text as its value");
  BOOST_TEST(with_value(1, {}, DataType::text) ==
             "value: a score of this data type has a text as its value");
}

BOOST_AUTO_TEST_CASE(a_text_score_has_1_to_500_characters) {
  BOOST_TEST(with_value({}, "", DataType::text) == "value: a TEXT score has 1 to 500 characters");
  BOOST_TEST(with_value({}, "x", DataType::text) == "ok");
  BOOST_TEST(with_value({}, times(500, "x"), DataType::text) == "ok");
  BOOST_TEST(with_value({}, times(500, "\xf0\x9f\x98\x80"), DataType::text) == "ok");
  BOOST_TEST(with_value({}, times(501, "x"), DataType::text) ==
             "value: a TEXT score has 1 to 500 characters");
  BOOST_TEST(with_value({}, times(501, "x"), DataType::categorical) == "ok");
}

BOOST_AUTO_TEST_CASE(a_score_needs_a_finite_value) {
  BOOST_TEST(with_value({}, {}, {}) == "value: a score needs a value");
  BOOST_TEST(with_value({}, {}, DataType::numeric) == "value: a score needs a value");
  BOOST_TEST(with_value(std::nan(""), {}, {}) == "value: a score's value must be finite");
  BOOST_TEST(with_value(std::numeric_limits<double>::infinity(), {}, {}) ==
             "value: a score's value must be finite");
  BOOST_TEST(with_value(std::numeric_limits<double>::denorm_min(), {}, {}) == "ok");
}

BOOST_AUTO_TEST_CASE(null_is_no_value_no_name_and_no_data_type) {
  EventBuilder no_value = score();
  no_value.clear(Field::value);
  no_value.clear(Field::string_value);
  BOOST_TEST(outcome(no_value) == "value: a score needs a value");
  EventBuilder no_name = score();
  no_name.number(1);
  no_name.clear(Field::name);
  BOOST_TEST(outcome(no_name) == "name: a score needs a name");
  EventBuilder null_type = score();
  null_type.clear(Field::data_type);
  null_type.clear(Field::value);
  check_ok(null_type.text(Field::string_value, "good"));
  const auto event = value_of(finish(null_type, 1));
  BOOST_TEST((view_score(event.entity).data_type == DataType::categorical));
  BOOST_TEST(!view_score(event.entity).value);
}

BOOST_AUTO_TEST_CASE(a_score_needs_a_name) {
  EventBuilder builder(EntityKind::score, false);
  check_ok(builder.id("s"));
  check_ok(builder.subject("t", {}, {}));
  builder.number(1);
  BOOST_TEST(outcome(builder) == "name: a score needs a name");
  const Status empty = builder.text(Field::name, "");
  BOOST_TEST(!empty);
}

BOOST_AUTO_TEST_CASE(the_subject_is_exactly_one_of_trace_observation_and_session) {
  const auto subject = [](Bytes trace, Bytes observation, Bytes session) {
    EventBuilder builder = score();
    Status status = builder.subject(trace, observation, session);
    if (!status) return status.error().field + ": " + status.error().message;
    builder.number(1);
    const auto event = value_of(finish(builder, 1));
    const auto view = view_score(event.entity);
    return std::to_string(static_cast<int>(view.subject_kind)) + " " + view.trace_id + " " +
           view.observation_id + " " + std::string(view.session_id);
  };
  BOOST_TEST(subject("t", "", "") == "1 t  ");
  BOOST_TEST(subject("t", "o", "") == "2 t o ");
  BOOST_TEST(subject("00000000000000000123456789abcdef", "0123456789abcdef", "") ==
             "2 00000000000000000123456789abcdef 0123456789abcdef ");
  BOOST_TEST(subject("", "", "s") == "3   s");
  BOOST_TEST(
      subject("t", "", "s") ==
      "sessionId: a score belongs to a session or to a trace, not to both: give one of them");
  BOOST_TEST(
      subject("", "o", "s") ==
      "sessionId: a score belongs to a session or to a trace, not to both: give one of them");
  BOOST_TEST(subject("", "o", "") == "traceId: a score of an observation needs its traceId too");
  BOOST_TEST(subject("", "", "") ==
             "traceId: a score needs a subject: traceId, traceId with observationId, or sessionId");
  BOOST_TEST(subject("", "", times(201, "s")) ==
             "sessionId: a session id has 1 to 200 characters of UTF-8");
  BOOST_TEST(subject("", "", "\xff") == "sessionId: a session id has 1 to 200 characters of UTF-8");
  BOOST_TEST(subject("a\n", "", "") == "traceId: an id must not contain control characters");
  BOOST_TEST(subject("t", std::string(801, 'o'), "") ==
             "observationId: an id has at most 800 bytes, this one has 801");
}

BOOST_AUTO_TEST_CASE(a_missing_subject_is_refused_when_the_event_is_sealed) {
  EventBuilder builder(EntityKind::score, false);
  check_ok(builder.id("s"));
  check_ok(builder.text(Field::name, "quality"));
  builder.number(1);
  BOOST_TEST(outcome(builder) ==
             "traceId: a score needs a subject: traceId, traceId with observationId, or sessionId");
}

// A score put twice, the second time with another value.
model::Entity put_twice(const std::function<void(EventBuilder&)>& first,
                        const std::function<void(EventBuilder&)>& second) {
  EventBuilder one = score();
  first(one);
  EventBuilder two = score();
  second(two);
  NoMetadata source;
  return value_of(
      model::join(value_of(finish(two, 2)).entity, value_of(finish(one, 1)).entity, source));
}

BOOST_AUTO_TEST_CASE(a_text_written_after_a_number_takes_its_place_and_back) {
  const auto number = [](EventBuilder& b) {
    b.number(1);
    b.data_type(DataType::numeric);
  };
  const auto text = [](EventBuilder& b) { check_ok(b.text(Field::string_value, "good")); };
  const auto now_text = put_twice(number, text);
  BOOST_TEST(!view_score(now_text).value);
  BOOST_TEST((view_score(now_text).string_value == "good"));
  BOOST_TEST((view_score(now_text).data_type == DataType::categorical));
  const auto now_number = put_twice(text, number);
  BOOST_TEST(*view_score(now_number).value == 1);
  BOOST_TEST(!view_score(now_number).string_value);
  BOOST_TEST((view_score(now_number).data_type == DataType::numeric));
}

BOOST_AUTO_TEST_CASE(a_data_type_stays_as_long_as_it_fits_the_value) {
  const auto boolean = [](EventBuilder& b) {
    b.number(1);
    b.data_type(DataType::boolean);
  };
  const auto number = [](double value) { return [=](EventBuilder& b) { b.number(value); }; };
  BOOST_TEST((view_score(put_twice(boolean, number(0))).data_type == DataType::boolean));
  BOOST_TEST((view_score(put_twice(boolean, number(5))).data_type == DataType::numeric));
  const auto short_text = [](EventBuilder& b) {
    check_ok(b.text(Field::string_value, "x"));
    b.data_type(DataType::text);
  };
  const auto text = [](std::size_t size) {
    return [=](EventBuilder& b) { check_ok(b.text(Field::string_value, times(size, "y"))); };
  };
  BOOST_TEST((view_score(put_twice(short_text, text(500))).data_type == DataType::text));
  BOOST_TEST((view_score(put_twice(short_text, text(501))).data_type == DataType::categorical));
}

BOOST_AUTO_TEST_CASE(the_subject_of_a_score_is_fixed_at_its_first_event) {
  const auto entity = put_twice(
      [](EventBuilder& b) {
        check_ok(b.subject("first", {}, {}));
        b.number(1);
      },
      [](EventBuilder& b) {
        check_ok(b.subject({}, {}, "second"));
        b.number(2);
      });
  const auto view = view_score(entity);
  BOOST_TEST((view.subject_kind == SubjectKind::trace));
  BOOST_TEST(view.trace_id == "first");
  BOOST_TEST(*view.value == 2);
}

}  // namespace
}  // namespace tracelite::test
