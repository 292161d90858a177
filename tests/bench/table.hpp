// Results as a table that a person can read, on standard error; programs read the lines of JSON.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bench {

class Table {
 public:
  explicit Table(std::vector<std::string> heads) { rows_.push_back(std::move(heads)); }
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  // The first column to the left, all others to the right.
  void print() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

std::string decimal(double number, int decimals);
std::string megabytes(std::uint64_t size_bytes);

}  // namespace bench
