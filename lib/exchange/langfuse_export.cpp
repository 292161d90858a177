// One function a kind of entity, from its view to the body of an event.
#include "exchange/langfuse_export.hpp"

#include <array>
#include <charconv>
#include <optional>

#include "exchange/json_members.hpp"
#include "exchange/json_writer.hpp"
#include "exchange/langfuse_event.hpp"
#include "model/time.hpp"
#include "payload/base64.hpp"
#include "payload/sha256.hpp"

namespace tracelite::exchange {
namespace {

using model::Entity;
using model::EntityKind;
using model::Field;
using model::Form;
using model::PayloadView;

Bytes name_of(Field field) { return model::field_name(field); }

class BodyWriter {
 public:
  BodyWriter(const PayloadLoader& load, std::string& out) : load_(load), json_(out), out_(out) {}

  void id(Bytes name, Bytes id) { json_.text(name, id); }
  void text(Field field, const model::OptionalText& text) {
    if (text) json_.text(name_of(field), *text);
  }
  void time(Field field, const model::OptionalTime& time_ns) {
    if (time_ns) json_.text(name_of(field), model::format_time(*time_ns));
  }
  void flag(Field field, const std::optional<bool>& value) {
    if (value) json_.flag(name_of(field), *value);
  }
  void choice(Field field, Bytes name) { json_.text(name_of(field), name); }
  void integer(Field field, const std::optional<std::int64_t>& value) {
    if (value) json_.raw(name_of(field), std::to_string(*value));
  }
  void number(Field field, const std::optional<double>& value);
  void tags(const std::vector<Bytes>& tags);
  void usage(const std::vector<std::pair<Bytes, std::uint64_t>>& usage);
  void cost(const std::vector<std::pair<Bytes, model::Int128>>& cost);
  void model_parameters(const model::OptionalText& json);
  Status payload(Field field, const PayloadView& view);
  void finish() { json_.finish(); }

 private:
  void json_payload(Field field, Bytes json);

  const PayloadLoader& load_;
  ObjectWriter json_;
  std::string& out_;
};

// The shortest text that reads as the same double.
void BodyWriter::number(Field field, const std::optional<double>& value) {
  if (!value) return;
  std::array<char, 32> buffer{};
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), *value);
  json_.raw(name_of(field), Bytes(buffer.data(), static_cast<std::size_t>(end - buffer.data())));
}

void BodyWriter::tags(const std::vector<Bytes>& tags) {
  if (tags.empty()) return;
  json_.start(name_of(Field::tags)).push_back('[');
  for (std::size_t i = 0; i < tags.size(); ++i) {
    if (i > 0) out_.push_back(',');
    payload::append_json_string(out_, tags[i]);
  }
  out_.push_back(']');
}

void BodyWriter::usage(const std::vector<std::pair<Bytes, std::uint64_t>>& usage) {
  if (usage.empty()) return;
  std::vector<Bytes> names;
  ObjectWriter map(json_.start(name_of(Field::usage_details)));
  for (const auto& [name, amount] : usage) {
    map.raw(name, std::to_string(amount));
    names.push_back(name);
  }
  // These names were given as they are; a further one keeps the import from renaming them.
  if (reads_as_openai_usage(names)) map.raw("flat", "null");
  map.finish();
}

void BodyWriter::cost(const std::vector<std::pair<Bytes, model::Int128>>& cost) {
  if (cost.empty()) return;
  ObjectWriter map(json_.start(name_of(Field::cost_details)));
  for (const auto& [name, units] : cost) map.raw(name, model::format_decimal(units));
  map.finish();
}

void BodyWriter::model_parameters(const model::OptionalText& json) {
  if (!json) return;
  payload::append_one_line(json_.start(name_of(Field::model_parameters)), *json);
}

