// Payloads too large for one transaction: stored in parts before their record, and taken back where
// the record never came. Text that is streamed in pieces, large ones too.
#include <cerrno>
#include <string_view>
#include <utility>

#include "ingest/live_observation.hpp"
#include "ingest/pending.hpp"
#include "model/testing.hpp"
#include "model/time.hpp"
#include "payload/base64.hpp"
#include "support.hpp"
#include "support/random_seed.hpp"
#include "support/sanitizers.hpp"

namespace tracelite::ingest::test {
namespace {

using model::PayloadValue;
using store::KeySpace;
using store::test::Child;
using store::test::Line;
using store::testing::Point;

constexpr std::size_t kPart = kPayloadPartSizeBytes;
constexpr std::size_t kLarge = 2 * kPart + 12'345;  // three parts
constexpr std::uint64_t kPartCount = 3;

Options roomy() {
  Options options = lazy();
  options.queue_size_bytes = std::uint64_t{64} << 20;
  return options;
}

void record_large(const Scene& scene, Bytes id, std::uint32_t seed = 1) {
  scene.record(observation("t", id, with_payload(Field::input, Form::text, noise(kLarge, seed))));
}

bool has_large(const Look& look, Bytes id, std::uint32_t seed = 1) {
  return look.payload(look.observation("t", id), Field::input) == noise(kLarge, seed);
}

// A live observation with a recorder of its own.
struct Live {
  explicit Live(Options options = roomy())
      : environment(must(store::Environment::open(folder.file(), {}))),
        recorder(must(Recorder::start(environment, std::move(options)))),
        observation(recorder, "t", "o") {}

  void flush() const { must(recorder->wait_until_durable(std::nullopt)); }
  void end() {
    EventBuilder last = observation.update();
    last.time(Field::end_time, model::now_ns());
    must(observation.record(last));
  }
  void reopen() {
    EventBuilder update = observation.update();
    update.clear(Field::end_time);
    must(observation.record(update));
  }
  [[nodiscard]] std::string output() const {
    const Look look(*environment);
    return look.payload(look.observation("t", "o"), Field::output);
  }

