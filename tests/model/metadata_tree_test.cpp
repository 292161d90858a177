// Metadata merged from several events: keys are registers, deep.
#include "model/metadata_tree.hpp"

#include <boost/test/unit_test.hpp>

#include "random_metadata.hpp"
#include "support.hpp"

namespace tracelite::test {
namespace {

using model::MetadataLeaf;
using model::MetadataTree;
using model::Order;

Order at(std::int64_t time) { return {time, false, 0, 0}; }

// Paths are written as "a.b"; "" is the root.
std::string path(Bytes dotted) {
  std::string out;
  while (!dotted.empty()) {
    const std::size_t dot = dotted.find('.');
    model::append_path_key(out, dotted.substr(0, dot));
    dotted.remove_prefix(dot == Bytes::npos ? dotted.size() : dot + 1);
  }
  return out;
}

MetadataTree wrote(std::int64_t time, Bytes dotted, Bytes json) {
  MetadataTree tree;
  const bool cleared = json == "null";
  tree.add({path(dotted), at(time), json == "{}", cleared, std::string(cleared ? Bytes() : json)});
  tree.finish();
  return tree;
}

// Joins in every order; all must agree.
std::string merged(std::vector<MetadataTree> trees) {
  std::vector<std::size_t> turn(trees.size());
  for (std::size_t i = 0; i < turn.size(); ++i) turn[i] = i;
  std::string first;
  do {
    MetadataTree whole = trees[turn[0]];
    for (std::size_t i = 1; i < turn.size(); ++i) {
      whole = MetadataTree::join(whole, trees[turn[i]]);
    }
    if (first.empty()) first = whole.encode();
    BOOST_TEST(whole.encode() == first);
  } while (std::next_permutation(turn.begin(), turn.end()));
  return value_of(MetadataTree::decode(first)).visible().value_or("(nothing)");
}

BOOST_AUTO_TEST_CASE(keys_of_all_events_come_together_sorted) {
  BOOST_TEST(merged({wrote(1, "b", "1"), wrote(2, "a", "2"), wrote(3, "c.y", "3"),
                     wrote(4, "c.x", "4")}) == R"({"a":2,"b":1,"c":{"x":4,"y":3}})");
}

BOOST_AUTO_TEST_CASE(the_last_event_gives_a_key_its_value) {
  BOOST_TEST(merged({wrote(1, "a", "1"), wrote(3, "a", "3"), wrote(2, "a", "2")}) == R"({"a":3})");
}

BOOST_AUTO_TEST_CASE(null_clears_a_key_and_all_below_it) {
  BOOST_TEST(merged({wrote(1, "a", "1"), wrote(2, "a", "null")}) == "(nothing)");
  BOOST_TEST(merged({wrote(1, "a.b", "1"), wrote(2, "a", "null")}) == "(nothing)");
  BOOST_TEST(merged({wrote(1, "a.b", "1"), wrote(1, "c", "1"), wrote(2, "a", "null")}) ==
             R"({"c":1})");
  BOOST_TEST(merged({wrote(1, "a.b", "1"), wrote(2, "a", "null"), wrote(3, "a.c", "2")}) ==
             R"({"a":{"c":2}})");
  BOOST_TEST(merged({wrote(1, "a.b", "1"), wrote(2, "a.b", "null"), wrote(1, "a.c", "2")}) ==
             R"({"a":{"c":2}})");
}

BOOST_AUTO_TEST_CASE(null_at_the_root_clears_all_that_came_before) {
  BOOST_TEST(merged({wrote(1, "a", "1"), wrote(2, "", "null"), wrote(3, "b", "2")}) ==
             R"({"b":2})");
  BOOST_TEST(merged({wrote(1, "a", "1"), wrote(2, "", "null")}) == "(nothing)");
}

BOOST_AUTO_TEST_CASE(a_scalar_takes_the_place_of_an_object_and_back) {
  BOOST_TEST(merged({wrote(1, "a.b", "1"), wrote(2, "a", "5")}) == R"({"a":5})");
  BOOST_TEST(merged({wrote(1, "a", "5"), wrote(2, "a.b", "1")}) == R"({"a":{"b":1}})");
  BOOST_TEST(merged({wrote(1, "a.b", "1"), wrote(2, "a", "5"), wrote(3, "a.c", "2")}) ==
             R"({"a":{"c":2}})");
  BOOST_TEST(merged({wrote(1, "a", "5"), wrote(2, "a.b", "null")}) == "(nothing)");
  BOOST_TEST(merged({wrote(1, "a.b.c.d", "1"), wrote(2, "a", "5"), wrote(3, "a.b.e", "2")}) ==
             R"({"a":{"b":{"e":2}}})");
}

BOOST_AUTO_TEST_CASE(an_empty_object_shows_only_where_nothing_was_written) {
  BOOST_TEST(merged({wrote(1, "a", "{}")}) == R"({"a":{}})");
  BOOST_TEST(merged({wrote(1, "a", "5"), wrote(2, "a", "{}")}) == R"({"a":5})");
  BOOST_TEST(merged({wrote(1, "a", "null"), wrote(2, "a", "{}")}) == "(nothing)");
  BOOST_TEST(merged({wrote(1, "a.b", "1"), wrote(2, "a", "{}")}) == R"({"a":{"b":1}})");
  BOOST_TEST(merged({wrote(1, "a.b", "null"), wrote(2, "a", "{}")}) == "(nothing)");
  BOOST_TEST(merged({wrote(1, "a", "{}"), wrote(2, "a.b", "{}")}) == R"({"a":{"b":{}}})");
  BOOST_TEST(merged({wrote(1, "a", "{}"), wrote(2, "", "null")}) == "(nothing)");
  BOOST_TEST(merged({wrote(1, "", "null"), wrote(2, "a", "{}")}) == R"({"a":{}})");
  BOOST_TEST(merged({wrote(1, "", "{}"), wrote(2, "b", "1")}) == R"({"b":1})");
  BOOST_TEST(merged({wrote(2, "", "{}"), wrote(1, "", "null")}) == "(nothing)");
  BOOST_TEST(merged({wrote(1, "", "{}"), wrote(2, "", "{}")}) == "{}");
}

BOOST_AUTO_TEST_CASE(arrays_are_replaced_whole) {
  BOOST_TEST(merged({wrote(1, "a", "[1,2]"), wrote(2, "a", "[ 3 ]")}) == R"({"a":[ 3 ]})");
}

BOOST_AUTO_TEST_CASE(what_later_writes_have_replaced_is_forgotten) {
  const auto whole = MetadataTree::join(
      MetadataTree::join(wrote(1, "a.b", "1"), wrote(1, "a.c", "{}")), wrote(2, "a", "5"));
  BOOST_TEST(whole.leaves().size() == 1U);
  BOOST_TEST((whole.last_order() == at(2)));
}

BOOST_AUTO_TEST_CASE(strange_keys_come_back_escaped_and_in_the_order_of_their_bytes) {
  const std::vector<std::string> keys = {"",
                                         std::string("\0", 1),
                                         "\x01",
                                         "\"",
                                         "\\",
                                         "a",
                                         std::string("a\0", 2),
                                         std::string("a\0\0b", 4),
                                         "a\x01",
                                         "b",
                                         "\x7f",
                                         "\xc3\xa9",
                                         "\xf0\x9f\x98\x80"};
  std::vector<std::string> sorted = keys;
  std::sort(sorted.begin(), sorted.end());
  MetadataTree tree;
  for (const std::string& key : keys) {
    MetadataLeaf leaf;
    model::append_path_key(leaf.path, key);
    leaf.json = "0";
    tree.add(std::move(leaf));
  }
  tree.finish();
  BOOST_REQUIRE(tree.leaves().size() == keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    Bytes rest = tree.leaves()[i].path;
    BOOST_TEST(model::take_path_key(rest) == sorted[i]);
    BOOST_TEST(rest.empty());
  }
  BOOST_TEST(*tree.visible() ==
             "{\"\":0,\"\\u0000\":0,\"\\u0001\":0,\"\\\"\":0,\"\\\\\":0,\"a\":0,\"a\\u0000\":0,"
             "\"a\\u0000\\u0000b\":0,\"a\\u0001\":0,\"b\":0,\"\x7f\":0,\"\xc3\xa9\":0,"
             "\"\xf0\x9f\x98\x80\":0}");
}

BOOST_AUTO_TEST_CASE(a_key_that_starts_with_another_is_not_below_it) {
  BOOST_TEST(merged({wrote(1, "ab", "1"), wrote(2, "a", "2")}) == R"({"a":2,"ab":1})");
  MetadataLeaf with_nul;
  model::append_path_key(with_nul.path, Bytes("a\0b", 3));
  with_nul.order = at(1);
  with_nul.json = "1";
  MetadataTree tree;
  tree.add(with_nul);
  tree.finish();
  BOOST_TEST(merged({tree, wrote(2, "a", "2")}) == R"({"a":2,"a\u0000b":1})");
}

BOOST_AUTO_TEST_CASE(random_metadata_merges_as_if_written_in_turn_whatever_the_order) {
  const std::uint64_t seed = random_seed();
  for (std::size_t round = 0; round < scaled(3'000); ++round) {
    BOOST_TEST_INFO_SCOPE("TL_SEED=" << seed << " round " << round);
    Random random(seed + round);
    RandomMetadata metadata(random);
    MetadataFold fold;
    std::vector<MetadataTree> trees;
    for (std::int64_t time = 0; time < 2 + static_cast<std::int64_t>(random.below(8)); ++time) {
      const MetadataNode node = metadata.root();
      fold.write(node);
      trees.push_back(tree_of(node, at(time)));
    }
    std::string first;
    for (int turn = 0; turn < 8; ++turn) {
      random.shuffle(trees);
      std::vector<MetadataTree> left = trees;
      while (left.size() > 1) {
        const std::size_t other = random.below(left.size() - 1);
        left[other] = MetadataTree::join(left[other], left.back());
        left.pop_back();
      }
      if (turn == 0) first = left[0].encode();
      BOOST_REQUIRE(left[0].encode() == first);
    }
    const auto visible = value_of(MetadataTree::decode(first)).visible();
    BOOST_REQUIRE(visible.value_or("(nothing)") == fold.visible().value_or("(nothing)"));
  }
}

BOOST_AUTO_TEST_CASE(wide_metadata_joins_in_time_that_grows_with_its_size) {
  MetadataTree a;
  MetadataTree b;
  const std::size_t count = scaled(100'000);
  for (std::size_t i = 0; i < count; ++i) {
    MetadataLeaf leaf;
    model::append_path_key(leaf.path, std::to_string(i % 300));
    model::append_path_key(leaf.path, std::to_string(i));
    leaf.json = std::to_string(i);
    (i % 2 == 0 ? a : b).add(std::move(leaf));
  }
  a.finish();
  b.finish();
  const auto joined = MetadataTree::join(a, b);
  BOOST_TEST(joined.leaves().size() == count);
  BOOST_TEST(joined.visible()->size() > count * 8);
}

}  // namespace
}  // namespace tracelite::test
