// The body of an event: each field of each kind of entity, with what happens to a wrong type.
//
// A wrong type of an id, a time, a name, a type, a level or a score's value refuses the event;
// anywhere else leaving the value out does no harm, so it is dropped with a warning. null clears.
#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <utility>

#include "exchange/langfuse_event.hpp"
#include "model/time.hpp"
#include "payload/base64.hpp"
#include "payload/metadata_json.hpp"

namespace tracelite::exchange {
namespace {

using model::DataType;
using model::EventBuilder;
using model::Field;
using model::Form;
using model::Reason;

JsonType type_of(Bytes value) { return payload::json_type(value).value_or(JsonType::null); }

std::string body_field(Field field) {
  const std::string name(model::field_name(field));
  return field == Field::timestamp || field == Field::type ? "body." + name : name;
}

Error refused(Field field, Bytes need, Bytes value) {
  return make_error(Code::invalid,
                    body_field(field) + " must be " + std::string(need) + ", not " +
                        std::string(type_name(value)),
                    body_field(field));
}

Error unknown_choice(Field field, Bytes given, Bytes choices) {
  return make_error(Code::invalid,
                    body_field(field) + " \"" + std::string(given.substr(0, 100)) +
                        "\" is not known: use one of " + std::string(choices),
                    body_field(field));
}

// The number of the name in a table, any case; nullopt if it is not there.
template <std::size_t Size>
std::optional<std::size_t> find_name(const std::string_view (&names)[Size], Bytes given) {
  const auto same_letter = [](char a, char b) {
    return a == (b >= 'a' && b <= 'z' ? static_cast<char>(b - 'a' + 'A') : b);
  };
  for (std::size_t i = 0; i < Size; ++i) {
    if (std::equal(names[i].begin(), names[i].end(), given.begin(), given.end(), same_letter)) {
      return i;
    }
  }
  return std::nullopt;
}

template <std::size_t Size>
std::string list_names(const std::string_view (&names)[Size]) {
  std::string list;
  for (const std::string_view name : names) {
    list.append(list.empty() ? "" : ", ").append(name);
  }
  return list;
}

class BodyReader {
 public:
  BodyReader(BodyMembers& members, EventBuilder& builder) : members_(members), builder_(builder) {}

  // Texts that must be texts, and texts that may be left out.
  Status needed_text(Field field);
  Status texts(std::initializer_list<Field> fields);
  Status times(std::initializer_list<Field> fields);
  Status trace_id();
  void flags();
  void tags();
  void payloads();
  void metadata();
  Status type();
  Status level();
  void model_parameters();
  void prompt_version();
  Status subject();
  Status score_value();
  Status source();

 private:
  // The value if it was given; null clears the field, where it can be cleared.
  Bytes given(Field field);
  void drop(Field field, Bytes need, Bytes value);
  Status id_text(Field field, std::string& out);
  Result<std::optional<DataType>> data_type();

