// Random events about one entity, and what MODEL says that they come to.
#pragma once

#include <bit>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "model/view.hpp"
#include "random_metadata.hpp"
#include "support.hpp"

namespace tracelite::test {

// The fields of an entity as texts that can be compared and printed.
using Shown = std::map<model::Field, std::string>;

struct Writing {
  bool weak = false;
  std::optional<std::string> value;  // none: an explicit null
};

struct Draft {
  model::EntityKind kind{};
  bool is_update = false;
  std::int64_t event_time_ns = 0;
  std::map<model::Field, Writing> fields;  // as view shows them; tags and metadata are below
  std::set<std::string> tags;
  std::optional<MetadataNode> metadata;

  model::Event event;  // made from the above
};

// Knows the metadata that was drafted, so that nothing needs to be parsed.
class DraftedMetadata : public model::MetadataSource {
 public:
  void add(const MetadataNode& node) { nodes_.emplace(node.text, node); }

  Result<model::MetadataTree> read(const model::Register& reg, const model::Order& order) override {
    const auto payload = model::PayloadValue::decode(reg.value);
    if (reg.tree()) return model::MetadataTree::decode(payload.bytes);
    const auto found = nodes_.find(std::string(payload.bytes));
    if (found == nodes_.end()) return make_error(Code::internal, "unknown metadata");
    return tree_of(found->second, order);
  }

 private:
  std::map<std::string, MetadataNode> nodes_;
};

class RandomHistory {
 public:
  RandomHistory(std::uint64_t seed, model::EntityKind kind)
      : random_(seed), metadata_(random_), kind_(kind) {}

  Draft draft(DraftedMetadata& source) {
    static const std::vector<std::int64_t> kTimes = {100, 100, 200, 300, -5};
    Draft draft;
    draft.kind = kind_;
    draft.is_update = random_.chance(2);
    draft.event_time_ns = random_.pick(kTimes);
    for (const model::Field field : fields()) {
      if (random_.chance(3)) draft.fields[field] = writing(field);
    }
    if (kind_ == model::EntityKind::score) complete_score(draft);
    if (kind_ != model::EntityKind::session) {
      if (random_.chance(2)) draft.metadata = metadata_.root();
      if (draft.metadata) source.add(*draft.metadata);
      const bool has_tags = kind_ != model::EntityKind::score;
      for (const char* tag : {"a", "b", "\xc3\xa9", "z"}) {
        if (has_tags && random_.chance(5)) draft.tags.insert(tag);
      }
    }
    draft.event = build(draft);
    return draft;
  }

  // Distinct events with some of them repeated.
  std::vector<Draft> drafts(std::size_t count, DraftedMetadata& source) {
    std::vector<Draft> all;
    while (all.size() < count) {
      if (!all.empty() && random_.chance(6)) {
        all.push_back(all[random_.below(all.size())]);  // the same event again
        if (random_.chance(2)) {                        // or the same body in another event
          all.back().event_time_ns += 100;
          all.back().event = build(all.back());
        }
      } else {
        all.push_back(draft(source));
      }
    }
    return all;
  }

  Random& random() { return random_; }

 private:
  using Field = model::Field;

  const std::vector<Field>& fields() const {
    static const std::vector<Field> kTrace = {
        Field::timestamp, Field::name,      Field::user_id,      Field::session_id,
        Field::release,   Field::version,   Field::environment,  Field::input,
        Field::output,    Field::is_public, Field::is_bookmarked};
    static const std::vector<Field> kObservation = {Field::parent_observation_id,
                                                    Field::type,
                                                    Field::name,
                                                    Field::start_time,
                                                    Field::end_time,
                                                    Field::completion_start_time,
                                                    Field::level,
                                                    Field::status_message,
                                                    Field::version,
                                                    Field::environment,
                                                    Field::user_id,
                                                    Field::session_id,
                                                    Field::input,
                                                    Field::output,
                                                    Field::model,
                                                    Field::model_parameters,
                                                    Field::usage_details,
                                                    Field::cost_details,
                                                    Field::prompt_name,
                                                    Field::prompt_version};
    static const std::vector<Field> kScore = {Field::timestamp, Field::environment,
                                              Field::source,    Field::comment,
                                              Field::config_id, Field::author_user_id};
    static const std::vector<Field> kSession = {Field::is_public, Field::is_bookmarked};
    switch (kind_) {
      case model::EntityKind::trace:
        return kTrace;
      case model::EntityKind::observation:
        return kObservation;
      case model::EntityKind::score:
        return kScore;
      default:
        return kSession;
    }
  }

