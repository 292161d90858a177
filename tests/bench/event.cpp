#include "bench/event.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "model/field.hpp"
#include "model/time.hpp"

namespace bench {

namespace ondemand = simdjson::ondemand;
namespace model = tracelite::model;

namespace {

std::int64_t time_of(std::string_view text) { return model::parse_time(text).value_or(0); }

std::string_view trimmed(std::string_view json) {
  while (!json.empty() && static_cast<unsigned char>(json.back()) <= ' ') json.remove_suffix(1);
  return json;
}

tl_text text_of(std::string_view text) { return {text.data(), text.size()}; }
std::string_view view_of(tl_text text) { return {text.data, text.size_bytes}; }

// The JSON text of a value, as it stands in the event.
tl_text json_text(ondemand::value value) {
  const ondemand::json_type type = value.type();
  if (type == ondemand::json_type::object) return text_of(value.get_object().value().raw_json());
  if (type == ondemand::json_type::array) return text_of(value.get_array().value().raw_json());
  return text_of(trimmed(value.raw_json_token()));
}

template <class Entity>
void set(Entity& entity, tl_field field) {
  entity.set_mask |= TL_BIT(field);
}

template <class Entity>
void set_payload(Entity& entity, tl_field field, tl_payload& member, ondemand::value value) {
  member = {TL_FORM_JSON, json_text(value)};
  set(entity, field);
}

// Numbers of types and levels are those of their names, from 1; 0 where there is no such name.
template <std::size_t Size>
std::int32_t number_of(const std::string_view (&names)[Size], tl_text name) {
  const auto* found = std::find(std::begin(names), std::end(names), view_of(name));
  return found == std::end(names) ? 0 : static_cast<std::int32_t>(found - std::begin(names)) + 1;
}

template <class Entity>
Entity empty() {
  Entity entity{};
  entity.struct_size = sizeof entity;
  return entity;
}

}  // namespace

tl_text EventParser::keep(std::string_view text) {
  auto* copy = static_cast<char*>(memory_.allocate(std::max<std::size_t>(text.size(), 1), 1));
  std::copy_n(text.data(), text.size(), copy);
  return {copy, text.size()};
}

template <class Item>
const Item* EventParser::keep_all(const std::vector<Item>& items) {
  if (items.empty()) return nullptr;
  auto* copy = static_cast<Item*>(memory_.allocate(items.size() * sizeof(Item), alignof(Item)));
  std::uninitialized_copy(items.begin(), items.end(), copy);
  return copy;
}

template <class Entity>
bool EventParser::text(Entity& entity, tl_field field, tl_text& member, Value value) {
  std::string_view text;
  if (value.get_string().get(text) != simdjson::SUCCESS) return false;
  member = keep(text);
  set(entity, field);
  return true;
}

Event EventParser::parse(std::string_view line) {
  ondemand::document document =
      parser_.iterate(line.data(), line.size(), line.size() + Events::kPaddingSizeBytes);
  const std::string_view timestamp = document["timestamp"];
  const std::string_view type = document["type"];
  ondemand::object body = document["body"];
  const std::int64_t at_ns = time_of(timestamp);
  Event event;
  if (type == "trace-create") {
    event.entity = trace(body, at_ns, event);
  } else if (type == "score-create") {
    event.entity = score(body, at_ns, event);
  } else {
    std::string name(type.substr(0, type.find('-')));
    for (char& c : name) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    event.type_name = keep(name);
    event.entity = observation(body, at_ns, event);
  }
  return event;
}

tl_trace EventParser::trace(Object& body, std::int64_t at_ns, Event& event) {
  auto trace = empty<tl_trace>();
  for (ondemand::field field : body) {
    const std::string_view key = field.unescaped_key();
    Value value = field.value();
    if (key == "id") {
      trace.id = keep(value.get_string());
    } else if (key == "timestamp") {
      at_ns = time_of(value.get_string());
    } else if (key == "name") {
      text(trace, TL_FIELD_NAME, trace.name, value);
    } else if (key == "sessionId") {
      text(trace, TL_FIELD_SESSION_ID, trace.session_id, value);
    } else if (key == "userId") {
      text(trace, TL_FIELD_USER_ID, trace.user_id, value);
    } else if (key == "environment") {
      text(trace, TL_FIELD_ENVIRONMENT, trace.environment, value);
    } else if (key == "release") {
      text(trace, TL_FIELD_RELEASE, trace.release, value);
    } else if (key == "version") {
      text(trace, TL_FIELD_VERSION, trace.version, value);
    } else if (key == "tags") {
      std::vector<tl_text> tags;
      ondemand::array array = value.get_array();
      for (std::string_view tag : array) tags.push_back(keep(tag));
      array.reset();
      event.tags_json = text_of(array.raw_json());
      trace.tags = keep_all(tags);
      trace.tag_count = tags.size();
      set(trace, TL_FIELD_TAGS);
    } else if (key == "metadata") {
      set_payload(trace, TL_FIELD_METADATA, trace.metadata, value);
    } else if (key == "input") {
      set_payload(trace, TL_FIELD_INPUT, trace.input, value);
    } else if (key == "output") {
      set_payload(trace, TL_FIELD_OUTPUT, trace.output, value);
    }
  }
  trace.timestamp_ns = at_ns;
  set(trace, TL_FIELD_TIMESTAMP);
  return trace;
}

tl_observation EventParser::observation(Object& body, std::int64_t at_ns, Event& event) {
  auto made = empty<tl_observation>();
  for (ondemand::field field : body) {
    const std::string_view key = field.unescaped_key();
    Value value = field.value();
    if (key == "id") {
      made.id = keep(value.get_string());
    } else if (key == "traceId") {
      text(made, TL_FIELD_TRACE_ID, made.trace_id, value);
    } else if (key == "parentObservationId") {
      text(made, TL_FIELD_PARENT_OBSERVATION_ID, made.parent_observation_id, value);
    } else if (key == "type") {
      event.type_name = keep(value.get_string());
    } else if (key == "name") {
      text(made, TL_FIELD_NAME, made.name, value);
    } else if (key == "level") {
      text(made, TL_FIELD_LEVEL, event.level_name, value);
      made.level = number_of(model::kLevelNames, event.level_name);
    } else if (key == "statusMessage") {
      text(made, TL_FIELD_STATUS_MESSAGE, made.status_message, value);
    } else if (key == "environment") {
      text(made, TL_FIELD_ENVIRONMENT, made.environment, value);
    } else if (key == "startTime") {
      at_ns = time_of(value.get_string());
    } else if (key == "endTime") {
      made.end_time_ns = time_of(value.get_string());
      set(made, TL_FIELD_END_TIME);
    } else if (key == "model") {
      text(made, TL_FIELD_MODEL, made.model, value);
    } else if (key == "modelParameters") {
      made.model_parameters = json_text(value);
      set(made, TL_FIELD_MODEL_PARAMETERS);
    } else if (key == "input") {
      set_payload(made, TL_FIELD_INPUT, made.input, value);
    } else if (key == "output") {
      set_payload(made, TL_FIELD_OUTPUT, made.output, value);
    } else if (key == "metadata") {
      set_payload(made, TL_FIELD_METADATA, made.metadata, value);
    } else if (key == "usageDetails") {
      usage(made, value.get_object());
    } else if (key == "costDetails") {
      cost(made, value.get_object());
    }
  }
  made.start_time_ns = at_ns;
  set(made, TL_FIELD_START_TIME);
  made.type = number_of(model::kObservationTypeNames, event.type_name);
  set(made, TL_FIELD_TYPE);
  return made;
}

void EventParser::usage(tl_observation& into, Object object) {
  std::vector<tl_usage> entries;
  for (ondemand::field field : object) {
    const tl_text name = keep(field.unescaped_key());
    entries.push_back({name, field.value().get_uint64()});
  }
  into.usage_details = keep_all(entries);
  into.usage_count = entries.size();
  set(into, TL_FIELD_USAGE_DETAILS);
}

void EventParser::cost(tl_observation& into, Object object) {
  std::vector<tl_cost> entries;
  for (ondemand::field field : object) {
    const tl_text name = keep(field.unescaped_key());
    entries.push_back({name, json_text(field.value())});
  }
  into.cost_details = keep_all(entries);
  into.cost_count = entries.size();
  set(into, TL_FIELD_COST_DETAILS);
}

tl_score EventParser::score(Object& body, std::int64_t at_ns, Event& event) {
  auto score = empty<tl_score>();
  for (ondemand::field field : body) {
    const std::string_view key = field.unescaped_key();
    Value value = field.value();
    if (key == "id") {
      score.id = keep(value.get_string());
    } else if (key == "traceId") {
      text(score, TL_FIELD_TRACE_ID, score.trace_id, value);
    } else if (key == "observationId") {
      text(score, TL_FIELD_OBSERVATION_ID, score.observation_id, value);
    } else if (key == "sessionId") {
      text(score, TL_FIELD_SESSION_ID, score.session_id, value);
    } else if (key == "name") {
      text(score, TL_FIELD_NAME, score.name, value);
    } else if (key == "value") {
      if (value.get(score.value) == simdjson::SUCCESS) {
        set(score, TL_FIELD_VALUE);
      } else {
        text(score, TL_FIELD_STRING_VALUE, score.string_value, value);
      }
    } else if (key == "dataType") {
      tl_text name{};
      text(score, TL_FIELD_DATA_TYPE, name, value);
      score.data_type = number_of(model::kDataTypeNames, name);
    } else if (key == "source") {
      text(score, TL_FIELD_SOURCE, event.source_name, value);
      const std::string_view name = view_of(event.source_name);
      if (name == "EVAL") score.source = TL_SOURCE_EVAL;
      if (name == "ANNOTATION") score.source = TL_SOURCE_ANNOTATION;
    } else if (key == "comment") {
      text(score, TL_FIELD_COMMENT, score.comment, value);
    } else if (key == "environment") {
      text(score, TL_FIELD_ENVIRONMENT, score.environment, value);
    } else if (key == "timestamp") {
      at_ns = time_of(value.get_string());
    }
  }
  score.timestamp_ns = at_ns;
  set(score, TL_FIELD_TIMESTAMP);
  return score;
}

PreparedEvents::PreparedEvents(const Events& events) {
  EventParser parser(memory_);
  for (const std::string_view line : events.lines()) {
    events_.push_back(parser.parse(line));
    line_sizes_bytes_.push_back(line.size());
  }
}

std::vector<std::string_view> payloads_of(const Event& event) {
  std::vector<std::string_view> found;
  const auto add = [&](const auto&... payloads) {
    for (const tl_payload* payload : {&payloads...}) {
      if (payload->form != TL_FORM_ABSENT) found.push_back(view_of(payload->text));
    }
  };
  if (const auto* trace = std::get_if<tl_trace>(&event.entity)) {
    add(trace->input, trace->output, trace->metadata);
  } else if (const auto* observation = std::get_if<tl_observation>(&event.entity)) {
    add(observation->input, observation->output, observation->metadata);
  }
  return found;
}

}  // namespace bench
