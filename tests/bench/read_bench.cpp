#include "bench/read_bench.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/batch_size.hpp"
#include "bench/json_line.hpp"
#include "bench/measure.hpp"
#include "bench/progress.hpp"
#include "bench/reading.hpp"
#include "bench/sqlite_by_hand.hpp"
#include "bench/tracelite_file.hpp"

namespace bench {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSeed = 1;
constexpr std::size_t kPayloadCount = 200;
constexpr std::size_t kTraceCount = 50;
constexpr std::size_t kSessionCount = 20;

// What to read: a trace, a session, or the input or output of an observation of a trace.
struct Subject {
  std::string id;
  std::string trace_id;
  bool is_output = false;
};

// Up to `count` of the rows of a query (id, trace id, whether it is the output), at random.
std::vector<Subject> pick(sqlite3* db, const char* sql, std::size_t count) {
  std::vector<Subject> subjects;
  SqliteStatement statement(db, sql);
  while (statement.step()) {
    subjects.push_back(
        {std::string(statement.text(0)), std::string(statement.text(1)), statement.number(2) != 0});
  }
  std::mt19937_64 random(kSeed);
  std::shuffle(subjects.begin(), subjects.end(), random);
  subjects.resize(std::min(subjects.size(), count));
  return subjects;
}

// A file, open for reading. Each read gives the number of rows.
class Reader {
 public:
  Reader() = default;
  virtual ~Reader() = default;
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  virtual std::int64_t row(const Subject& subject, PayloadBuffer& into) = 0;
  virtual std::int64_t payload(const Subject& subject, PayloadBuffer& into) = 0;
  virtual std::int64_t trace(const Subject& subject, PayloadBuffer& into) = 0;
  virtual std::int64_t session(const Subject& subject, PayloadBuffer& into) = 0;
};

class TraceliteReader : public Reader {
 public:
  explicit TraceliteReader(const std::string& path) : store_(path, read_only()) {}

  std::int64_t row(const Subject& subject, PayloadBuffer& /*into*/) override {
    return read_all(store_.get(TL_KIND_TRACE, subject.id));
  }
  std::int64_t payload(const Subject& subject, PayloadBuffer& into) override {
    tracelite::Cursor cursor = store_.get(TL_KIND_OBSERVATION, subject.id, subject.trace_id);
    if (cursor.next() == nullptr) return 0;
    into.take(cursor, subject.is_output ? TL_FIELD_OUTPUT : TL_FIELD_INPUT);
    return 1;
  }
  std::int64_t trace(const Subject& subject, PayloadBuffer& into) override {
    return read_all(store_.tree(subject.id), into);
  }
  std::int64_t session(const Subject& subject, PayloadBuffer& into) override {
    return read_all(store_.replay(subject.id), into);
  }

 private:
  static tl_options read_only() {
    tl_options options = tracelite::Store::options();
    options.read_only = 1;
    return options;
  }
  tracelite::Store store_;
};

// Statements are prepared when they are first needed.
class SqliteReader : public Reader {
 public:
  explicit SqliteReader(const std::string& path) : db_(SqliteByHand::ForReading{}, path) {}

  std::int64_t row(const Subject& subject, PayloadBuffer& /*into*/) override {
    if (!row_) row_.emplace(db_.handle(), page_of_traces("FROM traces t WHERE t.id = ?").c_str());
    return row_->read_all({subject.id});
  }
  std::int64_t payload(const Subject& subject, PayloadBuffer& into) override {
    std::optional<SqliteStatement>& statement = subject.is_output ? output_ : input_;
    if (!statement) {
      statement.emplace(db_.handle(), subject.is_output
                                          ? "SELECT output FROM observations WHERE id = ?"
                                          : "SELECT input FROM observations WHERE id = ?");
    }
    statement->start({subject.id});
    std::int64_t row_count = 0;
    for (; statement->step(); ++row_count) into.take(*statement, 0);
    statement->reset();
    return row_count;
  }
  std::int64_t trace(const Subject& subject, PayloadBuffer& into) override {
    if (!tree_) tree_.emplace(db_.handle());
    return tree_->run(subject.id, into);
  }
  std::int64_t session(const Subject& subject, PayloadBuffer& into) override {
    if (!replay_) replay_.emplace(db_.handle());
    return replay_->run(subject.id, into);
  }

 private:
  SqliteByHand db_;
  std::optional<SqliteStatement> row_;
  std::optional<SqliteStatement> input_;
  std::optional<SqliteStatement> output_;
  std::optional<SqliteTree> tree_;
  std::optional<SqliteReplay> replay_;
};

struct Paths {
  std::string tracelite;
  std::string sqlite;
  std::string sqlite_zstd;
};

// One side of the comparison.
class Side {
 public:
  using Open = std::function<std::unique_ptr<Reader>()>;
  using Question = std::int64_t (Reader::*)(const Subject&, PayloadBuffer&);

  Side(Open open, std::vector<double> Samples::*samples)
      : open_(std::move(open)), samples_(samples) {}

  void open() { reader_ = open_(); }
  void close() { reader_.reset(); }
  // Seconds go into the samples; opening first counts if nothing is open.
  std::int64_t read(Question question, const Subject& subject, PayloadBuffer& into,
                    Samples& samples) {
    std::int64_t row_count = 0;
    (samples.*samples_).push_back(measure([&] {
                                    if (!reader_) open();
                                    row_count = ((*reader_).*question)(subject, into);
                                  }).wall_s);
    return row_count;
  }

