// What a list of known rows must have, worked out row by row as the public header says: slow and
// plain. A row becomes a line of text that has what a list tells of it.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "fuzz/known_rows.hpp"
#include "model/time.hpp"
#include "record/record_key.hpp"

namespace tracelite::fuzz {

constexpr std::int64_t kDayNs = std::int64_t{86'400} * 1'000'000'000;

inline Bytes bytes_of(const tl_text& text) {
  return text.data == nullptr ? Bytes() : Bytes(text.data, text.size_bytes);
}

// ------------------------------------------------------------------------------ lines

// A sum of thousandths as a decimal number.
inline std::string decimal_of(std::int64_t thousandths) {
  std::string text = std::to_string(thousandths / 1000);
  std::string rest = std::to_string(1000 + thousandths % 1000).substr(1);
  rest.erase(rest.find_last_not_of('0') + 1);
  return rest.empty() ? text : text + "." + rest;
}
inline std::string line_of(const tl_aggregate& sums) {
  std::string line;
  for (const std::uint64_t count :
       {sums.trace_count, sums.observation_count, sums.score_count, sums.debug_count,
        sums.default_count, sums.warning_count, sums.error_count, sums.unfinished_count,
        sums.input_tokens, sums.output_tokens, sums.total_tokens}) {
    line += ' ' + std::to_string(count);
  }
  line += ' ' + std::string(bytes_of(sums.total_cost));
  for (const std::int64_t time_ns :
       {sums.first_activity_ns, sums.last_activity_ns, sums.latency_ns}) {
    line += ' ' + std::to_string(time_ns);
  }
  return line;
}
inline std::string line_of(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) line.append(word).push_back('|');
  return line;
}

// ------------------------------------------------------------------------------ sums

class KnownSums {
 public:
  void add(const KnownObservation& one) {
    ++sums_.observation_count;
    ++*std::array{&sums_.debug_count, &sums_.default_count, &sums_.warning_count,
                  &sums_.error_count}[static_cast<std::size_t>(one.level) - 1];
    add_activity(one.start_ns);
    start_ns_ = std::min(start_ns_, one.start_ns);
    if (one.end_ns) {
      add_activity(*one.end_ns);
      end_ns_ = std::max(end_ns_, *one.end_ns);
    } else if (one.type != TL_TYPE_EVENT) {
      ++sums_.unfinished_count;
    }
    sums_.input_tokens += one.input_tokens;
    sums_.output_tokens += one.output_tokens;
    sums_.total_tokens += one.total_tokens;
    cost_thousandths += one.cost_thousandths;
  }
  void add(const KnownTrace& trace) {
    add_trace();
    add_activity(trace.time_ns);
    for (const KnownObservation& one : trace.observations) add(one);
  }
  void add_trace() { ++sums_.trace_count; }
  void add_scores(std::uint64_t count) { sums_.score_count += count; }

  [[nodiscard]] tl_aggregate sums() const {
    tl_aggregate sums = sums_;
    if (first_ns_ <= last_ns_) {
      sums.first_activity_ns = first_ns_;
      sums.last_activity_ns = last_ns_;
    }
    if (end_ns_ != INT64_MIN) sums.latency_ns = end_ns_ - start_ns_;
    return sums;
  }

  std::int64_t cost_thousandths = 0;

 private:
  void add_activity(std::int64_t time_ns) {
    first_ns_ = std::min(first_ns_, time_ns);
    last_ns_ = std::max(last_ns_, time_ns);
  }

  tl_aggregate sums_{};
  std::int64_t first_ns_ = INT64_MAX, last_ns_ = INT64_MIN;
  std::int64_t start_ns_ = INT64_MAX, end_ns_ = INT64_MIN;
};

inline std::string line_of(tl_aggregate sums, std::int64_t cost_thousandths) {
  const std::string cost = decimal_of(cost_thousandths);
  sums.total_cost = {cost.data(), cost.size()};
  return line_of(sums);
}

// ------------------------------------------------------------------------------ filters

class KnownFilter {
 public:
  KnownFilter(const KnownRows& rows, const tl_filter& filter) : rows_(rows), filter_(filter) {}

