// Usage and cost: a flat map of names, or one of the shapes that OpenAI's clients produce, which
// are renamed to the flat map as Langfuse's server does it: the details are taken out of input and
// output, so that the sum over all names stays the total.
#include <charconv>
#include <map>
#include <utility>

#include "exchange/langfuse_event.hpp"
#include "model/decimal.hpp"

namespace tracelite::exchange {
namespace {

using model::EventBuilder;
using model::Field;
using model::Int128;
using model::Reason;

// The names of an OpenAI usage object.
struct Shape {
  Bytes input, output, total, input_details, output_details;
};
constexpr Shape kCompletions = {"prompt_tokens", "completion_tokens", "total_tokens",
                                "prompt_tokens_details", "completion_tokens_details"};
constexpr Shape kResponses = {"input_tokens", "output_tokens", "total_tokens",
                              "input_tokens_details", "output_tokens_details"};
// Of the older `usage`.
constexpr Shape kCamelCase = {"promptTokens", "completionTokens", "totalTokens",
                              "promptTokensDetails", "completionTokensDetails"};

bool holds(const std::vector<Bytes>& names, Bytes name) {
  for (const Bytes one : names) {
    if (one == name) return true;
  }
  return false;
}

bool is_of(const Shape& shape, Bytes name) {
  return name == shape.input || name == shape.output || name == shape.total ||
         name == shape.input_details || name == shape.output_details;
}

bool only_names_of(const std::vector<Bytes>& names, const Shape& shape) {
  for (const Bytes name : names) {
    if (!is_of(shape, name)) return false;
  }
  return true;
}

// Names beyond the shape mean somebody else's object, as Langfuse has it. Anthropic's pair of
// input_tokens and output_tokens stays as it is.
const Shape* find_shape(const std::vector<Bytes>& names) {
  if (holds(names, kCompletions.input) || holds(names, kCompletions.output)) {
    return only_names_of(names, kCompletions) ? &kCompletions : nullptr;
  }
  const bool more = holds(names, kResponses.total) || holds(names, kResponses.input_details) ||
                    holds(names, kResponses.output_details);
  if (more && (holds(names, kResponses.input) || holds(names, kResponses.output))) {
    return only_names_of(names, kResponses) ? &kResponses : nullptr;
  }
  return nullptr;
}

struct Member {
  std::string name;
  Bytes value;
};

// In the order given; of a name given twice, the last value.
std::vector<Member> members_of(Bytes object) {
  std::vector<Member> members;
  std::map<std::string, std::size_t, std::less<>> places;
  for (payload::JsonWalker walker(object); walker.next();) {
    std::string name = payload::unescape_json(walker.key());
    const auto [place, is_new] = places.try_emplace(name, members.size());
    if (is_new) {
      members.push_back({std::move(name), walker.value()});
    } else {
      members[place->second].value = walker.value();
    }
  }
  return members;
}

std::vector<Bytes> names_of(const std::vector<Member>& members) {
  std::vector<Bytes> names;
  names.reserve(members.size());
  for (const Member& member : members) names.emplace_back(member.name);
  return names;
}

// The decimal in a JSON number, or in a text that holds one.
std::optional<Int128> decimal(Bytes value) {
  const auto type = payload::json_type(value);
  if (type == JsonType::number) return model::parse_decimal(value);
  if (type == JsonType::string) return model::parse_decimal(JsonText(value).view());
  return std::nullopt;
}

constexpr Int128 kOne = 1'000'000'000'000;  // units of 10^-12

// A whole number of 0 or more.
std::optional<std::uint64_t> amount(Bytes value) {
  std::uint64_t number = 0;
  const char* const end = value.data() + value.size();
  const auto [stop, error] = std::from_chars(value.data(), end, number);
  if (error == std::errc() && stop == end) return number;
  const auto units = decimal(value);  // 12.0, "12", 1e3
  if (!units || *units < 0 || *units % kOne != 0) return std::nullopt;
  if (*units / kOne > Int128{UINT64_MAX}) return std::nullopt;
  return static_cast<std::uint64_t>(*units / kOne);
}

class UsageReader {
 public:
  UsageReader(Bytes path, EventBuilder& builder) : path_(path), builder_(builder) {}

  // Both return whether anything was written.
  bool flat(const std::vector<Member>& members);
  bool shaped(const Shape& shape, const std::vector<Member>& members);

 private:
  std::optional<std::uint64_t> read(const std::string& name, Bytes value);
  // Adds the details under new names, and returns what is left of `whole`.
  std::uint64_t details(Bytes prefix, const Member& member, std::uint64_t whole);

