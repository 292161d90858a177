#include "bench/table.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace bench {

void Table::print() const {
  std::vector<std::size_t> widths(rows_.front().size());
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string blank(widths[i] - row[i].size(), ' ');
      line += i == 0 ? row[i] + blank : "  " + blank + row[i];
    }
    std::fprintf(stderr, "%s\n", line.c_str());
  }
}

std::string decimal(double number, int decimals) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", decimals, number);
  return text.data();
}

std::string megabytes(std::uint64_t size_bytes) {
  return decimal(static_cast<double>(size_bytes) * 1e-6, 2);
}

}  // namespace bench
