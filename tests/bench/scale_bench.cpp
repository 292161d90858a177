#include "bench/scale_bench.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "bench/json_line.hpp"
#include "bench/measure.hpp"
#include "bench/progress.hpp"
#include "bench/resources.hpp"
#include "bench/scale_data.hpp"
#include "bench/scale_make.hpp"
#include "bench/scale_questions.hpp"
#include "bench/sqlite_by_hand.hpp"
#include "bench/table.hpp"
#include "tracelite/tracelite.hpp"

namespace bench {
namespace {

using Kind = ScaleQuestion::Kind;

constexpr double kListMax_s = 1e-3;
constexpr double kListFloor_s = 200e-6;
constexpr double kListRatioMax = 1.2;
constexpr double kGrowthMax = 1.5;
constexpr double kAggregateMax_s = 20e-3;
constexpr double kWorstCaseMax_s = 50e-3;
constexpr double kOpenMax_s = 5e-3;
// Growth is from this size to one ten times as large.
constexpr std::uint64_t kGrowthFrom = 100'000;

double quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double rank = std::ceil(static_cast<double>(values.size()) * share);
  return values[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

struct Times {
  std::vector<double> own_s;
  std::vector<double> sqlite_s;
  std::vector<double> sums_s;  // of SQLite with all sums
  std::vector<double> ratios;  // of neighbours in time
  std::uint64_t matching_count = 0;
};

// Both sides in turns, warm; a side that takes seconds is asked as often as there is time for.
Times ask_in_turns(const ScaleQuestion& question) {
  constexpr std::size_t kCountMin = 21;
  constexpr std::size_t kCountMax = 1001;
  constexpr double kTimeMax_s = 4;
  constexpr double kSlow_s = 1;
  constexpr std::size_t kCompareCount = 5;
  Times times;
  const auto ask = [](const ScaleQuestion::Ask& side, std::size_t number) {
    return measure([&] { side(number, nullptr); }).wall_s;
  };
  const auto compare = [&](std::size_t number) {
    Answer own;
    Answer other;
    const double own_s = measure([&] { question.tracelite(number, &own); }).wall_s;
    const double sqlite_s = measure([&] { question.sqlite(number, &other); }).wall_s;
    require_same(question.name, own, other);
    return std::pair(own_s, sqlite_s);
  };
  const auto [own_first_s, first_s] = compare(0);
  const bool is_sqlite_slow = first_s > kSlow_s;
  const bool is_slow = is_sqlite_slow || own_first_s > kSlow_s;
  for (std::size_t i = 1; i < kCompareCount && !is_slow; ++i) compare(i);
  if (is_sqlite_slow) times.sqlite_s.push_back(first_s);
  double spent_s = 0;
  double sums_spent_s = 0;
  if (!is_slow) ask(question.tracelite, 0);
  // However slow a side is, tracelite is asked at least once.
  const auto done = [&] {
    const std::size_t count = times.own_s.size();
    if (count == 0) return false;
    return count >= kCountMax ||
           (spent_s > kTimeMax_s && (count >= kCountMin || spent_s > 3 * kTimeMax_s));
  };
  for (std::size_t i = 0; !done(); ++i) {
    times.own_s.push_back(ask(question.tracelite, i));
    spent_s += times.own_s.back();
    if (!is_sqlite_slow || (times.sqlite_s.size() < 3 && first_s < 3 * kTimeMax_s)) {
      times.sqlite_s.push_back(ask(question.sqlite, i));
      spent_s += times.sqlite_s.back();
      times.ratios.push_back(ratio(times.own_s.back(), times.sqlite_s.back()));
    } else if (times.own_s.size() >= kCountMin) {
      spent_s += kTimeMax_s / 20;  // SQLite has no more to tell
    }
    if (question.sqlite_with_sums && sums_spent_s < kTimeMax_s / 4) {
      times.sums_s.push_back(ask(question.sqlite_with_sums, i));
      sums_spent_s += times.sums_s.back();
    }
  }
  return times;
}

// ------------------------------------------------------------------------------------ verdicts

std::string join(const std::vector<std::string>& broken) {
  std::string all;
  for (const std::string& one : broken) all += (all.empty() ? "no: " : ", ") + one;
  return all.empty() ? "yes" : all;
}

// `growth`: 0 where it cannot be told.
std::string verdict(const ScaleQuestion& question, const Times& times, double growth) {
  if (times.own_s.empty()) return "not measured";
  const double own_s = median(times.own_s);
  std::vector<std::string> broken;
  if (question.kind == Kind::aggregate && own_s > kAggregateMax_s) broken.emplace_back("20 ms");
  if (question.kind == Kind::worst_case && own_s > kWorstCaseMax_s) broken.emplace_back("50 ms");
  if (question.kind == Kind::list) {
    if (own_s > kListMax_s) broken.emplace_back("1 ms");
    if (own_s > std::max(kListRatioMax * median(times.sqlite_s), kListFloor_s)) {
      broken.emplace_back("1.2 x SQLite");
    }
    if (growth > kGrowthMax) broken.emplace_back("growth");
  }
  return join(broken);
}

std::string micros(double seconds) { return decimal(seconds * 1e6, seconds < 1e-3 ? 1 : 0); }

class Report {
 public:
  void add(const ScaleFiles& files, const ScaleQuestion& question, const Times& times) {
    auto& medians = medians_[question.name];
    const double own_s = median(times.own_s);
    const auto from = medians.find(kGrowthFrom);
    const double growth = files.trace_count == 10 * kGrowthFrom && from != medians.end()
                              ? ratio(own_s, from->second)
                              : 0;
    medians[files.trace_count] = own_s;
    const std::string holds = verdict(question, times, growth);
    print(files, question, times, growth, holds);
    const double share =
        100.0 * static_cast<double>(times.matching_count) / static_cast<double>(files.trace_count);
    rows_[row_of(question.name)].push_back(
        {question.name, std::to_string(files.trace_count), micros(own_s),
         micros(quantile(times.own_s, 0.99)), micros(median(times.sqlite_s)),
         micros(quantile(times.sqlite_s, 0.99)),
         decimal(ratio(own_s, median(times.sqlite_s)), own_s < median(times.sqlite_s) / 10 ? 4 : 2),
         times.ratios.empty() ? ""
                              : decimal(quantile(times.ratios, 0.05), 2) + ".." +
                                    decimal(quantile(times.ratios, 0.95), 2),
         times.sums_s.empty() ? "" : micros(median(times.sums_s)),
         times.matching_count > 0 ? decimal(share, 1) : "", growth > 0 ? decimal(growth, 2) : "",
         holds});
  }

  // What is no question: seconds to build, bytes, ...
  void add_figure(const ScaleFiles& files, const std::string& name, double own, double sqlite,
                  int decimals, const std::string& holds = "") {
    rows_[row_of(name)].push_back({name, std::to_string(files.trace_count), decimal(own, decimals),
                                   "", sqlite > 0 ? decimal(sqlite, decimals) : "", "",
                                   sqlite > 0 ? decimal(ratio(own, sqlite), 2) : "", "", "", "", "",
                                   holds});
  }

  void print_table() const {
    Table table({"microseconds, or as said", "traces", "tracelite", "p99", "SQLite", "p99", "ratio",
                 "5..95 %", "SQLite+sums", "matches %", "growth", "holds"});
    for (const auto& rows : rows_) {
      for (const auto& row : rows) table.add(row);
    }
    table.print();
  }

 private:
  std::size_t row_of(const std::string& name) {
    const auto [at, is_new] = places_.try_emplace(name, rows_.size());
    if (is_new) rows_.emplace_back();
    return at->second;
  }

  static void print(const ScaleFiles& files, const ScaleQuestion& question, const Times& times,
                    double growth, const std::string& holds) {
    JsonLine line("bench", "scale: " + question.name);
    line.add("traces", files.trace_count).add("unit", "us");
    line.add("tracelite", median(times.own_s) * 1e6);
    line.add("tracelite_p99", quantile(times.own_s, 0.99) * 1e6);
    line.add("runs", std::uint64_t{times.own_s.size()});
    line.add("sqlite", median(times.sqlite_s) * 1e6);
    line.add("sqlite_p99", quantile(times.sqlite_s, 0.99) * 1e6);
    line.add("sqlite_runs", std::uint64_t{times.sqlite_s.size()});
    line.add_ratio("ratio", ratio(median(times.own_s), median(times.sqlite_s)));
    if (!times.ratios.empty()) {
      line.add_ratio("ratio_p5", quantile(times.ratios, 0.05));
      line.add_ratio("ratio_p95", quantile(times.ratios, 0.95));
    }
    if (!times.sums_s.empty()) {
      line.add("sqlite_with_sums", median(times.sums_s) * 1e6);
      line.add_ratio("ratio_with_sums", ratio(median(times.own_s), median(times.sums_s)));
    }
    if (times.matching_count > 0) line.add("matching_traces", times.matching_count);
    if (growth > 0) line.add_ratio("growth", growth);
    line.add("texts", files.texts).add("holds", holds).print();
  }

  std::map<std::string, std::map<std::uint64_t, double>> medians_;
  std::map<std::string, std::size_t> places_;
  std::vector<std::vector<std::vector<std::string>>> rows_;
};

// ----------------------------------------------------------------------------- open and memory

struct Probe {
  double open_us = 0;
  double first_list_us = 0;
  double rss_open_kib = 0;
  double rss_asked_kib = 0;
};

void report_probes(const ScaleFiles& files, Report& report) {
  constexpr int kCount = 9;
  std::vector<double> open_s, list_s, rss_open, rss_asked, handle_s, sqlite_s;
  for (int i = 0; i < kCount; ++i) {
    std::istringstream in(output_of_self({"scale-probe", "--file", files.tracelite.path}));
    Probe probe;
    if (!(in >> probe.open_us >> probe.first_list_us >> probe.rss_open_kib >>
          probe.rss_asked_kib)) {
      throw std::runtime_error("the probe has told nothing");
    }
    open_s.push_back(probe.open_us * 1e-6);
    list_s.push_back(probe.first_list_us * 1e-6);
    rss_open.push_back(probe.rss_open_kib / 1024);
    rss_asked.push_back(probe.rss_asked_kib / 1024);
    handle_s.push_back(measure([&] { const tracelite::Store store(files.tracelite.path); }).wall_s);
    sqlite_s.push_back(measure([&] {
                         const SqliteByHand db(SqliteByHand::ForReading(), files.sqlite.path);
                         SqliteStatement any(db.handle(), "SELECT id FROM traces LIMIT 1");
                         any.read_all({});
                       }).wall_s);
  }
  const std::string holds = median(open_s) <= kOpenMax_s ? "yes" : "no: 5 ms";
  JsonLine line("bench", "scale: open and memory");
  line.add("traces", files.trace_count).add("open_fresh_process_us", median(open_s) * 1e6);
  line.add("open_fresh_process_min_us", quantile(open_s, 0) * 1e6);
  line.add("open_fresh_process_max_us", quantile(open_s, 1) * 1e6);
  line.add("open_and_close_fresh_handle_us", median(handle_s) * 1e6);
  line.add("first_list_us", median(list_s) * 1e6).add("sqlite_open_us", median(sqlite_s) * 1e6);
  line.add("rss_anon_open_mib", median(rss_open)).add("rss_anon_asked_mib", median(rss_asked));
  line.add("runs", std::uint64_t{kCount}).add("holds", holds).print();
  report.add_figure(files, "open, in a fresh process", median(open_s) * 1e6, 0, 0, holds);
  report.add_figure(files, "open and close, a fresh handle", median(handle_s) * 1e6,
                    median(sqlite_s) * 1e6, 0);
  report.add_figure(files, "first list behind the open", median(list_s) * 1e6, 0, 0);
  report.add_figure(files, "RssAnon after open, MiB", median(rss_open), 0, 1);
  report.add_figure(files, "RssAnon after queries, MiB", median(rss_asked), 0, 1);
}

void report_making(const ScaleFiles& files, Report& report) {
  report.add_figure(files, "build, s", files.tracelite.build_s, files.sqlite.build_s, 1);
  report.add_figure(files, "file, MB", static_cast<double>(files.tracelite.size_bytes) * 1e-6,
                    static_cast<double>(files.sqlite.size_bytes) * 1e-6, 1);
  report.add_figure(files, "RssAnon while building, MiB",
                    static_cast<double>(files.tracelite.rss_anon_bytes_max) / (1 << 20),
                    static_cast<double>(files.sqlite.rss_anon_bytes_max) / (1 << 20), 1);
}

}  // namespace

void make_scale(const ScaleOptions& options, ScaleMaker::Sides sides) {
  ScaleMaker maker(options.folder);
  for (const std::uint64_t trace_count : options.trace_counts) maker.files(trace_count, sides);
}

void bench_scale(const ScaleOptions& options) {
  print_note(
      "scale: ratio = tracelite / SQLite by hand, the median of each, asked in turns; a list "
      "holds at 1 ms, max(1.2 x SQLite, 200 us) and growth 1.5; load average " +
      std::to_string(load_average()));
  ScaleMaker maker(options.folder);
  Report report;
  for (const std::uint64_t trace_count : options.trace_counts) {
    const ScaleFiles files = maker.files(trace_count);
    report_making(files, report);
    report_probes(files, report);
    Progress progress("asking, " + std::to_string(trace_count) + " traces");
    ScaleQuestions questions(files);
    std::uint64_t asked_count = 0;
    for (const ScaleQuestion& question : questions.all()) {
      progress.show(asked_count++, questions.all().size());
      Times times = ask_in_turns(question);
      times.matching_count = questions.matching(question);
      report.add(files, question, times);
    }
  }
  report.print_table();
}

void probe_scale(const std::string& path) {
  Probe probe;
  tracelite::Store store = [&] {
    std::unique_ptr<tracelite::Store> opened;
    probe.open_us =
        measure([&] { opened = std::make_unique<tracelite::Store>(path); }).wall_s * 1e6;
    return std::move(*opened);
  }();
  probe.rss_open_kib = static_cast<double>(rss_anon_bytes() >> 10);
  const auto list = [&](tl_kind kind, const tl_filter& where) {
    tracelite::Cursor cursor = store.list(kind, where, TL_ORDER_TIME, {}, 50);
    while (cursor.next() != nullptr) {
    }
  };
  probe.first_list_us = measure([&] { list(TL_KIND_TRACE, tracelite::filter()); }).wall_s * 1e6;
  tl_filter where = tracelite::filter();
  where.user_id = tracelite::text(ScaleData::kUser);
  list(TL_KIND_TRACE, where);
  list(TL_KIND_OBSERVATION, tracelite::filter());
  list(TL_KIND_SESSION, tracelite::filter());
  list(TL_KIND_MODEL, tracelite::filter());
  probe.rss_asked_kib = static_cast<double>(rss_anon_bytes() >> 10);
  std::printf("%.1f %.1f %.0f %.0f\n", probe.open_us, probe.first_list_us, probe.rss_open_kib,
              probe.rss_asked_kib);
}

}  // namespace bench
