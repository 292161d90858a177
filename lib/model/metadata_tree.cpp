// Merging and reading of metadata trees: flat sorted lists, so that joins are linear.
#include "model/metadata_tree.hpp"

#include <algorithm>
#include <array>
#include <tuple>

#include "model/limits.hpp"

namespace tracelite::model {
namespace {

bool before(const MetadataLeaf& a, const MetadataLeaf& b) {
  return std::tie(a.path, b.weak, a.order, a.json) < std::tie(b.path, a.weak, b.order, b.json);
}

// The order in which a finished tree holds its registers, each once.
bool comes_before(const MetadataLeaf& a, const MetadataLeaf& b) {
  return std::tie(a.path, b.weak) < std::tie(b.path, a.weak);
}

bool same_register(const MetadataLeaf& a, const MetadataLeaf& b) {
  return a.path == b.path && a.weak == b.weak;
}

// Sorted leaves in, the last writer of each register out, without those that a later write to an
// ancestor has replaced.
std::vector<MetadataLeaf> prune(std::vector<MetadataLeaf> leaves) {
  const bool any_strong =
      std::any_of(leaves.begin(), leaves.end(), [](const auto& leaf) { return !leaf.weak; });
  std::vector<MetadataLeaf> kept;
  std::vector<std::pair<std::string, Order>> ancestors;  // strong leaves on the path to this one
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    if (i + 1 < leaves.size() && same_register(leaves[i], leaves[i + 1])) continue;
    MetadataLeaf& leaf = leaves[i];
    if (leaf.path.empty() && leaf.weak && (any_strong || leaves.size() > i + 1)) continue;
    while (!ancestors.empty() && !leaf.path.starts_with(ancestors.back().first)) {
      ancestors.pop_back();
    }
    const bool replaced =
        std::any_of(ancestors.begin(), ancestors.end(), [&](const auto& ancestor) {
          return ancestor.first.size() < leaf.path.size() && leaf.order < ancestor.second;
        });
    if (replaced) continue;
    if (!leaf.weak) ancestors.emplace_back(leaf.path, leaf.order);
    kept.push_back(std::move(leaf));
  }
  return kept;
}

// False if it is no coded path, or a deeper one than is ever made.
bool is_path(Bytes path) {
  std::size_t depth = 0;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] != '\0') continue;
    if (++i == path.size()) return false;
    if (path[i] == '\xff') continue;
    if (path[i] != '\1') return false;
    ++depth;
  }
  return (path.empty() || path.ends_with(Bytes("\0\1", 2))) && depth <= kMetadataMergeDepthMax;
}

void append_json_key(std::string& out, Bytes key) {
  static constexpr std::array<char, 17> kHex = {"0123456789abcdef"};
  out.push_back('"');
  for (const char byte : key) {
    if (byte == '"' || byte == '\\') {
      out.push_back('\\');
      out.push_back(byte);
    } else if (static_cast<unsigned char>(byte) < 0x20) {
      out.append("\\u00");
      out.push_back(kHex[static_cast<unsigned char>(byte) >> 4]);
      out.push_back(kHex[static_cast<unsigned char>(byte) & 15]);
    } else {
      out.push_back(byte);
    }
  }
  out.push_back('"');
}

using Iterator = std::vector<MetadataLeaf>::const_iterator;

// Writes the node at `prefix`, whose leaves are [first, last); false if nothing of it is visible.
// Recursion is bounded by kMetadataMergeDepthMax: no deeper path is ever made.
bool append_node(Iterator first, Iterator last, std::size_t prefix_size, std::string& out) {
  const MetadataLeaf* own = nullptr;
  const MetadataLeaf* weak = nullptr;
  while (first != last && first->path.size() == prefix_size) {
    (first->weak ? weak : own) = &*first;
    ++first;
  }
  if (first == last) {
    const MetadataLeaf* shown = own != nullptr ? own : weak;
    if (shown == nullptr || shown->cleared) return false;
    out.append(shown->json);
    return true;
  }
  const std::size_t start = out.size();
  out.push_back('{');
  bool any = false;
  while (first != last) {
    Bytes rest = Bytes(first->path).substr(prefix_size);
    const std::string key = take_path_key(rest);
    const std::size_t child_size = first->path.size() - rest.size();
    const Bytes child = Bytes(first->path).substr(0, child_size);
    const Iterator end = std::find_if(
        first, last, [&](const MetadataLeaf& leaf) { return !leaf.path.starts_with(child); });
    const std::size_t mark = out.size();
    if (any) out.push_back(',');
    append_json_key(out, key);
    out.push_back(':');
    if (append_node(first, end, child_size, out)) {
      any = true;
    } else {
      out.resize(mark);
    }
    first = end;
  }
  if (!any) {
    out.resize(start);
    return false;
  }
  out.push_back('}');
  return true;
}

}  // namespace

