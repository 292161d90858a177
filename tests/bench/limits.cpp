#include "bench/limits.hpp"

#include <cmath>
#include <cstdio>
#include <utility>
#include <vector>

#include "bench/table.hpp"

namespace bench {
namespace {

std::vector<std::vector<std::string>>& rows() {
  static std::vector<std::vector<std::string>> all;
  return all;
}

std::string number(double value) {
  const double size = std::abs(value);
  return decimal(value, size < 10 ? 2 : size < 1000 ? 1 : 0);
}

void add(const std::string& what, double measured, const char* relation, double limit,
         const std::string& unit, bool holds) {
  rows().push_back({what, number(measured), relation + number(limit), unit.empty() ? "ratio" : unit,
                    holds ? "yes" : "NO"});
}

}  // namespace

void at_most(const std::string& what, double measured, double limit, const std::string& unit) {
  add(what, measured, "<= ", limit, unit, measured <= limit);
}

void at_least(const std::string& what, double measured, double limit, const std::string& unit) {
  add(what, measured, ">= ", limit, unit, measured >= limit);
}

void print_limits() {
  if (rows().empty()) return;
  Table table({"figures with a limit", "measured", "limit", "unit", "holds"});
  for (auto& row : rows()) table.add(std::move(row));
  rows().clear();
  std::fputs("\n", stderr);
  table.print();
}

}  // namespace bench
