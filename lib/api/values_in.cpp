// One function a struct; the order of fields is that of the header.
#include "api/values_in.hpp"

#include "api/error.hpp"
#include "model/limits.hpp"
#include "payload/json_scanner.hpp"
#include "payload/metadata_json.hpp"

namespace tracelite::api {
namespace {

using model::EventBuilder;
using model::Field;
using model::Form;

// Which fields a kind of entity has.
constexpr std::uint64_t bits(std::initializer_list<tl_field> fields) {
  std::uint64_t mask = 0;
  for (const tl_field field : fields) mask |= TL_BIT(field);
  return mask;
}
constexpr std::uint64_t kTraceFields = bits(
    {TL_FIELD_TIMESTAMP, TL_FIELD_NAME, TL_FIELD_USER_ID, TL_FIELD_SESSION_ID, TL_FIELD_RELEASE,
     TL_FIELD_VERSION, TL_FIELD_ENVIRONMENT, TL_FIELD_TAGS, TL_FIELD_METADATA, TL_FIELD_INPUT,
     TL_FIELD_OUTPUT, TL_FIELD_PUBLIC, TL_FIELD_BOOKMARKED});
constexpr std::uint64_t kObservationFields =
    bits({TL_FIELD_NAME,          TL_FIELD_USER_ID,
          TL_FIELD_SESSION_ID,    TL_FIELD_VERSION,
          TL_FIELD_ENVIRONMENT,   TL_FIELD_TAGS,
          TL_FIELD_METADATA,      TL_FIELD_INPUT,
          TL_FIELD_OUTPUT,        TL_FIELD_PARENT_OBSERVATION_ID,
          TL_FIELD_TYPE,          TL_FIELD_START_TIME,
          TL_FIELD_END_TIME,      TL_FIELD_COMPLETION_START_TIME,
          TL_FIELD_LEVEL,         TL_FIELD_STATUS_MESSAGE,
          TL_FIELD_MODEL,         TL_FIELD_MODEL_PARAMETERS,
          TL_FIELD_USAGE_DETAILS, TL_FIELD_COST_DETAILS,
          TL_FIELD_PROMPT_NAME,   TL_FIELD_PROMPT_VERSION,
          TL_FIELD_TRACE_ID});
constexpr std::uint64_t kScoreFields =
    bits({TL_FIELD_TIMESTAMP, TL_FIELD_NAME, TL_FIELD_SESSION_ID, TL_FIELD_ENVIRONMENT,
          TL_FIELD_METADATA, TL_FIELD_VALUE, TL_FIELD_STRING_VALUE, TL_FIELD_DATA_TYPE,
          TL_FIELD_SOURCE, TL_FIELD_COMMENT, TL_FIELD_CONFIG_ID, TL_FIELD_AUTHOR_USER_ID,
          TL_FIELD_TRACE_ID, TL_FIELD_OBSERVATION_ID});
constexpr std::uint64_t kSessionFields =
    bits({TL_FIELD_PUBLIC, TL_FIELD_BOOKMARKED, TL_FIELD_ENVIRONMENT});

Error invalid(Field field, std::string message) {
  return make_error(Code::invalid, std::move(message), std::string(field_name(field)));
}

// Adds single fields of one struct, by its masks.
class Filler {
 public:
  Filler(EventBuilder& builder, std::uint64_t set_mask, std::uint64_t clear_mask)
      : builder_(builder), set_mask_(set_mask), clear_mask_(clear_mask) {}

  Status check(std::uint64_t known) const {
    if (((set_mask_ | clear_mask_) & ~known) != 0) {
      return make_error(Code::invalid, "a bit stands for a field that this struct does not have",
                        "set_mask");
    }
    if ((set_mask_ & clear_mask_) != 0) {
      return make_error(Code::invalid, "a field is both set and cleared", "clear_mask");
    }
    return {};
  }

  // True if the field is set; clears it if it is to be cleared.
  bool is_set(Field field) {
    const std::uint64_t bit = TL_BIT(static_cast<int>(field));
    if ((clear_mask_ & bit) != 0) builder_.clear(field);
    return (set_mask_ & bit) != 0;
  }
  [[nodiscard]] bool touches(Field field) const {
    return ((set_mask_ | clear_mask_) & TL_BIT(static_cast<int>(field))) != 0;
  }

  // Most fields of most structs are neither set nor cleared: that is found out without a call.
  Status text(Field field, tl_text text) {
    return touches(field) ? put_text(field, text) : Status();
  }
  Status tags(const tl_text* tags, std::size_t count) {
    return touches(Field::tags) ? put_tags(tags, count) : Status();
  }
  Status payload(Field field, const tl_payload& payload) {
    return touches(field) ? put_payload(field, payload) : Status();
  }

  void time(Field field, std::int64_t time_ns) {
    if (is_set(field)) builder_.time(field, time_ns);
  }

  void flag(Field field, std::int32_t value) {
    if (is_set(field)) builder_.flag(field, value != 0);
  }