  [[nodiscard]] bool selects(const KnownTrace& trace) const {
    return is(filter_.trace_id, trace.id) && is_named(trace) && is_tagged(trace) &&
           is(filter_.environment, trace.environment) && is(filter_.name, trace.name) &&
           is(filter_.release, trace.release) && is(filter_.version, trace.version) &&
           has_metadata(*trace.metadata) && is_within(trace.time_ns) &&
           (!asks_observation() ||
            std::ranges::any_of(trace.observations,
                                [&](const KnownObservation& one) { return is_like(one); }));
  }
  [[nodiscard]] bool selects(const KnownTrace& trace, const KnownObservation& one) const {
    return is(filter_.trace_id, trace.id) && is_named(trace) && is_tagged(trace) &&
           is(filter_.release, trace.release) && is(filter_.environment, one.environment) &&
           is(filter_.name, one.name) && is(filter_.version, one.version) && is_like(one) &&
           has_metadata(*one.metadata) && is_within(one.start_ns);
  }
  [[nodiscard]] bool selects(const KnownScore& score) const {
    if (!is(filter_.trace_id, score.trace_id) || !is(filter_.environment, score.environment) ||
        !is(filter_.name, score.name) || !has_metadata(*score.metadata) ||
        !is_within(score.time_ns)) {
      return false;
    }
    const KnownTrace& trace = trace_of(score);
    const bool is_of_session =
        !score.session_id.empty() && bytes_of(filter_.session_id) == score.session_id;
    if (!is_of_session && !names_session(trace)) return false;
    if (!names_user(trace) || !is_tagged(trace) || !is(filter_.release, trace.release) ||
        !is(filter_.version, trace.version)) {
      return false;
    }
    return !asks_observation() ||
           std::ranges::any_of(trace.observations, [&](const KnownObservation& one) {
             return is_like(one) &&
                    (score.observation_id.empty() || one.id == score.observation_id);
           });
  }
  [[nodiscard]] bool is_empty() const {
    return is_absent(filter_.trace_id) && is_absent(filter_.session_id) &&
           is_absent(filter_.user_id) && filter_.tag_count == 0 && is_absent(filter_.environment) &&
           is_absent(filter_.name) && is_absent(filter_.release) && is_absent(filter_.version) &&
           !asks_observation() && is_absent(filter_.metadata_key) && filter_.from_ns == 0 &&
           filter_.to_ns == 0;
  }

 private:
  static bool is_absent(const tl_text& wanted) { return wanted.data == nullptr; }
  // What is not set is nothing that can be asked for.
  static bool is(const tl_text& wanted, const std::string& has) {
    return is_absent(wanted) || (!has.empty() && bytes_of(wanted) == has);
  }
  [[nodiscard]] bool names_session(const KnownTrace& trace) const {
    return is(filter_.session_id, trace.session_id) ||
           std::ranges::any_of(trace.observations, [&](const KnownObservation& one) {
             return is(filter_.session_id, one.session_id);
           });
  }
  [[nodiscard]] bool names_user(const KnownTrace& trace) const {
    return is(filter_.user_id, trace.user_id) ||
           std::ranges::any_of(trace.observations, [&](const KnownObservation& one) {
             return is(filter_.user_id, one.user_id);
           });
  }
  [[nodiscard]] bool is_named(const KnownTrace& trace) const {
    return names_session(trace) && names_user(trace);
  }
  [[nodiscard]] bool is_tagged(const KnownTrace& trace) const {
    for (std::size_t i = 0; i < filter_.tag_count; ++i) {
      if (std::ranges::find(trace.tags, bytes_of(filter_.tags[i])) == trace.tags.end()) {
        return false;
      }
    }
    return true;
  }
  [[nodiscard]] bool has_metadata(const KnownMetadata& metadata) const {
    if (is_absent(filter_.metadata_key)) return true;
    return std::ranges::any_of(metadata.keys, [&](const KnownKey& has) {
      return has.key == bytes_of(filter_.metadata_key) &&
             (is_absent(filter_.metadata_value) || has.value == bytes_of(filter_.metadata_value));
    });
  }
  [[nodiscard]] bool is_within(std::int64_t time_ns) const {
    return (filter_.from_ns == 0 || time_ns >= filter_.from_ns) &&
           (filter_.to_ns == 0 || time_ns < filter_.to_ns);
  }
  [[nodiscard]] bool asks_observation() const {
    return filter_.level != 0 || filter_.type != 0 || !is_absent(filter_.model);
  }
  [[nodiscard]] bool is_like(const KnownObservation& one) const {
    return (filter_.level == 0 || one.level == filter_.level) &&
           (filter_.type == 0 || one.type == filter_.type) && is(filter_.model, one.model);
  }
  // One of nothing, if there is none.
  [[nodiscard]] const KnownTrace& trace_of(const KnownScore& score) const {
    static const KnownTrace kNone;
    const auto at = std::ranges::find(rows_.traces, score.trace_id, &KnownTrace::id);
    return score.trace_id.empty() || at == rows_.traces.end() ? kNone : *at;
  }

