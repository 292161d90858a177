#include "bench/scale_make.hpp"

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>

#include "bench/batch_size.hpp"
#include "bench/json_line.hpp"
#include "bench/measure.hpp"
#include "bench/progress.hpp"
#include "bench/resources.hpp"
#include "bench/scale_data.hpp"
#include "bench/sqlite_by_hand.hpp"
#include "bench/tracelite_file.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// What an event weighs in a batch besides its payloads.
constexpr std::uint64_t kEventSizeBytes = 200;
constexpr std::uint64_t kProgressStep = 200;

// The manifest: a line that says what the file was made with, then numbers by name.
bool read_manifest(const std::string& path, const std::string& made_with, MadeFile& made) {
  std::ifstream in(path);
  std::string line;
  if (!std::getline(in, line) || line != made_with) return false;
  std::string name;
  double number = 0;
  while (in >> name >> number) {
    if (name == "build_s") made.build_s = number;
    if (name == "cpu_s") made.cpu_s = number;
    if (name == "size_bytes") made.size_bytes = static_cast<std::uint64_t>(number);
    if (name == "rss_anon_bytes_max") made.rss_anon_bytes_max = static_cast<std::uint64_t>(number);
    if (name == "payload_size_bytes") made.payload_size_bytes = static_cast<std::uint64_t>(number);
    if (name == "payload_count") made.payload_count = static_cast<std::uint64_t>(number);
  }
  return fs::exists(made.path) && fs::file_size(made.path) == made.size_bytes;
}

void write_manifest(const std::string& path, const std::string& made_with, const MadeFile& made) {
  std::ofstream out(path);
  out.precision(15);
  out << made_with << "\nbuild_s " << made.build_s << "\ncpu_s " << made.cpu_s << "\nsize_bytes "
      << made.size_bytes << "\nrss_anon_bytes_max " << made.rss_anon_bytes_max
      << "\npayload_size_bytes " << made.payload_size_bytes << "\npayload_count "
      << made.payload_count << "\n";
}

// One side: what takes events, what follows a batch, and what makes all of it durable.
struct Sink {
  std::function<void(const Event&)> put;
  std::function<void()> commit;
  std::function<void()> finish;
};

// Gives the seconds that making the data took.
double fill(ScaleData& data, std::uint64_t trace_count, const Sink& sink, MadeFile& made,
            Progress& progress) {
  double making_s = 0;
  std::uint64_t batch_bytes = 0;
  malloc_trim(
      0);  // making the texts has left free memory that would hide what is used from here on
  const std::uint64_t rss_before = rss_anon_bytes();
  for (std::uint64_t i = 0; i < trace_count; ++i) {
    const auto before = Clock::now();
    const ScaleTrace& trace = data.next();
    making_s += std::chrono::duration<double>(Clock::now() - before).count();
    sink.put(trace.trace);
    for (const Event& event : trace.observations) sink.put(event);
    made.payload_size_bytes += trace.payload_size_bytes;
    made.payload_count += trace.payload_count;
    batch_bytes += trace.payload_size_bytes + (trace.observations.size() + 1) * kEventSizeBytes;
    if (batch_bytes >= batch_size_bytes_max()) {
      sink.commit();
      batch_bytes = 0;
    }
    if (i % kProgressStep != 0) continue;
    progress.show(i, trace_count);
    const std::uint64_t rss = rss_anon_bytes();
    made.rss_anon_bytes_max = std::max(made.rss_anon_bytes_max, rss - std::min(rss, rss_before));
  }
  sink.commit();
  sink.finish();
  return making_s;
}

void print_made(const char* side, std::uint64_t trace_count, const MadeFile& made) {
  JsonLine line("bench", "scale: build");
  line.add("side", side).add("traces", trace_count).add("build_s", made.build_s);
  line.add("cpu_s", made.cpu_s).add("file_bytes", made.size_bytes);
  line.add("payload_bytes", made.payload_size_bytes).add("payloads", made.payload_count);
  line.add("observations_a_second", ratio(static_cast<double>(trace_count) * 10, made.build_s));
  line.add("rss_anon_bytes_max", made.rss_anon_bytes_max).print();
}

void make_tracelite(ScaleData& data, std::uint64_t trace_count, MadeFile& made) {
  fs::remove(made.path);
  Progress progress("tracelite, " + std::to_string(trace_count) + " traces");
  tracelite::Store store(made.path);
  const Sink sink = {[&](const Event& event) { put(store, event); }, [] {}, [&] { store.close(); }};
  const Cost cost = measure([&] { fill(data, trace_count, sink, made, progress); });
  made.build_s = cost.wall_s;
  made.cpu_s = cost.cpu_s;
}

void make_sqlite(ScaleData& data, std::uint64_t trace_count, MadeFile& made) {
  for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(made.path + suffix);
  Progress progress("SQLite by hand, " + std::to_string(trace_count) + " traces");
  SqliteByHand db(made.path);
  const Sink sink = {[&](const Event& event) { db.put(event); }, [&] { db.commit(); },
                     [&] { db.checkpoint(); }};
  double making_s = 0;
  const Cost cost = measure([&] { making_s = fill(data, trace_count, sink, made, progress); });
  made.build_s = cost.wall_s - making_s;
  made.cpu_s = cost.cpu_s;
}

using Make = void (*)(ScaleData&, std::uint64_t, MadeFile&);

}  // namespace

ScaleMaker::ScaleMaker(const std::string& folder, std::uint64_t seed)
    : folder_(folder), seed_(seed), texts_(TextPool::of_corpus()) {
  if (folder_.empty()) {
    // The program is in build/PRESET/bin.
    const fs::path program = fs::read_symlink("/proc/self/exe").parent_path();
    folder_ = (program.parent_path().parent_path() / "scale").string();
  }
  fs::create_directories(folder_);
}

ScaleFiles ScaleMaker::files(std::uint64_t trace_count, Sides sides) {
  ScaleFiles files;
  files.trace_count = trace_count;
  files.texts = texts_.name();
  const std::string stem = folder_ + "/scale-" + std::to_string(trace_count);
  const std::string data_of = "data " + std::to_string(ScaleData::kVersion) + " seed " +
                              std::to_string(seed_) + " texts " + texts_.name() + " " +
                              std::to_string(texts_.size_bytes());
  const auto have = [&](const char* side, const std::string& path, const std::string& made_with,
                        MadeFile& made, Make make) {
    made.path = path;
    const std::string manifest = path + ".manifest";
    if (!read_manifest(manifest, made_with, made)) {
      print_note("making " + path);
      fs::remove(manifest);
      made = MadeFile();
      made.path = path;
      const auto data = std::make_unique<ScaleData>(texts_, trace_count, seed_);
      make(*data, trace_count, made);
      made.size_bytes = file_size_bytes(path);
      write_manifest(manifest, made_with, made);
    }
    print_made(side, trace_count, made);
  };
  if (sides != Sides::sqlite) {
    have("tracelite", stem + ".tl", "tracelite " + index_and_format() + " " + data_of,
         files.tracelite, make_tracelite);
  }
  if (sides != Sides::tracelite) {
    have("sqlite", stem + ".sqlite", "sqlite by hand 1 " + data_of, files.sqlite, make_sqlite);
  }
  return files;
}

}  // namespace bench
