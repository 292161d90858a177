#include "bench/sustained_bench.hpp"

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <thread>

#include "bench/event.hpp"
#include "bench/events.hpp"
#include "bench/json_line.hpp"
#include "bench/limits.hpp"
#include "bench/measure.hpp"
#include "bench/progress.hpp"
#include "bench/resources.hpp"
#include "bench/sink.hpp"
#include "bench/table.hpp"
#include "bench/tracelite_file.hpp"
#include "bench/unique_events.hpp"
#include "tracelite/tracelite.hpp"

namespace bench {
namespace {

constexpr std::size_t kThreadCount = 4;
constexpr std::uint64_t kUniqueCount = 200'000;
constexpr std::size_t kUniqueSizeBytes = 600;
constexpr double kMiB = 1 << 20;
// As the issue of it says: the queue's bound and 48 MiB.
constexpr double kMemoryMax_mib = 16 + 48;

struct Run {
  double wall_s = 0;
  double cpu_s = 0;
  double file_mb = 0;
  double rss_mib = 0;
};

// Each thread has a part of the stream, as workers have conversations of their own.
template <class Put>
void from_threads(const std::vector<Event>& events, const Put& put) {
  std::vector<std::thread> threads;
  std::vector<std::exception_ptr> failures(kThreadCount);
  for (std::size_t i = 0; i < kThreadCount; ++i) {
    threads.emplace_back([&, i] {
      try {
        const std::size_t end = events.size() * (i + 1) / kThreadCount;
        for (std::size_t at = events.size() * i / kThreadCount; at < end; ++at) put(events[at]);
      } catch (...) {
        failures[i] = std::current_exception();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
}

std::uint64_t observation_count_of(const std::vector<Event>& events) {
  return static_cast<std::uint64_t>(std::count_if(events.begin(), events.end(), [](const Event& e) {
    return std::holds_alternative<tl_observation>(e.entity);
  }));
}

Run run_tracelite(const std::vector<Event>& events, const std::string& path) {
  std::remove(path.c_str());
  malloc_trim(0);
  const std::uint64_t before = rss_anon_bytes();
  const auto sampler = std::make_unique<RssAnonSampler>();
  Run run;
  tracelite::Store store(path);
  const Cost cost = measure([&] {
    from_threads(events, [&](const Event& event) { put(store, event); });
    store.flush();
  });
  run.rss_mib = static_cast<double>(sampler->bytes_max() - before) / kMiB;
  if (store.counter(TL_REASON_QUEUE_FULL) != 0 ||
      store.statistics().observation_count != observation_count_of(events)) {
    throw std::runtime_error("observations were lost under the waiting policy");
  }
  store.close();
  run.wall_s = cost.wall_s;
  run.cpu_s = cost.cpu_s;
  run.file_mb = static_cast<double>(file_size_bytes(path)) * 1e-6;
  std::remove(path.c_str());
  return run;
}

Run run_sink(const std::vector<Event>& events, Sink& sink) {
  malloc_trim(0);
  const std::uint64_t before = rss_anon_bytes();
  const auto sampler = std::make_unique<RssAnonSampler>();
  Run run;
  {
    HandOver hand_over(sink);
    const Cost cost = measure([&] {
      from_threads(events, [&](const Event& event) { hand_over.put(event); });
      hand_over.drain();
    });
    run.wall_s = cost.wall_s;
    run.cpu_s = cost.cpu_s;
  }
  const std::uint64_t most = sampler->bytes_max();
  run.rss_mib = static_cast<double>(most - std::min(most, before)) / kMiB;
  sink.finish();
  run.file_mb = static_cast<double>(sink.file_size_bytes()) * 1e-6;
  return run;
}

// ------------------------------------------------------------------------------------ the report

struct Side {
  std::string name;
  std::function<Run(const std::vector<Event>&)> once;
  std::vector<Run> runs;

  [[nodiscard]] std::vector<double> values(double Run::*member) const {
    std::vector<double> all;
    for (const Run& run : runs) all.push_back(run.*member);
    return all;
  }
};

class Report {
 public:
  // `unit_count` units of `unit` in the whole stream; limits: how many times as fast tracelite must
  // be as the side of that name, where one is given.
  void add(const std::string& source, double unit_count, const std::string& unit,
           std::uint64_t payload_bytes, const std::vector<Side>& sides,
           const std::vector<std::pair<std::string, double>>& limits) {
    const double own_s = median(sides.front().values(&Run::wall_s));
    for (const Side& side : sides) {
      const std::vector<double> walls = side.values(&Run::wall_s);
      const double wall_s = median(walls);
      const bool is_own = &side == &sides.front();
      std::vector<double> ratios;
      for (std::size_t i = 0; i < walls.size(); ++i) {
        ratios.push_back(ratio(walls[i], sides.front().runs[i].wall_s));
      }
      const double rss_mib = median(side.values(&Run::rss_mib));
      std::string holds = is_own ? (rss_mib <= kMemoryMax_mib ? "yes" : "no: 64 MiB") : "";
      if (is_own) at_most(source + ", 4 producers: RssAnon", rss_mib, kMemoryMax_mib, "MiB");
      for (const auto& [name, limit] : limits) {
        if (name != side.name) continue;
        holds = wall_s / own_s >= limit ? "yes" : "no: " + decimal(limit, 1) + " x";
        at_least(source + ", 4 producers: faster than " + name, wall_s / own_s, limit);
      }
      JsonLine line("bench", "sustained: " + source);
      line.add("side", side.name).add("unit", unit + "/s").add("speed", unit_count / wall_s);
      line.add("wall_s", wall_s).add("cpu_s", median(side.values(&Run::cpu_s)));
      line.add("payload_bytes_a_second", static_cast<double>(payload_bytes) / wall_s);
      line.add_ratio("tracelite_is_faster_by", wall_s / own_s);
      line.add_ratio("least", *std::min_element(ratios.begin(), ratios.end()));
      line.add_ratio("most", *std::max_element(ratios.begin(), ratios.end()));
      line.add("rss_anon_mib", rss_mib).add("file_mb", median(side.values(&Run::file_mb)));
      line.add("runs", std::uint64_t{walls.size()}).add("holds", holds).print();
      table_.add({source, side.name, decimal(unit_count / wall_s, unit == "MB" ? 1 : 0), unit,
                  is_own ? "" : decimal(wall_s / own_s, 2),
                  is_own ? ""
                         : decimal(*std::min_element(ratios.begin(), ratios.end()), 2) + ".." +
                               decimal(*std::max_element(ratios.begin(), ratios.end()), 2),
                  decimal(median(side.values(&Run::cpu_s)), 2), decimal(rss_mib, 1),
                  decimal(median(side.values(&Run::file_mb)), 1), holds});
    }
  }
  void print() const { table_.print(); }

 private:
  Table table_{{"4 producers, durable at the end", "side", "a second", "unit",
                "tracelite faster by", "spread", "CPU s", "RssAnon MiB", "file MB", "holds"}};
};

std::vector<Side> make_sides(const Folder& folder) {
  std::vector<Side> sides;
  sides.push_back({"tracelite",
                   [&](const std::vector<Event>& events) {
                     return run_tracelite(events, folder.file("sustained.tl"));
                   },
                   {}});
  const auto add = [&](const std::string& name, std::unique_ptr<Sink> (*make)(const std::string&),
                       const char* file) {
    sides.push_back({name,
                     [&folder, make, file](const std::vector<Event>& events) {
                       return run_sink(events, *make(folder.file(file)));
                     },
                     {}});
  };
  add(
      "SQLite, text", [](const std::string& path) { return make_sqlite_sink(path, false); },
      "sustained.sqlite");
  add(
      "SQLite, zstd -3", [](const std::string& path) { return make_sqlite_sink(path, true); },
      "sustained.sqlite");
  if (make_rocksdb_sink(folder.file("rocks")) != nullptr) {
    add("RocksDB, zstd", make_rocksdb_sink, "rocks");
  } else {
    print_note("built without RocksDB: install librocksdb-dev and configure again to compare");
  }
  add("LMDB, zstd -3, no index", make_lmdb_sink, "sustained.lmdb");
  return sides;
}

void run_in_turns(const std::vector<Event>& events, int run_count, std::vector<Side>& sides,
                  const std::string& what) {
  Progress progress(what);
  for (int i = 0; i < run_count; ++i) {
    progress.show(static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(run_count));
    for (Side& side : sides) side.runs.push_back(side.once(events));
  }
}

// Under the dropping policy: what was told to be dropped is what is counted and what is missing.
void bench_drops(const std::vector<Event>& events, const Folder& folder) {
  const std::string path = folder.file("drops.tl");
  tl_options options = tracelite::Store::options();
  options.full_policy = TL_FULL_DROP;
  options.queue_size_bytes = std::uint64_t{1} << 20;
  tracelite::Store store(path, options);
  std::atomic<std::uint64_t> told_count{0};
  from_threads(events, [&](const Event& event) {
    const tl_status status =
        tl_put_observation(store.get(), &std::get<tl_observation>(event.entity));
    if (status == TL_QUEUE_FULL) {
      ++told_count;
    } else {
      tracelite::require(status);
    }
  });
  store.flush();
  const std::uint64_t counted = store.counter(TL_REASON_QUEUE_FULL);
  const std::uint64_t kept = store.statistics().observation_count;
  JsonLine line("bench", "sustained: drops under the dropping policy, a queue of 1 MiB");
  line.add("given", std::uint64_t{events.size()}).add("told", told_count.load());
  line.add("counted", counted).add("kept", kept);
  const bool holds = counted == told_count && kept + counted == events.size();
  line.add("holds", holds ? "yes" : "no").print();
  store.close();
  if (!holds) throw std::runtime_error("drops were not counted");
}

}  // namespace

void bench_sustained(const std::vector<std::string>& sources, int run_count, const Folder& folder) {
  print_note(
      "sustained: wall time from the first call until everything is durable; the others take "
      "events from a queue of pointers, in tracelite's batches, on one thread; load average " +
      std::to_string(load_average()));
  Report report;
  for (const std::string& source : sources) {
    const Events events = Events::of_source(source);
    const PreparedEvents prepared(events);
    std::uint64_t payload_bytes = 0;
    for (const Event& event : prepared.all()) {
      for (const std::string_view payload : payloads_of(event)) payload_bytes += payload.size();
    }
    std::vector<Side> sides = make_sides(folder);
    run_in_turns(prepared.all(), run_count, sides, "sustained " + events.name());
    report.add(events.name(), static_cast<double>(payload_bytes) * 1e-6, "MB", payload_bytes, sides,
               {{"SQLite, text", 3}, {"RocksDB, zstd", 3}});
  }
  const UniqueEvents unique(kUniqueCount, kUniqueSizeBytes);
  std::vector<Side> sides = make_sides(folder);
  run_in_turns(unique.all(), run_count, sides, "sustained unique");
  report.add("unique 600-byte payloads", kUniqueCount, "observations",
             kUniqueCount * kUniqueSizeBytes, sides, {{"SQLite, text", 1.5}});
  bench_drops(unique.all(), folder);
  report.print();
}

}  // namespace bench
