// The calls of api_calls.cpp that record: each is entered into the model if it was taken.
#pragma once

#include <algorithm>
#include <string>

#include "fuzz/api_handles.hpp"

namespace tracelite::fuzz {

class Recording : public Handles {
 public:
  using Handles::Handles;

 protected:
  // Stamps of calls grow.
  Moment now() { return kImportCountMax + ++call_count_; }

  // ------------------------------------------------------------------------------ puts

  // The topmost of its three bytes clears what is not set.
  std::uint64_t choose_fields(std::uint64_t settable, std::uint64_t clearable,
                              std::uint64_t& clear_mask) {
    const std::uint64_t chosen = input_.number(3);
    const std::uint64_t set_mask = chosen & settable;
    if ((chosen >> 23 & 1) != 0) clear_mask = clearable & ~set_mask;
    return set_mask;
  }
  void put_trace() {
    const Bytes trace_id = id();
    tl_trace trace{};
    trace.id = text_of(trace_id);
    trace.set_mask = choose_fields(
        TL_BIT(TL_FIELD_NAME) | TL_BIT(TL_FIELD_INPUT) | TL_BIT(TL_FIELD_METADATA) |
            TL_BIT(TL_FIELD_TAGS) | TL_BIT(TL_FIELD_TIMESTAMP) | TL_BIT(TL_FIELD_USER_ID),
        TL_BIT(TL_FIELD_NAME) | TL_BIT(TL_FIELD_INPUT) | TL_BIT(TL_FIELD_USER_ID),
        trace.clear_mask);
    trace.name = text_of(id());
    trace.user_id = text_of(id());
    trace.timestamp_ns = static_cast<std::int64_t>(input_.number(8));
    trace.input = payload();
    trace.metadata = payload();
    const tl_text tag = text_of(id());
    trace.tags = &tag;
    trace.tag_count = 1;
    if (call_with(trace, status_of(is_good(trace_id)), "put_trace",
                  [&](const tl_trace* given) { return tl_put_trace(store_, given); })) {
      model_.put(now(), trace);
    }
  }
  void put_observation() {
    const Bytes trace_id = id();
    const Bytes own_id = id();
    tl_observation one{};
    one.id = text_of(own_id);
    one.trace_id = text_of(trace_id);
    one.set_mask = choose_fields(
        TL_BIT(TL_FIELD_TYPE) | TL_BIT(TL_FIELD_INPUT) | TL_BIT(TL_FIELD_PARENT_OBSERVATION_ID) |
            TL_BIT(TL_FIELD_START_TIME) | TL_BIT(TL_FIELD_LEVEL),
        TL_BIT(TL_FIELD_TYPE) | TL_BIT(TL_FIELD_INPUT) | TL_BIT(TL_FIELD_LEVEL), one.clear_mask);
    one.type = static_cast<tl_type>(1 + input_.below(10));
    one.level = static_cast<tl_level>(1 + input_.below(4));
    one.parent_observation_id = text_of(good_id());
    one.start_time_ns = static_cast<std::int64_t>(input_.number(8));
    one.input = payload();
    if (call_with(one, status_of(is_good(trace_id) && is_good(own_id)), "put_observation",
                  [&](const tl_observation* given) { return tl_put_observation(store_, given); })) {
      model_.put(now(), one);
    }
  }
  void put_score() {
    const Bytes trace_id = kIds[input_.below(3)];
    tl_score score{};
    const std::string own_id = "score of " + std::string(trace_id);
    score.id = text_of(own_id);
    score.trace_id = text_of(trace_id);
    score.name = tl_str("quality");
    score.value = static_cast<double>(input_.byte());
    score.set_mask = TL_BIT(TL_FIELD_NAME) | TL_BIT(TL_FIELD_VALUE) | TL_BIT(TL_FIELD_TRACE_ID);
    if (call_with(score, status_of(true), "put_score",
                  [&](const tl_score* given) { return tl_put_score(store_, given); })) {
      model_.put(now(), score);
    }
  }
  void put_session() {
    const Bytes session_id = id();
    tl_session session{};
    session.id = text_of(session_id);
    session.set_mask = TL_BIT(TL_FIELD_BOOKMARKED);
    session.is_bookmarked = 1;
    // As the one that a trace names: any text.
    if (call_with(session, status_of(!session_id.empty()), "put_session",
                  [&](const tl_session* given) { return tl_put_session(store_, given); })) {
      model_.put(now(), session);
    }
  }

