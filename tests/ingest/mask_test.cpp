// The mask sees every payload once, before anything is stored; what it says is what is stored.
#include <cerrno>

#include "ingest/live_observation.hpp"
#include "support.hpp"

namespace tracelite::ingest::test {
namespace {

constexpr const char* kFullyMasked = "<fully masked due to failed mask function>";

struct Seen {
  Field field{};
  Form form{};
  std::string bytes;
};

// A mask with an answer for each field, and what it saw. Only the writer thread calls it; look at
// `seen` after a flush.
struct Mask {
  std::function<std::optional<Payload>(Field, Form, Bytes)> answer;
  std::vector<Seen> seen;

  Options options() {
    Options options = lazy();
    options.mask = [this](Field field, Form form, Bytes bytes) {
      seen.push_back({field, form, std::string(bytes)});
      return answer(field, form, bytes);
    };
    return options;
  }
};

std::optional<Payload> same(Field /*field*/, Form form, Bytes bytes) {
  return Payload{form, std::string(bytes)};
}
std::function<std::optional<Payload>(Field, Form, Bytes)> always(Form form, std::string bytes) {
  return [=](Field, Form, Bytes) { return Payload{form, bytes}; };
}

// What is stored of an observation with this payload behind this mask.
struct Stored {
  Form form{};
  std::string bytes;
  std::uint64_t masked = 0, failed = 0;
};
Stored store_one(Mask& mask, Field field, Form form, const std::string& bytes) {
  Scene scene(mask.options());
  scene.record(observation("t", "o", with_payload(field, form, bytes)));
  scene.flush();
  scene.close();
  const Look look = scene.look();
  const model::Entity entity = look.observation("t", "o");
  return {look.form(entity, field), look.payload(entity, field), look.counter(Reason::masked),
          look.counter(Reason::mask_failed)};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(masking)

BOOST_AUTO_TEST_CASE(it_sees_each_payload_once_and_nothing_else) {
  Mask mask{same, {}};
  Scene scene(mask.options());
  scene.record(observation("t", "o", [](EventBuilder& builder) {
    must(builder.text(Field::name, "secret"));
    must(builder.text(Field::status_message, "secret"));
    builder.payload(Field::metadata, Form::json, R"({"m": 1})");
    builder.payload(Field::input, Form::bytes, std::string("\0\xff", 2));
    builder.payload(Field::output, Form::text, "out");
  }));
  scene.record(trace("t", [](EventBuilder& builder) { builder.clear(Field::input); }));
  scene.flush();
  BOOST_REQUIRE(mask.seen.size() == 3U);
  BOOST_TEST((mask.seen[0].field == Field::metadata && mask.seen[0].form == Form::json));
  BOOST_TEST(mask.seen[0].bytes == R"({"m": 1})");
  BOOST_TEST((mask.seen[1].field == Field::input && mask.seen[1].form == Form::bytes));
  BOOST_TEST(mask.seen[1].bytes == std::string("\0\xff", 2));
  BOOST_TEST((mask.seen[2].field == Field::output && mask.seen[2].form == Form::text));
  BOOST_TEST(mask.seen[2].bytes == "out");
  BOOST_TEST(scene.look().counter(Reason::masked) == 0U);
}

BOOST_AUTO_TEST_CASE(what_it_answers_is_stored_and_counted) {
  Mask mask{always(Form::json, "[1, 2]"), {}};
  const Stored stored = store_one(mask, Field::input, Form::text, "secret");
  BOOST_TEST((stored.form == Form::json));
  BOOST_TEST(stored.bytes == "[1, 2]");
  BOOST_TEST(stored.masked == 1U);
  BOOST_TEST(stored.failed == 0U);
}

BOOST_AUTO_TEST_CASE(a_mask_that_fails_masks_the_value_fully) {
  const std::function<std::optional<Payload>(Field, Form, Bytes)> failing[] = {
      [](Field, Form, Bytes) { return std::optional<Payload>(); },
      always(Form::json, "{no json"),
      always(Form::json, ""),
      always(Form::text, "\xff"),
  };
  for (const auto& answer : failing) {
    Mask mask{answer, {}};
    const Stored stored = store_one(mask, Field::output, Form::text, "secret");
    BOOST_TEST((stored.form == Form::text));
    BOOST_TEST(stored.bytes == kFullyMasked);
    BOOST_TEST(stored.masked == 0U);
    BOOST_TEST(stored.failed == 1U);
  }
}

BOOST_AUTO_TEST_CASE(metadata_stays_an_object) {
  Mask failing{[](Field, Form, Bytes) { return std::optional<Payload>(); }, {}};
  BOOST_TEST(store_one(failing, Field::metadata, Form::json, R"({"a":1})").bytes ==
             std::string(R"({"metadata":")") + kFullyMasked + R"("})");
  Mask text{always(Form::text, "a \"quote\""), {}};
  BOOST_TEST(store_one(text, Field::metadata, Form::json, R"({"a":1})").bytes ==
             R"({"metadata":"a \"quote\""})");
  Mask array{always(Form::json, "[1]"), {}};
  BOOST_TEST(store_one(array, Field::metadata, Form::json, R"({"a":1})").bytes ==
             R"({"metadata":[1]})");
}

// As an application that gives null does.
BOOST_AUTO_TEST_CASE(null_clears_the_field) {
  for (const Field field : {Field::input, Field::output, Field::metadata}) {
    Mask mask{always(Form::null, ""), {}};
    const Stored stored = store_one(mask, field, Form::json, R"({"a":1})");
    BOOST_TEST(stored.bytes == "<cleared>");
    BOOST_TEST(stored.masked == 1U);
  }
  Mask mask{always(Form::json, " null "), {}};
  BOOST_TEST(store_one(mask, Field::metadata, Form::json, R"({"a":1})").bytes == "<cleared>");
}

BOOST_AUTO_TEST_CASE(metadata_is_masked_before_it_is_merged) {
  Mask mask{[](Field, Form form, Bytes bytes) {
              std::string text(bytes);
              const std::size_t at = text.find("secret");
              if (at != std::string::npos) text.replace(at, 6, "***");
              return Payload{form, text};
            },
            {}};
  Scene scene(mask.options());
  scene.record(trace("t", with_payload(Field::metadata, Form::json, R"({"a":"secret"})"), 1));
  scene.record(trace("t", with_payload(Field::metadata, Form::json, R"({"b":"secret"})"), 2));
  scene.flush();
  scene.record(trace("t", with_payload(Field::metadata, Form::json, R"({"c":"open"})"), 3));
  scene.flush();
  const Look look = scene.look();
  BOOST_TEST(look.payload(look.trace("t"), Field::metadata) ==
             R"({"a":"***","b":"***","c":"open"})");
  BOOST_TEST(mask.seen.size() == 3U);
}

// An empty object gives way to anything else that was written, so it matters what is one.
BOOST_AUTO_TEST_CASE(what_is_empty_is_told_by_what_the_mask_leaves) {
  const std::string empty = "{}";
  const std::string full = R"({"a":1})";
  const auto fills = [&](Field, Form form, Bytes bytes) {
    return Payload{form, bytes == empty ? R"({"m":2})" : std::string(bytes)};
  };
  const auto empties = [&](Field, Form form, Bytes) { return Payload{form, empty}; };
  struct Case {
    std::function<std::optional<Payload>(Field, Form, Bytes)> mask;
    Field field;
    std::string first, last, result;
  };
  const std::vector<Case> cases = {
      {fills, Field::metadata, full, empty, R"({"a":1,"m":2})"},
      {fills, Field::input, full, empty, R"({"m":2})"},
      {empties, Field::metadata, R"({"b":1})", full, empty},
      {empties, Field::input, R"("x")", full, empty},
  };
  for (const Case& one : cases) {
    for (const bool is_turned : {false, true}) {
      for (const bool in_one_batch : {false, true}) {
        Mask mask{one.mask, {}};
        const Scene scene(mask.options());
        const auto put = [&](const std::string& json, std::int64_t time_ns) {
          scene.record(trace("t", with_payload(one.field, Form::json, json), time_ns));
          if (!in_one_batch) scene.flush();
        };
        if (is_turned) put(one.last, 2);
        put(one.first, 1);
        if (!is_turned) put(one.last, 2);
        scene.flush();
        const Look look = scene.look();
        BOOST_TEST(look.payload(look.trace("t"), one.field) == one.result);
      }
    }
  }
}

// What it empties gives way to what somebody without a mask has written before.
BOOST_AUTO_TEST_CASE(what_the_mask_empties_gives_way) {
  Mask mask{always(Form::json, "{}"), {}};
  Scene scene;
  scene.record(trace("t", with_payload(Field::input, Form::json, "[1]"), 1));
  scene.flush();
  scene.close();
  scene.reopen();
  scene.start(mask.options());
  scene.record(trace("t", with_payload(Field::input, Form::json, "[2]"), 2));
  scene.flush();
  const Look look = scene.look();
  BOOST_TEST(look.payload(look.trace("t"), Field::input) == "[1]");
}

BOOST_AUTO_TEST_CASE(a_batch_that_is_tried_again_is_not_masked_again) {
  Mask mask{always(Form::text, "***"), {}};
  Breakage breakage(store::testing::Point::commit, 1, EIO);
  Options options = mask.options();
  options.log = breakage.log();
  Scene scene(options);
  scene.record(observation("t", "o", with_payload(Field::input, Form::text, "secret")));
  BOOST_TEST((scene.flush_error().code == Code::io));
  breakage.mend();
  scene.flush_after_mending();
  BOOST_TEST(mask.seen.size() == 1U);
  const Look look = scene.look();
  BOOST_TEST(look.payload(look.observation("t", "o"), Field::input) == "***");
  BOOST_TEST(look.counter(Reason::masked) == 1U);
}

BOOST_AUTO_TEST_CASE(large_payloads_are_masked_whole_before_they_are_stored_in_parts) {
  const std::string large = noise(5 << 20);
  Mask mask{[](Field, Form form, Bytes bytes) {
              return Payload{form, "masked " + std::string(bytes)};
            },
            {}};
  const Stored stored = store_one(mask, Field::input, Form::text, large);
  BOOST_REQUIRE(mask.seen.size() == 1U);
  BOOST_TEST((mask.seen.front().bytes == large));
  BOOST_TEST((stored.bytes == "masked " + large));
}

BOOST_AUTO_TEST_CASE(streamed_text_is_held_back_and_masked_whole_at_the_end) {
  Mask mask{[](Field, Form, Bytes bytes) {
              return Payload{Form::text, bytes == "top secret" ? "***" : "leaked"};
            },
            {}};
  const Folder folder(fast_folder());
  const auto environment = must(store::Environment::open(folder.file(), {}));
  const std::shared_ptr<Recorder> recorder = must(Recorder::start(environment, mask.options()));
  LiveObservation live(recorder, "t", "o");
  must(live.append(Field::output, "top "));
  must(live.append(Field::output, "secret"));
  must(recorder->wait_until_durable(std::nullopt));
  {
    const Look look(*environment);
    const model::Entity entity = look.observation("t", "o");
    BOOST_TEST((look.form(entity, Field::output) == Form::withheld));
    BOOST_TEST(model::view_observation(entity).output.value.size_bytes == 10U);
    BOOST_TEST(mask.seen.empty());
  }
  EventBuilder last = live.update();
  last.time(Field::end_time, 1);
  live.add_held_back(last);
  must(live.record(last));
  must(recorder->wait_until_durable(std::nullopt));
  const Look look(*environment);
  BOOST_TEST(look.payload(look.observation("t", "o"), Field::output) == "***");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::ingest::test
