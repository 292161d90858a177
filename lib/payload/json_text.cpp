// Between JSON's strings and text, and JSON on one line.
#include <string>

#include "payload/byte_scan.hpp"
#include "payload/json_scanner.hpp"
#include "payload/utf8.hpp"

namespace tracelite::payload {
namespace {

constexpr Bytes kReplacementCharacter = "\xef\xbf\xbd";  // U+FFFD

void append_code_point(std::string& out, unsigned code) {
  const auto tail = [&out](unsigned bits) {
    out.push_back(static_cast<char>(0x80 | (bits & 0x3f)));
  };
  if (code < 0x80) {
    out.push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    out.push_back(static_cast<char>(0xc0 | (code >> 6)));
    tail(code);
  } else if (code < 0x10000) {
    out.push_back(static_cast<char>(0xe0 | (code >> 12)));
    tail(code >> 6);
    tail(code);
  } else {
    out.push_back(static_cast<char>(0xf0 | (code >> 18)));
    tail(code >> 12);
    tail(code >> 6);
    tail(code);
  }
}

// The four hex digits after "\u" at the start of `escape`; nullopt if it is not such an escape.
std::optional<unsigned> hex_escape(Bytes escape) {
  if (escape.size() < 6 || escape[0] != '\\' || escape[1] != 'u') return std::nullopt;
  unsigned code = 0;
  for (const char byte : escape.substr(2, 4)) {
    const auto folded = static_cast<unsigned char>(byte | 0x20);
    unsigned digit = 0;
    if (byte >= '0' && byte <= '9') {
      digit = static_cast<unsigned>(byte - '0');
    } else if (folded >= 'a' && folded <= 'f') {
      digit = folded - static_cast<unsigned>('a') + 10;
    } else {
      return std::nullopt;
    }
    code = code << 4 | digit;
  }
  return code;
}

bool is_high_surrogate(unsigned code) { return code >= 0xd800 && code < 0xdc00; }
bool is_low_surrogate(unsigned code) { return code >= 0xdc00 && code < 0xe000; }

// Appends what the \u escape at the start of `rest` stands for; returns the bytes it takes.
std::size_t append_hex_escape(std::string& out, Bytes rest) {
  const std::optional<unsigned> code = hex_escape(rest);
  if (!code) {
    out.append(kReplacementCharacter);
    return 2;
  }
  if (is_high_surrogate(*code)) {
    const std::optional<unsigned> low = hex_escape(rest.substr(6));
    if (low && is_low_surrogate(*low)) {
      append_code_point(out, 0x10000 + ((*code - 0xd800) << 10) + (*low - 0xdc00));
      return 12;
    }
  }
  if (is_high_surrogate(*code) || is_low_surrogate(*code)) {
    out.append(kReplacementCharacter);
  } else {
    append_code_point(out, *code);
  }
  return 6;
}

char short_escape(char letter) {
  switch (letter) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return letter;  // quote, backslash, slash
  }
}

void append_escaped(std::string& out, char byte) {
  constexpr Bytes kHexDigits = "0123456789abcdef";
  switch (byte) {
    case '"':
      out.append("\\\"");
      return;
    case '\\':
      out.append("\\\\");
      return;
    case '\b':
      out.append("\\b");
      return;
    case '\f':
      out.append("\\f");
      return;
    case '\n':
      out.append("\\n");
      return;
    case '\r':
      out.append("\\r");
      return;
    case '\t':
      out.append("\\t");
      return;
    default:
      out.append("\\u00");
      out.push_back(kHexDigits[static_cast<unsigned char>(byte) >> 4]);
      out.push_back(kHexDigits[static_cast<unsigned char>(byte) & 0xf]);
  }
}

}  // namespace

std::string unescape_json(Bytes escaped) {
  std::string out;
  out.reserve(escaped.size());
  for (;;) {
    const std::size_t plain = escaped.find('\\');
    out.append(escaped.substr(0, plain));
    if (plain == Bytes::npos) return out;
    escaped.remove_prefix(plain);
    if (escaped.size() < 2) return out;  // not checked text: a backslash at the end
    std::size_t used = 2;
    if (escaped[1] == 'u') {
      used = append_hex_escape(out, escaped);
    } else {
      out.push_back(short_escape(escaped[1]));
    }
    escaped.remove_prefix(used);
  }
}

void append_json_string(std::string& out, Bytes text) {
  const char* const end = text.data() + text.size();
  const char* at = text.data();
  const char* plain = at;  // what has been looked at and not yet appended starts here
  const auto append_plain = [&] { out.append(plain, static_cast<std::size_t>(at - plain)); };
  out.push_back('"');
  for (;;) {
    at = find_string_event(at, end);
    if (at != end && static_cast<unsigned char>(*at) >= 0x80) {
      at = skip_not_ascii(at, end);
      if (at == end || static_cast<unsigned char>(*at) < 0x80) continue;
    }
    append_plain();
    if (at == end) break;
    if (static_cast<unsigned char>(*at) < 0x80) {
      append_escaped(out, *at++);
    } else {
      // One replacement for all bytes that began a character which then did not come (as WHATWG
      // and Python have it).
      const std::size_t fitted = utf8_step(at, end).size_bytes;
      at += fitted == 0 ? 1 : fitted;
      out.append(kReplacementCharacter);
    }
    plain = at;
  }
  out.push_back('"');
}

void append_one_line(std::string& out, Bytes checked_json) {
  // Inside strings, line breaks are always escaped; any other is between tokens.
  const std::size_t start = out.size();
  out.append(checked_json);
  for (std::size_t at = out.find_first_of("\n\r", start); at != std::string::npos;
       at = out.find_first_of("\n\r", at + 1)) {
    out[at] = ' ';
  }
}

}  // namespace tracelite::payload
