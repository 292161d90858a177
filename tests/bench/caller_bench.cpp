#include "bench/caller_bench.hpp"

#include <tracelite/tracelite.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <latch>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "bench/json_line.hpp"
#include "bench/limits.hpp"
#include "bench/measure.hpp"
#include "bench/observation_shape.hpp"
#include "bench/progress.hpp"
#include "bench/sqlite_by_hand.hpp"

#ifdef TL_BENCH_SPDLOG
#include <spdlog/async.h>
#include <spdlog/sinks/basic_file_sink.h>
#endif

namespace bench {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

double elapsed_ns(Clock::time_point since) {
  return std::chrono::duration<double, std::nano>(Clock::now() - since).count();
}

// The time of each call of a burst, and of all of them together.
class Calls {
 public:
  // What `prepare` does is not counted.
  template <class Prepare, class Call>
  void burst(int count, const Prepare& prepare, const Call& call) {
    double sum_ns = 0;
    for (int i = 0; i < count; ++i) {
      const auto given = prepare();
      const auto before = Clock::now();
      call(given);
      each_ns_.push_back(elapsed_ns(before));
      sum_ns += each_ns_.back();
    }
    means_ns_.push_back(sum_ns / count);
  }
  [[nodiscard]] double mean_ns() const { return median(means_ns_); }
  [[nodiscard]] double at(double share) const {
    std::vector<double> sorted = each_ns_;
    std::sort(sorted.begin(), sorted.end());
    const auto last = static_cast<double>(sorted.size() - 1);
    return sorted[static_cast<std::size_t>(last * share)];
  }
  void add_to(JsonLine& line, const std::string& name) const {
    line.add(name + "_p50", at(0.5)).add(name + "_mean", mean_ns());
    line.add(name + "_p99.9", at(0.999));
  }

 private:
  std::vector<double> each_ns_;
  std::vector<double> means_ns_;
};

struct CloseStore {
  void operator()(tl_store* store) const { tl_close(store, UINT32_MAX, nullptr); }
};
using Store = std::unique_ptr<tl_store, CloseStore>;

Store open_store(const std::string& path, double sample_rate = 1) {
  fs::remove(path);
  tl_options options{};
  options.struct_size = sizeof options;
  options.sample_rate_set = 1;
  options.sample_rate = sample_rate;
  tl_store* store = nullptr;
  if (tl_open(path.c_str(), &options, &store) != TL_OK)
    throw std::runtime_error(tl_error()->message);
  return Store(store);
}

void flush(const Store& store) {
  if (tl_flush(store.get(), UINT32_MAX, nullptr) != TL_OK)
    throw std::runtime_error(tl_error()->message);
}

void put(const Store& store, const tl_observation* observation) {
  if (tl_put_observation(store.get(), observation) != TL_OK) {
    throw std::runtime_error(tl_error()->message);
  }
}

#ifdef TL_BENCH_SPDLOG
class Logger {
 public:
  explicit Logger(const std::string& path)
      : pool_(std::make_shared<spdlog::details::thread_pool>(131072, 1)),
        logger_(std::make_shared<spdlog::async_logger>(
            "bench", std::make_shared<spdlog::sinks::basic_file_sink_mt>(path, true), pool_,
            spdlog::async_overflow_policy::block)) {}
  void info(const std::string& text) { logger_->info("{}", text); }
  void drain() {
    while (pool_->queue_size() > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    logger_->flush();
  }

 private:
  std::shared_ptr<spdlog::details::thread_pool> pool_;
  std::shared_ptr<spdlog::async_logger> logger_;
};
#endif

constexpr int kBurstCount = 2000;
constexpr int kBurstsPerRun = 5;

// Into a preallocated ring, as a recorder without any format could do it.
class Ring {
 public:
  Ring() : bytes_(std::size_t{64} << 20, 'x') {}
  void copy(const std::string& text) {
    if (at_ + text.size() > bytes_.size()) at_ = 0;
    std::memcpy(bytes_.data() + at_, text.data(), text.size());
    at_ += text.size();
  }

