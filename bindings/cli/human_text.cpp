#include "human_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <clocale>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <cwchar>
#include <system_error>

namespace cli {
namespace {

constexpr std::int64_t kNsPerUs = 1'000;
constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr char32_t kReplacement = 0xfffd;

// Takes one character off the front of text that is not empty; kReplacement for a byte that is no
// UTF-8.
char32_t take_character(std::string_view& text) {
  const auto byte = [&](std::size_t at) {
    return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U;
  };
  const unsigned first = byte(0);
  const std::size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  char32_t character = size == 1 ? first : first & (0xffU >> (size + 1));
  bool is_good = first < 0x80 || (first >= 0xc2 && first <= 0xf4);
  for (std::size_t at = 1; at < size && is_good; ++at) {
    is_good = (byte(at) & 0xc0U) == 0x80;
    character = (character << 6) | (byte(at) & 0x3fU);
  }
  constexpr std::array<char32_t, 5> kLeast = {0, 0, 0x80, 0x800, 0x10000};
  is_good = is_good && character >= kLeast.at(size) && character <= 0x10ffff &&
            (character < 0xd800 || character > 0xdfff);
  text.remove_prefix(is_good ? size : 1);
  return is_good ? character : kReplacement;
}

void append_utf8(std::string& text, char32_t character) {
  const auto put = [&](char32_t byte) { text += static_cast<char>(byte); };
  if (character < 0x80) {
    put(character);
  } else if (character < 0x800) {
    put(0xc0 | (character >> 6));
    put(0x80 | (character & 0x3f));
  } else if (character < 0x10000) {
    put(0xe0 | (character >> 12));
    put(0x80 | ((character >> 6) & 0x3f));
    put(0x80 | (character & 0x3f));
  } else {
    put(0xf0 | (character >> 18));
    put(0x80 | ((character >> 12) & 0x3f));
    put(0x80 | ((character >> 6) & 0x3f));
    put(0x80 | (character & 0x3f));
  }
}

bool is_space(char32_t character) {
  return character == ' ' || (character >= '\t' && character <= '\r') || character == 0x2028 ||
         character == 0x2029;
}

// What could move the cursor, change the terminal, or turn the direction of a line.
bool is_control(char32_t character) {
  return character < 0x20 || (character >= 0x7f && character < 0xa0) ||
         (character >= 0x202a && character <= 0x202e) ||
         (character >= 0x2066 && character <= 0x2069) || character == 0xfeff;
}

std::size_t width_of(char32_t character) {
  const int width = wcwidth(static_cast<wchar_t>(character));
  return width < 0 ? 1 : static_cast<std::size_t>(width);
}

std::string with_unit(double value, const char* unit) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), value < 9.95 ? "%.1f %s" : "%.0f %s", value, unit);
  return text.data();
}

// The four hex digits of a \uXXXX escape at the front of the text.
bool take_escape(std::string_view& text, char32_t& unit) {
  if (text.size() < 6 || text[0] != '\\' || text[1] != 'u') return false;
  std::uint32_t value = 0;
  const char* end = text.data() + 6;
  if (std::from_chars(text.data() + 2, end, value, 16).ptr != end) return false;
  unit = value;
  text.remove_prefix(6);
  return true;
}

// The character of a UTF-16 unit that was just taken; takes its second half off the text.
char32_t join_surrogates(std::string_view& text, char32_t unit) {
  if (unit < 0xd800 || unit >= 0xe000) return unit;
  char32_t low = 0;
  std::string_view rest = text;
  if (unit >= 0xdc00 || !take_escape(rest, low) || low < 0xdc00 || low >= 0xe000) {
    return kReplacement;
  }
  text = rest;
  return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
}

}  // namespace

void use_unicode_widths() {
  for (const char* name : {"C.UTF-8", "en_US.UTF-8", "UTF-8", ""}) {
    if (std::setlocale(LC_CTYPE, name) != nullptr) return;
  }
}

std::string printable(std::string_view text) {
  std::string line;
  bool space_before = false;
  while (!text.empty()) {
    const char32_t character = take_character(text);
    if (is_space(character)) {
      space_before = true;
    } else if (!is_control(character)) {
      if (space_before && !line.empty()) line += ' ';
      space_before = false;
      append_utf8(line, character);
    }
  }
  return line;
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) width += width_of(take_character(text));
  return width;
}

std::string fit(std::string_view text, std::size_t width) {
  std::size_t used = 0;
  std::size_t size_with_room = 0;  // the longest front that leaves a column for the …
  for (std::string_view left = text; !left.empty();) {
    used += width_of(take_character(left));
    if (used > width) {
      return width == 0 ? std::string() : std::string(text.substr(0, size_with_room)) + "…";
    }
    if (used < width) size_with_room = text.size() - left.size();
  }
  return std::string(text);
}

