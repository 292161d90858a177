// The coding of positions.
#include "query/position.hpp"

#include <xxhash.h>

#include <array>
#include <optional>

namespace tracelite::query {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string to_printable(Bytes bytes) {
  std::string text;
  std::uint32_t bits = 0;
  int bit_count = 0;
  for (const char byte : bytes) {
    bits = (bits << 8 | static_cast<unsigned char>(byte)) & 0xffffff;
    for (bit_count += 8; bit_count >= 6; bit_count -= 6) {
      text.push_back(kDigits[bits >> (bit_count - 6) & 63]);
    }
  }
  if (bit_count > 0) text.push_back(kDigits[bits << (6 - bit_count) & 63]);
  return text;
}

std::optional<std::string> from_printable(Bytes text) {
  std::string bytes;
  std::uint32_t bits = 0;
  int bit_count = 0;
  for (const char digit : text) {
    const std::size_t value = Bytes(kDigits).find(digit);
    if (value == Bytes::npos) return std::nullopt;
    bits = (bits << 6 | static_cast<std::uint32_t>(value)) & 0xffffff;
    bit_count += 6;
    if (bit_count < 8) continue;
    bit_count -= 8;
    bytes.push_back(static_cast<char>(bits >> bit_count & 0xff));
  }
  return bytes;
}

void append_optional(std::string& out, const std::optional<std::string>& text) {
  out.push_back(text ? '\1' : '\0');
  if (text) append_text(out, *text);
}

void append_optional(std::string& out, const std::optional<std::int64_t>& number) {
  out.push_back(number ? '\1' : '\0');
  if (number) append_varint(out, zigzag(*number));
}

std::optional<Value> read_value(ByteReader& reader) {
  Value value;
  const std::uint8_t type = reader.byte();
  if (type > static_cast<std::uint8_t>(Value::Type::blob)) return std::nullopt;
  value.type = static_cast<Value::Type>(type);
  if (value.type == Value::Type::integer) {
    value.integer = reader.signed_varint();
  } else if (value.type != Value::Type::null) {
    value.bytes = reader.text();
  }
  return value;
}

Error refuse(const char* message) { return make_error(Code::invalid, message, "after"); }

}  // namespace

std::uint64_t fingerprint(Kind kind, const Filter& filter, ListOrder order) {
  std::string text;
  text.push_back(static_cast<char>(kind));
  text.push_back(static_cast<char>(order.by));
  text.push_back(order.ascending ? '\1' : '\0');
  for (const auto* field : {&filter.trace_id, &filter.session_id, &filter.user_id,
                            &filter.environment, &filter.name, &filter.release, &filter.version,
                            &filter.model, &filter.metadata_key, &filter.metadata_value}) {
    append_optional(text, *field);
  }
  append_varint(text, filter.tags.size());
  for (const std::string& tag : filter.tags) append_text(text, tag);
  text.push_back(filter.level ? static_cast<char>(*filter.level) : '\0');
  text.push_back(filter.type ? static_cast<char>(*filter.type) : '\0');
  append_optional(text, filter.from_ns);
  append_optional(text, filter.to_ns);
  return XXH3_64bits(text.data(), text.size());
}

std::string encode_position(std::uint64_t fingerprint, const std::vector<Value>& values) {
  std::string bytes(1, static_cast<char>(kVersion));
  append_big_endian(bytes, fingerprint);
  for (const Value& value : values) {
    bytes.push_back(static_cast<char>(value.type));
    if (value.type == Value::Type::integer) {
      append_varint(bytes, zigzag(value.integer));
    } else if (value.type != Value::Type::null) {
      append_text(bytes, value.bytes);
    }
  }
  return to_printable(bytes);
}

Result<std::vector<Value>> decode_position(Bytes text, std::uint64_t fingerprint,
                                           std::size_t value_count) {
  constexpr const char* kNoPosition = "this is no position that a list has given";
  const std::optional<std::string> bytes = from_printable(text);
  if (!bytes) return refuse(kNoPosition);
  ByteReader reader(*bytes);
  const std::uint8_t version = reader.byte();
  const std::uint64_t given = reader.big_endian(8);
  if (reader.failed() || version != kVersion) return refuse(kNoPosition);
  if (given != fingerprint) {
    return refuse("this position is of another list: kind, filter and order must be the same");
  }
  std::vector<Value> values;
  while (values.size() < value_count) {
    std::optional<Value> value = read_value(reader);
    if (!value) return refuse(kNoPosition);
    values.push_back(std::move(*value));
  }
  if (reader.failed() || !reader.at_end()) return refuse(kNoPosition);
  return values;
}

}  // namespace tracelite::query