  BodyMembers& members_;
  EventBuilder& builder_;
};

Bytes BodyReader::given(Field field) {
  const Bytes value = members_.take(field);
  if (is_absent(value)) return {};
  if (!is_null(value)) return value;
  builder_.clear(field);
  return {};
}

void BodyReader::drop(Field field, Bytes need, Bytes value) {
  const std::string name(model::field_name(field));
  builder_.warn(Reason::field, name,
                name + " was dropped: it must be " + std::string(need) + ", not " +
                    std::string(type_name(value)));
}

Status BodyReader::needed_text(Field field) {
  const Bytes value = given(field);
  if (is_absent(value)) return {};
  if (type_of(value) != JsonType::string) return refused(field, "a text", value);
  return builder_.text(field, JsonText(value).view());
}

Status BodyReader::texts(std::initializer_list<Field> fields) {
  for (const Field field : fields) {
    const Bytes value = given(field);
    if (is_absent(value)) continue;
    if (type_of(value) == JsonType::string) {
      TL_TRY(builder_.text(field, JsonText(value).view()));
    } else {
      drop(field, "a text", value);
    }
  }
  return {};
}

Status BodyReader::times(std::initializer_list<Field> fields) {
  for (const Field field : fields) {
    const Bytes value = given(field);
    if (is_absent(value)) continue;
    if (type_of(value) != JsonType::string) return refused(field, "a time as text", value);
    const JsonText text(value);
    const auto time_ns = model::parse_time(text.view());
    if (!time_ns) {
      return make_error(Code::invalid,
                        body_field(field) + " \"" + std::string(text.view().substr(0, 100)) +
                            "\" is no time: write it as 2026-11-21T00:20:28.509Z",
                        body_field(field));
    }
    builder_.time(field, *time_ns);
  }
  return {};
}

Status BodyReader::trace_id() {
  const Bytes value = members_.take(Field::subject);
  if (!is_given(value)) return {};
  if (type_of(value) != JsonType::string) return refused(Field::subject, "a text", value);
  return builder_.trace_id(JsonText(value).view());
}

void BodyReader::flags() {
  for (const Field field : {Field::is_public, Field::is_bookmarked}) {
    const Bytes value = given(field);
    if (is_absent(value)) continue;
    if (type_of(value) == JsonType::boolean) {
      builder_.flag(field, value == "true");
    } else {
      drop(field, "true or false", value);
    }
  }
}

void BodyReader::tags() {
  const Bytes value = given(Field::tags);
  if (is_absent(value)) return;
  if (type_of(value) != JsonType::array) return drop(Field::tags, "a list of texts", value);
  for (payload::JsonWalker walker(value); walker.next();) {
    if (type_of(walker.value()) == JsonType::string) {
      // Its only outcome besides success is a warning.
      (void)builder_.tag(JsonText(walker.value()).view());
    } else {
      builder_.warn(
          Reason::tag, "tags",
          "a tag was dropped: it must be a text, not " + std::string(type_name(walker.value())));
    }
  }
}

void BodyReader::metadata() {
  const Bytes value = given(Field::metadata);
  if (is_absent(value)) return;
  if (type_of(value) == JsonType::object) {
    builder_.payload(Field::metadata, Form::json, value);
  } else {
    builder_.payload(Field::metadata, Form::json, payload::metadata_object(Form::json, value));
  }
}

void BodyReader::payloads() {
  for (const Field field : {Field::input, Field::output}) {
    const Bytes value = given(field);
    if (is_absent(value)) continue;
    if (may_hold_bytes(value)) {
      if (const auto bytes = payload::bytes_from_json(value)) {
        builder_.payload(field, Form::bytes, std::string(*bytes));
        continue;
      }
    }
    builder_.payload(field, Form::json, value);
  }
  metadata();
}

Status BodyReader::type() {
  const Bytes value = members_.take(Field::type);
  if (!is_given(value)) return {};  // null: what the event's own type says stays
  if (type_of(value) != JsonType::string) return refused(Field::type, "a text", value);
  const JsonText name(value);
  const auto index = find_name(model::kObservationTypeNames, name.view());
  if (!index) {
    return unknown_choice(Field::type, name.view(), list_names(model::kObservationTypeNames));
  }
  builder_.type(static_cast<model::ObservationType>(*index + 1), false);
  return {};
}

Status BodyReader::level() {
  const Bytes value = given(Field::level);
  if (is_absent(value)) return {};
  if (type_of(value) != JsonType::string) return refused(Field::level, "a text", value);
  const JsonText name(value);
  const auto index = find_name(model::kLevelNames, name.view());
  if (!index) return unknown_choice(Field::level, name.view(), list_names(model::kLevelNames));
  builder_.level(static_cast<model::Level>(*index + 1));
  return {};
}

void BodyReader::model_parameters() {
  const Bytes value = given(Field::model_parameters);
  if (is_absent(value)) return;
  if (type_of(value) != JsonType::object) {
    return drop(Field::model_parameters, "an object", value);
  }
  builder_.model_parameters(value);
}

void BodyReader::prompt_version() {
  const Bytes value = given(Field::prompt_version);
  if (is_absent(value)) return;
  std::int64_t number = 0;
  const char* const end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, number);
  if (error == std::errc() && stop == end) {
    builder_.integer(Field::prompt_version, number);
  } else {
    drop(Field::prompt_version, "a whole number", value);
  }
}

Status BodyReader::id_text(Field field, std::string& out) {
  const Bytes value = members_.take(field);
  if (!is_given(value)) return {};
  if (type_of(value) != JsonType::string) return refused(field, "a text", value);
  out = JsonText(value).view();
  return {};
}

Status BodyReader::subject() {
  std::string trace;
  std::string observation;
  std::string session;
  TL_TRY(id_text(Field::subject, trace));
  TL_TRY(id_text(Field::observation_id, observation));
  TL_TRY(id_text(Field::session_id, session));
  return builder_.subject(trace, observation, session);
}

Result<std::optional<DataType>> BodyReader::data_type() {
  const Bytes value = members_.take(Field::data_type);
  if (!is_given(value)) return std::optional<DataType>();
  if (type_of(value) != JsonType::string) return refused(Field::data_type, "a text", value);
  const JsonText name(value);
  const auto index = find_name(model::kDataTypeNames, name.view());
  if (!index) {
    return unknown_choice(Field::data_type, name.view(), list_names(model::kDataTypeNames));
  }
  return std::optional(static_cast<DataType>(*index + 1));
}

// The value, its text and its data type are always written together, so that of several events
// about a score all three come from the last.
Status BodyReader::score_value() {
  TL_TRY_ASSIGN(type, data_type());
  Bytes value = members_.take(Field::value);
  Bytes text = members_.take(Field::string_value);
  if (is_given(text) && type_of(text) != JsonType::string) {
    return refused(Field::string_value, "a text", text);
  }
  if (is_given(value) && type_of(value) == JsonType::string) {
    if (!is_given(text)) text = value;
    value = {};
  }
  if (!is_given(value) && !is_given(text)) {
    return make_error(Code::invalid, "a score needs a value: a number, or a text", "value");
  }
  if (is_given(value) && type_of(value) == JsonType::boolean) {
    builder_.number(value == "true" ? 1 : 0);
    if (!type) type = DataType::boolean;
  } else if (is_given(value)) {
    if (type_of(value) != JsonType::number) {
      return refused(Field::value, "a number or a text", value);
    }
    double number = 0;
    if (std::from_chars(value.data(), value.data() + value.size(), number).ec != std::errc()) {
      return make_error(Code::invalid, "value is out of the range of a double", "value");
    }
    builder_.number(number);
  } else {
    builder_.clear(Field::value);
  }
  if (!type) type = is_given(value) ? DataType::numeric : DataType::categorical;
  const bool is_number = *type == DataType::numeric || *type == DataType::boolean;
  if (is_number && !is_given(value)) {
    return make_error(Code::invalid, "a NUMERIC or BOOLEAN score has a number as its value",
                      "value");
  }
  if (!is_number && !is_given(text)) {
    return make_error(Code::invalid, "a score of this data type has a text as its value", "value");
  }
  builder_.data_type(*type);
  if (is_given(text)) return builder_.text(Field::string_value, JsonText(text).view());
  builder_.clear(Field::string_value);
  return {};
}

Status BodyReader::source() {
  const Bytes value = given(Field::source);
  if (is_absent(value)) return {};
  if (type_of(value) != JsonType::string) return refused(Field::source, "a text", value);
  const JsonText name(value);
  const auto index = find_name(model::kSourceNames, name.view());
  if (!index) return unknown_choice(Field::source, name.view(), list_names(model::kSourceNames));
  builder_.source(static_cast<model::Source>(*index));
  return {};
}

}  // namespace

