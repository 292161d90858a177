// The envelope of an event: {"id","timestamp","type","body"}.
#include "exchange/langfuse_event.hpp"

#include <algorithm>
#include <utility>

#include "model/time.hpp"

namespace tracelite::exchange {
namespace {

using model::EntityKind;
using model::EventBuilder;
using model::Field;
using model::ObservationType;

Error invalid(std::string field, std::string message) {
  return make_error(Code::invalid, std::move(message), std::move(field));
}

// What the type of an event says.
struct EventType {
  EntityKind kind{};
  bool is_update = false;
  bool is_log = false;
  std::optional<ObservationType> implied;  // none for observation-create and -update
};

std::optional<ObservationType> observation_type(Bytes lower_case) {
  for (std::size_t i = 0; i < model::kObservationTypeCount; ++i) {
    const Bytes name = model::kObservationTypeNames[i];
    const bool same = std::equal(
        name.begin(), name.end(), lower_case.begin(), lower_case.end(),
        [](char upper, char lower) { return static_cast<char>(upper - 'A' + 'a') == lower; });
    if (same) return static_cast<ObservationType>(i + 1);
  }
  return std::nullopt;
}

std::optional<EventType> event_type(Bytes name) {
  EventType type;
  if (name == "trace-create") return EventType{EntityKind::trace, false, false, {}};
  if (name == "score-create") return EventType{EntityKind::score, false, false, {}};
  if (name == "session-update") return EventType{EntityKind::session, true, false, {}};
  if (name == "sdk-log") return EventType{EntityKind::trace, false, true, {}};
  type.kind = EntityKind::observation;
  type.is_update = name.ends_with("-update");
  if (!type.is_update && !name.ends_with("-create")) return std::nullopt;
  name.remove_suffix(7);
  if (name == "observation") return type;
  type.implied = observation_type(name);
  if (!type.implied) return std::nullopt;
  return type;
}

bool is_text(Bytes value) { return !is_absent(value) && value.starts_with('"'); }

Error missing_or_wrong(Bytes value, const char* field, const char* what_it_is) {
  const std::string need = std::string("an event needs ") + what_it_is;
  if (is_absent(value)) return invalid(field, need + " as its " + field + ", which is missing");
  return invalid(field, need + " as its " + field + ", not " + std::string(type_name(value)));
}

Result<std::string> read_event_id(Bytes value) {
  if (!is_text(value)) return missing_or_wrong(value, "id", "a text");
  std::string id(JsonText(value).view());
  TL_TRY(model::check_id(id, "id"));
  return id;
}

Result<EventType> read_type(Bytes value) {
  if (!is_text(value)) return missing_or_wrong(value, "type", "a text");
  const JsonText name(value);
  if (const auto type = event_type(name.view())) return *type;
  return invalid("type", "\"" + std::string(name.view().substr(0, 100)) +
                             "\" is no event type: use trace-create, score-create, "
                             "session-update, or span-create and the like");
}

Result<std::int64_t> read_timestamp(Bytes value) {
  if (!is_text(value)) return missing_or_wrong(value, "timestamp", "a time");
  const JsonText text(value);
  if (const auto time_ns = model::parse_time(text.view())) return *time_ns;
  return invalid("timestamp", "\"" + std::string(text.view().substr(0, 100)) +
                                  "\" is no time: write it as 2026-11-21T00:20:28.509Z");
}

// The id in the body. A create without one is named by its event, so that a repetition of the event
// is the same entity; an update without one says nothing of what it updates.
Status read_body_id(const EventType& type, Bytes value, Bytes event_id, EventBuilder& builder) {
  if (is_given(value) && !is_text(value)) {
    return invalid("body.id", "an id is a text, not " + std::string(type_name(value)));
  }
  if (!is_given(value) && type.is_update) {
    return invalid("body.id", "an update needs the id of what it updates, which is missing");
  }
  Status status = is_given(value) ? builder.id(JsonText(value).view()) : builder.id(event_id);
  if (!status) status.error().field = "body.id";
  return status;
}

Status read_body(const EventType& type, Envelope& envelope, std::int64_t event_time_ns,
                 EventBuilder& builder) {
  switch (type.kind) {
    case EntityKind::trace:
      return read_trace(envelope.members, event_time_ns, builder);
    case EntityKind::score:
      return read_score(envelope.members, builder);
    case EntityKind::session:
      return read_session(envelope.members, builder);
    case EntityKind::observation:
      break;
  }
  if (type.implied) {
    builder.type(*type.implied, type.is_update);
  } else if (!type.is_update && !is_given(envelope.members.peek(Field::type))) {
    return invalid("body.type", "an observation-create needs a type in its body: SPAN, ...");
  }
  return read_observation(envelope.members, builder);
}

}  // namespace

const char* BodyMembers::read(Bytes text) {
  values_ = {};
  unknown_.clear();
  const char* end = text.data() + text.find('{') + 1;
  for (payload::JsonWalker walker(text); walker.next();) {
    const Bytes value = walker.value();
    end = value.data() + value.size();
    std::size_t index = index_of(walker.key());
    if (index == kCount && walker.key().find('\\') != Bytes::npos) {
      index = index_of(payload::unescape_json(walker.key()));
    }
    if (index < kCount) {
      values_[index] = value;
    } else if (!is_null(value)) {
      unknown_.push_back(walker.key());
    }
  }
  while (*end != '}') ++end;
  return end + 1;
}

Bytes BodyMembers::peek(Field field) const { return values_[static_cast<std::size_t>(field)]; }

Bytes BodyMembers::take(Field field) { return take_at(static_cast<std::size_t>(field)); }
Bytes BodyMembers::take_id() { return take_at(kId); }
Bytes BodyMembers::take_usage() { return take_at(kUsage); }

Bytes BodyMembers::take_at(std::size_t index) {
  used_[index] = true;
  return values_[index];
}

bool BodyMembers::only_flags() const {
  bool any_flag = false;
  for (std::size_t i = 0; i < kCount; ++i) {
    if (i == kId || is_absent(values_[i])) continue;
    const auto field = static_cast<Field>(i);
    if (field != Field::is_public && field != Field::is_bookmarked) return false;
    any_flag = true;
  }
  return any_flag;
}

void BodyMembers::each_unused(const std::function<void(std::string name)>& tell) const {
  for (std::size_t i = 0; i < kCount; ++i) {
    if (!used_[i] && is_given(values_[i])) tell(std::string(kNames[i]));
  }
  for (const Bytes key : unknown_) tell(payload::unescape_json(key));
}

std::size_t BodyMembers::index_of(Bytes name) {
  return static_cast<std::size_t>(std::find(kNames.begin(), kNames.end(), name) - kNames.begin());
}

Envelope read_envelope(Bytes checked_object) {
  Envelope envelope;
  for (MemberReader reader(checked_object); reader.next();) {
    std::string unescaped;
    Bytes key = reader.key();
    if (key.find('\\') != Bytes::npos) key = unescaped = payload::unescape_json(key);
    if (key == "body" && reader.rest().starts_with('{')) {
      const char* const begin = reader.rest().data();
      reader.resume_at(envelope.members.read(reader.rest()));
      envelope.body = Bytes(begin, static_cast<std::size_t>(reader.rest().data() - begin));
      continue;
    }
    const auto value = reader.take_value();
    if (!value) break;
    if (key == "body") envelope.body = *value;
    if (key == "id") envelope.id = *value;
    if (key == "timestamp") envelope.timestamp = *value;
    if (key == "type") envelope.type = *value;
    if (key == "batch") envelope.batch = *value;
  }
  return envelope;
}

Result<ParsedEvent> parse_event(Envelope& envelope, std::string& event_id) {
  TL_TRY_ASSIGN(id, read_event_id(envelope.id));
  event_id = id;
  ParsedEvent parsed;
  parsed.event_id = std::move(id);
  TL_TRY_ASSIGN(type, read_type(envelope.type));
  if (type.is_log) return parsed;
  TL_TRY_ASSIGN(time_ns, read_timestamp(envelope.timestamp));
  if (!envelope.body.starts_with('{')) {
    return missing_or_wrong(envelope.body, "body", "an object");
  }
  EventBuilder& builder = parsed.event.emplace(type.kind, type.is_update);
  TL_TRY(read_body_id(type, envelope.members.take_id(), event_id, builder));
  TL_TRY(read_body(type, envelope, time_ns, builder));
  envelope.members.each_unused([&builder](std::string name) {
    std::string message = name + " was dropped: it is no field of what this event is about";
    builder.warn(model::Reason::field, std::move(name), std::move(message));
  });
  TL_TRY(builder.seal(time_ns));
  return parsed;
}

Error json_error(const payload::JsonError& error) {
  const std::string where = ", at byte " + std::to_string(error.offset);
  if (error.at_end) {
    return invalid("", "the JSON is cut off: " + std::string(error.reason) + where +
                           "; send the whole event again");
  }
  return invalid("", "this is not valid JSON: " + std::string(error.reason) + where +
                         "; correct it and send the event again");
}

std::string find_event_id(Bytes text) {
  for (MemberReader reader(text); reader.next();) {
    const auto value = reader.take_value();
    if (!value) break;
    if (reader.key() != "id" || !is_text(*value) || payload::check_json(*value)) continue;
    return std::string(JsonText(*value).view());
  }
  return {};
}

}  // namespace tracelite::exchange
