#include "bench/ingest_bench.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "bench/batch_size.hpp"
#include "bench/event.hpp"
#include "bench/ingest_bound.hpp"
#include "bench/json_line.hpp"
#include "bench/measure.hpp"
#include "bench/progress.hpp"
#include "bench/sqlite_by_hand.hpp"
#include "bench/tracelite_file.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;

struct Run {
  Cost cost;
  std::uint64_t commit_count = 0;
  std::uint64_t file_bytes = 0;
};

// When the application asks whether what it has recorded is durable.
enum class Flush : std::uint8_t { each_batch, once };

Run run_tracelite(const PreparedEvents& events, Flush flush, const std::string& path) {
  fs::remove(path);
  Run run;
  {
    tracelite::Store store(path);
    const std::uint64_t commits_before = store.statistics().commit_number;
    run.cost = measure([&] {
      events.in_batches(
          batch_size_bytes_max(), [&](const Event& event) { put(store, event); },
          [&] {
            if (flush == Flush::each_batch) store.flush();
          });
      store.flush();
    });
    run.commit_count = store.statistics().commit_number - commits_before;
    store.close();
  }
  run.file_bytes = file_size_bytes(path);
  return run;
}

Run run_sqlite(const PreparedEvents& events, SqliteByHand::Payloads payloads,
               const std::string& path) {
  fs::remove(path);
  Run run;
  {
    SqliteByHand db(path, payloads);
    run.cost = measure([&] {
      events.in_batches(
          batch_size_bytes_max(), [&](const Event& event) { db.put(event); }, [&] { db.commit(); });
    });
    run.commit_count = db.commit_count();
    db.checkpoint();
  }
  run.file_bytes = file_size_bytes(path);
  fs::remove(path);
  return run;
}

// One member of the runs of one side, as samples.
class Side {
 public:
  void add(const Run& run) {
    wall_s.push_back(run.cost.wall_s);
    cpu_s.push_back(run.cost.cpu_s);
    commits.push_back(static_cast<double>(run.commit_count));
    file_bytes.push_back(static_cast<double>(run.file_bytes));
  }
  std::vector<double> wall_s;
  std::vector<double> cpu_s;
  std::vector<double> commits;
  std::vector<double> file_bytes;
};

struct Sides {
  Side flush_each;
  Side flush_once;
  Side sqlite;
  Side sqlite_zstd;
  std::vector<Bound> bounds;
};

void print_sides(const std::string& name, const Side& own, const Sides& sides) {
  const auto samples = [&](std::vector<double> Side::*of) {
    return Samples{own.*of, sides.sqlite.*of, sides.sqlite_zstd.*of};
  };
  print({name + ": wall time", "s"}, samples(&Side::wall_s));
  print({name + ": CPU time", "s"}, samples(&Side::cpu_s));
  print({name + ": commits", "commits"}, samples(&Side::commits));
  print({name + ": file size", "bytes"}, samples(&Side::file_bytes));
}

double median_of(const std::vector<Bound>& bounds, double (*part)(const Bound&)) {
  std::vector<double> seconds;
  for (const Bound& bound : bounds) seconds.push_back(part(bound));
  return median(seconds);
}

void print_bound(const std::string& name, const Sides& sides) {
  const double bound_s = median_of(sides.bounds, [](const Bound& b) { return b.all_s(); });
  JsonLine line("bench", name + ": bound");
  line.add("unit", "s").add("bound", bound_s);
  line.add("read", median_of(sides.bounds, [](const Bound& b) { return b.read_s; }));
  line.add("compress", median_of(sides.bounds, [](const Bound& b) { return b.compress_s; }));
  line.add("write", median_of(sides.bounds, [](const Bound& b) { return b.write_s; }));
  line.add("payload_bytes", sides.bounds.front().payload_size_bytes);
  line.add("unique_part_bytes", sides.bounds.front().unique_size_bytes);
  line.add_ratio("flush_each_by_bound", ratio(median(sides.flush_each.wall_s), bound_s));
  line.add_ratio("flush_once_by_bound", ratio(median(sides.flush_once.wall_s), bound_s));
  line.add_ratio("sqlite_by_bound", ratio(median(sides.sqlite.wall_s), bound_s));
  line.add_ratio("sqlite_zstd_by_bound", ratio(median(sides.sqlite_zstd.wall_s), bound_s));
  line.print();
}

}  // namespace

void bench_ingest(const Events& events, int run_count, const Folder& folder) {
  const PreparedEvents prepared(events);
  const std::string name = "ingest " + events.name();
  print_note(events.name() + ": " + std::to_string(events.lines().size()) +
             " prepared events, batches of at most " + std::to_string(batch_size_bytes_max()) +
             " bytes of JSON Lines, durable by batch on each side");
  Sides sides;
  Progress progress(name);
  for (int i = 0; i < run_count; ++i) {
    const auto total = static_cast<std::uint64_t>(run_count);
    progress.show(static_cast<std::uint64_t>(i), total);
    const std::string file = folder.file("ingest.tl");
    sides.flush_each.add(run_tracelite(prepared, Flush::each_batch, file));
    sides.sqlite.add(
        run_sqlite(prepared, SqliteByHand::Payloads::text, folder.file("ingest.sqlite")));
    sides.flush_once.add(run_tracelite(prepared, Flush::once, file));
    const std::uint64_t size_bytes = file_size_bytes(file);
    fs::remove(file);
    sides.sqlite_zstd.add(
        run_sqlite(prepared, SqliteByHand::Payloads::zstd, folder.file("ingest.sqlite")));
    sides.bounds.push_back(measure_bound(prepared, size_bytes, folder.file("bound")));
  }
  print_sides(name + ", a flush behind each batch", sides.flush_each, sides);
  print_sides(name + ", one flush at the end", sides.flush_once, sides);
  print_bound(name, sides);
}

}  // namespace bench