 private:
  Open open_;
  std::unique_ptr<Reader> reader_;
  std::vector<double> Samples::*samples_;
};

class Comparison {
 public:
  Comparison(std::string name, const Paths& paths, int run_count)
      : name_(std::move(name)),
        run_count_(run_count),
        sides_{Side([=] { return std::make_unique<TraceliteReader>(paths.tracelite); },
                    &Samples::tracelite),
               Side([=] { return std::make_unique<SqliteReader>(paths.sqlite); }, &Samples::sqlite),
               Side([=] { return std::make_unique<SqliteReader>(paths.sqlite_zstd); },
                    &Samples::sqlite_zstd)} {}

  void compare(const std::string& what, Side::Question question,
               const std::vector<Subject>& subjects) {
    if (subjects.empty()) return;
    const Progress progress("read " + name_ + ": " + what);
    // The first round of each brings the files into the page cache of the system.
    run_round(question, subjects, true);
    Samples cold;
    std::uint64_t size_bytes = 0;
    for (int i = 0; i < run_count_; ++i) size_bytes += run_round(question, subjects, true, &cold);
    print({"read " + name_ + ", a fresh store: " + what, "us", 1e6, -1, size_bytes}, cold);

    run_round(question, subjects, false);
    Samples warm;
    size_bytes = 0;
    for (int i = 0; i < run_count_; ++i) size_bytes += run_round(question, subjects, false, &warm);
    print({"read " + name_ + ", an open store: " + what, "us", 1e6, -1, size_bytes}, warm);
    for (Side& side : sides_) side.close();
  }

 private:
  // The sides in turns for each subject; they must give as much. Gives the bytes of one side.
  std::uint64_t run_round(Side::Question question, const std::vector<Subject>& subjects,
                          bool is_fresh, Samples* samples = nullptr) {
    Samples unused;
    const std::uint64_t before_bytes = payloads_[0].size_bytes();
    for (const Subject& subject : subjects) {
      std::array<std::int64_t, 3> row_counts{};
      for (std::size_t i = 0; i < sides_.size(); ++i) {
        if (is_fresh) sides_[i].close();
        row_counts[i] =
            sides_[i].read(question, subject, payloads_[i], samples != nullptr ? *samples : unused);
        if (is_fresh) sides_[i].close();
        if (row_counts[i] != row_counts[0] ||
            payloads_[i].size_bytes() != payloads_[0].size_bytes()) {
          throw std::runtime_error("the answers differ: " + subject.id);
        }
      }
    }
    return payloads_[0].size_bytes() - before_bytes;
  }

  const std::string name_;
  const int run_count_;
  std::array<Side, 3> sides_;
  std::array<PayloadBuffer, 3> payloads_;
};

void write_files(const Events& events, const Paths& paths) {
  const Progress progress("read " + events.name() + ": writing the files");
  for (const std::string& path : {paths.tracelite, paths.sqlite, paths.sqlite_zstd}) {
    fs::remove(path);
  }
  tracelite::Store store(paths.tracelite);
  import(store, events.text());
  store.close();
  for (const auto payloads : {SqliteByHand::Payloads::text, SqliteByHand::Payloads::zstd}) {
    const bool is_text = payloads == SqliteByHand::Payloads::text;
    SqliteByHand db(is_text ? paths.sqlite : paths.sqlite_zstd, payloads);
    db.import(events, batch_size_bytes_max());
    db.checkpoint();
  }
}

void compare_all(const std::string& name, const Paths& paths, int run_count) {
  SqliteByHand db(SqliteByHand::ForReading{}, paths.sqlite);
  const std::vector<Subject> payloads =
      pick(db.handle(),
           "SELECT id, trace_id, 0 FROM observations WHERE input IS NOT NULL UNION ALL "
           "SELECT id, trace_id, 1 FROM observations WHERE output IS NOT NULL ORDER BY 1, 3",
           kPayloadCount);
  const std::vector<Subject> traces =
      pick(db.handle(), "SELECT id, id, 0 FROM traces ORDER BY 1", kTraceCount);
  const std::vector<Subject> sessions =
      pick(db.handle(),
           "SELECT DISTINCT session_id, '', 0 FROM traces WHERE session_id IS NOT NULL ORDER BY 1",
           kSessionCount);

  Comparison comparison(name, paths, run_count);
  comparison.compare("a trace's row, SQLite without sums", &Reader::row, traces);
  comparison.compare("a payload", &Reader::payload, payloads);
  comparison.compare("a trace with all payloads", &Reader::trace, traces);
  comparison.compare("a session with all payloads", &Reader::session, sessions);
}

}  // namespace

void bench_read(const Events& events, int run_count, const Folder& folder) {
  print_note(events.name() + ": " + std::to_string(kPayloadCount) + " payloads, " +
             std::to_string(kTraceCount) + " traces, " + std::to_string(kSessionCount) +
             " sessions at random, seed " + std::to_string(kSeed) +
             "; a fresh store: opening it counts, and its pages are in the system's cache");
  const Paths paths{folder.file("read.tl"), folder.file("read.sqlite"),
                    folder.file("read_zstd.sqlite")};
  write_files(events, paths);
  compare_all(events.name(), paths, run_count);
  {
    Progress progress("read " + events.name() + ": compacting");
    compact(paths.tracelite, progress);
  }
  compare_all(events.name() + " compacted", paths, run_count);
}

}  // namespace bench
