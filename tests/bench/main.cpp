// tracelite-bench: what tracelite costs beside SQLite by hand, as JSON Lines.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>

#include "bench/events.hpp"
#include "bench/folder.hpp"
#include "bench/import_bench.hpp"
#include "bench/measure.hpp"
#include "bench/query_bench.hpp"

namespace {

constexpr const char* kUsage =
    "usage: tracelite-bench [--source NAME] [--events FILE] [--runs N] [--folder FOLDER]\n"
    "\n"
    "  --source NAME    recorded conversations to import (default tau2)\n"
    "  --events FILE    import this file of events instead\n"
    "  --runs N         of the import, on each side in turns (default 5)\n"
    "  --folder FOLDER  where the files are made (default: beside the program)\n";

struct Options {
  std::string source = "tau2";
  std::string events;
  int run_count = 5;
  std::string folder;
};

bool parse(int count, char** arguments, Options& options) {
  for (int i = 1; i < count; i += 2) {
    const std::string_view name = arguments[i];
    if (i + 1 == count) return false;
    const char* value = arguments[i + 1];
    if (name == "--source") {
      options.source = value;
    } else if (name == "--events") {
      options.events = value;
    } else if (name == "--runs") {
      options.run_count = std::atoi(value);
    } else if (name == "--folder") {
      options.folder = value;
    } else {
      return false;
    }
  }
  return options.run_count > 0;
}

void run(const Options& options) {
  bench::print_note("ratio = tracelite / sqlite: below 1, tracelite takes less; load average " +
                    std::to_string(bench::load_average()));
  const bench::Events events = options.events.empty() ? bench::Events::of_source(options.source)
                                                      : bench::Events::of_file(options.events);
  const std::string name = options.events.empty() ? options.source : "events";
  const bench::Folder folder(options.folder);
  const bench::Files files = bench::bench_import(events, name, options.run_count, folder);
  bench::bench_queries(files, name);
}

}  // namespace

int main(int count, char** arguments) {
  Options options;
  if (!parse(count, arguments, options)) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  try {
    run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tracelite-bench: %s\n", error.what());
    return 1;
  }
  return 0;
}
