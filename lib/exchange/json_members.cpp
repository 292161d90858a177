// Cutting members out of objects; the scanner of payload finds where values end.
#include "exchange/json_members.hpp"

#include <algorithm>

namespace tracelite::exchange {
namespace {

constexpr Bytes kSpace = " \t\r\n";

Bytes skip_space(Bytes text) {
  text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  return text;
}

}  // namespace

Bytes type_name(Bytes checked_value) {
  switch (payload::json_type(checked_value).value_or(JsonType::null)) {
    case JsonType::null:
      return "null";
    case JsonType::boolean:
      return "a boolean";
    case JsonType::number:
      return "a number";
    case JsonType::string:
      return "a text";
    case JsonType::array:
      return "an array";
    case JsonType::object:
      return "an object";
  }
  return "?";
}

JsonText::JsonText(Bytes checked_string) : view_(checked_string.substr(1)) {
  view_.remove_suffix(1);
  if (view_.find('\\') != Bytes::npos) {
    unescaped_ = payload::unescape_json(view_);
    view_ = unescaped_;
  }
}

MemberReader::MemberReader(Bytes object) : rest_(skip_space(object)) {
  if (rest_.starts_with('{')) {
    rest_ = skip_space(rest_.substr(1));
  } else {
    rest_ = {};
  }
}

bool MemberReader::next() {
  if (!at_first_) {
    rest_ = skip_space(rest_);
    if (!rest_.starts_with(',')) return false;
    rest_ = skip_space(rest_.substr(1));
  }
  at_first_ = false;
  if (!rest_.starts_with('"')) return false;
  const auto key_size = payload::skim_value(rest_);
  if (!key_size) return false;
  key_ = rest_.substr(1, *key_size - 2);
  rest_ = skip_space(rest_.substr(*key_size));
  if (!rest_.starts_with(':')) return false;
  rest_ = skip_space(rest_.substr(1));
  return true;
}

std::optional<Bytes> MemberReader::take_value() {
  const auto size = payload::skim_value(rest_);
  if (!size) return std::nullopt;
  const Bytes value = rest_.substr(0, *size);
  rest_.remove_prefix(*size);
  return value;
}

void MemberReader::resume_at(const char* after_value) {
  rest_.remove_prefix(static_cast<std::size_t>(after_value - rest_.data()));
}

bool may_hold_bytes(Bytes checked_json) {
  Bytes text = skip_space(checked_json);
  if (!text.starts_with('{')) return false;
  text = skip_space(text.substr(1));
  return text.starts_with("\"$") || text.starts_with("\"\\");
}

Bytes trim_json_space(Bytes text) {
  text = skip_space(text);
  return text.substr(0, text.find_last_not_of(kSpace) + 1);
}

}  // namespace tracelite::exchange
