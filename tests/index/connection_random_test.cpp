// Random work on one connection and on several, in one process and in two, against plain SQLite.

#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <random>
#include <vector>

#include "page_file_support.hpp"

namespace tracelite::index::test {
namespace {

constexpr int kAlternations = 500;

constexpr char kSchema[] =
    "CREATE TABLE a(x INTEGER, y INTEGER, body TEXT, PRIMARY KEY(x, y)) WITHOUT ROWID;"
    "CREATE TABLE b(id INTEGER PRIMARY KEY, z UNIQUE, body BLOB);"
    "CREATE INDEX b_length ON b(length(body));";
constexpr char kAll[] =
    "SELECT 'a', x, y, body FROM a UNION ALL SELECT 'b', id, z, hex(body) FROM b";

class Sqlite {
 public:
  Sqlite() { sqlite3_open(":memory:", &handle_); }
  ~Sqlite() { sqlite3_close(handle_); }
  Sqlite(const Sqlite&) = delete;
  Sqlite& operator=(const Sqlite&) = delete;
  [[nodiscard]] sqlite3* handle() const { return handle_; }

 private:
  sqlite3* handle_ = nullptr;
};

class Work {
 public:
  explicit Work(std::uint32_t seed) : random_(seed) {}

  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_()) % bound; }

  // A statement that may fail, and then does so everywhere.
  std::string statement() {
    const std::string n = std::to_string(below(60));
    const std::string size = std::to_string(below(8) == 0 ? below(20000) : below(300));
    switch (below(9)) {
      case 0:
      case 1:
        return "INSERT OR REPLACE INTO a VALUES(" + n + "," + std::to_string(below(30)) +
               ",hex(zeroblob(" + size + ")))";
      case 2:
        return "INSERT INTO b(z, body) VALUES(" + n + ", zeroblob(" + size + "))";
      case 3:
        return "INSERT INTO b(z, body) SELECT x * 100 + y, body FROM a WHERE y % 7 = " +
               std::to_string(below(7)) + " ORDER BY x";
      case 4:
        return "DELETE FROM a WHERE x = " + n;
      case 5:
        return "DELETE FROM b WHERE id % 50 = " + std::to_string(below(50));
      case 6:
        return "UPDATE b SET z = z + 1 WHERE id > " + n;
      case 7:
        return "UPDATE a SET body = body || 'y' WHERE y = " + std::to_string(below(30));
      default:
        return "INSERT INTO a VALUES(" + n + ", 3, 'z')";
    }
  }

  // A few statements, some of them within savepoints.
  std::vector<std::string> statements() {
    std::vector<std::string> all;
    int depth = 0;
    for (std::uint32_t i = below(12) + 1; i > 0; --i) {
      const std::uint32_t kind = below(10);
      if (kind == 0) {
        all.push_back("SAVEPOINT s" + std::to_string(++depth));
      } else if (kind == 1 && depth > 0) {
        all.push_back("ROLLBACK TO s" + std::to_string(depth));
      } else if (kind == 2 && depth > 0) {
        all.push_back("RELEASE s" + std::to_string(depth--));
      } else {
        all.push_back(statement());
      }
    }
    return all;
  }

 private:
  std::mt19937 random_;
};

BOOST_AUTO_TEST_SUITE(connection_random)

BOOST_AUTO_TEST_CASE(random_batches_give_what_plain_sqlite_gives) {
  const Folder folder;
  Work work(tracelite::test::short_random_seed());
  const Sqlite oracle;
  auto environment = open(folder.file());
  auto writer = open_writer(*environment);
  must(batch(*environment, *writer, kSchema));
  run(oracle.handle(), kSchema);
  for (int i = 0; i < 400; ++i) {
    const bool commit = work.below(4) != 0;
    const bool full = work.below(10) == 0;
    const std::vector<std::string> statements = work.statements();
    if (work.below(20) == 0) {  // everything anew, now and then with a tiny cache
      writer.reset();
      environment.reset();
      environment = open(folder.file());
      writer = open_writer(*environment);
      if (work.below(2) == 0) run(writer->handle(), "PRAGMA cache_size=10");
    }
    if (full) {
      store::testing::fail(store::testing::Point::put, work.below(20) + 1, ENOSPC);
    }
    run(oracle.handle(), "BEGIN");
    const Status done = batch(*environment, *writer, [&](store::WriteTransaction&) {
      for (const std::string& sql : statements) {
        const int code = run(writer->handle(), sql);
        if (!full) BOOST_REQUIRE_MESSAGE(code % 256 == run(oracle.handle(), sql) % 256, sql);
      }
      return commit;
    });
    store::testing::fail_nothing();
    BOOST_REQUIRE(full || done.ok());
    if (full && done.ok() && commit) {  // it failed nowhere
      for (const std::string& sql : statements) run(oracle.handle(), sql);
    }
    run(oracle.handle(), commit && done.ok() ? "COMMIT" : "ROLLBACK");
    if (i % 20 == 0) {
      BOOST_REQUIRE(fresh_rows(*environment, kAll) == rows(oracle.handle(), kAll));
      BOOST_REQUIRE(fresh_rows(*environment, "PRAGMA integrity_check") == "ok");
    }
  }
  BOOST_TEST((fresh_rows(*environment, kAll) == rows(oracle.handle(), kAll)));
}

