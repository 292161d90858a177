#include "json_rows.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "human_text.hpp"
#include "model_text.hpp"

namespace cli {

using tracelite::has;
using tracelite::view;

namespace {

constexpr std::size_t kPassOnSizeBytes = std::size_t{64} << 10;

rapidjson::SizeType size_of(std::string_view text) {
  return static_cast<rapidjson::SizeType>(text.size());
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      group = group << 8 | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      text += i <= count ? kDigits[group >> (18 - 6 * i) & 63U] : '=';
    }
  }
  return text;
}

}  // namespace

// ---------------------------------------------------------------------------------------- writer

JsonWriter& JsonWriter::begin_object() { return writer_.StartObject(), *this; }
JsonWriter& JsonWriter::end_object() { return writer_.EndObject(), *this; }
JsonWriter& JsonWriter::begin_array() { return writer_.StartArray(), *this; }
JsonWriter& JsonWriter::end_array() { return writer_.EndArray(), *this; }
JsonWriter& JsonWriter::key(std::string_view name) {
  return writer_.Key(name.data(), size_of(name)), *this;
}
JsonWriter& JsonWriter::text(std::string_view value) {
  return writer_.String(value.data() == nullptr ? "" : value.data(), size_of(value)), *this;
}
JsonWriter& JsonWriter::count(std::uint64_t value) { return writer_.Uint64(value), *this; }
JsonWriter& JsonWriter::boolean(bool value) { return writer_.Bool(value), *this; }
JsonWriter& JsonWriter::null() { return writer_.Null(), *this; }

JsonWriter& JsonWriter::number(double value) {
  return std::isfinite(value) ? raw(format_number(value)) : null();
}

JsonWriter& JsonWriter::raw(std::string_view json) {
  const auto is_newline = [](char c) { return c == '\n' || c == '\r'; };
  std::string line;
  if (std::any_of(json.begin(), json.end(), is_newline)) {
    line = json;
    std::replace_if(line.begin(), line.end(), is_newline, ' ');
    json = line;
  }
  writer_.RawValue(json.data(), json.size(), rapidjson::kObjectType);
  return *this;
}

JsonWriter& JsonWriter::seconds(std::int64_t span_ns) {
  constexpr std::int64_t kNsPerSecond = 1'000'000'000;
  std::string text = std::to_string(span_ns / kNsPerSecond);
  const std::int64_t fraction = std::abs(span_ns % kNsPerSecond);
  if (fraction > 0) {
    std::string digits = std::to_string(fraction);
    digits.insert(0, 9 - digits.size(), '0');
    digits.resize(digits.find_last_not_of('0') + 1);
    text += "." + digits;
  }
  return raw(text);
}

JsonWriter& JsonWriter::time(std::int64_t at_ns) { return text(format_iso_time(at_ns)); }

void JsonWriter::pass_on() {
  if (buffer_.GetSize() < kPassOnSizeBytes) return;
  output_.write({buffer_.GetString(), buffer_.GetSize()});
  buffer_.Clear();
}

void JsonWriter::end_line() {
  output_.write({buffer_.GetString(), buffer_.GetSize()});
  output_.write("\n");
  buffer_.Clear();
  writer_.Reset(buffer_);
}

// ------------------------------------------------------------------------------------------ rows

