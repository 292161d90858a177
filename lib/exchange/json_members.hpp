// Reading checked JSON a member at a time: small helpers between the scanner of payload and the
// formats of this room.
#pragma once

#include <optional>
#include <string>

#include "model/bytes.hpp"
#include "payload/json_scanner.hpp"

namespace tracelite::exchange {

using payload::JsonType;

// A value that was not there at all, as opposed to null.
inline bool is_absent(Bytes value) { return value.data() == nullptr; }
inline bool is_null(Bytes value) { return value == "null"; }
inline bool is_given(Bytes value) { return !is_absent(value) && !is_null(value); }

// "a number", "an array", ...: the type of a checked value, for messages.
Bytes type_name(Bytes checked_value);

// The text of a checked JSON string; it is copied only where it has escapes.
class JsonText {
 public:
  explicit JsonText(Bytes checked_string);
  JsonText(const JsonText&) = delete;
  JsonText& operator=(const JsonText&) = delete;
  [[nodiscard]] Bytes view() const { return view_; }

 private:
  std::string unescaped_;
  Bytes view_;
};

// The members of an object whose values are read, skipped or entered by the caller, so that a large
// member is passed only once. Copes with text that is not checked: it stops at the first thing that
// does not fit. Usage: while (members.next()) { members.key(); members.take_value() or
// members.resume_at(end of the value at members.rest()); }
class MemberReader {
 public:
  explicit MemberReader(Bytes object);
  bool next();
  [[nodiscard]] Bytes key() const { return key_; }    // between the quotes, still escaped
  [[nodiscard]] Bytes rest() const { return rest_; }  // from the value to the end of the text
  // The value without white space around it; nullopt if it does not end.
  std::optional<Bytes> take_value();
  void resume_at(const char* after_value);

 private:
  Bytes rest_;
  Bytes key_;
  bool at_first_ = true;
};

// True if payload::bytes_from_json is worth asking: it would look through the whole first member.
bool may_hold_bytes(Bytes checked_json);

Bytes trim_json_space(Bytes text);

}  // namespace tracelite::exchange
