#include "bench/import_bench.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string_view>

#include "bench/measure.hpp"
#include "bench/sqlite_by_hand.hpp"
#include "ingest/recorder.hpp"
#include "tracelite/tracelite.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;

std::int64_t read_from_memory(void* context, void* buffer, std::size_t capacity_bytes) {
  auto& rest = *static_cast<std::string_view*>(context);
  const std::size_t size_bytes = std::min(rest.size(), capacity_bytes);
  std::memcpy(buffer, rest.data(), size_bytes);
  rest.remove_prefix(size_bytes);
  return static_cast<std::int64_t>(size_bytes);
}

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
    std::string_view rest = events.text();
    tl_import_report report{};
    report.struct_size = sizeof report;
    run.cost = measure([&] {
      tracelite::require(tl_import(store.get(), TL_FORMAT_LANGFUSE, read_from_memory, &rest,
                                   nullptr, nullptr, nullptr, nullptr, &report));
    });
    if (report.failed_count != 0) throw std::runtime_error("tracelite refused events");
    run.commit_count = store.statistics().commit_number - commits_before;
    store.close();
  }
  run.file_size_bytes = static_cast<double>(fs::file_size(path));
  return run;
}

Run run_sqlite(const Events& events, const std::string& path) {
  Run run;
  {
    SqliteByHand db(path);
    run.cost = measure([&] { db.import(events, tracelite::ingest::kBatchSizeBytesMax); });
    run.commit_count = db.commit_count();
    db.checkpoint();
  }
  run.file_size_bytes = static_cast<double>(fs::file_size(path));
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

Files bench_import(const Events& events, const std::string& source, int run_count,
                   const Folder& folder) {
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
             std::to_string(tracelite::ingest::kBatchSizeBytesMax) + " bytes");
  print({"import " + source + ": wall time", "s"}, wall);
  print({"import " + source + ": CPU time", "s"}, cpu);
  print({"import " + source + ": commits", "commits"}, commits);
  print({"import " + source + ": file size", "bytes"}, sizes);
  return files;
}

}  // namespace bench
