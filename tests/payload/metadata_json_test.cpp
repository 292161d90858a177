// Metadata taken apart by its keys, and what becomes of metadata that is no object.
#include "payload/metadata_json.hpp"

#include <boost/test/unit_test.hpp>
#include <map>
#include <optional>
#include <vector>

#include "model/limits.hpp"
#include "payload/json_scanner.hpp"
#include "random_json.hpp"

namespace tracelite::test {
namespace {

using model::Form;
using model::MetadataTree;
using model::Order;
using payload::metadata_object;
using payload::parse_metadata;

Order at(std::int64_t time) { return {time, false, time, 0}; }

MetadataTree parsed(Bytes json, std::int64_t time = 1) {
  auto tree = parse_metadata(json, at(time));
  if (!tree) BOOST_FAIL(tree.error().message);
  return std::move(*tree);
}

// "a.b=1 c~{} d!": keys joined by dots, then the leaf's text; ~ marks a weak one, ! a cleared one.
std::string leaves(Bytes json) {
  std::string out;
  const MetadataTree tree = parsed(json, 7);
  for (const auto& leaf : tree.leaves()) {
    BOOST_TEST((leaf.order == at(7)));
    out += out.empty() ? "" : " ";
    Bytes rest = leaf.path;
    for (bool first = true; !rest.empty(); first = false) {
      out += (first ? "" : ".") + model::take_path_key(rest);
    }
    out += leaf.cleared ? "!" : (leaf.weak ? "~" : "=") + leaf.json;
    if (leaf.cleared) BOOST_TEST(leaf.json.empty());
  }
  return out;
}

std::string merged(const std::vector<Bytes>& texts) {
  MetadataTree whole = parsed(texts[0], 0);
  for (std::size_t i = 1; i < texts.size(); ++i) {
    whole = MetadataTree::join(whole, parsed(texts[i], static_cast<std::int64_t>(i)));
  }
  return whole.visible().value_or("(nothing)");
}

BOOST_AUTO_TEST_SUITE(metadata_json)

BOOST_AUTO_TEST_CASE(every_path_that_ends_is_a_leaf_with_its_exact_text) {
  BOOST_TEST(leaves(R"({"b":1.0,"a":"x\u0041"})") == R"(a="x\u0041" b=1.0)");
  BOOST_TEST(leaves(R"( { "a" : { "c" : true , "b" : [ 1, {"k":null} ] } } )") ==
             R"(a.b=[ 1, {"k":null} ] a.c=true)");
  BOOST_TEST(leaves("{\"a\":\n-1e5\n}") == "a=-1e5");
}

BOOST_AUTO_TEST_CASE(empty_objects_are_weak_and_nulls_cleared) {
  BOOST_TEST(leaves("{}") == "~{}");
  BOOST_TEST(leaves(" {\n} ") == "~{\n}");
  BOOST_TEST(leaves("null") == "!");
  BOOST_TEST(leaves(" null\n") == "!");
  BOOST_TEST(leaves(R"({"a":{},"b":null,"c":{"d":{ },"e":null}})") == "a~{} b! c.d~{ } c.e!");
  BOOST_TEST(leaves(R"({"a":[],"b":"","c":"null","d":"{}"})") == R"(a=[] b="" c="null" d="{}")");
}

BOOST_AUTO_TEST_CASE(of_a_key_given_twice_the_last_counts) {
  BOOST_TEST(leaves(R"({"a":1,"a":2})") == "a=2");
  BOOST_TEST(leaves(R"({"a":{"b":1},"c":0,"a":{"d":2}})") == "a.d=2 c=0");
  BOOST_TEST(leaves(R"({"a":{"b":1},"a":5})") == "a=5");
  BOOST_TEST(leaves(R"({"a":5,"a":{"b":1}})") == "a.b=1");
  BOOST_TEST(leaves(R"({"a":1,"a":null})") == "a!");
  BOOST_TEST(leaves(R"({"a":1,"a":{}})") == "a~{}");
  BOOST_TEST(leaves(R"({"a":1,"\u0061":2})") == "a=2");  // one key, written in two ways
  BOOST_TEST(leaves(R"({"a":1,"a":2,"a":3,"b":4,"b":5})") == "a=3 b=5");
}

BOOST_AUTO_TEST_CASE(keys_may_hold_anything) {
  BOOST_TEST(leaves(R"({"":1})") == "=1");
  BOOST_TEST(leaves(R"({"":{"":2}})") == ".=2");
  BOOST_TEST(leaves(R"({"a\u0000b":1,"a\u0000":2})") ==
             std::string("a\0=2 ", 5) + std::string("a\0b=1", 5));
  BOOST_TEST(leaves(R"({"\"\\\/":1})") == R"("\/=1)");
  BOOST_TEST(leaves("{\"\xc3\xa9\":1,\"\\u00e8\":2}") == "\xc3\xa8=2 \xc3\xa9=1");
  BOOST_TEST(merged({R"({"\u0000\"\\\n\u001f\u00e9\ud83d\ude00":1})", R"({"a":1})"}) ==
             "{\"\\u0000\\\"\\\\\\u000a\\u001f\xc3\xa9\xf0\x9f\x98\x80\":1,\"a\":1}");
}

// {"k":{"k":... value ...}} with so many keys.
std::string nested(std::size_t depth, const std::string& value) {
  std::string out;
  for (std::size_t i = 0; i < depth; ++i) out += R"({"k":)";
  out += value;
  return out + std::string(depth, '}');
}

BOOST_AUTO_TEST_CASE(objects_below_the_deepest_merged_key_are_one_leaf) {
  constexpr std::size_t kMax = model::kMetadataMergeDepthMax;
  const auto only_leaf = [](const std::string& json) {
    const MetadataTree tree = parsed(json);
    BOOST_REQUIRE(tree.leaves().size() == 1U);
    return tree.leaves()[0];
  };
  BOOST_TEST(only_leaf(nested(kMax, "1")).json == "1");
  BOOST_TEST(only_leaf(nested(kMax + 1, "1")).json == R"({"k":1})");
  BOOST_TEST(only_leaf(nested(kMax + 1, "null")).json == R"({"k":null})");
  BOOST_TEST(!only_leaf(nested(kMax + 1, "null")).cleared);
  BOOST_TEST(only_leaf(nested(kMax, "null")).cleared);
  BOOST_TEST(only_leaf(nested(kMax, "{}")).weak);
  BOOST_TEST(only_leaf(nested(kMax + 100, "{}")).json == nested(100, "{}"));
  // Replaced whole, not merged by key; and what was made can be read again.
  const std::string both = merged({nested(kMax, R"({"a":1})"), nested(kMax, R"({"b":2})")});
  BOOST_TEST(both == nested(kMax, R"({"b":2})"));
  BOOST_TEST(MetadataTree::decode(parsed(nested(kMax + 1, "1")).encode()).ok());
}

// Each value below them would repeat them.
BOOST_AUTO_TEST_CASE(objects_below_long_keys_are_one_leaf) {
  const auto leaf_count = [](std::size_t size) {
    const std::string key(size, 'k');
    return parsed("{\"" + key + R"(":{"a":1,"b":2}})").leaves().size();
  };
  constexpr std::size_t kMax = model::kMetadataMergePathSizeBytesMax;
  BOOST_TEST(leaf_count(kMax - 2) == 2U);  // a coded key ends with two bytes
  BOOST_TEST(leaf_count(kMax - 1) == 1U);
  BOOST_TEST(leaf_count(1'000'000) == 1U);
}

BOOST_AUTO_TEST_CASE(a_hundred_thousand_levels_need_no_stack) {
  const MetadataTree tree = parsed(nested(100'000, "1"));
  BOOST_TEST(tree.leaves().size() == 1U);
  BOOST_TEST((tree.visible() == nested(100'000, "1")));
}

BOOST_AUTO_TEST_CASE(a_hundred_thousand_keys_are_taken_in_one_go) {
  std::string json = "{";
  for (int i = 0; i < 100'000; ++i)
    json += "\"k" + std::to_string(i) + "\":" + std::to_string(i) + ",";
  json += "\"k0\":0}";
  BOOST_TEST(parsed(json).leaves().size() == 100'000U);
}

BOOST_AUTO_TEST_CASE(metadata_that_is_no_object_is_refused) {
  for (const Bytes json : {"1", "[]", "\"a\"", "true", "", "  ", "nul", "nullx"}) {
    const auto tree = parse_metadata(json, at(1));
    BOOST_REQUIRE(!tree);
    BOOST_TEST((tree.error().code == Code::corrupt));
    BOOST_TEST(tree.error().field == "metadata");
  }
}

BOOST_AUTO_TEST_CASE(events_merge_by_key) {
  BOOST_TEST(merged({R"({"a":{"x":1,"y":2},"b":1})", R"({"a":{"y":null,"z":3}})",
                     R"({"b":[1]})"}) == R"({"a":{"x":1,"z":3},"b":[1]})");
  BOOST_TEST(merged({R"({"a":{"x":1}})", R"({"a":{}})", "{}"}) == R"({"a":{"x":1}})");
  BOOST_TEST(merged({R"({"a":1})", "null", R"({"b":2})"}) == R"({"b":2})");
  BOOST_TEST(merged({R"({"a":1})", R"({"a":null})"}) == "(nothing)");
}

// What JSON means as far as merging sees it: members sorted, of keys given twice the last.
std::string canonical(Bytes json, const std::string& path = {}) {
  if (payload::json_type(json) != payload::JsonType::object) return std::string(json);
  if (path.size() > model::kMetadataMergePathSizeBytesMax) return std::string(json);
  std::map<std::string, Bytes> members;
  for (payload::JsonWalker walker(json); walker.next();) {
    members[payload::unescape_json(walker.key())] = walker.value();
  }
  if (members.empty()) return std::string(json);
  std::string out;
  for (const auto& [key, value] : members) {
    if (value == "null") continue;
    std::string path_of_key = path;
    model::append_path_key(path_of_key, key);
    const std::string text = canonical(value, path_of_key);
    if (text.empty()) continue;
    out += out.empty() ? "{" : ",";
    // Written as the tree writes keys: only what must be escaped, always by its number.
    out += '"';
    for (const char c : key) {
      if (c == '"' || c == '\\') out += '\\';
      if (static_cast<unsigned char>(c) < 0x20) {
        constexpr Bytes kHex = "0123456789abcdef";
        out += std::string("\\u00") + kHex[static_cast<std::size_t>(c) / 16] +
               kHex[static_cast<std::size_t>(c) % 16];
      } else {
        out += c;
      }
    }
    out += "\":" + text;
  }
  return out.empty() ? out : out + "}";
}

BOOST_AUTO_TEST_CASE(random_objects_keep_every_value_and_come_out_as_valid_json) {
  const std::uint64_t seed = random_seed();
  RandomJson random(seed);
  for (int round = 0; round < 3'000; ++round) {
    const std::string json = random.container(5, true);
    BOOST_TEST_INFO_SCOPE("TL_SEED=" << seed << " round " << round << " " << json);
    const auto visible = parsed(json).visible();
    if (visible) {
      BOOST_REQUIRE(!payload::check_json(*visible));
      BOOST_REQUIRE(payload::json_type(*visible) == payload::JsonType::object);
    }
    const std::size_t last = json.find_last_not_of(" \t\r\n");
    BOOST_REQUIRE(visible.value_or("") == canonical(Bytes(json).substr(0, last + 1)));
  }
}

BOOST_AUTO_TEST_CASE(a_key_without_a_value_is_refused) {
  for (const Bytes json : {R"({"a":})", R"({"a":{"b":}1})", R"({"a":1,"b": })"}) {
    const auto tree = parse_metadata(json, at(1));
    BOOST_REQUIRE(!tree);
    BOOST_TEST((tree.error().code == Code::corrupt));
  }
}

BOOST_AUTO_TEST_CASE(damaged_text_is_refused_or_taken_apart_into_what_can_be_coded) {
  const std::uint64_t seed = random_seed();
  BOOST_TEST_INFO_SCOPE("TL_SEED=" << seed);
  RandomJson random(seed);
  for (int round = 0; round < 20'000; ++round) {
    const std::string json = random.mutated(random.container(4, true));
    const std::string own_memory(json.data(), json.size());
    const auto tree = parse_metadata(own_memory, at(1));
    if (!tree) continue;
    (void)tree->visible();
    const auto decoded = MetadataTree::decode(tree->encode());
    BOOST_REQUIRE(decoded);
    BOOST_REQUIRE(decoded->leaves() == tree->leaves());
  }
}

BOOST_AUTO_TEST_CASE(what_is_no_object_is_kept_under_the_key_metadata) {
  BOOST_TEST(metadata_object(Form::json, " {\"a\" : 1} ") == " {\"a\" : 1} ");
  BOOST_TEST(metadata_object(Form::json, "{}") == "{}");
  BOOST_TEST(metadata_object(Form::json, "null") == "null");
  BOOST_TEST(metadata_object(Form::null, "") == "null");
  BOOST_TEST(metadata_object(Form::absent, "").empty());
  BOOST_TEST(metadata_object(Form::json, "[1, 2]") == R"({"metadata":[1, 2]})");
  BOOST_TEST(metadata_object(Form::json, "\"x\"") == R"({"metadata":"x"})");
  BOOST_TEST(metadata_object(Form::json, "1e5") == R"({"metadata":1e5})");
  BOOST_TEST(metadata_object(Form::text, "a \"b\"\n\\") == R"({"metadata":"a \"b\"\n\\"})");
  BOOST_TEST(metadata_object(Form::text, "") == R"({"metadata":""})");
  BOOST_TEST(metadata_object(Form::bytes, Bytes("\0\xff", 2)) ==
             R"({"metadata":{"$bytes":"AP8="}})");
  BOOST_TEST(metadata_object(Form::bytes, "") == R"({"metadata":{"$bytes":""}})");
}

BOOST_AUTO_TEST_CASE(metadata_made_an_object_can_be_taken_apart) {
  for (const auto& [form, bytes] : {std::pair<Form, Bytes>{Form::json, "[1]"},
                                    {Form::json, " 5 "},
                                    {Form::json, "{\"a\":1}"},
                                    {Form::json, "null"},
                                    {Form::null, ""},
                                    {Form::text, "\x01\xff"},
                                    {Form::bytes, "\x01\xff"}}) {
    const std::string object = metadata_object(form, bytes);
    BOOST_TEST(!payload::check_json(object));
    BOOST_TEST(parse_metadata(object, at(1)).ok());
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tracelite::test
