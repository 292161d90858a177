#include "bench/scale_data.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

namespace bench {
namespace {

constexpr std::array kTypes = {
    TL_TYPE_AGENT, TL_TYPE_GENERATION, TL_TYPE_TOOL,  TL_TYPE_CHAIN, TL_TYPE_GENERATION,
    TL_TYPE_TOOL,  TL_TYPE_GENERATION, TL_TYPE_CHAIN, TL_TYPE_TOOL,  TL_TYPE_GENERATION};
constexpr std::array<const char*, 10> kTypeNames = {
    "AGENT", "GENERATION", "TOOL",  "CHAIN", "GENERATION",
    "TOOL",  "GENERATION", "CHAIN", "TOOL",  "GENERATION"};
// Of each observation: the place of its parent; the root has itself.
constexpr std::array<std::size_t, 10> kParents = {0, 0, 0, 0, 3, 3, 3, 0, 7, 7};
constexpr std::size_t kFirstCall = 1;
constexpr std::size_t kLastCall = 9;
constexpr std::array<const char*, 4> kEnvironments = {"production", "staging", "development",
                                                      "evaluation"};
constexpr std::int64_t kTraceTimeMax_ns = 1'500'000'000;

tl_text text_of(std::string_view text) { return {text.data(), text.size()}; }

template <class Entity>
tl_text set(Entity& entity, tl_field field, tl_text text) {
  if (text.data != nullptr) entity.set_mask |= TL_BIT(field);
  return text;
}

template <class Entity>
tl_payload set(Entity& entity, tl_field field, const tl_payload& payload) {
  entity.set_mask |= TL_BIT(field);
  return payload;
}

}  // namespace

ScaleData::ScaleData(const TextPool& texts, std::uint64_t trace_count, std::uint64_t seed)
    : texts_(texts), trace_count_(trace_count), random_(seed) {}

tl_text ScaleData::keep(std::string_view text) {
  auto* const to = static_cast<char*>(memory_.allocate(text.size() + 1, 1));
  std::memcpy(to, text.data(), text.size());
  return {to, text.size()};
}

template <class Item>
Item* ScaleData::keep_all(const Item* items, std::size_t count) {
  auto* const to = static_cast<Item*>(memory_.allocate(count * sizeof(Item), alignof(Item)));
  std::copy(items, items + count, to);
  return to;
}

tl_text ScaleData::hex(std::size_t digits) {
  auto* const to = static_cast<char*>(memory_.allocate(digits, 1));
  for (std::size_t i = 0; i < digits;) {
    std::uint64_t number = random_();
    for (int j = 0; j < 16; ++j, number >>= 4) to[i++] = "0123456789abcdef"[number & 15];
  }
  return {to, digits};
}

tl_payload ScaleData::payload(std::string_view head, std::string_view tail) {
  const std::size_t size_bytes = texts_.size(random_);
  const std::size_t frame_bytes = head.size() + tail.size();
  const std::string_view text =
      texts_.cut(random_, std::max(size_bytes, frame_bytes) - frame_bytes);
  const std::size_t whole_bytes = frame_bytes + text.size();
  auto* const to = static_cast<char*>(memory_.allocate(whole_bytes, 1));
  std::memcpy(to, head.data(), head.size());
  std::memcpy(to + head.size(), text.data(), text.size());
  std::memcpy(to + head.size() + text.size(), tail.data(), tail.size());
  return {TL_FORM_JSON, {to, whole_bytes}};
}

// Each trace has a slot of its own, and begins somewhere in it that leaves time to end in it.
std::int64_t ScaleData::next_start_ns() {
  const std::uint64_t busy_count = trace_count_ * kBusyPercent / 100;
  const std::uint64_t calm_count = trace_count_ - busy_count;
  const std::int64_t busy_ns = kBusyEnd_ns - kBusyBegin_ns;
  const std::int64_t calm_ns = kEnd_ns - kBegin_ns - busy_ns;
  const std::int64_t calm_slot_ns = calm_ns / static_cast<std::int64_t>(calm_count);
  const std::uint64_t before_count =
      static_cast<std::uint64_t>((kBusyBegin_ns - kBegin_ns) / calm_slot_ns);
  std::int64_t slot_ns = calm_slot_ns;
  std::int64_t at_ns = 0;
  const auto made = static_cast<std::int64_t>(made_count_);
  if (made_count_ < before_count) {
    at_ns = kBegin_ns + made * slot_ns;
  } else if (made_count_ < before_count + busy_count) {
    slot_ns = busy_ns / static_cast<std::int64_t>(busy_count);
    at_ns = kBusyBegin_ns + (made - static_cast<std::int64_t>(before_count)) * slot_ns;
  } else {
    at_ns = kBusyEnd_ns + (made - static_cast<std::int64_t>(before_count + busy_count)) * slot_ns;
  }
  const std::int64_t room_ns = std::max<std::int64_t>(slot_ns - kTraceTimeMax_ns, 1);
  return at_ns + static_cast<std::int64_t>(below(random_, static_cast<std::uint64_t>(room_ns)));
}

tl_text ScaleData::session_of() {
  const std::uint64_t draw = below(random_, 1000);
  if (draw < 100) return {};
  if (draw < 250) return keep("session-heavy-" + std::to_string(draw % 10));
  std::uint64_t number = session_count_;
  std::uint64_t& recent = recent_sessions_[below(random_, recent_sessions_.size())];
  if (session_count_ < recent_sessions_.size() || chance(random_, 68)) {
    recent = session_count_++;
  } else {
    number = recent;
  }
  // Scattered, as ids of sessions are.
  return keep("session-" + std::to_string(number * 0x9e3779b97f4a7c15 >> 16));
}

tl_text ScaleData::tags_of(Event& event) {
  std::vector<std::string> tags;
  if (chance(random_, 30)) tags.emplace_back(kTag);
  if (chance(random_, 20)) tags.emplace_back(kOtherTag);
  const std::uint64_t side = below(random_, 10);
  if (side == 0) tags.emplace_back(kLeftTag);
  if (side == 1) tags.emplace_back(kRightTag);
  if (const std::uint64_t rare = below(random_, 100); rare < 36) {
    tags.push_back("topic-" + std::to_string(rare));
  }
  auto& trace = std::get<tl_trace>(event.entity);
  std::vector<tl_text> texts;
  std::string json = "[";
  for (const std::string& tag : tags) {
    texts.push_back(keep(tag));
    json += (json.size() > 1 ? ",\"" : "\"") + tag + "\"";
  }
  if (texts.empty()) return {};
  trace.tags = keep_all(texts.data(), texts.size());
  trace.tag_count = texts.size();
  trace.set_mask |= TL_BIT(TL_FIELD_TAGS);
  return keep(json + "]");
}

void ScaleData::make_model_call(Event& event, tl_observation& call) {
  const std::uint64_t draw = below(random_, 100);
  const std::string model = draw < 40 ? kModel : "model-" + std::to_string(draw % 11);
  call.model = set(call, TL_FIELD_MODEL, keep(model));
  call.model_parameters = set(call, TL_FIELD_MODEL_PARAMETERS, text_of(R"({"temperature":0})"));
  call.input = set(call, TL_FIELD_INPUT, payload(R"([{"role":"user","content":")", R"("}])"));
  call.output = set(call, TL_FIELD_OUTPUT, payload(R"({"role":"assistant","content":")", R"("})"));
  const tl_usage usage[] = {{text_of("input"), call.input.text.size_bytes / 3},
                            {text_of("output"), call.output.text.size_bytes / 3}};
  call.usage_details = keep_all(usage, 2);
  call.usage_count = 2;
  const std::string micros = std::to_string(1'000'000 + usage[0].amount * 2 + usage[1].amount * 8);
  const tl_cost cost = {text_of("total"), keep("0." + micros.substr(1))};
  call.cost_details = keep_all(&cost, 1);
  call.cost_count = 1;
  call.set_mask |= TL_BIT(TL_FIELD_USAGE_DETAILS) | TL_BIT(TL_FIELD_COST_DETAILS);
  const bool in_incident =
      model == kModel && call.start_time_ns >= kBusyBegin_ns && call.start_time_ns < kBusyEnd_ns;
  if (!chance(random_, in_incident ? kIncidentErrorPercent : kErrorPercent)) return;
  call.level = TL_LEVEL_ERROR;
  call.status_message = set(call, TL_FIELD_STATUS_MESSAGE, text_of("429 Too Many Requests"));
  event.level_name = text_of("ERROR");
}

void ScaleData::make_observation(std::size_t at, std::int64_t start_ns, std::int64_t end_ns) {
  Event& event = made_.observations[at];
  event = Event();
  auto& made = event.entity.emplace<tl_observation>();
  made.struct_size = sizeof made;
  made.id = hex(16);
  const auto& trace = std::get<tl_trace>(made_.trace.entity);
  made.trace_id = set(made, TL_FIELD_TRACE_ID, trace.id);
  if (kParents[at] != at) {
    const auto& parent = std::get<tl_observation>(made_.observations[kParents[at]].entity);
    made.parent_observation_id = set(made, TL_FIELD_PARENT_OBSERVATION_ID, parent.id);
  }
  made.type = kTypes[at];
  event.type_name = text_of(kTypeNames[at]);
  made.level = TL_LEVEL_DEFAULT;
  event.level_name = text_of("DEFAULT");
  made.start_time_ns = start_ns;
  made.end_time_ns = end_ns;
  made.environment = set(made, TL_FIELD_ENVIRONMENT, trace.environment);
  made.name = set(made, TL_FIELD_NAME,
                  keep(std::string("step ") + kTypeNames[at] + std::to_string(below(random_, 6))));
  made.set_mask |= TL_BIT(TL_FIELD_TYPE) | TL_BIT(TL_FIELD_LEVEL) | TL_BIT(TL_FIELD_START_TIME) |
                   TL_BIT(TL_FIELD_END_TIME);
  if (made.type == TL_TYPE_GENERATION) make_model_call(event, made);
  if (at == 2 || at == 5) {
    made.output = set(made, TL_FIELD_OUTPUT, payload(R"({"result":")", R"("})"));
  }
  if (made.type != TL_TYPE_GENERATION && chance(random_, 2)) {
    made.level = TL_LEVEL_WARNING;
    event.level_name = text_of("WARNING");
  }
}

void ScaleData::make_trace(std::int64_t start_ns) {
  Event& event = made_.trace;
  event = Event();
  auto& made = event.entity.emplace<tl_trace>();
  made.struct_size = sizeof made;
  made.id = hex(32);
  made.timestamp_ns = start_ns;
  made.set_mask |= TL_BIT(TL_FIELD_TIMESTAMP);
  const std::uint64_t name = below(random_, 100);
  made.name =
      set(made, TL_FIELD_NAME, keep(name < 12 ? kName : "workflow " + std::to_string(name % 49)));
  const std::uint64_t user = below(random_, 100);
  const std::string others =
      std::to_string(below(random_, std::max<std::uint64_t>(trace_count_ / 25, 1)));
  made.user_id =
      set(made, TL_FIELD_USER_ID,
          keep(user < 20 ? "user-heavy-" + std::to_string(user % 10) : "user-" + others));
  made.session_id = set(made, TL_FIELD_SESSION_ID, session_of());
  const std::uint64_t environment = below(random_, 20);
  made.environment = set(made, TL_FIELD_ENVIRONMENT,
                         text_of(kEnvironments[environment < 12   ? 0
                                               : environment < 17 ? 1
                                               : environment < 19 ? 2
                                                                  : 3]));
  event.tags_json = tags_of(event);
  made.metadata = set(
      made, TL_FIELD_METADATA,
      {TL_FORM_JSON, keep(R"({"plan":"pro","turn":)" + std::to_string(below(random_, 9)) + "}")});
}

const ScaleTrace& ScaleData::next() {
  memory_.release();
  const std::int64_t start_ns = next_start_ns();
  ++made_count_;
  make_trace(start_ns);
  // The root lasts as long as the trace; the others follow each other.
  constexpr std::int64_t kStep_ns = kTraceTimeMax_ns / 10;
  for (std::size_t i = 0; i < made_.observations.size(); ++i) {
    const std::int64_t jitter_ns = static_cast<std::int64_t>(below(random_, 40'000'000));
    const std::int64_t from_ns =
        i == 0 ? start_ns : start_ns + static_cast<std::int64_t>(i) * kStep_ns - jitter_ns;
    const std::int64_t to_ns =
        i == 0 ? start_ns + kTraceTimeMax_ns - jitter_ns : from_ns + 20'000'000 + jitter_ns;
    make_observation(i, from_ns, std::min(to_ns, start_ns + kTraceTimeMax_ns));
  }
  auto& trace = std::get<tl_trace>(made_.trace.entity);
  const auto call = [&](std::size_t at) -> const tl_observation& {
    return std::get<tl_observation>(made_.observations[at].entity);
  };
  trace.input = set(trace, TL_FIELD_INPUT, call(kFirstCall).input);
  trace.output = set(trace, TL_FIELD_OUTPUT, call(kLastCall).output);
  for (const Event& event : made_.observations) {
    const auto& observation = std::get<tl_observation>(event.entity);
    made_.trace.end_ns = std::max(made_.trace.end_ns, observation.end_time_ns);
  }
  made_.payload_size_bytes = made_.payload_count = 0;
  const auto count = [&](const tl_payload& payload) {
    if (payload.form == TL_FORM_ABSENT) return;
    ++made_.payload_count;
    made_.payload_size_bytes += payload.text.size_bytes;
  };
  count(trace.input);
  count(trace.output);
  for (const Event& event : made_.observations) {
    count(std::get<tl_observation>(event.entity).input);
    count(std::get<tl_observation>(event.entity).output);
  }
  return made_;
}

}  // namespace bench