void MetadataTree::finish() {
  std::sort(leaves_.begin(), leaves_.end(), before);
  leaves_ = prune(std::move(leaves_));
}

MetadataTree MetadataTree::join(const MetadataTree& a, const MetadataTree& b) {
  std::vector<MetadataLeaf> all;
  all.reserve(a.leaves_.size() + b.leaves_.size());
  std::merge(a.leaves_.begin(), a.leaves_.end(), b.leaves_.begin(), b.leaves_.end(),
             std::back_inserter(all), before);
  MetadataTree joined;
  joined.leaves_ = prune(std::move(all));
  return joined;
}

Order MetadataTree::last_order() const {
  Order last = leaves_.empty() ? Order{} : leaves_.front().order;
  for (const MetadataLeaf& leaf : leaves_) last = std::max(last, leaf.order);
  return last;
}

std::string MetadataTree::encode() const {
  std::string out;
  append_varint(out, leaves_.size());
  for (const MetadataLeaf& leaf : leaves_) {
    append_text(out, leaf.path);
    append_varint(out, zigzag(leaf.order.event_time_ns));
    append_varint(out, zigzag(leaf.order.body_time_ns));
    append_big_endian(out, leaf.order.digest);
    out.push_back(static_cast<char>((leaf.order.is_update ? 1 : 0) | (leaf.weak ? 2 : 0) |
                                    (leaf.cleared ? 4 : 0)));
    append_text(out, leaf.json);
  }
  return out;
}

Result<MetadataTree> MetadataTree::decode(Bytes bytes) {
  ByteReader reader(bytes);
  MetadataTree tree;
  const std::uint64_t count = reader.varint();
  for (std::uint64_t i = 0; i < count && !reader.failed(); ++i) {
    MetadataLeaf leaf;
    leaf.path = reader.text();
    leaf.order.event_time_ns = reader.signed_varint();
    leaf.order.body_time_ns = reader.signed_varint();
    leaf.order.digest = reader.big_endian(8);
    const std::uint8_t flags = reader.byte();
    leaf.order.is_update = (flags & 1) != 0;
    leaf.weak = (flags & 2) != 0;
    leaf.cleared = (flags & 4) != 0;
    leaf.json = reader.text();
    const bool ascends = tree.leaves_.empty() || comes_before(tree.leaves_.back(), leaf);
    if (flags > 5 || !ascends || leaf.cleared != leaf.json.empty() || !is_path(leaf.path)) {
      reader.fail();
    }
    tree.leaves_.push_back(std::move(leaf));
  }
  if (reader.failed() || !reader.at_end() || tree.leaves_.empty()) {
    return make_error(Code::corrupt, "a merged metadata value is damaged", "metadata");
  }
  return tree;
}

std::optional<std::string> MetadataTree::visible() const {
  std::string out;
  if (leaves_.empty() || !append_node(leaves_.begin(), leaves_.end(), 0, out)) return std::nullopt;
  return out;
}

void append_path_key(std::string& path, Bytes key) {
  for (const char byte : key) {
    path.push_back(byte);
    if (byte == '\0') path.push_back('\xff');
  }
  path.push_back('\0');
  path.push_back('\1');
}

std::string take_path_key(Bytes& path) {
  std::string key;
  while (!path.empty()) {
    const char byte = path.front();
    path.remove_prefix(1);
    if (byte != '\0') {
      key.push_back(byte);
      continue;
    }
    const bool is_end = path.empty() || path.front() == '\1';
    if (!path.empty()) path.remove_prefix(1);
    if (is_end) break;
    key.push_back('\0');
  }
  return key;
}

}  // namespace tracelite::model