  std::string path_;
  EventBuilder& builder_;
};

std::optional<std::uint64_t> UsageReader::read(const std::string& name, Bytes value) {
  if (is_null(value)) return std::nullopt;
  const auto number = amount(value);
  if (!number) {
    const std::string field = path_ + "." + name;
    builder_.warn(Reason::usage, field,
                  field + " was dropped: " + std::string(value.substr(0, 40)) +
                      " is not a whole number of 0 or more");
  }
  return number;
}

bool UsageReader::flat(const std::vector<Member>& members) {
  bool any = false;
  for (const Member& member : members) {
    const auto number = read(member.name, member.value);
    if (!number) continue;
    builder_.usage(member.name, *number);
    any = true;
  }
  return any;
}

std::uint64_t UsageReader::details(Bytes prefix, const Member& member, std::uint64_t whole) {
  if (payload::json_type(member.value) != JsonType::object) {
    if (!is_null(member.value)) {
      const std::string field = path_ + "." + member.name;
      builder_.warn(Reason::usage, field,
                    field + " was dropped: it must be an object, not " +
                        std::string(type_name(member.value)));
    }
    return whole;
  }
  for (const Member& detail : members_of(member.value)) {
    const auto number = read(member.name + "." + detail.name, detail.value);
    if (!number) continue;
    builder_.usage(std::string(prefix) + detail.name, *number);
    whole -= std::min(whole, *number);
  }
  return whole;
}

bool UsageReader::shaped(const Shape& shape, const std::vector<Member>& members) {
  std::optional<std::uint64_t> input;
  std::optional<std::uint64_t> output;
  std::optional<std::uint64_t> total;
  for (const Member& member : members) {
    if (member.name == shape.input) input = read(member.name, member.value);
    if (member.name == shape.output) output = read(member.name, member.value);
    if (member.name == shape.total) total = read(member.name, member.value);
    if (is_of(shape, member.name)) continue;
    if (const auto other = read(member.name, member.value)) builder_.usage(member.name, *other);
  }
  for (const Member& member : members) {
    if (member.name == shape.input_details) {
      const std::uint64_t rest = details("input_", member, input.value_or(0));
      if (input) input = rest;
    }
    if (member.name == shape.output_details) {
      const std::uint64_t rest = details("output_", member, output.value_or(0));
      if (output) output = rest;
    }
  }
  if (input) builder_.usage("input", *input);
  if (output) builder_.usage("output", *output);
  if (total) builder_.usage("total", *total);
  return input || output || total;
}

void read_cost(const std::string& path, Bytes name, Bytes value, EventBuilder& builder) {
  if (is_null(value)) return;
  if (const auto units = decimal(value)) return builder.cost(name, *units);
  builder.warn(Reason::cost, path,
               path + " was dropped: " + std::string(value.substr(0, 40)) +
                   " is not a decimal number up to 10^20");
}

bool is_object(Bytes value) {
  return is_given(value) && payload::json_type(value) == JsonType::object;
}

void warn_no_object(Reason reason, const char* name, Bytes value, EventBuilder& builder) {
  if (!is_given(value) || is_object(value)) return;
  builder.warn(reason, name,
               std::string(name) + " was dropped: it must be an object, not " +
                   std::string(type_name(value)));
}

bool read_usage_details(Bytes value, EventBuilder& builder) {
  warn_no_object(Reason::usage, "usageDetails", value, builder);
  if (!is_object(value)) return false;
  const std::vector<Member> members = members_of(value);
  UsageReader reader("usageDetails", builder);
  if (const Shape* shape = find_shape(names_of(members))) return reader.shaped(*shape, members);
  return reader.flat(members);
}

bool read_cost_details(Bytes value, EventBuilder& builder) {
  warn_no_object(Reason::cost, "costDetails", value, builder);
  if (!is_object(value)) return false;
  const std::vector<Member> members = members_of(value);
  for (const Member& member : members) {
    read_cost("costDetails." + member.name, member.name, member.value, builder);
  }
  return !members.empty();
}

// {input, output, total, unit, inputCost, outputCost, totalCost}, or with OpenAI's names.
void read_older_usage(Bytes value, bool want_usage, bool want_cost, EventBuilder& builder) {
  warn_no_object(Reason::usage, "usage", value, builder);
  if (!is_object(value)) return;
  std::vector<Member> amounts;
  for (Member& member : members_of(value)) {
    if (member.name == "unit") continue;
    const bool is_cost =
        member.name == "inputCost" || member.name == "outputCost" || member.name == "totalCost";
    if (!is_cost) {
      amounts.push_back(std::move(member));
    } else if (want_cost) {
      const Bytes name = Bytes(member.name).substr(0, member.name.size() - 4);
      read_cost("usage." + member.name, name, member.value, builder);
    }
  }
  if (!want_usage) return;
  const std::vector<Bytes> names = names_of(amounts);
  const bool camel_case = holds(names, kCamelCase.input) || holds(names, kCamelCase.output) ||
                          holds(names, kCamelCase.total);
  const Shape* shape = camel_case ? &kCamelCase : find_shape(names);
  UsageReader reader("usage", builder);
  if (shape != nullptr) {
    reader.shaped(*shape, amounts);
  } else {
    reader.flat(amounts);
  }
}

}  // namespace

void read_usage(BodyMembers& members, EventBuilder& builder) {
  const Bytes usage_details = members.take(Field::usage_details);
  const Bytes cost_details = members.take(Field::cost_details);
  const Bytes usage = members.take_usage();
  // What is written below replaces the clearing again.
  if (is_null(usage_details) || is_null(usage)) builder.clear(Field::usage_details);
  if (is_null(cost_details)) builder.clear(Field::cost_details);
  const bool has_usage = read_usage_details(usage_details, builder);
  const bool has_cost = read_cost_details(cost_details, builder);
  read_older_usage(usage, !has_usage, !has_cost, builder);
}

bool reads_as_openai_usage(const std::vector<Bytes>& names) { return find_shape(names) != nullptr; }

}  // namespace tracelite::exchange
