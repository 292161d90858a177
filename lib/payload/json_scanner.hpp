// The scanner for JSON text: checks the grammar of RFC 8259 exactly, finds where values begin and
// end, and converts neither numbers nor escapes. Iterative: nesting costs heap, never stack.
//
// This is the one parser of our own: every ready-made one refuses valid JSON, or accepts what is
// not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "model/bytes.hpp"
#include "model/result.hpp"

namespace tracelite::payload {

enum class JsonType : std::uint8_t { null, boolean, number, string, array, object };

struct JsonError {
  std::size_t offset = 0;   // of the first byte that does not fit
  const char* reason = "";  // "a value is missing", "the text ends inside a string", ...
  bool at_end = false;      // more text could still make it valid
};

// nullopt if `text` is exactly one JSON value, with white space around it at most, whose strings
// are valid UTF-8.
std::optional<JsonError> check_json(Bytes text);

// The type of the value that starts at the first byte of `text` that is not white space.
std::optional<JsonType> json_type(Bytes text);

// Walks the members of an object or the elements of an array of *checked* text, one level deep.
// Views point into the text; text that is not a container has no members. Usage: while
// (walker.next()) use(walker.key(), walker.value());
class JsonWalker {
 public:
  explicit JsonWalker(Bytes checked_container);
  bool next();
  [[nodiscard]] Bytes key() const { return key_; }      // between the quotes, still escaped
  [[nodiscard]] Bytes value() const { return value_; }  // without surrounding white space

 private:
  Bytes rest_;
  Bytes key_;
  Bytes value_;
  bool object_ = false;
};

// Finds the end of the first complete JSON value or balanced bracket run at the start of `text`
// without checking its grammar (strings are respected; a closing bracket also closes what its
// partner holds open inside): how one bad event in a batch is kept from spoiling its neighbours.
// A scalar that is not a string ends before a comma, a closing bracket or white space, so its text
// may be empty. nullopt if the text ends before.
std::optional<std::size_t> skim_value(Bytes text);

// Converts the inside of a checked JSON string; a lone surrogate becomes U+FFFD.
std::string unescape_json(Bytes escaped);
// Appends a JSON string with its quotes, escaping only what must be escaped. `text` should be
// UTF-8; invalid bytes become U+FFFD.
void append_json_string(std::string& out, Bytes text);
// Appends checked JSON with every line break between tokens written as a space.
void append_one_line(std::string& out, Bytes checked_json);

bool is_valid_utf8(Bytes text);

}  // namespace tracelite::payload
