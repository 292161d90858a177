// Figures that have a limit, of everything that ran: one table at the end that a person can read.
#pragma once

#include <string>

namespace bench {

// `unit` may be empty: a ratio.
void at_most(const std::string& what, double measured, double limit, const std::string& unit = {});
void at_least(const std::string& what, double measured, double limit, const std::string& unit = {});
// On standard error; nothing if nothing had a limit.
void print_limits();

}  // namespace bench
