// check_json: the grammar of RFC 8259, iteratively, with one bit of heap a level of nesting.
#include "payload/json_scanner.hpp"

#include <vector>

#include "payload/byte_scan.hpp"
#include "payload/utf8.hpp"

namespace tracelite::payload {
namespace {

bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

bool is_hex_digit(char byte) {
  return is_digit(byte) || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
}

// The open brackets, one bit each (1: an object). The innermost 64 live in a register.
class Nesting {
 public:
  void push(bool object) {
    if (depth_ != 0 && depth_ % 64 == 0) outer_.push_back(word_);
    word_ = (word_ << 1) | static_cast<std::uint64_t>(object);
    ++depth_;
  }
  void pop() {
    --depth_;
    word_ >>= 1;
    if (depth_ != 0 && depth_ % 64 == 0) {
      word_ = outer_.back();
      outer_.pop_back();
    }
  }
  [[nodiscard]] bool empty() const { return depth_ == 0; }
  [[nodiscard]] bool in_object() const { return (word_ & 1) != 0; }

 private:
  std::uint64_t word_ = 0;
  std::uint64_t depth_ = 0;
  std::vector<std::uint64_t> outer_;
};

// Every step takes the place where it starts and returns the place after what it has checked, or
// nullptr after it has noted the error. So the place stays in a register.
class Checker {
 public:
  explicit Checker(Bytes text) : begin_(text.data()), end_(text.data() + text.size()) {}

  std::optional<JsonError> run();

 private:
  const char* skip_space(const char* at) const { return skip_json_space(at, end_); }
  const char* scalar(const char* at);
  const char* string(const char* at);
  const char* escape(const char* at);
  const char* number(const char* at);
  const char* digits(const char* at);
  const char* literal(const char* at, Bytes word);
  const char* member_name(const char* at);
  const char* close_brackets(const char* at);

  const char* fail(const char* at, const char* reason) {
    error_ = {static_cast<std::size_t>(at - begin_), reason, false};
    return nullptr;
  }
  const char* fail_at_end(const char* reason) {
    error_ = {static_cast<std::size_t>(end_ - begin_), reason, true};
    return nullptr;
  }
  // Nothing fits at `at`, be it a byte or the end of the text.
  const char* missing(const char* at, const char* reason) {
    return at == end_ ? fail_at_end(reason) : fail(at, reason);
  }

