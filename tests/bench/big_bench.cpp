#include "bench/big_bench.hpp"

#include <malloc.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "bench/json_line.hpp"
#include "bench/limits.hpp"
#include "bench/measure.hpp"
#include "bench/progress.hpp"
#include "bench/reading.hpp"
#include "bench/resources.hpp"
#include "bench/sqlite_by_hand.hpp"
#include "bench/table.hpp"
#include "bench/text_pool.hpp"
#include "bench/tracelite_file.hpp"
#include "tracelite/tracelite.hpp"

namespace bench {
namespace {

using tracelite::Cursor;
using tracelite::filter;
using tracelite::text;

constexpr const char* kTraceId = "0123456789abcdef0123456789abcdef";
constexpr std::uint64_t kObservationCount = 32'843;
constexpr std::uint64_t kLevelCount = 10'000;
constexpr std::uint64_t kPageRowCount = 100;
constexpr std::size_t kPreviewCharacterCount = 200;
constexpr std::size_t kCharacterSizeBytesMax = 4;
constexpr std::uint64_t kTagCount = 1'000;
constexpr std::uint64_t kSessionCount = 100'000;
constexpr const char* kUser = "user-of-many-sessions";
constexpr const char* kTaggedTraceId = "00000000000000000000000000007a65";
constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kStreamSizeBytes = 200 * kMiB;

std::string hex(std::uint64_t number) {
  std::array<char, 17> digits{};
  std::snprintf(digits.data(), digits.size(), "%016llx",
                static_cast<unsigned long long>((number + 1) * 0x9e3779b97f4a7c15));
  return digits.data();
}

template <class Entity>
void set(Entity& entity, tl_field field) {
  entity.set_mask |= TL_BIT(field);
}

// A chain of 10,000; the others hang below random ones of those before them.
class LargeTrace {
 public:
  explicit LargeTrace(const TextPool& texts) : texts_(texts) {}

  const Event& next() {
    id_ = hex(made_count_);
    parent_ = made_count_ == 0            ? ""
              : made_count_ < kLevelCount ? hex(made_count_ - 1)
                                          : hex(below(random_, made_count_));
    input_ = payload();
    output_ = payload();
    tl_observation& made = event_.entity.emplace<tl_observation>();
    made.struct_size = sizeof made;
    made.id = text(id_);
    made.trace_id = text(kTraceId);
    set(made, TL_FIELD_TRACE_ID);
    if (!parent_.empty()) {
      made.parent_observation_id = text(parent_);
      set(made, TL_FIELD_PARENT_OBSERVATION_ID);
    }
    made.type = TL_TYPE_SPAN;
    event_.type_name = text("SPAN");
    made.name = text("step");
    made.start_time_ns =
        1'760'000'000'000'000'000 + static_cast<std::int64_t>(made_count_) * 1'000'000;
    made.end_time_ns = made.start_time_ns + 900'000;
    made.input = {TL_FORM_JSON, text(input_)};
    made.output = {TL_FORM_JSON, text(output_)};
    for (const tl_field field : {TL_FIELD_TYPE, TL_FIELD_NAME, TL_FIELD_START_TIME,
                                 TL_FIELD_END_TIME, TL_FIELD_INPUT, TL_FIELD_OUTPUT}) {
      set(made, field);
    }
    ++made_count_;
    return event_;
  }

 private:
  std::string payload() {
    std::string json = "{\"text\":\"";
    json += texts_.cut(random_, texts_.size(random_));
    return json + "\"}";
  }