  Writing writing(Field field) {
    static const std::vector<std::string> kTexts = {"x", "y", "\xc3\xa9",
                                                    "a longer text that repeats"};
    static const std::vector<std::string> kPayloads = {"j{}",   "j{ \n}", "j{\"a\":1}", "j[]",
                                                       "n",     "ttext",  "b\x01\xff",  "j1",
                                                       "jnull", "t",      "j\"{}\"",    "b"};
    const bool least = model::merge_rule(field) == model::MergeRule::least;
    if (!least && random_.chance(5)) return {false, std::nullopt};
    const bool weak = random_.chance(4);
    switch (field) {
      case Field::timestamp:
      case Field::start_time:
      case Field::end_time:
      case Field::completion_start_time:
        return {weak, std::to_string(static_cast<int>(random_.below(5)) * 50)};
      case Field::prompt_version:
        return {false, std::to_string(static_cast<int>(random_.below(3)) - 1)};
      case Field::is_public:
      case Field::is_bookmarked:
        return {false, random_.chance(2) ? "true" : "false"};
      case Field::type:
        return {weak, std::string(random_.pick(model::kObservationTypeNames))};
      case Field::level:
        return {false, std::string(random_.pick(model::kLevelNames))};
      case Field::source:
        return {false, std::string(random_.pick(model::kSourceNames))};
      case Field::input:
      case Field::output: {
        const std::string& payload = random_.pick(kPayloads);
        return {payload == "j{}" || payload == "j{ \n}", payload};
      }
      case Field::model_parameters: {
        static const std::vector<std::string> kParameters = {"{}", "{\"t\":1}", "{ \"t\" : 2 }"};
        const std::string& parameters = random_.pick(kParameters);
        return {parameters == "{}", parameters};
      }
      case Field::usage_details: {
        static const std::vector<std::string> kUsage = {"input=1 ", "input=1 output=2 ",
                                                        "total=9 "};
        return {false, random_.pick(kUsage)};
      }
      case Field::cost_details: {
        static const std::vector<std::string> kCost = {"input=0.5 ", "a=-1 b=0.000000000001 "};
        return {false, random_.pick(kCost)};
      }
      case Field::environment: {
        static const std::vector<std::string> kEnvironments = {"prod", "dev", "test-1"};
        return {weak, random_.pick(kEnvironments)};
      }
      default:
        return {weak, random_.pick(kTexts)};
    }
  }

  void complete_score(Draft& draft) {
    static const std::vector<std::string> kSubjects = {"trace t1", "trace t2", "observation t1 o1",
                                                       "session s1"};
    draft.fields[Field::subject] = {false, random_.pick(kSubjects)};
    draft.fields[Field::name] = {false, random_.chance(2) ? "quality" : "speed"};
    const bool number = random_.chance(2);
    const bool text = !number || random_.chance(4);
    if (number) draft.fields[Field::value] = {false, random_.chance(2) ? "1" : "0"};
    if (text) draft.fields[Field::string_value] = {false, random_.chance(2) ? "good" : "bad"};
    if (number && !text && random_.chance(4)) draft.fields[Field::string_value] = {};
    if (text && !number && random_.chance(4)) draft.fields[Field::value] = {};
    if (random_.chance(4)) draft.fields[Field::data_type] = {};
    if (random_.chance(2)) {
      static const std::vector<std::string> kOfNumber = {"NUMERIC", "BOOLEAN"};
      static const std::vector<std::string> kOfText = {"CATEGORICAL", "TEXT", "CORRECTION"};
      draft.fields[Field::data_type] = {false, random_.pick(number ? kOfNumber : kOfText)};
    }
  }

  template <class Names>
  static std::uint8_t index_of(const Names& names, const std::string& name) {
    return static_cast<std::uint8_t>(std::find(std::begin(names), std::end(names), name) -
                                     std::begin(names));
  }

  // Splits "input=1 output=2 ".
  static std::vector<std::pair<std::string, std::string>> pairs_of(const std::string& text) {
    std::vector<std::pair<std::string, std::string>> pairs;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t equals = text.find('=', at);
      const std::size_t space = text.find(' ', equals);
      pairs.emplace_back(text.substr(at, equals - at), text.substr(equals + 1, space - equals - 1));
      at = space + 1;
    }
    return pairs;
  }

