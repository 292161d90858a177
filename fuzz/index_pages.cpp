// Aims at: lib/index/page_file.cpp lib/index/connection.cpp lib/index/page_header.cpp
//   lib/store/sealed.cpp
//
// SQLite's pages in LMDB against SQLite in memory: batches of random statements with savepoints,
// committed, rolled back, or broken by a write that fails; readers that go from snapshot to
// snapshot; several writers; closing and opening. Statements end alike, and all rows are the same.
//
// Each byte or few is one step.

#include <sqlite3.h>

#include <array>
#include <memory>
#include <optional>

#include "fuzz/input.hpp"
#include "index/page_file.hpp"
#include "store/environment.hpp"
#include "store/sealed.hpp"
#include "store/testing.hpp"

namespace tracelite::fuzz {
namespace {

constexpr std::size_t kStepCountMax = 200;
constexpr std::size_t kWriterCount = 2;
constexpr char kSchema[] =
    "CREATE TABLE a(x INTEGER, y INTEGER, body TEXT, PRIMARY KEY(x, y)) WITHOUT ROWID;"
    "CREATE TABLE b(id INTEGER PRIMARY KEY, z UNIQUE, body BLOB);"
    "CREATE INDEX b_length ON b(length(body));";
constexpr char kEmpty[] = "DELETE FROM a; DELETE FROM b;";
constexpr char kAll[] =
    "SELECT 'a', x, y, body FROM a UNION ALL SELECT 'b', id, z, hex(body) FROM b";
constexpr char kByIndex[] = "SELECT z, length(body) FROM b WHERE length(body) >= 0 ORDER BY 2, 1";

int run(sqlite3* handle, const std::string& sql) {
  return sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr) & 0xff;
}

std::string rows(sqlite3* handle, const char* sql) {
  std::string out;
  const auto append = [](void* text, int columns, char** values, char**) {
    auto& all = *static_cast<std::string*>(text);
    for (int i = 0; i < columns; ++i) {
      all += values[i] != nullptr ? values[i] : "NULL";
      all += '|';
    }
    return 0;
  };
  if (sqlite3_exec(handle, sql, append, &out, nullptr) != SQLITE_OK) fail(sqlite3_errmsg(handle));
  return out;
}

class Oracle {
 public:
  Oracle() { require(sqlite3_open(":memory:", &handle_) == SQLITE_OK, "SQLite in memory"); }
  ~Oracle() { sqlite3_close(handle_); }
  Oracle(const Oracle&) = delete;
  Oracle& operator=(const Oracle&) = delete;
  [[nodiscard]] sqlite3* handle() const { return handle_; }

 private:
  sqlite3* handle_ = nullptr;
};

std::string statement(Input& input) {
  const std::string n = std::to_string(input.below(60));
  const std::string m = std::to_string(input.below(30));
  const std::uint8_t length = input.byte();
  const std::string size = std::to_string(length < 224 ? length : length * 80);
  switch (input.below(9)) {
    case 0:
    case 1:
      return "INSERT OR REPLACE INTO a VALUES(" + n + "," + m + ",hex(zeroblob(" + size + ")))";
    case 2:
      return "INSERT INTO b(z, body) VALUES(" + n + ", zeroblob(" + size + "))";
    case 3:
      return "INSERT INTO b(z, body) SELECT x * 100 + y, body FROM a WHERE y % 7 = " + m;
    case 4:
      return "DELETE FROM a WHERE x = " + n;
    case 5:
      return "DELETE FROM b WHERE id % 50 < " + m;
    case 6:
      return "UPDATE b SET z = z + 1 WHERE id > " + n;
    case 7:
      return "UPDATE a SET body = body || 'y' WHERE y = " + m;
    default:
      return "INSERT INTO a VALUES(" + n + ", 3, 'z')";
  }
}

// A file that is used by all inputs, so that what one leaves behind is met by the next: each begins
// with no rows.
class Database {
 public:
  Database() { open(); }
  ~Database() { close(); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void open() {
    environment_ = must(store::Environment::open(folder_.file("pages.tl"), {}));
    for (auto& writer : writers_) {
      auto transaction = must(environment_->begin_write());
      writer = must(index::Connection::open_writer(transaction));
    }
  }
  void close() {
    reader_.reset();
    seen_.reset();
    for (auto& writer : writers_) writer.reset();
    environment_.reset();
  }
  store::Environment& environment() { return *environment_; }
  index::Connection& writer(std::size_t number) { return *writers_[number]; }

  // What the kept reader sees, which goes to the newest commit before if asked.
  sqlite3* reader(bool renews) {
    if (renews && reader_) {
      must(reader_->detach());
      seen_.emplace(must(environment_->begin_read()));
      must(reader_->attach(*seen_));
    }
    if (!reader_) {
      seen_.emplace(must(environment_->begin_read()));
      reader_ = must(index::Connection::open_reader(*seen_));
    }
    return reader_->handle();
  }
  // All pages as compacting leaves them.
  void seal() {
    auto transaction = must(environment_->begin_write());
    std::optional<std::string> next = std::string();
    while (next) {
      next = must(store::seal(transaction, store::KeySpace::page, *next, std::size_t{1} << 20));
    }
    must(transaction.commit());
  }

 private:
  Folder folder_;
  std::shared_ptr<store::Environment> environment_;
  std::array<std::unique_ptr<index::Connection>, kWriterCount> writers_;
  std::optional<store::ReadTransaction> seen_;
  std::unique_ptr<index::Connection> reader_;
};

class Run {
 public:
  Run(Database& database, Input input) : database_(database), input_(input) {}

