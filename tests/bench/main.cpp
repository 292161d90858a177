// tracelite-bench: what tracelite costs, in time and in bytes, beside SQLite by hand; JSON Lines.
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "bench/caller_bench.hpp"
#include "bench/events.hpp"
#include "bench/folder.hpp"
#include "bench/growth_bench.hpp"
#include "bench/import_bench.hpp"
#include "bench/ingest_bench.hpp"
#include "bench/json_line.hpp"
#include "bench/measure.hpp"
#include "bench/query_bench.hpp"
#include "bench/read_bench.hpp"
#include "bench/size_bench.hpp"

namespace {

constexpr const char* kUsage =
    "usage: tracelite-bench [WHAT] [--source NAME].. [--events FILE] [--runs N] [--calls N]\n"
    "                       [--folder FOLDER]\n"
    "\n"
    "  queries (default)  import from JSON Lines, then lists, trees and replays\n"
    "  size               bytes of the file, beside SQLite and a solid archive\n"
    "  growth             bytes of a history that grows by two messages with each call\n"
    "  ingest             durable import of events that lie in memory\n"
    "  caller             what recording takes of the thread that records\n"
    "  read               payloads, traces and sessions, from fresh stores and from open ones\n"
    "  python [ARG..]     what recording costs a Python program: see `python --help`\n"
    "\n"
    "  --source NAME    recorded conversations to work on, any number of times (default tau2;\n"
    "                   size: each of them, and all)\n"
    "  --events FILE    work on this file of events instead\n"
    "  --runs N         of what is measured in turns on each side (default 5)\n"
    "  --calls N        growth: of the longest history (default 3000)\n"
    "  --folder FOLDER  where the files are made (default: beside the program)\n";

struct Options {
  std::string what = "queries";
  std::vector<std::string> sources;
  std::string events;
  int run_count = 5;
  int call_count_max = 3000;
  std::string folder;
};

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
    } else if (name == "--calls") {
      options.call_count_max = std::atoi(value);
    } else if (name == "--folder") {
      options.folder = value;
    } else {
      return false;
    }
  }
  return options.run_count > 0 && options.call_count_max > 0;
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
    const bench::Files files = bench::bench_import(events, options.run_count, folder);
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
    bench::bench_ingest(events, options.run_count, folder);
  });
}

void run_read(const Options& options, const bench::Folder& folder) {
  print_ratio_note();
  for_each_source(options, {"tau2"}, [&](const bench::Events& events) {
    bench::bench_read(events, options.run_count, folder);
  });
}

void run_caller(const Options& options, const bench::Folder& folder) {
  bench::bench_caller(options.run_count, folder);
}

struct Verb {
  std::string_view name;
  void (*run)(const Options&, const bench::Folder&);
};
constexpr std::array kVerbs = {Verb{"queries", run_queries}, Verb{"size", run_size},
                               Verb{"growth", run_growth},   Verb{"ingest", run_ingest},
                               Verb{"read", run_read},       Verb{"caller", run_caller}};

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
  const Verb* verb = parse(count, arguments, options) ? find_verb(options.what) : nullptr;
  if (verb == nullptr) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  try {
    verb->run(options, bench::Folder(options.folder));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tracelite-bench: %s\n", error.what());
    return 1;
  }
  return 0;
}