 private:
  std::vector<char> bytes_;
  std::size_t at_ = 0;
};

void bench_one_kib(int run_count, const Folder& folder) {
  ObservationShape shape(1024);
  const std::string text(1024, 'a');
  Calls own;
  Calls logging;
  Calls inserting;
  std::vector<double> commits_ns;  // of a commit, for each of its inserts
  Calls unsampled;
  Calls nothing;  // what the clock takes, which is in all of these
  const Store store = open_store(folder.file("caller.tl"));
  const Store disabled = open_store(folder.file("disabled.tl"), 0);
  fs::remove(folder.file("caller.sqlite"));
  SqliteByHand sqlite(folder.file("caller.sqlite"));
#ifdef TL_BENCH_SPDLOG
  Logger logger(folder.file("caller.log"));
#endif
  Progress progress("caller, 1 KiB");
  const int burst_count = run_count * kBurstsPerRun;
  for (int i = 0; i < burst_count; ++i) {
    progress.show(static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(burst_count));
    const auto next = [&] { return shape.next(); };
    own.burst(kBurstCount, next, [&](const tl_observation* given) { put(store, given); });
    flush(store);
#ifdef TL_BENCH_SPDLOG
    logging.burst(kBurstCount, next, [&](const tl_observation*) { logger.info(text); });
    logger.drain();
#endif
    inserting.burst(
        kBurstCount, [&] { return &shape.next_event(); },
        [&](const Event* event) { sqlite.put(*event); });
    const auto before_commit = Clock::now();
    sqlite.commit();
    commits_ns.push_back(elapsed_ns(before_commit) / kBurstCount);
    unsampled.burst(kBurstCount, next, [&](const tl_observation* given) { put(disabled, given); });
    nothing.burst(kBurstCount, next, [](const tl_observation*) {});
  }
  JsonLine line("bench", "caller: a complete observation, 1 KiB of input and of output");
  line.add("unit", "ns");
  own.add_to(line, "tracelite");
  inserting.add_to(line, "sqlite");
  line.add_ratio("sqlite_by_tracelite_mean", ratio(inserting.mean_ns(), own.mean_ns()));
  line.add("sqlite_commit_mean", median(commits_ns));
  line.add_ratio("sqlite_with_commit_by_tracelite_mean",
                 ratio(inserting.mean_ns() + median(commits_ns), own.mean_ns()));
#ifdef TL_BENCH_SPDLOG
  logging.add_to(line, "spdlog");
  line.add_ratio("p50_by_spdlog", ratio(own.at(0.5), logging.at(0.5)));
  line.add_ratio("mean_by_spdlog", ratio(own.mean_ns(), logging.mean_ns()));
#endif
  const double unsampled_ns = unsampled.at(0.5) - nothing.at(0.5);
#ifdef TL_BENCH_SPDLOG
  at_most("caller: p50 by spdlog's", ratio(own.at(0.5), logging.at(0.5)), 1.5);
  at_most("caller: mean by spdlog's", ratio(own.mean_ns(), logging.mean_ns()), 1);
#endif
  at_least("caller: SQLite's insert by tracelite's mean", ratio(inserting.mean_ns(), own.mean_ns()),
           20);
  at_least("caller: SQLite's insert and its share of the commit by tracelite's mean",
           ratio(inserting.mean_ns() + median(commits_ns), own.mean_ns()), 20);
  at_most("caller: not sampled", unsampled_ns, 20, "ns");
  unsampled.add_to(line, "not_sampled");
  nothing.add_to(line, "clock");
  line.print();
}

// Bursts of as many as half the queue holds.
void bench_size(std::size_t size_bytes, double fixed_ns, const Folder& folder, int run_count,
                double& mean_ns) {
  ObservationShape shape(size_bytes / 2);
  const std::string text(size_bytes, 'a');
  const Store store = open_store(folder.file("caller.tl"));
  Ring ring;
  Calls own;
  Calls copying;
  const auto count = static_cast<int>(
      std::clamp<std::size_t>((std::size_t{8} << 20) / (size_bytes + 1024), 4, 2000));
  for (int i = 0; i < run_count * kBurstsPerRun; ++i) {
    const auto next = [&] { return shape.next(); };
    own.burst(count, next, [&](const tl_observation* given) { put(store, given); });
    flush(store);
    copying.burst(count, next, [&](const tl_observation*) { ring.copy(text); });
  }
  mean_ns = own.mean_ns();
  JsonLine line("bench", "caller: " + std::to_string(size_bytes) + " bytes of payload");
  line.add("unit", "ns");
  own.add_to(line, "tracelite");
  copying.add_to(line, "memcpy");
  if (fixed_ns > 0) {
    at_most("caller: " + std::to_string(size_bytes) + " bytes, without the fixed cost, by memcpy's",
            ratio(std::max(own.mean_ns() - fixed_ns, 0.0), copying.mean_ns()), 1.3);
  }
  line.add("fixed", fixed_ns);
  line.add_ratio("without_fixed_by_memcpy",
                 ratio(std::max(own.mean_ns() - fixed_ns, 0.0), copying.mean_ns()));
  line.print();
}

// Seconds for so many bursts, split over threads.
double threads_s(int thread_count, const Store& store) {
  constexpr int kCount = 4000;
  std::vector<ObservationShape> shapes(static_cast<std::size_t>(thread_count),
                                       ObservationShape(1024));
  for (std::size_t i = 0; i < shapes.size(); ++i) shapes[i].start_at(i * kCount);
  std::vector<std::thread> threads;
  threads.reserve(shapes.size());
  std::latch ready(thread_count + 1);
  for (ObservationShape& shape : shapes) {
    threads.emplace_back([&] {
      ready.arrive_and_wait();
      for (int i = 0; i < kCount / thread_count; ++i) put(store, shape.next());
    });
  }
  const auto start =
      Clock::now();  // before they are let go: one may be done before this thread runs
  ready.arrive_and_wait();
  for (std::thread& thread : threads) thread.join();
  const double seconds = elapsed_ns(start) / 1e9;
  flush(store);
  return seconds;
}

void bench_threads(int run_count, const Folder& folder) {
  const Store store = open_store(folder.file("caller.tl"));
  std::vector<double> one;
  std::vector<double> four;
  for (int i = 0; i < run_count * kBurstsPerRun; ++i) {
    one.push_back(threads_s(1, store));
    four.push_back(threads_s(4, store));
  }
  JsonLine line("bench", "caller: 4 threads beside 1, a burst of 4,000 observations of 2 KiB");
  line.add("unit", "s").add("one", median(one)).add("four", median(four));
  line.add_ratio("throughput_of_four_by_one", ratio(median(one), median(four)));
  at_least("caller: throughput of 4 threads by that of 1", ratio(median(one), median(four)), 1.5);
  line.print();
}

}  // namespace

void bench_caller(int run_count, const Folder& folder) {
  bench_one_kib(run_count, folder);
  double fixed_ns = 0;
  double ignored = 0;
  bench_size(100, 0, folder, run_count, fixed_ns);
  bench_size(10 * 1024, fixed_ns, folder, run_count, ignored);
  bench_size(1024 * 1024, fixed_ns, folder, run_count, ignored);
  bench_threads(run_count, folder);
  for (const char* name : {"caller.tl", "disabled.tl", "caller.sqlite", "caller.log"}) {
    fs::remove(folder.file(name));
  }
}

}  // namespace bench
