#include "bench/measure.hpp"

#include <stdlib.h>
#include <time.h>

#include <algorithm>
#include <cstdio>

namespace bench {
namespace {

double seconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double smallest(const std::vector<double>& values) {
  return values.empty() ? 0 : *std::min_element(values.begin(), values.end());
}

double largest(const std::vector<double>& values) {
  return values.empty() ? 0 : *std::max_element(values.begin(), values.end());
}

double ratio(double tracelite, double sqlite) { return sqlite > 0 ? tracelite / sqlite : 0; }

}  // namespace

Cost measure(const std::function<void()>& work) {
  const double wall_s = seconds(CLOCK_MONOTONIC);
  const double cpu_s = seconds(CLOCK_PROCESS_CPUTIME_ID);
  work();
  return {seconds(CLOCK_MONOTONIC) - wall_s, seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_s};
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

void print(const Line& line, const Samples& samples) {
  const double by = line.units_in_one;
  const double own = median(samples.tracelite);
  const double other = median(samples.sqlite);
  std::printf("{\"bench\":\"%s\",\"tracelite\":%.10g,\"sqlite\":%.10g,\"ratio\":%.3f,",
              line.bench.c_str(), own * by, other * by, ratio(own, other));
  std::printf("\"unit\":\"%s\",\"runs\":%zu,\"min\":%.10g,\"max\":%.10g,", line.unit.c_str(),
              samples.tracelite.size(), smallest(samples.tracelite) * by,
              largest(samples.tracelite) * by);
  std::printf("\"sqlite_min\":%.10g,\"sqlite_max\":%.10g,\"ratio_of_minima\":%.3f",
              smallest(samples.sqlite) * by, largest(samples.sqlite) * by,
              ratio(smallest(samples.tracelite), smallest(samples.sqlite)));
  if (line.row_count >= 0) std::printf(",\"rows\":%lld", static_cast<long long>(line.row_count));
  std::printf("}\n");
  std::fflush(stdout);
}

void print_note(const std::string& text) {
  std::printf("{\"note\":\"%s\"}\n", text.c_str());
  std::fflush(stdout);
}

double load_average() {
  double load = 0;
  return getloadavg(&load, 1) == 1 ? load : 0;
}

}  // namespace bench