namespace {

// A text member; null where the field is absent.
void member(JsonWriter& json, std::string_view name, tl_text value) {
  json.key(name);
  value.data == nullptr ? json.null() : json.text(view(value));
}
template <class Entity>
void member(JsonWriter& json, std::string_view name, const Entity& entity, tl_field field,
            tl_text value) {
  member(json, name, has(entity, field) ? value : tl_text{});
}
template <class Entity>
void time_member(JsonWriter& json, std::string_view name, const Entity& entity, tl_field field,
                 std::int64_t at_ns) {
  json.key(name);
  has(entity, field) ? json.time(at_ns) : json.null();
}

void tags_member(JsonWriter& json, const tl_text* tags, std::size_t count) {
  json.key("tags").begin_array();
  for (std::size_t at = 0; at < count; ++at) json.text(view(tags[at]));
  json.end_array();
}

void payload_member(JsonWriter& json, std::string_view name, const tracelite::Cursor& cursor,
                    tl_field field, const tl_payload& payload) {
  json.key(name);
  switch (payload.form) {
    case TL_FORM_JSON:
      json.raw(cursor.payload(field, 0, SIZE_MAX, json.payload_mode()));
      break;
    case TL_FORM_TEXT:
      json.text(cursor.payload(field, 0, SIZE_MAX, json.payload_mode()));
      break;
    case TL_FORM_BYTES:
      json.begin_object().key("$bytes").text(base64(cursor.payload(field))).end_object();
      break;
    case TL_FORM_WITHHELD:
      json.begin_object().key("$withheldBytes").count(payload.text.size_bytes).end_object();
      break;
    default:
      json.null();
  }
}

void preview_member(JsonWriter& json, std::string_view name, const tracelite::Cursor& cursor,
                    tl_field field, const tl_payload& payload) {
  json.key(name);
  const bool is_text = payload.form == TL_FORM_JSON || payload.form == TL_FORM_TEXT;
  is_text ? json.text(cursor.preview(field)) : json.null();
}

template <class Entity>
void payload_members(JsonWriter& json, const Entity& entity, const tracelite::Cursor& cursor,
                     Payloads payloads) {
  if (payloads == Payloads::previews) {
    preview_member(json, "inputPreview", cursor, TL_FIELD_INPUT, entity.input);
    preview_member(json, "outputPreview", cursor, TL_FIELD_OUTPUT, entity.output);
    return;
  }
  if (payloads == Payloads::input || payloads == Payloads::all) {
    payload_member(json, "input", cursor, TL_FIELD_INPUT, entity.input);
  }
  if (payloads == Payloads::output || payloads == Payloads::all) {
    payload_member(json, "output", cursor, TL_FIELD_OUTPUT, entity.output);
  }
  if (payloads == Payloads::input || payloads == Payloads::all) {
    payload_member(json, "metadata", cursor, TL_FIELD_METADATA, entity.metadata);
  }
}

void level_members(JsonWriter& json, const tl_aggregate& sums) {
  json.key("countDebug").count(sums.debug_count);
  json.key("countDefault").count(sums.default_count);
  json.key("countWarning").count(sums.warning_count);
  json.key("countError").count(sums.error_count);
  json.key("countUnfinished").count(sums.unfinished_count);
}

void sum_members(JsonWriter& json, const tl_aggregate& sums) {
  json.key("inputTokens").count(sums.input_tokens);
  json.key("outputTokens").count(sums.output_tokens);
  json.key("totalTokens").count(sums.total_tokens);
  json.key("totalCost").raw(view(sums.total_cost));
}

void group_members(JsonWriter& json, const tl_aggregate& sums) {
  json.key("countTraces").count(sums.trace_count);
  json.key("countObservations").count(sums.observation_count);
  level_members(json, sums);
  sum_members(json, sums);
  json.key("firstActivity").time(sums.first_activity_ns);
  json.key("lastActivity").time(sums.last_activity_ns);
}

void day_members(JsonWriter& json, const tl_aggregate& sums) {
  member(json, "date", sums.key);
  member(json, "model", sums.model);
  json.key("countObservations").count(sums.observation_count);
  level_members(json, sums);
  sum_members(json, sums);
}

std::string_view group_key(tl_kind kind) {
  switch (kind) {
    case TL_KIND_USER:
      return "userId";
    case TL_KIND_TAG:
      return "tag";
    case TL_KIND_ENVIRONMENT:
      return "environment";
    case TL_KIND_MODEL:
      return "model";
    default:
      return "name";
  }
}

void write_session(JsonWriter& json, const tl_row& row) {
  const tl_session& session = *row.session;
  json.begin_object();
  member(json, "id", session.id);
  if (row.aggregate != nullptr) json.key("createdAt").time(row.aggregate->first_activity_ns);
  member(json, "environment", session.environment);
  json.key("bookmarked").boolean(session.is_bookmarked != 0);
  json.key("public").boolean(session.is_public != 0);
  if (row.aggregate != nullptr) {
    group_members(json, *row.aggregate);
    json.key("countScores").count(row.aggregate->score_count);
    json.key("latency").seconds(row.aggregate->latency_ns);
  }
  json.end_object();
}

void usage_members(JsonWriter& json, const tl_observation& observation) {
  json.key("usageDetails").begin_object();
  for (std::size_t at = 0; at < observation.usage_count; ++at) {
    const tl_usage& usage = observation.usage_details[at];
    json.key(view(usage.name)).count(usage.amount);
  }
  json.end_object();
  json.key("costDetails").begin_object();
  for (std::size_t at = 0; at < observation.cost_count; ++at) {
    const tl_cost& cost = observation.cost_details[at];
    json.key(view(cost.name)).raw(view(cost.amount));
  }
  json.end_object();
}

}  // namespace

void write_trace_members(JsonWriter& json, const tl_row& row, const tracelite::Cursor& cursor,
                         Payloads payloads) {
  const tl_trace& trace = *row.trace;
  member(json, "id", trace.id);
  time_member(json, "timestamp", trace, TL_FIELD_TIMESTAMP, trace.timestamp_ns);
  member(json, "name", trace, TL_FIELD_NAME, trace.name);
  member(json, "userId", trace, TL_FIELD_USER_ID, trace.user_id);
  member(json, "sessionId", trace, TL_FIELD_SESSION_ID, trace.session_id);
  member(json, "release", trace, TL_FIELD_RELEASE, trace.release);
  member(json, "version", trace, TL_FIELD_VERSION, trace.version);
  member(json, "environment", trace.environment);
  tags_member(json, trace.tags, trace.tag_count);
  json.key("public").boolean(trace.is_public != 0);
  json.key("bookmarked").boolean(trace.is_bookmarked != 0);
  payload_members(json, trace, cursor, payloads);
  if (row.aggregate == nullptr) return;
  const tl_aggregate& sums = *row.aggregate;
  json.key("latency").seconds(sums.latency_ns);
  json.key("countObservations").count(sums.observation_count);
  json.key("countScores").count(sums.score_count);
  level_members(json, sums);
  sum_members(json, sums);
}

