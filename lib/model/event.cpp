// Checks and repairs of single values (MODEL), and the sealing of an event with its order.
#include "model/event.hpp"

#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "model/limits.hpp"

namespace tracelite::model {
namespace {

bool is_utf8(Bytes text) {
  constexpr std::size_t kShortSizeBytes = 64;
  if (text.size() <= kShortSizeBytes && is_printable_ascii(text)) return true;
  return simdjson::validate_utf8(text.data(), text.size());
}

// simdjson finds out what the processor can do when it is first called. Here that is when the
// library is loaded: the child of a fork in the middle of it would wait for ever.
[[maybe_unused]] const bool kProcessorIsKnown = is_utf8({});

Error invalid(Field field, std::string message) {
  return make_error(Code::invalid, std::move(message), std::string(field_name(field)));
}

constexpr std::uint8_t weak_flag(bool weak) {
  return weak ? std::uint8_t{Register::kWeak} : std::uint8_t{0};
}

bool has_short_text(Field field) {
  return field == Field::session_id || field == Field::user_id || field == Field::version;
}

bool is_short_text(Bytes text) {
  return !text.empty() && is_utf8(text) && count_characters(text) <= kShortTextCharactersMax;
}

Reason short_text_reason(Field field) {
  if (field == Field::session_id) return Reason::session_id;
  return field == Field::user_id ? Reason::user_id : Reason::version;
}

// The start of a text for a message, cut between characters.
Bytes excerpt(Bytes utf8) {
  constexpr std::size_t kSizeBytesMax = 200;
  if (utf8.size() <= kSizeBytesMax) return utf8;
  std::size_t size = kSizeBytesMax;
  while (size > 0 && (static_cast<unsigned char>(utf8[size]) & 0xc0) == 0x80) --size;
  return utf8.substr(0, size);
}

template <class Pairs>
void sort_keep_last(Pairs& pairs) {
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  const auto last = std::unique(pairs.rbegin(), pairs.rend(), [](const auto& a, const auto& b) {
                      return a.first == b.first;
                    }).base();
  pairs.erase(pairs.begin(), last);
}

}  // namespace

bool is_empty_object(Bytes json) {
  constexpr Bytes kSpace = " \t\r\n";
  const std::size_t first = json.find_first_not_of(kSpace);
  if (first == Bytes::npos || json[first] != '{') return false;
  const std::size_t second = json.find_first_not_of(kSpace, first + 1);
  return second != Bytes::npos && json[second] == '}';
}

Status check_id(Bytes id, std::string_view field) {
  const auto refuse = [&](std::string message) {
    return make_error(Code::invalid, std::move(message), std::string(field));
  };
  if (id.empty()) return refuse("an id must not be empty");
  if (id.size() > kIdSizeBytesMax) {
    return refuse("an id has at most " + std::to_string(kIdSizeBytesMax) + " bytes, this one has " +
                  std::to_string(id.size()));
  }
  if (is_printable_ascii(id)) return {};
  const bool control = std::any_of(id.begin(), id.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  if (control) return refuse("an id must not contain control characters");
  if (!is_utf8(id)) return refuse("an id must be valid UTF-8");
  return {};
}

std::size_t count_characters(Bytes utf8) {
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::pair<std::string, bool> repair_environment(Bytes text) {
  std::string name;
  for (const char c : text) {
    name.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  }
  // Again and again: what is stored must not be repaired once more when it is imported anew.
  while (name.starts_with("langfuse")) {
    name.erase(0, 8);
    if (name.starts_with('-') || name.starts_with('_')) name.erase(0, 1);
  }
  std::size_t size = 0;
  for (std::size_t characters = 0; size < name.size(); ++size) {
    const bool starts = (static_cast<unsigned char>(name[size]) & 0xc0) != 0x80;
    if (starts && ++characters > kEnvironmentCharactersMax) break;
  }
  name.resize(size);
  const bool allowed = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
  if (name.empty() || !allowed) name = "default";
  const bool repaired = name != text;
  return {std::move(name), repaired};
}

// The last part of a field counts; a payload that is given is behind all of them.
void EventBuilder::put(Field field, Bytes value, std::uint8_t flags) {
  if (GivenPayload* before = is_payload(field) ? given(field) : nullptr; before != nullptr) {
    *before = std::move(payloads_[--payload_count_]);
  }
  parts_.append({static_cast<std::uint8_t>(field), flags}, value);
}

GivenPayload& EventBuilder::give(Field field, Form form, std::uint8_t flags, Bytes bytes) {
  GivenPayload* place = given(field);
  if (place == nullptr) place = &payloads_[payload_count_++];
  const auto all_flags = static_cast<std::uint8_t>(flags | PartHead::kGiven);
  place->head = {static_cast<std::uint8_t>(field), all_flags, form, 0};
  place->given = bytes;
  place->own.clear();
  return *place;
}

GivenPayload* EventBuilder::given(Field field) {
  for (std::size_t i = 0; i < payload_count_; ++i) {
    if (payloads_[i].head.field == static_cast<std::uint8_t>(field)) return &payloads_[i];
  }
  return nullptr;
}

std::optional<Part> EventBuilder::find(std::uint8_t field) const {
  std::optional<Part> found;
  for (Bytes left = parts_.bytes(); !left.empty();) {
    const Part part = take_part(left);
    if (part.head.field == field) found = part;
  }
  return found;
}

std::string Warning::text() const {
  return more_count == 0 ? message : message + "; and " + std::to_string(more_count) + " more";
}

void EventBuilder::warn(Reason reason, std::string field, std::string message) {
  if (warnings_.size() >= kWarningsMax) {
    for (auto last = warnings_.rbegin(); last != warnings_.rend(); ++last) {
      if (last->reason != reason) continue;
      ++last->more_count;
      return;
    }
  }
  warnings_.push_back({reason, std::move(field), std::move(message)});
}

Status EventBuilder::id(Bytes id) {
  if (kind_ == EntityKind::session) {
    // The same texts that a trace may name as its session; 200 characters are at most 800 bytes.
    if (!is_short_text(id)) {
      return make_error(Code::invalid, "a session id has 1 to 200 characters of UTF-8", "id");
    }
  } else {
    TL_TRY(check_id(id, "id"));
  }
  parts_.append({PartHead::kId}, id);
  has_id_ = true;
  return {};
}

Status EventBuilder::trace_id(Bytes id) {
  TL_TRY(check_id(id, "traceId"));
  parts_.append({PartHead::kTraceId}, id);
  return {};
}

Status EventBuilder::subject(Bytes trace_id, Bytes observation_id, Bytes session_id) {
  std::string value;
  if (!session_id.empty()) {
    if (!trace_id.empty() || !observation_id.empty()) {
      return invalid(Field::session_id,
                     "a score belongs to a session or to a trace, not to both: give one of them");
    }
    if (!is_short_text(session_id)) {
      return invalid(Field::session_id, "a session id has 1 to 200 characters of UTF-8");
    }
    value.push_back(static_cast<char>(SubjectKind::session));
    append_text(value, session_id);
  } else {
    if (trace_id.empty()) {
      return invalid(
          Field::subject,
          observation_id.empty()
              ? "a score needs a subject: traceId, traceId with observationId, or sessionId"
              : "a score of an observation needs its traceId too");
    }
    TL_TRY(check_id(trace_id, "traceId"));
    if (!observation_id.empty()) TL_TRY(check_id(observation_id, "observationId"));
    const auto kind = observation_id.empty() ? SubjectKind::trace : SubjectKind::observation;
    value.push_back(static_cast<char>(kind));
    append_id(value, trace_id);
    if (!observation_id.empty()) append_id(value, observation_id);
  }
  put(Field::subject, value);
  return {};
}

Status EventBuilder::environment(Bytes text, bool weak) {
  auto [name, repaired] = repair_environment(text);
  if (repaired) {
    warn(Reason::environment, "environment",
         "environment \"" + std::string(is_utf8(text) ? excerpt(text) : Bytes("?")) +
             "\" is stored as \"" + name + "\": it may have up to 40 of a-z, 0-9, - and _");
  }
  put(Field::environment, name, weak_flag(weak));
  return {};
}

Status EventBuilder::text(Field field, Bytes text, bool weak) {
  if (field == Field::environment) return environment(text, weak);
  if (has_short_text(field)) {
    if (!is_short_text(text)) {
      warn(short_text_reason(field), std::string(field_name(field)),
           std::string(field_name(field)) + " was dropped: it must have 1 to 200 characters, not " +
               (is_utf8(text) ? std::to_string(count_characters(text)) : "invalid UTF-8"));
      return {};
    }
  } else if (!is_utf8(text)) {
    return invalid(field, "the text is not valid UTF-8");
  }
  if (field == Field::name) {
    if (kind_ == EntityKind::trace && count_characters(text) > kNameCharactersMax) {
      return invalid(field, "a trace's name has at most 1000 characters, this one has " +
                                std::to_string(count_characters(text)));
    }
    if (kind_ == EntityKind::score && text.empty()) {
      return invalid(field, "a score's name must not be empty");
    }
  }
  if (field == Field::parent_observation_id) TL_TRY(check_id(text, "parentObservationId"));
  put(field, text, weak_flag(weak));
  return {};
}

Status EventBuilder::tag(Bytes tag) {
  if (!is_short_text(tag)) {
    warn(Reason::tag, "tags", "a tag was dropped: it must have 1 to 200 characters");
    return {};
  }
  tags_.emplace_back(tag);
  return {};
}

void EventBuilder::put_byte(Field field, std::uint8_t value, std::uint8_t flags) {
  put(field, {reinterpret_cast<const char*>(&value), 1}, flags);
}

void EventBuilder::time(Field field, std::int64_t time_ns, bool weak) {
  put(field, {reinterpret_cast<const char*>(&time_ns), sizeof time_ns},
      static_cast<std::uint8_t>(PartHead::kNumber | weak_flag(weak)));
}

void EventBuilder::integer(Field field, std::int64_t value) { time(field, value); }

void EventBuilder::flag(Field field, bool value) {
  put_byte(field, static_cast<std::uint8_t>(value));
}

void EventBuilder::type(ObservationType type, bool weak) {
  put_byte(Field::type, static_cast<std::uint8_t>(type), weak_flag(weak));
}

void EventBuilder::level(Level level) { put_byte(Field::level, static_cast<std::uint8_t>(level)); }

void EventBuilder::number(double value) {
  std::string bytes;
  append_big_endian(bytes, std::bit_cast<std::uint64_t>(value));
  put(Field::value, bytes);
}

void EventBuilder::data_type(DataType type) {
  put_byte(Field::data_type, static_cast<std::uint8_t>(type));
}

void EventBuilder::source(Source source) {
  put_byte(Field::source, static_cast<std::uint8_t>(source));
}

void EventBuilder::payload(Field field, Form form, Bytes bytes) { give(field, form, 0, bytes); }

void EventBuilder::own_payload(Field field, Form form, std::string bytes) {
  give(field, form, 0, {}).own = std::move(bytes);
}

void EventBuilder::unchecked_payload(Field field, Form form, Bytes bytes) {
  give(field, form, PartHead::kUnchecked, bytes);
}

void EventBuilder::check_payloads(PayloadChecker& checker) {
  for (GivenPayload& payload : std::span(payloads_).first(payload_count_)) {
    if ((payload.head.flags & PartHead::kUnchecked) == 0) continue;
    payload.head.flags &= static_cast<std::uint8_t>(~PartHead::kUnchecked);
    checker.check(static_cast<Field>(payload.head.field), payload.head.form, payload.given,
                  payload.own);
  }
}

void EventBuilder::streamed(Field field, Bytes text) {
  give(field, Form::text, Register::kStreamed, text);
}

void EventBuilder::withheld(Field field, std::uint64_t size_bytes) {
  put(field, PayloadValue::encode_stored(Form::withheld, 0, size_bytes));
}

void EventBuilder::usage(Bytes name, std::uint64_t amount) {
  if (name.empty() || !is_utf8(name)) {
    warn(Reason::usage, "usageDetails", "a usage was dropped: its name must be text");
    return;
  }
  usage_.emplace_back(name, amount);
}

void EventBuilder::cost(Bytes name, Int128 units) {
  if (name.empty() || !is_utf8(name) || units > kCostUnitsMax || units < -kCostUnitsMax) {
    warn(Reason::cost, "costDetails",
         "a cost was dropped: its name must be text, its amount not above 10^20");
    return;
  }
  cost_.emplace_back(name, units);
}

void EventBuilder::model_parameters(Bytes checked_json_object) {
  put(Field::model_parameters, checked_json_object,
      weak_flag(is_empty_object(checked_json_object)));
}

void EventBuilder::clear(Field field) {
  const MergeRule rule = merge_rule(field);
  if (rule == MergeRule::least || rule == MergeRule::unite) return;
  put(field, {}, Register::kCleared);
}

bool EventBuilder::creates_trace() const {
  if (payload_count_ > 0 || !tags_.empty()) return true;
  for (Bytes left = parts_.bytes(); !left.empty();) {
    const std::uint8_t field = take_part(left).head.field;
    if (field != PartHead::kId && field != static_cast<std::uint8_t>(Field::is_public) &&
        field != static_cast<std::uint8_t>(Field::is_bookmarked)) {
      return true;
    }
  }
  return false;
}

Status EventBuilder::check_score() {
  const auto written = [this](Field field) {
    const auto part = find(static_cast<std::uint8_t>(field));
    const bool is_cleared = !part || (part->head.flags & Register::kCleared) != 0;
    return is_cleared ? std::nullopt : std::optional(part->bytes);
  };
  if (!written(Field::subject)) return subject({}, {}, {});
  if (!written(Field::name)) return invalid(Field::name, "a score needs a name");
  const std::optional<Bytes> number = written(Field::value);
  const std::optional<Bytes> text = written(Field::string_value);
  const std::optional<Bytes> type = written(Field::data_type);
  if (!number && !text) return invalid(Field::value, "a score needs a value");
  const auto data_type = type ? static_cast<DataType>(type->front()) : DataType{0};
  if (number) {
    const auto value = std::bit_cast<double>(read_big_endian(*number));
    if (!std::isfinite(value)) return invalid(Field::value, "a score's value must be finite");
    if (data_type == DataType::boolean && value != 0 && value != 1) {
      return invalid(Field::value, "a BOOLEAN score's value is 0 or 1");
    }
  }
  switch (data_type) {
    case DataType::numeric:
    case DataType::boolean:
      if (!number) {
        return invalid(Field::value, "a NUMERIC or BOOLEAN score has a number as its value");
      }
      break;
    case DataType::categorical:
    case DataType::text:
    case DataType::correction:
      if (!text) {
        return invalid(Field::value, "a score of this data type has a text as its value");
      }
      break;
    default:  // inferred
      break;
  }
  if (data_type == DataType::text) {
    const std::size_t characters = count_characters(*text);
    if (characters < 1 || characters > kScoreTextCharactersMax) {
      return invalid(Field::value, "a TEXT score has 1 to 500 characters");
    }
  }
  return {};
}

Status EventBuilder::seal(std::int64_t event_time_ns) {
  event_time_ns_ = event_time_ns;
  if (!has_id_) return make_error(Code::invalid, "an id is needed", "id");
  if (kind_ == EntityKind::score) TL_TRY(check_score());
  if (!tags_.empty()) {
    std::sort(tags_.begin(), tags_.end());
    tags_.erase(std::unique(tags_.begin(), tags_.end()), tags_.end());
    std::string value;
    for (const std::string& tag : tags_) append_text(value, tag);
    put(Field::tags, value);
  }
  if (!usage_.empty()) {
    sort_keep_last(usage_);
    std::string value;
    for (const auto& [name, amount] : usage_) {
      append_text(value, name);
      append_varint(value, amount);
    }
    put(Field::usage_details, value);
  }
  if (!cost_.empty()) {
    sort_keep_last(cost_);
    std::string value;
    for (const auto& [name, units] : cost_) {
      append_text(value, name);
      append_int128(value, units);
    }
    put(Field::cost_details, value);
  }
  return {};
}

void EventBuilder::write(char* out) const {
  write_queued({kind_, is_update_, event_time_ns_}, parts_.bytes(), payloads(), out);
}

std::string EventBuilder::sampling_id() const {
  const auto id = find(PartHead::kId);
  const auto trace_id = find(PartHead::kTraceId);
  switch (kind_) {
    case EntityKind::trace:
    case EntityKind::observation:
      if (trace_id) return std::string(trace_id->bytes);
      return id ? std::string(id->bytes) : std::string();
    case EntityKind::score:
      if (const auto subject = find(static_cast<std::uint8_t>(Field::subject))) {
        ByteReader reader(subject->bytes);
        if (static_cast<SubjectKind>(reader.byte()) != SubjectKind::session) return read_id(reader);
      }
      break;
    case EntityKind::session:
      break;
  }
  return {};
}

}  // namespace tracelite::model
