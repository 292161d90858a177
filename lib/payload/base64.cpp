// Base64 by OpenSSL, in blocks that fit the int of its interface.
#include "payload/base64.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "payload/json_scanner.hpp"

namespace tracelite::payload {
namespace {

constexpr std::size_t kBlockBytes = std::size_t{3} << 12;
constexpr std::size_t kBlockTextBytes = kBlockBytes / 3 * 4;

using TextBlock = std::array<unsigned char, kBlockTextBytes + 1>;  // OpenSSL ends it with a NUL

const unsigned char* unsigned_data(Bytes bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

Bytes encode_block(TextBlock& buffer, Bytes block) {
  const int size =
      EVP_EncodeBlock(buffer.data(), unsigned_data(block), static_cast<int>(block.size()));
  return {reinterpret_cast<const char*>(buffer.data()), static_cast<std::size_t>(size)};
}

}  // namespace

void append_base64(std::string& out, Bytes bytes) {
  TextBlock buffer;
  out.reserve(out.size() + (bytes.size() + 2) / 3 * 4);
  while (!bytes.empty()) {
    const Bytes block = bytes.substr(0, kBlockBytes);
    out.append(encode_block(buffer, block));
    bytes.remove_prefix(block.size());
  }
}

std::optional<std::string> decode_base64(Bytes text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::array<unsigned char, kBlockBytes> bytes;
  TextBlock again;
  std::string out;
  out.reserve(text.size() / 4 * 3);
  while (!text.empty()) {
    const Bytes block = text.substr(0, kBlockTextBytes);
    text.remove_prefix(block.size());
    const int decoded =
        EVP_DecodeBlock(bytes.data(), unsigned_data(block), static_cast<int>(block.size()));
    if (decoded < 0) return std::nullopt;
    // OpenSSL counts padding as bytes, skips white space and overlooks much else: what it says is
    // believed only if it leads back to the same text.
    const std::size_t padding = block.ends_with("==") ? 2 : block.ends_with('=') ? 1 : 0;
    if (static_cast<std::size_t>(decoded) < padding) return std::nullopt;
    const Bytes found(reinterpret_cast<const char*>(bytes.data()),
                      static_cast<std::size_t>(decoded) - padding);
    if (encode_block(again, found) != block || (padding != 0 && !text.empty())) {
      return std::nullopt;
    }
    out.append(found);
  }
  return out;
}

void append_bytes_json(std::string& out, Bytes bytes) {
  out.append("{\"$bytes\":\"");
  append_base64(out, bytes);
  out.append("\"}");
}

std::optional<std::string> bytes_from_json(Bytes checked_json) {
  if (json_type(checked_json) != JsonType::object) return std::nullopt;
  JsonWalker walker(checked_json);
  if (!walker.next() || unescape_json(walker.key()) != "$bytes") return std::nullopt;
  Bytes value = walker.value();
  if (json_type(value) != JsonType::string || value.size() < 2) return std::nullopt;
  value = value.substr(1, value.size() - 2);
  if (walker.next()) return std::nullopt;
  // Some encoders write the slashes of base64 as "\/": the same value.
  if (value.find('\\') != Bytes::npos) return decode_base64(unescape_json(value));
  return decode_base64(value);
}

}  // namespace tracelite::payload
