#include "bench/import_bench.hpp"

#include <cstdint>
#include <filesystem>

#include "bench/batch_size.hpp"
#include "bench/json_line.hpp"
#include "bench/measure.hpp"
#include "bench/sqlite_by_hand.hpp"
#include "bench/tracelite_file.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;

struct Run {
  Cost cost;
  std::uint64_t commit_count = 0;
  double file_size_bytes = 0;
};

Run run_tracelite(const Events& events, const std::string& path) {
  Run run;
  {
    tracelite::Store store(path);
    const std::uint64_t commits_before = store.statistics().commit_number;
    run.cost = measure([&] { import(store, events.text()); });
    run.commit_count = store.statistics().commit_number - commits_before;
    store.close();
  }
  run.file_size_bytes = static_cast<double>(file_size_bytes(path));
  return run;
}

Run run_sqlite(const Events& events, const std::string& path) {
  Run run;
  {
    SqliteByHand db(path);
    run.cost = measure([&] { db.import(events, batch_size_bytes_max()); });
    run.commit_count = db.commit_count();
    db.checkpoint();
  }
  run.file_size_bytes = static_cast<double>(file_size_bytes(path));
  return run;
}

void add(const Run& run, std::vector<double>& wall_s, std::vector<double>& cpu_s,
         std::vector<double>& commit_count, std::vector<double>& file_size_bytes) {
  wall_s.push_back(run.cost.wall_s);
  cpu_s.push_back(run.cost.cpu_s);
  commit_count.push_back(static_cast<double>(run.commit_count));
  file_size_bytes.push_back(run.file_size_bytes);
}

}  // namespace

Files bench_import(const Events& events, int run_count, const Folder& folder) {
  const std::string& source = events.name();
  Files files{folder.file("bench.tl"), folder.file("bench.sqlite")};
  Samples wall;
  Samples cpu;
  Samples commits;
  Samples sizes;
  for (int i = 0; i < run_count; ++i) {
    fs::remove(files.tracelite);
    add(run_tracelite(events, files.tracelite), wall.tracelite, cpu.tracelite, commits.tracelite,
        sizes.tracelite);
    fs::remove(files.sqlite);
    add(run_sqlite(events, files.sqlite), wall.sqlite, cpu.sqlite, commits.sqlite, sizes.sqlite);
  }
  print_note(source + ": " + std::to_string(events.lines().size()) + " events, " +
             std::to_string(events.text().size()) + " bytes of JSON Lines; batches of at most " +
             std::to_string(batch_size_bytes_max()) + " bytes");
  print({"import " + source + ": wall time", "s"}, wall);
  print({"import " + source + ": CPU time", "s"}, cpu);
  print({"import " + source + ": commits", "commits"}, commits);
  print({"import " + source + ": file size", "bytes"}, sizes);
  return files;
}

}  // namespace bench
