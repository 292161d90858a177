// ISO 8601 on top of the C++20 calendar.
#include "model/time.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>

namespace tracelite::model {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr int kYearMin = 1678;
constexpr int kYearMax = 2261;

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

std::optional<nanoseconds> take_clock(Bytes& text) {
  const int hour = take_digits(text, 2);
  if (hour < 0 || hour > 23 || !take(text, ':')) return std::nullopt;
  const int minute = take_digits(text, 2);
  if (minute < 0 || minute > 59) return std::nullopt;
  nanoseconds clock = hours(hour) + minutes(minute);
  if (!take(text, ':')) return clock;
  const int second = take_digits(text, 2);
  if (second < 0 || second > 60) return std::nullopt;
  clock += seconds(second);
  if (take(text, '.') || take(text, ',')) {
    const auto fraction = take_fraction(text);
    if (!fraction) return std::nullopt;
    clock += *fraction;
  }
  return clock;
}

std::optional<nanoseconds> take_zone(Bytes& text) {
  if (text.empty() || take(text, 'Z') || take(text, 'z')) return nanoseconds(0);
  const bool west = text.front() == '-';
  if (!west && text.front() != '+') return std::nullopt;
  text.remove_prefix(1);
  const int hour = take_digits(text, 2);
  take(text, ':');
  const int minute = text.empty() ? 0 : take_digits(text, 2);
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59) return std::nullopt;
  const nanoseconds offset = hours(hour) + minutes(minute);
  return west ? -offset : offset;
}

}  // namespace

std::optional<std::int64_t> parse_time(Bytes text) {
  const auto date = take_date(text);
  if (!date) return std::nullopt;
  nanoseconds time = date->time_since_epoch();
  if (take(text, 'T') || take(text, 't') || take(text, ' ')) {
    const auto clock = take_clock(text);
    if (!clock) return std::nullopt;
    time += *clock;
  }
  const auto zone = take_zone(text);
  if (!zone || !text.empty()) return std::nullopt;
  return (time - *zone).count();
}

std::string format_time(std::int64_t time_ns) {
  const std::chrono::sys_time<nanoseconds> time{nanoseconds(time_ns)};
  const auto day = std::chrono::floor<days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  std::array<char, 64> buffer{};
  const auto nanos = clock.subseconds().count();
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

std::int64_t now_ns() {
  return std::chrono::duration_cast<nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace tracelite::model
