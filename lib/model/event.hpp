// One event: what one call or one line of an event stream says about an entity, checked.
//
// EventBuilder is the only way to make one. It applies every limit and repair of MODEL: a refused
// value is an Error that names the field; a repaired or dropped one adds a Warning.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "model/bytes.hpp"
#include "model/decimal.hpp"
#include "model/entity.hpp"
#include "model/queued_event.hpp"
#include "model/result.hpp"

namespace tracelite::model {

struct Warning {
  Reason reason{};
  std::string field;
  std::string message;
  std::uint64_t more_count = 0;  // of this reason, and not told one by one

  [[nodiscard]] std::string text() const;
};
// Of one event; behind them, one for each reason says how many more there were.
inline constexpr std::size_t kWarningsMax = 100;

struct Event {
  std::string trace_id;  // of an observation: its trace, empty if not named. Else empty.
  Entity entity;         // with exactly one order
};

// How the value of a register is coded, by field:
//   text fields                       the bytes
//   times, prompt_version             zigzag varint
//   type, level, data_type, source, is_public, is_bookmarked    1 byte
//   value                             the double's 8 bytes, big-endian
//   tags                              each tag with its size, sorted
//   usage_details                     name with its size, amount as varint; sorted by name
//   cost_details                      name with its size, units of 10^-12 as zigzag; sorted by name
//   input, output, metadata           PayloadValue
//   model_parameters                  JSON text
//   subject                           kind of subject (1 byte), then ids as append_id codes them
enum class SubjectKind : std::uint8_t { trace = 1, observation = 2, session = 3 };

class EventBuilder {
 public:
  EventBuilder(EntityKind kind, bool is_update) : kind_(kind), is_update_(is_update) {}

  // Each checks and adds one field. Absent fields are simply not added.
  Status id(Bytes id);
  Status trace_id(Bytes id);                                               // of an observation
  Status subject(Bytes trace_id, Bytes observation_id, Bytes session_id);  // of a score
  Status text(Field field, Bytes text, bool weak = false);
  Status tag(Bytes tag);
  void time(Field field, std::int64_t time_ns, bool weak = false);
  void integer(Field field, std::int64_t value);
  void flag(Field field, bool value);
  void type(ObservationType type, bool weak);
  void level(Level level);
  void number(double value);
  void data_type(DataType type);
  void source(Source source);
  // JSON must have been checked by payload::check_json, text must be UTF-8; metadata must be an
  // object or null (payload::metadata_object makes it one). The bytes are not copied: they must
  // stay until the event is written or finished, but for those that are given for good.
  void payload(Field field, Form form, Bytes bytes);
  template <std::same_as<std::string> Text>
  void payload(Field field, Form form, Text&& bytes) {
    own_payload(field, form, std::forward<Text>(bytes));
  }
  // Of which nothing is known: the checker of assemble() looks at it.
  void unchecked_payload(Field field, Form form, Bytes bytes);
  void streamed(Field field, Bytes text);  // appended behind what is there
  void withheld(Field field, std::uint64_t size_bytes);
  void usage(Bytes name, std::uint64_t amount);
  void cost(Bytes name, Int128 units);
  void model_parameters(Bytes checked_json_object);
  void clear(Field field);  // an explicit null; does nothing for fields that nothing clears

  // Of a trace: whether there is more than its id and flags, which do not create it.
  [[nodiscard]] bool creates_trace() const;

  void warn(Reason reason, std::string field, std::string message);
  [[nodiscard]] const std::vector<Warning>& warnings() const { return warnings_; }

  // Has what is not checked looked at here instead of on the other side.
  void check_payloads(PayloadChecker& checker);

  // Checks what concerns several fields, and seals the event: no field is added after that.
  // Errors: invalid.
  Status seal(std::int64_t event_time_ns);
  [[nodiscard]] std::size_t size_bytes() const {
    return queued_size_bytes(parts_.bytes(), payloads());
  }
  void write(char* out) const;  // size_bytes() bytes, for assemble()
  // What sampling goes by; empty: the event is always kept.
  [[nodiscard]] std::string sampling_id() const;

 private:
  void put(Field field, Bytes value, std::uint8_t flags = 0);
  void put_byte(Field field, std::uint8_t value, std::uint8_t flags = 0);
  GivenPayload& give(Field field, Form form, std::uint8_t flags, Bytes bytes);
  [[nodiscard]] GivenPayload* given(Field field);
  [[nodiscard]] std::span<const GivenPayload> payloads() const {
    return std::span(payloads_).first(payload_count_);
  }
  void own_payload(Field field, Form form, std::string bytes);
  // The last part of a field; nullopt: there is none.
  [[nodiscard]] std::optional<Part> find(std::uint8_t field) const;
  Status environment(Bytes text, bool weak);
  Status check_score();

  EntityKind kind_;
  bool is_update_;
  std::int64_t event_time_ns_ = 0;
  bool has_id_ = false;
  Parts parts_;
  std::array<GivenPayload, 3> payloads_{};  // parts behind those: input, output, metadata
  std::size_t payload_count_ = 0;
  std::vector<std::string> tags_;
  std::vector<std::pair<std::string, std::uint64_t>> usage_;
  std::vector<std::pair<std::string, Int128>> cost_;
  std::vector<Warning> warnings_;
};

// Of checked JSON.
bool is_empty_object(Bytes json);
// An empty object writes nothing where anything else was written.
inline bool is_weak_payload(Form form, Bytes bytes) {
  return form == Form::json && is_empty_object(bytes);
}

// The rules for single values, shared with queries.
Status check_id(Bytes id, std::string_view field);
std::size_t count_characters(Bytes utf8);
// The environment as it is stored, and whether that differs from what was given.
std::pair<std::string, bool> repair_environment(Bytes text);

}  // namespace tracelite::model
