// Decoding of registers into typed views.
#include "model/view.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include "model/limits.hpp"

namespace tracelite::model {
namespace {

// The registers of an entity by their fields: a view asks for every field there is.
class Fields {
 public:
  explicit Fields(const Entity& entity) {
    for (const Register& reg : entity.registers) all_[static_cast<std::size_t>(reg.field)] = &reg;
  }
  [[nodiscard]] const Register* find(Field field) const {
    return all_[static_cast<std::size_t>(field)];
  }

 private:
  std::array<const Register*, kFieldCount> all_{};
};

const Register* written(const Fields& fields, Field field) {
  const Register* reg = fields.find(field);
  return reg == nullptr || reg->cleared() ? nullptr : reg;
}

OptionalText text(const Fields& fields, Field field) {
  const Register* reg = written(fields, field);
  if (reg == nullptr) return std::nullopt;
  return Bytes(reg->value);
}

OptionalTime time(const Fields& fields, Field field) {
  const Register* reg = written(fields, field);
  if (reg == nullptr) return std::nullopt;
  return ByteReader(reg->value).signed_varint();
}

template <class Enum>
Enum choice(const Fields& fields, Field field, Enum otherwise) {
  const Register* reg = written(fields, field);
  return reg == nullptr || reg->value.empty() ? otherwise : static_cast<Enum>(reg->value.front());
}

std::optional<bool> flag(const Fields& fields, Field field) {
  const Register* reg = written(fields, field);
  if (reg == nullptr || reg->value.empty()) return std::nullopt;
  return reg->value.front() != '\0';
}

std::vector<Bytes> tags(const Fields& fields) {
  std::vector<Bytes> all;
  if (const Register* reg = written(fields, Field::tags); reg != nullptr) {
    all.reserve(8);
    for (ByteReader reader(reg->value); !reader.at_end();) all.push_back(reader.text());
  }
  return all;
}

PayloadView payload(const Fields& fields, Field field) {
  PayloadView view;
  if (const Register* reg = written(fields, field); reg != nullptr) {
    view.value = PayloadValue::decode(reg->value);
    view.is_tree = reg->tree();
  }
  return view;
}

Bytes environment(const Fields& fields) {
  return text(fields, Field::environment).value_or(Bytes("default"));
}

std::uint64_t add_saturated(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t sum = a + b;
  return sum < a ? UINT64_MAX : sum;
}

std::uint64_t sum_named(const ObservationView& view, Bytes part) {
  std::uint64_t sum = 0;
  for (const auto& [name, amount] : view.usage) {
    if (name.find(part) != Bytes::npos) sum = add_saturated(sum, amount);
  }
  return sum;
}

// Whether a score of this type can have this value: its type and value may come from two events.
bool fits(DataType type, const ScoreView& score) {
  switch (type) {
    case DataType::numeric:
      return score.value.has_value();
    case DataType::boolean:
      return score.value == 0.0 || score.value == 1.0;
    case DataType::categorical:
    case DataType::correction:
      return score.string_value.has_value();
    case DataType::text:
      return score.string_value && !score.string_value->empty() &&
             count_characters(*score.string_value) <= kScoreTextCharactersMax;
    default:
      return false;
  }
}

// A score's number and text are one value: where one was written after the other, that one counts.
void view_value(const Fields& fields, ScoreView& view) {
  const Register* number = fields.find(Field::value);
  const Register* text = fields.find(Field::string_value);
  if (number != nullptr && text != nullptr && number->order != text->order) {
    (number->order < text->order ? number : text) = nullptr;
  }
  if (number != nullptr && !number->cleared()) {
    view.value = std::bit_cast<double>(read_big_endian(number->value));
  }
  if (text != nullptr && !text->cleared()) view.string_value = text->value;
  const DataType inferred = view.value ? DataType::numeric : DataType::categorical;
  view.data_type = choice(fields, Field::data_type, inferred);
  if (!fits(view.data_type, view)) view.data_type = inferred;
}

}  // namespace

std::uint64_t ObservationView::input_tokens() const { return sum_named(*this, "input"); }
std::uint64_t ObservationView::output_tokens() const { return sum_named(*this, "output"); }

std::uint64_t ObservationView::total_tokens() const {
  std::uint64_t sum = 0;
  for (const auto& [unit, amount] : usage) {
    if (unit == "total") return amount;
    sum = add_saturated(sum, amount);
  }
  return sum;
}

Int128 ObservationView::total_cost() const {
  Int128 sum = 0;
  for (const auto& [part, units] : cost) {
    if (part == "total") return units;
    sum = add_saturated(sum, units);
  }
  return sum;
}

TraceView view_trace(const Entity& entity) {
  const Fields fields(entity);
  TraceView view;
  view.id = entity.id;
  view.has_record =
      std::any_of(entity.registers.begin(), entity.registers.end(), [](const Register& reg) {
        return reg.field != Field::is_public && reg.field != Field::is_bookmarked;
      });
  view.timestamp_ns = time(fields, Field::timestamp);
  view.first_event_ns = entity.orders.empty() ? 0 : entity.first_order().event_time_ns;
  view.name = text(fields, Field::name);
  view.user_id = text(fields, Field::user_id);
  view.session_id = text(fields, Field::session_id);
  view.release = text(fields, Field::release);
  view.version = text(fields, Field::version);
  view.environment = environment(fields);
  view.tags = tags(fields);
  view.metadata = payload(fields, Field::metadata);
  view.input = payload(fields, Field::input);
  view.output = payload(fields, Field::output);
  view.is_public = flag(fields, Field::is_public);
  view.is_bookmarked = flag(fields, Field::is_bookmarked);
  return view;
}

ObservationView view_observation(const Entity& entity) {
  const Fields fields(entity);
  ObservationView view;
  view.id = entity.id;
  view.parent_id = text(fields, Field::parent_observation_id);
  view.type = choice(fields, Field::type, ObservationType::span);
  view.name = text(fields, Field::name);
  view.start_ns = time(fields, Field::start_time).value_or(entity.first_order().event_time_ns);
  view.end_ns = time(fields, Field::end_time);
  if (view.end_ns) view.end_ns = std::max(*view.end_ns, view.start_ns);
  view.completion_start_ns = time(fields, Field::completion_start_time);
  view.level = choice(fields, Field::level, Level::normal);
  view.status_message = text(fields, Field::status_message);
  view.version = text(fields, Field::version);
  view.user_id = text(fields, Field::user_id);
  view.session_id = text(fields, Field::session_id);
  view.model = text(fields, Field::model);
  view.model_parameters = text(fields, Field::model_parameters);
  view.prompt_name = text(fields, Field::prompt_name);
  view.prompt_version = time(fields, Field::prompt_version);
  view.environment = environment(fields);
  view.tags = tags(fields);
  view.metadata = payload(fields, Field::metadata);
  view.input = payload(fields, Field::input);
  view.output = payload(fields, Field::output);
  if (const Register* reg = written(fields, Field::usage_details); reg != nullptr) {
    for (ByteReader reader(reg->value); !reader.at_end();) {
      const Bytes name = reader.text();
      view.usage.emplace_back(name, reader.varint());
    }
  }
  if (const Register* reg = written(fields, Field::cost_details); reg != nullptr) {
    for (ByteReader reader(reg->value); !reader.at_end();) {
      const Bytes name = reader.text();
      view.cost.emplace_back(name, read_int128(reader));
    }
  }
  return view;
}

ScoreView view_score(const Entity& entity) {
  const Fields fields(entity);
  ScoreView view;
  view.id = entity.id;
  if (const Register* reg = written(fields, Field::subject); reg != nullptr) {
    ByteReader reader(reg->value);
    view.subject_kind = static_cast<SubjectKind>(reader.byte());
    if (view.subject_kind == SubjectKind::session) {
      view.session_id = reader.text();
    } else {
      view.trace_id = read_id(reader);
      if (view.subject_kind == SubjectKind::observation) view.observation_id = read_id(reader);
    }
  }
  view.name = text(fields, Field::name).value_or(Bytes());
  view_value(fields, view);
  view.source = choice(fields, Field::source, Source::api);
  view.comment = text(fields, Field::comment);
  view.config_id = text(fields, Field::config_id);
  view.author_user_id = text(fields, Field::author_user_id);
  view.metadata = payload(fields, Field::metadata);
  view.environment = environment(fields);
  view.timestamp_ns = time(fields, Field::timestamp).value_or(entity.first_order().event_time_ns);
  return view;
}

SessionView view_session(const Entity& entity) {
  const Fields fields(entity);
  SessionView view;
  view.id = entity.id;
  view.is_public = flag(fields, Field::is_public);
  view.is_bookmarked = flag(fields, Field::is_bookmarked);
  return view;
}

bool has_ended(const Entity& entity) {
  const Register* end = entity.find(Field::end_time);
  return end != nullptr && !end->cleared();
}

std::uint64_t payload_size_bytes(const Entity& entity) {
  std::uint64_t sum = 0;
  for (const Register& reg : entity.registers) {
    if (is_payload(reg.field) && !reg.cleared()) {
      sum += PayloadValue::decode(reg.value).size_bytes;
    }
  }
  return sum;
}

}  // namespace tracelite::model