  // ------------------------------------------------------------------------------ live
  // observations

  void begin() {
    Span& into = span();
    if (into.handle != nullptr) return;
    const Span parent = span();  // as it is before
    tl_observation one{};
    one.struct_size = sizeof one;
    const Bytes trace_id = good_id();
    if (input_.below(2) != 0) one.trace_id = text_of(trace_id);
    const tl_status wanted =
        parent.handle != nullptr && status_of(parent.handle) != TL_OK ? TL_MISUSE : status_of(true);
    expect(tl_begin(store_, parent.handle, &one, &into.handle), wanted, "begin");
    require((wanted == TL_OK) == (into.handle != nullptr), "a span comes with TL_OK");
    if (into.handle == nullptr) return;
    tl_text of_trace{};
    tl_text of_own{};
    expect(tl_span_ids(into.handle, &of_trace, &of_own), TL_OK, "span_ids");
    into.trace_id = string_of(of_trace);
    into.id = string_of(of_own);
    if (parent.handle != nullptr) {
      require(into.trace_id == parent.trace_id, "a child is in its parent's trace");
      one.set_mask = TL_BIT(TL_FIELD_PARENT_OBSERVATION_ID);
      one.parent_observation_id = text_of(parent.id);
    }
    note(into, TL_OK, one);
  }
  void note(const Span& one, tl_status status, tl_observation fields = {}) {
    if (status != TL_OK) return;
    fields.trace_id = text_of(one.trace_id);
    fields.id = text_of(one.id);
    model_.put(now(), fields);
  }
  void update() {
    const Span& one = span();
    tl_observation fields{};
    fields.struct_size = sizeof fields;
    fields.set_mask = TL_BIT(TL_FIELD_OUTPUT) | TL_BIT(TL_FIELD_NAME);
    fields.output = payload();
    fields.name = tl_str("name");
    const tl_status status = tl_update(one.handle, &fields);
    expect(status, status_of(one.handle), "update");
    note(one, status, fields);
  }
  void append() {
    const Span& one = span();
    const auto field = static_cast<tl_field>(input_.byte());
    const bool is_good = field % 8 != 0;
    const std::string text(input_.byte() * std::size_t{40}, static_cast<char>('a' + field % 26));
    const tl_status status =
        tl_append(one.handle, is_good ? tl_field{TL_FIELD_OUTPUT} : field, text_of(text));
    if (!is_good) return require(status != TL_OK, "append refuses other fields");
    expect(status, status_of(one.handle), "append");
    // Nothing is recorded of nothing.
    if (status == TL_OK && !text.empty()) {
      model_.append_output(now(), one.trace_id, one.id, text);
    }
  }
  void end() {
    Span& one = span();
    const tl_status status = tl_end(one.handle, nullptr);
    expect(status, status_of(one.handle), "end");
    note(one, status);
    forget(one);
  }

  // ------------------------------------------------------------------------------ events

  // Events, or what is none.
  void import() {
    std::string events;
    Imported imported;
    if (input_.below(4) == 0) {
      events = "x" + std::string(input_.take(input_.byte()));
      std::ranges::replace(events, '\n', ' ');
    } else {
      imported.trace_id = good_id();
      imported.id = good_id();
      imported.number = ++import_count_;
      imported.name = "imported " + std::to_string(import_count_);
      imported.text = "text of " + imported.name;
      events = imported.events();
    }
    tl_import_report report{};
    const auto call = [&](tl_import_report* into) { return import_events(store_, events, into); };
    if (!call_with(report, status_of(true), "import", call) || imported.number == 0) return;
    require(report.failed_count == 0, "events that are right are taken");
    imported.enter(model_);
  }

  Model model_;

 private:
  Moment call_count_ = 0;
  Moment import_count_ = 0;
};

}  // namespace tracelite::fuzz