  static void add_payload(model::EventBuilder& builder, Field field, const std::string& shown) {
    const std::string bytes = shown.substr(1);
    const auto form = shown[0] == 'j'   ? model::Form::json
                      : shown[0] == 't' ? model::Form::text
                      : shown[0] == 'n' ? model::Form::null
                                        : model::Form::bytes;
    builder.payload(field, form, std::string(bytes));
  }

  static Status add_subject(model::EventBuilder& builder, const std::string& shown) {
    if (shown.starts_with("session")) return builder.subject({}, {}, shown.substr(8));
    if (shown.starts_with("observation")) return builder.subject("t1", "o1", {});
    return builder.subject(shown.substr(6), {}, {});
  }

  static Status add(model::EventBuilder& builder, Field field, const Writing& writing) {
    if (!writing.value) {
      builder.clear(field);
      return {};
    }
    const std::string& value = *writing.value;
    switch (field) {
      case Field::timestamp:
      case Field::start_time:
      case Field::end_time:
      case Field::completion_start_time:
        builder.time(field, std::stoll(value), writing.weak);
        return {};
      case Field::prompt_version:
        builder.integer(field, std::stoll(value));
        return {};
      case Field::is_public:
      case Field::is_bookmarked:
        builder.flag(field, value == "true");
        return {};
      case Field::type:
        builder.type(model::ObservationType(1 + index_of(model::kObservationTypeNames, value)),
                     writing.weak);
        return {};
      case Field::level:
        builder.level(model::Level(1 + index_of(model::kLevelNames, value)));
        return {};
      case Field::source:
        builder.source(model::Source(index_of(model::kSourceNames, value)));
        return {};
      case Field::data_type:
        builder.data_type(model::DataType(1 + index_of(model::kDataTypeNames, value)));
        return {};
      case Field::value:
        builder.number(std::stod(value));
        return {};
      case Field::input:
      case Field::output:
        add_payload(builder, field, value);
        return {};
      case Field::model_parameters:
        builder.model_parameters(value);
        return {};
      case Field::usage_details:
        for (const auto& [name, amount] : pairs_of(value)) builder.usage(name, std::stoull(amount));
        return {};
      case Field::cost_details:
        for (const auto& [name, amount] : pairs_of(value)) {
          builder.cost(name, *model::parse_decimal(amount));
        }
        return {};
      case Field::subject:
        return add_subject(builder, value);
      default:
        return builder.text(field, value, writing.weak);
    }
  }

  static model::Event build(const Draft& draft) {
    model::EventBuilder builder(draft.kind, draft.is_update);
    check_ok(builder.id("entity-1"));
    for (const auto& [field, writing] : draft.fields) check_ok(add(builder, field, writing));
    for (const std::string& tag : draft.tags) check_ok(builder.tag(tag));
    if (draft.metadata) {
      const bool null = draft.metadata->kind == MetadataNode::Kind::null;
      builder.payload(Field::metadata, null ? model::Form::null : model::Form::json,
                      draft.metadata->text);
    }
    return value_of(finish(builder, draft.event_time_ns));
  }

  Random random_;
  RandomMetadata metadata_;
  model::EntityKind kind_;
};

// ---- what a reader sees

class EntityPrinter {
 public:
  explicit EntityPrinter(const model::Entity& entity) : entity_(entity) {}

  Shown show() {
    using model::Field;
    switch (entity_.kind) {
      case model::EntityKind::trace:
        show(model::view_trace(entity_));
        break;
      case model::EntityKind::observation:
        show(model::view_observation(entity_));
        break;
      case model::EntityKind::score:
        show(model::view_score(entity_));
        break;
      default: {
        const auto view = model::view_session(entity_);
        flag(Field::is_public, view.is_public);
        flag(Field::is_bookmarked, view.is_bookmarked);
      }
    }
    return std::move(shown_);
  }

 private:
  using Field = model::Field;

