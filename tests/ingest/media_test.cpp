// Media are taken out before the mask sees a payload, put into the file once, with the first record
// that refers to them, and gone with the last.
#include <cerrno>
#include <map>

#include "ingest/media_batch.hpp"
#include "ingest/pending.hpp"
#include "model/media.hpp"
#include "payload/base64.hpp"
#include "payload/media_scan.hpp"
#include "support.hpp"
#include "support/assembled_event.hpp"

namespace tracelite::ingest::test {
namespace {

using model::PayloadValue;

std::string base64_of(Bytes bytes) {
  std::string text;
  payload::append_base64(text, bytes);
  return text;
}
std::string uri_of(Bytes bytes) { return "data:image/png;base64," + base64_of(bytes); }
std::string reference_to(Bytes bytes) {
  return "@@@langfuseMedia:type=image/png|id=" + model::media_id(payload::media_hash(bytes)) +
         "|source=base64_data_uri@@@";
}

std::uint64_t use_count(const Scene& scene, Bytes bytes) {
  const auto snapshot = must(scene.environment()->begin_read());
  const auto head = must(payload::find_medium(snapshot, payload::media_hash(bytes)));
  return head ? head->use_count : 0;
}

std::string as_stored(const Scene& scene, Bytes id, Field field) {
  const auto snapshot = must(scene.environment()->begin_read());
  const model::Entity entity = scene.look().observation("t", id);
  const model::Register* reg = entity.find(field);
  BOOST_REQUIRE(reg != nullptr);
  return must(record::EntityReader(snapshot).payload(
      {model::PayloadValue::decode(reg->value), reg->tree()}, payload::ReadMode::as_stored));
}
std::string as_given(const Scene& scene, Bytes id, Field field) {
  const Look look = scene.look();
  return look.payload(look.observation("t", id), field);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(media)

BOOST_AUTO_TEST_CASE(one_medium_in_many_payloads_is_stored_once_and_counted) {
  Scene scene;
  const std::string bytes = noise(5000);
  const std::string payload = "see " + uri_of(bytes) + " and " + uri_of(bytes);
  for (const char* id : {"a", "b", "c"}) {
    scene.record(observation("t", id, with_payload(Field::input, Form::text, payload)));
    if (*id == 'b') scene.flush();
  }
  scene.flush();
  BOOST_TEST(use_count(scene, bytes) == 6U);
  BOOST_TEST(as_given(scene, "c", Field::input) == payload);
  BOOST_TEST(as_stored(scene, "c", Field::input) ==
             "see " + reference_to(bytes) + " and " + reference_to(bytes));
  // A head, and two pieces: letters compress a little.
  BOOST_TEST(scene.look().entries(store::KeySpace::media) <= 6U);
  BOOST_TEST(scene.look().statistics().payload_size_bytes == 3 * payload.size());
}

BOOST_AUTO_TEST_CASE(the_same_event_again_counts_nothing_again) {
  Scene scene;
  const std::string bytes = noise(300);
  const EventBuilder event =
      observation("t", "o", with_payload(Field::input, Form::text, uri_of(bytes)));
  scene.record(event);
  scene.record(event);
  scene.flush();
  scene.record(event);
  scene.flush();
  BOOST_TEST(use_count(scene, bytes) == 1U);
}

BOOST_AUTO_TEST_CASE(a_payload_that_is_replaced_gives_its_media_back) {
  Scene scene;
  const std::string old_bytes = noise(1000, 1);
  const std::string new_bytes = noise(1000, 2);
  const auto put = [&](std::int64_t time_ns, const std::string& payload) {
    scene.record(observation("t", "o", with_payload(Field::output, Form::text, payload), time_ns));
  };
  put(1, uri_of(old_bytes) + uri_of(old_bytes));
  scene.flush();
  put(2, uri_of(new_bytes));
  scene.flush();
  BOOST_TEST(use_count(scene, old_bytes) == 0U);
  BOOST_TEST(use_count(scene, new_bytes) == 1U);
  BOOST_TEST(as_given(scene, "o", Field::output) == uri_of(new_bytes));
  // Both in one batch: the loser's media never get there.
  const std::string lost_bytes = noise(1000, 3);
  put(3, uri_of(lost_bytes));
  put(4, "nothing");
  scene.flush();
  BOOST_TEST(use_count(scene, lost_bytes) == 0U);
  BOOST_TEST(scene.look().entries(store::KeySpace::media) == 0U);
  // An earlier event that comes late changes nothing.
  put(1, uri_of(old_bytes));
  scene.flush();
  BOOST_TEST(scene.look().entries(store::KeySpace::media) == 0U);
}

BOOST_AUTO_TEST_CASE(the_mask_sees_references_and_no_base64) {
  const std::string bytes = noise(900);
  std::map<Field, std::string> seen;
  Options options = lazy();
  options.mask = [&](Field field, Form form, Bytes payload) {
    seen[field] = payload;
    return std::optional<Payload>({form, std::string(payload)});
  };
  Scene scene(std::move(options));
  const std::string object =
      R"({"type":"base64","media_type":"image/png","data":")" + base64_of(bytes) + R"("})";
  scene.record(observation("t", "o", [&](EventBuilder& builder) {
    builder.payload(Field::input, Form::json, object);
    builder.payload(Field::output, Form::text, "made " + uri_of(bytes));
    builder.payload(Field::metadata, Form::json, R"({"image":")" + uri_of(bytes) + R"("})");
  }));
  scene.flush();
  BOOST_TEST(seen[Field::input] == R"({"type":"base64","media_type":"image/png","data":")" +
                                       reference_to(bytes) + R"("})");
  BOOST_TEST(seen[Field::output] == "made " + reference_to(bytes));
  BOOST_TEST(seen[Field::metadata] == R"({"image":")" + reference_to(bytes) + R"("})");
  BOOST_TEST(as_given(scene, "o", Field::input) == object);
  BOOST_TEST(as_given(scene, "o", Field::metadata) == R"({"image":")" + uri_of(bytes) + R"("})");
  BOOST_TEST(use_count(scene, bytes) == 3U);
}

BOOST_AUTO_TEST_CASE(a_mask_that_moves_references_keeps_their_media_and_one_that_drops_them_not) {
  const std::string kept = noise(900, 1);
  const std::string dropped = noise(900, 2);
  Options options = lazy();
  options.mask = [&](Field, Form, Bytes) {
    return std::optional<Payload>({Form::text, "someone sent " + reference_to(kept)});
  };
  Scene scene(std::move(options));
  const std::string payload = uri_of(dropped) + " " + uri_of(kept) + " from Alice";
  scene.record(observation("t", "o", with_payload(Field::input, Form::text, payload)));
  scene.record(observation(
      "t", "m", with_payload(Field::metadata, Form::json, R"({"i":")" + uri_of(kept) + R"("})")));
  scene.flush();
  BOOST_TEST(as_given(scene, "o", Field::input) == "someone sent " + uri_of(kept));
  BOOST_TEST(as_given(scene, "m", Field::metadata) ==
             R"({"metadata":"someone sent )" + uri_of(kept) + R"("})");
  BOOST_TEST(use_count(scene, kept) == 2U);
  BOOST_TEST(use_count(scene, dropped) == 0U);
}

BOOST_AUTO_TEST_CASE(a_mask_that_fails_leaves_no_medium) {
  Options options = lazy();
  options.mask = [](Field, Form, Bytes) { return std::optional<Payload>(); };
  Scene scene(std::move(options));
  scene.record(observation("t", "o", with_payload(Field::input, Form::text, uri_of(noise(500)))));
  scene.flush();
  BOOST_TEST(scene.look().entries(store::KeySpace::media) == 0U);
}

BOOST_AUTO_TEST_CASE(metadata_that_is_merged_keeps_its_media) {
  const std::string a = noise(700, 1);
  const std::string b = noise(700, 2);
  const std::string first = R"({"a":")" + uri_of(a) + R"("})";
  const std::string second = R"({"b":{"c":")" + uri_of(b) + R"("}})";
  const std::string both = R"({"a":")" + uri_of(a) + R"(","b":{"c":")" + uri_of(b) + R"("}})";
  for (const bool in_one_batch : {true, false}) {
    Scene scene;
    const auto put = [&](std::int64_t time_ns, const std::string& json) {
      scene.record(observation("t", "o", with_payload(Field::metadata, Form::json, json), time_ns));
      if (!in_one_batch) scene.flush();
    };
    put(1, first);
    put(2, second);
    put(1, first);  // again
    scene.flush();
    BOOST_TEST(as_given(scene, "o", Field::metadata) == both);
    BOOST_TEST(as_stored(scene, "o", Field::metadata) ==
               R"({"a":")" + reference_to(a) + R"(","b":{"c":")" + reference_to(b) + R"("}})");
    BOOST_TEST(use_count(scene, a) == 1U);
    BOOST_TEST(use_count(scene, b) == 1U);
    put(3, R"({"a":"gone"})");
    scene.flush();
    BOOST_TEST(use_count(scene, a) == 0U);
    BOOST_TEST(use_count(scene, b) == 1U);
  }
}

BOOST_AUTO_TEST_CASE(a_medium_that_is_streamed_in_pieces_is_taken_out_at_the_end) {
  for (const bool in_one_batch : {true, false}) {
    Scene scene;
    const std::string bytes = noise(3000);
    const std::string text = "look: " + uri_of(bytes);
    const auto append = [&](std::int64_t time_ns, const std::string& piece) {
      scene.record(observation(
          "t", "o", [&](EventBuilder& builder) { builder.streamed(Field::output, piece); },
          time_ns));
      if (!in_one_batch) scene.flush();
    };
    append(1, text.substr(0, 1000));
    append(2, text.substr(1000));
    if (!in_one_batch) BOOST_TEST(as_stored(scene, "o", Field::output) == text);
    scene.record(observation(
        "t", "o", [](EventBuilder& builder) { builder.time(Field::end_time, 9); }, 3));
    scene.flush();
    BOOST_TEST(as_given(scene, "o", Field::output) == text);
    BOOST_TEST(as_stored(scene, "o", Field::output) == "look: " + reference_to(bytes));
    BOOST_TEST(use_count(scene, bytes) == 1U);
  }
}

BOOST_AUTO_TEST_CASE(large_media_come_in_parts_and_leave_nothing_pending) {
  Scene scene;
  const std::string large = noise(3 * kPayloadPartSizeBytes + 12'345);
  const std::string payload = "[\"" + uri_of(large) + "\"]";
  scene.record(observation("t", "o", with_payload(Field::input, Form::json, payload)));
  scene.flush();
  BOOST_TEST(scene.look().pending_count() == 0);
  BOOST_TEST(use_count(scene, large) == 1U);
  BOOST_TEST((as_given(scene, "o", Field::input) == payload));
  BOOST_TEST(as_stored(scene, "o", Field::input) == "[\"" + reference_to(large) + "\"]");
  // It is there already: nothing is stored before.
  const std::uint64_t commits = scene.commits();
  scene.record(observation("t", "p", with_payload(Field::input, Form::json, payload)));
  scene.flush();
  BOOST_TEST(scene.commits() == commits + 1);
  BOOST_TEST(use_count(scene, large) == 2U);
}

BOOST_AUTO_TEST_CASE(large_media_that_no_record_refers_to_in_the_end_are_taken_back) {
  Scene scene;
  const std::string large = noise(2 * kPayloadPartSizeBytes);
  scene.record(observation("t", "o", with_payload(Field::input, Form::text, "later"), 2));
  scene.flush();
  scene.record(observation("t", "o", with_payload(Field::input, Form::text, uri_of(large)), 1));
  scene.flush();
  BOOST_TEST(use_count(scene, large) == 0U);
  BOOST_TEST(scene.look().pending_count() == 0);
  BOOST_TEST(scene.look().entries(store::KeySpace::media) == 0U);
}

// Another process may have brought them while they were on their way.
BOOST_AUTO_TEST_CASE(large_media_that_the_file_has_by_then_are_not_kept_twice) {
  const Scene scene;
  payload::PayloadWriter payloads;
  MediaBatch batch(payloads, false);
  const std::string bytes = noise(500);
  const auto sealed_event =
      observation("t", "o", with_payload(Field::input, Form::text, uri_of(bytes)));
  std::vector<model::Event> events = {must(tracelite::test::assembled(sealed_event))};
  batch.take_out(events.front());
  MediaBatch::Brought* const large = batch.too_large(events, 0).front();
  auto transaction = must(scene.environment()->begin_write());
  large->number = must(payloads.create_medium(transaction));
  must(payloads.append(transaction, large->number, bytes));
  must(add_pending(transaction, large->number));
  large->since = transaction.id();
  must(payload::put_medium(transaction, payloads, large->medium));
  const auto there = must(payload::find_medium(transaction, large->medium.hash));
  must(batch.put(transaction, events));
  payload::MediaCountChanges used;
  used.add(PayloadValue::decode(events.front().entity.find(Field::input)->value));
  must(used.apply(transaction, payloads));
  must(batch.drop_unused(transaction));
  must(transaction.commit());
  BOOST_TEST(scene.look().pending_count() == 0);
  const auto snapshot = must(scene.environment()->begin_read());
  const payload::PayloadReader reader(snapshot);
  BOOST_TEST(must(reader.read_all(there->number)) == bytes);
  BOOST_TEST((reader.read_all(large->number).error().code == Code::not_found));
}

BOOST_AUTO_TEST_CASE(large_media_that_the_mask_takes_away_never_reach_the_file) {
  Options options = lazy();
  options.mask = [](Field, Form, Bytes) {
    return std::optional<Payload>({Form::text, "someone sent something"});
  };
  Scene scene(std::move(options));
  const std::uint64_t commits = scene.commits();
  const std::string large = noise(2 * kPayloadPartSizeBytes);
  scene.record(observation("t", "o", with_payload(Field::input, Form::text, uri_of(large))));
  scene.flush();
  BOOST_TEST(scene.commits() == commits + 1);
  BOOST_TEST(scene.look().pending_count() == 0);
  BOOST_TEST(scene.look().entries(store::KeySpace::media) == 0U);
}

// One event of a batch gives the last use back, and a later one refers to the medium anew.
BOOST_AUTO_TEST_CASE(a_medium_whose_last_user_drops_it_before_another_comes_takes_one_commit) {
  for (const bool in_stream : {false, true}) {
    BOOST_TEST_CONTEXT("in a stream: " << in_stream) {
      Scene scene;
      const std::string bytes = noise(900);
      const auto put = [&](Bytes id, const std::string& payload, std::int64_t time_ns) {
        scene.record(
            observation("t", id, with_payload(Field::input, Form::text, payload), time_ns));
      };
      put("o1", uri_of(bytes), 1);
      scene.flush();
      const std::uint64_t commits = scene.commits();
      put("o1", "without", 2);
      put("o2", uri_of(bytes), 3);
      if (in_stream) {
        const std::string text = uri_of(bytes);
        scene.record(observation(
            "t", "o3",
            [&](EventBuilder& builder) {
              builder.streamed(Field::input, text);
              builder.time(Field::end_time, 9);
            },
            4));
      }
      scene.flush();
      BOOST_TEST(scene.commits() == commits + 1);
      BOOST_TEST(use_count(scene, bytes) == (in_stream ? 2U : 1U));
      BOOST_TEST(as_given(scene, "o2", Field::input) == uri_of(bytes));
      if (in_stream) BOOST_TEST(as_given(scene, "o3", Field::input) == uri_of(bytes));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_medium_whose_last_user_drops_it_is_gone_though_the_batch_brought_it) {
  Scene scene;
  const std::string bytes = noise(900);
  const auto put = [&](const std::string& payload, std::int64_t time_ns) {
    scene.record(observation("t", "o", with_payload(Field::input, Form::text, payload), time_ns));
  };
  put(uri_of(bytes), 1);
  scene.flush();
  const std::uint64_t commits = scene.commits();
  // It loses against a later event of its batch.
  scene.record(observation("t", "p", with_payload(Field::input, Form::text, uri_of(bytes)), 1));
  scene.record(observation("t", "p", with_payload(Field::input, Form::text, "without"), 2));
  put("without", 2);
  scene.flush();
  BOOST_TEST(scene.commits() == commits + 1);
  BOOST_TEST(scene.look().entries(store::KeySpace::media) == 0U);
}

// However the events of a batch are spread over transactions after a failure.
BOOST_AUTO_TEST_CASE(media_of_a_batch_that_is_written_one_by_one_are_all_there) {
  Scene scene;
  const std::string kept = noise(5000, 1);
  const std::string dropped = noise(500, 2);
  // The record of this observation is damaged, so that the batch with it cannot be written.
  scene.record(observation("bad", "o", with_payload(Field::input, Form::text, "x")));
  scene.flush();
  {
    auto transaction = must(scene.environment()->begin_write());
    std::string key;
    {
      auto cursor = transaction.cursor(store::KeySpace::record);
      BOOST_REQUIRE(must(cursor.seek({})));
      key = cursor.key();
    }
    must(transaction.put(store::KeySpace::record, key, "damaged"));
    must(transaction.commit());
  }
  const auto put = [&](Bytes id, const std::string& payload, std::int64_t time_ns) {
    scene.record(observation("t", id, with_payload(Field::input, Form::text, payload), time_ns));
  };
  put("a", uri_of(kept) + uri_of(dropped), 1);
  put("a", "without", 2);
  scene.record(observation("bad", "o", with_payload(Field::input, Form::text, uri_of(dropped)), 2));
  put("b", uri_of(kept), 3);
  static_cast<void>(scene.flush_error());
  BOOST_TEST((as_given(scene, "b", Field::input) == uri_of(kept)));
  BOOST_TEST(use_count(scene, kept) == 1U);
  BOOST_TEST(use_count(scene, dropped) == 0U);
}

// Bytes that were stored before are gone once their medium is; it is put anew then.
BOOST_AUTO_TEST_CASE(a_medium_that_was_used_and_dropped_comes_back_from_the_batch) {
  Scene scene;
  payload::PayloadWriter payloads;
  MediaBatch batch(payloads, false);
  const std::string bytes = noise(500);
  const auto sealed_event =
      observation("t", "o", with_payload(Field::input, Form::text, uri_of(bytes)));
  std::vector<model::Event> events = {must(tracelite::test::assembled(sealed_event))};
  batch.take_out(events.front());
  const auto large = batch.too_large(events, 0);
  BOOST_REQUIRE(large.size() == 1U);
  const auto in_transaction = [&](const auto& work) {
    auto transaction = must(scene.environment()->begin_write());
    work(transaction);
    must(transaction.commit());
  };
  in_transaction([&](store::WriteTransaction& transaction) {
    large.front()->number = must(payloads.create_medium(transaction));
    must(payloads.append(transaction, large.front()->number, bytes));
    must(add_pending(transaction, large.front()->number));
    large.front()->since = transaction.id();
  });
  const model::Register* reg = events.front().entity.find(Field::input);
  for (int round = 0; round < 2; ++round) {
    in_transaction([&](store::WriteTransaction& transaction) {
      must(batch.put(transaction, events));
      payload::MediaCountChanges used;
      used.add(model::PayloadValue::decode(reg->value));
      must(used.apply(transaction, payloads));
      must(batch.drop_unused(transaction));
    });
    {
      const auto snapshot = must(scene.environment()->begin_read());
      const auto head = must(payload::find_medium(snapshot, payload::media_hash(bytes)));
      BOOST_REQUIRE(head.has_value());
      BOOST_TEST(must(payload::PayloadReader(snapshot).read_all(head->number)) == bytes);
    }
    BOOST_TEST(scene.look().pending_count() == 0);
    in_transaction([&](store::WriteTransaction& transaction) {
      payload::MediaCountChanges dropped;
      dropped.drop(model::PayloadValue::decode(reg->value));
      must(dropped.apply(transaction, payloads));
    });
    BOOST_TEST(scene.look().entries(store::KeySpace::media) == 0U);
  }
}

BOOST_AUTO_TEST_CASE(a_large_medium_survives_a_commit_that_fails) {
  const std::string large = noise(kPayloadPartSizeBytes + 1000);
  for (std::uint64_t nth = 1; nth <= 3; ++nth) {
    BOOST_TEST_CONTEXT("commit " << nth) {
      Breakage breakage(store::testing::Point::commit, nth, EIO);
      Options options = lazy();
      options.log = breakage.log();
      Scene scene(std::move(options));
      scene.record(observation("t", "o", with_payload(Field::input, Form::text, uri_of(large))));
      BOOST_TEST((scene.flush_error().code == Code::io));
      breakage.mend();
      scene.flush_after_mending();
      BOOST_TEST((as_given(scene, "o", Field::input) == uri_of(large)));
      BOOST_TEST(use_count(scene, large) == 1U);
      scene.reopen();
      must(reclaim_pending(*scene.environment()));
      BOOST_TEST(scene.look().pending_count() == 0);
      BOOST_TEST((as_given(scene, "o", Field::input) == uri_of(large)));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(media_of_strangers)

namespace {

Options for_a_stranger() {
  Options options = lazy();
  options.is_from_stranger = true;
  return options;
}

// The file says of the bytes of one medium that they are those of another.
void pretend(const Scene& scene, Bytes bytes, Bytes others) {
  auto transaction = must(scene.environment()->begin_write());
  auto head = must(payload::find_medium(transaction, payload::media_hash(others))).value();
  must(payload::put_medium_head(transaction, payload::media_hash(bytes), head));
  must(transaction.commit());
}

void record_medium(const Scene& scene, Bytes id, const std::string& bytes) {
  scene.record(observation("t", id, with_payload(Field::input, Form::text, uri_of(bytes))));
  scene.flush();
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_medium_with_the_hash_of_others_is_stored_anew) {
  for (const std::size_t size_bytes : {std::size_t{500}, 2 * kPayloadPartSizeBytes}) {
    BOOST_TEST_CONTEXT(size_bytes << " bytes") {
      Scene scene(for_a_stranger());
      const std::string others = noise(size_bytes, 1);
      const std::string bytes = noise(size_bytes, 2);
      record_medium(scene, "others", others);
      pretend(scene, bytes, others);
      for (const char* id : {"a", "b"}) {
        record_medium(scene, id, bytes);
        BOOST_TEST((as_given(scene, id, Field::input) == uri_of(bytes)));
      }
      BOOST_TEST(use_count(scene, bytes) == 1U + 2U);  // the stranger's own use stays
      BOOST_TEST((as_given(scene, "others", Field::input) == uri_of(others)));
      BOOST_TEST(scene.look().pending_count() == 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(one_that_lost_against_a_later_event_leaves_nothing_new) {
  Scene scene(for_a_stranger());
  const std::string others = noise(500, 1);
  const std::string bytes = noise(500, 2);
  record_medium(scene, "others", others);
  pretend(scene, bytes, others);
  scene.record(observation("t", "o", with_payload(Field::input, Form::text, uri_of(bytes)), 1));
  scene.record(observation("t", "o", with_payload(Field::input, Form::text, "later"), 2));
  scene.flush();
  BOOST_TEST(use_count(scene, bytes) == 1U);
  BOOST_TEST((as_given(scene, "others", Field::input) == uri_of(others)));
}

BOOST_AUTO_TEST_CASE(what_a_failed_transaction_has_mended_is_mended_again) {
  const std::string others = noise(500, 1);
  const std::string bytes = noise(500, 2);
  for (std::uint64_t nth = 1; nth <= 2; ++nth) {
    Scene scene(for_a_stranger());
    record_medium(scene, "others", others);
    pretend(scene, bytes, others);
    scene.recorder().close(std::nullopt);
    Breakage breakage(store::testing::Point::commit, nth, EIO);
    Options options = for_a_stranger();
    options.log = breakage.log();
    scene.start(std::move(options));
    std::uint64_t count = 0;
    for (const char* id : {"a", "b"}) {
      scene.record(observation("t", id, with_payload(Field::input, Form::text, uri_of(bytes))));
      if (++count < nth) scene.flush();
    }
    BOOST_TEST((scene.flush_error().code == Code::io));
    breakage.mend();
    scene.flush_after_mending();
    BOOST_TEST((as_given(scene, "b", Field::input) == uri_of(bytes)));
  }
}

// The use that the stranger counts is given back before the mended medium gets its own.
BOOST_AUTO_TEST_CASE(a_mended_medium_whose_old_user_drops_it_takes_one_commit) {
  const std::string others = noise(500, 1);
  const std::string bytes = noise(500, 2);
  Scene scene;
  record_medium(scene, "old", bytes);
  record_medium(scene, "others", others);
  pretend(scene, bytes, others);
  scene.recorder().close(std::nullopt);
  scene.start(for_a_stranger());
  const std::uint64_t commits = scene.commits();
  scene.record(observation("t", "old", with_payload(Field::input, Form::text, "without"), 2));
  scene.record(observation("t", "new", with_payload(Field::input, Form::text, uri_of(bytes)), 3));
  scene.flush();
  BOOST_TEST(scene.commits() == commits + 1);
  BOOST_TEST(use_count(scene, bytes) == 1U);
  BOOST_TEST((as_given(scene, "new", Field::input) == uri_of(bytes)));
  BOOST_TEST((as_given(scene, "others", Field::input) == uri_of(others)));
}

BOOST_AUTO_TEST_CASE(a_medium_that_is_said_to_have_the_most_uses_is_not_lost_with_one_more) {
  Scene scene(for_a_stranger());
  const std::string bytes = noise(500);
  record_medium(scene, "a", bytes);
  {
    auto transaction = must(scene.environment()->begin_write());
    const std::string hash = payload::media_hash(bytes);
    auto head = must(payload::find_medium(transaction, hash)).value();
    head.use_count = UINT64_MAX;
    must(payload::put_medium_head(transaction, hash, head));
    must(transaction.commit());
  }
  record_medium(scene, "b", bytes);
  BOOST_TEST(use_count(scene, bytes) > 1U);
  BOOST_TEST((as_given(scene, "b", Field::input) == uri_of(bytes)));
}

// Once a store and hash: what the file says later is not asked again.
BOOST_AUTO_TEST_CASE(bytes_that_were_found_right_are_not_looked_at_again) {
  Scene scene(for_a_stranger());
  const std::string others = noise(500, 1);
  const std::string bytes = noise(500, 2);
  record_medium(scene, "others", others);
  record_medium(scene, "a", bytes);
  record_medium(scene, "b", bytes);
  pretend(scene, bytes, others);
  record_medium(scene, "c", bytes);
  BOOST_TEST((as_given(scene, "c", Field::input) == uri_of(others)));
}

// Who trusts the file pays nothing.
BOOST_AUTO_TEST_CASE(bytes_of_a_file_of_ours_are_not_looked_at) {
  Scene scene;
  const std::string others = noise(500, 1);
  const std::string bytes = noise(500, 2);
  record_medium(scene, "others", others);
  pretend(scene, bytes, others);
  record_medium(scene, "a", bytes);
  BOOST_TEST((as_given(scene, "a", Field::input) == uri_of(others)));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::ingest::test
