// What the observations and scores of a trace come to. It is kept in the trace's row, so that a
// list of traces, or the sums of a session, need not read the observations.
//
// Format (trace.sums): the number of scores as a varint; then, if there are observations: their
// number by level, 1 to 4, and that of the unfinished; input, output and total tokens; the cost;
// the earliest start as its distance from the trace's time; from there the latest start or end, and
// where anything has ended a 1 and the latest end, else a 0. All are varints, the first distance
// and the cost with their sign.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "model/bytes.hpp"
#include "model/decimal.hpp"
#include "model/field.hpp"

namespace tracelite::index {

// What one observation adds, as its row says.
struct Figures {
  std::int64_t start_ns = 0;
  std::optional<std::int64_t> end_ns;  // not before the start
  bool is_event = false;
  std::int64_t level = 0;  // model::Level
  std::int64_t input_tokens = 0, output_tokens = 0, total_tokens = 0;
  model::Int128 cost = 0;
};

// Sums stay at the end of their range where they would leave it.
struct TraceSums {
  std::uint64_t score_count = 0;
  std::array<std::uint64_t, model::kLevelCount> level_counts{};
  std::uint64_t unfinished_count = 0;
  std::uint64_t input_tokens = 0, output_tokens = 0, total_tokens = 0;
  model::Int128 cost = 0;
  // Only if there are observations.
  std::int64_t earliest_start_ns = 0;
  std::int64_t last_activity_ns = 0;  // the latest start or end
  std::optional<std::int64_t> latest_end_ns;

  [[nodiscard]] std::uint64_t observation_count() const;
  // From the earliest start to the latest end; 0 if nothing has ended.
  [[nodiscard]] std::int64_t latency_ns() const;

  void add(const Figures& observation);
  void add(const TraceSums& other);
  // The counts and sums of what was added before; but the times stay, as long as there are
  // observations. False if it cannot be done: a sum is at the end of its range.
  [[nodiscard]] bool take_off(const TraceSums& other);
  // One observation comes, changes or goes (nullptr: it was, or is, not there). False if the sums
  // after it cannot be told from those before: they must be summed up anew.
  [[nodiscard]] bool change(const Figures* before, const Figures* after);

  // `time_ns`: of the trace.
  void encode(std::int64_t time_ns, std::string& out) const;
  static TraceSums decode(Bytes coded, std::int64_t time_ns);

  friend bool operator==(const TraceSums&, const TraceSums&) = default;
};

}  // namespace tracelite::index