  const TextPool& texts_;
  Random random_{5};
  std::uint64_t made_count_ = 0;
  std::string id_, parent_, input_, output_;
  Event event_;
};

// --------------------------------------------------------------------------------- what is read

// The bytes of the first characters of a text that may go on.
std::size_t preview_size_bytes(std::string_view begin) {
  std::size_t count = 0;
  std::size_t at = 0;
  for (; at < begin.size(); ++at) {
    if ((static_cast<unsigned char>(begin[at]) & 0xC0) == 0x80) continue;
    if (count++ == kPreviewCharacterCount) break;
  }
  return at;
}

// 100 observations behind a position, each with the begin of its input and output.
std::uint64_t read_page(const tracelite::Store& store, const std::string& after) {
  tl_filter where = filter();
  where.trace_id = text(kTraceId);
  Cursor cursor = store.list(TL_KIND_OBSERVATION, where, TL_ORDER_TIME | TL_ORDER_ASCENDING, after,
                             kPageRowCount);
  std::array<char, kPreviewCharacterCount * kCharacterSizeBytesMax> buffer{};
  std::uint64_t size_bytes = 0;
  while (cursor.next() != nullptr) {
    for (const tl_field field : {TL_FIELD_INPUT, TL_FIELD_OUTPUT}) {
      std::size_t read_bytes = 0;
      tracelite::require(tl_payload_read(cursor.get(), field, TL_READ_AS_GIVEN, 0, buffer.data(),
                                         buffer.size(), &read_bytes));
      size_bytes += preview_size_bytes({buffer.data(), read_bytes});
    }
  }
  return size_bytes;
}

// Where the pages of the large trace begin, about the middle: every hundredth position.
std::vector<std::string> page_positions(const tracelite::Store& store) {
  tl_filter where = filter();
  where.trace_id = text(kTraceId);
  Cursor cursor = store.list(TL_KIND_OBSERVATION, where, TL_ORDER_TIME | TL_ORDER_ASCENDING);
  std::vector<std::string> positions;
  for (std::uint64_t i = 1; cursor.next() != nullptr; ++i) {
    if (i % (10 * kPageRowCount) == 0) positions.push_back(cursor.position());
  }
  return positions;
}

// ------------------------------------------------------------------------------------ the report

class Report {
 public:
  // limit 0: none.
  void add(const std::string& name, const std::vector<double>& own,
           const std::vector<double>& other, const std::string& unit, double units_in_one,
           double limit) {
    const double own_median = median(own);
    const std::string holds = limit <= 0            ? ""
                              : own_median <= limit ? "yes"
                                                    : "no: " + decimal(limit * units_in_one, 0);
    JsonLine line("bench", "big: " + name);
    line.add("unit", unit).add("tracelite", own_median * units_in_one);
    line.add("min", *std::min_element(own.begin(), own.end()) * units_in_one);
    line.add("max", *std::max_element(own.begin(), own.end()) * units_in_one);
    line.add("runs", std::uint64_t{own.size()});
    if (!other.empty()) {
      line.add("sqlite", median(other) * units_in_one);
      line.add_ratio("ratio", ratio(own_median, median(other)));
    }
    if (limit > 0) {
      line.add("limit", limit * units_in_one).add("holds", holds);
      at_most(name, own_median * units_in_one, limit * units_in_one, unit);
    }
    line.print();
    table_.add({name, decimal(own_median * units_in_one, 2),
                decimal(*std::max_element(own.begin(), own.end()) * units_in_one, 2),
                other.empty() ? "" : decimal(median(other) * units_in_one, 2),
                other.empty() ? "" : decimal(ratio(own_median, median(other)), 2), unit,
                limit > 0 ? decimal(limit * units_in_one, 0) : "", holds});
  }
  void print() const { table_.print(); }