  const char* begin_;
  const char* end_;
  Nesting nesting_;
  bool complete_ = false;
  JsonError error_;
};

std::optional<JsonError> Checker::run() {
  const char* at = begin_;
  for (;;) {
    at = skip_space(at);
    if (at != end_ && (*at == '{' || *at == '[')) {
      const bool object = *at == '{';
      nesting_.push(object);
      at = skip_space(at + 1);
      if (at == end_ || *at != (object ? '}' : ']')) {
        if (object) at = member_name(at);
        if (at == nullptr) return error_;
        continue;
      }
    } else {
      at = scalar(at);
      if (at == nullptr) return error_;
    }
    at = close_brackets(at);
    if (at == nullptr) return error_;
    if (complete_) return std::nullopt;
  }
}

// After a value: closes what ends here; stops before the next value, or at the end of the text.
const char* Checker::close_brackets(const char* at) {
  for (;;) {
    at = skip_space(at);
    if (nesting_.empty()) {
      complete_ = at == end_;
      return complete_ ? at : fail(at, "there is text after the value");
    }
    const bool object = nesting_.in_object();
    if (at == end_) {
      return fail_at_end(object ? "the text ends inside an object"
                                : "the text ends inside an array");
    }
    if (*at == ',') return object ? member_name(at + 1) : at + 1;
    if (*at != (object ? '}' : ']')) {
      return fail(at, object ? "a comma or } is missing" : "a comma or ] is missing");
    }
    nesting_.pop();
    ++at;
  }
}

const char* Checker::member_name(const char* at) {
  at = skip_space(at);
  if (at == end_ || *at != '"') return missing(at, "a member name is missing");
  at = string(at + 1);
  if (at == nullptr) return nullptr;
  at = skip_space(at);
  if (at == end_ || *at != ':') return missing(at, "a colon is missing");
  return at + 1;
}

const char* Checker::scalar(const char* at) {
  if (at == end_) return fail_at_end("a value is missing");
  switch (*at) {
    case '"':
      return string(at + 1);
    case 't':
      return literal(at, "true");
    case 'f':
      return literal(at, "false");
    case 'n':
      return literal(at, "null");
    case '\xef':
      return fail(at, at == begin_ ? "a byte order mark is not allowed" : "a value is missing");
    default:
      return *at == '-' || is_digit(*at) ? number(at) : fail(at, "a value is missing");
  }
}

const char* Checker::literal(const char* at, Bytes word) {
  for (const char wanted : word) {
    if (at == end_ || *at != wanted) return missing(at, "a word is not true, false or null");
    ++at;
  }
  return at;
}

const char* Checker::string(const char* at) {
  for (;;) {
    at = find_string_event(at, end_);
    if (at == end_) return fail_at_end("the text ends inside a string");
    if (*at == '"') return at + 1;
    if (*at == '\\') {
      at = escape(at + 1);
      if (at == nullptr) return nullptr;
    } else if (static_cast<unsigned char>(*at) >= 0x80) {
      at = skip_not_ascii(at, end_);
      if (at == end_ || static_cast<unsigned char>(*at) < 0x80) continue;
      const Utf8Step step = utf8_step(at, end_);
      if (step.verdict == Utf8Verdict::cut) return fail_at_end("the text ends inside a character");
      return fail(at + step.size_bytes, "a string is not valid UTF-8");
    } else {
      return fail(at, "a control character in a string must be escaped");
    }
  }
}

// After the backslash. A lone surrogate is valid JSON text.
const char* Checker::escape(const char* at) {
  if (at == end_) return fail_at_end("the text ends inside an escape");
  switch (*at) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
      return at + 1;
    case 'u':
      ++at;
      for (int i = 0; i < 4; ++i, ++at) {
        if (at == end_ || !is_hex_digit(*at)) return missing(at, "\\u needs four hex digits");
      }
      return at;
    default:
      return fail(at, "this escape does not exist");
  }
}

const char* Checker::number(const char* at) {
  if (*at == '-') ++at;
  if (at != end_ && *at == '0') {
    ++at;
    if (at != end_ && is_digit(*at)) return fail(at, "a number has a leading zero");
  } else {
    at = digits(at);
    if (at == nullptr) return nullptr;
  }
  if (at != end_ && *at == '.') {
    at = digits(at + 1);
    if (at == nullptr) return nullptr;
  }
  if (at != end_ && (*at == 'e' || *at == 'E')) {
    ++at;
    if (at != end_ && (*at == '+' || *at == '-')) ++at;
    at = digits(at);
  }
  return at;
}

const char* Checker::digits(const char* at) {
  if (at == end_ || !is_digit(*at)) return missing(at, "a digit is missing");
  while (at != end_ && is_digit(*at)) ++at;
  return at;
}

}  // namespace

std::optional<JsonError> check_json(Bytes text) { return Checker(text).run(); }

std::optional<JsonType> json_type(Bytes text) {
  const char* const end = text.data() + text.size();
  const char* const at = skip_json_space(text.data(), end);
  if (at == end) return std::nullopt;
  switch (*at) {
    case '{':
      return JsonType::object;
    case '[':
      return JsonType::array;
    case '"':
      return JsonType::string;
    case 't':
    case 'f':
      return JsonType::boolean;
    case 'n':
      return JsonType::null;
    default:
      if (*at == '-' || is_digit(*at)) return JsonType::number;
      return std::nullopt;
  }
}

bool is_valid_utf8(Bytes text) {
  const char* const end = text.data() + text.size();
  const char* at = text.data();
  for (;;) {
    at = find_not_ascii(at, end);
    if (at == end) return true;
    at = skip_not_ascii(at, end);
    if (at != end && static_cast<unsigned char>(*at) >= 0x80) return false;
  }
}

}  // namespace tracelite::payload
