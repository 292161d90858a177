// tracelite-bench: what tracelite costs, in time and in bytes, beside SQLite by hand; JSON Lines.
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "bench/big_bench.hpp"
#include "bench/caller_bench.hpp"
#include "bench/contention_bench.hpp"
#include "bench/events.hpp"
#include "bench/folder.hpp"
#include "bench/growth_bench.hpp"
#include "bench/import_bench.hpp"
#include "bench/ingest_bench.hpp"
#include "bench/json_line.hpp"
#include "bench/limits.hpp"
#include "bench/measure.hpp"
#include "bench/query_bench.hpp"
#include "bench/read_bench.hpp"
#include "bench/scale_bench.hpp"
#include "bench/size_bench.hpp"
#include "bench/sustained_bench.hpp"
#include "bench/trickle_bench.hpp"

namespace {

constexpr const char* kUsage =
    "usage: tracelite-bench [WHAT] [--source NAME].. [--events FILE] [--runs N] [--calls N]\n"
    "                       [--seconds N] [--folder FOLDER] [--sizes N,N..]\n"
    "\n"
    "  all (default)      queries, caller, sustained, trickle, big and contention: under 10 "
    "minutes\n"
    "  queries            import from JSON Lines, then lists, trees and replays\n"
    "  size               bytes of the file, beside SQLite and a solid archive\n"
    "  growth             bytes of a history that grows by two messages with each call\n"
    "  ingest             durable import of events that lie in memory\n"
    "  caller             what recording takes of the thread that records\n"
    "  trickle            an observation every 10 ms: bytes written and CPU time, and an idle "
    "store\n"
    "  read               payloads, traces and sessions, from fresh stores and from open ones\n"
    "  make               make the large files of `scale` where they are missing, and keep them\n"
    "  scale              lists, aggregates and single things of large files, made first\n"
    "  big                a trace of 32,843 observations, 100,000 sessions, a payload of 200 MiB\n"
    "  sustained          four producers until durable, beside SQLite, RocksDB and bare LMDB\n"
    "  contention         a writer that floods while another process lists\n"
    "  python [ARG..]     what recording costs a Python program: see `python --help`\n"
    "\n"
    "  --source NAME    recorded conversations to work on, any number of times (default tau2;\n"
    "                   size: each of them, and all)\n"
    "  --events FILE    work on this file of events instead\n"
    "  --runs N         of what is measured in turns on each side (default 5; sustained 3, "
    "contention 9)\n"
    "  --seconds N      of each run (default: contention 10, trickle 60)\n"
    "  --calls N        growth: of the longest history (default 3000)\n"
    "  --folder FOLDER  where the files are made (default: beside the program; make, scale: a\n"
    "                   folder that is kept, build/scale)\n"
    "  --sizes N,N..    make, scale: traces of each file (default 10000,100000,1000000)\n"
    "  --side SIDE      make: only the files of tracelite or of sqlite\n";

constexpr std::uint64_t kTraceCountMin = 1000;

struct Options {
  std::string what = "all";
  std::vector<std::string> sources;
  std::string events;
  int run_count = 0;  // 0: as many as the benchmark likes
  double run_s = 0;   // 0: as long as the benchmark likes
  int call_count_max = 3000;
  std::string folder;
  std::vector<std::uint64_t> sizes;
  bench::ScaleMaker::Sides sides = bench::ScaleMaker::Sides::both;
  std::string file;  // of a process that a benchmark starts
};

int runs(const Options& options, int by_default = 5) {
  return options.run_count > 0 ? options.run_count : by_default;
}

double seconds(const Options& options, double by_default) {
  return options.run_s > 0 ? options.run_s : by_default;
}

bool parse_sizes(const char* text, std::vector<std::uint64_t>& sizes) {
  while (*text != '\0') {
    char* end = nullptr;
    sizes.push_back(std::strtoull(text, &end, 10));
    if (end == text || sizes.back() < kTraceCountMin || (*end != ',' && *end != '\0')) return false;
    text = *end == ',' ? end + 1 : end;
  }
  return true;
}

bool parse(int count, char** arguments, Options& options) {
  int i = 1;
  if (i < count && arguments[i][0] != '-') options.what = arguments[i++];
  for (; i < count; i += 2) {
    const std::string_view name = arguments[i];
    if (i + 1 == count) return false;
    const char* value = arguments[i + 1];
    if (name == "--source") {
      options.sources.emplace_back(value);
    } else if (name == "--events") {
      options.events = value;
    } else if (name == "--runs") {
      options.run_count = std::atoi(value);
      if (options.run_count < 1) return false;
    } else if (name == "--seconds") {
      options.run_s = std::atof(value);
      if (!(options.run_s > 0)) return false;
    } else if (name == "--calls") {
      options.call_count_max = std::atoi(value);
    } else if (name == "--folder") {
      options.folder = value;
    } else if (name == "--file") {
      options.file = value;
    } else if (name == "--side") {
      const bool is_own = std::string_view(value) == "tracelite";
      if (!is_own && std::string_view(value) != "sqlite") return false;
      options.sides =
          is_own ? bench::ScaleMaker::Sides::tracelite : bench::ScaleMaker::Sides::sqlite;
    } else if (name == "--sizes") {
      if (!parse_sizes(value, options.sizes)) return false;
    } else {
      return false;
    }
  }
  return options.call_count_max > 0;
}

// One source after the other, so that only one is in memory.
template <class Bench>
void for_each_source(const Options& options, std::vector<std::string> sources, const Bench& bench) {
  if (!options.events.empty()) return bench(bench::Events::of_file(options.events));
  if (!options.sources.empty()) sources = options.sources;
  for (const std::string& source : sources) bench(bench::Events::of_source(source));
}

void print_ratio_note() {
  bench::print_note(
      "ratio = tracelite / the faster sqlite: below 1, tracelite takes less; load average " +
      std::to_string(bench::load_average()));
}

void run_queries(const Options& options, const bench::Folder& folder) {
  print_ratio_note();
  for_each_source(options, {"tau2"}, [&](const bench::Events& events) {
    const bench::Files files = bench::bench_import(events, runs(options), folder);
    bench::bench_queries(files, events.name());
  });
}

void run_size(const Options& options, const bench::Folder& folder) {
  bench::SizeTable table;
  for_each_source(options, {"tau2", "taubench", "moatless", "kdconv", "mtbench", "all"},
                  [&](const bench::Events& events) { table.add(events, folder); });
  table.print();
}

void run_growth(const Options& options, const bench::Folder& folder) {
  bench::bench_growth(static_cast<std::uint32_t>(options.call_count_max), folder);
}

void run_ingest(const Options& options, const bench::Folder& folder) {
  print_ratio_note();
  for_each_source(options, {"tau2"}, [&](const bench::Events& events) {
    bench::bench_ingest(events, runs(options), folder);
  });
}

void run_read(const Options& options, const bench::Folder& folder) {
  print_ratio_note();
  for_each_source(options, {"tau2"}, [&](const bench::Events& events) {
    bench::bench_read(events, runs(options), folder);
  });
}

void run_caller(const Options& options, const bench::Folder& folder) {
  bench::bench_caller(runs(options), folder);
}

bench::ScaleOptions scale_options(const Options& options) {
  bench::ScaleOptions scale;
  scale.folder = options.folder;
  if (!options.sizes.empty()) scale.trace_counts = options.sizes;
  return scale;
}

// What has no use for a folder that goes with the run.
bool run_with_kept_files(const Options& options) {
  if (options.what == "make") {
    bench::make_scale(scale_options(options), options.sides);
  } else if (options.what == "scale") {
    bench::bench_scale(scale_options(options));
  } else if (options.what == "scale-probe") {
    bench::probe_scale(options.file);
  } else if (options.what == "contention-probe") {
    bench::probe_contention(options.file);
  } else if (options.what == "big-page-probe") {
    bench::probe_big_page(options.file);
  } else if (options.what == "big-skeleton-probe") {
    bench::probe_big_skeleton(options.file);
  } else if (options.what == "big-stream-probe") {
    bench::probe_big_stream(options.file);
  } else {
    return false;
  }
  return true;
}

void run_big(const Options& options, const bench::Folder& folder) {
  bench::bench_big(runs(options), folder);
}

void run_sustained(const Options& options, const bench::Folder& folder) {
  const std::vector<std::string> by_default = {"tau2", "taubench"};
  bench::bench_sustained(options.sources.empty() ? by_default : options.sources, runs(options, 3),
                         folder);
}

void run_contention(const Options& options, const bench::Folder& folder) {
  bench::bench_contention({runs(options, 9), seconds(options, 10)}, folder);
}

void run_trickle(const Options& options, const bench::Folder& folder) {
  bench::bench_trickle(static_cast<int>(seconds(options, 60)), folder);
}

void run_all(const Options& options, const bench::Folder& folder) {
  run_queries(options, folder);
  run_caller(options, folder);
  run_sustained(options, folder);
  run_trickle(options, folder);
  run_big(options, folder);
  run_contention(options, folder);
}

struct Verb {
  std::string_view name;
  void (*run)(const Options&, const bench::Folder&);
};
constexpr std::array kVerbs = {Verb{"all", run_all},
                               Verb{"queries", run_queries},
                               Verb{"size", run_size},
                               Verb{"growth", run_growth},
                               Verb{"ingest", run_ingest},
                               Verb{"read", run_read},
                               Verb{"caller", run_caller},
                               Verb{"big", run_big},
                               Verb{"sustained", run_sustained},
                               Verb{"contention", run_contention},
                               Verb{"trickle", run_trickle}};

const Verb* find_verb(std::string_view name) {
  for (const Verb& verb : kVerbs) {
    if (verb.name == name) return &verb;
  }
  return nullptr;
}

// The Python side measures itself, with this build of the library.
int run_python(char** arguments) {
  const std::string script = TL_SOURCE_DIR "/tests/bench/python_bench.py";
  std::vector<std::string> words = {"python3", script};
  for (; *arguments != nullptr; ++arguments) words.emplace_back(*arguments);
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  execvp("python3", pointers.data());
  std::perror("tracelite-bench: python3");
  return 1;
}

}  // namespace

int main(int count, char** arguments) {
  if (count > 1 && std::string_view(arguments[1]) == "python") return run_python(arguments + 2);
  Options options;
  const bool is_understood = parse(count, arguments, options);
  try {
    if (is_understood && run_with_kept_files(options)) return 0;
    const Verb* verb = is_understood ? find_verb(options.what) : nullptr;
    if (verb == nullptr) {
      std::fputs(kUsage, stderr);
      return 2;
    }
    verb->run(options, bench::Folder(options.folder));
    bench::print_limits();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tracelite-bench: %s\n", error.what());
    return 1;
  }
  return 0;
}
