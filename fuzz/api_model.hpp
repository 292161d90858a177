// The model of api_calls.cpp: what must be in the file once all is flushed, in maps and nothing
// else. Each entity has a payload or two and some fields; what several calls say of one is joined
// as the data model says.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "fuzz/input.hpp"
#include "payload/json_scanner.hpp"
#include "tracelite/tracelite.h"

namespace tracelite::fuzz {

inline std::string string_of(const tl_text& text) {
  return text.data == nullptr ? std::string() : std::string(text.data, text.size_bytes);
}

// What an entity shows, by name; of payloads the form, a colon and the bytes. What the model does
// not know is not in its fields.
using Fields = std::map<std::string, std::string>;
// By trace and id, with a slash between; of traces and sessions by their ids.
using World = std::map<std::string, Fields>;

inline constexpr const char* kAbsent = "absent";
inline std::string shown_payload(tl_form form, const std::string& bytes) {
  return std::to_string(form) + ":" + bytes;
}
// In the form that it is of.
inline std::string shown_as_given(const tl_payload& given) {
  const std::string bytes = string_of(given.text);
  tl_form form = given.form;
  if (form == TL_FORM_JSON && payload::check_json(bytes)) form = TL_FORM_TEXT;
  if (form == TL_FORM_TEXT && !payload::is_valid_utf8(bytes)) form = TL_FORM_BYTES;
  return shown_payload(form, bytes);
}

inline constexpr Bytes kJsonSpace = " \t\r\n";
inline std::string without_space(std::string json) {
  std::erase_if(json, [](char c) { return kJsonSpace.find(c) != Bytes::npos; });
  return json;
}

// When something was said. What is imported was said long ago, in the order of its time stamps.
using Moment = std::uint64_t;
inline constexpr Moment kImportCountMax = 1000;

// One field of an entity.
class Register {
 public:
  // Weak: counts only where nothing else was said.
  void last(Moment at, std::optional<std::string> value, bool is_weak = false) {
    if (is_weak != is_weak_ ? is_weak : at < at_) return;
    *this = Register(at, std::move(value), is_weak);
  }
  void first(Moment at, std::string value) {
    if (is_weak_ || at < at_) *this = Register(at, std::move(value), false);
  }
  void append(Moment at, const std::string& text) {
    if (!is_streamed_) last(at, shown_payload(TL_FORM_TEXT, ""));
    value_->append(text);
    is_streamed_ = true;
  }
  [[nodiscard]] const std::optional<std::string>& value() const { return value_; }

  Register() = default;

 private:
  Register(Moment at, std::optional<std::string> value, bool is_weak)
      : at_(at), value_(std::move(value)), is_weak_(is_weak) {}

  Moment at_ = 0;
  std::optional<std::string> value_;
  bool is_weak_ = true;
  bool is_streamed_ = false;
};

struct Entity {
  bool has_record = false;  // of a trace: not only its observations
  std::map<std::string, Register> registers;
  std::set<std::string> tags;

  void text(const std::string& name, Moment at, std::uint64_t set_mask, std::uint64_t clear_mask,
            tl_field field, std::string value) {
    if ((set_mask & TL_BIT(field)) != 0) registers[name].last(at, std::move(value));
    if ((clear_mask & TL_BIT(field)) != 0) registers[name].last(at, std::nullopt);
  }
  void payload(const std::string& name, Moment at, std::uint64_t set_mask, std::uint64_t clear_mask,
               tl_field field, const tl_payload& given) {
    const bool is_set = (set_mask & TL_BIT(field)) != 0 && given.form != TL_FORM_ABSENT;
    if ((clear_mask & TL_BIT(field)) != 0 || (is_set && given.form == TL_FORM_NULL)) {
      registers[name].last(at, std::nullopt);
    } else if (is_set) {
      const std::string shown = shown_as_given(given);
      registers[name].last(at, shown, is_empty_object(shown));
    }
  }
  // `default_of` a field is shown where nothing is said.
  [[nodiscard]] std::string shown(const std::string& name, const std::string& otherwise) const {
    const auto at = registers.find(name);
    return at == registers.end() ? otherwise : at->second.value().value_or(otherwise);
  }
  void show_if_known(const std::string& name, Fields& fields) const {
    const auto at = registers.find(name);
    if (at != registers.end() && at->second.value()) fields[name] = *at->second.value();
  }

