// How values read for people: times, durations, sizes, money, and text that fits a column.
//
// Knows Unicode widths and the local time zone. Must not know traces.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cli {

inline constexpr std::int64_t kNsPerMs = 1'000'000;

// A locale whose wcwidth knows Unicode, whatever the user's; called first thing.
void use_unicode_widths();

// The text on one line, safe for a terminal: runs of white space become one space, control
// characters go, bytes that are no UTF-8 become U+FFFD.
std::string printable(std::string_view text);
// Columns that printable text takes.
std::size_t display_width(std::string_view text);
// Printable text cut to so many columns, its last one a … if it was cut.
std::string fit(std::string_view text, std::size_t width);
// The same, cut in the middle: the front and the end tell more of a JSON text than the front alone.
// `end` is the end of the text, which may be the whole of it.
std::string fit_middle(std::string_view front, std::string_view end, std::size_t width);
// JSON, or the front of it, readable: a string without its quotes, \n and \u escapes as what they
// mean. Printable.
std::string readable_json(std::string_view json);

std::string format_time(std::int64_t at_ns);        // 2026-11-21 14:03:07, local
std::string format_iso_time(std::int64_t at_ns);    // 2026-11-21T14:03:07.120Z
std::string format_duration(std::int64_t span_ns);  // 340 ms, 1.2 s, 4 m 05 s
std::string format_clock(std::int64_t span_ns);     // 0:01.234
std::string format_count(std::uint64_t count);      // 12,345
std::string format_size(std::uint64_t size_bytes);  // 1.2 MB
std::string format_cost(std::string_view dollars);  // $0.0123; "" for nothing and 0
std::string format_number(double value);            // as short as it can be said

// As a word for the shell.
std::string quoted(const std::string& word);
// "1 trace", "2 traces"
std::string plural(std::uint64_t count, std::string_view noun);

// Nanoseconds of an ISO 8601 time: 2026-11-21, 2026-11-21T14:03, ...:07.123456789, with Z or +01:00
// or, without, in local time. Out of range: nanoseconds since 1970 have no room for it.
enum class TimeText : std::uint8_t { time, none, out_of_range };
TimeText parse_time(std::string_view text, std::int64_t& at_ns);

}  // namespace cli