// One step of several writers in turns. Everybody plays all steps on an oracle, and its own on the
// file, where it must first find what the others have done.
bool step(Work& work, int writer_count, int self, store::Environment& environment,
          Connection& writer, sqlite3* oracle) {
  const int turn = static_cast<int>(work.below(static_cast<std::uint32_t>(writer_count)));
  const bool commit = work.below(4) != 0;
  const bool fail_commit = work.below(8) == 0;
  const std::vector<std::string> statements = work.statements();
  const std::string before = rows(oracle, kAll);
  run(oracle, "BEGIN");
  for (const std::string& sql : statements) run(oracle, sql);
  run(oracle, commit && !fail_commit ? "COMMIT" : "ROLLBACK");
  if (turn != self) return true;
  if (commit && fail_commit) store::testing::fail(store::testing::Point::commit, 1, EIO);
  bool same = false;
  const Status done = batch(environment, writer, [&](store::WriteTransaction&) {
    same = rows(writer.handle(), kAll) == before;
    for (const std::string& sql : statements) run(writer.handle(), sql);
    return commit;
  });
  store::testing::fail_nothing();
  return same && done.ok() == !(commit && fail_commit);
}

BOOST_AUTO_TEST_CASE(writers_of_one_process_in_turns) {
  const Folder folder;
  const std::uint32_t value = tracelite::test::short_random_seed();
  const auto environment = open(folder.file());
  const auto same_environment = open(folder.file());
  BOOST_TEST(environment == same_environment);
  const std::unique_ptr<Connection> writers[] = {open_writer(*environment),
                                                 open_writer(*same_environment)};
  must(batch(*environment, *writers[0], kSchema));
  Work works[] = {Work(value), Work(value)};
  const Sqlite oracles[2];
  for (const Sqlite& oracle : oracles) run(oracle.handle(), kSchema);
  for (int i = 0; i < kAlternations; ++i) {
    for (int self = 0; self < 2; ++self) {
      BOOST_REQUIRE(
          step(works[self], 2, self, *environment, *writers[self], oracles[self].handle()));
    }
  }
  BOOST_TEST((fresh_rows(*environment, kAll) == rows(oracles[0].handle(), kAll)));
  BOOST_TEST(fresh_rows(*environment, "PRAGMA integrity_check") == "ok");
}

// Plays one of two processes; they pass the turn through pipes, so that both see the same order.
bool play(const std::string& path, std::uint32_t seed_value, int self, int from_other,
          int to_other) {
  const auto environment = open(path);
  const auto writer = open_writer(*environment);
  const Sqlite oracle;
  run(oracle.handle(), kSchema);
  if (self == 0) must(batch(*environment, *writer, kSchema));
  Work work(seed_value);
  char token = 't';
  for (int i = 0; i < kAlternations; ++i) {
    if (self == 1 && read(from_other, &token, 1) != 1) return false;
    if (!step(work, 2, self, *environment, *writer, oracle.handle())) return false;
    if (write(to_other, &token, 1) != 1) return false;
    if (self == 0 && read(from_other, &token, 1) != 1) return false;
  }
  return fresh_rows(*environment, kAll) == rows(oracle.handle(), kAll) &&
         fresh_rows(*environment, "PRAGMA integrity_check") == "ok";
}

BOOST_AUTO_TEST_CASE(writers_of_two_processes_in_turns) {
  const Folder folder;
  const std::uint32_t value = tracelite::test::short_random_seed();
  int to_child[2];
  int to_parent[2];
  BOOST_REQUIRE(pipe(to_child) == 0);
  BOOST_REQUIRE(pipe(to_parent) == 0);
  const pid_t child = fork();
  if (child == 0) {
    close(to_child[1]);
    close(to_parent[0]);
    _exit(play(folder.file(), value, 1, to_child[0], to_parent[1]) ? 0 : 1);
  }
  close(to_child[0]);
  close(to_parent[1]);
  BOOST_TEST(play(folder.file(), value, 0, to_parent[0], to_child[1]));
  close(to_child[1]);
  close(to_parent[0]);
  int status = -1;
  BOOST_REQUIRE(waitpid(child, &status, 0) == child);
  BOOST_TEST(status == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tracelite::index::test
