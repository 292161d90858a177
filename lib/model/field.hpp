// The fields of every entity, and the rule by which each merges. One table; everything that reads,
// writes, merges or exports fields goes by it.
#pragma once

#include <cstdint>
#include <string_view>

namespace tracelite::model {

enum class EntityKind : std::uint8_t { trace = 1, observation = 2, score = 3, session = 4 };

// The numbers are those of tl_field in the C header, and part of the record format: never reuse
// one.
enum class Field : std::uint8_t {
  timestamp = 0,
  name = 1,
  user_id = 2,
  session_id = 3,
  release = 4,
  version = 5,
  environment = 6,
  tags = 7,
  metadata = 8,
  input = 9,
  output = 10,
  is_public = 11,
  is_bookmarked = 12,
  parent_observation_id = 13,
  type = 14,
  start_time = 15,
  end_time = 16,
  completion_start_time = 17,
  level = 18,
  status_message = 19,
  model = 20,
  model_parameters = 21,
  usage_details = 22,
  cost_details = 23,
  prompt_name = 24,
  prompt_version = 25,
  value = 26,
  string_value = 27,
  data_type = 28,
  source = 29,
  comment = 30,
  config_id = 31,
  author_user_id = 32,
  subject = 33,         // a score's trace, trace and observation, or session: one register
  observation_id = 34,  // never stored by itself: part of subject
};
inline constexpr std::uint8_t kFieldCount = 35;

enum class MergeRule : std::uint8_t {
  last,   // the value of the greatest event in the order of model::Order
  least,  // fixed at the first write: the value of the least event
  unite,  // a set that only grows
  deep,   // a JSON object whose keys are registers themselves
};

constexpr MergeRule merge_rule(Field field) {
  switch (field) {
    case Field::timestamp:
    case Field::start_time:
    case Field::environment:
    case Field::subject:
      return MergeRule::least;
    case Field::tags:
      return MergeRule::unite;
    case Field::metadata:
      return MergeRule::deep;
    default:
      return MergeRule::last;
  }
}

constexpr bool is_payload(Field field) {
  return field == Field::input || field == Field::output || field == Field::metadata;
}

// Langfuse's name of a field in the body of an event.
constexpr std::string_view field_name(Field field) {
  constexpr std::string_view kNames[kFieldCount] = {"timestamp",    "name",
                                                    "userId",       "sessionId",
                                                    "release",      "version",
                                                    "environment",  "tags",
                                                    "metadata",     "input",
                                                    "output",       "public",
                                                    "bookmarked",   "parentObservationId",
                                                    "type",         "startTime",
                                                    "endTime",      "completionStartTime",
                                                    "level",        "statusMessage",
                                                    "model",        "modelParameters",
                                                    "usageDetails", "costDetails",
                                                    "promptName",   "promptVersion",
                                                    "value",        "stringValue",
                                                    "dataType",     "source",
                                                    "comment",      "configId",
                                                    "authorUserId", "traceId",
                                                    "observationId"};
  return kNames[static_cast<std::uint8_t>(field)];
}

enum class ObservationType : std::uint8_t {
  span = 1,
  event = 2,
  generation = 3,
  agent = 4,
  tool = 5,
  chain = 6,
  retriever = 7,
  evaluator = 8,
  embedding = 9,
  guardrail = 10,
};
inline constexpr std::uint8_t kObservationTypeCount = 10;
// "SPAN", "EVENT", ...; index by the type's number less one.
inline constexpr std::string_view kObservationTypeNames[kObservationTypeCount] = {
    "SPAN",  "EVENT",     "GENERATION", "AGENT",     "TOOL",
    "CHAIN", "RETRIEVER", "EVALUATOR",  "EMBEDDING", "GUARDRAIL"};

enum class Level : std::uint8_t { debug = 1, normal = 2, warning = 3, error = 4 };
inline constexpr std::uint8_t kLevelCount = 4;
inline constexpr std::string_view kLevelNames[kLevelCount] = {"DEBUG", "DEFAULT", "WARNING",
                                                              "ERROR"};

enum class DataType : std::uint8_t {
  numeric = 1,
  boolean = 2,
  categorical = 3,
  text = 4,
  correction = 5,
};
inline constexpr std::uint8_t kDataTypeCount = 5;
inline constexpr std::string_view kDataTypeNames[kDataTypeCount] = {
    "NUMERIC", "BOOLEAN", "CATEGORICAL", "TEXT", "CORRECTION"};

enum class Source : std::uint8_t { api = 0, eval = 1, annotation = 2 };
inline constexpr std::uint8_t kSourceCount = 3;
inline constexpr std::string_view kSourceNames[kSourceCount] = {"API", "EVAL", "ANNOTATION"};

// What is repaired, dropped, masked or refused is counted by one of these (tl_reason).
enum class Reason : std::uint8_t {
  none = 0,
  queue_full = 1,
  closed = 2,
  event_refused = 3,
  session_id = 4,
  user_id = 5,
  version = 6,
  tag = 7,
  environment = 8,
  usage = 9,
  cost = 10,
  masked = 11,
  mask_failed = 12,
  sampled_out = 13,
  field = 14,
  write_failed = 15,
  payload = 16,
  retention = 17,
};
inline constexpr std::uint8_t kReasonCount = 18;
inline constexpr std::string_view kReasonNames[kReasonCount] = {
    "none",        "queue_full",  "closed",      "event_refused", "session_id", "user_id",
    "version",     "tag",         "environment", "usage",         "cost",       "masked",
    "mask_failed", "sampled_out", "field",       "write_failed",  "payload",    "retention"};

}  // namespace tracelite::model
