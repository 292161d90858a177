#include "bench/contention_bench.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <vector>

#include "bench/json_line.hpp"
#include "bench/limits.hpp"
#include "bench/measure.hpp"
#include "bench/progress.hpp"
#include "bench/resources.hpp"
#include "bench/table.hpp"
#include "bench/tracelite_file.hpp"
#include "bench/unique_events.hpp"
#include "tracelite/tracelite.hpp"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr unsigned kWriterCore = 0;
constexpr unsigned kReaderCore = 1;
// Recorded again and again under new ids.
constexpr std::uint64_t kObservationCount = 20'000;
constexpr std::size_t kPayloadSizeBytes = 600;
constexpr std::uint64_t kObservationsOfTrace = 10;
// What is there before, so that a reader has full pages from the begin.
constexpr std::uint64_t kPrefilledCount = 20'000;
constexpr double kWriterShareMin = 0.85;
constexpr double kReaderRatioMax = 5;
constexpr double kReaderP99Max_us = 2000;
constexpr double kFileRatioMax = 1.3;

void sleep_s(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

// ------------------------------------------------------------------------------------ the reader

struct Seen {
  double list_count = 0;
  double p50_us = 0;
  double p99_us = 0;
  double max_us = 0;
};

// A process that lists until it is told to stop.
class ReaderProcess {
 public:
  explicit ReaderProcess(const std::string& path) {
    std::array<int, 2> to{};
    std::array<int, 2> from{};
    if (pipe2(to.data(), O_CLOEXEC) != 0 || pipe2(from.data(), O_CLOEXEC) != 0) {
      throw std::runtime_error("cannot make a pipe");
    }
    const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
    child_ = fork();
    if (child_ < 0) throw std::runtime_error("cannot start a process");
    if (child_ == 0) {
      dup2(to[0], STDIN_FILENO);
      dup2(from[1], STDOUT_FILENO);
      execl(program.c_str(), program.c_str(), "contention-probe", "--file", path.c_str(), nullptr);
      _exit(127);
    }
    close(to[0]);
    close(from[1]);
    stop_ = to[1];
    told_ = from[0];
    char ready = 0;
    if (::read(told_, &ready, 1) != 1) throw std::runtime_error("the reader has not started");
  }
  ~ReaderProcess() {
    if (child_ > 0) stop();
  }
  ReaderProcess(const ReaderProcess&) = delete;
  ReaderProcess& operator=(const ReaderProcess&) = delete;

  Seen stop() {
    close(stop_);
    std::string text;
    std::array<char, 256> buffer{};
    for (ssize_t size = 0; (size = ::read(told_, buffer.data(), buffer.size())) > 0;) {
      text.append(buffer.data(), static_cast<std::size_t>(size));
    }
    close(told_);
    int status = 0;
    waitpid(child_, &status, 0);
    child_ = 0;
    Seen seen;
    std::istringstream in(text);
    in >> seen.list_count >> seen.p50_us >> seen.p99_us >> seen.max_us;
    return seen;
  }

 private:
  pid_t child_ = 0;
  int stop_ = -1;
  int told_ = -1;
};

bool is_input_at_end() {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  return poll(&input, 1, 0) > 0;
}

double quantile(std::vector<double>& values, double share) {
  if (values.empty()) return 0;
  const auto at = static_cast<std::ptrdiff_t>(static_cast<double>(values.size() - 1) * share);
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

// ------------------------------------------------------------------------------------ the writer

// Endless: the same observations under new ids, each trace with a record of its own.
class Flood {
 public:
  Flood() : events_(kObservationCount, kPayloadSizeBytes) {}

  void put_next(const tracelite::Store& store) {
    auto observation =
        std::get<tl_observation>(events_.all()[made_count_ % kObservationCount].entity);
    if (made_count_ % kObservationsOfTrace == 0) trace_id_ = id(made_count_) + id(~made_count_);
    id_ = id(made_count_);
    observation.id = tracelite::text(id_);
    observation.trace_id = tracelite::text(trace_id_);
    observation.start_time_ns += static_cast<std::int64_t>(made_count_) * 1'000'000;
    observation.end_time_ns = observation.start_time_ns + 900'000;
    tracelite::require(tl_put_observation(store.get(), &observation));
    ++made_count_;
  }

 private:
  static std::string id(std::uint64_t number) {
    std::array<char, 17> digits{};
    std::snprintf(digits.data(), digits.size(), "%016llx",
                  static_cast<unsigned long long>((number + 1) * 0x9e3779b97f4a7c15));
    return digits.data();
  }

  UniqueEvents events_;
  std::uint64_t made_count_ = 0;
  std::string id_, trace_id_;
};

struct Run {
  double speed = 0;            // observations a second, until durable
  double file_bytes_each = 0;  // of the file, an observation
  Seen seen;
};

Run run_once(const std::string& path, double run_s, bool with_reader, Flood& flood) {
  std::filesystem::remove(path);
  tracelite::Store store(path);
  for (std::uint64_t i = 0; i < kPrefilledCount; ++i) flood.put_next(store);
  store.flush();
  std::unique_ptr<ReaderProcess> reader;
  if (with_reader) reader = std::make_unique<ReaderProcess>(path);
  Run run;
  std::uint64_t count = 0;
  const auto start = Clock::now();
  const auto end =
      start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(run_s));
  while (Clock::now() < end) {
    for (int i = 0; i < 100; ++i) flood.put_next(store);
    count += 100;
  }
  store.flush();
  run.speed =
      static_cast<double>(count) / std::chrono::duration<double>(Clock::now() - start).count();
  if (reader) run.seen = reader->stop();
  store.close();
  run.file_bytes_each =
      static_cast<double>(file_size_bytes(path)) / static_cast<double>(count + kPrefilledCount);
  return run;
}

std::vector<double> each(const std::vector<Run>& runs, double (*part)(const Run&)) {
  std::vector<double> values;
  for (const Run& run : runs) values.push_back(part(run));
  return values;
}

std::string spread(std::vector<double> values, int decimals) {
  return decimal(*std::min_element(values.begin(), values.end()), decimals) + ".." +
         decimal(*std::max_element(values.begin(), values.end()), decimals);
}

}  // namespace

