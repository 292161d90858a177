// What a reader sees of an entity: its registers as typed values, with the defaults, clamps and
// totals that are computed on reading and never stored.
//
// Texts are views into the entity, which must outlive the view.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "model/decimal.hpp"
#include "model/entity.hpp"
#include "model/event.hpp"

namespace tracelite::model {

using OptionalText = std::optional<Bytes>;
using OptionalTime = std::optional<std::int64_t>;

struct PayloadView {
  PayloadValue value;    // form absent if there is none
  bool is_tree = false;  // metadata merged from several events: see MetadataTree::visible
};

struct TraceView {
  Bytes id;
  bool has_record = false;  // anything but its two flags was written
  OptionalTime timestamp_ns;
  std::int64_t first_event_ns = 0;  // stands for the timestamp where none was written
  OptionalText name, user_id, session_id, release, version;
  Bytes environment;  // "default" if none
  std::vector<Bytes> tags;
  PayloadView metadata, input, output;
  std::optional<bool> is_public, is_bookmarked;
};

struct ObservationView {
  Bytes id;
  OptionalText parent_id;
  ObservationType type = ObservationType::span;
  OptionalText name;
  std::int64_t start_ns = 0;  // of its first event, if no start was written
  OptionalTime end_ns;        // never before the start
  OptionalTime completion_start_ns;
  Level level = Level::normal;
  OptionalText status_message, version, user_id, session_id, model, model_parameters, prompt_name;
  Bytes environment;
  std::vector<Bytes> tags;
  PayloadView metadata, input, output;
  std::vector<std::pair<Bytes, std::uint64_t>> usage;
  std::vector<std::pair<Bytes, Int128>> cost;
  std::optional<std::int64_t> prompt_version;

  // The sum of the names that contain "input", or "output"; total as given, or the sum of all.
  [[nodiscard]] std::uint64_t input_tokens() const;
  [[nodiscard]] std::uint64_t output_tokens() const;
  [[nodiscard]] std::uint64_t total_tokens() const;
  [[nodiscard]] Int128 total_cost() const;
  // An EVENT is a point in time; anything else without an end is unfinished.
  [[nodiscard]] bool is_unfinished() const { return !end_ns && type != ObservationType::event; }
};

struct ScoreView {
  Bytes id;
  SubjectKind subject_kind{};
  std::string trace_id, observation_id;  // owned: they are coded in the register
  Bytes session_id;
  Bytes name;
  std::optional<double> value;
  OptionalText string_value;
  DataType data_type{};  // inferred from the value if none was written
  Source source = Source::api;
  OptionalText comment, config_id, author_user_id;
  PayloadView metadata;
  Bytes environment;
  std::int64_t timestamp_ns = 0;
};

struct SessionView {
  Bytes id;
  std::optional<bool> is_public, is_bookmarked;
};

TraceView view_trace(const Entity& entity);
ObservationView view_observation(const Entity& entity);
ScoreView view_score(const Entity& entity);
SessionView view_session(const Entity& entity);
// Whether an end is written: of an observation.
bool has_ended(const Entity& entity);

// The bytes of the payloads of an entity as they were given, summed.
std::uint64_t payload_size_bytes(const Entity& entity);

}  // namespace tracelite::model
