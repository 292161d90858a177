// What the observations of one model come to that began on one day (UTC). Kept in a table of its
// own, so that tokens and cost over time need not be summed up from every observation.
//
// There are only sums in it, and no earliest or latest: so whatever an observation adds can be
// taken off again, and the row is always right. Sums wrap around at 128 bits, for the same reason;
// that is far beyond what can be recorded.
//
// Format (day.sums): the number of observations by level, 1 to 4, and that of the unfinished as
// varints; input, output and total tokens and the cost as model::append_int128 has them.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "index/trace_sums.hpp"

namespace tracelite::index {

inline constexpr std::int64_t kDayNs = std::int64_t{86'400} * 1'000'000'000;

// Days since 1970 of a time.
constexpr std::int64_t day_of(std::int64_t time_ns) {
  return time_ns / kDayNs - (time_ns % kDayNs < 0 ? 1 : 0);
}

struct DaySums {
  std::array<std::uint64_t, model::kLevelCount> level_counts{};
  std::uint64_t unfinished_count = 0;
  model::Int128 input_tokens = 0, output_tokens = 0, total_tokens = 0, cost = 0;

  void add(const Figures& observation);
  void take_off(const Figures& observation);
  void add(const DaySums& other);
  [[nodiscard]] bool is_empty() const { return *this == DaySums(); }
  // Tokens at the end of their range where they are beyond it; without any times.
  [[nodiscard]] TraceSums saturated() const;

  void encode(std::string& out) const;
  static DaySums decode(Bytes coded);

  friend bool operator==(const DaySums&, const DaySums&) = default;
};

}  // namespace tracelite::index
