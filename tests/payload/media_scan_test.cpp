// What is taken out of payloads as media, and that it comes back byte for byte.
#include "payload/media_scan.hpp"

#include "model/media.hpp"
#include "payload/base64.hpp"
#include "payload/json_scanner.hpp"
#include "payload/store_fixture.hpp"
#include "payload/value_reader.hpp"
#include "support/random_seed.hpp"

namespace tracelite::test {
namespace {

using model::Form;
using model::PayloadValue;
using payload::Medium;
using payload::ReadMode;
using payload::take_out_media;
using payload::WithoutMedia;

std::string bytes_of(std::size_t size_bytes, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::string bytes;
  for (std::size_t i = 0; i < size_bytes; ++i) bytes.push_back(static_cast<char>(random()));
  return bytes;
}

std::string base64_of(Bytes bytes) {
  std::string text;
  payload::append_base64(text, bytes);
  return text;
}

std::string uri_of(Bytes bytes, const std::string& header = "data:image/png;base64,") {
  return header + base64_of(bytes);
}

std::string reference_to(Bytes bytes, const std::string& mime = "image/png") {
  return "@@@langfuseMedia:type=" + mime + "|id=" + model::media_id(payload::media_hash(bytes)) +
         "|source=base64_data_uri@@@";
}

// How many media were taken out; that they come back is checked.
class Media : public StoreFixture {
 public:
  std::size_t taken(Form form, const std::string& payload) {
    if (form == Form::json) BOOST_REQUIRE(!payload::check_json(payload).has_value());
    const auto without = take_out_media(form, payload);
    stored = without ? without->text : payload;
    if (form == Form::json) BOOST_TEST(!payload::check_json(stored).has_value());
    if (!without) return 0;
    BOOST_TEST((given_again(form, *without) == payload), "not what was given");
    return without->media.size();
  }
  std::string given_again(Form form, const WithoutMedia& without) {
    auto transaction = begin();
    for (const Medium& medium : without.media) need(put_medium(transaction, writer, medium));
    const std::string coded = PayloadValue::encode_inline(form, without.text, without.places());
    return need(payload::ValueReader(transaction)
                    .read_all(PayloadValue::decode(coded), ReadMode::as_given));
  }
  std::string stored;  // of the last payload
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(media_scan, Media)

BOOST_AUTO_TEST_CASE(a_reference_is_named_as_langfuse_names_it) {
  // SHA-256 of "abc" is ba7816bf 8f01cfea 414140de 5dae2223 b00361a3...
  const std::string hash = payload::media_hash("abc");
  BOOST_TEST(model::media_id(hash) == "ungWv48Bz-pBQUDeXa4iI7");
  BOOST_TEST((model::media_id_prefix("ungWv48Bz-pBQUDeXa4iI7") == hash.substr(0, 16)));
  BOOST_TEST(!model::media_id_prefix("ungWv48Bz+pBQUDeXa4iI7").has_value());
  BOOST_TEST(!model::media_id_prefix("short").has_value());
}

BOOST_AUTO_TEST_CASE(a_data_uri_is_taken_out_anywhere_in_a_text) {
  const std::string bytes = bytes_of(300);
  BOOST_TEST(taken(Form::text, uri_of(bytes)) == 1U);
  BOOST_TEST(stored == reference_to(bytes));
  BOOST_TEST(taken(Form::text, "see ![it](" + uri_of(bytes) + ") and wonder") == 1U);
  BOOST_TEST(stored == "see ![it](" + reference_to(bytes) + ") and wonder");
  BOOST_TEST(taken(Form::text, "\xe5\x9b\xbe" + uri_of(bytes) + "\xe5\x9b\xbe") == 1U);
  BOOST_TEST(taken(Form::text, uri_of(bytes) + "\nDescribe this.") == 1U);
}

BOOST_AUTO_TEST_CASE(a_data_uri_is_taken_out_of_any_string_of_json) {
  const std::string bytes = bytes_of(301);
  BOOST_TEST(taken(Form::json, "\"" + uri_of(bytes) + "\"") == 1U);
  BOOST_TEST(stored == "\"" + reference_to(bytes) + "\"");
  BOOST_TEST(taken(Form::json, R"({"image_url":{"url":")" + uri_of(bytes) + R"("}})") == 1U);
  BOOST_TEST(taken(Form::json, R"({")" + uri_of(bytes) + R"(":1})") == 1U);
  // JSON in a string in JSON.
  BOOST_TEST(taken(Form::json, R"(["{\"url\":\")" + uri_of(bytes) + R"(\",\"a\":1}"])") == 1U);
}

BOOST_AUTO_TEST_CASE(objects_that_say_what_their_data_is_lose_it) {
  const std::string bytes = bytes_of(200);
  const std::string base64 = base64_of(bytes);
  for (const std::string object : {
           R"({"type":"base64","media_type":"image/png","data":"@"})",
           R"({"data":"@","type":"base64","media_type":"image/png"})",
           R"({ "type" : "base64" , "media_type" : "image\/png" , "data" : "@" })",
           R"({"type":"media","mime_type":"image/png","data":"@"})",
           R"({"inline_data":{"mime_type":"image/png","data":"@"}})",
           R"({"inlineData":{"mimeType":"image/png","data":"@"}})",
           R"({"parts":[{"text":"a"},{"inlineData":{"data":"@","mimeType":"image/png"}}]})",
       }) {
    BOOST_TEST_CONTEXT(object) {
      const std::size_t at = object.find('@');
      BOOST_TEST(taken(Form::json, std::string(object).replace(at, 1, base64)) == 1U);
      BOOST_TEST(stored == std::string(object).replace(at, 1, reference_to(bytes)));
    }
  }
}

BOOST_AUTO_TEST_CASE(what_only_looks_like_media_stays) {
  const std::string base64 = base64_of(bytes_of(300));
  for (const std::string payload : {
           R"({"type":"text","media_type":"image/png","data":"@"})",
           R"({"type":"base64","data":"@"})",
           R"({"type":"base64","media_type":"png","data":"@"})",
           R"({"type":"base64","media_type":"image/png","text":"@"})",
           R"({"type":"base64","media_type":"image/png","data":"@","data":"@"})",
           R"({"type":"base64","media_type":"image/png","data":" @"})",
           R"({"type":"base64","media_type":"image/png","data":"@ "})",
           R"({"type":"base64","media_type":"image/png","data":["@"]})",
           R"({"mime_type":"image/png","data":"@"})",
           R"({"inline_data":[{"mime_type":"image/png","data":"@"}]})",
           R"({"inlineData":{"mimeType":"image/png","bytes":"@"}})",
           R"("data:image/png,@")",
           R"("data:;base64,@")",
           R"("data:image;base64,@")",
           R"("data: image/png;base64,@")",
           R"("image/png;base64,@")",
           R"(";base64,@")",
           R"("@")",
           R"({"@":"data"})",
       }) {
    BOOST_TEST_CONTEXT(payload) {
      std::string filled = payload;
      for (auto at = filled.find('@'); at != std::string::npos; at = filled.find('@')) {
        filled.replace(at, 1, base64);
      }
      BOOST_TEST(taken(Form::json, filled) == 0U);
    }
  }
}

BOOST_AUTO_TEST_CASE(what_encoding_again_would_not_give_stays) {
  const std::string bytes = bytes_of(299);  // base64 with one '='
  const std::string uri = uri_of(bytes);
  BOOST_TEST(taken(Form::text, uri) == 1U);
  BOOST_TEST(taken(Form::text, uri.substr(0, uri.size() - 1)) == 0U);  // no padding
  std::string loose = uri;
  loose[loose.size() - 2] = static_cast<char>(loose[loose.size() - 2] + 1);  // bits behind the end
  BOOST_TEST(taken(Form::text, loose) == 0U);
  const std::string base64 = base64_of(bytes);
  for (const std::size_t width : {76U, 256U}) {
    for (const char* line_break : {"\n", "\r\n"}) {
      std::string broken = "data:image/png;base64,";
      std::string escaped = "\"data:image/png;base64,";
      for (std::size_t at = 0; at < base64.size(); at += width) {
        broken += base64.substr(at, width) + line_break;
        escaped += base64.substr(at, width) + (*line_break == '\r' ? "\\r\\n" : "\\n");
      }
      BOOST_TEST(taken(Form::text, broken) == 0U);
      BOOST_TEST(taken(Form::json, escaped + "\"") == 0U);
    }
  }
}

BOOST_AUTO_TEST_CASE(escaped_slashes_come_back_escaped) {
  std::string bytes = bytes_of(400);
  bytes.replace(0, 6, "\xff\xff\xff\xff\xff\xff");  // ////////
  const std::string escaped = payload::escape_slashes(base64_of(bytes));
  BOOST_TEST(taken(Form::json, R"(["data:image\/png;base64,)" + escaped + R"("])") == 1U);
  BOOST_TEST(stored == "[\"" + reference_to(bytes) + "\"]");
  BOOST_TEST(taken(Form::json, R"({"type":"base64","media_type":"image/png","data":")" + escaped +
                                   R"("})") == 1U);
  // One slash as it is among others.
  std::string mixed = escaped;
  mixed.erase(mixed.rfind("\\/"), 1);
  BOOST_TEST(taken(Form::json, R"(["data:image\/png;base64,)" + mixed + R"("])") == 0U);
}

BOOST_AUTO_TEST_CASE(parameters_of_a_data_uri_come_back) {
  const std::string bytes = bytes_of(256);
  BOOST_TEST(taken(Form::text, uri_of(bytes, "data:text/plain;charset=utf-8;base64,")) == 1U);
  BOOST_TEST(stored == reference_to(bytes, "text/plain"));
}

BOOST_AUTO_TEST_CASE(short_base64_stays) {
  const std::size_t least = model::kMediaTextSizeBytesMin / 4 * 3;
  static_assert(model::kMediaTextSizeBytesMin == 128);
  BOOST_TEST(taken(Form::text, uri_of(bytes_of(least))) == 1U);
  BOOST_TEST(taken(Form::text, uri_of(bytes_of(least - 3))) == 0U);
}

BOOST_AUTO_TEST_CASE(bytes_are_never_looked_into) {
  BOOST_TEST(!take_out_media(Form::bytes, uri_of(bytes_of(300))).has_value());
}

BOOST_AUTO_TEST_CASE(a_reference_that_was_typed_is_text) {
  const std::string bytes = bytes_of(300);
  const std::string typed = reference_to(bytes);
  BOOST_TEST(taken(Form::text, typed) == 0U);
  BOOST_TEST(taken(Form::text, typed + uri_of(bytes) + typed) == 1U);
  BOOST_TEST(stored == typed + typed + typed);
}

BOOST_AUTO_TEST_CASE(a_mime_type_has_at_most_100_bytes) {
  static_assert(model::kMimeSizeBytesMax == 100);
  const std::string bytes = bytes_of(300);
  for (const bool fits : {true, false}) {
    const std::string mime = "image/" + std::string(fits ? 94 : 95, 'x');
    const std::string object =
        R"({"type":"base64","media_type":")" + mime + R"(","data":")" + base64_of(bytes) + R"("})";
    BOOST_TEST(taken(Form::text, uri_of(bytes, "data:" + mime + ";base64,")) == (fits ? 1U : 0U));
    if (fits) BOOST_TEST(stored == reference_to(bytes, mime));
    BOOST_TEST(taken(Form::json, object) == (fits ? 1U : 0U));
  }
}

BOOST_AUTO_TEST_CASE(what_stands_before_base64_has_at_most_256_bytes) {
  static_assert(model::kMediaHeaderSizeBytesMax == 256);
  for (const std::size_t size_bytes : {256U, 257U}) {
    std::string header = "data:text/plain;name=";
    header += std::string(size_bytes - header.size() - 8, 'n') + ";base64,";
    BOOST_REQUIRE_EQUAL(header.size(), size_bytes);
    BOOST_TEST(taken(Form::text, "so: " + uri_of(bytes_of(300), header)) ==
               (size_bytes == 256 ? 1U : 0U));
  }
}

BOOST_AUTO_TEST_CASE(base64_with_escaped_slashes_has_at_most_4_mib) {
  static_assert(model::kEscapedMediaTextSizeBytesMax == std::size_t{4} << 20);
  std::string bytes(std::size_t{3} << 19, '\xff');  // two million slashes
  for (const bool fits : {true, false}) {
    if (!fits) bytes.append(3, '\0');
    const std::string escaped = payload::escape_slashes(base64_of(bytes));
    BOOST_REQUIRE_EQUAL(escaped.size(), (std::size_t{4} << 20) + (fits ? 0 : 4));
    BOOST_TEST(taken(Form::json, R"(["data:image\/png;base64,)" + escaped + R"("])") ==
               (fits ? 1U : 0U));
  }
}

BOOST_AUTO_TEST_CASE(only_so_many_are_taken_out_of_one_payload) {
  static_assert(model::kMediaPerPayloadMax == 1000);
  std::string payload;
  for (unsigned i = 0; i < 1000; ++i) payload += uri_of(bytes_of(96, i % 7)) + ' ';
  const std::string one_more = uri_of(bytes_of(96, 1));
  for (const std::string& more : {std::string(), one_more, one_more + ' ' + one_more}) {
    BOOST_TEST(taken(Form::text, payload + more) == 7U);
    BOOST_TEST(std::count(stored.begin(), stored.end(), '@') == 6 * 1000);
    BOOST_TEST(stored.ends_with(more));
  }
}

BOOST_AUTO_TEST_CASE(deep_nesting_neither_recurses_nor_takes_long) {
  const std::string base64 = base64_of(bytes_of(300));
  const std::string object = R"({"type":"base64","media_type":"image/png","data":")" + base64 +
                             R"(","u":"data:image/png;base64,)" + base64 + R"("})";
  static_assert(model::kMediaDepthMax == 64);
  for (const std::size_t depth : {1U, 64U, 65U, 100'000U}) {
    const std::string payload = std::string(depth, '[') + object + std::string(depth, ']');
    BOOST_TEST(taken(Form::json, payload) == 1U);  // the same medium twice
    const auto uses = static_cast<std::size_t>(std::count(stored.begin(), stored.end(), '@')) / 6;
    BOOST_TEST(uses == (depth > model::kMediaDepthMax ? 1U : 2U));
  }
}

// Payloads made of parts that are media, nearly are, or are not at all.
BOOST_AUTO_TEST_CASE(any_payload_comes_back_as_it_was_given) {
  std::mt19937 random(tracelite::test::short_random_seed());
  const auto below = [&](std::size_t count) { return static_cast<std::size_t>(random()) % count; };
  std::size_t taken_count = 0;
  for (std::size_t round = 0; round < scaled(3000); ++round) {
    const Form form = below(2) == 0 ? Form::json : Form::text;
    std::string text;
    for (std::size_t part = below(6) + 1; part > 0; --part) {
      const std::string bytes =
          bytes_of(below(5) == 0 ? below(5000) : 90 + below(30), static_cast<unsigned>(below(20)));
      std::string base64 = base64_of(bytes);
      switch (below(8)) {
        case 0:
          base64 = payload::escape_slashes(base64);
          break;
        case 1:
          if (!base64.empty()) base64[below(base64.size())] = "A=/+\\- \n"[below(6)];
          if (form == Form::json) base64 = base64_of(base64);
          break;
        case 2:
          base64.insert(below(base64.size() + 1), form == Form::json ? "\\n" : "\n");
          break;
        case 3:
          base64 += base64;
          break;
        default:
          break;
      }
      static constexpr const char* kHeaders[] = {"data:image/png;base64,",
                                                 "data:image\\/png;base64,",
                                                 "data:a/b;c=d;base64,",
                                                 "data:data:image/png;base64,",
                                                 "data:image/png;base64",
                                                 ";base64,",
                                                 "",
                                                 "data:x;base64,"};
      static constexpr const char* kBetween[] = {"", " ", ")", "word", "\\n", "/", "=", "\\\\"};
      text += kHeaders[below(std::size(kHeaders))] + base64 + kBetween[below(std::size(kBetween))];
    }
    if (form == Form::json) {
      text = below(2) == 0 ? "[\"" + text + "\"]"
                           : R"({"type":"base64","media_type":"a/b","data":")" + text + "\"}";
      if (payload::check_json(text).has_value()) continue;
    }
    taken_count += taken(form, text);
  }
  BOOST_TEST(taken_count > scaled(3000) / 4);
}

