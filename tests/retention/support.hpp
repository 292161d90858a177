// What the tests of the caps share: traces of a day, in a file with a store or with the steps
// alone.
#pragma once

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "api/support.hpp"
#include "maintain/retention.hpp"
#include "model/testing.hpp"
#include "model/time.hpp"
#include "store/page_verifier.hpp"
#include "tracelite/tracelite.hpp"

namespace tracelite::retention::test {

using api::test::count;
using api::test::must;
using api::test::Store;
using store::test::fast_folder;
using store::test::Folder;

inline constexpr std::int64_t kSecondNs = 1'000'000'000;
inline constexpr std::int64_t kDayNs = 24 * 3'600 * kSecondNs;
inline constexpr std::uint64_t kDayMs = std::uint64_t{24} * 3'600 * 1'000;

// Text that does not get smaller, another one for each number.
inline std::string noise(std::uint32_t number, std::size_t size_bytes) {
  std::mt19937 random(number + 1);
  std::string text(size_bytes, ' ');
  for (char& letter : text) letter = static_cast<char>('!' + random() % 90);
  return text;
}

struct Made {
  std::int64_t time_ns = 0;
  std::uint32_t observation_count = 3;
  std::size_t input_size_bytes = 300;
  bool is_bookmarked = false;
  std::string session;
};

// A trace "t<number>" with observations, which last a second each.
inline void record(const Store& store, std::uint32_t number, const Made& made) {
  const std::string id = "t" + std::to_string(number);
  cpp::Trace trace(id);
  trace.timestamp(made.time_ns);
  if (made.is_bookmarked) trace.bookmarked(true);
  if (!made.session.empty()) trace.session(made.session);
  must(tl_put_trace(store.get(), trace.get()));
  for (std::uint32_t i = 0; i < made.observation_count; ++i) {
    const std::string of = id + "-" + std::to_string(i);
    const std::string input = noise(number * 1'000 + i, made.input_size_bytes);
    must(tl_put_observation(store.get(), cpp::Observation()
                                             .id(of)
                                             .trace_id(id)
                                             .start(made.time_ns)
                                             .end(made.time_ns + kSecondNs)
                                             .input(cpp::plain(input))
                                             .get()));
  }
}

inline std::vector<std::string> traces(const Store& store) {
  return api::test::traces_of(store, api::test::filter());
}

// Until it holds, after each commit of anybody.
inline void wait_until(const Store& store, const std::function<bool()>& holds) {
  std::uint64_t position = store.statistics().commit_number;
  while (!holds()) {
    constexpr std::uint32_t kHangsMs = 120'000;
    must(tl_wait(store.get(), position, kHangsMs, &position));
  }
}

inline tl_options with_age(std::uint64_t age_ms) {
  tl_options options{};
  options.retention_age_ms = age_ms;
  return options;
}
inline tl_options with_size(std::uint64_t size_bytes) {
  tl_options options{};
  options.retention_size_bytes = size_bytes;
  return options;
}

// All steps that are due; how many.
inline int run_steps(maintain::Retention& retention) {
  int steps = 1;
  while (retention.step()) ++steps;
  return steps;
}

}  // namespace tracelite::retention::test