 private:
  Table table_{{"big things", "tracelite", "max", "SQLite", "ratio", "unit", "limit", "holds"}};
};

using Work = std::function<void(std::size_t)>;
std::vector<double> times(int count, const Work& work) {
  work(0);
  std::vector<double> seconds;
  for (int i = 0; i < count; ++i) {
    seconds.push_back(measure([&] { work(static_cast<std::size_t>(i)); }).wall_s);
  }
  return seconds;
}

std::vector<double> numbers_of(const std::string& printed) {
  std::istringstream in(printed);
  std::vector<double> numbers;
  for (double number = 0; in >> number;) numbers.push_back(number);
  if (numbers.empty()) throw std::runtime_error("a process has told nothing");
  return numbers;
}

// ----------------------------------------------------------------------------------- the benches

void bench_large_trace(int run_count, const Folder& folder, Report& report) {
  const std::string path = folder.file("big.tl");
  const std::string sqlite_path = folder.file("big.sqlite");
  const TextPool texts = TextPool::of_corpus();
  {
    Progress progress("recording the large trace");
    tracelite::Store store(path);
    SqliteByHand db(sqlite_path);
    LargeTrace made(texts);
    for (std::uint64_t i = 0; i < kObservationCount; ++i) {
      const Event& event = made.next();
      put(store, event);
      db.put(event);
    }
    db.commit();
    db.checkpoint();
    store.close();
  }
  const tracelite::Store store(path);
  const SqliteByHand db(SqliteByHand::ForReading(), sqlite_path);
  std::vector<double> own, other, own_pages, other_pages, page_rss, skeleton_rss;
  SqliteTree tree(db.handle());
  const auto skeleton = [&](std::size_t) {
    if (read_all(store.tree(kTraceId)) != static_cast<std::int64_t>(kObservationCount) + 1) {
      throw std::runtime_error("the skeleton lacks rows");
    }
  };
  // By hand there is no trace row here: the observations alone are asked for.
  const auto by_hand = [&](std::size_t) { tree.run(kTraceId); };
  for (int i = 0; i < run_count * 3; ++i) {
    own.push_back(times(1, skeleton).front());
    other.push_back(times(1, by_hand).front());
  }
  report.add("the skeleton of 32,843 observations", own, other, "ms", 1e3, 50e-3);

  const std::vector<std::string> positions = page_positions(store);
  SqliteStatement page(db.handle(),
                       "SELECT " TL_OBSERVATION_COLUMNS
                       ", substr(o.input, 1, 200), substr(o.output, 1, 200) FROM observations o "
                       "WHERE o.trace_id = ?1 AND o.start_ns > ?2 ORDER BY o.start_ns LIMIT 100");
  for (int i = 0; i < run_count * 20; ++i) {
    const std::size_t at = static_cast<std::size_t>(i) % positions.size();
    own_pages.push_back(measure([&] { read_page(store, positions[at]); }).wall_s);
    const auto start_ns =
        1'760'000'000'000'000'000 +
        (static_cast<std::int64_t>((at + 1) * 10 * kPageRowCount) - 1) * 1'000'000;
    other_pages.push_back(measure([&] {
                            page.read_all({std::string_view(kTraceId), start_ns});
                          }).wall_s);
  }
  report.add("a page of 100 with previews, anywhere in it", own_pages, other_pages, "ms", 1e3,
             2e-3);
  own_pages = times(run_count * 20, [&](std::size_t) { read_page(store, ""); });
  report.add("the first page of 100 with previews", own_pages, {}, "ms", 1e3, 2e-3);

  for (int i = 0; i < run_count; ++i) {
    page_rss.push_back(numbers_of(output_of_self({"big-page-probe", "--file", path})).front());
    skeleton_rss.push_back(
        numbers_of(output_of_self({"big-skeleton-probe", "--file", path})).front());
  }
  report.add("RssAnon of a process that reads a page", page_rss, {}, "MiB", 1, 0);
  report.add("RssAnon of a process that reads the skeleton", skeleton_rss, {}, "MiB", 1, 0);
}

void bench_many(int run_count, const Folder& folder, Report& report) {
  tracelite::Store store(folder.file("many.tl"));
  {
    Progress progress("recording many sessions");
    std::vector<std::string> tags;
    std::vector<tl_text> tag_texts;
    for (std::uint64_t i = 0; i < kTagCount; ++i) tags.push_back("tag-" + std::to_string(i));
    for (const std::string& tag : tags) tag_texts.push_back(text(tag));
    tl_trace trace{};
    trace.struct_size = sizeof trace;
    trace.id = text(kTaggedTraceId);
    trace.timestamp_ns = 1'760'000'000'000'000'000;
    trace.tags = tag_texts.data();
    trace.tag_count = tag_texts.size();
    set(trace, TL_FIELD_TIMESTAMP);
    set(trace, TL_FIELD_TAGS);
    const Cost tagging = measure([&] {
      tracelite::require(tl_put_trace(store.get(), &trace));
      store.flush();
    });
    report.add("a trace with 1,000 tags, until it is durable", {tagging.wall_s}, {}, "ms", 1e3, 0);
    trace.tags = nullptr;
    trace.tag_count = 0;
    trace.set_mask =
        TL_BIT(TL_FIELD_TIMESTAMP) | TL_BIT(TL_FIELD_USER_ID) | TL_BIT(TL_FIELD_SESSION_ID);
    trace.user_id = text(kUser);
    const Cost recording = measure([&] {
      for (std::uint64_t i = 0; i < kSessionCount; ++i) {
        progress.show(i, kSessionCount);
        const std::string id = hex(i) + hex(i);
        const std::string session = "session-" + std::to_string(i);
        trace.id = text(id);
        trace.session_id = text(session);
        trace.timestamp_ns += 1'000'000;
        tracelite::require(tl_put_trace(store.get(), &trace));
      }
      store.flush();
    });
    report.add("100,000 sessions of a user, until they are durable", {recording.wall_s}, {}, "s", 1,
               0);
  }
  report.add("that trace by its id",
             times(run_count * 20,
                   [&](std::size_t) {
                     if (read_all(store.get(TL_KIND_TRACE, kTaggedTraceId)) != 1) {
                       throw std::runtime_error("the trace is missing");
                     }
                   }),
             {}, "ms", 1e3, 0);
  const auto page_of = [&](tl_kind kind) {
    tl_filter where = filter();
    where.user_id = text(kUser);
    return [&store, kind, where](std::size_t) {
      const std::int64_t count = read_all(store.list(kind, where, TL_ORDER_TIME, {}, 50));
      if (count != 50) throw std::runtime_error("a page lacks rows");
    };
  };
  report.add("50 traces of that user", times(run_count * 20, page_of(TL_KIND_TRACE)), {}, "ms", 1e3,
             1e-3);
  report.add("50 sessions of that user", times(run_count, page_of(TL_KIND_SESSION)), {}, "ms", 1e3,
             0);
  report.add(
      "the user by its id",
      times(run_count,
            [&](std::size_t) { static_cast<void>(read_all(store.get(TL_KIND_USER, kUser))); }),
      {}, "ms", 1e3, 0);
  store.close();
}

void bench_stream(int run_count, const Folder& folder, Report& report) {
  std::vector<double> in_s, out_s, in_mib, out_mib;
  for (int i = 0; i < run_count; ++i) {
    const std::string path = folder.file("stream-" + std::to_string(i) + ".tl");
    const std::vector<double> told =
        numbers_of(output_of_self({"big-stream-probe", "--file", path}));
    in_s.push_back(told.at(0));
    out_s.push_back(told.at(1));
    in_mib.push_back(told.at(2));
    out_mib.push_back(told.at(3));
    std::remove(path.c_str());
  }
  report.add("200 MiB appended, until they are durable", in_s, {}, "s", 1, 0);
  report.add("200 MiB read back", out_s, {}, "s", 1, 0);
  // As the header says: the queue and some 48 MiB.
  report.add("RssAnon at most while they come in", in_mib, {}, "MiB", 1, 16 + 48);
  report.add("RssAnon at most while they go out", out_mib, {}, "MiB", 1, 16);
}

double mib(std::uint64_t size_bytes) { return static_cast<double>(size_bytes) / kMiB; }

}  // namespace

void bench_big(int run_count, const Folder& folder) {
  Report report;
  bench_large_trace(run_count, folder, report);
  bench_many(run_count, folder, report);
  bench_stream(std::min(run_count, 3), folder, report);
  report.print();
}

void probe_big_page(const std::string& path) {
  const RssAnonSampler sampler;
  const std::uint64_t before = rss_anon_bytes();
  const tracelite::Store store(path);
  read_page(store, "");
  std::printf("%.2f\n", mib(sampler.bytes_max() - before));
}

void probe_big_skeleton(const std::string& path) {
  const RssAnonSampler sampler;
  const std::uint64_t before = rss_anon_bytes();
  const tracelite::Store store(path);
  read_all(store.tree(kTraceId));
  std::printf("%.2f\n", mib(sampler.bytes_max() - before));
}

void probe_big_stream(const std::string& path) {
  // Letters that repeat as little as the bytes of a picture do.
  Random random(5);
  std::string piece(kMiB, ' ');
  const auto refill = [&] {
    for (std::size_t at = 0; at < piece.size();) {
      for (std::uint64_t rest = random(); rest != 0 && at < piece.size(); rest >>= 6) {
        piece[at++] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"[rest & 63];
      }
    }
  };
  refill();
  const std::uint64_t before = rss_anon_bytes();
  const auto sampler = std::make_unique<RssAnonSampler>();
  auto store = std::make_unique<tracelite::Store>(path);
  const double in_s = measure([&] {
                        tracelite::Span span = store->begin(
                            tracelite::Observation().id("streamed").trace_id("streamed"));
                        for (std::size_t at = 0; at < kStreamSizeBytes; at += piece.size()) {
                          refill();
                          span.append(TL_FIELD_OUTPUT, piece);
                        }
                        span.end();
                        store->close();
                      }).wall_s;
  const double in_mib = mib(sampler->bytes_max() - before);
  store.reset();
  malloc_trim(0);
  const std::uint64_t before_reading = rss_anon_bytes();
  const RssAnonSampler reading;
  std::uint64_t size_bytes = 0;
  const double out_s =
      measure([&] {
        const tracelite::Store reader(path);
        Cursor cursor = reader.get(TL_KIND_OBSERVATION, "streamed", "streamed");
        cursor.next();
        std::size_t read_bytes = piece.size();
        for (; read_bytes == piece.size(); size_bytes += read_bytes) {
          tracelite::require(tl_payload_read(cursor.get(), TL_FIELD_OUTPUT, TL_READ_AS_GIVEN,
                                             size_bytes, piece.data(), piece.size(), &read_bytes));
        }
      }).wall_s;
  if (size_bytes != kStreamSizeBytes) throw std::runtime_error("the payload has another size");
  std::printf("%.3f %.3f %.2f %.2f\n", in_s, out_s, in_mib,
              mib(reading.bytes_max() - std::min(reading.bytes_max(), before_reading)));
}

}  // namespace bench