void BodyWriter::json_payload(Field field, Bytes json) {
  json = trim_json_space(json);
  if (json.empty() || is_null(json)) return;
  // What import takes for bytes is written as bytes are.
  if (field != Field::metadata && may_hold_bytes(json)) {
    if (const auto bytes = payload::bytes_from_json(json)) {
      return payload::append_bytes_json(json_.start(name_of(field)), *bytes);
    }
  }
  payload::append_one_line(json_.start(name_of(field)), json);
}

Status BodyWriter::payload(Field field, const PayloadView& view) {
  const Form form = view.value.form;
  if (form == Form::absent || form == Form::null || form == Form::withheld) return {};
  std::string loaded;
  Bytes bytes = view.value.bytes;
  if (view.is_tree || view.value.is_stored || view.value.has_media()) {
    TL_TRY_ASSIGN(text, load_(view));
    loaded = std::move(text);
    bytes = loaded;
  }
  if (form == Form::text) {
    json_.text(name_of(field), bytes);
  } else if (form == Form::bytes) {
    payload::append_bytes_json(json_.start(name_of(field)), bytes);
  } else {
    json_payload(field, bytes);
  }
  return {};
}

// 128 bits of what makes the entity unique.
std::string envelope_id(EntityKind kind, Bytes trace_id, Bytes id) {
  std::string key(1, static_cast<char>(kind));
  if (kind == EntityKind::observation) append_text(key, trace_id);
  key.append(id);
  constexpr Bytes kHex = "0123456789abcdef";
  std::string text;
  for (const char byte : payload::sha256(key).substr(0, 16)) {
    text.push_back(kHex[static_cast<unsigned char>(byte) >> 4]);
    text.push_back(kHex[byte & 15]);
  }
  return text;
}

std::string observation_event_type(model::ObservationType type) {
  std::string name(model::kObservationTypeNames[static_cast<std::size_t>(type) - 1]);
  for (char& letter : name) letter = static_cast<char>(letter - 'A' + 'a');
  return name + "-create";
}

std::int64_t last_time_ns(const Entity& entity) { return entity.last_order().event_time_ns; }

// {"id","timestamp","type","body": ...; the body follows, and then one closing bracket.
void start_event(const Entity& entity, Bytes trace_id, Bytes type, std::int64_t time_ns,
                 std::string& out) {
  ObjectWriter envelope(out);
  envelope.text("id", envelope_id(entity.kind, trace_id, entity.id));
  envelope.text("timestamp", model::format_time(time_ns));
  envelope.text("type", type);
  envelope.start("body");
}

Status append_trace(const Entity& entity, const PayloadLoader& load, std::string& out) {
  const model::TraceView view = model::view_trace(entity);
  if (!view.has_record && !view.is_public && !view.is_bookmarked) return {};
  // A trace that has only flags has the time of its first event.
  start_event(entity, {}, "trace-create",
              view.has_record ? last_time_ns(entity) : view.first_event_ns, out);
  BodyWriter body(load, out);
  body.id("id", view.id);
  if (view.has_record) {
    body.time(Field::timestamp, view.timestamp_ns.value_or(view.first_event_ns));
    body.text(Field::name, view.name);
    body.text(Field::user_id, view.user_id);
    body.text(Field::session_id, view.session_id);
    body.text(Field::release, view.release);
    body.text(Field::version, view.version);
    body.text(Field::environment, view.environment);
    body.tags(view.tags);
    TL_TRY(body.payload(Field::metadata, view.metadata));
    TL_TRY(body.payload(Field::input, view.input));
    TL_TRY(body.payload(Field::output, view.output));
  }
  body.flag(Field::is_public, view.is_public);
  body.flag(Field::is_bookmarked, view.is_bookmarked);
  body.finish();
  out.append("}\n");
  return {};
}

