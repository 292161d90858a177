// Metadata merged from several events: every path of keys is a register.
//
// A leaf says what one event wrote at a path. A leaf is dropped once an ancestor path was written
// by a later event (that write replaced the whole subtree); it is hidden, not dropped, while its
// own descendants were written later. An empty object is a weak leaf: it shows only where nothing
// else was ever written at or below its path.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/bytes.hpp"
#include "model/order.hpp"
#include "model/result.hpp"

namespace tracelite::model {

struct MetadataLeaf {
  std::string path;  // keys one after the other, each coded by append_path_key
  Order order;
  bool weak = false;
  bool cleared = false;
  std::string json;  // the value's text; empty if cleared

  friend bool operator==(const MetadataLeaf&, const MetadataLeaf&) = default;
};

class MetadataTree {
 public:
  // Adds what one event wrote; call finish() after the last one.
  void add(MetadataLeaf leaf) { leaves_.push_back(std::move(leaf)); }
  void finish();

  [[nodiscard]] const std::vector<MetadataLeaf>& leaves() const { return leaves_; }
  [[nodiscard]] Order last_order() const;

  static MetadataTree join(const MetadataTree& a, const MetadataTree& b);

  // Coding: leaf count, then per leaf path, order (event time, is_update, body time, digest),
  // flags, json. Errors of decode: corrupt.
  [[nodiscard]] std::string encode() const;
  static Result<MetadataTree> decode(Bytes bytes);

  // What a reader sees: one JSON object with its keys sorted; nullopt if nothing is left.
  [[nodiscard]] std::optional<std::string> visible() const;

 private:
  std::vector<MetadataLeaf> leaves_;  // ascending by path; a weak leaf before a strong one
};

// Codes a key so that the order of coded paths is the order of keys, and a path that starts with
// another is below it: the key's bytes with 0x00 as 0x00 0xff, then 0x00 0x01.
void append_path_key(std::string& path, Bytes key);
// The key at the start of `path`, and removes it.
std::string take_path_key(Bytes& path);

}  // namespace tracelite::model