  void run() {
    start();
    for (std::size_t step = 0; step < kStepCountMax && !input_.empty(); ++step) take_step();
    compare(true);
    require(rows(database_.reader(true), "PRAGMA integrity_check") == "ok|", "the pages are sound");
  }

 private:
  void start() {
    fuzz::run(oracle_.handle(), kSchema);
    index::Connection& writer = database_.writer(0);
    auto transaction = must(database_.environment().begin_write());
    must(writer.begin(transaction));
    if (fuzz::run(writer.handle(), kEmpty) != SQLITE_OK) fuzz::run(writer.handle(), kSchema);
    must(writer.commit());
    compare(true);
  }
  std::string committed() { return rows(oracle_.handle(), kAll); }

  void take_step() {
    switch (input_.below(10)) {
      case 0:
        compare(false);
        break;
      case 1:
        compare(true);
        break;
      case 2:
        database_.close();
        database_.open();
        compare(true);
        break;
      case 3:
        database_.seal();
        break;
      default:
        batch();
    }
  }

  // A kept reader goes on seeing what it saw.
  void compare(bool renews) {
    if (renews) seen_by_reader_ = committed();
    sqlite3* const reader = database_.reader(renews);
    require(rows(reader, kAll) == seen_by_reader_, "a reader sees the rows of its commit");
    if (renews) {
      require(rows(reader, kByIndex) == rows(oracle_.handle(), kByIndex), "an index has its rows");
    }
  }

  void batch() {
    index::Connection& writer = database_.writer(input_.below(kWriterCount));
    const std::uint8_t end = input_.byte();
    const bool breaks = end % 8 == 0;
    auto transaction = must(database_.environment().begin_write());
    must(writer.begin(transaction));
    fuzz::run(oracle_.handle(), "BEGIN");
    if (breaks) store::testing::fail(store::testing::Point::put, 1 + input_.byte() % 32, ENOSPC);
    int depth = 0;
    bool ends_alike = true;
    for (std::size_t left = 1 + input_.below(8); left > 0; --left) {
      const std::string sql = savepoint_or_statement(depth);
      const int code = fuzz::run(writer.handle(), sql);
      const bool is_alike = code == fuzz::run(oracle_.handle(), sql);
      require(is_alike || breaks, "a statement ends as in memory");
      ends_alike = ends_alike && is_alike;
    }
    bool commits = end % 4 != 1;
    if (commits) {
      const Status done = writer.commit();
      commits = done.ok();
      require(commits || breaks, "a batch is committed");
      require(!commits || ends_alike, "a batch that was broken is not committed");
    } else {
      writer.rollback();
    }
    store::testing::fail(store::testing::Point::put, 0, 0);
    fuzz::run(oracle_.handle(), commits ? "COMMIT" : "ROLLBACK");
  }

  std::string savepoint_or_statement(int& depth) {
    switch (input_.below(8)) {
      case 0:
        return "SAVEPOINT s" + std::to_string(++depth);
      case 1:
        if (depth > 0) return "ROLLBACK TO s" + std::to_string(depth);
        break;
      case 2:
        if (depth > 0) return "RELEASE s" + std::to_string(depth--);
        break;
      default:
        break;
    }
    return statement(input_);
  }

  Database& database_;
  Input input_;
  Oracle oracle_;
  std::string seen_by_reader_;
};

}  // namespace
}  // namespace tracelite::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  using namespace tracelite::fuzz;
  static Database database;
  Run(database, Input(as_bytes(data, size_bytes))).run();
  return 0;
}
