#include "model_text.hpp"

#include <charconv>

#include "human_text.hpp"

namespace cli {

using tracelite::has;
using tracelite::view;

namespace {
// In a headline, so that there is room for the facts after them.
constexpr std::size_t kNameWidthMax = 48;
constexpr std::size_t kModelWidthMax = 28;
}  // namespace

std::string shown(tl_text text) { return printable(view(text)); }

Style style_of_type(tl_type type) {
  switch (type) {
    case TL_TYPE_GENERATION:
    case TL_TYPE_EMBEDDING:
      return Style::magenta;
    case TL_TYPE_AGENT:
    case TL_TYPE_CHAIN:
      return Style::cyan;
    case TL_TYPE_TOOL:
    case TL_TYPE_RETRIEVER:
      return Style::blue;
    case TL_TYPE_EVALUATOR:
    case TL_TYPE_GUARDRAIL:
      return Style::green;
    default:
      return Style::plain;
  }
}

Style style_of_level(tl_level level) {
  if (level == TL_LEVEL_ERROR) return Style::red;
  return level == TL_LEVEL_WARNING ? Style::yellow : Style::dim;
}

namespace {

// The sum of the names that hold this word.
std::uint64_t sum_of(const tl_observation& observation, std::string_view word) {
  std::uint64_t sum = 0;
  for (std::size_t at = 0; at < observation.usage_count; ++at) {
    const tl_usage& usage = observation.usage_details[at];
    if (view(usage.name).find(word) != std::string_view::npos) sum += usage.amount;
  }
  return sum;
}

}  // namespace

std::uint64_t total_tokens(const tl_observation& observation) {
  std::uint64_t sum = 0;
  for (std::size_t at = 0; at < observation.usage_count; ++at) {
    const tl_usage& usage = observation.usage_details[at];
    if (view(usage.name) == "total") return usage.amount;
    sum += usage.amount;
  }
  return sum;
}

std::string tokens_text(const tl_observation& observation) {
  const std::uint64_t input = sum_of(observation, "input");
  const std::uint64_t output = sum_of(observation, "output");
  const std::uint64_t total = total_tokens(observation);
  if (input + output > 0) return format_count(input) + " → " + format_count(output) + " tok";
  return total == 0 ? "" : format_count(total) + " tok";
}

std::string cost_text(const tl_observation& observation) {
  double sum = 0;
  for (std::size_t at = 0; at < observation.cost_count; ++at) {
    const std::string_view amount = view(observation.cost_details[at].amount);
    if (view(observation.cost_details[at].name) == "total") return format_cost(amount);
    double value = 0;
    std::from_chars(amount.data(), amount.data() + amount.size(), value);
    sum += value;
  }
  return format_cost(format_number(sum));
}

std::string duration_text(const tl_observation& observation) {
  if (!has(observation, TL_FIELD_END_TIME) || observation.type == TL_TYPE_EVENT) return "";
  return format_duration(observation.end_time_ns - observation.start_time_ns);
}

std::string score_value(const tl_score& score) {
  if (score.data_type == TL_DATA_TYPE_BOOLEAN) return score.value != 0 ? "true" : "false";
  if (has(score, TL_FIELD_STRING_VALUE)) return shown(score.string_value);
  return has(score, TL_FIELD_VALUE) ? format_number(score.value) : "";
}

namespace {

// Of a JSON text, with references instead of media: a string as its text; an input with its front
// and its end, because the last message of a long history is what sets it apart.
std::string preview_json(const tracelite::Cursor& cursor, tl_field field, std::size_t width,
                         std::size_t enough_bytes) {
  const std::uint64_t size_bytes = cursor.payload_size(field, TL_READ_AS_STORED);
  const std::string front = cursor.payload(field, 0, enough_bytes, TL_READ_AS_STORED);
  const std::string readable = readable_json(front);
  const bool is_whole = size_bytes <= enough_bytes;
  const bool is_front_enough = field != TL_FIELD_INPUT || front.substr(0, 1) == "\"";
  if (is_front_enough || (is_whole && display_width(readable) <= width)) {
    return fit(readable, width);
  }
  if (is_whole) return fit_middle(readable, readable, width);
  // The end may begin in the middle of a character; what is shown of it begins later.
  const std::string end =
      cursor.payload(field, size_bytes - enough_bytes, enough_bytes, TL_READ_AS_STORED);
  return fit_middle(readable, readable_json(end), width);
}

}  // namespace

std::string preview(const tracelite::Cursor& cursor, tl_field field, const tl_payload& payload,
                    std::size_t width) {
  // The longest escape of one column, \ud83d\ude00 for a character of two, takes 6 bytes a column.
  const std::size_t enough_bytes = width * 6 + 64;
  switch (payload.form) {
    case TL_FORM_NULL:
      return fit("null", width);
    case TL_FORM_JSON:
      return preview_json(cursor, field, width, enough_bytes);
    case TL_FORM_TEXT:
      return fit(printable(cursor.payload(field, 0, enough_bytes, TL_READ_AS_STORED)), width);
    case TL_FORM_BYTES:
      return fit("(" + format_size(payload.text.size_bytes) + " of binary data)", width);
    case TL_FORM_WITHHELD:
      return fit("(" + format_size(payload.text.size_bytes) + " withheld until the mask sees it)",
                 width);
    default:
      return "";
  }
}

void add_title(Line& line, const tl_observation& observation) {
  line.add(type_name(observation.type), style_of_type(observation.type));
  if (has(observation, TL_FIELD_NAME)) {
    line.add(" ").add(fit(shown(observation.name), kNameWidthMax), Style::bold);
  }
  if (has(observation, TL_FIELD_MODEL)) {
    line.add(" ").add(fit(shown(observation.model), kModelWidthMax), Style::dim);
  }
}

void add_sums(Line& line, const tl_aggregate& sums, std::int64_t at_ns) {
  const auto add = [&](const std::string& fact) {
    if (!fact.empty()) line.add(" · ", Style::dim).add(fact);
  };
  line.add(format_time(at_ns));
  if (sums.trace_count > 1) add(plural(sums.trace_count, "trace"));
  add(plural(sums.observation_count, "observation"));
  if (sums.latency_ns > 0) add(format_duration(sums.latency_ns));
  if (sums.total_tokens > 0) add(plural(sums.total_tokens, "token"));
  add(format_cost(view(sums.total_cost)));
}

void add_facts(Line& line, const tl_row& row) {
  const tl_observation& observation = *row.observation;
  for (const std::string& fact :
       {duration_text(observation), tokens_text(observation), cost_text(observation)}) {
    if (!fact.empty()) line.add("  ").add(fact);
  }
  if (row.is_unfinished != 0) line.add("  ").add("◌ unfinished", Style::yellow);
  if (observation.level != TL_LEVEL_DEFAULT && observation.level != TL_LEVEL_ANY) {
    line.add("  ").add(level_name(observation.level), style_of_level(observation.level));
  }
  if (has(observation, TL_FIELD_STATUS_MESSAGE)) {
    line.add("  ").add(shown(observation.status_message), style_of_level(observation.level));
  }
}

}  // namespace cli
