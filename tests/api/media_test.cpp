// Media through the C API: read in both modes, by window, by id; a round trip through an export;
// and check, which finds what is wrong with them.
#include <boost/test/unit_test.hpp>
#include <random>
#include <string>

#include "api/support.hpp"
#include "model/media.hpp"
#include "payload/base64.hpp"
#include "payload/media_store.hpp"
#include "store/environment.hpp"
#include "support/sanitizers.hpp"

namespace tracelite::api::test {
namespace {

std::string noise(std::size_t size_bytes, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::string bytes(size_bytes, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}
std::string base64_of(Bytes bytes) {
  std::string text;
  payload::append_base64(text, bytes);
  return text;
}
std::string uri_of(Bytes bytes) { return "data:image/png;base64," + base64_of(bytes); }
std::string id_of(Bytes bytes) { return model::media_id(payload::media_hash(bytes)); }
std::string reference_to(Bytes bytes) {
  return "@@@langfuseMedia:type=image/png|id=" + id_of(bytes) + "|source=base64_data_uri@@@";
}

void put(const Store& store, std::string_view id, const tl_payload& input) {
  tl_observation observation{};
  observation.struct_size = sizeof observation;
  observation.id = text_of(id);
  observation.trace_id = tl_str("t");
  observation.set_mask = TL_BIT(TL_FIELD_INPUT);
  observation.input = input;
  must(tl_put_observation(store.get(), &observation));
}

std::string read(const Store& store, std::string_view id, tl_read_mode mode) {
  Rows rows(get(store, TL_KIND_OBSERVATION, "t", id));
  BOOST_REQUIRE(rows.next());
  std::uint64_t size_bytes = 0;
  must(tl_payload_size(rows.get(), TL_FIELD_INPUT, mode, &size_bytes));
  if (mode == TL_READ_AS_GIVEN) {
    BOOST_TEST(rows.row().observation->input.text.size_bytes == size_bytes);
  }
  std::string bytes(size_bytes + 1, '?');
  std::size_t got = 0;
  must(tl_payload_read(rows.get(), TL_FIELD_INPUT, mode, 0, bytes.data(), bytes.size(), &got));
  BOOST_TEST(got == size_bytes);
  bytes.resize(got);
  return bytes;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(media)

BOOST_AUTO_TEST_CASE(a_payload_reads_as_given_and_as_stored) {
  const Folder folder;
  const Store store(folder.file());
  const std::string bytes = noise(10'000);
  const std::string text = "see " + uri_of(bytes) + ", " + reference_to(bytes);
  put(store, "o", {TL_FORM_TEXT, text_of(text)});
  put(store, "short", {TL_FORM_TEXT, text_of("plain")});
  store.flush();
  BOOST_TEST(read(store, "o", TL_READ_AS_GIVEN) == text);
  BOOST_TEST(read(store, "o", TL_READ_AS_STORED) ==
             "see " + reference_to(bytes) + ", " + reference_to(bytes));
  BOOST_TEST(read(store, "short", TL_READ_AS_GIVEN) == "plain");
  BOOST_TEST(read(store, "short", TL_READ_AS_STORED) == "plain");
  store.check();
}

BOOST_AUTO_TEST_CASE(a_medium_reads_by_its_id_or_a_reference) {
  const Folder folder;
  const Store store(folder.file());
  const std::string bytes = noise(600'000);
  const std::string text = uri_of(bytes);
  put(store, "o", {TL_FORM_TEXT, text_of(text)});
  store.flush();
  for (const std::string& id : {id_of(bytes), reference_to(bytes)}) {
    tl_medium medium{};
    medium.struct_size = sizeof medium;
    std::string window(1000, '?');
    std::size_t size_bytes = 0;
    must(tl_media_read(store.get(), nullptr, text_of(id), 300'000, window.data(), window.size(),
                       &size_bytes, &medium));
    BOOST_TEST(size_bytes == window.size());
    BOOST_TEST((window == bytes.substr(300'000, 1000)));
    BOOST_TEST(string_of(medium.mime) == "image/png");
    BOOST_TEST(medium.size_bytes == bytes.size());
    BOOST_TEST(medium.use_count == 1U);
    must(tl_media_read(store.get(), nullptr, text_of(id), bytes.size() - 5, window.data(),
                       window.size(), &size_bytes, nullptr));
    BOOST_TEST(size_bytes == 5U);
    must(tl_media_read(store.get(), nullptr, text_of(id), bytes.size() + 5, window.data(),
                       window.size(), &size_bytes, nullptr));
    BOOST_TEST(size_bytes == 0U);
  }
}

// As one that reads until there is no more does, whatever the size.
BOOST_AUTO_TEST_CASE(nothing_is_read_at_the_end_of_a_medium_or_behind_it) {
  const Folder folder;
  const Store store(folder.file());
  for (const std::size_t size : {1'000U, 262'143U, 262'144U, 262'145U, 524'288U}) {
    const std::string bytes = noise(size);
    const std::string id = "o" + std::to_string(size);
    const std::string text = uri_of(bytes);
    put(store, id.c_str(), {TL_FORM_TEXT, text_of(text)});
    store.flush();
    std::string window(10, '?');
    for (const std::size_t offset : {size - 1, size, size + 1, size + 300'000, SIZE_MAX}) {
      std::size_t read_size = 0;
      must(tl_media_read(store.get(), nullptr, text_of(id_of(bytes)), offset, window.data(),
                         window.size(), &read_size, nullptr));
      BOOST_TEST(read_size == (offset < size ? 1U : 0U), size << " bytes, from " << offset);
    }
  }
}

BOOST_AUTO_TEST_CASE(errors_name_what_is_wrong) {
  const Folder folder;
  const Store store(folder.file());
  put(store, "o", {TL_FORM_TEXT, text_of("x")});
  store.flush();
  std::size_t size_bytes = 0;
  std::uint64_t size = 0;
  char byte = 0;
  for (const std::string& id : {std::string(), std::string("no"), std::string(22, 'A'),
                                std::string(22, '/'), std::string("@@@langfuseMedia:type=")}) {
    expect(tl_media_read(store.get(), nullptr, text_of(id), 0, &byte, 1, &size_bytes, nullptr),
           TL_NOT_FOUND, "no such medium", "id");
  }
  tl_medium no_size{};
  expect(tl_media_read(store.get(), nullptr, text_of("x"), 0, &byte, 1, &size_bytes, &no_size),
         TL_MISUSE, "struct_size");
  expect(tl_media_read(nullptr, nullptr, text_of("x"), 0, &byte, 1, &size_bytes, nullptr),
         TL_MISUSE, "store");
  Rows rows(get(store, TL_KIND_OBSERVATION, "t", "o"));
  expect(tl_payload_size(rows.get(), TL_FIELD_INPUT, TL_READ_AS_GIVEN, &size), TL_MISUSE,
         "tl_next");
  BOOST_REQUIRE(rows.next());
  expect(tl_payload_read(rows.get(), TL_FIELD_INPUT, 2, 0, &byte, 1, &size_bytes), TL_INVALID,
         "mode", "mode");
  expect(tl_payload_size(rows.get(), TL_FIELD_OUTPUT, TL_READ_AS_STORED, &size), TL_NOT_FOUND,
         "no such payload", "output");
  expect(tl_payload_size(rows.get(), TL_FIELD_NAME, TL_READ_AS_STORED, &size), TL_INVALID,
         "payloads", "field");
}

// 60 MB of video: memory is bounded by the window, so the windows are what is read.
BOOST_AUTO_TEST_CASE(a_large_medium_is_read_in_windows,
                     *boost::unit_test::precondition(tracelite::test::threads_matter)) {
  const Folder folder;
  const Store store(folder.file());
  const std::string json = R"({"type":"media","mime_type":"video/mp4","data":")" +
                           base64_of(noise(45'000'000)) + R"("})";
  put(store, "o", {TL_FORM_JSON, text_of(json)});
  store.flush();
  Rows rows(get(store, TL_KIND_OBSERVATION, "t", "o"));
  BOOST_REQUIRE(rows.next());
  BOOST_TEST(rows.row().observation->input.text.size_bytes == json.size());
  std::string window(100'003, '?');
  bool same = true;
  for (std::size_t offset = 0; offset < json.size(); offset += window.size()) {
    std::size_t got = 0;
    must(tl_payload_read(rows.get(), TL_FIELD_INPUT, TL_READ_AS_GIVEN, offset, window.data(),
                         window.size(), &got));
    same = same && std::string_view(json).substr(offset, window.size()) ==
                       std::string_view(window).substr(0, got);
  }
  BOOST_TEST(same);
  store.check();
}

BOOST_AUTO_TEST_CASE(an_export_gives_payloads_as_given_and_its_import_the_same_file_again) {
  const Folder folder;
  const Store store(folder.file());
  const std::string bytes = noise(4000);
  std::string escaped;
  for (const char c : base64_of(noise(4000, 2))) escaped += c == '/' ? "\\/" : std::string(1, c);
  const std::string json = R"([{"url":")" + uri_of(bytes) + R"("},"data:image\/png;base64,)" +
                           escaped + R"(",{"inlineData":{"mimeType":"a/b","data":")" +
                           base64_of(bytes) + R"("}}])";
  const std::string text = "typed " + reference_to(bytes) + " and " + uri_of(bytes);
  put(store, "j", {TL_FORM_JSON, text_of(json)});
  put(store, "t", {TL_FORM_TEXT, text_of(text)});
  store.flush();
  const std::string exported = store.export_all();
  BOOST_TEST(exported.find("data:image/png;base64,") != std::string::npos);

  const Folder other_folder;
  const Store other(other_folder.file());
  other.import_all(exported);
  BOOST_TEST((other.export_all() == exported));
  for (const tl_read_mode mode : {TL_READ_AS_GIVEN, TL_READ_AS_STORED}) {
    BOOST_TEST((read(other, "j", mode) == read(store, "j", mode)));
    // An export writes text as a JSON string.
    BOOST_TEST((read(other, "t", mode) == '"' + read(store, "t", mode) + '"'));
  }
  BOOST_TEST((read(other, "j", TL_READ_AS_GIVEN) == json));
  other.check();
  other.reindex();
  other.check();
}

BOOST_AUTO_TEST_CASE(metadata_is_found_by_a_value_that_holds_a_medium) {
  const Folder folder;
  const Store store(folder.file());
  const std::string uri = uri_of(noise(500));
  const std::string metadata = R"({"image":")" + uri + R"("})";
  tl_trace trace{};
  trace.struct_size = sizeof trace;
  trace.id = tl_str("t");
  trace.set_mask = TL_BIT(TL_FIELD_METADATA);
  trace.metadata = {TL_FORM_JSON, text_of(metadata)};
  must(tl_put_trace(store.get(), &trace));
  store.flush();
  tl_filter filter{};
  filter.struct_size = sizeof filter;
  filter.metadata_key = tl_str("image");
  filter.metadata_value = text_of(uri);
  tl_cursor* cursor = nullptr;
  must(tl_list(store.get(), nullptr, TL_KIND_TRACE, &filter, TL_ORDER_TIME, {}, 0, &cursor));
  Rows rows(cursor);
  BOOST_TEST(rows.next());
  store.check();
}

// -------------------------------------------------------------------------------- check

namespace {

// What check says after `damage` was done to a file with one medium.
template <class Damage>
std::string findings_after(const Damage& damage) {
  const Folder folder;
  const std::string bytes = noise(300'000);
  {
    const Store store(folder.file());
    const std::string text = uri_of(bytes);
    put(store, "o", {TL_FORM_TEXT, text_of(text)});
    store.flush();
    store.check();
  }
  {
    auto environment = store::test::must(store::Environment::open(folder.file(), {}));
    auto transaction = store::test::must(environment->begin_write());
    const std::string hash = payload::media_hash(bytes);
    auto head = store::test::must(payload::find_medium(transaction, hash)).value();
    damage(transaction, hash, head);
    store::test::must(transaction.commit());
  }
  const Store store(folder.file());
  std::string findings;
  const auto take = [](void* context, tl_text where, tl_text message) {
    static_cast<std::string*>(context)->append(string_of(where) + ": " + string_of(message) + "\n");
  };
  BOOST_TEST(tl_check(store.get(), take, &findings, nullptr, nullptr) == TL_CORRUPT);
  return findings;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(check_finds_what_is_wrong_with_media) {
  using store::WriteTransaction;
  const auto must_be_ok = [](const Status& status) { store::test::must(status); };
  std::string findings = findings_after(
      [&](WriteTransaction& transaction, const std::string& hash, payload::MediumHead head) {
        head.use_count = 7;
        must_be_ok(put_medium_head(transaction, hash, head));
      });
  BOOST_TEST(has(findings, "media: medium"), findings);
  BOOST_TEST(has(findings, "counts 7 uses, payloads have 1"), findings);

  findings = findings_after(
      [&](WriteTransaction& transaction, const std::string& hash, const payload::MediumHead&) {
        must_be_ok(payload::erase_medium_head(transaction, hash));
      });
  BOOST_TEST(has(findings, "it is missing"), findings);
  BOOST_TEST(has(findings, "belong to no medium"), findings);

  findings = findings_after(
      [&](WriteTransaction& transaction, const std::string&, const payload::MediumHead& head) {
        payload::PayloadWriter payloads;
        must_be_ok(payloads.erase(transaction, head.number));
      });
  BOOST_TEST(has(findings, "its bytes are missing"), findings);

  findings = findings_after(
      [&](WriteTransaction& transaction, const std::string& hash, payload::MediumHead head) {
        payload::PayloadWriter payloads;
        must_be_ok(payloads.erase(transaction, head.number));
        auto number = store::test::must(payloads.create_medium(transaction));
        must_be_ok(payloads.append(transaction, number, noise(300'000, 9)));
        head.number = number;
        must_be_ok(put_medium_head(transaction, hash, head));
      });
  BOOST_TEST(has(findings, "its bytes have another hash"), findings);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
