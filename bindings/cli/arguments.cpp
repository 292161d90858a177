// See arguments.hpp.
#include "arguments.hpp"

#include <strings.h>

#include <cmath>
#include <cstdlib>
#include <limits>

#include "human_text.hpp"

namespace cli {
namespace {

std::string refused(const std::string& given, const std::string& wanted) {
  return "'" + printable(given) + "' is not " + wanted;
}

// Not a number where there is none, or more than that.
double number_in(const std::string& text) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  const bool is_whole_text = !text.empty() && *end == '\0';
  return is_whole_text && std::isfinite(number) ? number : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

CLI::Validator one_of(const Words& words) {
  std::string list;
  for (const auto& [word, number] : words) list += (list.empty() ? "" : ", ") + word;
  const auto take = [words, list](std::string& given) -> std::string {
    for (const auto& [word, number] : words) {
      if (strcasecmp(word.c_str(), given.c_str()) != 0) continue;
      given = std::to_string(number);
      return {};
    }
    return refused(given, "one of " + list);
  };
  return {take, ""};
}

CLI::Validator count_of_one_or_more() {
  const auto check = [](std::string& given) -> std::string {
    const bool is_whole = given.find_first_not_of("0123456789") == std::string::npos;
    if (is_whole && number_in(given) >= 1) return {};
    return refused(given, "a whole number above 0");
  };
  return {check, ""};
}

CLI::Validator number_above_zero() {
  const auto check = [](std::string& given) -> std::string {
    return number_in(given) > 0 ? "" : refused(given, "a number above 0");
  };
  return {check, ""};
}

CLI::Validator number_from_zero() {
  const auto check = [](std::string& given) -> std::string {
    return number_in(given) >= 0 ? "" : refused(given, "a number from 0 on");
  };
  return {check, ""};
}

CLI::Validator number_from_zero_to(double largest) {
  const auto check = [largest](std::string& given) -> std::string {
    const double number = number_in(given);
    if (number >= 0 && number <= largest) return {};
    return refused(given, "a number from 0 to " + format_number(largest));
  };
  return {check, ""};
}

}  // namespace cli
