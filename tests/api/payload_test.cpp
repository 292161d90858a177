// Inputs, outputs and metadata come back byte for byte, whatever they are; what the model refuses
// is refused by name.
#include <boost/test/unit_test.hpp>
#include <mutex>
#include <string>

#include "api/support.hpp"
#include "support/sanitizers.hpp"

namespace tracelite::api::test {
namespace {

tl_payload payload_of(tl_form form, std::string_view bytes) { return {form, text_of(bytes)}; }

tl_status put(const Store& store, std::string_view id, tl_field field, const tl_payload& payload) {
  tl_observation observation{};
  observation.struct_size = sizeof observation;
  observation.id = text_of(id);
  observation.trace_id = tl_str("t");
  observation.set_mask = TL_BIT(field);
  (field == TL_FIELD_INPUT    ? observation.input
   : field == TL_FIELD_OUTPUT ? observation.output
                              : observation.metadata) = payload;
  return tl_put_observation(store.get(), &observation);
}

const tl_payload& field_of(const tl_observation& observation, tl_field field) {
  return field == TL_FIELD_INPUT    ? observation.input
         : field == TL_FIELD_OUTPUT ? observation.output
                                    : observation.metadata;
}

void check_kept(const Store& store, std::string_view id, tl_field field, tl_form form,
                std::string_view bytes) {
  Rows rows(get(store, TL_KIND_OBSERVATION, "t", id));
  BOOST_REQUIRE(rows.next());
  const tl_payload& shown = field_of(*rows.row().observation, field);
  BOOST_TEST(shown.form == form);
  BOOST_TEST(shown.text.data == nullptr);
  BOOST_TEST(shown.text.size_bytes == bytes.size());
  BOOST_TEST((rows.payload(field) == bytes), "payload of " << id << " differs");
}

void check_absent(const Store& store, std::string_view id, tl_field field) {
  Rows rows(get(store, TL_KIND_OBSERVATION, "t", id));
  BOOST_REQUIRE(rows.next());
  BOOST_TEST((rows.row().observation->set_mask & TL_BIT(field)) == 0U);
  BOOST_TEST(field_of(*rows.row().observation, field).form == TL_FORM_ABSENT);
}

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

}  // namespace

BOOST_AUTO_TEST_SUITE(payloads)

BOOST_AUTO_TEST_CASE(every_valid_json_comes_back_as_it_was) {
  const Folder folder;
  const Store store(folder.file());
  const std::vector<std::string> texts = {nested(1025),
                                          nested(100'000),
                                          "1e400",
                                          "-0.0E-7",
                                          "123456789012345678901234567890",
                                          R"("\ud800")",
                                          R"( { "a" : 1 ,"a":2 } )",
                                          "\"\\u0000\xf0\x9f\x98\x80\"",
                                          "{}",
                                          "\"\"",
                                          "\t[1,\r\n 2]\n"};
  for (std::size_t i = 0; i < texts.size(); ++i) {
    for (const tl_field field : {TL_FIELD_INPUT, TL_FIELD_OUTPUT}) {
      must(put(store, "o" + std::to_string(i), field, payload_of(TL_FORM_JSON, texts[i])));
    }
  }
  store.flush();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    for (const tl_field field : {TL_FIELD_INPUT, TL_FIELD_OUTPUT}) {
      check_kept(store, "o" + std::to_string(i), field, TL_FORM_JSON, texts[i]);
    }
  }
  store.check();
}

BOOST_AUTO_TEST_CASE(invalid_json_is_kept_as_text_and_counted) {
  const Folder folder;
  const Store store(folder.file());
  const std::string invalid[] = {
      R"({"a":tru,"b":01})", "", "{", "[1,]", "nul", "1 2", "+1", "1.", "'a'"};
  for (std::size_t i = 0; i < std::size(invalid); ++i) {
    must(put(store, "o" + std::to_string(i), TL_FIELD_INPUT, payload_of(TL_FORM_JSON, invalid[i])));
  }
  must(put(store, "bytes", TL_FIELD_INPUT, payload_of(TL_FORM_JSON, "\"\xff\"")));
  store.flush();
  BOOST_TEST(store.counter(TL_REASON_PAYLOAD) == std::size(invalid) + 1);
  BOOST_TEST(store.counter(TL_REASON_EVENT_REFUSED) == 0U);
  for (std::size_t i = 0; i < std::size(invalid); ++i) {
    check_kept(store, "o" + std::to_string(i), TL_FIELD_INPUT, TL_FORM_TEXT, invalid[i]);
  }
  check_kept(store, "bytes", TL_FIELD_INPUT, TL_FORM_BYTES, "\"\xff\"");
  store.check();
}

BOOST_AUTO_TEST_CASE(text_that_is_no_utf8_is_kept_as_bytes_which_may_be_anything) {
  const Folder folder;
  const Store store(folder.file());
  std::string all_bytes;
  for (int i = 0; i < 256; ++i) all_bytes += static_cast<char>(i);
  for (const std::string_view invalid : {"\xff", "\xc0\x80", "\xed\xa0\x80", "a\xe2\x82"}) {
    must(put(store, "o", TL_FIELD_OUTPUT, payload_of(TL_FORM_TEXT, invalid)));
    store.flush();
    check_kept(store, "o", TL_FIELD_OUTPUT, TL_FORM_BYTES, invalid);
  }
  must(put(store, "bytes", TL_FIELD_INPUT, payload_of(TL_FORM_BYTES, all_bytes)));
  must(put(store, "text", TL_FIELD_INPUT, payload_of(TL_FORM_TEXT, "h\xc3\xa9llo \"x\"\n")));
  must(put(store, "zero", TL_FIELD_INPUT, payload_of(TL_FORM_TEXT, std::string_view("a\0b", 3))));
  must(put(store, "empty text", TL_FIELD_INPUT, payload_of(TL_FORM_TEXT, "")));
  must(put(store, "empty bytes", TL_FIELD_INPUT, payload_of(TL_FORM_BYTES, "")));
  store.flush();
  check_kept(store, "bytes", TL_FIELD_INPUT, TL_FORM_BYTES, all_bytes);
  check_kept(store, "text", TL_FIELD_INPUT, TL_FORM_TEXT, "h\xc3\xa9llo \"x\"\n");
  check_kept(store, "zero", TL_FIELD_INPUT, TL_FORM_TEXT, std::string_view("a\0b", 3));
  check_kept(store, "empty text", TL_FIELD_INPUT, TL_FORM_TEXT, "");
  check_kept(store, "empty bytes", TL_FIELD_INPUT, TL_FORM_BYTES, "");
}

BOOST_AUTO_TEST_CASE(an_absent_payload_is_not_found_and_null_clears) {
  const Folder folder;
  const Store store(folder.file());
  must(put(store, "null", TL_FIELD_INPUT, payload_of(TL_FORM_NULL, "")));
  must(put(store, "json null", TL_FIELD_INPUT, payload_of(TL_FORM_JSON, "null")));
  store.flush();
  check_kept(store, "json null", TL_FIELD_INPUT, TL_FORM_JSON, "null");
  Rows rows(get(store, TL_KIND_OBSERVATION, "t", "null"));
  BOOST_REQUIRE(rows.next());
  BOOST_TEST(rows.row().observation->input.form == TL_FORM_ABSENT);  // null clears
  BOOST_TEST(rows.row().observation->output.form == TL_FORM_ABSENT);
  char byte = 0;
  std::size_t size = 0;
  expect(tl_payload_read(rows.get(), TL_FIELD_OUTPUT, TL_READ_AS_GIVEN, 0, &byte, 1, &size),
         TL_NOT_FOUND, "this row has no such payload");
}

BOOST_AUTO_TEST_CASE(a_payload_of_64_mib_is_kept_and_read_at_any_offset,
                     *boost::unit_test::precondition(tracelite::test::threads_matter)) {
  const Folder folder(store::test::fast_folder());
  Store store(folder.file());
  std::string big(std::size_t{64} << 20, '\0');
  std::uint32_t state = 1;
  for (std::size_t i = 0; i < big.size(); i += 61) {
    state = state * 1'664'525U + 1'013'904'223U;
    big[i] = static_cast<char>(state >> 24U);
  }
  must(put(store, "big", TL_FIELD_OUTPUT, payload_of(TL_FORM_BYTES, big)));
  store.flush();
  check_kept(store, "big", TL_FIELD_OUTPUT, TL_FORM_BYTES, big);
  Rows rows(get(store, TL_KIND_OBSERVATION, "t", "big"));
  BOOST_REQUIRE(rows.next());
  char buffer[1000];
  for (const std::size_t offset :
       {std::size_t{0}, std::size_t{1}, std::size_t{65'535}, std::size_t{4'194'303},
        big.size() / 2 + 17, big.size() - 1000, big.size() - 1, big.size(), big.size() + 5}) {
    std::size_t size = 99;
    must(tl_payload_read(rows.get(), TL_FIELD_OUTPUT, TL_READ_AS_GIVEN, offset, buffer,
                         sizeof buffer, &size));
    const std::string_view wanted =
        std::string_view(big).substr(std::min(offset, big.size()), sizeof buffer);
    BOOST_TEST((std::string_view(buffer, size) == wanted), "at offset " << offset);
  }
  BOOST_TEST(store.statistics().payload_size_bytes == big.size());
  store.check();
}

BOOST_AUTO_TEST_CASE(many_small_appends_become_one_text) {
  const Folder folder(store::test::fast_folder());
  tl_options options{};
  options.commit_interval_ms = 1;
  const Store store(folder.file(), options);
  tl_observation begun{};
  begun.struct_size = sizeof begun;
  begun.id = tl_str("o");
  begun.trace_id = tl_str("t");
  tl_span* span = nullptr;
  must(tl_begin(store.get(), nullptr, &begun, &span));
  std::string expected;
  for (int i = 0; i < 5'000; ++i) {
    const std::string token = "token " + std::to_string(i) + " \xe2\x82\xac;";
    must(tl_append(span, TL_FIELD_OUTPUT, text_of(token)));
    expected += token;
    if (i % 1000 == 500) {
      store.flush();
      check_kept(store, "o", TL_FIELD_OUTPUT, TL_FORM_TEXT, expected);
    }
  }
  must(tl_end(span, nullptr));
  store.flush();
  check_kept(store, "o", TL_FIELD_OUTPUT, TL_FORM_TEXT, expected);
  Rows rows(get(store, TL_KIND_OBSERVATION, "t", "o"));
  BOOST_REQUIRE(rows.next());
  BOOST_TEST((rows.row().observation->set_mask & TL_BIT(TL_FIELD_COMPLETION_START_TIME)) != 0U);
  BOOST_TEST(rows.row().is_unfinished == 0);
  store.check();
}

namespace {

// Replaces secrets, fails for "fail", and leaves the rest alone.
std::int32_t mask(void* /*context*/, tl_field /*field*/, const tl_payload* value,
                  tl_payload* masked) {
  const std::string text = string_of(value->text);
  if (text.find("fail") != std::string::npos) return 1;
  if (text.find("secret") != std::string::npos) *masked = tl_plain("***");
  return 0;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_mask_replaces_what_is_stored) {
  const Folder folder;
  tl_options options{};
  options.mask = mask;
  Store store(folder.file(), options);
  must(put(store, "a", TL_FIELD_INPUT, payload_of(TL_FORM_JSON, R"({"k":"secret"})")));
  must(put(store, "b", TL_FIELD_INPUT, payload_of(TL_FORM_TEXT, "fail")));
  must(put(store, "c", TL_FIELD_INPUT, payload_of(TL_FORM_JSON, "{ \"k\" : 1 }")));
  must(put(store, "d", TL_FIELD_METADATA, payload_of(TL_FORM_JSON, R"({"k":"secret"})")));
  store.flush();
  check_kept(store, "a", TL_FIELD_INPUT, TL_FORM_TEXT, "***");
  check_kept(store, "b", TL_FIELD_INPUT, TL_FORM_TEXT,
             "<fully masked due to failed mask function>");
  check_kept(store, "c", TL_FIELD_INPUT, TL_FORM_JSON, "{ \"k\" : 1 }");
  check_kept(store, "d", TL_FIELD_METADATA, TL_FORM_JSON, R"({"metadata":"***"})");
  BOOST_TEST(store.counter(TL_REASON_MASKED) == 2U);
  BOOST_TEST(store.counter(TL_REASON_MASK_FAILED) == 1U);
  store.close();
  for (const char* word : {"secret", "fail\"", "\"k\":\"s"}) {
    BOOST_TEST(store::test::read_file(folder.file()).find(word) == std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(streamed_text_is_withheld_from_the_file_until_it_can_be_masked_whole) {
  const Folder folder;
  tl_options options{};
  options.mask = mask;
  const Store store(folder.file(), options);
  tl_observation begun{};
  begun.struct_size = sizeof begun;
  begun.id = tl_str("o");
  begun.trace_id = tl_str("t");
  tl_span* span = nullptr;
  must(tl_begin(store.get(), nullptr, &begun, &span));
  must(tl_append(span, TL_FIELD_OUTPUT, tl_str("a sec")));
  must(tl_append(span, TL_FIELD_OUTPUT, tl_str("ret")));
  store.flush();
  {
    Rows rows(get(store, TL_KIND_OBSERVATION, "t", "o"));
    BOOST_REQUIRE(rows.next());
    BOOST_TEST(rows.row().observation->output.form == TL_FORM_WITHHELD);
    BOOST_TEST(rows.row().observation->output.text.size_bytes == 8U);
    BOOST_TEST(rows.row().is_unfinished != 0);
  }
  BOOST_TEST(store::test::read_file(folder.file()).find("a sec") == std::string::npos);
  must(tl_end(span, nullptr));
  store.flush();
  check_kept(store, "o", TL_FIELD_OUTPUT, TL_FORM_TEXT, "***");
  store.check();
}

namespace {

// Leaves all as it is. Where there is a gate, the writer stands still here while that is locked.
std::int32_t mask_nothing(void* gate, tl_field /*field*/, const tl_payload* /*value*/,
                          tl_payload* /*masked*/) {
  if (gate == nullptr) return 0;
  const std::lock_guard wait(*static_cast<std::mutex*>(gate));
  return 0;
}

tl_span* begin_with_appended(const Store& store, std::string_view id) {
  tl_observation begun{};
  begun.struct_size = sizeof begun;
  begun.id = text_of(id);
  begun.trace_id = tl_str("t");
  tl_span* span = nullptr;
  must(tl_begin(store.get(), nullptr, &begun, &span));
  must(tl_append(span, TL_FIELD_OUTPUT, tl_str("abc")));
  return span;
}

tl_observation with_output(const tl_payload& payload) {
  tl_observation given{};
  given.struct_size = sizeof given;
  given.set_mask = TL_BIT(TL_FIELD_OUTPUT);
  given.output = payload;
  return given;
}

// Of an observation to which "abc" was appended, by what comes in its update or in its end.
void check_output_after(const Store& store, const tl_observation& given, tl_form form,
                        std::string_view bytes) {
  for (const bool in_end : {false, true}) {
    BOOST_TEST_CONTEXT("form " << given.output.form << " in " << (in_end ? "end" : "update")) {
      static int observation_count = 0;
      const std::string id = "o" + std::to_string(++observation_count);
      tl_span* span = begin_with_appended(store, id);
      if (!in_end) must(tl_update(span, &given));
      must(tl_end(span, in_end ? &given : nullptr));
      store.flush();
      if (form == TL_FORM_ABSENT) {
        check_absent(store, id, TL_FIELD_OUTPUT);
      } else {
        check_kept(store, id, TL_FIELD_OUTPUT, form, bytes);
      }
    }
  }
}

}  // namespace

// As it does without a mask, where nothing is held back.
BOOST_AUTO_TEST_CASE(only_what_takes_the_place_of_appended_text_drops_what_a_mask_holds_back) {
  for (const bool has_mask : {true, false}) {
    const Folder folder;
    tl_options options{};
    if (has_mask) options.mask = mask_nothing;
    const Store store(folder.file(), options);
    const auto check = [&](const tl_payload& payload, tl_form form, std::string_view bytes) {
      check_output_after(store, with_output(payload), form, bytes);
    };
    check(payload_of(TL_FORM_ABSENT, ""), TL_FORM_TEXT, "abc");
    check(payload_of(TL_FORM_JSON, "{}"), TL_FORM_TEXT, "abc");
    check(payload_of(TL_FORM_JSON, " { } "), TL_FORM_TEXT, "abc");
    check(payload_of(TL_FORM_JSON, "{}x"), TL_FORM_TEXT, "{}x");
    check(payload_of(TL_FORM_JSON, "null"), TL_FORM_JSON, "null");
    check(payload_of(TL_FORM_TEXT, "{}"), TL_FORM_TEXT, "{}");
    check(payload_of(TL_FORM_TEXT, ""), TL_FORM_TEXT, "");
    check(payload_of(TL_FORM_NULL, ""), TL_FORM_ABSENT, "");
    tl_observation cleared{};
    cleared.struct_size = sizeof cleared;
    cleared.clear_mask = TL_BIT(TL_FIELD_OUTPUT);
    check_output_after(store, cleared, TL_FORM_ABSENT, "");
    tl_observation other = with_output({});
    other.set_mask = TL_BIT(TL_FIELD_INPUT);
    other.input = payload_of(TL_FORM_TEXT, "of another field");
    check_output_after(store, other, TL_FORM_TEXT, "abc");
    store.check();
  }
}

BOOST_AUTO_TEST_CASE(an_update_that_the_queue_refuses_keeps_what_a_mask_holds_back) {
  const Folder folder;
  std::mutex gate;
  tl_options options{};
  options.mask = mask_nothing;
  options.mask_context = &gate;
  options.full_policy = TL_FULL_DROP;
  options.queue_size_bytes = 4096;
  const Store store(folder.file(), options);
  tl_span* span = begin_with_appended(store, "o");
  store.flush();
  {
    const std::lock_guard closed(gate);
    const std::string some(1000, 'x');
    tl_status status = TL_OK;
    for (int i = 0; i < 20 && status == TL_OK; ++i) {
      status = put(store, "other", TL_FIELD_INPUT, payload_of(TL_FORM_TEXT, some));
    }
    expect(status, TL_QUEUE_FULL, "the recording queue is full");
    const std::string more(2000, 'x');
    const tl_observation given = with_output(payload_of(TL_FORM_TEXT, more));
    expect(tl_update(span, &given), TL_QUEUE_FULL, "the recording queue is full");
  }
  store.flush();
  must(tl_end(span, nullptr));
  store.flush();
  check_kept(store, "o", TL_FIELD_OUTPUT, TL_FORM_TEXT, "abc");
  store.check();
}

BOOST_AUTO_TEST_CASE(null_clears_a_field_and_json_text_null_is_a_value) {
  const Folder folder;
  const Store store(folder.file());
  const tl_payload object = payload_of(TL_FORM_JSON, R"({"k":1})");
  for (const tl_field field : {TL_FIELD_INPUT, TL_FIELD_OUTPUT, TL_FIELD_METADATA}) {
    const std::string name = std::to_string(field);
    for (const std::string& id : {"null" + name, "json" + name}) {
      must(put(store, id, field, object));
    }
    store.flush();
    must(put(store, "null" + name, field, payload_of(TL_FORM_NULL, "")));
    must(put(store, "json" + name, field, payload_of(TL_FORM_JSON, " null ")));
    must(put(store, "only" + name, field, payload_of(TL_FORM_NULL, "")));
    must(put(store, "kept" + name, field, object));
    must(put(store, "kept" + name, field, payload_of(TL_FORM_ABSENT, "")));
    store.flush();
    check_absent(store, "null" + name, field);
    check_absent(store, "only" + name, field);
    check_kept(store, "kept" + name, field, TL_FORM_JSON, R"({"k":1})");
    if (field == TL_FIELD_METADATA) {
      check_absent(store, "json" + name, field);
    } else {
      check_kept(store, "json" + name, field, TL_FORM_JSON, " null ");
    }
  }
  store.check();
}

// As if the application had given null.
BOOST_AUTO_TEST_CASE(a_mask_that_answers_null_clears_the_field) {
  const Folder folder;
  tl_options options{};
  options.mask = [](void*, tl_field, const tl_payload*, tl_payload* masked) -> std::int32_t {
    *masked = {TL_FORM_NULL, {}};
    return 0;
  };
  const Store store(folder.file(), options);
  for (const tl_field field : {TL_FIELD_INPUT, TL_FIELD_OUTPUT, TL_FIELD_METADATA}) {
    must(put(store, std::to_string(field), field, payload_of(TL_FORM_JSON, R"({"k":1})")));
    store.flush();
    check_absent(store, std::to_string(field), field);
  }
  store.check();
}

BOOST_AUTO_TEST_CASE(metadata_that_is_no_object_is_kept_under_its_own_key) {
  const Folder folder;
  const Store store(folder.file());
  must(put(store, "number", TL_FIELD_METADATA, payload_of(TL_FORM_JSON, "[1, 2]")));
  must(put(store, "text", TL_FIELD_METADATA, payload_of(TL_FORM_TEXT, "a \"b\"")));
  must(put(store, "object", TL_FIELD_METADATA, payload_of(TL_FORM_JSON, " {\"b\": 1, \"a\":2}")));
  store.flush();
  check_kept(store, "number", TL_FIELD_METADATA, TL_FORM_JSON, R"({"metadata":[1, 2]})");
  check_kept(store, "text", TL_FIELD_METADATA, TL_FORM_JSON, R"({"metadata":"a \"b\""})");
  check_kept(store, "object", TL_FIELD_METADATA, TL_FORM_JSON, " {\"b\": 1, \"a\":2}");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
