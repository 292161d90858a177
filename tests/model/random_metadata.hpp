// Random metadata with its text and, beside it, what the text says: no parser is needed to know.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/limits.hpp"
#include "model/metadata_tree.hpp"
#include "support.hpp"

namespace tracelite::test {

struct MetadataNode {
  enum class Kind { object, null, leaf };
  Kind kind = Kind::object;
  std::string text;  // as it stands in the JSON, without white space around it
  // In the order given, repeats as well.
  std::vector<std::string> keys;
  std::vector<MetadataNode> members;

  // Of a key given twice the last counts.
  [[nodiscard]] std::map<std::string, const MetadataNode*> unique_members() const {
    std::map<std::string, const MetadataNode*> unique;
    for (std::size_t i = 0; i < members.size(); ++i) unique[keys[i]] = &members[i];
    return unique;
  }
};

class RandomMetadata {
 public:
  explicit RandomMetadata(Random& random) : random_(random) {}

  // An object or, now and then, null.
  MetadataNode root() {
    if (random_.chance(8)) return null();
    if (random_.chance(6)) return empty_object();
    if (random_.chance(25)) return chain(model::kMetadataMergeDepthMax - 3 + random_.below(6));
    return object(0);
  }

 private:
  struct Key {
    const char* json;
    std::string key;
  };

  static const std::vector<Key>& keys() {
    static const std::vector<Key> kKeys = {{"a", "a"},
                                           {"\\u0061", "a"},
                                           {"b", "b"},
                                           {"c", "c"},
                                           {"a.b", "a.b"},
                                           {"", ""},
                                           {"a\\u0000", std::string("a\0", 2)},
                                           {"a\\u0001", "a\x01"},
                                           {"\\\"\\\\", "\"\\"},
                                           {"\\n", "\n"},
                                           {"\xc3\xa9", "\xc3\xa9"},
                                           {"\\u00e9", "\xc3\xa9"},
                                           {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"}};
    return kKeys;
  }

  MetadataNode null() { return {MetadataNode::Kind::null, "null", {}, {}}; }
  MetadataNode empty_object() {
    static const std::vector<std::string> kTexts = {"{}", "{ }", "{\n\t\r }"};
    return {MetadataNode::Kind::object, random_.pick(kTexts), {}, {}};
  }
  MetadataNode leaf() {
    static const std::vector<std::string> kTexts = {
        "1", "1.0", "\"x\"", "\"{}\"", "true", "[1, {\"a\": null}]", "[]", "\"null\"", "-0e0"};
    return {MetadataNode::Kind::leaf, random_.pick(kTexts), {}, {}};
  }
  std::string space() {
    static const std::vector<std::string> kSpaces = {"", "", "", " ", "\n"};
    return random_.pick(kSpaces);
  }

  MetadataNode value(std::size_t depth) {
    if (random_.chance(6)) return null();
    if (random_.chance(6)) return empty_object();
    if (depth < 3 && random_.chance(2)) return object(depth + 1);
    return leaf();
  }

  MetadataNode object(std::size_t depth) {
    MetadataNode node;
    node.text = "{";
    const std::size_t count = 1 + random_.below(3);
    const std::size_t key_count = random_.chance(3) ? keys().size() : 4;  // a few keys often meet
    for (std::size_t i = 0; i < count; ++i) {
      const Key& key = keys()[random_.below(key_count)];
      add_member(node, key, value(depth));
    }
    node.text += "}";
    return node;
  }

  void add_member(MetadataNode& node, const Key& key, MetadataNode child) {
    if (!node.members.empty()) node.text += ",";
    node.text += space() + "\"" + key.json + "\"" + space() + ":" + space() + child.text + space();
    node.keys.push_back(key.key);
    node.members.push_back(std::move(child));
  }

  // One object in the other, around the depth at which merging ends.
  MetadataNode chain(std::size_t depth) {
    MetadataNode node = value(3);
    for (std::size_t i = 0; i < depth; ++i) {
      MetadataNode outer;
      outer.text = "{";
      add_member(outer, keys()[0], std::move(node));
      if (random_.chance(20)) add_member(outer, keys()[2], leaf());
      outer.text += "}";
      node = std::move(outer);
    }
    return node;
  }

  Random& random_;
};

// What one event with this metadata wrote, as leaves.
inline void add_leaves(const MetadataNode& node, const model::Order& order, std::string path,
                       std::size_t depth, model::MetadataTree& tree) {
  const bool is_object = node.kind == MetadataNode::Kind::object;
  if (!is_object || node.members.empty() || depth == model::kMetadataMergeDepthMax) {
    const bool cleared = node.kind == MetadataNode::Kind::null;
    tree.add({std::move(path), order, is_object && node.members.empty(), cleared,
              cleared ? std::string() : node.text});
    return;
  }
  for (const auto& [key, child] : node.unique_members()) {
    std::string below = path;
    model::append_path_key(below, key);
    add_leaves(*child, order, std::move(below), depth + 1, tree);
  }
}

inline model::MetadataTree tree_of(const MetadataNode& node, const model::Order& order) {
  model::MetadataTree tree;
  add_leaves(node, order, {}, 0, tree);
  tree.finish();
  return tree;
}

// Merges metadata one event after the other, in the order of the events: MODEL in the simplest
// words, to compare with.
class MetadataFold {
 public:
  void write(const MetadataNode& node) { write(root_, node, 0); }
  [[nodiscard]] std::optional<std::string> visible() const { return visible(root_); }

 private:
  struct Place {
    bool written = false;  // something that is no object, or null
    std::optional<std::string> value;
    std::optional<std::string> empty_object;
    std::map<std::string, Place> members;
  };

  static void write(Place& place, const MetadataNode& node, std::size_t depth) {
    if (node.kind == MetadataNode::Kind::object && node.members.empty()) {
      place.empty_object = node.text;
      return;
    }
    if (node.kind != MetadataNode::Kind::object || depth == model::kMetadataMergeDepthMax) {
      place = {};
      place.written = true;
      if (node.kind != MetadataNode::Kind::null) place.value = node.text;
      return;
    }
    place.written = false;
    place.value.reset();
    for (const auto& [key, child] : node.unique_members()) {
      write(place.members[key], *child, depth + 1);
    }
  }

  static std::string quoted(const std::string& key) {
    std::string out = "\"";
    for (const char c : key) {
      if (c == '"' || c == '\\') {
        out += '\\';
        out += c;
      } else if (c >= 0 && c < 0x20) {
        out += std::string("\\u00") + (c < 0x10 ? "0" : "1") + "0123456789abcdef"[c % 16];
      } else {
        out += c;
      }
    }
    return out + "\"";
  }

  static std::optional<std::string> visible(const Place& place) {
    if (place.members.empty()) {
      return place.written ? place.value : place.empty_object;
    }
    std::string out;
    for (const auto& [key, member] : place.members) {
      const auto text = visible(member);
      if (text) out += (out.empty() ? "{" : ",") + quoted(key) + ":" + *text;
    }
    if (out.empty()) return std::nullopt;
    return out + "}";
  }

  Place root_;
};

}  // namespace tracelite::test