std::string fit_middle(std::string_view front, std::string_view end, std::size_t width) {
  const std::string head = fit(front, width / 2);
  const std::size_t room = width - std::min(width, display_width(head));
  std::size_t left = display_width(end);
  while (left > room) left -= width_of(take_character(end));
  return head + std::string(end);
}

std::string readable_json(std::string_view json) {
  const bool is_string = json.substr(0, 1) == "\"";
  if (is_string) {
    json.remove_prefix(1);
    if (json.substr(json.size() - std::min<std::size_t>(1, json.size())) == "\"") {
      json.remove_suffix(1);
    }
  }
  std::string plain;
  plain.reserve(json.size());
  while (!json.empty()) {
    char32_t unit = 0;
    if (take_escape(json, unit)) {
      append_utf8(plain, join_surrogates(json, unit));
    } else if (json.size() > 1 && json[0] == '\\') {
      const bool is_blank = json[1] == 'n' || json[1] == 'r' || json[1] == 't';
      plain += is_blank ? std::string_view(" ") : json.substr(is_string ? 1 : 0, is_string ? 1 : 2);
      json.remove_prefix(2);
    } else {
      plain += json[0];
      json.remove_prefix(1);
    }
  }
  return printable(plain);
}

// ----------------------------------------------------------------------------------------- times

std::string format_time(std::int64_t at_ns) {
  const std::int64_t seconds =
      at_ns >= 0 ? at_ns / kNsPerSecond : (at_ns - kNsPerSecond + 1) / kNsPerSecond;
  const std::time_t time = seconds;
  std::tm local{};
  if (localtime_r(&time, &local) == nullptr) return "?";
  std::array<char, 64> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &local);
  return text.data();
}

std::string format_iso_time(std::int64_t at_ns) {
  std::int64_t seconds = at_ns / kNsPerSecond;
  std::int64_t fraction = at_ns % kNsPerSecond;
  if (fraction < 0) {
    fraction += kNsPerSecond;
    --seconds;
  }
  const std::time_t time = seconds;
  std::tm utc{};
  if (gmtime_r(&time, &utc) == nullptr) return "?";
  std::array<char, 64> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  std::array<char, 16> digits{};
  std::snprintf(digits.data(), digits.size(), ".%09d", static_cast<int>(fraction));
  const std::size_t kept = fraction % kNsPerMs == 0 ? 4 : fraction % kNsPerUs == 0 ? 7 : 10;
  return std::string(text.data(), size) + std::string(digits.data(), kept) + "Z";
}

std::string format_duration(std::int64_t span_ns) {
  const auto span = static_cast<double>(span_ns);
  if (span_ns <= 0) return "0 ms";
  if (span < 999.5 * kNsPerUs) return with_unit(span / kNsPerUs, "µs");
  if (span < 999.5 * kNsPerMs) return with_unit(span / kNsPerMs, "ms");
  const std::int64_t seconds = (span_ns + kNsPerSecond / 2) / kNsPerSecond;
  if (seconds < 60) return with_unit(span / kNsPerSecond, "s");
  std::array<char, 64> text{};
  const auto write = [&](const char* format, std::int64_t large, std::int64_t small) {
    std::snprintf(text.data(), text.size(), format, static_cast<long long>(large),
                  static_cast<long long>(small));
  };
  if (seconds < 3600) {
    write("%lld m %02lld s", seconds / 60, seconds % 60);
  } else if (seconds < 86400) {
    write("%lld h %02lld m", seconds / 3600, seconds / 60 % 60);
  } else {
    write("%lld d %02lld h", seconds / 86400, seconds / 3600 % 24);
  }
  return text.data();
}