 private:
  static bool is_empty_object(const std::string& shown) {
    return shown.starts_with(shown_payload(TL_FORM_JSON, "")) &&
           without_space(shown) == shown_payload(TL_FORM_JSON, "{}");
  }
};

class Model {
 public:
  // An event of a deleted id starts the entity anew.
  void put(Moment at, const tl_trace& trace) {
    Entity& entity = traces_[string_of(trace.id)];
    entity.has_record = true;
    const std::uint64_t set = trace.set_mask;
    const std::uint64_t clear = trace.clear_mask;
    entity.text("name", at, set, clear, TL_FIELD_NAME, string_of(trace.name));
    const std::string user = string_of(trace.user_id);
    const std::uint64_t dropped = user.empty() ? TL_BIT(TL_FIELD_USER_ID) : 0;
    entity.text("user", at, set & ~dropped, clear, TL_FIELD_USER_ID, user);
    entity.payload("input", at, set, clear, TL_FIELD_INPUT, trace.input);
    if ((set & TL_BIT(TL_FIELD_TIMESTAMP)) != 0) {
      entity.registers["time"].first(at, std::to_string(trace.timestamp_ns));
    }
    if ((set & TL_BIT(TL_FIELD_TAGS)) == 0) return;
    for (std::size_t i = 0; i < trace.tag_count; ++i) {
      const std::string tag = string_of(trace.tags[i]);
      if (!tag.empty()) entity.tags.insert(tag);
    }
  }
  void put(Moment at, const tl_observation& one) {
    Entity& entity = observation(string_of(one.trace_id), string_of(one.id));
    const std::uint64_t set = one.set_mask;
    const std::uint64_t clear = one.clear_mask;
    entity.text("name", at, set, clear, TL_FIELD_NAME, string_of(one.name));
    entity.text("parent", at, set, clear, TL_FIELD_PARENT_OBSERVATION_ID,
                string_of(one.parent_observation_id));
    entity.text("type", at, set, clear, TL_FIELD_TYPE, std::to_string(one.type));
    entity.text("level", at, set, clear, TL_FIELD_LEVEL, std::to_string(one.level));
    entity.payload("input", at, set, clear, TL_FIELD_INPUT, one.input);
    entity.payload("output", at, set, clear, TL_FIELD_OUTPUT, one.output);
    if ((set & TL_BIT(TL_FIELD_START_TIME)) != 0) {
      entity.registers["time"].first(at, std::to_string(one.start_time_ns));
    }
  }
  void append_output(Moment at, const std::string& trace_id, const std::string& id,
                     const std::string& text) {
    observation(trace_id, id).registers["output"].append(at, text);
  }
  void put(Moment at, const tl_score& score) {
    Entity& entity = scores_[string_of(score.trace_id) + "/" + string_of(score.id)];
    entity.text("value", at, score.set_mask, 0, TL_FIELD_VALUE, std::to_string(score.value));
  }
  void put(Moment at, const tl_session& session) {
    sessions_[string_of(session.id)].text("bookmarked", at, session.set_mask, 0,
                                          TL_FIELD_BOOKMARKED,
                                          std::to_string(session.is_bookmarked));
  }
  void add_observation(const std::string& trace_id, const std::string& id) {
    observation(trace_id, id);
  }
  void erase_trace(const std::string& trace_id) {
    const auto is_of_it = [&](const auto& one) { return one.first.starts_with(trace_id + "/"); };
    traces_.erase(trace_id);
    std::erase_if(observations_, is_of_it);
    std::erase_if(scores_, is_of_it);
  }
  [[nodiscard]] bool has_trace(const std::string& id) const { return traces_.contains(id); }
  [[nodiscard]] std::size_t score_count() const { return scores_.size(); }

