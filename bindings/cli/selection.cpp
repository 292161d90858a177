#include "selection.hpp"

#include "arguments.hpp"
#include "human_text.hpp"
#include "model_text.hpp"
#include "tracelite/tracelite.hpp"

namespace cli {
namespace {

constexpr const char* kGroup = "Selection (all that is given must hold)";

template <class Names, class Number>
void add_choice(CLI::App& command, const std::string& option, const Names& names, Number& number,
                const std::string& description) {
  Words words;
  std::string list;
  for (const auto& [value, text] : names) {
    words.emplace_back(text, value);
    list += (list.empty() ? "" : ", ") + std::string(text);
  }
  command.add_option(option, number, description + ": " + list)
      ->transform(one_of(words))
      ->type_name("WORD")
      ->group(kGroup);
}

// "" where it is a time, else why not, as CLI11 wants it.
std::string refuse_time(const std::string& text) {
  std::int64_t at_ns = 0;
  const TimeText found = parse_time(text, at_ns);
  if (found == TimeText::time) return "";
  return "'" + printable(text) +
         (found == TimeText::out_of_range
              ? "' is out of range; times go from 1677-09-22 to 2262-04-11"
              : "' is no ISO 8601 time; give one such as 2026-11-21, 2026-11-21T14:03 or "
                "2026-11-21T14:03:07.5Z");
}

// 0 would be no bound.
std::int64_t bound(const std::string& time) {
  std::int64_t at_ns = 0;
  parse_time(time, at_ns);
  return at_ns == 0 ? -1 : at_ns;
}

tl_text given(const std::optional<std::string>& text) {
  return text ? tracelite::text(*text) : tl_text{};
}

}  // namespace

void Selection::add_options(CLI::App& command) {
  const auto add = [&](const char* option, std::optional<std::string>& text,
                       const char* description, const char* value = "ID") {
    return command.add_option(option, text, description)->type_name(value)->group(kGroup);
  };
  add("--trace", trace, "of this trace");
  add("--session", session, "of this session");
  add("--user", user, "of this user");
  command.add_option("--tag", tags, "with this tag; may be given several times")
      ->type_name("TAG")
      ->allow_extra_args(false)
      ->group(kGroup);
  add("--environment", environment, "of this environment", "NAME");
  add("--name", name, "with this name", "NAME");
  add("--release", release, "of this release of the application", "NAME");
  add("--version", version, "with this version", "NAME");
  add_choice(command, "--level", kLevels, level, "with this level");
  add_choice(command, "--type", kTypes, type, "of this type");
  add("--model", model, "of this model", "NAME");
  add("--metadata", metadata, "with this key at the top of the metadata, and this value",
      "KEY[=VALUE]");
  add("--from", from, "from this ISO 8601 time on; local time unless it ends in Z or +hh:mm",
      "TIME")
      ->check(refuse_time);
  add("--to,--before", to, "before this time", "TIME")->check(refuse_time);
}

bool Selection::is_empty() const {
  for (const auto* text : {&trace, &session, &user, &environment, &name, &release, &version, &model,
                           &metadata, &from, &to}) {
    if (*text) return false;
  }
  return tags.empty() && level == TL_LEVEL_ANY && type == TL_TYPE_ANY;
}

tl_filter Selection::filter() {
  tl_filter filter = tracelite::filter();
  filter.trace_id = given(trace);
  filter.session_id = given(session);
  filter.user_id = given(user);
  filter.environment = given(environment);
  filter.name = given(name);
  filter.release = given(release);
  filter.version = given(version);
  filter.model = given(model);
  filter.level = level;
  filter.type = type;
  tag_texts_.clear();
  for (const std::string& tag : tags) tag_texts_.push_back(tracelite::text(tag));
  filter.tags = tag_texts_.data();
  filter.tag_count = tag_texts_.size();
  if (metadata) {
    const std::string_view both = *metadata;
    const std::size_t equals = both.find('=');
    filter.metadata_key = tracelite::text(both.substr(0, equals));
    if (equals != std::string_view::npos) {
      filter.metadata_value = tracelite::text(both.substr(equals + 1));
    }
  }
  if (from) filter.from_ns = bound(*from);
  if (to) filter.to_ns = bound(*to);
  return filter;
}

}  // namespace cli