  const Folder folder{fast_folder()};
  std::shared_ptr<store::Environment> environment;
  std::shared_ptr<Recorder> recorder;
  LiveObservation observation;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(large_payloads)

BOOST_AUTO_TEST_CASE(a_large_payload_is_stored_in_parts_and_comes_back_whole) {
  Scene scene(roomy());
  const std::uint64_t before = scene.commits();
  record_large(scene, "o");
  scene.flush();
  BOOST_TEST(scene.commits() == before + kPartCount + 1);
  const Look look = scene.look();
  BOOST_TEST(has_large(look, "o"));
  BOOST_TEST(look.pending_count() == 0);
}

BOOST_AUTO_TEST_CASE(neighbours_of_a_large_payload_are_written_with_it) {
  Scene scene(roomy());
  scene.record(observation("t", "before"));
  record_large(scene, "o");
  record_large(scene, "p", 2);
  scene.record(observation("t", "after"));
  scene.flush();
  const Look look = scene.look();
  BOOST_TEST(has_large(look, "o"));
  BOOST_TEST(has_large(look, "p", 2));
  BOOST_TEST(look.statistics().observations == 4U);
  BOOST_TEST(look.statistics().payload_size_bytes == 2 * kLarge);
}

BOOST_AUTO_TEST_CASE(a_large_payload_that_replaces_another_leaves_nothing_of_it) {
  Scene scene(roomy());
  record_large(scene, "o");
  scene.flush();
  const std::uint64_t entries = scene.look().entries(KeySpace::payload);
  scene.record(observation("t", "o", with_payload(Field::input, Form::text, noise(kLarge, 2)), 2));
  scene.flush();
  BOOST_TEST(has_large(scene.look(), "o", 2));
  BOOST_TEST(scene.look().entries(KeySpace::payload) == entries);
}

// The same event again, and an older one that loses: their parts belong to nobody.
BOOST_AUTO_TEST_CASE(a_large_payload_that_nobody_refers_to_is_taken_back_with_its_batch) {
  Scene scene(roomy());
  const EventBuilder event =
      observation("t", "o", with_payload(Field::input, Form::text, noise(kLarge)), 10);
  scene.record(event);
  scene.flush();
  const std::uint64_t entries = scene.look().entries(KeySpace::payload);
  scene.record(event);
  scene.flush();
  scene.record(observation("t", "o", with_payload(Field::input, Form::text, noise(kLarge, 2)), 5));
  scene.flush();
  // In one batch with others, and below one that is set later.
  scene.record(event);
  scene.record(observation("t", "p", with_payload(Field::input, Form::text, noise(kLarge, 3)), 1));
  scene.record(observation("t", "p", with_payload(Field::input, Form::text, "short"), 2));
  scene.flush();
  const Look look = scene.look();
  BOOST_TEST(has_large(look, "o"));
  BOOST_TEST(look.payload(look.observation("t", "p"), Field::input) == "short");
  BOOST_TEST(look.pending_count() == 0);
  BOOST_TEST(look.entries(KeySpace::payload) == entries);
}

BOOST_AUTO_TEST_CASE(a_large_payload_that_loses_is_taken_back_by_the_commit_that_succeeds) {
  std::unique_ptr<Breakage> breakage;
  Options options = roomy();
  options.log = [&](LogLevel level, Reason reason, const std::string& message) {
    if (breakage) breakage->log()(level, reason, message);
  };
  Scene scene(options);
  record_large(scene, "o");
  scene.flush();
  const std::uint64_t entries = scene.look().entries(KeySpace::payload);
  breakage = std::make_unique<Breakage>(Point::commit, kPartCount + 1, EIO);
  record_large(scene, "o");
  BOOST_TEST((scene.flush_error().code == Code::io));
  breakage->mend();
  scene.flush_after_mending();
  const Look look = scene.look();
  BOOST_TEST(has_large(look, "o"));
  BOOST_TEST(look.pending_count() == 0);
  BOOST_TEST(look.entries(KeySpace::payload) == entries);
}

BOOST_AUTO_TEST_CASE(a_failure_in_any_part_is_tried_again_and_leaves_nothing_behind) {
  std::uint64_t entries = 0;
  {
    Scene scene(roomy());
    record_large(scene, "o");
    scene.flush();
    entries = scene.look().entries(KeySpace::payload);
  }
  for (std::uint64_t nth = 1; nth <= kPartCount + 1; ++nth) {
    BOOST_TEST_CONTEXT("commit " << nth) {
      Breakage breakage(Point::commit, nth, EIO);
      Options options = roomy();
      options.log = breakage.log();
      Scene scene(options);
      record_large(scene, "o");
      BOOST_TEST((scene.flush_error().code == Code::io));
      breakage.mend();
      scene.flush_after_mending();
      BOOST_TEST(has_large(scene.look(), "o"));
      BOOST_TEST(scene.look().statistics().observations == 1U);
      scene.reopen();
      must(reclaim_pending(*scene.environment()));
      BOOST_TEST(has_large(scene.look(), "o"));
      BOOST_TEST(scene.look().pending_count() == 0);
      BOOST_TEST(scene.look().entries(KeySpace::payload) == entries);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_large_payload_makes_a_small_map_grow) {
  Scene scene(roomy(), {.map_size_bytes = store::kMinimumMapSizeBytes});
  record_large(scene, "o");
  record_large(scene, "p", 2);
  scene.flush();
  BOOST_TEST(has_large(scene.look(), "o"));
  BOOST_TEST(has_large(scene.look(), "p", 2));
}

BOOST_AUTO_TEST_CASE(parts_without_a_record_are_taken_back_at_the_next_open) {
  Breakage breakage(Point::commit, kPartCount + 1, EIO);
  Options options = roomy();
  options.log = breakage.log();
  Scene scene(options);
  record_large(scene, "lost");
  BOOST_TEST((scene.flush_error().code == Code::io));
  BOOST_TEST(scene.recorder().close(milliseconds(0)).dropped_count == 1U);
  breakage.mend();
  BOOST_TEST(scene.look().pending_count() == 1);
  BOOST_TEST(scene.look().entries(KeySpace::payload) > 0U);

  scene.reopen();
  must(reclaim_pending(*scene.environment()));
  BOOST_TEST(scene.look().pending_count() == 0);
  BOOST_TEST(scene.look().entries(KeySpace::payload) == 0U);
  const std::uint64_t before = scene.commits();
  must(reclaim_pending(*scene.environment()));
  BOOST_TEST(scene.commits() == before);  // nothing to do, no commit

  scene.start(roomy());
  record_large(scene, "o");
  scene.flush();
  BOOST_TEST(has_large(scene.look(), "o"));
}

// A second store of one process finds the parts that the first one is just writing.
BOOST_AUTO_TEST_CASE(opening_again_leaves_parts_alone_whose_record_is_still_to_come) {
  Breakage breakage(Point::commit, kPartCount + 1, EIO);
  Options options = roomy();
  options.log = breakage.log();
  Scene scene(options);
  record_large(scene, "o");
  BOOST_TEST((scene.flush_error().code == Code::io));
  BOOST_TEST(scene.look().pending_count() == 1);
  breakage.mend();
  must(reclaim_pending(*must(store::Environment::open(scene.path(), {}))));
  scene.flush_after_mending();
  BOOST_TEST(has_large(scene.look(), "o"));
  BOOST_TEST(scene.look().pending_count() == 0);
}

// Not under the thread sanitizer: the child has a writer thread.
BOOST_AUTO_TEST_CASE(parts_of_a_killed_process_are_taken_back_at_the_next_open,
                     *boost::unit_test::precondition(tracelite::test::not_under_thread_sanitizer)) {
  const Folder folder(fast_folder());
  Line said;
  Child child([&] {
    auto environment = store::Environment::open(folder.file(), {});
    CHILD_CHECK(1, environment);
    Options options = roomy();
    // The parts are there and the record is not: say so, and wait for the end.
    options.log = [&](LogLevel, Reason, const std::string&) {
      said.send('p');
      pause();
    };
    auto recorder = Recorder::start(*environment, options);
    CHILD_CHECK(2, recorder);
    CHILD_CHECK(3, (*recorder)->record(observation("t", "kept")));
    CHILD_CHECK(4, (*recorder)->wait_until_durable(std::nullopt));
    store::testing::fail(Point::commit, kPartCount + 1, EIO);
    CHILD_CHECK(5, (*recorder)->record(observation(
                       "t", "lost", with_payload(Field::input, Form::text, noise(kLarge)))));
    (void)(*recorder)->wait_until_durable(std::nullopt);
    pause();
    return 0;
  });
  said.close_writing();
  BOOST_REQUIRE(said.receive() == 'p');
  BOOST_TEST(child.kill() == -SIGKILL);
  const auto environment = must(store::Environment::open(folder.file(), {}));
  BOOST_TEST(environment->opened_alone());
  BOOST_TEST(Look(*environment).pending_count() == 1);
  must(reclaim_pending(*environment));
  const Look look(*environment);
  BOOST_TEST(look.pending_count() == 0);
  BOOST_TEST(look.entries(KeySpace::payload) == 0U);
  BOOST_TEST(look.find_observation("t", "kept").has_value());
  BOOST_TEST(!look.find_observation("t", "lost").has_value());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(streams)

BOOST_AUTO_TEST_CASE(pieces_come_back_in_order_however_they_are_cut_into_batches) {
  for (const std::size_t every : {1U, 3U, 7U, 100U}) {
    Live live;
    std::string whole;
    for (std::uint32_t i = 0; i < 40; ++i) {
      const std::string piece = noise(i * 29 % 300 + 1, i);
      must(live.observation.append(Field::output, piece));
      whole += piece;
      if (i % every == every - 1) live.flush();
    }
    live.flush();
    BOOST_TEST(live.output() == whole);
    live.end();
    live.flush();
    BOOST_TEST(live.output() == whole);
    const Look look(*live.environment);
    BOOST_TEST(look.statistics().payload_size_bytes == whole.size());
    BOOST_TEST(look.entries(KeySpace::payload) <= 6U);  // one payload, in few pieces
  }
}

// Setting the field ends a text, and the next piece begins another, in whatever batches they come.
// An empty object sets nothing.
BOOST_AUTO_TEST_CASE(a_set_between_pieces_begins_a_new_text_however_they_are_cut_into_batches) {
  const std::uint32_t seed = tracelite::test::short_random_seed();
  std::mt19937 random(seed);
  for (int round = 0; round < 60; ++round) {
    const Live live;
    LiveObservation observation(live.recorder, "t", "o");
    std::string whole;
    bool was_set = false;
    std::string did;
    for (std::uint32_t step = 0; step < 12; ++step) {
      const std::string piece =
          noise(random() % 3 == 0 ? 400 : 5, static_cast<std::uint32_t>(random()));
      if (random() % 4 == 0) {
        EventBuilder builder = observation.update();
        builder.payload(Field::output, Form::text, piece);
        must(observation.record(builder));
        whole = piece;
        was_set = true;
        did += 's';
      } else if (random() % 4 == 0 && !whole.empty()) {
        EventBuilder builder = observation.update();
        builder.payload(Field::output, Form::json, "{}");
        must(observation.record(builder));
        did += 'e';
      } else {
        must(observation.append(Field::output, piece));
        whole = was_set ? piece : whole + piece;
        was_set = false;
        did += 'a';
      }
      if (random() % 3 == 0) {
        live.flush();
        did += '|';
        BOOST_TEST_CONTEXT("seed " << seed << ": " << did) { BOOST_TEST(live.output() == whole); }
      }
    }
    live.flush();
    BOOST_TEST_CONTEXT("seed " << seed << ": " << did) { BOOST_TEST(live.output() == whole); }
  }
}

// An end is a field like others: only a set of the text's own field begins a new one.
BOOST_AUTO_TEST_CASE(an_end_ends_no_text_however_the_pieces_are_cut_into_batches) {
  for (const char* did : {"ea|b", "a|eb", "ae|b", "a|e|b", "a|e|b|c", "a|e|e|b", "ea|b|ub|c",
                          "a|e|u|b|c", "ea|bs|c", "ea|s|bc|d", "e|a|b|e|c"}) {
    for (const std::size_t size_bytes : {std::size_t{5}, std::size_t{400}, kPart / 3}) {
      Live live;
      std::string whole;
      bool was_set = false;
      std::uint32_t seed = 0;
      for (const char what : std::string_view(did)) {
        const std::string piece = noise(size_bytes, ++seed);
        if (what == 'e') {
          live.end();
        } else if (what == 'u') {
          live.reopen();
        } else if (what == 's') {
          EventBuilder builder = live.observation.update();
          builder.payload(Field::output, Form::text, piece);
          must(live.observation.record(builder));
          whole = piece;
          was_set = true;
        } else if (what == '|') {
          live.flush();
        } else {
          must(live.observation.append(Field::output, piece));
          whole = std::exchange(was_set, false) ? piece : whole + piece;
        }
      }
      live.flush();
      BOOST_TEST((live.output() == whole), did << " in pieces of " << size_bytes << " bytes");
      const Look look(*live.environment);
      BOOST_TEST(look.statistics().payload_size_bytes == whole.size());
    }
  }
}

// Its head has references in the place of media then.
BOOST_AUTO_TEST_CASE(text_goes_behind_one_whose_media_were_taken_out) {
  for (const std::size_t size_bytes : {std::size_t{5}, std::size_t{400}, kPart + 1}) {
    Live live;
    std::string whole = "data:image/png;base64,";
    payload::append_base64(whole, std::string(3'000, 'm'));
    whole += ' ';
    must(live.observation.append(Field::output, whole));
    live.end();
    live.flush();
    const auto has_media = [&] {
      const Look look(*live.environment);
      const model::Entity entity = look.observation("t", "o");
      return PayloadValue::decode(entity.find(Field::output)->value).has_media();
    };
    BOOST_TEST(has_media());
    for (std::uint32_t seed = 0; seed < 3; ++seed) {
      const std::string piece = noise(size_bytes, seed);
      must(live.observation.append(Field::output, piece));
      whole += piece;
      live.flush();
      BOOST_TEST((live.output() == whole), size_bytes << " bytes, piece " << seed);
      BOOST_TEST(has_media() == (whole.size() <= payload::kSharedPayloadSizeBytesMax));
    }
    EventBuilder builder = live.observation.update();
    builder.payload(Field::output, Form::text, std::string("short"));
    must(live.observation.record(builder));
    live.flush();
    BOOST_TEST(Look(*live.environment).entries(KeySpace::media) == 0U);
  }
}

// Nothing is appended meanwhile: what lies there has references, and is not taken for text.
BOOST_AUTO_TEST_CASE(a_text_that_ends_twice_keeps_its_media) {
  Live live;
  std::string whole = noise(1'000) + " data:image/png;base64,";
  payload::append_base64(whole, std::string(3'000, 'm'));
  must(live.observation.append(Field::output, whole));
  for (int round = 0; round < 3; ++round) {
    live.end();
    live.flush();
    BOOST_TEST((live.output() == whole), "round " << round);
    BOOST_TEST(Look(*live.environment).entries(KeySpace::media) > 0U);
    live.reopen();
    live.flush();
    BOOST_TEST((live.output() == whole), "reopened, round " << round);
  }
}

// Another process streams to the same observation, and its commit comes later.
BOOST_AUTO_TEST_CASE(what_was_appended_earlier_and_committed_later_is_lost_nowhere) {
  std::string medium = "data:image/png;base64,";
  payload::append_base64(medium, std::string(3'000, 'm'));
  const std::string part = noise(2'000);
  // Inline with a medium, shared with others, and in a place of its own.
  for (const auto& [text, ends] : {std::pair{medium, true}, {part + medium, true}, {part, false}}) {
    Live live;
    LiveObservation other(live.recorder, "t", "o");
    EventBuilder earlier = other.update();
    earlier.streamed(Field::output, "earlier ");
    must(earlier.id("o"));
    must(earlier.trace_id("t"));
    must(earlier.seal(live.recorder->next_stamp_ns()));
    must(live.observation.append(Field::output, text));
    if (ends) live.end();
    live.flush();
    must(live.recorder->record(earlier));
    live.flush();
    const std::string output = live.output();
    BOOST_TEST((output == (ends ? "earlier " + text : text + "earlier ")), output.substr(0, 40));
    BOOST_TEST((Look(*live.environment).entries(KeySpace::media) > 0U) == ends);
    must(live.observation.append(Field::output, " later"));
    live.flush();
    BOOST_TEST((live.output() == output + " later"));
  }
}

BOOST_AUTO_TEST_CASE(a_text_that_has_ended_is_written_anew_only_when_it_grows) {
  Live live;
  must(live.observation.append(Field::output, noise(2'000)));
  live.end();
  live.flush();
  const auto stored = [&] {
    const Look look(*live.environment);
    return record::stored_payloads(look.observation("t", "o"));
  };
  const auto before = stored();
  EventBuilder builder = live.observation.update();
  must(builder.text(Field::name, "named"));
  must(live.observation.record(builder));
  live.flush();
  BOOST_TEST(stored() == before, boost::test_tools::per_element());
  BOOST_TEST(Look(*live.environment).shared_payload_count() == 1U);
}

BOOST_AUTO_TEST_CASE(a_long_text_stays_in_its_parts_when_it_ends) {
  Live live;
  std::string whole;
  for (std::uint32_t i = 0; i < 9; ++i) {
    const std::string piece = noise(kPart / 8, i);
    must(live.observation.append(Field::output, piece));
    whole += piece;
  }
  live.flush();
  const auto stored = [&] {
    const Look look(*live.environment);
    return record::stored_payloads(look.observation("t", "o"));
  };
  const auto before = stored();
  live.end();
  live.flush();
  BOOST_TEST(stored() == before, boost::test_tools::per_element());
  BOOST_TEST((live.output() == whole));
  const std::string piece = noise(100);
  must(live.observation.append(Field::output, piece));
  live.flush();
  BOOST_TEST(stored() == before, boost::test_tools::per_element());
  BOOST_TEST((live.output() == whole + piece));
}

BOOST_AUTO_TEST_CASE(a_large_piece_stays_in_its_place) {
  for (const bool flush_between : {false, true}) {
    Live live;
    std::string whole;
    std::uint32_t seed = 0;
    for (const std::size_t size_bytes :
         {std::size_t{10}, kPart + 1000, std::size_t{20}, kLarge, std::size_t{30}}) {
      const std::string piece = noise(size_bytes, ++seed);
      must(live.observation.append(Field::output, piece));
      whole += piece;
      if (flush_between) live.flush();
    }
    live.flush();
    BOOST_TEST((live.output() == whole));
    live.end();
    live.flush();
    BOOST_TEST((live.output() == whole));
    BOOST_TEST(Look(*live.environment).pending_count() == 0);
  }
}

BOOST_AUTO_TEST_CASE(a_failed_commit_appends_nothing_twice) {
  Live live;
  std::string whole;
  for (std::uint32_t i = 0; i < 6; ++i) {
    const std::string piece = noise(400, i);
    store::testing::fail(i % 2 == 0 ? Point::commit : Point::put, 1, EIO);
    must(live.observation.append(Field::output, piece));
    whole += piece;
    if (!live.recorder->wait_until_durable(std::nullopt)) live.flush();
    BOOST_TEST(live.output() == whole);
  }
  store::testing::fail_nothing();
}

BOOST_AUTO_TEST_CASE(text_that_is_not_utf8_is_refused_and_adds_nothing) {
  Live live;
  must(live.observation.append(Field::output, "good"));
  const Status refused = live.observation.append(Field::output, "\xc3");
  BOOST_REQUIRE(!refused);
  BOOST_TEST((refused.error().code == Code::invalid));
  BOOST_TEST(refused.error().field == "output");
  live.flush();
  BOOST_TEST(live.output() == "good");
}

BOOST_AUTO_TEST_CASE(calls_on_a_live_observation_keep_their_order_when_the_clock_goes_back) {
  constexpr std::int64_t kDayNs = 86'400'000'000'000;
  Live live;
  std::int64_t last = live.recorder->next_stamp_ns();
  std::string whole;
  for (int day = 0; day < 5; ++day) {
    model::testing::clock_offset_ns = -day * kDayNs;
    const std::int64_t stamp = live.recorder->next_stamp_ns();
    BOOST_TEST(stamp > last);
    last = stamp;
    const std::string piece = std::to_string(day);
    must(live.observation.append(Field::output, piece));
    whole += piece;
    EventBuilder builder = live.observation.update();
    must(builder.text(Field::name, "day " + piece));
    must(live.observation.record(builder));
    if (day % 2 == 0) live.flush();
  }
  model::testing::clock_offset_ns = 0;
  live.flush();
  BOOST_TEST(live.output() == whole);
  const Look look(*live.environment);
  BOOST_TEST(model::view_observation(look.observation("t", "o")).name.value() == "day 4");
}

BOOST_AUTO_TEST_CASE(random_ids_have_w3c_form_and_differ) {
  for (int i = 0; i < 100; ++i) {
    const std::string trace_id = random_trace_id();
    BOOST_TEST(trace_id.size() == 32U);
    BOOST_TEST(random_observation_id().size() == 16U);
    BOOST_TEST(trace_id.find_first_not_of("0123456789abcdef") == std::string::npos);
    BOOST_TEST(trace_id != random_trace_id());
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::ingest::test
