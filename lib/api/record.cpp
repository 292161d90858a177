// tl_put_..., and live observations from tl_begin to tl_end.
#include <array>

#include "api/handles.hpp"
#include "api/values_in.hpp"
#include "model/time.hpp"
#include "payload/json_scanner.hpp"

namespace tracelite::api {
namespace {

using model::EntityKind;
using model::EventBuilder;
using model::Field;

bool sets(std::uint64_t mask, tl_field field) { return (mask & TL_BIT(field)) != 0; }

// The defaults of the store are weak: anything that was said wins, whenever it was said.
Status add_default_environment(EventBuilder& builder, const ingest::Options& options,
                               std::uint64_t set_mask) {
  if (options.default_environment.empty() || sets(set_mask, TL_FIELD_ENVIRONMENT)) return {};
  return builder.text(Field::environment, options.default_environment, true);
}

// Queues what was built; a refusal is counted.
Status record(const StoreState& state, EventBuilder& builder, const Status& filled) {
  ingest::Recorder& recorder = *state.recorder;
  if (!filled) {
    recorder.refused(filled.error());
    return filled;
  }
  Status sealed = builder.seal(recorder.next_stamp_ns());
  if (!sealed) {
    recorder.refused(sealed.error());
    return sealed;
  }
  return recorder.record(builder);
}

// The same for what the sample rate may leave out.
Status record_sampled(const StoreState& state, EventBuilder& builder, const Status& filled) {
  if (filled && !state.recorder->keeps(builder)) return {};
  return record(state, builder, filled);
}

// The start of every put: checks the handle, and that the struct can be read.
template <class Struct>
Status receive(const tl_store* store, const Struct* given, const char* name) {
  if (store == nullptr) return null_argument("store");
  if (given == nullptr) return null_argument(name);
  TL_TRY(store->state->recordable());
  return given->struct_size < sizeof(given->struct_size) ? no_struct_size() : Status();
}

Status put_trace(tl_store* store, const tl_trace* given) {
  TL_TRY(receive(store, given, "trace"));
  const Given<tl_trace> own(given);
  const tl_trace& trace = *own;
  EventBuilder builder(EntityKind::trace, false);
  const ingest::Options& options = store->state->recorder->options();
  Status filled = [&]() -> Status {
    TL_TRY(builder.id(from_text(trace.id)));
    TL_TRY(fill(builder, trace));
    const std::uint64_t flags = TL_BIT(TL_FIELD_PUBLIC) | TL_BIT(TL_FIELD_BOOKMARKED);
    if (trace.set_mask != 0 && (trace.set_mask & ~flags) == 0) return {};  // no trace of its own
    TL_TRY(add_default_environment(builder, options, trace.set_mask));
    if (!options.default_release.empty() && !sets(trace.set_mask, TL_FIELD_RELEASE)) {
      TL_TRY(builder.text(Field::release, options.default_release, true));
    }
    // What was put is there, also where nothing was left of what it was given: the environment that
    // it has anyway says so.
    if (builder.creates_trace()) return {};
    return builder.text(Field::environment, "default", true);
  }();
  return record_sampled(*store->state, builder, filled);
}

Status put_observation(tl_store* store, const tl_observation* given) {
  TL_TRY(receive(store, given, "observation"));
  const Given<tl_observation> own(given);
  const tl_observation& observation = *own;
  const bool has_trace = observation.trace_id.data != nullptr;
  const tl_text sampling_id = has_trace ? observation.trace_id : observation.id;
  if (!store->state->recorder->keeps(from_text(sampling_id))) return {};
  EventBuilder builder(EntityKind::observation, false);
  Status filled = [&]() -> Status {
    TL_TRY(builder.id(from_text(observation.id)));
    if (has_trace) TL_TRY(builder.trace_id(from_text(observation.trace_id)));
    TL_TRY(fill(builder, observation));
    return add_default_environment(builder, store->state->recorder->options(),
                                   observation.set_mask);
  }();
  return record(*store->state, builder, filled);
}

Status put_score(tl_store* store, const tl_score* given) {
  TL_TRY(receive(store, given, "score"));
  const Given<tl_score> own(given);
  const tl_score& score = *own;
  EventBuilder builder(EntityKind::score, false);
  Status filled = [&]() -> Status {
    TL_TRY(builder.id(from_text(score.id)));
    TL_TRY(builder.subject(from_text(score.trace_id), from_text(score.observation_id),
                           from_text(score.session_id)));
    TL_TRY(fill(builder, score));
    return add_default_environment(builder, store->state->recorder->options(), score.set_mask);
  }();
  return record_sampled(*store->state, builder, filled);
}

Status put_session(tl_store* store, const tl_session* given) {
  TL_TRY(receive(store, given, "session"));
  const Given<tl_session> own(given);
  const tl_session& session = *own;
  EventBuilder builder(EntityKind::session, false);
  Status filled = [&]() -> Status {
    const Bytes id = from_text(session.id);
    if (id.empty() || model::count_characters(id) > 200) {
      return make_error(Code::invalid, "a session id has 1 to 200 characters", "id");
    }
    TL_TRY(builder.id(id));
    return fill(builder, session);
  }();
  return record(*store->state, builder, filled);
}

// ------------------------------------------------------------------------------ live observations

Status usable(const tl_span* span) {
  if (span == nullptr) {
    return misuse("the span is NULL: its tl_begin failed, or it has ended", "span");
  }
  return span->state->recordable();
}

Status begin(tl_store* store, tl_span* parent, const tl_observation* given, tl_span** span) {
  if (span == nullptr) return null_argument("span");
  *span = nullptr;
  if (store == nullptr) return null_argument("store");
  TL_TRY(store->state->recordable());
  if (parent != nullptr) {
    TL_TRY(parent->state->usable());
    if (parent->state != store->state) {
      return misuse("the parent belongs to another store", "parent");
    }
  }
  if (given != nullptr && given->struct_size < sizeof(given->struct_size)) return no_struct_size();
  const Given<tl_observation> own(given);
  const tl_observation& observation = *own;

  std::string trace_id(from_text(observation.trace_id));
  std::string id(from_text(observation.id));
  if (parent != nullptr) trace_id = parent->live.trace_id();
  if (trace_id.empty()) trace_id = ingest::random_trace_id();
  if (id.empty()) id = ingest::random_observation_id();

  auto made = std::make_unique<tl_span>(
      tl_span{store->state,
              ingest::LiveObservation(store->state->recorder, std::move(trace_id), std::move(id))});
  EventBuilder builder(EntityKind::observation, false);
  Status filled = [&]() -> Status {
    TL_TRY(fill(builder, observation));
    if (parent != nullptr && !sets(observation.set_mask, TL_FIELD_PARENT_OBSERVATION_ID)) {
      TL_TRY(builder.text(Field::parent_observation_id, parent->live.id()));
    }
    if (!sets(observation.set_mask, TL_FIELD_START_TIME)) {
      builder.time(Field::start_time, model::now_ns());
    }
    return add_default_environment(builder, store->state->recorder->options(),
                                   observation.set_mask);
  }();
  if (!filled) {
    store->state->recorder->refused(filled.error());
    return filled;
  }
  if (made->live.keeps_next()) TL_TRY(made->live.record(builder));
  store->state->open_span_count.fetch_add(1);
  *span = made.release();
  return {};
}

constexpr std::array kAppendableFields = {Field::input, Field::output};

// Whether a field that is set so takes the place of what was appended to it. ABSENT says nothing,
// and an empty object gives way; `{}x` is no JSON, and will be text.
bool replaces_appended(const tl_payload& given) {
  if (given.form == TL_FORM_ABSENT) return false;
  if (given.form != TL_FORM_JSON) return true;
  const Bytes json = from_text(given.text);
  return !model::is_weak_payload(model::Form::json, json) || payload::check_json(json).has_value();
}

// What an update or an end has added to an event.
struct Added {
  std::uint64_t set_mask = 0;
  std::uint64_t replaced_mask = 0;  // fields whose appended text is to be forgotten
};

// Adds the fields of an update or an end to the next event of the span. After an error `added` is
// as it was.
Status add_fields(tl_span* span, const tl_observation* given, EventBuilder& builder, Added& added) {
  if (given == nullptr) return {};
  if (given->struct_size < sizeof(given->struct_size)) return no_struct_size();
  const Given<tl_observation> own(given);
  const tl_observation& observation = *own;
  Status filled = fill(builder, observation);
  if (!filled) {
    span->live.recorder().refused(filled.error());
    return filled;
  }
  added.set_mask = observation.set_mask;
  for (const Field field : kAppendableFields) {
    const auto bit = TL_BIT(static_cast<tl_field>(field));
    const tl_payload& payload = field == Field::input ? observation.input : observation.output;
    const bool is_set = (observation.set_mask & bit) != 0 && replaces_appended(payload);
    if (is_set || (observation.clear_mask & bit) != 0) added.replaced_mask |= bit;
  }
  return {};
}

void forget_replaced(tl_span* span, const Added& added) {
  for (const Field field : kAppendableFields) {
    if (sets(added.replaced_mask, static_cast<tl_field>(field))) span->live.field_was_set(field);
  }
}

Status update(tl_span* span, const tl_observation* given) {
  TL_TRY(usable(span));
  if (given == nullptr) return null_argument("observation");
  if (!span->live.keeps_next()) return {};
  EventBuilder builder = span->live.update();
  Added added;
  TL_TRY(add_fields(span, given, builder, added));
  TL_TRY(span->live.record(builder));
  // Not before: an event that the queue refuses replaces nothing.
  forget_replaced(span, added);
  return {};
}

Status append(tl_span* span, tl_field field, tl_text text) {
  TL_TRY(usable(span));
  if (field != TL_FIELD_OUTPUT && field != TL_FIELD_INPUT) {
    return make_error(Code::invalid, "text can be appended to the output or the input", "field");
  }
  if (text.size_bytes == 0) return {};
  if (text.data == nullptr) return misuse("the text has a size, but no data", "text");
  if (!span->live.keeps_next()) return {};
  return span->live.append(static_cast<Field>(field), from_text(text));
}

Status end(tl_span* given_span, const tl_observation* given) {
  if (given_span == nullptr) return usable(given_span);
  const std::unique_ptr<tl_span> span(given_span);
  span->state->open_span_count.fetch_sub(1);
  TL_TRY(usable(span.get()));
  if (!span->live.keeps_next()) return {};
  std::optional<EventBuilder> last(span->live.update());
  Added added;
  Status filled = add_fields(span.get(), given, *last, added);
  // A span that ends with a bad field has still ended.
  if (!filled) last.emplace(span->live.update());
  if (!sets(added.set_mask, TL_FIELD_END_TIME)) last->time(Field::end_time, model::now_ns());
  forget_replaced(span.get(), added);
  span->live.add_held_back(*last);
  TL_TRY(span->live.record(*last));
  return filled;
}

Status span_ids(const tl_span* span, tl_text* trace_id, tl_text* observation_id) {
  TL_TRY(usable(span));
  if (trace_id != nullptr) *trace_id = to_text(span->live.trace_id());
  if (observation_id != nullptr) *observation_id = to_text(span->live.id());
  return {};
}

}  // namespace
}  // namespace tracelite::api