std::string format_clock(std::int64_t span_ns) {
  const std::int64_t ms = span_ns < 0 ? 0 : span_ns / kNsPerMs;
  std::array<char, 64> text{};
  const long long hours = ms / 3'600'000;
  const int minutes = static_cast<int>(ms / 60'000 % 60);
  const int seconds = static_cast<int>(ms / 1'000 % 60);
  if (hours > 0) {
    std::snprintf(text.data(), text.size(), "%lld:%02d:%02d.%03d", hours, minutes, seconds,
                  static_cast<int>(ms % 1'000));
  } else {
    std::snprintf(text.data(), text.size(), "%d:%02d.%03d", minutes, seconds,
                  static_cast<int>(ms % 1'000));
  }
  return text.data();
}

namespace {

// Takes exactly this many digits.
bool take_number(std::string_view& text, std::size_t digits, int& number) {
  if (text.size() < digits) return false;
  const char* end = text.data() + digits;
  if (text[0] < '0' || std::from_chars(text.data(), end, number).ptr != end) return false;
  text.remove_prefix(digits);
  return true;
}

bool take(std::string_view& text, char expected) {
  if (text.empty() || text[0] != expected) return false;
  text.remove_prefix(1);
  return true;
}

bool take_fraction(std::string_view& text, std::int64_t& fraction_ns) {
  std::int64_t unit = kNsPerSecond / 10;
  if (text.empty() || text[0] < '0' || text[0] > '9') return false;
  for (; !text.empty() && text[0] >= '0' && text[0] <= '9'; text.remove_prefix(1), unit /= 10) {
    fraction_ns += (text[0] - '0') * unit;
  }
  return true;
}

bool take_zone(std::string_view& text, std::int64_t& offset_seconds) {
  if (take(text, 'Z') || take(text, 'z')) return true;
  const bool is_behind = !text.empty() && text[0] == '-';
  int hours = 0;
  int minutes = 0;
  if (!(take(text, '+') || take(text, '-')) || !take_number(text, 2, hours)) return false;
  const bool has_colon = take(text, ':');
  if ((has_colon || !text.empty()) && !take_number(text, 2, minutes)) return false;
  offset_seconds = (is_behind ? -60 : 60) * (hours * 60 + minutes);
  return hours < 24 && minutes < 60;
}

}  // namespace

TimeText parse_time(std::string_view text, std::int64_t& at_ns) {
  std::tm time{};
  int year = 0;
  int month = 0;
  std::int64_t fraction_ns = 0;
  if (!take_number(text, 4, year) || !take(text, '-') || !take_number(text, 2, month) ||
      !take(text, '-') || !take_number(text, 2, time.tm_mday)) {
    return TimeText::none;
  }
  if (take(text, 'T') || take(text, 't') || take(text, ' ')) {
    if (!take_number(text, 2, time.tm_hour) || !take(text, ':') ||
        !take_number(text, 2, time.tm_min)) {
      return TimeText::none;
    }
    if (take(text, ':') && !take_number(text, 2, time.tm_sec)) return TimeText::none;
    if (take(text, '.') && !take_fraction(text, fraction_ns)) return TimeText::none;
  }
  time.tm_year = year - 1900;
  time.tm_mon = month - 1;
  time.tm_isdst = -1;
  const std::tm given = time;
  std::int64_t offset_seconds = 0;
  const bool is_local = text.empty();
  if (!is_local && (!take_zone(text, offset_seconds) || !text.empty())) return TimeText::none;
  const std::int64_t seconds = (is_local ? mktime(&time) : timegm(&time)) - offset_seconds;
  // A 31st of February comes back as another day.
  if (time.tm_mday != given.tm_mday || time.tm_mon != given.tm_mon || given.tm_hour > 23 ||
      given.tm_min > 59 || given.tm_sec > 59) {
    return TimeText::none;
  }
  const bool has_room = !__builtin_mul_overflow(seconds, kNsPerSecond, &at_ns) &&
                        !__builtin_add_overflow(at_ns, fraction_ns, &at_ns);
  return has_room ? TimeText::time : TimeText::out_of_range;
}

// --------------------------------------------------------------------------------------- numbers

std::string format_count(std::uint64_t count) {
  std::string text = std::to_string(count);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, 1, ',');
  return text;
}

std::string format_size(std::uint64_t size_bytes) {
  if (size_bytes < 1000) return std::to_string(size_bytes) + " B";
  auto value = static_cast<double>(size_bytes);
  const char* unit = "B";
  for (const char* larger : {"kB", "MB", "GB", "TB"}) {
    if (value < 999.5) break;
    value /= 1000;
    unit = larger;
  }
  return with_unit(value, unit);
}

std::string format_cost(std::string_view dollars) {
  double value = 0;
  std::from_chars(dollars.data(), dollars.data() + dollars.size(), value);
  if (value == 0) return "";
  const int places = std::abs(value) >= 1 ? 2 : std::abs(value) >= 0.01 ? 4 : 6;
  std::array<char, 64> digits{};
  std::snprintf(digits.data(), digits.size(), "$%.*f", places, value);
  std::string text = digits.data();
  for (int spare = places - 4; spare > 0 && text.back() == '0'; --spare) text.pop_back();
  return text;
}

std::string format_number(double value) {
  std::array<char, 64> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end.ptr};
}

std::string quoted(const std::string& word) {
  const bool is_plain = word.find_first_not_of(
                            "abcdefghijklmnopqrstuvwxyz"
                            "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./+:@%") == std::string::npos;
  if (is_plain && !word.empty()) return word;
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

std::string plural(std::uint64_t count, std::string_view noun) {
  return format_count(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

}  // namespace cli