Status read_trace(BodyMembers& members, std::int64_t event_time_ns, EventBuilder& builder) {
  BodyReader reader(members, builder);
  TL_TRY(reader.times({Field::timestamp}));
  TL_TRY(reader.needed_text(Field::name));
  TL_TRY(reader.texts(
      {Field::user_id, Field::session_id, Field::release, Field::version, Field::environment}));
  reader.tags();
  reader.flags();
  reader.payloads();
  // A trace that somebody created is there, even if nothing else is known of it. Its flags alone
  // do not create it: they can be set on a trace that is only known from its observations.
  if (!is_given(members.peek(Field::timestamp)) && !members.only_flags()) {
    builder.time(Field::timestamp, event_time_ns, true);
  }
  return {};
}

Status read_observation(BodyMembers& members, EventBuilder& builder) {
  BodyReader reader(members, builder);
  TL_TRY(reader.trace_id());
  TL_TRY(reader.needed_text(Field::parent_observation_id));
  TL_TRY(reader.needed_text(Field::name));
  TL_TRY(reader.type());
  TL_TRY(reader.level());
  TL_TRY(reader.times({Field::start_time, Field::end_time, Field::completion_start_time}));
  TL_TRY(reader.texts({Field::status_message, Field::version, Field::environment, Field::user_id,
                       Field::session_id, Field::model, Field::prompt_name}));
  reader.prompt_version();
  reader.tags();
  reader.model_parameters();
  read_usage(members, builder);
  reader.payloads();
  return {};
}

Status read_score(BodyMembers& members, EventBuilder& builder) {
  BodyReader reader(members, builder);
  TL_TRY(reader.subject());
  // A score's name is never cleared: null is as good as none, which is refused.
  if (is_given(members.peek(Field::name))) {
    TL_TRY(reader.needed_text(Field::name));
  } else {
    return make_error(Code::invalid, "a score needs a name", "name");
  }
  TL_TRY(reader.score_value());
  TL_TRY(reader.source());
  TL_TRY(reader.times({Field::timestamp}));
  TL_TRY(
      reader.texts({Field::comment, Field::config_id, Field::author_user_id, Field::environment}));
  reader.metadata();
  return {};
}

Status read_session(BodyMembers& members, EventBuilder& builder) {
  BodyReader(members, builder).flags();
  return {};
}

}  // namespace tracelite::exchange
