// How entities of the model read for people: the words for types and levels, previews of payloads,
// the headline of an observation.
//
// Knows the rows of the C API. Must not know the commands that show them.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "terminal.hpp"
#include "tracelite/tracelite.hpp"

namespace cli {

template <std::size_t N>
using Names = std::array<std::pair<std::int32_t, std::string_view>, N>;

inline constexpr Names<10> kTypes = {{{TL_TYPE_SPAN, "SPAN"},
                                      {TL_TYPE_EVENT, "EVENT"},
                                      {TL_TYPE_GENERATION, "GENERATION"},
                                      {TL_TYPE_AGENT, "AGENT"},
                                      {TL_TYPE_TOOL, "TOOL"},
                                      {TL_TYPE_CHAIN, "CHAIN"},
                                      {TL_TYPE_RETRIEVER, "RETRIEVER"},
                                      {TL_TYPE_EVALUATOR, "EVALUATOR"},
                                      {TL_TYPE_EMBEDDING, "EMBEDDING"},
                                      {TL_TYPE_GUARDRAIL, "GUARDRAIL"}}};
inline constexpr Names<4> kLevels = {{{TL_LEVEL_DEBUG, "DEBUG"},
                                      {TL_LEVEL_DEFAULT, "DEFAULT"},
                                      {TL_LEVEL_WARNING, "WARNING"},
                                      {TL_LEVEL_ERROR, "ERROR"}}};
inline constexpr Names<5> kDataTypes = {{{TL_DATA_TYPE_NUMERIC, "NUMERIC"},
                                         {TL_DATA_TYPE_BOOLEAN, "BOOLEAN"},
                                         {TL_DATA_TYPE_CATEGORICAL, "CATEGORICAL"},
                                         {TL_DATA_TYPE_TEXT, "TEXT"},
                                         {TL_DATA_TYPE_CORRECTION, "CORRECTION"}}};
inline constexpr Names<3> kSources = {
    {{TL_SOURCE_API, "API"}, {TL_SOURCE_EVAL, "EVAL"}, {TL_SOURCE_ANNOTATION, "ANNOTATION"}}};

// The word for a number; a number that is not among them reads as `otherwise`.
template <std::size_t N>
std::string_view name_of(const Names<N>& names, std::int32_t number, std::string_view otherwise) {
  for (const auto& [value, name] : names) {
    if (value == number) return name;
  }
  return otherwise;
}
inline std::string_view type_name(tl_type type) { return name_of(kTypes, type, "SPAN"); }
inline std::string_view level_name(tl_level level) { return name_of(kLevels, level, "DEFAULT"); }

// printable() text of a row.
std::string shown(tl_text text);

Style style_of_type(tl_type type);
Style style_of_level(tl_level level);

std::string tokens_text(const tl_observation& observation);  // 1,204 → 88 tok
std::uint64_t total_tokens(const tl_observation& observation);
std::string cost_text(const tl_observation& observation);
// Empty while it has not ended, and for an EVENT.
std::string duration_text(const tl_observation& observation);
std::string score_value(const tl_score& score);

// A payload of the cursor's row on one line of at most `width` columns; empty where it is absent.
// Reads no more of it than it shows.
std::string preview(const tracelite::Cursor& cursor, tl_field field, const tl_payload& payload,
                    std::size_t width);

// TYPE name model, as far as there is room.
void add_title(Line& line, const tl_observation& observation);
// The sums of a trace or session, as a line of facts: when, how many, how long, what it cost.
void add_sums(Line& line, const tl_aggregate& sums, std::int64_t at_ns);
// duration, tokens, cost, level and status message, or that it is unfinished.
void add_facts(Line& line, const tl_row& row);

}  // namespace cli
