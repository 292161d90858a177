#include "index/attributes.hpp"

#include <xxhash.h>

#include <algorithm>
#include <numeric>

#include "model/limits.hpp"
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

// In the order they were given.
void keep_the_last_of_each(Attributes& attributes) {
  std::vector<std::size_t> by_key(attributes.size());
  std::iota(by_key.begin(), by_key.end(), std::size_t{0});
  std::sort(by_key.begin(), by_key.end(), [&](std::size_t a, std::size_t b) {
    const int order = attributes[a].first.compare(attributes[b].first);
    return order == 0 ? a < b : order < 0;
  });
  std::vector<bool> is_replaced(attributes.size());
  for (std::size_t i = 1; i < by_key.size(); ++i) {
    if (attributes[by_key[i - 1]].first == attributes[by_key[i]].first) {
      is_replaced[by_key[i - 1]] = true;
    }
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < attributes.size(); ++i) {
    if (is_replaced[i]) continue;
    if (kept != i) attributes[kept] = std::move(attributes[i]);
    ++kept;
  }
  attributes.resize(kept);
}

}  // namespace

Attributes attributes_of(Bytes metadata_json_object) {
  Attributes attributes;
  if (payload::json_type(metadata_json_object) != payload::JsonType::object) return attributes;
  payload::JsonWalker walker(metadata_json_object);
  while (walker.next()) {
    std::string key = payload::unescape_json(walker.key());
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
  keep_the_last_of_each(attributes);
  return attributes;
}

Result<Attributes> read_attributes(const record::EntityReader& reader,
                                   const model::Entity& entity) {
  const model::Register* reg = entity.find(model::Field::metadata);
  if (reg == nullptr || reg->cleared()) return Attributes();
  const auto value = model::PayloadValue::decode(reg->value);
  if (value.size_bytes > model::kIndexedMetadataSizeBytesMax) return Attributes();
  TL_TRY_ASSIGN(json, reader.payload({value, reg->tree()}, payload::ReadMode::as_given,
                                     model::kIndexedMetadataSizeBytesMax));
  return attributes_of(json);
}

AttributeValue AttributeValue::of(const std::optional<std::string>& scalar) {
  if (!scalar) return {};
  if (scalar->size() > kTextSizeBytesMax) return {true, hash_of(*scalar)};
  return {false, *scalar};
}

}  // namespace tracelite::index