namespace api = tracelite::api;

tl_status tl_put_trace(tl_store* store, const tl_trace* trace) {
  return api::guarded([&] { return api::put_trace(store, trace); });
}
tl_status tl_put_observation(tl_store* store, const tl_observation* observation) {
  return api::guarded([&] { return api::put_observation(store, observation); });
}
tl_status tl_put_score(tl_store* store, const tl_score* score) {
  return api::guarded([&] { return api::put_score(store, score); });
}
tl_status tl_put_session(tl_store* store, const tl_session* session) {
  return api::guarded([&] { return api::put_session(store, session); });
}
tl_status tl_begin(tl_store* store, tl_span* parent, const tl_observation* observation,
                   tl_span** span) {
  return api::guarded([&] { return api::begin(store, parent, observation, span); });
}
tl_status tl_update(tl_span* span, const tl_observation* observation) {
  return api::guarded([&] { return api::update(span, observation); });
}
tl_status tl_append(tl_span* span, tl_field field, tl_text text) {
  return api::guarded([&] { return api::append(span, field, text); });
}
tl_status tl_end(tl_span* span, const tl_observation* observation) {
  return api::guarded([&] { return api::end(span, observation); });
}
tl_status tl_span_ids(const tl_span* span, tl_text* trace_id, tl_text* observation_id) {
  return api::guarded([&] { return api::span_ids(span, trace_id, observation_id); });
}