  void text(Field field, const model::OptionalText& value) {
    if (value) shown_[field] = *value;
  }
  void time(Field field, const model::OptionalTime& value) {
    if (value) shown_[field] = std::to_string(*value);
  }
  void flag(Field field, const std::optional<bool>& value) {
    if (value) shown_[field] = *value ? "true" : "false";
  }
  void tags(const std::vector<Bytes>& tags) {
    for (const Bytes tag : tags) shown_[Field::tags] += std::string(tag) + " ";
  }
  void payload(Field field, const model::PayloadView& view) {
    const std::string bytes(view.value.bytes);
    switch (view.value.form) {
      case model::Form::absent:
        return;
      case model::Form::null:
        shown_[field] = "n";
        return;
      case model::Form::text:
        shown_[field] = "t" + bytes;
        return;
      case model::Form::bytes:
        shown_[field] = "b" + bytes;
        return;
      default:
        break;
    }
    if (!view.is_tree) {
      shown_[field] = "j" + bytes;
    } else if (const auto visible = value_of(model::MetadataTree::decode(bytes)).visible()) {
      shown_[field] = "j" + *visible;
    }
  }

  void show(const model::TraceView& view) {
    time(Field::timestamp, view.timestamp_ns);
    text(Field::name, view.name);
    text(Field::user_id, view.user_id);
    text(Field::session_id, view.session_id);
    text(Field::release, view.release);
    text(Field::version, view.version);
    text(Field::environment, view.environment);
    tags(view.tags);
    payload(Field::metadata, view.metadata);
    payload(Field::input, view.input);
    payload(Field::output, view.output);
    flag(Field::is_public, view.is_public);
    flag(Field::is_bookmarked, view.is_bookmarked);
  }

  void show(const model::ObservationView& view) {
    text(Field::parent_observation_id, view.parent_id);
    shown_[Field::type] = model::kObservationTypeNames[static_cast<std::uint8_t>(view.type) - 1];
    text(Field::name, view.name);
    time(Field::start_time, view.start_ns);
    time(Field::end_time, view.end_ns);
    time(Field::completion_start_time, view.completion_start_ns);
    shown_[Field::level] = model::kLevelNames[static_cast<std::uint8_t>(view.level) - 1];
    text(Field::status_message, view.status_message);
    text(Field::version, view.version);
    text(Field::environment, view.environment);
    text(Field::user_id, view.user_id);
    text(Field::session_id, view.session_id);
    tags(view.tags);
    payload(Field::metadata, view.metadata);
    payload(Field::input, view.input);
    payload(Field::output, view.output);
    text(Field::model, view.model);
    text(Field::model_parameters, view.model_parameters);
    for (const auto& [name, amount] : view.usage) {
      shown_[Field::usage_details] += std::string(name) + "=" + std::to_string(amount) + " ";
    }
    for (const auto& [name, units] : view.cost) {
      shown_[Field::cost_details] += std::string(name) + "=" + model::format_decimal(units) + " ";
    }
    text(Field::prompt_name, view.prompt_name);
    time(Field::prompt_version, view.prompt_version);
  }

  void show(const model::ScoreView& view) {
    static constexpr const char* kKinds[] = {"", "trace ", "observation ", "session "};
    shown_[Field::subject] = kKinds[static_cast<std::uint8_t>(view.subject_kind)] + view.trace_id +
                             (view.observation_id.empty() ? "" : " " + view.observation_id) +
                             std::string(view.session_id);
    shown_[Field::name] = view.name;
    if (view.value) shown_[Field::value] = std::to_string(static_cast<int>(*view.value));
    text(Field::string_value, view.string_value);
    shown_[Field::data_type] = model::kDataTypeNames[static_cast<std::uint8_t>(view.data_type) - 1];
    shown_[Field::source] = model::kSourceNames[static_cast<std::uint8_t>(view.source)];
    text(Field::comment, view.comment);
    text(Field::config_id, view.config_id);
    text(Field::author_user_id, view.author_user_id);
    payload(Field::metadata, view.metadata);
    shown_[Field::environment] = view.environment;
    shown_[Field::timestamp] = std::to_string(view.timestamp_ns);
  }

  const model::Entity& entity_;
  Shown shown_;
};

// ---- what MODEL says

// Takes the events one after the other, in their total order, each once.
class SequentialFold {
 public:
  static Shown fold(std::vector<Draft> drafts) {
    std::sort(drafts.begin(), drafts.end(), comes_before);
    drafts.erase(std::unique(drafts.begin(), drafts.end(),
                             [](const Draft& a, const Draft& b) {
                               return !comes_before(a, b) && !comes_before(b, a);
                             }),
                 drafts.end());
    SequentialFold fold;
    for (const Draft& draft : drafts) fold.take(draft);
    return fold.read(drafts.front());
  }

 private:
  using Field = model::Field;

