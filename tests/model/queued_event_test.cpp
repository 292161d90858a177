// An event on its way through the queue: what was given last counts, and what was left to the other
// side is done there.
#include "model/queued_event.hpp"

#include <stdexcept>
#include <vector>

#include "model/event.hpp"
#include "support.hpp"

namespace tracelite::test {
namespace {

using model::assemble;
using model::EntityKind;
using model::Event;
using model::EventBuilder;
using model::Field;
using model::Form;
using model::PartHead;
using model::PayloadChecker;
using model::PayloadValue;
using model::QueuedHead;
using model::Register;

EventBuilder builder_of(Bytes id) {
  EventBuilder builder(EntityKind::observation, false);
  BOOST_REQUIRE(builder.id(id).ok());
  return builder;
}

// Makes everything a text of its own, and remembers what it was asked.
class Shouting : public PayloadChecker {
 public:
  void check(Field field, Form& form, Bytes& bytes, std::string& own) override {
    asked.emplace_back(field, form);
    own = "checked " + std::string(bytes);
    form = Form::text;
    bytes = own;
  }
  std::vector<std::pair<Field, Form>> asked;
};

Event through_the_queue(EventBuilder& builder, PayloadChecker& checker) {
  BOOST_REQUIRE(builder.seal(7).ok());
  std::string queued(builder.size_bytes(), 'x');
  builder.write(queued.data());
  return value_of(assemble(queued, checker));
}

const Register& register_of(const Event& event, Field field) {
  const Register* reg = event.entity.find(field);
  if (reg == nullptr) throw std::runtime_error("the event lacks a field");
  return *reg;
}

std::string payload_of(const Event& event, Field field) {
  return std::string(PayloadValue::decode(register_of(event, field).value).bytes);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(queued_event)

BOOST_AUTO_TEST_CASE(what_was_given_last_counts) {
  EventBuilder builder = builder_of("first");
  BOOST_REQUIRE(builder.id("o").ok());
  BOOST_REQUIRE(builder.text(Field::name, "one").ok());
  BOOST_REQUIRE(builder.text(Field::name, "two").ok());
  builder.payload(Field::input, Form::text, "one");
  builder.payload(Field::input, Form::json, "2");
  builder.clear(Field::output);
  builder.payload(Field::output, Form::text, "given after it was cleared");
  builder.payload(Field::metadata, Form::json, "{\"a\":1}");
  builder.clear(Field::metadata);
  const Event event = value_of(finish(builder, 7));
  BOOST_TEST(event.entity.id == "o");
  BOOST_TEST(register_of(event, Field::name).value == "two");
  BOOST_TEST(payload_of(event, Field::input) == "2");
  BOOST_TEST(payload_of(event, Field::output) == "given after it was cleared");
  BOOST_TEST(register_of(event, Field::metadata).cleared());
  BOOST_TEST(event.entity.registers.size() == 4U);
}

BOOST_AUTO_TEST_CASE(a_payload_given_for_good_outlives_what_it_was_made_of) {
  EventBuilder builder = builder_of("o");
  for (const std::size_t size_bytes : {std::size_t{3}, std::size_t{1000}}) {
    builder.payload(Field::input, Form::text, std::string(size_bytes, 'a'));
    EventBuilder moved = std::move(builder);
    builder = moved;
    BOOST_TEST(payload_of(value_of(finish(moved, 7)), Field::input) ==
               std::string(size_bytes, 'a'));
  }
}

BOOST_AUTO_TEST_CASE(only_what_was_not_checked_is_asked_about) {
  EventBuilder builder = builder_of("o");
  builder.payload(Field::input, Form::json, "1");
  builder.unchecked_payload(Field::output, Form::json, "2");
  Shouting checker;
  const Event event = through_the_queue(builder, checker);
  BOOST_REQUIRE(checker.asked.size() == 1U);
  BOOST_TEST((checker.asked.front() == std::pair(Field::output, Form::json)));
  BOOST_TEST(payload_of(event, Field::input) == "1");
  BOOST_TEST(payload_of(event, Field::output) == "checked 2");
  BOOST_TEST((PayloadValue::decode(register_of(event, Field::output).value).form == Form::text));
}

BOOST_AUTO_TEST_CASE(the_order_is_that_of_the_whole_event) {
  const auto event_with = [](Bytes input) {
    EventBuilder builder = builder_of("o");
    builder.time(Field::start_time, 5);
    builder.payload(Field::input, Form::json, input);
    return value_of(finish(builder, 7)).entity.first_order();
  };
  BOOST_TEST(event_with("1").event_time_ns == 7);
  BOOST_TEST(event_with("1").body_time_ns == 5);
  BOOST_TEST(event_with("1").digest == event_with("1").digest);
  BOOST_TEST(event_with("1").digest != event_with("2").digest);
}

BOOST_AUTO_TEST_CASE(what_is_cut_off_is_refused) {
  EventBuilder builder = builder_of("o");
  builder.payload(Field::input, Form::text, "some text");
  BOOST_REQUIRE(builder.seal(7).ok());
  std::string queued(builder.size_bytes(), 'x');
  builder.write(queued.data());
  Shouting checker;
  // Without its last part it is another event.
  const std::size_t part = sizeof(PartHead) + Bytes("some text").size();
  for (std::size_t size = 0; size < queued.size(); ++size) {
    const bool is_refused = !assemble(Bytes(queued).substr(0, size), checker).ok();
    const bool is_whole = size == queued.size() - part || size == sizeof(QueuedHead);
    BOOST_TEST(is_refused == !is_whole);
  }
}

BOOST_AUTO_TEST_CASE(a_field_or_a_form_that_does_not_exist_is_refused) {
  const auto assembled = [](PartHead head) {
    model::Parts parts;
    parts.append(head, "some text");
    const QueuedHead queued_head{EntityKind::trace, false, 7};
    std::string queued(model::queued_size_bytes(parts.bytes(), {}), 'x');
    model::write_queued(queued_head, parts.bytes(), {}, queued.data());
    Shouting checker;
    return assemble(queued, checker).ok();
  };
  constexpr std::uint8_t kFlags = PartHead::kGiven | PartHead::kUnchecked;
  const auto input = static_cast<std::uint8_t>(Field::input);
  BOOST_TEST(assembled({input, kFlags, Form::text}));
  BOOST_TEST(!assembled({model::kFieldCount, kFlags, Form::text}));
  BOOST_TEST(!assembled({input, kFlags, static_cast<Form>(6)}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::test
