// Times: nanoseconds since 1970 in UTC inside, ISO 8601 outside.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/bytes.hpp"

namespace tracelite::model {

// "2026-11-21T00:20:28.509Z": a date, then a time with up to nine decimals of seconds (further ones
// are cut off), then Z, an offset, or nothing (UTC). What does not fit in 64 bits of nanoseconds
// (before 1677-09-21, after 2262-04-11) is refused like anything else: nullopt.
std::optional<std::int64_t> parse_time(Bytes text);

// With 'Z', and as many decimals as are needed: none, 3, 6 or 9.
std::string format_time(std::int64_t time_ns);

std::int64_t now_ns();
// Of a clock that nobody can set, which goes on while the machine sleeps: for differences.
std::int64_t passed_ns();

}  // namespace tracelite::model
