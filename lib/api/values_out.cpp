// One function a struct; what you put is what a row gives.
#include "api/values_out.hpp"

namespace tracelite::api {
namespace {

void set(std::uint64_t& mask, tl_field field) { mask |= TL_BIT(field); }

void show_text(std::uint64_t& mask, tl_field field, const model::OptionalText& from, tl_text& to) {
  if (!from) return;
  // An empty text is not an absent one: its data must not be NULL.
  to = from->empty() ? tl_text{"", 0} : to_text(*from);
  set(mask, field);
}

void show_time(std::uint64_t& mask, tl_field field, const model::OptionalTime& from,
               std::int64_t& to) {
  if (!from) return;
  to = *from;
  set(mask, field);
}

void show_flag(std::uint64_t& mask, tl_field field, const std::optional<bool>& from,
               std::int32_t& to) {
  if (!from) return;
  to = *from ? 1 : 0;
  set(mask, field);
}

void show_tags(RowStorage& storage, const std::vector<Bytes>& tags, std::uint64_t& mask,
               const tl_text*& to, std::size_t& count) {
  storage.tags.clear();
  for (const Bytes tag : tags) storage.tags.push_back(to_text(tag));
  to = storage.tags.data();
  count = storage.tags.size();
  if (count > 0) set(mask, TL_FIELD_TAGS);
}

// The size without the bytes; of merged metadata the size of its visible text.
Status show_payload(query::Cursor& cursor, const query::Row& row, std::uint64_t& mask,
                    tl_field field, const model::PayloadView& view, tl_payload& to) {
  to = {};
  if (view.value.form == model::Form::absent) return {};
  std::uint64_t size_bytes = view.value.size_bytes;
  if (view.is_tree) {
    TL_TRY_ASSIGN(visible, cursor.payload(row, view));
    if (visible.empty()) return {};
    size_bytes = visible.size();
  }
  to.form = static_cast<tl_form>(view.value.form);
  to.text = {nullptr, static_cast<std::size_t>(size_bytes)};
  set(mask, field);
  return {};
}

Status show_trace(query::Cursor& cursor, RowStorage& storage) {
  const model::TraceView view = storage.row.trace();
  tl_trace& trace = storage.trace;
  trace = {};
  trace.struct_size = sizeof trace;
  std::uint64_t& mask = trace.set_mask;
  trace.id = to_text(view.id);
  show_time(mask, TL_FIELD_TIMESTAMP, view.timestamp_ns, trace.timestamp_ns);
  show_text(mask, TL_FIELD_NAME, view.name, trace.name);
  show_text(mask, TL_FIELD_USER_ID, view.user_id, trace.user_id);
  show_text(mask, TL_FIELD_SESSION_ID, view.session_id, trace.session_id);
  show_text(mask, TL_FIELD_RELEASE, view.release, trace.release);
  show_text(mask, TL_FIELD_VERSION, view.version, trace.version);
  show_text(mask, TL_FIELD_ENVIRONMENT, view.environment, trace.environment);
  show_tags(storage, view.tags, mask, trace.tags, trace.tag_count);
  show_flag(mask, TL_FIELD_PUBLIC, view.is_public, trace.is_public);
  show_flag(mask, TL_FIELD_BOOKMARKED, view.is_bookmarked, trace.is_bookmarked);
  storage.metadata = view.metadata;
  storage.input = view.input;
  storage.output = view.output;
  TL_TRY(show_payload(cursor, storage.row, mask, TL_FIELD_METADATA, view.metadata, trace.metadata));
  TL_TRY(show_payload(cursor, storage.row, mask, TL_FIELD_INPUT, view.input, trace.input));
  return show_payload(cursor, storage.row, mask, TL_FIELD_OUTPUT, view.output, trace.output);
}

void show_usage(RowStorage& storage, const model::ObservationView& view,
                tl_observation& observation) {
  storage.usage.clear();
  for (const auto& [name, amount] : view.usage) storage.usage.push_back({to_text(name), amount});
  observation.usage_details = storage.usage.data();
  observation.usage_count = storage.usage.size();
  if (!storage.usage.empty()) set(observation.set_mask, TL_FIELD_USAGE_DETAILS);
  storage.cost.clear();
  storage.cost_texts.clear();
  for (const auto& [name, units] : view.cost) {
    storage.cost_texts.push_back(model::format_decimal(units));
  }
  for (std::size_t i = 0; i < view.cost.size(); ++i) {
    storage.cost.push_back({to_text(view.cost[i].first), to_text(storage.cost_texts[i])});
  }
  observation.cost_details = storage.cost.data();
  observation.cost_count = storage.cost.size();
  if (!storage.cost.empty()) set(observation.set_mask, TL_FIELD_COST_DETAILS);
}

Status show_observation(query::Cursor& cursor, RowStorage& storage) {
  const model::ObservationView view = model::view_observation(storage.row.entity);
  tl_observation& observation = storage.observation;
  observation = {};
  observation.struct_size = sizeof observation;
  std::uint64_t& mask = observation.set_mask;
  observation.id = to_text(view.id);
  if (!storage.row.trace_id.empty()) {
    observation.trace_id = to_text(storage.row.trace_id);
    set(mask, TL_FIELD_TRACE_ID);
  }
  show_text(mask, TL_FIELD_PARENT_OBSERVATION_ID, view.parent_id,
            observation.parent_observation_id);
  observation.type = static_cast<tl_type>(view.type);
  set(mask, TL_FIELD_TYPE);
  show_text(mask, TL_FIELD_NAME, view.name, observation.name);
  show_time(mask, TL_FIELD_START_TIME, view.start_ns, observation.start_time_ns);
  show_time(mask, TL_FIELD_END_TIME, view.end_ns, observation.end_time_ns);
  show_time(mask, TL_FIELD_COMPLETION_START_TIME, view.completion_start_ns,
            observation.completion_start_time_ns);
  observation.level = static_cast<tl_level>(view.level);
  set(mask, TL_FIELD_LEVEL);
  show_text(mask, TL_FIELD_STATUS_MESSAGE, view.status_message, observation.status_message);
  show_text(mask, TL_FIELD_VERSION, view.version, observation.version);
  show_text(mask, TL_FIELD_ENVIRONMENT, view.environment, observation.environment);
  show_text(mask, TL_FIELD_USER_ID, view.user_id, observation.user_id);
  show_text(mask, TL_FIELD_SESSION_ID, view.session_id, observation.session_id);
  show_tags(storage, view.tags, mask, observation.tags, observation.tag_count);
  show_text(mask, TL_FIELD_MODEL, view.model, observation.model);
  show_text(mask, TL_FIELD_MODEL_PARAMETERS, view.model_parameters, observation.model_parameters);
  show_usage(storage, view, observation);
  show_text(mask, TL_FIELD_PROMPT_NAME, view.prompt_name, observation.prompt_name);
  show_time(mask, TL_FIELD_PROMPT_VERSION, view.prompt_version, observation.prompt_version);
  storage.metadata = view.metadata;
  storage.input = view.input;
  storage.output = view.output;
  TL_TRY(show_payload(cursor, storage.row, mask, TL_FIELD_METADATA, view.metadata,
                      observation.metadata));
  TL_TRY(show_payload(cursor, storage.row, mask, TL_FIELD_INPUT, view.input, observation.input));
  return show_payload(cursor, storage.row, mask, TL_FIELD_OUTPUT, view.output, observation.output);
}

Status show_score(query::Cursor& cursor, RowStorage& storage) {
  const model::ScoreView view = model::view_score(storage.row.entity);
  tl_score& score = storage.score;
  score = {};
  score.struct_size = sizeof score;
  std::uint64_t& mask = score.set_mask;
  score.id = to_text(view.id);
  storage.text_a = view.trace_id;
  storage.text_b = view.observation_id;
  if (view.subject_kind == model::SubjectKind::session) {
    show_text(mask, TL_FIELD_SESSION_ID, view.session_id, score.session_id);
  } else {
    show_text(mask, TL_FIELD_TRACE_ID, Bytes(storage.text_a), score.trace_id);
    if (!storage.text_b.empty()) {
      show_text(mask, TL_FIELD_OBSERVATION_ID, Bytes(storage.text_b), score.observation_id);
    }
  }
  show_text(mask, TL_FIELD_NAME, view.name, score.name);
  if (view.value) {
    score.value = *view.value;
    set(mask, TL_FIELD_VALUE);
  }
  show_text(mask, TL_FIELD_STRING_VALUE, view.string_value, score.string_value);
  score.data_type = static_cast<tl_data_type>(view.data_type);
  set(mask, TL_FIELD_DATA_TYPE);
  score.source = static_cast<tl_source>(view.source);
  set(mask, TL_FIELD_SOURCE);
  show_text(mask, TL_FIELD_COMMENT, view.comment, score.comment);
  show_text(mask, TL_FIELD_CONFIG_ID, view.config_id, score.config_id);
  show_text(mask, TL_FIELD_ENVIRONMENT, view.environment, score.environment);
  show_time(mask, TL_FIELD_TIMESTAMP, view.timestamp_ns, score.timestamp_ns);
  show_text(mask, TL_FIELD_AUTHOR_USER_ID, view.author_user_id, score.author_user_id);
  storage.metadata = view.metadata;
  return show_payload(cursor, storage.row, mask, TL_FIELD_METADATA, view.metadata, score.metadata);
}

void show_session(RowStorage& storage) {
  const model::SessionView view = model::view_session(storage.row.entity);
  tl_session& session = storage.session;
  session = {};
  session.struct_size = sizeof session;
  session.id = to_text(view.id);
  if (!storage.row.environment.empty()) {
    show_text(session.set_mask, TL_FIELD_ENVIRONMENT, Bytes(storage.row.environment),
              session.environment);
  }
  show_flag(session.set_mask, TL_FIELD_PUBLIC, view.is_public, session.is_public);
  show_flag(session.set_mask, TL_FIELD_BOOKMARKED, view.is_bookmarked, session.is_bookmarked);
}

void show_aggregate(RowStorage& storage) {
  const query::Aggregate& from = storage.row.aggregate;
  tl_aggregate& to = storage.aggregate;
  to = {};
  to.struct_size = sizeof to;
  to.key = to_text(from.key);
  to.trace_count = from.trace_count;
  to.observation_count = from.observation_count;
  to.score_count = from.score_count;
  to.debug_count = from.level_counts[0];
  to.default_count = from.level_counts[1];
  to.warning_count = from.level_counts[2];
  to.error_count = from.level_counts[3];
  to.unfinished_count = from.unfinished_count;
  to.input_tokens = from.input_tokens;
  to.output_tokens = from.output_tokens;
  to.total_tokens = from.total_tokens;
  storage.cost_texts.assign(1, model::format_decimal(from.total_cost));
  to.total_cost = to_text(storage.cost_texts.front());
  to.first_activity_ns = from.first_activity_ns;
  to.last_activity_ns = from.last_activity_ns;
  to.latency_ns = from.latency_ns;
  to.model = to_text(from.model);
}

}  // namespace

Status show(query::Cursor& cursor, RowStorage& storage, tl_row& row) {
  const query::Row& from = storage.row;
  row.kind = static_cast<tl_kind>(from.kind);
  row.depth = from.depth;
  row.phase = static_cast<tl_phase>(from.phase);
  row.at_ns = from.at_ns;
  row.wait_ns = from.wait_ns;
  row.is_derived = from.is_derived ? 1 : 0;
  storage.input = storage.output = storage.metadata = {};
  switch (from.kind) {
    case query::Kind::trace:
      TL_TRY(show_trace(cursor, storage));
      row.trace = &storage.trace;
      break;
    case query::Kind::observation: {
      TL_TRY(show_observation(cursor, storage));
      row.observation = &storage.observation;
      const bool has_end = (storage.observation.set_mask & TL_BIT(TL_FIELD_END_TIME)) != 0;
      row.is_unfinished = !has_end && storage.observation.type != TL_TYPE_EVENT ? 1 : 0;
      return {};
    }
    case query::Kind::score:
      TL_TRY(show_score(cursor, storage));
      row.score = &storage.score;
      return {};
    case query::Kind::session:
      show_session(storage);
      row.session = &storage.session;
      break;
    default:
      break;
  }
  show_aggregate(storage);
  row.aggregate = &storage.aggregate;
  return {};
}

const model::PayloadView* payload_of(const RowStorage& storage, tl_field field) {
  switch (field) {
    case TL_FIELD_INPUT:
      return &storage.input;
    case TL_FIELD_OUTPUT:
      return &storage.output;
    case TL_FIELD_METADATA:
      return &storage.metadata;
    default:
      return nullptr;
  }
}

}  // namespace tracelite::api
