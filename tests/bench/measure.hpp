// Clocks, medians, and the lines that compare tracelite with SQLite by hand.
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

// Seconds or bytes of the same work, run several times on each side.
struct Samples {
  std::vector<double> tracelite;
  std::vector<double> sqlite;
  std::vector<double> sqlite_zstd;  // empty where this side takes no part
};

double median(std::vector<double> values);

// 0 where `by` is 0.
double ratio(double number, double by);

// One result: medians of the sides, the ratio to the faster SQLite (below 1: tracelite takes less),
// and the spread.
struct Line {
  std::string bench;
  std::string unit;
  double units_in_one = 1;      // values are multiplied by it: 1e6 prints seconds as microseconds
  std::int64_t row_count = -1;  // how many rows the answer has; left out if negative
  // What all samples of one side have read, for samples in seconds; left out if 0.
  std::uint64_t payload_size_bytes = 0;
};
void print(const Line& line, const Samples& samples);

double load_average();

}  // namespace bench
