#include "bench/growth_bench.hpp"

#include <filesystem>
#include <optional>
#include <string>

#include "bench/batch_size.hpp"
#include "bench/growing_history.hpp"
#include "bench/json_line.hpp"
#include "bench/progress.hpp"
#include "bench/table.hpp"
#include "bench/tracelite_file.hpp"

namespace bench {
namespace {

struct Sizes {
  std::uint32_t call_count = 0;
  std::uint64_t raw = 0;
  std::uint64_t new_text = 0;
  std::uint64_t imported = 0;
  std::uint64_t compacted = 0;

  [[nodiscard]] double by_call(std::uint64_t size_bytes) const {
    return static_cast<double>(size_bytes) / call_count;
  }
};

Sizes measure_sizes(Growth growth, std::uint32_t call_count, const std::string& path) {
  const std::string what = std::string(name_of(growth)) + ", " + std::to_string(call_count);
  Sizes sizes;
  sizes.call_count = call_count;
  std::filesystem::remove(path);
  {
    const Progress progress(what + ": importing");
    GrowingHistory history(growth, call_count);
    tracelite::Store store(path);
    import(store, [&](char* buffer, std::size_t capacity_bytes) {
      return history.read(buffer, capacity_bytes);
  });
  store.close();
  sizes.raw = history.raw_size_bytes();
  sizes.new_text = history.new_text_size_bytes();
}
sizes.imported = file_size_bytes(path);
Progress progress(what + ": compacting");
compact(path, progress);
sizes.compacted = file_size_bytes(path);
return sizes;
}  // namespace

// Bytes that one call more takes, between two histories.
double slope(const Sizes& from, const Sizes& to, std::uint64_t Sizes::*size_bytes) {
  return (static_cast<double>(to.*size_bytes) - static_cast<double>(from.*size_bytes)) /
         (to.call_count - from.call_count);
}

void print_line(Growth growth, const Sizes& sizes, const std::optional<Sizes>& before) {
  JsonLine line("bench", "growth " + std::string(name_of(growth)));
  line.add("calls", std::uint64_t{sizes.call_count}).add("unit", "bytes");
  line.add("raw", sizes.raw).add("new_text", sizes.new_text);
  line.add("imported", sizes.imported).add("compacted", sizes.compacted);
  line.add("raw_a_call", sizes.by_call(sizes.raw));
  line.add("imported_a_call", sizes.by_call(sizes.imported));
  line.add("compacted_a_call", sizes.by_call(sizes.compacted));
  if (before) {
    line.add("since_calls", std::uint64_t{before->call_count});
    line.add("new_text_slope", slope(*before, sizes, &Sizes::new_text));
    line.add("imported_slope", slope(*before, sizes, &Sizes::imported));
    line.add("compacted_slope", slope(*before, sizes, &Sizes::compacted));
  }
  line.print();
}

}  // namespace bench

void bench_growth(std::uint32_t call_count_max, const Folder& folder) {
  print_note("slope: bytes that one call more takes, since the history of `since_calls` calls; " +
             std::string("batches of at most ") + std::to_string(batch_size_bytes_max()) +
             " bytes");
  Table table({"bytes a call more, since the line above", "calls", "raw MB", "imported MB",
               "compacted MB", "new text", "imported", "compacted"});
  for (const Growth growth : kGrowths) {
    std::optional<Sizes> before;
    for (std::uint32_t decade = 10; decade <= call_count_max; decade *= 10) {
      for (const std::uint32_t call_count : {decade, 3 * decade}) {
        if (call_count > call_count_max) break;
        const Sizes sizes = measure_sizes(growth, call_count, folder.file("growth.tl"));
        print_line(growth, sizes, before);
        std::vector<std::string> cells = {std::string(name_of(growth)), std::to_string(call_count),
                                          megabytes(sizes.raw), megabytes(sizes.imported),
                                          megabytes(sizes.compacted)};
        for (const auto size_bytes : {&Sizes::new_text, &Sizes::imported, &Sizes::compacted}) {
          cells.push_back(before ? decimal(slope(*before, sizes, size_bytes), 0) : "");
        }
        table.add(std::move(cells));
        before = sizes;
      }
    }
  }
  table.print();
}

}  // namespace bench
