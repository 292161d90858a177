// The statistics and counters of a file: kept by the writer in every commit, so that reading them
// takes constant time.
//
// Format: under `meta` "statistics" the eight-byte big-endian numbers below in order, and under
// "counters" one such number for each Reason.
#pragma once

#include <array>
#include <cstdint>

#include "model/field.hpp"
#include "model/result.hpp"
#include "store/environment.hpp"

namespace tracelite::record {

struct Statistics {
  std::uint64_t traces = 0, observations = 0, scores = 0, sessions = 0, users = 0;
  std::uint64_t payload_size_bytes = 0;
  // How many observations have trace-less events: look-ups for them are skipped while it is 0.
  std::uint64_t strays = 0;

  friend bool operator==(const Statistics&, const Statistics&) = default;
};

using Counters = std::array<std::uint64_t, model::kReasonCount>;

Result<Statistics> read_statistics(const store::Transaction& transaction);
Status write_statistics(store::WriteTransaction& transaction, const Statistics& statistics);
Result<Counters> read_counters(const store::Transaction& transaction);
Status write_counters(store::WriteTransaction& transaction, const Counters& counters);

}  // namespace tracelite::record
