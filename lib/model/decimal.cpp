// Reading, writing and coding of decimal numbers, without going through floating point.
#include "model/decimal.hpp"

#include <algorithm>
#include <array>

#include "model/limits.hpp"

namespace tracelite::model {
namespace {

__extension__ using Unsigned128 = unsigned __int128;

constexpr int kDigitsMax = 1 + kCostPowerOfTenMax + kCostDecimalPlaces;  // of kCostUnitsMax
constexpr int kExponentMax = 1'000'000'000;                              // more is as good as this

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "+5", "-12", "7": what follows the e of a number; limited to kExponentMax either way.
std::optional<int> exponent_of(Bytes text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text.empty() || !std::all_of(text.begin(), text.end(), is_digit)) return std::nullopt;
  int exponent = 0;
  for (const char digit : text) {
    if (exponent < kExponentMax / 10)
      exponent = exponent * 10 + (digit - '0');
    else
      exponent = kExponentMax;
  }
  return negative ? -exponent : exponent;
}

struct Digits {
  std::string digits;         // without leading zeros
  std::int64_t exponent = 0;  // of the last digit
};

// Splits "12.50e-3" into its digits and the exponent of the last one.
std::optional<Digits> split(Bytes text) {
  Digits result;
  bool any = false;
  bool point = false;
  while (!text.empty() && (is_digit(text.front()) || (text.front() == '.' && !point))) {
    if (text.front() == '.') {
      point = true;
    } else {
      any = true;
      if (!result.digits.empty() || text.front() != '0') result.digits.push_back(text.front());
      if (point) --result.exponent;
    }
    text.remove_prefix(1);
  }
  if (!any) return std::nullopt;
  if (text.empty()) return result;
  if (text.front() != 'e' && text.front() != 'E') return std::nullopt;
  const std::optional<int> exponent = exponent_of(text.substr(1));
  if (!exponent) return std::nullopt;
  result.exponent += *exponent;
  return result;
}

// Cuts the last `count` digits off; true if what is left must be rounded up.
bool cut_half_even(std::string& digits, std::uint64_t count) {
  if (count > digits.size()) {
    digits.clear();
    return false;
  }
  const std::size_t keep = digits.size() - static_cast<std::size_t>(count);
  const char half = digits[keep];
  const bool beyond = digits.find_first_not_of('0', keep + 1) != std::string::npos;
  const bool odd = keep > 0 && (digits[keep - 1] - '0') % 2 == 1;
  digits.resize(keep);
  return half > '5' || (half == '5' && (beyond || odd));
}

}  // namespace

std::optional<Int128> parse_decimal(Bytes text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  std::optional<Digits> number = split(text);
  if (!number) return std::nullopt;
  std::string& digits = number->digits;
  if (digits.empty()) return Int128{0};
  const std::int64_t shift = number->exponent + kCostDecimalPlaces;
  bool round_up = false;
  if (shift < 0) {
    round_up = cut_half_even(digits, static_cast<std::uint64_t>(-shift));
  } else if (shift <= kDigitsMax) {
    digits.append(static_cast<std::size_t>(shift), '0');
  } else {
    return std::nullopt;
  }
  if (digits.size() > static_cast<std::size_t>(kDigitsMax)) return std::nullopt;
  Int128 units = 0;
  for (const char digit : digits) units = units * 10 + (digit - '0');
  if (round_up) ++units;
  if (units > kCostUnitsMax) return std::nullopt;
  return negative ? -units : units;
}

std::string format_decimal(Int128 units) {
  if (units == 0) return "0";
  auto rest = static_cast<Unsigned128>(units);
  if (units < 0) rest = 0 - rest;
  std::array<char, 48> digits;  // filled from its end
  std::size_t start = digits.size();
  for (int place = 0; rest != 0 || place <= kCostDecimalPlaces; ++place) {
    unsigned digit = 0;
    if (rest <= UINT64_MAX) {  // which is divided ten times as fast
      const auto small = static_cast<std::uint64_t>(rest);
      digit = static_cast<unsigned>(small % 10);
      rest = small / 10;
    } else {
      digit = static_cast<unsigned>(rest % 10);
      rest /= 10;
    }
    const bool has_digit = start < digits.size();
    if (place < kCostDecimalPlaces && digit == 0 && !has_digit) continue;
    if (place == kCostDecimalPlaces && has_digit) digits[--start] = '.';
    digits[--start] = static_cast<char>('0' + digit);
  }
  if (units < 0) digits[--start] = '-';
  return {digits.data() + start, digits.size() - start};
}

Int128 add_saturated(Int128 a, Int128 b) {
  constexpr auto kMax = static_cast<Int128>(~Unsigned128{0} >> 1);
  Int128 sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b < 0 ? -kMax - 1 : kMax;
}

void append_int128(std::string& out, Int128 value) {
  auto rest = static_cast<Unsigned128>(value) << 1;
  if (value < 0) rest = ~rest;
  while (rest >= 0x80) {
    out.push_back(static_cast<char>(static_cast<unsigned>(rest & 0x7f) | 0x80U));
    rest >>= 7;
  }
  out.push_back(static_cast<char>(rest));
}

Int128 read_int128(ByteReader& reader) {
  Unsigned128 value = 0;
  std::uint8_t next = 0x80;
  for (unsigned shift = 0; shift < 128 && (next & 0x80) != 0; shift += 7) {
    next = reader.byte();
    value |= static_cast<Unsigned128>(next & 0x7f) << shift;
  }
  if ((next & 0x80) != 0) reader.fail();
  const auto half = static_cast<Int128>(value >> 1);
  return (value & 1) != 0 ? ~half : half;
}

}  // namespace tracelite::model