  // Event time; creates before updates; body time; then the body, for which its digest stands.
  static bool comes_before(const Draft& a, const Draft& b) {
    if (a.event_time_ns != b.event_time_ns) return a.event_time_ns < b.event_time_ns;
    if (a.is_update != b.is_update) return b.is_update;
    if (body_time(a) != body_time(b)) return body_time(a) < body_time(b);
    return a.event.entity.first_order().digest < b.event.entity.first_order().digest;
  }
  static std::int64_t body_time(const Draft& draft) {
    const auto field =
        draft.kind == model::EntityKind::observation ? Field::start_time : Field::timestamp;
    const auto found = draft.fields.find(field);
    return found == draft.fields.end() ? draft.event_time_ns : std::stoll(*found->second.value);
  }

  void take(const Draft& draft) {
    // A score's number and text are one value.
    if (draft.kind == model::EntityKind::score) {
      strong_.erase(Field::value);
      strong_.erase(Field::string_value);
    }
    for (const auto& [field, writing] : draft.fields) {
      auto& place = writing.weak ? weak_ : strong_;
      const bool first_counts = field == Field::timestamp || field == Field::start_time ||
                                field == Field::environment || field == Field::subject;
      if (first_counts) {
        place.emplace(field, writing.value);
      } else {
        place[field] = writing.value;
      }
    }
    tags_.insert(draft.tags.begin(), draft.tags.end());
    if (draft.metadata) {
      const bool empty =
          draft.metadata->kind == MetadataNode::Kind::object && draft.metadata->members.empty();
      if (empty) {
        empty_metadata_ = draft.metadata->text;
      } else {
        metadata_.write(*draft.metadata);
        ++metadata_count_;
        only_metadata_ = draft.metadata->kind == MetadataNode::Kind::null
                             ? std::nullopt
                             : std::optional(draft.metadata->text);
      }
    }
  }

  // Defaults and clamps.
  Shown read(const Draft& first) {
    Shown shown;
    for (const auto& [field, value] : weak_) {
      if (value && !strong_.contains(field)) shown[field] = *value;
    }
    for (const auto& [field, value] : strong_) {
      if (value) shown[field] = *value;
    }
    for (const std::string& tag : tags_) shown[Field::tags] += tag + " ";
    const auto metadata = metadata_count_ == 0   ? empty_metadata_
                          : metadata_count_ == 1 ? only_metadata_
                                                 : metadata_.visible();
    if (metadata) shown[Field::metadata] = "j" + *metadata;
    if (first.kind != model::EntityKind::session) shown.emplace(Field::environment, "default");
    const std::string first_time = std::to_string(first.event_time_ns);
    if (first.kind == model::EntityKind::observation) {
      shown.emplace(Field::type, "SPAN");
      shown.emplace(Field::level, "DEFAULT");
      shown.emplace(Field::start_time, first_time);
      const auto end = shown.find(Field::end_time);
      const std::string& start = shown[Field::start_time];
      if (end != shown.end() && std::stoll(end->second) < std::stoll(start)) end->second = start;
    }
    if (first.kind == model::EntityKind::score) read_score(shown, first_time);
    return shown;
  }

  static void read_score(Shown& shown, const std::string& first_time) {
    shown.emplace(Field::source, "API");
    shown.emplace(Field::timestamp, first_time);
    const bool number = shown.contains(Field::value);
    const bool text = shown.contains(Field::string_value);
    const std::string inferred = number ? "NUMERIC" : "CATEGORICAL";
    const std::string type = shown.emplace(Field::data_type, inferred).first->second;
    const bool of_number = type == "NUMERIC" || type == "BOOLEAN";
    if (of_number ? !number : !text) shown[Field::data_type] = inferred;
  }

  std::map<Field, std::optional<std::string>> strong_, weak_;
  std::set<std::string> tags_;
  MetadataFold metadata_;
  std::size_t metadata_count_ = 0;
  std::optional<std::string> only_metadata_, empty_metadata_;
};

inline std::string difference(const Shown& got, const Shown& expected) {
  std::string out;
  for (std::uint8_t i = 0; i < model::kFieldCount; ++i) {
    const auto field = static_cast<model::Field>(i);
    const auto a = got.find(field);
    const auto b = expected.find(field);
    const std::string left = a == got.end() ? "(absent)" : "'" + a->second + "'";
    const std::string right = b == expected.end() ? "(absent)" : "'" + b->second + "'";
    if (left != right) {
      out += std::string(model::field_name(field)) + ": got " + left + ", expected " + right + "\n";
    }
  }
  return out;
}

}  // namespace tracelite::test
