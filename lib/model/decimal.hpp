// Exact decimal numbers for costs: whole multiples of 10^-12 in 128 bits.
#pragma once

#include <optional>
#include <string>

#include "model/bytes.hpp"
#include "model/limits.hpp"

namespace tracelite::model {

__extension__ using Int128 = __int128;

// The largest cost, either way. Every number up to it comes back from its text.
inline constexpr Int128 kCostUnitsMax = [] {
  Int128 units = 1;
  for (int i = 0; i < kCostPowerOfTenMax + kCostDecimalPlaces; ++i) units *= 10;
  return units;
}();

// The number in units of 10^-12, rounded half to even; nullopt if it is no decimal number (an
// exponent is allowed) or larger than kCostUnitsMax.
std::optional<Int128> parse_decimal(Bytes text);

// The shortest exact text: "0", "0.00125", "-3.5".
std::string format_decimal(Int128 units);

void append_int128(std::string& out, Int128 value);  // zigzag, seven bits a byte
Int128 read_int128(ByteReader& reader);

// Stays at the end of the range where the sum would leave it.
Int128 add_saturated(Int128 a, Int128 b);

}  // namespace tracelite::model
