// What the store of filters_and_cursors.cpp has: some traces, observations and scores, made from
// their numbers, so that each condition of a filter holds for some of them and not for others.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fuzz/input.hpp"
#include "tracelite/tracelite.h"

namespace tracelite::fuzz {

// More than 32 traces of a tag, and more than 128 rows with a key of metadata: beyond them queries
// go other ways.
constexpr std::uint64_t kTraceCount = 60;
constexpr std::int64_t kFirstNs = 1'795'220'428'000'000'000;
constexpr std::int64_t kStepNs = 7'000'000'000;

// Words of all fields, so that filters find something; some that nothing has.
constexpr std::array<Bytes, 4> kSessions = {"session-0", "session-1", "session-2", "nobody"};
constexpr std::array<Bytes, 4> kUsers = {"user-0", "user-1", "\xe4\xbd\xa0", ""};
constexpr std::array<Bytes, 4> kTags = {"tag-0", "tag-1", "tag-2", "nothing"};
constexpr std::array<Bytes, 3> kNames = {"answer", "ask", "name"};
constexpr std::array<Bytes, 3> kModels = {"model-0", "model-1", "model-2"};
constexpr std::array<Bytes, 3> kEnvironments = {"default", "prod", "dev"};
constexpr std::array<Bytes, 3> kVersions = {"v1", "v2", "v3"};
constexpr std::array<Bytes, 2> kReleases = {"r", "s"};

template <std::size_t count>
Bytes pick(const std::array<Bytes, count>& from, std::size_t number) {
  return from[number % count];
}

// A key at the top level with its scalar value as text; none: it is no scalar.
struct KnownKey {
  Bytes key;
  std::optional<Bytes> value;
};
struct KnownMetadata {
  const char* json = nullptr;  // nullptr: there is none
  std::vector<KnownKey> keys;
};
inline const std::array<KnownMetadata, 5> kMetadata = {{
    {},
    {R"({"a":1,"b":"x"})", {{"a", "1"}, {"b", "x"}}},
    {R"({"a":true})", {{"a", "true"}}},
    {R"({"b":{"a":1},"a":"1"})", {{"b", std::nullopt}, {"a", "1"}}},
    {R"({"a":"x","c":["b"]})", {{"a", "x"}, {"c", std::nullopt}}},
}};

// Empty texts: not set.
struct KnownObservation {
  std::string id, name, model, version, environment, session_id, user_id;
  tl_type type = 0;
  tl_level level = 0;
  std::int64_t start_ns = 0;
  std::optional<std::int64_t> end_ns;
  std::uint64_t input_tokens = 0, output_tokens = 0, total_tokens = 0;
  std::int64_t cost_thousandths = 0;
  const KnownMetadata* metadata = kMetadata.data();
};
// Of one without a record: as it is read from its observations.
struct KnownTrace {
  std::string id, name, session_id, user_id, environment, release, version;
  bool has_record = false;
  std::int64_t time_ns = 0;
  std::vector<std::string> tags;
  const KnownMetadata* metadata = kMetadata.data();
  std::vector<KnownObservation> observations;
};
struct KnownScore {
  std::string id, trace_id, observation_id, session_id, name, environment;
  std::int64_t time_ns = 0;
  double value = 0;
  const KnownMetadata* metadata = kMetadata.data();
};
struct KnownRows {
  std::vector<KnownTrace> traces;
  std::vector<KnownScore> scores;
  std::string bookmarked_session;  // put by itself; nothing else names it
};

inline KnownObservation make_observation(std::uint64_t number, std::uint64_t n) {
  KnownObservation one;
  one.id = "o" + std::to_string(n);
  one.name = pick(kNames, n);
  one.type = static_cast<tl_type>(1 + (number + n) % 10);
  one.level = static_cast<tl_level>(1 + n % 4);
  if (n % 4 != 3) one.model = pick(kModels, number + n);
  if (n % 2 == 1) one.version = pick(kVersions, number % 2);
  one.environment = pick(kEnvironments, number / 7 + n);
  if (n == 1) one.session_id = pick(kSessions, number % 3);
  if (n == 2) one.user_id = pick(kUsers, number % 3);
  // Some on another day.
  one.start_ns = kFirstNs + static_cast<std::int64_t>(number * 10 + n * n * n) * kStepNs * 97;
  if (n % 3 != 2) one.end_ns = one.start_ns + static_cast<std::int64_t>(n) * kStepNs;
  if (n % 2 == 0) {
    one.total_tokens = number * n;
  } else {
    one.input_tokens = number;
    one.output_tokens = n;
    one.total_tokens = number + n;
  }
  one.cost_thousandths = n % 2 == 0 ? 125 : 3000;
  one.metadata = &kMetadata[(number + n) % kMetadata.size()];
  return one;
}

inline KnownTrace make_trace(std::uint64_t number) {
  KnownTrace trace;
  trace.id = "trace-" + std::to_string(number);
  for (std::uint64_t n = 0; n < number % 5; ++n) {
    trace.observations.push_back(make_observation(number, n));
  }
  trace.has_record = number % 6 != 5;
  if (!trace.has_record) {
    if (trace.observations.empty()) return trace;
    const KnownObservation& root = trace.observations.front();  // the earliest
    trace.name = root.name;
    trace.environment = root.environment;
    trace.time_ns = root.start_ns;
    return trace;
  }
  trace.name = pick(kNames, number);
  trace.session_id = pick(kSessions, number / 3 % 3);
  if (number % 8 != 2) trace.user_id = pick(kUsers, number / 2 % 3);
  trace.environment = pick(kEnvironments, number / 5);
  if (number % 4 != 1) trace.release = pick(kReleases, number % 2);
  if (number % 7 != 1) trace.version = pick(kVersions, number % 2);
  trace.time_ns = kFirstNs + static_cast<std::int64_t>(number / 2) * kStepNs * 400;
  trace.tags.emplace_back(pick(kTags, number % 3));
  if (number % 4 != 0 && number % 3 != 1) trace.tags.emplace_back("tag-1");
  trace.metadata = &kMetadata[number % kMetadata.size()];
  return trace;
}

inline KnownScore make_score(const std::string& id, std::uint64_t number) {
  KnownScore score;
  score.id = "score-" + id + "-" + std::to_string(number);
  score.name = pick(kNames, number / 3);
  score.environment = pick(kEnvironments, number / 4);
  score.value = static_cast<double>(number);
  score.time_ns = kFirstNs + static_cast<std::int64_t>(number) * kStepNs * 150;
  score.metadata = &kMetadata[number / 2 % kMetadata.size()];
  return score;
}

inline KnownRows make_known_rows() {
  KnownRows rows;
  rows.bookmarked_session = "session-of-nobody";
  for (std::uint64_t number = 0; number < kTraceCount; ++number) {
    KnownTrace trace = make_trace(number);
    if (!trace.has_record && trace.observations.empty()) continue;
    if (number % 3 == 0) {
      rows.scores.push_back(make_score("trace", number));
      rows.scores.back().trace_id = trace.id;
    }
    if (number % 4 == 1 && !trace.observations.empty()) {
      rows.scores.push_back(make_score("observation", number));
      rows.scores.back().trace_id = trace.id;
      rows.scores.back().observation_id = trace.observations.back().id;
    }
    if (number % 10 == 7) {
      rows.scores.push_back(make_score("session", number));
      rows.scores.back().session_id = pick(kSessions, number % 3);
    }
    rows.traces.push_back(std::move(trace));
  }
  rows.scores.push_back(make_score("absent", 1));
  rows.scores.back().trace_id = "of which there is nothing else";
  return rows;
}

}  // namespace tracelite::fuzz
