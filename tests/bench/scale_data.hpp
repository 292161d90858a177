// The traces of a large file: as many as asked for, the same for the same seed, in the order of
// time, with the densities that the constants below say.
//
// A trace has ten observations: an agent at its root, four model calls, three tool calls and two
// chains. Model calls have input and output, two of the tool calls an output, the trace the input
// of its first and the output of its last model call. Traces do not overlap, so that the last to
// begin is the last to end: then "sessions by last activity" is an order that SQLite by hand can
// read from an index as well.
#pragma once

#include <array>
#include <cstdint>
#include <memory_resource>
#include <string>
#include <string_view>

#include "bench/event.hpp"
#include "bench/text_pool.hpp"

namespace bench {

struct ScaleTrace {
  static constexpr std::size_t kObservationCount = 10;

  Event trace;
  std::array<Event, kObservationCount> observations;
  std::uint64_t payload_size_bytes = 0;
  std::uint64_t payload_count = 0;
};

class ScaleData {
 public:
  // To be changed with anything that changes what is made: files made otherwise are stale.
  static constexpr int kVersion = 1;

  // Twelve months; one week has more traces than others, and an incident of one model.
  static constexpr std::int64_t kDay_ns = 86'400'000'000'000;
  static constexpr std::int64_t kBegin_ns = 1'735'689'600'000'000'000;  // 2025-01-01
  static constexpr std::int64_t kEnd_ns = kBegin_ns + 365 * kDay_ns;
  static constexpr std::int64_t kBusyBegin_ns = kBegin_ns + 273 * kDay_ns;
  static constexpr std::int64_t kBusyEnd_ns = kBusyBegin_ns + 7 * kDay_ns;
  static constexpr std::uint64_t kBusyPercent = 15;           // of all traces
  static constexpr std::uint64_t kErrorPercent = 1;           // of observations
  static constexpr std::uint64_t kIncidentErrorPercent = 10;  // of kModel's calls in that week

  // Ten users have 2 % each; the others are one for about 20 traces.
  static constexpr const char* kUser = "user-heavy-3";
  // Ten sessions have 1.5 % each and last all the time; 10 % of the traces have none; the others
  // are one for 1.5 traces on the average, near to each other in time.
  static constexpr const char* kSession = "session-heavy-3";
  // 30 % and 20 %; kLeft and kRight 10 % each, never both; 36 more with 1 % each.
  static constexpr const char* kTag = "chat";
  static constexpr const char* kOtherTag = "beta";
  static constexpr const char* kLeftTag = "left";
  static constexpr const char* kRightTag = "right";
  static constexpr const char* kEnvironment =
      "production";                                        // 60 %; staging, development, evaluation
  static constexpr const char* kName = "answer question";  // 12 %; 49 other names of traces
  static constexpr const char* kModel = "gpt-4.1-mini";    // 40 % of the model calls; 11 others

  ScaleData(const TextPool& texts, std::uint64_t trace_count, std::uint64_t seed);

  // Valid until the next one.
  const ScaleTrace& next();

 private:
  void make_trace(std::int64_t start_ns);
  void make_observation(std::size_t at, std::int64_t start_ns, std::int64_t end_ns);
  void make_model_call(Event& event, tl_observation& call);
  std::int64_t next_start_ns();
  tl_text tags_of(Event& event);
  tl_text session_of();
  tl_payload payload(std::string_view head, std::string_view tail);
  tl_text keep(std::string_view text);
  tl_text hex(std::size_t digits);
  template <class Item>
  Item* keep_all(const Item* items, std::size_t count);

  const TextPool& texts_;
  const std::uint64_t trace_count_;
  Random random_;
  std::array<char, 1 << 17> buffer_;
  std::pmr::monotonic_buffer_resource memory_{buffer_.data(), buffer_.size()};
  std::uint64_t made_count_ = 0;
  std::uint64_t session_count_ = 0;
  std::array<std::uint64_t, 64> recent_sessions_{};
  ScaleTrace made_;
};

}  // namespace bench