  const KnownRows& rows_;
  const tl_filter& filter_;
};

// ------------------------------------------------------------------------------ lists

class KnownList {
 public:
  KnownList(const KnownRows& rows, const tl_filter& filter, tl_kind kind, tl_order order)
      : rows_(rows), filter_(rows, filter), kind_(kind), order_(order) {}

  // The lines of a list, in its order.
  [[nodiscard]] std::vector<std::string> lines() const {
    std::vector<Ranked> all;
    if (kind_ == TL_KIND_TRACE) {
      all = traces();
    } else if (kind_ == TL_KIND_OBSERVATION) {
      all = observations();
    } else if (kind_ == TL_KIND_SCORE) {
      all = scores();
    } else {
      all = groups();
    }
    std::ranges::sort(all);
    if ((order_ & TL_ORDER_ASCENDING) == 0) std::ranges::reverse(all);
    std::vector<std::string> lines;
    for (auto& [rank, line] : all) lines.push_back(std::move(line));
    return lines;
  }

 private:
  // The number or name asked for, then what decides between equal ones: the id, but of observations
  // the hash of their ids, and then the trace's.
  using Rank = std::tuple<std::int64_t, std::string, record::EntityKey, std::string>;
  using Ranked = std::pair<Rank, std::string>;

  [[nodiscard]] bool is_by(tl_order order) const { return (order_ & 0xff) == order; }
  [[nodiscard]] std::string name_rank(const std::string& name) const {
    return is_by(TL_ORDER_NAME) ? name : std::string();
  }
  [[nodiscard]] std::int64_t number_rank(const KnownSums& known, std::int64_t time_ns) const {
    const tl_aggregate sums = known.sums();
    if (is_by(TL_ORDER_TIME)) return time_ns;
    if (is_by(TL_ORDER_LATENCY)) return sums.latency_ns;
    if (is_by(TL_ORDER_TOKENS)) return static_cast<std::int64_t>(sums.total_tokens);
    return is_by(TL_ORDER_COST) ? known.cost_thousandths : 0;
  }

  [[nodiscard]] std::vector<Ranked> traces() const {
    std::vector<Ranked> all;
    for (const KnownTrace& trace : rows_.traces) {
      if (!filter_.selects(trace)) continue;
      const KnownSums sums = sums_of(trace, true);
      all.push_back(
          {{number_rank(sums, trace.time_ns), name_rank(trace.name), 0, trace.id},
           line_of({trace.id, trace.name, trace.session_id, trace.user_id, trace.environment,
                    trace.release, trace.version, line_of(sums.sums(), sums.cost_thousandths)})});
    }
    return all;
  }
  [[nodiscard]] std::vector<Ranked> observations() const {
    std::vector<Ranked> all;
    for (const KnownTrace& trace : rows_.traces) {
      for (const KnownObservation& one : trace.observations) {
        if (!filter_.selects(trace, one)) continue;
        KnownSums sums;
        sums.add(one);
        all.push_back({{number_rank(sums, one.start_ns), name_rank(one.name),
                        record::natural_key(one.id), trace.id},
                       line_of({trace.id, one.id, one.name, one.model, one.version, one.environment,
                                one.session_id, one.user_id, std::to_string(one.type),
                                std::to_string(one.level), std::to_string(one.start_ns)})});
      }
    }
    return all;
  }
  [[nodiscard]] std::vector<Ranked> scores() const {
    std::vector<Ranked> all;
    for (const KnownScore& score : rows_.scores) {
      if (!filter_.selects(score)) continue;
      all.push_back({{is_by(TL_ORDER_TIME) ? score.time_ns : 0, name_rank(score.name), 0, score.id},
                     line_of({score.id, score.trace_id, score.observation_id, score.session_id,
                              score.name, score.environment, std::to_string(score.value)})});
    }
    return all;
  }