  [[nodiscard]] World of(tl_kind kind) const {
    World world;
    const auto show_all = [&](const auto& entities, const auto& show) {
      for (const auto& [key, entity] : entities) world.emplace(key, show(entity));
    };
    if (kind == TL_KIND_TRACE) show_all(traces_, show_trace);
    if (kind == TL_KIND_OBSERVATION) show_all(observations_, show_observation);
    if (kind == TL_KIND_SCORE) show_all(scores_, show_score);
    if (kind == TL_KIND_SESSION) show_all(sessions_, show_session);
    return world;
  }

 private:
  Entity& observation(const std::string& trace_id, const std::string& id) {
    traces_[trace_id];
    return observations_[trace_id + "/" + id];
  }
  // One that is derived shows fields of its root.
  static Fields show_trace(const Entity& entity) {
    Fields fields{{"derived", std::to_string(entity.has_record ? 0 : 1)}};
    if (!entity.has_record) return fields;
    fields["name"] = entity.shown("name", "");
    fields["user"] = entity.shown("user", "");
    fields["input"] = entity.shown("input", kAbsent);
    entity.show_if_known("time", fields);
    for (const std::string& tag : entity.tags) fields["tags"].append(tag).push_back(',');
    return fields;
  }
  static Fields show_observation(const Entity& entity) {
    Fields fields{{"name", entity.shown("name", "")},
                  {"parent", entity.shown("parent", "")},
                  {"type", entity.shown("type", std::to_string(TL_TYPE_SPAN))},
                  {"level", entity.shown("level", std::to_string(TL_LEVEL_DEFAULT))},
                  {"input", entity.shown("input", kAbsent)},
                  {"output", entity.shown("output", kAbsent)}};
    entity.show_if_known("time", fields);
    return fields;
  }
  static Fields show_score(const Entity& entity) {
    return {{"value", entity.shown("value", std::to_string(0.0))}};
  }
  static Fields show_session(const Entity& entity) {
    return {{"bookmarked", entity.shown("bookmarked", "0")}};
  }

  std::map<std::string, Entity> traces_, observations_, scores_, sessions_;
};

// ------------------------------------------------------------------------------ differences

// A payload as it comes back from an export, but for white space: text as a JSON string. None: it
// may be something else.
inline std::optional<std::string> exported(const std::string& shown) {
  const std::string json_head = shown_payload(TL_FORM_JSON, "");
  const std::string text_head = shown_payload(TL_FORM_TEXT, "");
  if (shown.starts_with(text_head)) {
    std::string json = json_head;
    payload::append_json_string(json, Bytes(shown).substr(text_head.size()));
    return without_space(json);
  }
  if (!shown.starts_with(json_head)) return shown;
  std::string bare = without_space(shown);
  if (bare == shown_payload(TL_FORM_JSON, "null")) return kAbsent;
  const bool may_be_bytes = bare.find_first_of("$\\") != std::string::npos;
  return may_be_bytes ? std::nullopt : std::optional(std::move(bare));
}

// What is not as the model has it; "": nothing. Fields that it does not know may be anything.
inline std::string difference(const World& wanted, const World& got, bool is_exported = false) {
  for (const auto& [key, fields] : got) {
    if (!wanted.contains(key)) return key + " should not be there";
  }
  for (const auto& [key, fields] : wanted) {
    const auto at = got.find(key);
    if (at == got.end()) return key + " is missing";
    for (auto [name, value] : fields) {
      const auto of_got = at->second.find(name);
      std::string found = of_got == at->second.end() ? "" : of_got->second;
      if (is_exported && (name == "input" || name == "output")) {
        const auto kept = exported(value);
        if (!kept) continue;
        value = *kept;
        if (found.starts_with(shown_payload(TL_FORM_JSON, ""))) found = without_space(found);
      }
      if (value != found) {
        return key + ": " + name + " is \"" + found + "\" instead of \"" + value + '"';
      }
    }
  }
  return {};
}

}  // namespace tracelite::fuzz
