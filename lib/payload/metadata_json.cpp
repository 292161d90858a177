// Taking metadata apart by its keys.
#include "payload/metadata_json.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "model/limits.hpp"
#include "payload/base64.hpp"
#include "payload/json_scanner.hpp"

namespace tracelite::payload {
namespace {

using model::MetadataTree;
using model::Order;

struct Member {
  std::string key;
  Bytes value;
};

// Sorted by key, each key once.
std::vector<Member> members_of(Bytes object) {
  std::vector<Member> members;
  for (JsonWalker walker(object); walker.next();) {
    members.push_back({unescape_json(walker.key()), walker.value()});
  }
  std::stable_sort(members.begin(), members.end(),
                   [](const Member& a, const Member& b) { return a.key < b.key; });
  // Walked from the back, the first of equal keys is the last that was given.
  const auto kept = std::unique(members.rbegin(), members.rend(),
                                [](const auto& a, const auto& b) { return a.key == b.key; });
  members.erase(members.begin(), kept.base());
  return members;
}

class Taker {
 public:
  Taker(const Order& order, MetadataTree& tree) : order_(order), tree_(tree) {}

  // Not every key had a value, so that no leaf can be made of it.
  [[nodiscard]] bool failed() const { return failed_; }

  // `value` has no white space around it. Recursion ends at kMetadataMergeDepthMax.
  void take(Bytes value, std::size_t depth) {
    if (value == "null") {
      add({}, false, true);
      return;
    }
    if (value.starts_with('{')) {
      JsonWalker walker(value);
      if (!walker.next()) {
        add(value, true, false);
        return;
      }
      if (depth < model::kMetadataMergeDepthMax &&
          path_.size() <= model::kMetadataMergePathSizeBytesMax) {
        for (const Member& member : members_of(value)) {
          const std::size_t size_before = path_.size();
          model::append_path_key(path_, member.key);
          take(member.value, depth + 1);
          path_.resize(size_before);
        }
        return;
      }
    }
    add(value, false, false);
  }

 private:
  void add(Bytes json, bool weak, bool cleared) {
    failed_ = failed_ || (json.empty() && !cleared);
    tree_.add({path_, order_, weak, cleared, std::string(json)});
  }

  const Order& order_;
  MetadataTree& tree_;
  std::string path_;
  bool failed_ = false;
};

Bytes trimmed(Bytes json) {
  constexpr Bytes kSpace = " \t\r\n";
  const std::size_t first = json.find_first_not_of(kSpace);
  if (first == Bytes::npos) return {};
  return json.substr(first, json.find_last_not_of(kSpace) + 1 - first);
}

}  // namespace

Result<MetadataTree> parse_metadata(Bytes checked_json, const Order& order) {
  const Bytes json = trimmed(checked_json);
  if (json != "null" && json_type(json) != JsonType::object) {
    return make_error(Code::corrupt, "stored metadata is no JSON object", "metadata");
  }
  MetadataTree tree;
  Taker taker(order, tree);
  taker.take(json, 0);
  if (taker.failed()) return make_error(Code::corrupt, "stored metadata is no JSON", "metadata");
  tree.finish();
  return tree;
}

std::string metadata_object(model::Form form, Bytes bytes) {
  constexpr Bytes kHead = R"({"metadata":)";
  std::string out;
  switch (form) {
    case model::Form::null:
      return "null";
    case model::Form::json: {
      const auto type = json_type(bytes);
      if (type == JsonType::object || type == JsonType::null) return std::string(bytes);
      out.append(kHead).append(bytes);
      break;
    }
    case model::Form::text:
      out.append(kHead);
      append_json_string(out, bytes);
      break;
    case model::Form::bytes:
      out.append(kHead);
      append_bytes_json(out, bytes);
      break;
    default:
      return out;
  }
  out.push_back('}');
  return out;
}

}  // namespace tracelite::payload
