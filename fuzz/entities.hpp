// What the targets share that join entities and look at what comes of it.
#pragma once

#include <string>

#include "model/entity.hpp"
#include "model/metadata_tree.hpp"
#include "payload/metadata_json.hpp"

namespace tracelite::fuzz {

// Metadata that lies in its register. As with readers of a file, nobody has looked whether it is
// JSON.
class InlineMetadata : public model::MetadataSource {
 public:
  Result<model::MetadataTree> read(const model::Register& reg, const model::Order& order) override {
    const Bytes bytes = model::PayloadValue::decode(reg.value).bytes;
    return reg.tree() ? model::MetadataTree::decode(bytes) : payload::parse_metadata(bytes, order);
  }
};

inline std::string encoded(const model::Entity& entity) {
  std::string out;
  model::encode(entity, out);
  return out;
}

}  // namespace tracelite::fuzz
