// Clocks, medians, and the lines that the benchmark prints.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace bench {

struct Cost {
  double wall_s = 0;
  double cpu_s = 0;  // of the whole process: a writer thread counts
};
Cost measure(const std::function<void()>& work);

// Seconds or bytes of the same work, run several times on either side.
struct Samples {
  std::vector<double> tracelite;
  std::vector<double> sqlite;
};

double median(std::vector<double> values);

// One result: medians of both sides, their ratio (below 1: tracelite takes less), and the spread.
struct Line {
  std::string bench;
  std::string unit;
  double units_in_one = 1;      // values are multiplied by it: 1e6 prints seconds as microseconds
  std::int64_t row_count = -1;  // how many rows the answer has; left out if negative
};
void print(const Line& line, const Samples& samples);

// A remark for whoever reads the output.
void print_note(const std::string& text);

double load_average();

}  // namespace bench
