// Random entities and filters.
#include "random_world.hpp"

namespace tracelite::query::test {
namespace {

const std::string kLong(100, 'x');
const std::string kScalars[] = {"1", "\"1\"", "true", "\"a\\nb\"", "\"" + kLong + "\"", "null"};
const std::string kScalarTexts[] = {"1", "true", "a\nb", kLong, "null"};
const std::string kEnvironments[] = {"production", "staging", "default"};

}  // namespace

std::string RandomWorld::id(const char* prefix, std::size_t hex_digits) {
  ++next_;
  if (chance(3)) return prefix + std::to_string(next_);
  static constexpr char kHex[] = "0123456789abcdef";
  std::string hex;
  while (hex.size() < hex_digits) hex.push_back(kHex[below(16)]);
  return hex;
}

Metadata RandomWorld::metadata() {
  Metadata all;
  for (int i = below(3); i > 0; --i) {
    const int which = below(8);
    all[one_of("key", 3)] = which < 6 ? kScalars[which] : which == 6 ? "{\"a\":1}" : "[1]";
  }
  return all;
}

ObservationSpec RandomWorld::observation(const std::string& trace_id,
                                         const std::vector<std::string>& others) {
  ObservationSpec spec;
  spec.trace_id = trace_id;
  spec.id = id("observation-", 16);
  if (!others.empty() && !chance(3)) {
    spec.parent = others[static_cast<std::size_t>(below(static_cast<int>(others.size())))];
  } else if (chance(6)) {
    spec.parent = "missing";
  }
  spec.type = static_cast<model::ObservationType>(1 + below(4));
  spec.level = static_cast<model::Level>(1 + below(4));
  spec.start_ns = below(50);
  if (!chance(4)) spec.end_ns = spec.start_ns + below(30) - 2;
  spec.name = maybe("step-", 6);
  spec.model = maybe("model-", 3);
  spec.version = maybe("v", 2);
  if (!chance(3)) spec.environment = kEnvironments[below(3)];
  if (chance(3)) spec.user = one_of("user-", 5);
  if (chance(3)) spec.session = one_of("session-", 6);
  spec.metadata = metadata();
  if (!chance(3)) spec.input_tokens = static_cast<std::uint64_t>(below(20));
  if (!chance(3)) spec.output_tokens = static_cast<std::uint64_t>(below(20));
  if (chance(2)) spec.cost = below(5);
  // More than 64 bits hold, to see that sums are exact.
  if (chance(10)) spec.cost = model::Int128{INT64_MAX} * (below(5) - 2) + 7;
  return spec;
}

void RandomWorld::grow(World& world, int trace_count) {
  world.commit([&] {
    for (int i = 0; i < trace_count; ++i) {
      if (chance(trace_count)) world.merge_metadata();
      TraceSpec trace;
      trace.id = id("trace-", 32);
      trace.time_ns = below(50);
      trace.flags_only = chance(8);
      if (trace.flags_only || chance(4)) trace.bookmarked = chance(2);
      if (!trace.flags_only) {
        trace.name = maybe("flow-", 4);
        trace.user = maybe("user-", 5);
        trace.session = maybe("session-", 6);
        trace.release = maybe("r", 2);
        trace.version = maybe("v", 2);
        if (!chance(3)) trace.environment = kEnvironments[below(3)];
        for (int tag = 0; tag < 4; ++tag) {
          if (chance(2)) trace.tags.push_back("tag-" + std::to_string(tag));
        }
        trace.metadata = metadata();
      }
      if (!chance(4)) world.add(trace);
      std::vector<std::string> others;
      for (int n = below(6); n > 0; --n) {
        ObservationSpec spec = observation(trace.id, others);
        others.push_back(spec.id);
        world.add(spec);
      }
      if (chance(8)) {
        ObservationSpec stray = observation("", {});
        world.add(stray);
      }
      for (int n = below(3); n > 0; --n) {
        ScoreSpec score;
        score.id = id("score-", 32);
        score.name = one_of("quality-", 3);
        score.time_ns = below(50);
        if (chance(4)) {
          score.session_id = one_of("session-", 8);
        } else {
          score.trace_id = trace.id;
          if (!others.empty() && chance(2)) score.observation_id = others.front();
          if (chance(8)) score.observation_id = "missing";
        }
        if (chance(2)) score.environment = kEnvironments[below(3)];
        score.metadata = metadata();
        world.add(score);
      }
    }
    if (chance(2)) {
      SessionSpec session{id("session-put-", 0), chance(2)};
      if (!session.id.empty()) world.add(session);
    }
  });
}

void RandomWorld::condition(Filter& filter, int which) {
  switch (which) {
    case 0:
      filter.session_id = one_of("session-", 7);
      break;
    case 1:
      filter.user_id = one_of("user-", 6);
      break;
    case 2:
      filter.tags.push_back(one_of("tag-", 4));
      break;
    case 3:
      filter.tags = {one_of("tag-", 4), one_of("tag-", 4)};
      break;
    case 4:
      filter.environment = kEnvironments[below(3)];
      break;
    case 5:
      filter.name = one_of(chance(3) ? "flow-" : chance(2) ? "step-" : "quality-", 5);
      break;
    case 6:
      filter.release = one_of("r", 2);
      break;
    case 7:
      filter.version = one_of("v", 2);
      break;
    case 8:
      filter.level = static_cast<model::Level>(1 + below(4));
      break;
    case 9:
      filter.type = static_cast<model::ObservationType>(1 + below(4));
      break;
    case 10:
      filter.model = one_of("model-", 3);
      break;
    case 11:
      filter.metadata_key = one_of("key", 3);
      break;
    case 12:
      filter.metadata_key = one_of("key", 3);
      filter.metadata_value = kScalarTexts[below(5)];
      break;
    default:
      if (!chance(3)) filter.from_ns = below(30);
      if (!chance(3)) filter.to_ns = 20 + below(30);
      break;
  }
}

Filter RandomWorld::single_filter(int which) {
  Filter filter;
  condition(filter, which);
  return filter;
}

Filter RandomWorld::filter(int rarity) {
  Filter filter;
  for (int which = 0; which < kConditionCount; ++which) {
    if (chance(rarity)) condition(filter, which);
  }
  return filter;
}

ListOrder RandomWorld::order(bool all) {
  return {static_cast<OrderBy>(below(all ? 5 : 2)), chance(2)};
}

}  // namespace tracelite::query::test