void bench_contention(const ContentionOptions& options, const Folder& folder) {
  const bool has_own_core = run_on_core(kReaderCore) && run_on_core(kWriterCore);
  if (!has_own_core) print_note("one core only: reader and writer share it");
  print_note("contention: load average " + std::to_string(load_average()));
  const std::string path = folder.file("contention.tl");
  Flood flood;
  std::vector<Run> alone, read, idle;
  Progress progress("contention");
  for (int i = 0; i < options.run_count; ++i) {
    progress.show(static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(options.run_count));
    alone.push_back(run_once(path, options.run_s, false, flood));
    {
      // Its idle time, on a file as large.
      ReaderProcess reader(path);
      sleep_s(std::min(options.run_s, 2.0));
      Run only;
      only.seen = reader.stop();
      idle.push_back(only);
    }
    read.push_back(run_once(path, options.run_s, true, flood));
  }
  const auto speed = [](const Run& run) { return run.speed; };
  const auto size = [](const Run& run) { return run.file_bytes_each; };
  const auto p99 = [](const Run& run) { return run.seen.p99_us; };
  const auto p50 = [](const Run& run) { return run.seen.p50_us; };
  const auto lists = [](const Run& run) { return run.seen.list_count; };
  const double share = ratio(median(each(read, speed)), median(each(alone, speed)));
  const double reader_p99 = median(each(read, p99));
  const double idle_p99 = median(each(idle, p99));
  const double growth = ratio(median(each(read, size)), median(each(alone, size)));
  const bool is_reader_good = reader_p99 <= std::max(kReaderRatioMax * idle_p99, kReaderP99Max_us);

  JsonLine line("bench", "contention");
  line.add("own_core", has_own_core).add("runs", std::uint64_t{alone.size()});
  line.add("run_s", options.run_s).add("writer_alone", median(each(alone, speed)));
  line.add("writer_beside_reader", median(each(read, speed))).add("unit", "observations/s");
  line.add_ratio("writer_keeps", share).add("reader_idle_p50_us", median(each(idle, p50)));
  line.add("reader_idle_p99_us", idle_p99).add("reader_p50_us", median(each(read, p50)));
  line.add("reader_p99_us", reader_p99).add("reader_lists_a_run", median(each(read, lists)));
  line.add("file_bytes_an_observation_alone", median(each(alone, size)));
  line.add_ratio("file_grows_by", growth);
  line.add("holds", share >= kWriterShareMin && is_reader_good && growth <= kFileRatioMax).print();

  at_least("beside a reader: the writer keeps of its speed", share, kWriterShareMin);
  at_most("beside a writer: the reader's p99", reader_p99,
          std::max(kReaderRatioMax * idle_p99, kReaderP99Max_us), "us");
  at_most("beside a reader: the file, by the one without", growth, kFileRatioMax);

  Table table({"beside a reader on the other core", "alone", "spread", "beside", "spread", "ratio",
               "limit", "holds"});
  table.add({"writer, observations/s", decimal(median(each(alone, speed)), 0),
             spread(each(alone, speed), 0), decimal(median(each(read, speed)), 0),
             spread(each(read, speed), 0), decimal(share, 3), ">= 0.85",
             share >= kWriterShareMin ? "yes" : "no"});
  table.add({"reader's p99 of a list, us", decimal(idle_p99, 0), spread(each(idle, p99), 0),
             decimal(reader_p99, 0), spread(each(read, p99), 0),
             decimal(ratio(reader_p99, idle_p99), 2), "<= 5, or 2000 us",
             is_reader_good ? "yes" : "no"});
  table.add({"reader's median of a list, us", decimal(median(each(idle, p50)), 0), "",
             decimal(median(each(read, p50)), 0), "",
             decimal(ratio(median(each(read, p50)), median(each(idle, p50))), 2), "", ""});
  table.add({"file, bytes an observation", decimal(median(each(alone, size)), 0),
             spread(each(alone, size), 0), decimal(median(each(read, size)), 0),
             spread(each(read, size), 0), decimal(growth, 3), "<= 1.3",
             growth <= kFileRatioMax ? "yes" : "no"});
  table.print();
}

void probe_contention(const std::string& path) {
  run_on_core(kReaderCore);
  tl_options options = tracelite::Store::options();
  options.read_only = 1;
  const tracelite::Store store(path, options);
  std::vector<double> times_us;
  const auto list = [&](tl_kind kind) {
    const auto before = Clock::now();
    tracelite::Cursor cursor = store.list(kind, tracelite::filter(), TL_ORDER_TIME, {}, 50);
    while (cursor.next() != nullptr) {
    }
    times_us.push_back(std::chrono::duration<double, std::micro>(Clock::now() - before).count());
  };
  list(TL_KIND_TRACE);
  times_us.clear();
  if (::write(STDOUT_FILENO, "r", 1) != 1) return;  // ready
  while (!is_input_at_end()) {
    list(TL_KIND_TRACE);
    list(TL_KIND_OBSERVATION);
  }
  const auto count = static_cast<double>(times_us.size());
  std::printf("%.0f %.2f %.2f %.2f\n", count, quantile(times_us, 0.5), quantile(times_us, 0.99),
              quantile(times_us, 1));
}

}  // namespace bench
