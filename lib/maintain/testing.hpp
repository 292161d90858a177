// Lets tests of what waits know that it does, without a clock. Not part of the library's API.
#pragma once

#include <atomic>
#include <cstdint>

namespace tracelite::maintain::testing {

// How often secure deletions of this process have found that snapshots hold back what is left.
inline std::atomic<std::uint64_t> held_back_count{0};  // NOLINT: one for all

}  // namespace tracelite::maintain::testing
