// The time by which the age of traces is counted. A clock that is wrong by years, as that of a
// machine whose battery is empty may be, must not delete what somebody wants to keep.
//
// The system's clock is believed as long as it is not ahead of what is known by more than
// kLeapNsMax. What is known: first the newest trace in the file (that of an empty file is now),
// then what was believed last, and the time that has passed since. A clock that leaps further is
// believed when it has stayed ahead for kLeapHoldsNs: by then somebody would have set it right.
// Till then time goes on from what is known; so after a long holiday deleting begins an hour late.
// A clock that is behind is believed at once: it only keeps more.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>

namespace tracelite::maintain {

class BelievedClock {
 public:
  static constexpr std::int64_t kLeapNsMax = std::int64_t{24} * 3'600 * 1'000'000'000;
  static constexpr std::int64_t kLeapHoldsNs = std::int64_t{3'600} * 1'000'000'000;

  // `passed_ns`: of a clock that cannot be set (model::passed_ns).
  BelievedClock(std::optional<std::int64_t> newest_ns, std::int64_t now_ns, std::int64_t passed_ns)
      : known_ns_(newest_ns && *newest_ns < now_ns ? *newest_ns : now_ns), known_at_(passed_ns) {}

  std::int64_t believe(std::int64_t now_ns, std::int64_t passed_ns) {
    std::int64_t expected_ns = 0;
    std::int64_t limit_ns = 0;
    if (__builtin_add_overflow(known_ns_, passed_ns - known_at_, &expected_ns) ||
        __builtin_add_overflow(expected_ns, kLeapNsMax, &limit_ns)) {
      limit_ns = std::numeric_limits<std::int64_t>::max();
    }
    if (now_ns > limit_ns) {
      if (!is_ahead_) ahead_since_ = passed_ns;
      is_ahead_ = true;
      if (passed_ns - ahead_since_ < kLeapHoldsNs) return expected_ns;
    }
    is_ahead_ = false;
    known_ns_ = now_ns;
    known_at_ = passed_ns;
    return now_ns;
  }

 private:
  std::int64_t known_ns_;
  std::int64_t known_at_;
  bool is_ahead_ = false;
  std::int64_t ahead_since_ = 0;
};

}  // namespace tracelite::maintain
