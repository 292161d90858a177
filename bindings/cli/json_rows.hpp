// Rows as JSON, with the field names and shapes of Langfuse's public API.
//
// Knows the JSON shapes. Must not know which command asks for them. Payloads that are JSON are
// copied, never parsed and written anew: only their newlines become spaces, so that an object is
// one line.
#pragma once

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "terminal.hpp"
#include "tracelite/tracelite.hpp"

namespace cli {

// One JSON object that grows member by member on standard output.
class JsonWriter {
 public:
  // payload_mode: how payloads are read that are written with it.
  explicit JsonWriter(Output& output, tl_read_mode payload_mode = TL_READ_AS_GIVEN)
      : output_(output), writer_(buffer_), payload_mode_(payload_mode) {}

  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);

  JsonWriter& text(std::string_view value);
  JsonWriter& count(std::uint64_t value);
  JsonWriter& boolean(bool value);
  JsonWriter& null();
  JsonWriter& number(double value);           // whole numbers without a fraction
  JsonWriter& raw(std::string_view json);     // newlines become spaces
  JsonWriter& seconds(std::int64_t span_ns);  // as a decimal number, exactly
  JsonWriter& time(std::int64_t at_ns);       // ISO 8601

  // Hands over what is written so far, to bound what is held.
  void pass_on();
  // Ends the line.
  void end_line();
  [[nodiscard]] tl_read_mode payload_mode() const { return payload_mode_; }

 private:
  Output& output_;
  rapidjson::StringBuffer buffer_;
  rapidjson::Writer<rapidjson::StringBuffer> writer_;
  tl_read_mode payload_mode_;
};

// Which payloads of the cursor's row to write; previews: how input and output begin.
enum class Payloads : std::uint8_t { none, input, output, all, previews };

// Each writes one object, of the row that the cursor gave last.
void write_trace(JsonWriter& json, const tl_row& row, const tracelite::Cursor& cursor,
                 Payloads payloads);
void write_observation(JsonWriter& json, const tl_observation& observation,
                       const tracelite::Cursor& cursor, Payloads payloads);
void write_score(JsonWriter& json, const tl_score& score, const tracelite::Cursor& cursor,
                 Payloads payloads);
// Any kind of row.
void write_row(JsonWriter& json, const tl_row& row, const tracelite::Cursor& cursor,
               Payloads payloads);
// The members of a trace without the braces, so that a caller can add to them.
void write_trace_members(JsonWriter& json, const tl_row& row, const tracelite::Cursor& cursor,
                         Payloads payloads);

}  // namespace cli
