#include "index/attributes.hpp"

#include <xxhash.h>

#include "payload/json_scanner.hpp"

namespace tracelite::index {
namespace {

constexpr std::size_t kTextSizeBytesMax = 64;

std::string hash_of(Bytes text) {
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  std::string bytes;
  append_big_endian(bytes, hash.high64);
  append_big_endian(bytes, hash.low64);
  return bytes;
}

}  // namespace

Attributes attributes_of(Bytes metadata_json_object) {
  Attributes attributes;
  if (payload::json_type(metadata_json_object) != payload::JsonType::object) return attributes;
  payload::JsonWalker walker(metadata_json_object);
  while (walker.next()) {
    std::string key = payload::unescape_json(walker.key());
    std::erase_if(attributes, [&](const auto& attribute) { return attribute.first == key; });
    const Bytes value = walker.value();
    const auto type = payload::json_type(value);
    std::optional<std::string> scalar;
    if (type == payload::JsonType::string) {
      scalar = payload::unescape_json(value.substr(1, value.size() - 2));
    } else if (type != payload::JsonType::object && type != payload::JsonType::array) {
      scalar = std::string(value);
    }
    attributes.emplace_back(std::move(key), std::move(scalar));
  }
  return attributes;
}

Result<Attributes> read_attributes(const record::EntityReader& reader,
                                   const model::Entity& entity) {
  const model::Register* reg = entity.find(model::Field::metadata);
  if (reg == nullptr || reg->cleared()) return Attributes();
  TL_TRY_ASSIGN(json, reader.payload({model::PayloadValue::decode(reg->value), reg->tree()}));
  return attributes_of(json);
}

AttributeValue AttributeValue::of(const std::optional<std::string>& scalar) {
  if (!scalar) return {};
  if (scalar->size() > kTextSizeBytesMax) return {true, hash_of(*scalar)};
  return {false, *scalar};
}

}  // namespace tracelite::index
