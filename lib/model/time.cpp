// ISO 8601 on top of the C++20 calendar.
#include "model/time.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <ctime>

#include "model/testing.hpp"

namespace tracelite::model {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;

// What 64 bits of nanoseconds reach; the ends are in the middle of these years.
constexpr int kYearMin = 1677;
constexpr int kYearMax = 2262;
constexpr std::int64_t kSecondNs = 1'000'000'000;

// Takes `count` digits from the front; -1 if there are fewer.
int take_digits(Bytes& text, std::size_t count) {
  int value = 0;
  if (text.size() < count) return -1;
  for (std::size_t i = 0; i < count; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool take(Bytes& text, char expected) {
  if (text.empty() || text.front() != expected) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<std::chrono::sys_days> take_date(Bytes& text) {
  const int year = take_digits(text, 4);
  if (year < kYearMin || year > kYearMax || !take(text, '-')) return std::nullopt;
  const int month = take_digits(text, 2);
  if (month < 0 || !take(text, '-')) return std::nullopt;
  const int day = take_digits(text, 2);
  if (day < 0) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date);
}

std::optional<nanoseconds> take_fraction(Bytes& text) {
  std::int64_t value = 0;
  std::int64_t unit = 100'000'000;
  bool any = false;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    value += (text.front() - '0') * unit;
    unit /= 10;
    any = true;
    text.remove_prefix(1);
  }
  if (!any) return std::nullopt;
  return nanoseconds(value);
}

// A time of day: seconds and the nanoseconds beyond them, apart because both ends of the range
// would overflow in between.
struct Clock {
  seconds whole{0};
  nanoseconds fraction{0};
};

std::optional<Clock> take_clock(Bytes& text) {
  const int hour = take_digits(text, 2);
  if (hour < 0 || hour > 23 || !take(text, ':')) return std::nullopt;
  const int minute = take_digits(text, 2);
  if (minute < 0 || minute > 59) return std::nullopt;
  Clock clock{hours(hour) + minutes(minute)};
  if (!take(text, ':')) return clock;
  const int second = take_digits(text, 2);
  if (second < 0 || second > 60) return std::nullopt;
  clock.whole += seconds(second);
  if (take(text, '.') || take(text, ',')) {
    const auto fraction = take_fraction(text);
    if (!fraction) return std::nullopt;
    clock.fraction = *fraction;
  }
  return clock;
}

std::optional<seconds> take_zone(Bytes& text) {
  if (text.empty() || take(text, 'Z') || take(text, 'z')) return seconds(0);
  const bool west = text.front() == '-';
  if (!west && text.front() != '+') return std::nullopt;
  text.remove_prefix(1);
  const int hour = take_digits(text, 2);
  const bool colon = take(text, ':');
  const int minute = text.empty() && !colon ? 0 : take_digits(text, 2);
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59) return std::nullopt;
  const seconds offset = hours(hour) + minutes(minute);
  return west ? -offset : offset;
}

}  // namespace

std::optional<std::int64_t> parse_time(Bytes text) {
  const auto date = take_date(text);
  if (!date) return std::nullopt;
  Clock clock;
  if (take(text, 'T') || take(text, 't') || take(text, ' ')) {
    const auto taken = take_clock(text);
    if (!taken) return std::nullopt;
    clock = *taken;
  }
  const auto zone = take_zone(text);
  if (!zone || !text.empty()) return std::nullopt;
  std::int64_t whole = (seconds(date->time_since_epoch()) + clock.whole - *zone).count();
  std::int64_t fraction = clock.fraction.count();
  if (whole < 0 && fraction != 0) {
    ++whole;
    fraction -= kSecondNs;
  }
  std::int64_t time_ns = 0;
  if (__builtin_mul_overflow(whole, kSecondNs, &time_ns) ||
      __builtin_add_overflow(time_ns, fraction, &time_ns)) {
    return std::nullopt;
  }
  return time_ns;
}

std::string format_time(std::int64_t time_ns) {
  std::int64_t whole = time_ns / kSecondNs;
  std::int64_t nanos = time_ns % kSecondNs;
  if (nanos < 0) {
    --whole;
    nanos += kSecondNs;
  }
  const std::chrono::sys_seconds time{seconds(whole)};
  const auto day = std::chrono::floor<days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  std::array<char, 64> buffer{};
  int size = std::snprintf(
      buffer.data(), buffer.size(), "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()));
  std::string text(buffer.data(), static_cast<std::size_t>(size));
  if (nanos != 0) {
    size = std::snprintf(buffer.data(), buffer.size(), ".%09lld", static_cast<long long>(nanos));
    std::string fraction(buffer.data(), static_cast<std::size_t>(size));
    while (fraction.ends_with("000")) fraction.resize(fraction.size() - 3);
    text += fraction;
  }
  return text + "Z";
}

std::int64_t passed_ns() {
#ifdef CLOCK_BOOTTIME
  constexpr clockid_t kClock = CLOCK_BOOTTIME;
#else
  constexpr clockid_t kClock = CLOCK_MONOTONIC;
#endif
  timespec time = {};
  clock_gettime(kClock, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec +
         testing::clock_offset_ns.load(std::memory_order_relaxed);
}

std::int64_t now_ns() {
  return std::chrono::duration_cast<nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
             .count() +
         testing::clock_offset_ns.load(std::memory_order_relaxed);
}

}  // namespace tracelite::model
