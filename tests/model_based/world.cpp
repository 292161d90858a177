#include "model_based/world.hpp"

#include <algorithm>

namespace tracelite::model_based {
namespace {

constexpr std::int64_t kBegin_ns = 1'790'000'000'000'000'000;
constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr const char* kEarlyEnd = "1790001500000000000";
constexpr const char* kEnd = "1790002000000000000";
constexpr std::int64_t kBeside_ns = kBegin_ns + 3'000 * kSecondNs;

// Ids of one process are not written by the other, so that the order of events is known.
std::string name_of_process(std::uint32_t process) { return process == 0 ? "A" : "B"; }
std::string trace_of(std::uint32_t process, std::uint32_t number) {
  return name_of_process(process) + "-trace-" + std::to_string(number % 6);
}
std::string time_of(std::uint32_t number) {
  return std::to_string(kBegin_ns + std::int64_t{number % 1000} * kSecondNs);
}
std::string secret_trace_of(std::uint32_t process, std::uint32_t number) {
  return name_of_process(process) + "-secret-" + std::to_string(number % 2);
}
std::string letters(std::uint64_t seed, std::size_t size_bytes) {
  std::mt19937_64 random(seed);
  std::string text(size_bytes, ' ');
  for (char& letter : text) letter = static_cast<char>('a' + random() % 26);
  return text;
}

// Of each shape that is stored in another way.
std::string payload(std::uint32_t number) {
  const std::string rest = std::to_string(number % 17);
  switch (number % 8) {
    case 0:
      return "J{\"question\": " + rest + "}";
    case 1:
      return "J[1, 2, \"" + std::string(400, 'x') + rest + "\"]";
    case 2:
    case 3: {
      std::mt19937_64 words(number % 3);
      std::string text = "T";
      while (text.size() < 6000) text += std::to_string(words()) + ' ';
      return text + rest;
    }
    case 4:
      return "Tdata:image/png;base64," + std::string(400, 'A' + static_cast<char>(number % 5)) +
             " and " + rest;
    case 5:
      return number % 5 == 0 ? "T" + std::string(200'000, 'l') + rest : "T" + rest;
    default:
      return "Tplain " + rest;
  }
}

void maybe(Fields& fields, std::uint32_t bits, int bit, const std::string& name,
           const std::string& value) {
  if ((bits >> bit & 1) != 0) fields[name] = value;
}

Change trace_change(const std::string& id, std::uint32_t bits, std::uint32_t number) {
  Change change{{TL_KIND_TRACE, "", id}, {}, {}};
  change.fields["time"] = time_of(static_cast<std::uint32_t>(std::hash<std::string>{}(id)));
  maybe(change.fields, bits, 0, "name", "name " + std::to_string(number % 3));
  maybe(change.fields, bits, 1, "user", "user " + std::to_string(number / 3 % 3));
  maybe(change.fields, bits, 2, "session", "session " + std::to_string(number / 9 % 3));
  maybe(change.fields, bits, 3, "tag:" + std::to_string(number / 27 % 3), "");
  maybe(change.fields, bits, 4, "input", payload(number / 81));
  maybe(change.fields, bits, 5, "output", payload(number / 81 + 1));
  return change;
}

Change observation_change(const Key& key, std::uint32_t bits, std::uint32_t number) {
  Change change{key, {}, {}};
  change.fields["type"] = number % 2 == 0 ? "SPAN" : "GENERATION";
  change.fields["start"] = time_of(static_cast<std::uint32_t>(std::hash<std::string>{}(key.id)));
  maybe(change.fields, bits, 0, "name", "name " + std::to_string(number / 2 % 3));
  maybe(change.fields, bits, 1, "level", number / 6 % 2 == 0 ? "ERROR" : "DEBUG");
  maybe(change.fields, bits, 2, "model", "model " + std::to_string(number / 12 % 3));
  maybe(change.fields, bits, 3, "input", payload(number / 36));
  maybe(change.fields, bits, 4, "output", payload(number / 36 + 1));
  maybe(change.fields, bits, 5, "status", "status " + std::to_string(number / 36 % 5));
  // Of a lower number, so that there are no cycles.
  const std::size_t dash = key.id.rfind('-');
  const auto own = static_cast<std::uint32_t>(std::stoul(key.id.substr(dash + 1)));
  if (own > 0) {
    maybe(change.fields, bits, 6, "parent",
          key.id.substr(0, dash + 1) + std::to_string(number / 180 % own));
  }
  return change;
}

std::vector<Change> changes_by_threads(const Step& step) {
  std::vector<Change> changes;
  for (std::uint32_t thread = 0; thread < 3; ++thread) {
    const std::string trace = name_of_process(step.process) + "-thread-" + std::to_string(thread);
    for (std::uint32_t i = 0; i < 6; ++i) {
      const Key key{TL_KIND_OBSERVATION, trace, "worked-" + std::to_string(i)};
      changes.push_back(observation_change(key, step.numbers[0] >> thread, step.numbers[1] + i));
    }
  }
  return changes;
}

std::vector<Change> secret_changes(const Step& step) {
  const auto& [a, b, c, d] = step.numbers;
  const std::string id = secret_trace_of(step.process, a);
  const std::string secret = letters(std::uint64_t{b} << 32 | c, 24);
  Change trace{{TL_KIND_TRACE, "", id}, {{"time", time_of(a)}, {"name", secret}}, {}};
  trace.fields["tag:" + std::to_string(d % 3)] = "";
  Change observation = observation_change(
      {TL_KIND_OBSERVATION, id, name_of_process(step.process) + "-told-0"}, 0, d);
  observation.fields["name"] = secret;
  observation.fields["input"] = "T" + secret + " " + std::to_string(d);
  return {trace, observation};
}

std::vector<Change> changes_beside(const Step& step) {
  const auto& [a, b, c, d] = step.numbers;
  std::vector<Change> changes;
  for (std::uint32_t i = 0; i < 6; ++i) {
    const Key key{TL_KIND_OBSERVATION, trace_of(c >> i & 1, d >> 2 * i),
                  name_of_process(step.process) + "-beside-" + std::to_string(i)};
    changes.push_back(
        {key,
         {{"type", "SPAN"}, {"start", std::to_string(kBeside_ns)}, {"input", payload(d / 7 + i)}},
         {}});
  }
  return changes;
}

// Noise, so that it is as large in the file.
std::vector<Change> filling_changes(const Step& step) {
  constexpr std::size_t kSizeBytes = 110'000;
  std::vector<Change> changes;
  for (std::uint32_t i = 0; i < 16; ++i) {
    const std::string id = name_of_process(step.process) + "-filler-" + std::to_string(i);
    std::string noise = letters(step.numbers[3] + i, kSizeBytes);
    std::mt19937_64 random(step.numbers[2] + i);
    for (char& letter : noise) letter = static_cast<char>(letter - (random() % 2) * 32);
    const auto time = static_cast<std::uint32_t>(std::hash<std::string>{}(id));
    changes.push_back(
        {{TL_KIND_TRACE, "", id}, {{"time", time_of(time)}, {"input", "T" + noise}}, {}});
  }
  return changes;
}

std::vector<Change> changes_by_import(const Step& step) {
  const std::string id =
      name_of_process(step.process) + "-imported-" + std::to_string(step.numbers[0] % 3);
  // An import knows no plain text, and times to the millisecond.
  Change trace{
      {TL_KIND_TRACE, "", id}, {{"name", "imported"}, {"time", time_of(step.numbers[0] % 3)}}, {}};
  maybe(trace.fields, step.numbers[1], 0, "user", "user " + std::to_string(step.numbers[2] % 3));
  std::vector<Change> changes = {trace};
  for (std::uint32_t i = 0; i <= step.numbers[1] / 2 % 4; ++i) {
    changes.push_back({{TL_KIND_OBSERVATION, id, "imported-" + std::to_string(i)},
                       {{"type", "SPAN"},
                        {"start", time_of(i)},
                        {"input", "J{\"i\": " + std::to_string(step.numbers[3] % 9) + "}"}},
                       {}});
  }
  return changes;
}

// An application may name an end before it is over, and go on appending.
void maybe_end(Fields& fields, std::uint32_t number) {
  if (number % 4 == 0) fields["end"] = kEarlyEnd;
}

std::vector<Change> live_changes(const Step& step, LiveSpans& live) {
  Key& place = live[step.numbers[0] % live.size()];
  if (step.verb == Verb::begin) {
    if (!place.id.empty()) return {};
    place = {TL_KIND_OBSERVATION, trace_of(step.numbers[1] % 2, step.numbers[1] / 2),
             name_of_process(step.process) + "-live-" + std::to_string(step.numbers[2])};
    Change begun = observation_change(place, step.numbers[3] & 0b11'1111, step.numbers[3]);
    maybe_end(begun.fields, step.numbers[1] / 12);
    return {begun};
  }
  if (place.id.empty()) return {};
  Change change{place, {}, {}};
  if (step.verb == Verb::append) {
    change.appended = "piece " + std::to_string(step.numbers[1] % 100) + ' ' +
                      std::string(step.numbers[2] % 5 == 0 ? step.numbers[2] % 100'000 : 3, 'p');
    return {change};
  }
  maybe(change.fields, step.numbers[1], 0, "status", "now " + std::to_string(step.numbers[2] % 5));
  maybe(change.fields, step.numbers[1], 1, "input", payload(step.numbers[2]));
  if (step.numbers[1] % 5 == 0) change.fields["output"] = payload(step.numbers[3]);
  maybe_end(change.fields, step.numbers[1] / 5);
  if (step.verb == Verb::end) {
    change.fields["end"] = kEnd;
    place = {};
  }
  return {change};
}

}  // namespace

std::vector<Change> changes_of(const Step& step, LiveSpans& live) {
  const auto& [a, b, c, d] = step.numbers;
  switch (step.verb) {
    case Verb::put_trace:
      return {trace_change(trace_of(step.process, a), b, c)};
    case Verb::put_observation: {
      const std::string id =
          name_of_process(step.process) + "-observation-" + std::to_string(b % 7);
      return {observation_change({TL_KIND_OBSERVATION, trace_of(a % 2, a / 2), id}, c, d)};
    }
    case Verb::put_score: {
      const std::string id = name_of_process(step.process) + "-score-" + std::to_string(b % 4);
      // Its trace is the first that it was given, so it is always the same here.
      return {{{TL_KIND_SCORE, trace_of(b % 2, b % 4), id},
               {{"name", "quality"}, {"value", std::to_string(c % 10)}},
               {}}};
    }
    case Verb::put_session:
      // Each process has its own, which traces of both may name.
      return {{{TL_KIND_SESSION, "", "session " + std::to_string(step.process)},
               {{"bookmarked", "1"}},
               {}}};
    case Verb::put_bare_session:
      return {{{TL_KIND_SESSION, "", "session " + std::to_string(step.process)}, {}, {}}};
    case Verb::put_secret:
      return secret_changes(step);
    case Verb::put_beside:
      return changes_beside(step);
    case Verb::fill:
      return filling_changes(step);
    case Verb::import:
      return changes_by_import(step);
    case Verb::record_by_threads:
      return changes_by_threads(step);
    case Verb::end_all: {
      std::vector<Change> changes;
      for (Key& place : live) {
        if (!place.id.empty()) changes.push_back({place, {{"end", kEnd}}, {}});
        place = {};
      }
      return changes;
    }
    case Verb::begin:
    case Verb::update:
    case Verb::append:
    case Verb::end:
      return live_changes(step, live);
    default:
      return {};
  }
}

void apply_change(World& world, const Change& change) {
  Fields& fields = world[change.key];
  if (change.key.kind == TL_KIND_SESSION) fields.emplace("bookmarked", "0");
  const auto keep_first = [&](const char* name) {
    const auto found = fields.find(name);
    return found == fields.end() ? std::string() : found->second;
  };
  for (const auto& [name, value] : change.fields) {
    // The first counts.
    if ((name == "time" || name == "start") && !keep_first(name.c_str()).empty()) continue;
    fields[name] = value;
    if (name == "output") fields.erase("~streaming");
  }
  if (change.appended.empty()) return;
  if (fields.emplace("~streaming", "").second) fields["output"] = "T";
  fields["output"] += change.appended;
}

std::int64_t last_activity_ns(const World& world, const std::string& trace_id) {
  std::int64_t last_ns = INT64_MIN;
  for (const auto& [key, fields] : world) {
    const bool is_trace = key.kind == TL_KIND_TRACE && key.id == trace_id;
    if (!is_trace && (key.kind != TL_KIND_OBSERVATION || key.trace_id != trace_id)) continue;
    for (const char* name : {"time", "start", "end"}) {
      const auto found = fields.find(name);
      if (found != fields.end())
        last_ns = std::max<std::int64_t>(last_ns, std::stoll(found->second));
    }
  }
  return last_ns;
}

bool is_bookmarked(const World& world, const std::string& trace_id) {
  const auto trace = world.find({TL_KIND_TRACE, "", trace_id});
  if (trace == world.end()) return false;
  const auto named = trace->second.find("session");
  if (named == trace->second.end()) return false;
  const auto session = world.find({TL_KIND_SESSION, "", named->second});
  return session != world.end() && session->second.at("bookmarked") == "1";
}

std::set<std::string> old_traces(const World& world, std::int64_t before_ns,
                                 bool keeps_bookmarked) {
  std::set<std::string> old;
  for (const auto& [key, fields] : visible(world)) {
    if (key.kind != TL_KIND_TRACE || last_activity_ns(world, key.id) >= before_ns) continue;
    if (!keeps_bookmarked || !is_bookmarked(world, key.id)) old.insert(key.id);
  }
  return old;
}

// Between two of the times that things have.
std::int64_t cutoff_ns(const Step& step) {
  return kBegin_ns + std::int64_t{step.numbers[0] % 2'500} * kSecondNs + kSecondNs / 2;
}
bool keeps_bookmarked(const Step& step) { return step.numbers[1] % 2 != 0; }

std::string secret_of(const Change& change) {
  const bool is_secret =
      change.key.kind == TL_KIND_TRACE && change.key.id.find("-secret-") != std::string::npos;
  return is_secret ? change.fields.at("name") : std::string();
}

Selection selection_of(const Step& step) {
  const auto& [a, b, c, d] = step.numbers;
  if (step.verb == Verb::erase_securely && b % 4 != 0)
    return {secret_trace_of(c % 2, a), {}, {}, {}};
  switch (a % 4) {
    case 0:
      return {trace_of(b % 2, c), {}, {}, {}};
    case 1:
      return {{}, "session " + std::to_string(b % 3), {}, {}};
    case 2:
      return {{}, {}, "user " + std::to_string(b % 3), {}};
    default:
      return {{}, {}, {}, std::to_string(b % 3)};
  }
}

std::set<std::string> selected_traces(const World& world, const Selection& selection) {
  std::set<std::string> ids;
  for (const auto& [key, shown] : visible(world)) {
    if (key.kind != TL_KIND_TRACE) continue;
    const auto& fields = shown;  // not every compiler's lambda takes a name of a structured binding
    const auto is = [&](const std::string& name, const std::string& wanted) {
      const auto found = fields.find(name);
      return !wanted.empty() && found != fields.end() && found->second == wanted;
    };
    if (key.id == selection.trace_id || is("session", selection.session_id) ||
        is("user", selection.user_id) ||
        (!selection.tag.empty() && fields.contains("tag:" + selection.tag))) {
      ids.insert(key.id);
    }
  }
  return ids;
}

void erase_trace(World& world, const std::string& trace_id) {
  std::string session_id;
  if (const auto trace = world.find({TL_KIND_TRACE, "", trace_id}); trace != world.end()) {
    if (const auto found = trace->second.find("session"); found != trace->second.end()) {
      session_id = found->second;
    }
  }
  std::erase_if(world, [&](const auto& one) {
    return one.first.trace_id == trace_id ||
           (one.first.kind == TL_KIND_TRACE && one.first.id == trace_id);
  });
  // With the last trace of a session that goes, too.
  if (!session_id.empty() && selected_traces(world, {{}, session_id, {}, {}}).empty()) {
    world.erase({TL_KIND_SESSION, "", session_id});
  }
}

void erase(World& world, const Selection& selection) {
  for (const std::string& id : selected_traces(world, selection)) erase_trace(world, id);
  if (!selection.trace_id.empty()) erase_trace(world, selection.trace_id);
  if (!selection.session_id.empty()) world.erase({TL_KIND_SESSION, "", selection.session_id});
}

World visible(const World& world) {
  World seen;
  for (const auto& [key, fields] : world) {
    Fields& shown = seen[key];
    for (const auto& [name, value] : fields) {
      if (name.front() != '~') shown[name] = value;
    }
    if (key.kind == TL_KIND_OBSERVATION) {
      seen.try_emplace({TL_KIND_TRACE, "", key.trace_id}, Fields{{"derived", ""}});
    }
    if (key.kind == TL_KIND_TRACE) {
      shown.erase("derived");
      if (const auto named = fields.find("session"); named != fields.end()) {
        seen.try_emplace({TL_KIND_SESSION, "", named->second}, Fields{{"bookmarked", "0"}});
      }
    }
    if (key.kind == TL_KIND_SESSION) shown = fields;
  }
  return seen;
}

std::string text_of(const Key& key) {
  const char* const kind = key.kind == TL_KIND_TRACE         ? "trace "
                           : key.kind == TL_KIND_OBSERVATION ? "observation "
                           : key.kind == TL_KIND_SCORE       ? "score "
                                                             : "session ";
  return kind + (key.trace_id.empty() ? "" : key.trace_id + "/") + key.id;
}

std::string difference(const World& wanted, const World& got) {
  for (const auto& [key, fields] : wanted) {
    const auto found = got.find(key);
    if (found == got.end()) return text_of(key) + " is missing";
    for (const auto& [name, value] : fields) {
      const auto field = found->second.find(name);
      if (field == found->second.end()) return name + " of " + text_of(key) + " is missing";
      if (field->second != value) {
        return name + " of " + text_of(key) + " is " + field->second.substr(0, 60) +
               " instead of " + value.substr(0, 60);
      }
    }
    for (const auto& [name, value] : found->second) {
      if (!fields.contains(name)) {
        return text_of(key) + " has " + name + " of " + value.substr(0, 60);
      }
    }
  }
  for (const auto& [key, fields] : got) {
    if (!wanted.contains(key)) return text_of(key) + " should not be there";
  }
  return {};
}

}  // namespace tracelite::model_based