Status append_observation(const Entity& entity, Bytes trace_id, const PayloadLoader& load,
                          std::string& out) {
  const model::ObservationView view = model::view_observation(entity);
  start_event(entity, trace_id, observation_event_type(view.type), last_time_ns(entity), out);
  BodyWriter body(load, out);
  body.id("id", view.id);
  if (!trace_id.empty()) body.id("traceId", trace_id);
  body.text(Field::parent_observation_id, view.parent_id);
  body.text(Field::name, view.name);
  body.time(Field::start_time, view.start_ns);
  body.time(Field::end_time, view.end_ns);
  body.time(Field::completion_start_time, view.completion_start_ns);
  if (view.level != model::Level::normal) {
    body.choice(Field::level, model::kLevelNames[static_cast<std::size_t>(view.level) - 1]);
  }
  body.text(Field::status_message, view.status_message);
  body.text(Field::version, view.version);
  body.text(Field::environment, view.environment);
  body.text(Field::user_id, view.user_id);
  body.text(Field::session_id, view.session_id);
  body.tags(view.tags);
  body.text(Field::model, view.model);
  body.model_parameters(view.model_parameters);
  body.usage(view.usage);
  body.cost(view.cost);
  body.text(Field::prompt_name, view.prompt_name);
  body.integer(Field::prompt_version, view.prompt_version);
  TL_TRY(body.payload(Field::metadata, view.metadata));
  TL_TRY(body.payload(Field::input, view.input));
  TL_TRY(body.payload(Field::output, view.output));
  body.finish();
  out.append("}\n");
  return {};
}

Status append_score(const Entity& entity, const PayloadLoader& load, std::string& out) {
  const model::ScoreView view = model::view_score(entity);
  start_event(entity, {}, "score-create", last_time_ns(entity), out);
  BodyWriter body(load, out);
  body.id("id", view.id);
  if (view.subject_kind == model::SubjectKind::session) {
    body.id("sessionId", view.session_id);
  } else {
    body.id("traceId", view.trace_id);
    if (!view.observation_id.empty()) body.id("observationId", view.observation_id);
  }
  body.text(Field::name, view.name);
  body.number(Field::value, view.value);
  // Langfuse takes the text of a score as its value; beside a number it has its own name.
  body.text(view.value ? Field::string_value : Field::value, view.string_value);
  const auto type = static_cast<std::size_t>(view.data_type);
  body.choice(Field::data_type, model::kDataTypeNames[type - 1]);
  body.choice(Field::source, model::kSourceNames[static_cast<std::size_t>(view.source)]);
  body.text(Field::comment, view.comment);
  body.text(Field::config_id, view.config_id);
  body.text(Field::author_user_id, view.author_user_id);
  body.text(Field::environment, view.environment);
  body.time(Field::timestamp, view.timestamp_ns);
  TL_TRY(body.payload(Field::metadata, view.metadata));
  body.finish();
  out.append("}\n");
  return {};
}

void append_session(const Entity& entity, const PayloadLoader& load, std::string& out) {
  if (entity.orders.empty()) return;  // it is only named, by traces or scores
  const model::SessionView view = model::view_session(entity);
  start_event(entity, {}, "session-update", last_time_ns(entity), out);
  BodyWriter body(load, out);
  body.id("id", view.id);
  body.flag(Field::is_public, view.is_public);
  body.flag(Field::is_bookmarked, view.is_bookmarked);
  body.finish();
  out.append("}\n");
}

}  // namespace

Status append_event(const Entity& entity, Bytes trace_id, const PayloadLoader& load,
                    std::string& out) {
  const std::size_t size_before = out.size();
  Status status;
  switch (entity.kind) {
    case EntityKind::trace:
      status = append_trace(entity, load, out);
      break;
    case EntityKind::observation:
      status = append_observation(entity, trace_id, load, out);
      break;
    case EntityKind::score:
      status = append_score(entity, load, out);
      break;
    case EntityKind::session:
      append_session(entity, load, out);
      break;
  }
  if (!status) out.resize(size_before);
  return status;
}

}  // namespace tracelite::exchange
