// Metadata between JSON text and the tree of registers by which it merges.
#pragma once

#include <string>

#include "model/bytes.hpp"
#include "model/entity.hpp"
#include "model/metadata_tree.hpp"
#include "model/result.hpp"

namespace tracelite::payload {

// What one event wrote: a leaf for each path of keys that ends in anything but an object with
// members. An empty object is a weak leaf, null a cleared one; objects with
// kMetadataMergeDepthMax keys above them, or more than kMetadataMergePathSizeBytesMax bytes of keys
// as they are coded, are one leaf, whatever they hold. Of a key given twice the last counts. null
// at the root is one cleared leaf at the empty path. Of a text that is no JSON, as it may lie in a
// damaged file, anything comes that can be coded. Errors: corrupt, if the text is neither an object
// nor null, or a key has no value.
Result<model::MetadataTree> parse_metadata(Bytes checked_json, const model::Order& order);

// Metadata is an object or null: any other payload is kept under the key "metadata". JSON must have
// been checked; an object or null comes back as it is, absent metadata as the empty text.
std::string metadata_object(model::Form form, Bytes bytes);

}  // namespace tracelite::payload