  [[nodiscard]] KnownSums sums_of(const KnownTrace& trace, bool has_scores) const {
    KnownSums sums;
    sums.add(trace);
    if (has_scores) sums.add_scores(score_count(trace));
    return sums;
  }
  [[nodiscard]] std::uint64_t score_count(const KnownTrace& trace) const {
    return static_cast<std::uint64_t>(
        std::ranges::count(rows_.scores, trace.id, &KnownScore::trace_id));
  }

  // By key; of days also by model, which is empty otherwise.
  using Groups = std::map<std::pair<std::string, std::string>, KnownSums>;

  [[nodiscard]] std::vector<Ranked> groups() const {
    Groups groups = kind_ >= TL_KIND_NAME ? groups_of_observations() : groups_of_traces();
    std::vector<Ranked> all;
    for (auto& [key, known] : groups) {
      if (kind_ == TL_KIND_SESSION) {
        known.add_scores(static_cast<std::uint64_t>(
            std::ranges::count(rows_.scores, key.first, &KnownScore::session_id)));
      }
      tl_aggregate sums = known.sums();
      if (kind_ == TL_KIND_DAY) set_day(key.first, sums);
      // The days are in the order of their activity.
      const std::int64_t rank = number_rank(known, sums.last_activity_ns);
      all.push_back(
          {{kind_ == TL_KIND_DAY && is_by(TL_ORDER_LATENCY) ? 0 : rank, key.first, 0, key.second},
           line_of({key.first, key.second, line_of(sums, known.cost_thousandths)})});
    }
    return all;
  }

  static void set_day(const std::string& day, tl_aggregate& sums) {
    sums.first_activity_ns = *model::parse_time(day + "T00:00:00Z");
    sums.last_activity_ns = sums.first_activity_ns + kDayNs - 1;
    sums.latency_ns = 0;
  }

  [[nodiscard]] Groups groups_of_observations() const {
    Groups groups;
    for (const KnownTrace& trace : rows_.traces) {
      std::set<std::string> counted;
      for (const KnownObservation& one : trace.observations) {
        if (!filter_.selects(trace, one)) continue;
        std::pair<std::string, std::string> key{kind_ == TL_KIND_NAME ? one.name : one.model, ""};
        if (kind_ == TL_KIND_DAY) {
          key = {model::format_time(one.start_ns).substr(0, 10), one.model};
        } else if (key.first.empty()) {
          continue;
        }
        if (kind_ != TL_KIND_DAY && counted.insert(key.first).second) groups[key].add_trace();
        groups[key].add(one);
      }
    }
    return groups;
  }
  [[nodiscard]] Groups groups_of_traces() const {
    Groups groups;
    for (const KnownTrace& trace : rows_.traces) {
      if (!filter_.selects(trace)) continue;
      for (const std::string& key : keys_of(trace)) {
        groups[{key, ""}].add(trace);
        if (kind_ == TL_KIND_SESSION) groups[{key, ""}].add_scores(score_count(trace));
      }
    }
    // Sessions may be there without a trace.
    if (kind_ == TL_KIND_SESSION && filter_.is_empty()) groups[{rows_.bookmarked_session, ""}];
    return groups;
  }
  [[nodiscard]] std::set<std::string> keys_of(const KnownTrace& trace) const {
    if (kind_ == TL_KIND_TAG) return {trace.tags.begin(), trace.tags.end()};
    if (kind_ == TL_KIND_ENVIRONMENT) return {trace.environment};
    const bool of_sessions = kind_ == TL_KIND_SESSION;
    std::set<std::string> keys = {of_sessions ? trace.session_id : trace.user_id};
    for (const KnownObservation& one : trace.observations) {
      keys.insert(of_sessions ? one.session_id : one.user_id);
    }
    keys.erase("");
    return keys;
  }

  const KnownRows& rows_;
  KnownFilter filter_;
  tl_kind kind_;
  tl_order order_;
};

}  // namespace tracelite::fuzz