void write_trace(JsonWriter& json, const tl_row& row, const tracelite::Cursor& cursor,
                 Payloads payloads) {
  json.begin_object();
  write_trace_members(json, row, cursor, payloads);
  json.end_object();
}

void write_observation(JsonWriter& json, const tl_observation& observation,
                       const tracelite::Cursor& cursor, Payloads payloads) {
  const tl_observation& o = observation;
  json.begin_object();
  member(json, "id", o.id);
  member(json, "traceId", o.trace_id);
  member(json, "parentObservationId", o, TL_FIELD_PARENT_OBSERVATION_ID, o.parent_observation_id);
  json.key("type").text(type_name(o.type));
  member(json, "name", o, TL_FIELD_NAME, o.name);
  json.key("startTime").time(o.start_time_ns);
  time_member(json, "endTime", o, TL_FIELD_END_TIME, o.end_time_ns);
  time_member(json, "completionStartTime", o, TL_FIELD_COMPLETION_START_TIME,
              o.completion_start_time_ns);
  json.key("level").text(level_name(o.level));
  member(json, "statusMessage", o, TL_FIELD_STATUS_MESSAGE, o.status_message);
  member(json, "version", o, TL_FIELD_VERSION, o.version);
  member(json, "environment", o.environment);
  member(json, "model", o, TL_FIELD_MODEL, o.model);
  json.key("modelParameters");
  has(o, TL_FIELD_MODEL_PARAMETERS) ? json.raw(view(o.model_parameters)) : json.null();
  usage_members(json, o);
  member(json, "promptName", o, TL_FIELD_PROMPT_NAME, o.prompt_name);
  json.key("promptVersion");
  has(o, TL_FIELD_PROMPT_VERSION) ? json.raw(std::to_string(o.prompt_version)) : json.null();
  payload_members(json, o, cursor, payloads);
  json.key("latency");
  has(o, TL_FIELD_END_TIME) ? json.seconds(o.end_time_ns - o.start_time_ns) : json.null();
  json.end_object();
}

void write_score(JsonWriter& json, const tl_score& score, const tracelite::Cursor& cursor,
                 Payloads payloads) {
  json.begin_object();
  member(json, "id", score.id);
  member(json, "traceId", score, TL_FIELD_TRACE_ID, score.trace_id);
  member(json, "observationId", score, TL_FIELD_OBSERVATION_ID, score.observation_id);
  member(json, "sessionId", score, TL_FIELD_SESSION_ID, score.session_id);
  member(json, "name", score.name);
  json.key("value");
  has(score, TL_FIELD_VALUE) ? json.number(score.value) : json.null();
  member(json, "stringValue", score, TL_FIELD_STRING_VALUE, score.string_value);
  json.key("dataType").text(name_of(kDataTypes, score.data_type, "NUMERIC"));
  json.key("source").text(name_of(kSources, score.source, "API"));
  member(json, "comment", score, TL_FIELD_COMMENT, score.comment);
  if (payloads != Payloads::none && payloads != Payloads::previews) {
    payload_member(json, "metadata", cursor, TL_FIELD_METADATA, score.metadata);
  }
  member(json, "configId", score, TL_FIELD_CONFIG_ID, score.config_id);
  member(json, "environment", score.environment);
  time_member(json, "timestamp", score, TL_FIELD_TIMESTAMP, score.timestamp_ns);
  member(json, "authorUserId", score, TL_FIELD_AUTHOR_USER_ID, score.author_user_id);
  json.end_object();
}

void write_row(JsonWriter& json, const tl_row& row, const tracelite::Cursor& cursor,
               Payloads payloads) {
  switch (row.kind) {
    case TL_KIND_TRACE:
      write_trace(json, row, cursor, payloads);
      break;
    case TL_KIND_OBSERVATION:
      write_observation(json, *row.observation, cursor, payloads);
      break;
    case TL_KIND_SCORE:
      write_score(json, *row.score, cursor, payloads);
      break;
    case TL_KIND_SESSION:
      write_session(json, row);
      break;
    case TL_KIND_DAY:
      json.begin_object();
      day_members(json, *row.aggregate);
      json.end_object();
      break;
    default:
      json.begin_object();
      member(json, group_key(row.kind), row.aggregate->key);
      group_members(json, *row.aggregate);
      json.end_object();
  }
}

}  // namespace cli
