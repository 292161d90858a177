#include "bench/measure.hpp"

#include <stdlib.h>
#include <time.h>

#include <algorithm>
#include <numeric>

#include "bench/json_line.hpp"

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

double sum(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

// Of the faster SQLite.
template <class Statistic>
double best_sqlite(const Samples& samples, const Statistic& statistic) {
  const double text = statistic(samples.sqlite);
  return samples.sqlite_zstd.empty() ? text : std::min(text, statistic(samples.sqlite_zstd));
}

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

double ratio(double number, double by) { return by > 0 ? number / by : 0; }

void print(const Line& line, const Samples& samples) {
  const double by = line.units_in_one;
  const bool with_zstd = !samples.sqlite_zstd.empty();
  const double own = median(samples.tracelite);

  JsonLine out("bench", line.bench);
  out.add("tracelite", own * by).add("sqlite", median(samples.sqlite) * by);
  if (with_zstd) out.add("sqlite_zstd", median(samples.sqlite_zstd) * by);
  out.add_ratio("ratio", ratio(own, best_sqlite(samples, median)));
  out.add("unit", line.unit).add("runs", std::uint64_t{samples.tracelite.size()});
  out.add("min", smallest(samples.tracelite) * by).add("max", largest(samples.tracelite) * by);
  out.add("sqlite_min", smallest(samples.sqlite) * by);
  out.add("sqlite_max", largest(samples.sqlite) * by);
  if (with_zstd) {
    out.add("sqlite_zstd_min", smallest(samples.sqlite_zstd) * by);
    out.add("sqlite_zstd_max", largest(samples.sqlite_zstd) * by);
  }
  out.add_ratio("ratio_of_minima",
                ratio(smallest(samples.tracelite), best_sqlite(samples, smallest)));
  if (line.row_count >= 0) out.add("rows", static_cast<std::uint64_t>(line.row_count));
  if (line.payload_size_bytes > 0) {
    const auto size_bytes = static_cast<double>(line.payload_size_bytes);
    out.add("payload_bytes", line.payload_size_bytes);
    out.add("payload_bytes_a_second", ratio(size_bytes, sum(samples.tracelite)));
    out.add("sqlite_payload_bytes_a_second", ratio(size_bytes, sum(samples.sqlite)));
    if (with_zstd) {
      out.add("sqlite_zstd_payload_bytes_a_second", ratio(size_bytes, sum(samples.sqlite_zstd)));
    }
  }
  out.print();
}

double load_average() {
  double load = 0;
  return getloadavg(&load, 1) == 1 ? load : 0;
}

}  // namespace bench
