// Random histories of events: few ids, times and values, so that events meet often. TL_SEED repeats
// a run.
#pragma once

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "support/random_seed.hpp"

namespace tracelite::api::test {

using Random = std::mt19937_64;
using Events = std::vector<std::string>;

// The same all the time that the program runs.
inline std::uint64_t seed() {
  static const std::uint64_t value = tracelite::test::random_seed();
  return value;
}

// There are `spread` times as many ids of each kind.
class EventMaker {
 public:
  explicit EventMaker(Random& random, std::uint64_t spread = 1)
      : random_(random), spread_(spread) {}

  std::string make() {
    body_.clear();
    std::string type;
    switch (below(10)) {
      case 0:
      case 1:
        type = trace();
        break;
      case 2:
        type = score();
        break;
      case 3:
        type = session();
        break;
      default:
        type = observation();
    }
    // One random number an expression: compilers differ in what they evaluate first, and the events
    // of a seed are part of tests/format.
    const std::string at = time();
    return "{\"id\":\"e" + std::to_string(below(1'000'000)) + "\",\"timestamp\":\"" + at +
           "\",\"type\":\"" + type + "\",\"body\":{" + body_ + "}}";
  }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  bool chance(std::uint64_t percent) { return below(100) < percent; }
  std::string time() { return "2026-11-21T00:00:0" + std::to_string(below(4)) + ".000Z"; }

  void member(const std::string& name, const std::string& json) {
    if (!body_.empty()) body_ += ',';
    body_ += '"' + name + "\":" + json;
  }
  void maybe(std::uint64_t percent, const std::string& name, const std::string& json) {
    if (chance(percent)) member(name, chance(20) ? "null" : json);
  }
  std::string text(const std::string& prefix, std::uint64_t choices) {
    return '"' + prefix + std::to_string(below(choices)) + '"';
  }
  std::string id(const std::string& prefix, std::uint64_t choices) {
    return text(prefix, choices * spread_);
  }
  std::string trace_id() { return id("t", 2); }

  std::string metadata(int depth) {
    if (depth == 0 || chance(40)) {
      const char* const scalars[] = {"1", "\"x\"", "null", "true", "[1,2]", "{}", "2.50"};
      return scalars[below(std::size(scalars))];
    }
    std::string object = "{";
    for (const char* key : {"\"a\":", "\"b\":", "\"\":"}) {
      if (!chance(50)) continue;
      if (object.size() > 1) object += ',';
      object += key + metadata(depth - 1);
    }
    return object + "}";
  }
  // Of one theme each, long enough that groups share pieces of it, and never quite the same.
  std::string prose(std::uint64_t theme) {
    std::mt19937_64 words(theme);
    std::string text;
    while (text.size() < 6000) text += std::to_string(words()) + ' ';
    return text + std::to_string(below(100));
  }
  std::string payload() {
    const char* const payloads[] = {"{\"q\": 1}", "\"plain\"", "[]", "0", "{\"$bytes\":\"AAEC\"}"};
    // Some large enough to be stored beside the record.
    if (chance(15)) return '"' + std::string(300 + below(3) * 3000, 'p') + '"';
    if (chance(5)) return '"' + prose(below(3)) + '"';
    return payloads[below(std::size(payloads))];
  }

  void common() {
    maybe(30, "name", text("n", 3));
    maybe(30, "version", text("v", 3));
    maybe(30, "environment", text("env", 3));
    maybe(40, "metadata", metadata(3));
    maybe(30, "input", payload());
    maybe(30, "output", payload());
  }

  std::string trace() {
    member("id", chance(25) ? id("o", 3) : trace_id());
    maybe(60, "timestamp", '"' + time() + '"');
    maybe(40, "userId", id("u", 3));
    maybe(50, "sessionId", id("s", 2));
    maybe(30, "release", text("r", 2));
    const std::string second_tag = text("tag", 3);
    maybe(40, "tags", "[" + text("tag", 3) + "," + second_tag + "]");
    maybe(20, "public", "true");
    common();
    return "trace-create";
  }

  std::string observation() {
    member("id", id("o", 3));
    if (chance(55)) member("traceId", chance(15) ? id("o", 3) : trace_id());
    maybe(40, "parentObservationId", id("o", 4));
    maybe(60, "startTime", '"' + time() + '"');
    maybe(50, "endTime", '"' + time() + '"');
    maybe(20, "completionStartTime", '"' + time() + '"');
    maybe(30, "level", chance(50) ? "\"ERROR\"" : "\"DEBUG\"");
    maybe(20, "statusMessage", text("m", 2));
    maybe(15, "sessionId", id("s", 2));
    maybe(15, "userId", id("u", 3));
    maybe(15, "tags", "[" + text("tag", 3) + "]");
    common();
    if (chance(50)) return chance(50) ? "span-create" : "span-update";
    maybe(50, "model", text("gpt", 2));
    maybe(30, "modelParameters", "{\"t\":" + std::to_string(below(3)) + "}");
    maybe(50, "usageDetails", "{\"input\":" + std::to_string(below(9)) + ",\"output\":2}");
    maybe(50, "costDetails", "{\"total\":0.00" + std::to_string(below(9)) + "}");
    return chance(50) ? "generation-create" : "generation-update";
  }

  std::string score() {
    member("id", id("sc", 2));
    member("name", text("quality", 2));
    member("value", std::to_string(below(5)));
    switch (below(4)) {
      case 0:
        member("sessionId", id("s", 2));
        break;
      case 1:
        member("traceId", trace_id());
        member("observationId", id("o", 3));
        break;
      default:
        member("traceId", trace_id());
    }
    maybe(40, "comment", text("c", 3));
    maybe(30, "metadata", metadata(2));
    maybe(20, "environment", text("env", 2));
    return "score-create";
  }

  std::string session() {
    member("id", id("s", 2));
    maybe(60, "public", chance(50) ? "true" : "false");
    maybe(60, "bookmarked", chance(50) ? "true" : "false");
    return "session-update";
  }

  Random& random_;
  std::uint64_t spread_;
  std::string body_;
};

inline Events random_events(Random& random, std::size_t count, std::uint64_t spread = 1) {
  EventMaker maker(random, spread);
  Events events;
  for (std::size_t i = 0; i < count; ++i) {
    // Now and then the very same event again.
    events.push_back(!events.empty() && random() % 10 == 0 ? events[random() % events.size()]
                                                           : maker.make());
  }
  return events;
}

inline std::string joined(const Events& events, const std::vector<std::size_t>& order,
                          std::size_t from, std::size_t to) {
  std::string text;
  for (std::size_t i = from; i < to; ++i) text += events[order[i]] + "\n";
  return text;
}

}  // namespace tracelite::api::test