BOOST_AUTO_TEST_CASE(a_window_of_any_size_reads_as_the_whole_does) {
  std::mt19937 random(tracelite::test::short_random_seed());
  const std::string large = bytes_of(700'001, 5);
  const std::string payload = "a " + uri_of(bytes_of(500, 2)) + uri_of(large) + " b " +
                              "data:image\\/png;base64," +
                              payload::escape_slashes(base64_of(bytes_of(150'000, 3))) + " c";
  const auto without = take_out_media(Form::text, payload);
  BOOST_REQUIRE(without.has_value());
  BOOST_TEST(without->media.size() == 3U);
  auto transaction = begin();
  for (const Medium& medium : without->media) need(put_medium(transaction, writer, medium));
  const PayloadNumber number = need(writer.put(transaction, without->text));
  const std::string coded =
      PayloadValue::encode_stored(Form::text, number, without->text.size(), without->places());
  const PayloadValue value = PayloadValue::decode(coded);
  BOOST_TEST(value.size_bytes == payload.size());
  const payload::ValueReader reader(transaction);
  for (int round = 0; round < 300; ++round) {
    const std::size_t offset = random() % (payload.size() + 10);
    std::string window(random() % (round % 10 == 0 ? 1'000'000 : 3000), '?');
    const std::size_t read = need(reader.read_into(value, ReadMode::as_given, offset, window));
    const std::string expected =
        offset < payload.size() ? payload.substr(offset, window.size()) : std::string();
    BOOST_REQUIRE(window.substr(0, read) == expected);
  }
  std::string window(without->text.size(), '?');
  BOOST_TEST(need(reader.read_into(value, ReadMode::as_stored, 0, window)) == window.size());
  BOOST_TEST((window == without->text));
}

BOOST_AUTO_TEST_SUITE_END()

// ------------------------------------------------------------------------------ after a mask

BOOST_FIXTURE_TEST_SUITE(media_kept, Media)

BOOST_AUTO_TEST_CASE(references_that_moved_are_found_and_typed_ones_are_not) {
  const std::string a = bytes_of(300, 1);
  const std::string b = bytes_of(300, 2);
  const std::string typed = reference_to(a);
  const auto kept = [&](const std::string& payload,
                        const std::function<std::string(std::string)>& mask) {
    auto without = take_out_media(Form::text, payload);
    BOOST_REQUIRE(without.has_value());
    const std::string coded =
        PayloadValue::encode_inline(Form::text, without->text, without->places());
    const std::string changed = mask(without->text);
    auto left = payload::keep_media(PayloadValue::decode(coded), changed);
    if (!left) return changed;
    left->media = without->media;
    return given_again(Form::text, *left);
  };
  const auto redact = [](std::string text) {
    for (auto at = text.find("secret"); at != std::string::npos; at = text.find("secret")) {
      text.replace(at, 6, "*");
    }
    return text;
  };
  BOOST_TEST(kept("secret " + uri_of(a) + " secret " + uri_of(b), redact) ==
             "* " + uri_of(a) + " * " + uri_of(b));
  // The typed one stays typed.
  BOOST_TEST(kept("secret " + typed + uri_of(a), redact) == "* " + typed + uri_of(a));
  BOOST_TEST(kept(uri_of(a) + typed + "secret", redact) == uri_of(a) + typed + "*");
  // Swapped, and one of them gone.
  const std::string both = uri_of(a) + ", " + uri_of(b);
  BOOST_TEST(kept(both, [&](const std::string&) { return reference_to(b) + reference_to(a); }) ==
             uri_of(b) + uri_of(a));
  BOOST_TEST(kept(both, [&](const std::string&) { return "only " + reference_to(b); }) ==
             "only " + uri_of(b));
  // One of two that read alike is gone: nobody knows which.
  BOOST_TEST(kept(uri_of(a) + typed, [&](const std::string&) { return typed; }) == typed);
  BOOST_TEST(kept(uri_of(a), [](const std::string&) { return std::string("gone"); }) == "gone");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::test
