// The meaning of filters, orders and sums, said once more without an index.
#include "oracle.hpp"

#include <algorithm>
#include <set>
#include <sstream>
#include <tuple>

#include "index/index_value.hpp"
#include "payload/json_scanner.hpp"

namespace tracelite::query::test {
namespace {

bool equal(const std::optional<std::string>& wanted, const Text& has) {
  return !wanted || (has && *has == *wanted);
}
bool equal(const std::optional<std::string>& wanted, const std::string& has) {
  return !wanted || *wanted == has;
}
bool within(const Filter& filter, std::int64_t time_ns) {
  return (!filter.from_ns || time_ns >= *filter.from_ns) &&
         (!filter.to_ns || time_ns < *filter.to_ns);
}

bool has_metadata(const Filter& filter, const Metadata& metadata) {
  if (!filter.metadata_key) return true;
  const auto at = metadata.find(*filter.metadata_key);
  if (at == metadata.end()) return false;
  if (!filter.metadata_value) return true;
  const std::string& json = at->second;
  if (json.front() == '{' || json.front() == '[') return false;
  if (json.front() != '"') return json == *filter.metadata_value;
  return payload::unescape_json(Bytes(json).substr(1, json.size() - 2)) == *filter.metadata_value;
}

bool is_like(const Filter& filter, const ObservationSpec& observation) {
  return (!filter.level || observation.level == *filter.level) &&
         (!filter.type || observation.type == *filter.type) &&
         equal(filter.model, observation.model);
}

bool asks_observation(const Filter& filter) { return filter.level || filter.type || filter.model; }

std::string env(const Text& environment) { return environment.value_or("default"); }

const std::string& trace_of(const ObservationSpec& spec) {
  return spec.trace_id.empty() ? spec.id : spec.trace_id;
}

std::int64_t end_of(const ObservationSpec& spec) {
  return std::max(spec.end_ns.value_or(spec.start_ns), spec.start_ns);
}

// What ids are sorted by: those in W3C form come last.
auto id_rank(const std::string& id) {
  const index::IndexId coded(id);
  return std::pair(coded.is_blob, coded.bytes);
}

// Adds an observation; `latest` collects the end of what has ended.
struct Adder {
  Aggregate sums;
  // At the far end of the range while there is none.
  std::int64_t first = INT64_MAX, last = INT64_MIN;
  std::int64_t earliest_start = INT64_MAX, latest_end = INT64_MIN;
  bool any = false, any_end = false;

