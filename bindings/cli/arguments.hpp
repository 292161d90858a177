// What options take: words and numbers, and what is said of anything else.
//
// Knows CLI11's validators. Must not know the options.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace cli {

// One of these words, in any case; the option receives its number.
using Words = std::vector<std::pair<std::string, std::int64_t>>;
CLI::Validator one_of(const Words& words);
// A whole number above 0.
CLI::Validator count_of_one_or_more();
// A number above 0.
CLI::Validator number_above_zero();
// A number from 0 to the largest, or without end.
CLI::Validator number_from_zero();
CLI::Validator number_from_zero_to(double largest);

}  // namespace cli
