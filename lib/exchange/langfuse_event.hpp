// One Langfuse event -> a checked model event. Internal to this room, but for fuzzing and tests.
//
// The whole text is checked once by payload::check_json; everything else only cuts pieces out of
// it, so that payloads come out with the bytes they had, and nesting costs nothing.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "exchange/json_members.hpp"
#include "model/event.hpp"
#include "model/field.hpp"
#include "model/result.hpp"

namespace tracelite::exchange {

// The members of an event's body, as raw values; of a key given twice the last counts.
class BodyMembers {
 public:
  // Reads the object at the start of checked text; returns the place after it.
  const char* read(Bytes text);

  // A value, absent if it was not given; notes that it was asked for.
  Bytes take(model::Field field);
  Bytes take_id();
  Bytes take_usage();
  [[nodiscard]] Bytes peek(model::Field field) const;
  // True if it says nothing beyond an id, and flags.
  [[nodiscard]] bool only_flags() const;
  // The names of what was given and never asked for.
  void each_unused(const std::function<void(std::string name)>& tell) const;

 private:
  static constexpr std::size_t kId = model::kFieldCount;
  static constexpr std::size_t kUsage = model::kFieldCount + 1;
  static constexpr std::size_t kCount = model::kFieldCount + 2;
  static constexpr std::array<Bytes, kCount> kNames = [] {
    std::array<Bytes, kCount> names;
    for (std::size_t i = 0; i < model::kFieldCount; ++i) {
      names[i] = model::field_name(static_cast<model::Field>(i));
    }
    names[kId] = "id";
    names[kUsage] = "usage";
    return names;
  }();

  Bytes take_at(std::size_t index);
  static std::size_t index_of(Bytes name);

  std::array<Bytes, kCount> values_;
  std::array<bool, kCount> used_{};
  std::vector<Bytes> unknown_;  // keys, still escaped
};

struct Envelope {
  Bytes id, timestamp, type, batch, body;  // raw values; absent if not given
  BodyMembers members;                     // of the body, if that is an object
};

// Of a checked object.
Envelope read_envelope(Bytes checked_object);

struct ParsedEvent {
  std::string event_id;
  // Sealed; its payloads lie in the text that was parsed. nullopt: an sdk-log, there is nothing to
  // record.
  std::optional<model::EventBuilder> event;
};

// Errors: invalid, naming the field. The id that was found, if any, is then in `event_id`.
Result<ParsedEvent> parse_event(Envelope& envelope, std::string& event_id);

// What is said of text that is not JSON.
Error json_error(const payload::JsonError& error);

// The id of an event whose JSON may be broken or cut off; empty if none is found.
std::string find_event_id(Bytes text);

// The fields of one kind of entity; see langfuse_event_body.cpp.
Status read_trace(BodyMembers& members, std::int64_t event_time_ns, model::EventBuilder& builder);
Status read_observation(BodyMembers& members, model::EventBuilder& builder);
Status read_score(BodyMembers& members, model::EventBuilder& builder);
Status read_session(BodyMembers& members, model::EventBuilder& builder);

// usageDetails, costDetails and the older usage; see langfuse_event_usage.cpp.
void read_usage(BodyMembers& members, model::EventBuilder& builder);
// True if these names alone would be read as an OpenAI usage object, and renamed.
bool reads_as_openai_usage(const std::vector<Bytes>& names);

}  // namespace tracelite::exchange
