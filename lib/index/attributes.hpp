// The metadata of an entity as the index sees it: keys at the top level, and the text of their
// values where these are scalars.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/entity.hpp"
#include "record/entity_store.hpp"

namespace tracelite::index {

using Attributes = std::vector<std::pair<std::string, std::optional<std::string>>>;
// Each key once, with its last value, in the order of these.
Attributes attributes_of(Bytes metadata_json_object);
// Those that an entity has now; none where its metadata is too large for the index. Errors:
// corrupt, io, no_memory.
Result<Attributes> read_attributes(const record::EntityReader& reader, const model::Entity& entity);

// A value as the rows have it: a scalar's text, a hash if that is long, nothing if it is no scalar.
struct AttributeValue {
  bool is_blob = true;  // else a text
  std::string bytes;

  static AttributeValue of(const std::optional<std::string>& scalar);
  // As SQLite orders them.
  friend auto operator<=>(const AttributeValue&, const AttributeValue&) = default;
};

}  // namespace tracelite::index
