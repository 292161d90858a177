// Finding where values begin and end: in checked text (JsonWalker), where counting brackets is
// enough, and in text that may be broken (skim_value). Neither reads outside the text, whatever it
// holds.
#include <array>
#include <cstdint>
#include <vector>

#include "payload/byte_scan.hpp"
#include "payload/json_scanner.hpp"

namespace tracelite::payload {
namespace {

// From after the opening quote to after the closing one; nullptr if the text ends before.
const char* skip_string(const char* at, const char* end) {
  for (;;) {
    at = find_quote_or_backslash(at, end);
    if (at == end) return nullptr;
    if (*at == '"') return at + 1;
    if (end - at < 2) return nullptr;
    at += 2;
  }
}

bool ends_scalar(char byte) {
  return byte == ',' || byte == ']' || byte == '}' || is_json_space(byte);
}

// From an opening bracket to after its partner.
const char* skip_container(const char* at, const char* end) {
  std::size_t depth = 0;
  for (;;) {
    at = find_bracket_or_quote(at, end);
    if (at == end) return nullptr;
    if (*at == '"') {
      at = skip_string(at + 1, end);
      if (at == nullptr) return nullptr;
      continue;
    }
    if (*at == '{' || *at == '[') {
      ++depth;
    } else if (--depth == 0) {
      return at + 1;
    }
    ++at;
  }
}

const char* skip_checked_value(const char* at, const char* end) {
  if (at == end) return nullptr;
  if (*at == '"') return skip_string(at + 1, end);
  if (*at == '{' || *at == '[') return skip_container(at, end);
  while (at != end && !ends_scalar(*at)) ++at;
  return at;
}

Bytes between(const char* begin, const char* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

// Open brackets of text whose brackets may not match. A closing bracket closes everything inside
// its partner that was left open; one without a partner is ignored. So a value that lacks a bracket
// does not swallow its neighbours.
class Balance {
 public:
  void open(char bracket) {
    const bool object = bracket == '{';
    if (depth_ % 64 == 0 && depth_ / 64 == words_.size()) words_.push_back(0);
    std::uint64_t& word = words_[depth_ / 64];
    const std::uint64_t bit = std::uint64_t{1} << (depth_ % 64);
    word = object ? word | bit : word & ~bit;
    ++depth_;
    ++open_[object ? 1 : 0];
  }
  void close(char bracket) {
    const bool object = bracket == '}';
    if (open_[object ? 1 : 0] == 0) return;
    while (pop() != object) {
    }
  }
  [[nodiscard]] bool empty() const { return depth_ == 0; }

 private:
  bool pop() {
    --depth_;
    const bool object = ((words_[depth_ / 64] >> (depth_ % 64)) & 1) != 0;
    --open_[object ? 1 : 0];
    return object;
  }

  std::vector<std::uint64_t> words_;
  std::size_t depth_ = 0;
  std::array<std::size_t, 2> open_ = {0, 0};  // of arrays, of objects
};

const char* skim_container(const char* at, const char* end) {
  Balance balance;
  for (;;) {
    at = find_bracket_or_quote(at, end);
    if (at == end) return nullptr;
    const char byte = *at++;
    if (byte == '"') {
      at = skip_string(at, end);
      if (at == nullptr) return nullptr;
    } else if (byte == '{' || byte == '[') {
      balance.open(byte);
    } else {
      balance.close(byte);
      if (balance.empty()) return at;
    }
  }
}

}  // namespace

JsonWalker::JsonWalker(Bytes checked_container) {
  const char* const end = checked_container.data() + checked_container.size();
  const char* const at = skip_json_space(checked_container.data(), end);
  if (at == end || (*at != '{' && *at != '[')) return;
  object_ = *at == '{';
  rest_ = between(at + 1, end);
}

bool JsonWalker::next() {
  const char* const end = rest_.data() + rest_.size();
  const char* at = skip_json_space(rest_.data(), end);
  rest_ = key_ = value_ = {};
  if (at != end && *at == ',') at = skip_json_space(at + 1, end);
  if (at == end || *at == ']' || *at == '}') return false;
  if (object_) {
    if (*at != '"') return false;
    const char* const after_key = skip_string(at + 1, end);
    if (after_key == nullptr) return false;
    key_ = between(at + 1, after_key - 1);
    at = skip_json_space(after_key, end);
    if (at == end || *at != ':') return false;
    at = skip_json_space(at + 1, end);
  }
  const char* const after_value = skip_checked_value(at, end);
  if (after_value == nullptr) return false;
  value_ = between(at, after_value);
  rest_ = between(after_value, end);
  return true;
}

std::optional<std::size_t> skim_value(Bytes text) {
  const char* const end = text.data() + text.size();
  const char* at = skip_json_space(text.data(), end);
  if (at == end) return std::nullopt;
  if (*at == '"') {
    at = skip_string(at + 1, end);
  } else if (*at == '{' || *at == '[') {
    at = skim_container(at, end);
  } else {
    while (at != end && !ends_scalar(*at)) ++at;
    if (at == end) return std::nullopt;
  }
  if (at == nullptr) return std::nullopt;
  return static_cast<std::size_t>(at - text.data());
}

}  // namespace tracelite::payload