  template <class Enum>
  Result<std::optional<Enum>> choice(Field field, std::int32_t value, int least, int greatest) {
    if (!touches(field) || !is_set(field)) return std::optional<Enum>();
    if (value < least || value > greatest) {
      return invalid(field, "no such value: " + std::to_string(value));
    }
    return std::optional<Enum>(static_cast<Enum>(value));
  }

 private:
  Status put_text(Field field, tl_text text);
  Status put_tags(const tl_text* tags, std::size_t count);
  Status put_payload(Field field, const tl_payload& payload);

  EventBuilder& builder_;
  std::uint64_t set_mask_;
  std::uint64_t clear_mask_;
};

Status Filler::put_text(Field field, tl_text text) {
  if (!is_set(field)) return {};
  if (text.data == nullptr) return invalid(field, "the field is set, but its text is absent");
  return builder_.text(field, from_text(text));
}

Status Filler::put_tags(const tl_text* tags, std::size_t count) {
  if (!is_set(Field::tags)) return {};
  if (tags == nullptr && count > 0) return invalid(Field::tags, "the list of tags is NULL");
  for (std::size_t i = 0; i < count; ++i) TL_TRY(builder_.tag(from_text(tags[i])));
  return {};
}

Status Filler::put_payload(Field field, const tl_payload& payload) {
  if (!is_set(field)) return {};
  switch (payload.form) {
    case TL_FORM_ABSENT:
      return {};
    case TL_FORM_NULL:
      builder_.clear(field);
      return {};
    case TL_FORM_JSON:
    case TL_FORM_TEXT:
    case TL_FORM_BYTES:
      builder_.unchecked_payload(field, static_cast<Form>(payload.form), from_text(payload.text));
      return {};
    default:
      return invalid(field, "the form of a payload is NULL, JSON, TEXT or BYTES");
  }
}

Status fill_model(Filler& filler, EventBuilder& builder, const tl_observation& observation) {
  TL_TRY(filler.text(Field::model, observation.model));
  if (filler.is_set(Field::model_parameters)) {
    const Bytes json = from_text(observation.model_parameters);
    if (payload::check_json(json) || payload::json_type(json) != payload::JsonType::object) {
      return invalid(Field::model_parameters, "model parameters are one JSON object");
    }
    if (payload::JsonWalker(json).next()) builder.model_parameters(json);
  }
  if (filler.is_set(Field::usage_details)) {
    if (observation.usage_details == nullptr && observation.usage_count > 0) {
      return invalid(Field::usage_details, "the list of usage_details is NULL");
    }
    for (std::size_t i = 0; i < observation.usage_count; ++i) {
      const tl_usage& usage = observation.usage_details[i];
      const Bytes name = from_text(usage.name);
      if (!payload::is_valid_utf8(name)) {
        return invalid(Field::usage_details, "a name is not valid UTF-8");
      }
      builder.usage(name, usage.amount);
    }
  }
  if (filler.is_set(Field::cost_details)) {
    if (observation.cost_details == nullptr && observation.cost_count > 0) {
      return invalid(Field::cost_details, "the list of cost_details is NULL");
    }
    for (std::size_t i = 0; i < observation.cost_count; ++i) {
      const tl_cost& cost = observation.cost_details[i];
      const Bytes name = from_text(cost.name);
      const auto units = model::parse_decimal(from_text(cost.amount));
      if (!units || !payload::is_valid_utf8(name)) {
        builder.warn(model::Reason::cost, "costDetails",
                     "a cost was dropped: it must be a decimal number such as 0.00125");
        continue;
      }
      builder.cost(name, *units);
    }
  }
  TL_TRY(filler.text(Field::prompt_name, observation.prompt_name));
  if (filler.is_set(Field::prompt_version)) {
    builder.integer(Field::prompt_version, observation.prompt_version);
  }
  return {};
}

void take(std::optional<std::string>& condition, tl_text text) {
  if (text.data != nullptr) condition = std::string(from_text(text));
}

}  // namespace

Status fill(EventBuilder& builder, const tl_trace& trace) {
  Filler filler(builder, trace.set_mask, trace.clear_mask);
  TL_TRY(filler.check(kTraceFields));
  filler.time(Field::timestamp, trace.timestamp_ns);
  TL_TRY(filler.text(Field::name, trace.name));
  TL_TRY(filler.text(Field::user_id, trace.user_id));
  TL_TRY(filler.text(Field::session_id, trace.session_id));
  TL_TRY(filler.text(Field::release, trace.release));
  TL_TRY(filler.text(Field::version, trace.version));
  TL_TRY(filler.text(Field::environment, trace.environment));
  TL_TRY(filler.tags(trace.tags, trace.tag_count));
  TL_TRY(filler.payload(Field::metadata, trace.metadata));
  TL_TRY(filler.payload(Field::input, trace.input));
  TL_TRY(filler.payload(Field::output, trace.output));
  filler.flag(Field::is_public, trace.is_public);
  filler.flag(Field::is_bookmarked, trace.is_bookmarked);
  return {};
}

Status fill(EventBuilder& builder, const tl_observation& observation) {
  Filler filler(builder, observation.set_mask, observation.clear_mask);
  TL_TRY(filler.check(kObservationFields));
  TL_TRY(filler.text(Field::parent_observation_id, observation.parent_observation_id));
  TL_TRY_ASSIGN(type, filler.choice<model::ObservationType>(Field::type, observation.type,
                                                            TL_TYPE_SPAN, TL_TYPE_GUARDRAIL));
  if (type) builder.type(*type, false);
  TL_TRY(filler.text(Field::name, observation.name));
  filler.time(Field::start_time, observation.start_time_ns);
  filler.time(Field::end_time, observation.end_time_ns);
  filler.time(Field::completion_start_time, observation.completion_start_time_ns);
  TL_TRY_ASSIGN(level, filler.choice<model::Level>(Field::level, observation.level, TL_LEVEL_DEBUG,
                                                   TL_LEVEL_ERROR));
  if (level) builder.level(*level);
  TL_TRY(filler.text(Field::status_message, observation.status_message));
  TL_TRY(filler.text(Field::version, observation.version));
  TL_TRY(filler.text(Field::environment, observation.environment));
  TL_TRY(filler.text(Field::user_id, observation.user_id));
  TL_TRY(filler.text(Field::session_id, observation.session_id));
  TL_TRY(filler.tags(observation.tags, observation.tag_count));
  TL_TRY(filler.payload(Field::input, observation.input));
  TL_TRY(filler.payload(Field::output, observation.output));
  TL_TRY(filler.payload(Field::metadata, observation.metadata));
  return fill_model(filler, builder, observation);
}

Status fill(EventBuilder& builder, const tl_score& score) {
  Filler filler(builder, score.set_mask, score.clear_mask);
  TL_TRY(filler.check(kScoreFields));
  TL_TRY(filler.text(Field::name, score.name));
  if (filler.is_set(Field::value)) builder.number(score.value);
  TL_TRY(filler.text(Field::string_value, score.string_value));
  TL_TRY_ASSIGN(
      type, filler.choice<model::DataType>(Field::data_type, score.data_type, TL_DATA_TYPE_INFERRED,
                                           TL_DATA_TYPE_CORRECTION));
  if (type && *type != model::DataType{0}) builder.data_type(*type);
  TL_TRY_ASSIGN(source, filler.choice<model::Source>(Field::source, score.source, TL_SOURCE_API,
                                                     TL_SOURCE_ANNOTATION));
  if (source) builder.source(*source);
  TL_TRY(filler.text(Field::comment, score.comment));
  TL_TRY(filler.payload(Field::metadata, score.metadata));
  TL_TRY(filler.text(Field::config_id, score.config_id));
  TL_TRY(filler.text(Field::environment, score.environment));
  filler.time(Field::timestamp, score.timestamp_ns);
  return filler.text(Field::author_user_id, score.author_user_id);
}

Status fill(EventBuilder& builder, const tl_session& session) {
  Filler filler(builder, session.set_mask, session.clear_mask);
  TL_TRY(filler.check(kSessionFields));
  filler.flag(Field::is_public, session.is_public);
  filler.flag(Field::is_bookmarked, session.is_bookmarked);
  return {};
}

Result<query::Filter> convert(const tl_filter* given) {
  query::Filter filter;
  if (given == nullptr) return filter;
  tl_filter own{};
  if (!copy_in(given, own)) return no_struct_size();
  take(filter.trace_id, own.trace_id);
  take(filter.session_id, own.session_id);
  take(filter.user_id, own.user_id);
  take(filter.environment, own.environment);
  take(filter.name, own.name);
  take(filter.release, own.release);
  take(filter.version, own.version);
  take(filter.model, own.model);
  take(filter.metadata_key, own.metadata_key);
  take(filter.metadata_value, own.metadata_value);
  if (filter.metadata_value && !filter.metadata_key) {
    return make_error(Code::invalid, "a metadata value needs its key", "metadata_key");
  }
  if (own.tags == nullptr && own.tag_count > 0) {
    return make_error(Code::invalid, "the list of tags is NULL", "tags");
  }
  if (own.tag_count > model::kFilterTagCountMax) {
    return make_error(Code::limit, "a filter has at most 200 tags", "tags");
  }
  for (std::size_t i = 0; i < own.tag_count; ++i) filter.tags.emplace_back(from_text(own.tags[i]));
  if (own.level < TL_LEVEL_ANY || own.level > TL_LEVEL_ERROR) {
    return make_error(Code::invalid, "no such level", "level");
  }
  if (own.level != TL_LEVEL_ANY) filter.level = static_cast<model::Level>(own.level);
  if (own.type < TL_TYPE_ANY || own.type > TL_TYPE_GUARDRAIL) {
    return make_error(Code::invalid, "no such type", "type");
  }
  if (own.type != TL_TYPE_ANY) filter.type = static_cast<model::ObservationType>(own.type);
  if (own.from_ns != 0) filter.from_ns = own.from_ns;
  if (own.to_ns != 0) filter.to_ns = own.to_ns;
  return filter;
}

}  // namespace tracelite::api
