// Makes the n-th put, erase or commit of this process fail on purpose, so that the tests of this
// room and of those above can see what happens then. Costs one relaxed load when off. Not part of
// the library's API.
#pragma once

#include <atomic>
#include <csignal>
#include <cstdint>

namespace tracelite::store::testing {

enum class Point {
  begin_write,
  put,
  erase,
  commit,
  // Of a replacement (replacement.hpp): after step 1, 4, 5, 6 and 7. From `renamed` on only
  // kKillHere does anything.
  replacement_written,
  replacement_announced,
  replacement_renamed,
  replacement_unlocked,
  replacement_synced,
};

inline constexpr int kPointCount = 9;

// As the code to fail with: the process is killed there.
inline constexpr int kKillHere = -1'000'000;

namespace internal {

struct Trap {
  std::atomic<std::uint64_t> calls_left{0};  // 0: not armed
  std::atomic<int> code{0};
};

inline Trap traps[kPointCount];  // NOLINT: one for each Point

}  // namespace internal

// The `nth` call from now on (1 is the next) fails with `code`: one of LMDB's codes, or an errno
// value. Later calls succeed again.
inline void fail(Point point, std::uint64_t nth, int code) {
  internal::Trap& trap = internal::traps[static_cast<int>(point)];
  trap.code.store(code, std::memory_order_relaxed);
  trap.calls_left.store(nth, std::memory_order_release);
}

// More flags of LMDB's for the files that are opened from now on: the proof that a test would find
// what they break.
inline std::atomic<unsigned> more_engine_flags{0};  // NOLINT: as above

// Free pages that the caps of a store (maintain/retention.hpp) leave to the file: its own figure,
// if 0.
inline std::atomic<std::uint64_t> free_size_bytes_max{0};  // NOLINT: as above

inline void fail_nothing() {
  for (internal::Trap& trap : internal::traps) trap.calls_left.store(0);
  more_engine_flags.store(0);
}

// The code to fail with, or 0.
inline int check(Point point) {
  internal::Trap& trap = internal::traps[static_cast<int>(point)];
  std::uint64_t left = trap.calls_left.load(std::memory_order_relaxed);
  while (left != 0) {
    if (trap.calls_left.compare_exchange_weak(left, left - 1, std::memory_order_acquire)) {
      if (left != 1) return 0;
      const int code = trap.code.load(std::memory_order_relaxed);
      if (code == kKillHere) raise(SIGKILL);
      return code;
    }
  }
  return 0;
}

}  // namespace tracelite::store::testing