  void activity(std::int64_t time_ns) {
    any = true;
    first = std::min(first, time_ns);
    last = std::max(last, time_ns);
  }
  void add(const ObservationSpec& spec) {
    ++sums.observation_count;
    ++sums.level_counts[static_cast<int>(spec.level) - 1];
    activity(spec.start_ns);
    earliest_start = std::min(earliest_start, spec.start_ns);
    if (spec.end_ns) {
      activity(end_of(spec));
      any_end = true;
      latest_end = std::max(latest_end, end_of(spec));
    } else if (spec.type != model::ObservationType::event) {
      ++sums.unfinished_count;
    }
    sums.input_tokens += spec.input_tokens;
    sums.output_tokens += spec.output_tokens;
    sums.total_tokens += spec.input_tokens + spec.output_tokens;
    sums.total_cost += spec.cost;
  }
  void add(const SeenTrace& trace, bool with_scores) {
    ++sums.trace_count;
    activity(trace.time_ns);
    for (const ObservationSpec* observation : trace.observations) add(*observation);
    if (with_scores) sums.score_count += trace.scores.size();
  }
  Aggregate finish(const std::string& key) {
    sums.key = key;
    sums.first_activity_ns = any ? first : 0;
    sums.last_activity_ns = any ? last : 0;
    sums.latency_ns = any_end ? latest_end - earliest_start : 0;
    return sums;
  }
};

model::Int128 number_of(const Aggregate& sums, OrderBy by) {
  if (by == OrderBy::time) return sums.last_activity_ns;
  if (by == OrderBy::latency) return sums.latency_ns;
  if (by == OrderBy::tokens) return sums.total_tokens;
  return by == OrderBy::cost ? sums.total_cost : 0;
}

}  // namespace

std::string SeenTrace::name() const {
  if (!is_derived()) return record->name.value_or("");
  return root == nullptr ? "" : root->name.value_or("");
}

std::string SeenTrace::environment() const {
  if (!is_derived()) return env(record->environment);
  return root == nullptr ? "default" : env(root->environment);
}

bool SeenTrace::names_session(const std::string& session) const {
  if (record != nullptr && record->session == session) return true;
  return std::any_of(observations.begin(), observations.end(),
                     [&](const ObservationSpec* one) { return one->session == session; });
}

bool SeenTrace::names_user(const std::string& user) const {
  if (record != nullptr && record->user == user) return true;
  return std::any_of(observations.begin(), observations.end(),
                     [&](const ObservationSpec* one) { return one->user == user; });
}

Oracle::Oracle(const World& world) : world_(world) {
  std::map<std::string, SeenTrace> by_id;
  for (const TraceSpec& spec : world.traces) by_id[spec.id].record = &spec;
  for (const ObservationSpec& spec : world.observations) {
    by_id[trace_of(spec)].observations.push_back(&spec);
  }
  for (auto& [id, trace] : by_id) {
    trace.id = id;
    for (const ObservationSpec* one : trace.observations) {
      const auto rank = [](const ObservationSpec* spec) {
        return std::tuple(spec->parent.has_value(), spec->start_ns, record::natural_key(spec->id));
      };
      if (trace.root == nullptr || rank(one) < rank(trace.root)) trace.root = one;
      if (trace.observations.front() == one || one->start_ns < trace.time_ns) {
        trace.time_ns = one->start_ns;
      }
    }
    if (!trace.is_derived() || trace.observations.empty()) trace.time_ns = trace.record->time_ns;
    for (const ScoreSpec& score : world.scores) {
      if (score.trace_id == id) trace.scores.push_back(&score);
    }
    traces_.push_back(std::move(trace));
  }
}

const SeenTrace* Oracle::trace(const std::string& id) const {
  const auto at = std::find_if(traces_.begin(), traces_.end(),
                               [&](const SeenTrace& one) { return one.id == id; });
  return at == traces_.end() ? nullptr : &*at;
}

bool Oracle::selects(const Filter& filter, const SeenTrace& trace) const {
  static const TraceSpec kNone;
  const TraceSpec& record = trace.record == nullptr ? kNone : *trace.record;
  if (!equal(filter.trace_id, trace.id)) return false;
  if (filter.session_id && !trace.names_session(*filter.session_id)) return false;
  if (filter.user_id && !trace.names_user(*filter.user_id)) return false;
  for (const std::string& tag : filter.tags) {
    if (std::find(record.tags.begin(), record.tags.end(), tag) == record.tags.end()) return false;
  }
  if (!equal(filter.environment, trace.environment())) return false;
  if (filter.name && (trace.name().empty() || trace.name() != *filter.name)) return false;
  if (!equal(filter.release, record.release) || !equal(filter.version, record.version)) {
    return false;
  }
  if (!has_metadata(filter, record.metadata) || !within(filter, trace.time_ns)) return false;
  return !asks_observation(filter) ||
         std::any_of(trace.observations.begin(), trace.observations.end(),
                     [&](const ObservationSpec* one) { return is_like(filter, *one); });
}

bool Oracle::selects(const Filter& filter, const SeenTrace& trace,
                     const ObservationSpec& observation) const {
  Filter of_trace;
  of_trace.trace_id = filter.trace_id;
  of_trace.session_id = filter.session_id;
  of_trace.user_id = filter.user_id;
  of_trace.tags = filter.tags;
  of_trace.release = filter.release;
  return selects(of_trace, trace) && equal(filter.environment, env(observation.environment)) &&
         equal(filter.name, observation.name) && equal(filter.version, observation.version) &&
         has_metadata(filter, observation.metadata) && within(filter, observation.start_ns) &&
         is_like(filter, observation);
}

bool Oracle::selects(const Filter& filter, const ScoreSpec& score) const {
  if (!equal(filter.environment, env(score.environment)) || !equal(filter.name, score.name) ||
      !has_metadata(filter, score.metadata) || !within(filter, score.time_ns)) {
    return false;
  }
  // The subject may be a trace that nobody sees.
  static const SeenTrace kNone;
  const SeenTrace* seen = score.session_id.empty() ? trace(score.trace_id) : nullptr;
  if (seen == nullptr) seen = &kNone;
  if (filter.trace_id && score.trace_id != *filter.trace_id) return false;
  if (filter.session_id && score.session_id != *filter.session_id &&
      !seen->names_session(*filter.session_id)) {
    return false;
  }
  Filter of_trace;
  of_trace.user_id = filter.user_id;
  of_trace.tags = filter.tags;
  of_trace.release = filter.release;
  of_trace.version = filter.version;
  if (!selects(of_trace, *seen)) return false;
  return !asks_observation(filter) ||
         std::any_of(seen->observations.begin(), seen->observations.end(),
                     [&](const ObservationSpec* one) {
                       return is_like(filter, *one) &&
                              (score.observation_id.empty() || one->id == score.observation_id);
                     });
}

Aggregate Oracle::sums(const SeenTrace& trace) const {
  Adder adder;
  adder.add(trace, true);
  return adder.finish("");
}

std::vector<std::string> Oracle::list(Kind kind, const Filter& filter, ListOrder order) const {
  using IdRank = std::pair<bool, std::string>;
  using Rank = std::tuple<model::Int128, std::string, std::int64_t, IdRank>;
  std::vector<std::pair<Rank, std::string>> all;
  for (const SeenTrace& trace : traces_) {
    if (kind == Kind::trace && selects(filter, trace)) {
      const Aggregate total = sums(trace);
      model::Int128 number = number_of(total, order.by);
      if (order.by == OrderBy::time) number = trace.time_ns;
      all.push_back({{number, order.by == OrderBy::name ? trace.name() : "", 0, id_rank(trace.id)},
                     trace.id});
    }
    for (const ObservationSpec* one : trace.observations) {
      if (kind != Kind::observation || !selects(filter, trace, *one)) continue;
      Adder adder;
      adder.add(*one);
      const Aggregate total = adder.finish("");
      const auto number = order.by == OrderBy::time ? one->start_ns : number_of(total, order.by);
      all.push_back({{number, order.by == OrderBy::name ? one->name.value_or("") : "",
                      static_cast<std::int64_t>(record::natural_key(one->id)), id_rank(trace.id)},
                     one->trace_id + "/" + one->id});
    }
  }
  for (const ScoreSpec& score : world_.scores) {
    if (kind != Kind::score || !selects(filter, score)) continue;
    const bool by_time = order.by == OrderBy::time;
    all.push_back(
        {{by_time ? score.time_ns : 0, by_time ? "" : score.name, 0, id_rank(score.id)}, score.id});
  }
  std::sort(all.begin(), all.end());
  if (!order.ascending) std::reverse(all.begin(), all.end());
  std::vector<std::string> names;
  for (auto& [rank, name] : all) names.push_back(std::move(name));
  return names;
}

std::vector<std::string> Oracle::keys_of(Kind kind, const SeenTrace& trace) const {
  std::set<std::string> keys;
  const TraceSpec* record = trace.record;
  if (kind == Kind::environment) return {trace.environment()};
  if (kind == Kind::tag) {
    return record == nullptr ? std::vector<std::string>() : record->tags;
  }
  const auto add = [&](const Text& session, const Text& user) {
    const Text& key = kind == Kind::session ? session : user;
    if (key) keys.insert(*key);
  };
  if (record != nullptr) add(record->session, record->user);
  for (const ObservationSpec* one : trace.observations) add(one->session, one->user);
  return {keys.begin(), keys.end()};
}

std::vector<Aggregate> Oracle::groups(Kind kind, const Filter& filter, ListOrder order) const {
  std::map<std::string, Adder> all;
  for (const SeenTrace& trace : traces_) {
    if (kind == Kind::name || kind == Kind::model) {
      std::set<std::string> counted;
      for (const ObservationSpec* one : trace.observations) {
        const Text& key = kind == Kind::name ? one->name : one->model;
        if (!key || !selects(filter, trace, *one)) continue;
        if (counted.insert(*key).second) ++all[*key].sums.trace_count;
        all[*key].add(*one);
      }
      continue;
    }
    if (!selects(filter, trace)) continue;
    for (const std::string& key : keys_of(kind, trace)) {
      all[key].add(trace, kind == Kind::session);
    }
  }
  if (kind == Kind::session && filter == Filter()) {
    for (const SessionSpec& session : world_.sessions) all[session.id];
    for (const ScoreSpec& score : world_.scores) {
      if (!score.session_id.empty()) all[score.session_id];
    }
  }
  std::vector<Aggregate> sorted;
  for (auto& [key, adder] : all) {
    Aggregate sums = adder.finish(key);
    for (const ScoreSpec& score : world_.scores) {
      if (kind == Kind::session && score.session_id == key) ++sums.score_count;
    }
    sorted.push_back(std::move(sums));
  }
  std::sort(sorted.begin(), sorted.end(), [&](const Aggregate& a, const Aggregate& b) {
    const auto rank = [&](const Aggregate& one) {
      return std::pair(number_of(one, order.by), one.key);
    };
    return rank(a) < rank(b);
  });
  if (!order.ascending) std::reverse(sorted.begin(), sorted.end());
  return sorted;
}

std::string describe(const Aggregate& sums) {
  std::ostringstream out;
  out << sums.key << ": traces " << sums.trace_count << ", observations " << sums.observation_count
      << ", scores " << sums.score_count << ", levels";
  for (const std::uint64_t count : sums.level_counts) out << ' ' << count;
  out << ", unfinished " << sums.unfinished_count << ", tokens " << sums.input_tokens << ' '
      << sums.output_tokens << ' ' << sums.total_tokens << ", cost "
      << model::format_decimal(sums.total_cost) << ", activity " << sums.first_activity_ns << ' '
      << sums.last_activity_ns << ", latency " << sums.latency_ns;
  return out.str();
}

}  // namespace tracelite::query::test
