// Lets the clock of this process go wrong on purpose, so that tests can see what happens then.
// Costs one relaxed load. Not part of the library's API.
#pragma once

#include <atomic>
#include <cstdint>

namespace tracelite::model::testing {

// Added to every reading of the clock.
inline std::atomic<std::int64_t> clock_offset_ns{0};  // NOLINT: set by tests alone

}  // namespace tracelite::model::testing
