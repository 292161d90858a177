// Batches on a Connection: what is committed, what is not, and which cache may be believed.

#include <lmdb.h>
#include <sys/wait.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <optional>
#include <thread>
#include <vector>

#include "page_file_support.hpp"

namespace tracelite::index::test {
namespace {

using store::KeySpace;

constexpr char kFill[] =
    "CREATE TABLE t(id INTEGER PRIMARY KEY, body TEXT);"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<500)"
    " INSERT INTO t SELECT i, hex(zeroblob(150)) FROM n;";
constexpr char kAll[] = "SELECT count(*), sum(length(body)) FROM t";

struct Fixture {
  Folder folder;
  std::shared_ptr<store::Environment> environment = open(folder.file());
  std::unique_ptr<Connection> writer = open_writer(*environment);

  ~Fixture() { store::testing::fail_nothing(); }

  Status write(const std::string& sql) { return batch(*environment, *writer, sql); }

  // A commit of store/ that touches no page.
  void put_record(const std::string& key) {
    auto transaction = must(environment->begin_write());
    must(transaction.put(KeySpace::record, key, "value"));
    must(transaction.commit());
  }

  bool has_record(const std::string& key) {
    auto transaction = must(environment->begin_read());
    return must(transaction.get(KeySpace::record, key)).has_value();
  }

  std::string read(const std::string& sql) { return fresh_rows(*environment, sql); }
};

BOOST_AUTO_TEST_SUITE(connection)

BOOST_FIXTURE_TEST_CASE(what_is_committed_is_there_after_opening_again, Fixture) {
  must(write(kFill));
  BOOST_TEST(read(kAll) == "500|150000");
  writer.reset();
  environment.reset();
  environment = open(folder.file());
  BOOST_TEST(read(kAll) == "500|150000");
  BOOST_TEST(read("PRAGMA integrity_check") == "ok");
}

BOOST_FIXTURE_TEST_CASE(an_empty_file_reads_as_an_empty_database, Fixture) {
  BOOST_TEST(read("SELECT count(*) FROM sqlite_master") == "0");
}

// ------------------------------------------------------------------------------------- the cache

BOOST_FIXTURE_TEST_CASE(a_lone_writer_keeps_its_cache, Fixture) {
  must(write(kFill));
  for (int i = 0; i < 5; ++i) {
    cache_misses(*writer);
    must(write("UPDATE t SET body = body || 'x' WHERE id = 7; SELECT sum(length(body)) FROM t"));
    BOOST_TEST(cache_misses(*writer) == 0);
    put_record("a");  // changes no page
  }
  BOOST_TEST(read(kAll) == "500|150005");
}

BOOST_FIXTURE_TEST_CASE(a_writer_drops_its_cache_after_a_commit_of_another, Fixture) {
  must(write(kFill));
  const auto other = open_writer(*environment);
  for (int i = 0; i < 3; ++i) {
    must(batch(*environment, *other, "UPDATE t SET body = body || 'y' WHERE id = 8"));
    cache_misses(*writer);
    must(batch(*environment, *writer, [&](store::WriteTransaction&) {
      BOOST_TEST(rows(writer->handle(), kAll) == "500|" + std::to_string(150000 + 2 * i + 1));
      BOOST_TEST(cache_misses(*writer) > 30);
      return run(writer->handle(), "UPDATE t SET body = body || 'x' WHERE id = 7") == SQLITE_OK;
    }));
  }
  BOOST_TEST(read(kAll) == "500|150006");
}

BOOST_FIXTURE_TEST_CASE(a_reader_keeps_its_cache_while_no_page_changes, Fixture) {
  must(write(kFill));
  auto first = must(environment->begin_read());
  const auto reader = must(Connection::open_reader(first));
  rows(reader->handle(), kAll);
  cache_misses(*reader);
  put_record("a");
  auto second = must(environment->begin_read());
  must(reader->attach(second));
  BOOST_TEST(rows(reader->handle(), kAll) == "500|150000");
  BOOST_TEST(cache_misses(*reader) == 0);

  must(write("UPDATE t SET body = '' WHERE id = 500"));
  auto third = must(environment->begin_read());
  must(reader->attach(third));
  BOOST_TEST(rows(reader->handle(), kAll) == "500|149700");
  BOOST_TEST(cache_misses(*reader) > 30);
  // An older snapshot again: no page of the newer one may be left.
  must(reader->attach(first));
  BOOST_TEST(rows(reader->handle(), kAll) == "500|150000");
}

BOOST_FIXTURE_TEST_CASE(a_paused_reader_goes_on_at_the_same_commit_only, Fixture) {
  must(write(kFill));
  const auto begin_read = [&] { return must(environment->begin_read()); };
  std::optional<store::ReadTransaction> snapshot(begin_read());
  const auto reader = must(Connection::open_reader(*snapshot));
  BOOST_TEST(run(reader->handle(), "BEGIN") == SQLITE_OK);
  BOOST_TEST(rows(reader->handle(), kAll) == "500|150000");
  cache_misses(*reader);
  reader->pause();
  snapshot.reset();
  // Nothing may be read meanwhile, whether it is in the cache or not.
  run(reader->handle(), "PRAGMA shrink_memory");
  BOOST_TEST(rows(reader->handle(), kAll).starts_with("error"));
  BOOST_TEST(sqlite3_get_autocommit(reader->handle()) != 0);

  snapshot.emplace(begin_read());
  must(reader->attach(*snapshot));
  BOOST_TEST(run(reader->handle(), "BEGIN") == SQLITE_OK);
  BOOST_TEST(rows(reader->handle(), kAll) == "500|150000");
  cache_misses(*reader);
  reader->pause();
  snapshot.emplace(begin_read());
  BOOST_TEST(reader->resume(*snapshot));
  BOOST_TEST(rows(reader->handle(), kAll) == "500|150000");
  BOOST_TEST(cache_misses(*reader) == 0);

  reader->pause();
  put_record("a");  // another commit, though no page of it is
  snapshot.emplace(begin_read());
  BOOST_TEST(!reader->resume(*snapshot));
  must(write("UPDATE t SET body = '' WHERE id = 500"));
  snapshot.emplace(begin_read());
  BOOST_TEST(!reader->resume(*snapshot));
  BOOST_TEST(run(reader->handle(), "COMMIT") == SQLITE_OK);
  must(reader->attach(*snapshot));
  BOOST_TEST(rows(reader->handle(), kAll) == "500|149700");
}

// The commit that fails and the next one, by another connection, have the same transaction number.
// If the first connection kept the pages of the failed one, it would write them back over the row
// that was acknowledged in between.
BOOST_FIXTURE_TEST_CASE(pages_of_a_failed_commit_are_never_written_back, Fixture) {
  must(write(kFill));
  const auto other = open_writer(*environment);
  for (const bool lose_the_other : {false, true}) {
    must(write("SELECT count(*) FROM t"));
    store::testing::fail(store::testing::Point::commit, 1, EIO);
    BOOST_TEST(!write("INSERT INTO t(body) VALUES('lost')").ok());
    if (lose_the_other) {
      store::testing::fail(store::testing::Point::commit, 1, EIO);
      BOOST_TEST(!batch(*environment, *other, "INSERT INTO t(body) VALUES('lost')").ok());
    }
    must(batch(*environment, *other, "INSERT INTO t(body) VALUES('kept')"));
    must(write("INSERT INTO t(body) VALUES('later')"));
  }
  BOOST_TEST(read("SELECT body FROM t WHERE id > 500") == "kept\nlater\nkept\nlater");
  BOOST_TEST(read("PRAGMA integrity_check") == "ok");
}

// ------------------------------------------------------------------------------------ committing

BOOST_FIXTURE_TEST_CASE(a_failed_commit_leaves_neither_row_nor_record, Fixture) {
  must(write(kFill));
  for (const int code : {EIO, ENOSPC, MDB_MAP_FULL}) {
    store::testing::fail(store::testing::Point::commit, 1, code);
    auto failed = batch(*environment, *writer, [&](store::WriteTransaction& transaction) {
      must(transaction.put(KeySpace::record, "key", "value"));
      BOOST_TEST(run(writer->handle(), "DELETE FROM t WHERE id < 400") == SQLITE_OK);
      return true;
    });
    BOOST_REQUIRE(!failed.ok());
    BOOST_TEST((failed.error().code == (code == EIO ? Code::io : Code::disk_full)));
    BOOST_TEST(failed.error().engine_code == code);
    BOOST_TEST(!has_record("key"));
    BOOST_TEST(read(kAll) == "500|150000");
  }
  must(write("DELETE FROM t WHERE id < 400"));
  BOOST_TEST(read("SELECT count(*) FROM t") == "101");
}

// SQLite has to learn of the failure itself: only then does it give up what it remembers at once.
BOOST_FIXTURE_TEST_CASE(sqlite_empties_its_cache_when_the_commit_fails, Fixture) {
  must(write(kFill));
  const int before = cache_status(*writer, SQLITE_DBSTATUS_CACHE_USED);
  store::testing::fail(store::testing::Point::commit, 1, EIO);
  BOOST_TEST(!write("UPDATE t SET body = 'x' WHERE id = 1").ok());
  BOOST_TEST(cache_status(*writer, SQLITE_DBSTATUS_CACHE_USED) < before / 4);
}

BOOST_FIXTURE_TEST_CASE(a_batch_that_changes_no_page_commits_the_rest, Fixture) {
  must(write(kFill));
  const auto record_only = [](const char* key) {
    return [key](store::WriteTransaction& transaction) {
      must(transaction.put(KeySpace::record, key, "value"));
      return true;
    };
  };
  must(batch(*environment, *writer, record_only("no statement")));
  BOOST_TEST(has_record("no statement"));
  must(batch(*environment, *writer, [&](store::WriteTransaction& transaction) {
    must(transaction.put(KeySpace::record, "no change", "value"));
    BOOST_TEST(run(writer->handle(), "DELETE FROM t WHERE id > 1000") == SQLITE_OK);
    return true;
  }));
  BOOST_TEST(has_record("no change"));
  store::testing::fail(store::testing::Point::commit, 1, EIO);
  BOOST_TEST(!batch(*environment, *writer, record_only("failed")).ok());
  BOOST_TEST(!has_record("failed"));
  BOOST_TEST(read(kAll) == "500|150000");
}

BOOST_FIXTURE_TEST_CASE(a_rolled_back_batch_leaves_nothing, Fixture) {
  must(write(kFill));
  auto transaction = must(environment->begin_write());
  must(writer->begin(transaction));
  must(transaction.put(KeySpace::record, "key", "value"));
  BOOST_TEST(run(writer->handle(), "PRAGMA cache_size=10; DELETE FROM t; CREATE TABLE u(x)") ==
             SQLITE_OK);
  writer->rollback();
  // The next writer need not wait for the end of this scope.
  BOOST_TEST(transaction.finished());
  BOOST_TEST(!has_record("key"));
  BOOST_TEST(read(kAll) == "500|150000");
  must(write("INSERT INTO t(body) VALUES('next')"));
  BOOST_TEST(read("SELECT count(*) FROM t") == "501");
  BOOST_TEST(read("SELECT count(*) FROM sqlite_master") == "1");
}

BOOST_FIXTURE_TEST_CASE(a_connection_that_goes_away_in_a_batch_gives_it_up, Fixture) {
  must(write(kFill));
  auto transaction = must(environment->begin_write());
  auto other = must(Connection::open_writer(transaction));
  must(other->begin(transaction));
  BOOST_TEST(run(other->handle(), "DELETE FROM t") == SQLITE_OK);
  other.reset();
  BOOST_TEST(transaction.finished());
  BOOST_TEST(read(kAll) == "500|150000");
  must(write("DELETE FROM t"));
}

// ----------------------------------------------------------------------------- failing statements

// With the rollback journal switched off both would leave half a statement behind, and say nothing.
void check_statement_rollback(Fixture& fixture, int cache_pages, bool expect_spill) {
  sqlite3* handle = fixture.writer->handle();
  must(fixture.write(std::string(kFill) + "CREATE TABLE u(x UNIQUE, y)"));
  must(batch(*fixture.environment, *fixture.writer, [&](store::WriteTransaction&) {
    run(handle, "PRAGMA cache_size=" + std::to_string(cache_pages));
    cache_status(*fixture.writer, SQLITE_DBSTATUS_CACHE_SPILL);
    BOOST_TEST(run(handle, "INSERT INTO u VALUES(1, 'before')") == SQLITE_OK);
    // Rows come in the order of ids; the last meets the row before.
    BOOST_TEST(run(handle, "INSERT INTO u SELECT 501 - id, body FROM t ORDER BY id") ==
               SQLITE_CONSTRAINT_UNIQUE);
    BOOST_TEST(rows(handle, "SELECT x, y FROM u") == "1|before");
    BOOST_TEST(run(handle, "UPDATE t SET id = id - 1 + (id = 1) * 100") ==
               SQLITE_CONSTRAINT_PRIMARYKEY);
    BOOST_TEST(rows(handle, "SELECT min(id), max(id), count(*) FROM t") == "1|500|500");
    run(handle, "SAVEPOINT s; INSERT INTO u SELECT id + 1000, body FROM t; DELETE FROM t");
    run(handle, "SAVEPOINT r; CREATE TABLE v(x); INSERT INTO v SELECT y FROM u; RELEASE r");
    BOOST_TEST(run(handle, "ROLLBACK TO s") == SQLITE_OK);
    BOOST_TEST(rows(handle, "SELECT x, y FROM u") == "1|before");
    BOOST_TEST(run(handle, "RELEASE s; INSERT INTO u VALUES(2, 'after')") == SQLITE_OK);
    const int spilled = cache_status(*fixture.writer, SQLITE_DBSTATUS_CACHE_SPILL);
    BOOST_TEST((spilled > 0) == expect_spill);
    return true;
  }));
  BOOST_TEST(fixture.read("SELECT x, y FROM u") == "1|before\n2|after");
  BOOST_TEST(fixture.read(kAll) == "500|150000");
  BOOST_TEST(fixture.read("SELECT count(*) FROM sqlite_master WHERE type = 'table'") == "2");
  BOOST_TEST(fixture.read("PRAGMA integrity_check") == "ok");
}

BOOST_FIXTURE_TEST_CASE(a_failing_statement_leaves_no_rows, Fixture) {
  check_statement_rollback(*this, 1000, false);
}

BOOST_FIXTURE_TEST_CASE(a_failing_statement_leaves_no_rows_when_the_cache_spills, Fixture) {
  check_statement_rollback(*this, 10, true);
}

BOOST_FIXTURE_TEST_CASE(after_a_failed_write_nothing_of_the_batch_can_be_committed, Fixture) {
  must(write(kFill));
  for (const unsigned nth : {1U, 2U, 20U, 40U}) {
    auto failed = batch(*environment, *writer, [&](store::WriteTransaction& transaction) {
      must(transaction.put(KeySpace::record, "key", "value"));
      run(writer->handle(), "PRAGMA cache_size=10");
      store::testing::fail(store::testing::Point::put, nth, ENOSPC);
      const int code = run(writer->handle(), "UPDATE t SET body = body || 'x'");
      if (code != SQLITE_OK) {
        BOOST_TEST(code == SQLITE_FULL);
        BOOST_TEST((sqlite_error(writer->handle(), code, "").code == Code::disk_full));
      }
      run(writer->handle(), "INSERT INTO t(body) VALUES('after the failure')");
      return true;
    });
    BOOST_REQUIRE(!failed.ok());
    BOOST_TEST((failed.error().code == Code::disk_full));
    BOOST_TEST(failed.error().engine_code == ENOSPC);
    BOOST_TEST(!has_record("key"));
    BOOST_TEST(read(kAll) == "500|150000");
  }
  must(write("INSERT INTO t(body) VALUES('at last')"));
  BOOST_TEST(read("SELECT count(*) FROM t") == "501");
}

BOOST_FIXTURE_TEST_CASE(an_interrupted_batch_cannot_be_committed, Fixture) {
  must(write(kFill));
  auto failed = batch(*environment, *writer, [&](store::WriteTransaction& transaction) {
    sqlite3* handle = writer->handle();
    must(transaction.put(KeySpace::record, "key", "value"));
    BOOST_TEST(run(handle, "DELETE FROM t WHERE id = 1") == SQLITE_OK);
    sqlite3_progress_handler(
        handle, 100, [](void*) { return 1; }, nullptr);
    BOOST_TEST(run(handle, "UPDATE t SET body = 'x'") == SQLITE_INTERRUPT);
    sqlite3_progress_handler(handle, 0, nullptr, nullptr);
    BOOST_TEST(sqlite3_get_autocommit(handle) == 1);
    // Nobody has noticed; what is run now would be a batch of its own.
    BOOST_TEST(run(handle, "INSERT INTO t(body) VALUES('alone')") != SQLITE_OK);
    return true;
  });
  BOOST_TEST(!failed.ok());
  BOOST_TEST(!has_record("key"));
  BOOST_TEST(read(kAll) == "500|150000");
  must(write("DELETE FROM t"));
}

// ---------------------------------------------------------------------------------------- growing

BOOST_AUTO_TEST_CASE(a_full_map_grows_and_the_batch_runs_again) {
  const Folder small_folder;
  const Folder large_folder;
  const auto small = open(small_folder.file(), store::kMinimumMapSizeBytes);
  const auto large = open(large_folder.file());
  const auto small_writer = open_writer(*small);
  const auto large_writer = open_writer(*large);
  const std::string setup = "CREATE TABLE t(id INTEGER PRIMARY KEY, body TEXT, UNIQUE(body, id))";
  must(batch(*small, *small_writer, setup));
  must(batch(*large, *large_writer, setup));
  int full = 0;
  for (int i = 0; i < 20; ++i) {
    const std::string sql =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<400)"
        " INSERT INTO t(body) SELECT hex(zeroblob(200)) || i FROM n";
    must(batch(*large, *large_writer, sql));
    const auto attempt = [&](store::WriteTransaction& transaction) {
      must(transaction.put(KeySpace::record, "batch " + std::to_string(i), "value"));
      run(small_writer->handle(), sql);
      return true;
    };
    Status done = batch(*small, *small_writer, attempt);
    for (; !done.ok(); done = batch(*small, *small_writer, attempt)) {
      ++full;
      BOOST_REQUIRE((done.error().code == Code::disk_full));
      BOOST_REQUIRE(done.error().engine_code == MDB_MAP_FULL);
      must(small->grow());
    }
  }
  BOOST_TEST(full > 1);
  const std::string all = "SELECT id, body FROM t";
  BOOST_TEST((fresh_rows(*small, all) == fresh_rows(*large, all)));
  BOOST_TEST(fresh_rows(*small, "PRAGMA integrity_check") == "ok");
}

// ---------------------------------------------------------------------------------------- reading

BOOST_FIXTURE_TEST_CASE(a_reader_sees_its_snapshot_while_others_commit, Fixture) {
  must(write(kFill));
  auto old_snapshot = must(environment->begin_read());
  const auto reader = must(Connection::open_reader(old_snapshot));
  run(reader->handle(), "PRAGMA cache_size=10");
  sqlite3_stmt* statement = nullptr;
  sqlite3_prepare_v2(reader->handle(), "SELECT id FROM t", -1, &statement, nullptr);
  int count = 0;
  while (sqlite3_step(statement) == SQLITE_ROW) {
    if (count++ % 100 == 0)
      must(write("DELETE FROM t WHERE id % 10 = " + std::to_string(count % 7)));
  }
  BOOST_TEST(count == 500);
  sqlite3_reset(statement);
  BOOST_TEST(rows(reader->handle(), kAll) == "500|150000");

  // A statement that is not finished keeps the reader where it is.
  auto new_snapshot = must(environment->begin_read());
  sqlite3_step(statement);
  const auto refused = reader->attach(new_snapshot);
  BOOST_TEST(!refused.ok());
  BOOST_TEST((const_cast<Status&>(refused).error().code == Code::misuse));
  BOOST_TEST(sqlite3_column_int(statement, 0) == 1);
  sqlite3_reset(statement);
  BOOST_TEST(run(reader->handle(), "BEGIN") == SQLITE_OK);
  BOOST_TEST(!reader->attach(new_snapshot).ok());
  BOOST_TEST(run(reader->handle(), "COMMIT") == SQLITE_OK);
  must(reader->attach(new_snapshot));
  BOOST_TEST(rows(reader->handle(), "SELECT count(*) FROM t") == read("SELECT count(*) FROM t"));
  sqlite3_finalize(statement);
}

BOOST_FIXTURE_TEST_CASE(a_reader_follows_a_changed_schema, Fixture) {
  must(write(kFill));
  auto first = must(environment->begin_read());
  const auto reader = must(Connection::open_reader(first));
  BOOST_TEST(rows(reader->handle(), kAll) == "500|150000");
  must(write("ALTER TABLE t ADD COLUMN extra DEFAULT 5; CREATE INDEX i ON t(extra)"));
  auto second = must(environment->begin_read());
  must(reader->attach(second));
  BOOST_TEST(rows(reader->handle(), "SELECT sum(extra) FROM t") == "2500");
}

BOOST_FIXTURE_TEST_CASE(readers_open_and_read_in_many_threads, Fixture) {
  must(write(kFill));
  std::atomic<int> wrong{0};
  const auto read_on = [&] {
    auto first = environment->begin_read();
    auto reader = Connection::open_reader(*first);
    for (int i = 0; i < 30; ++i) {
      auto snapshot = environment->begin_read();
      if (!(*reader)->attach(*snapshot)) ++wrong;
      if (rows((*reader)->handle(), "SELECT count(*) + sum(id > 500) * 9 FROM t") != "500") ++wrong;
      auto other = Connection::open_reader(*snapshot);
      if (rows((*other)->handle(), "PRAGMA integrity_check(3)") != "ok") ++wrong;
      if (!(*reader)->detach()) ++wrong;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) threads.emplace_back(read_on);
  for (int i = 0; i < 20; ++i) {  // ten old rows for a new one
    const std::string from = std::to_string(10 * i);
    must(write("DELETE FROM t WHERE id > " + from + " AND id <= " + from +
               " + 10;"
               "INSERT INTO t(body) VALUES(hex(zeroblob(150)))"));
  }
  for (std::thread& thread : threads) thread.join();
  BOOST_TEST(wrong == 0);
}

// ----------------------------------------------------------------------------------------- misuse

BOOST_FIXTURE_TEST_CASE(calls_from_the_wrong_place_are_refused, Fixture) {
  must(write(kFill));
  sqlite3* handle = writer->handle();
  const int outside = run(handle, "INSERT INTO t(body) VALUES('x')");
  BOOST_TEST(outside != SQLITE_OK);
  BOOST_TEST((sqlite_error(handle, outside, "").code == Code::misuse));
  BOOST_TEST(!writer->commit().ok());
  writer->rollback();

  auto transaction = must(environment->begin_write());
  must(writer->begin(transaction));
  BOOST_TEST(!writer->begin(transaction).ok());
  BOOST_TEST(!writer->detach().ok());
  BOOST_TEST(run(handle, "DELETE FROM t; COMMIT") != SQLITE_OK);
  BOOST_TEST(!writer->commit().ok());
  BOOST_TEST(read(kAll) == "500|150000");

  auto snapshot = must(environment->begin_read());
  const auto reader = must(Connection::open_reader(snapshot));
  BOOST_TEST((run(reader->handle(), "DELETE FROM t") & 0xff) == SQLITE_READONLY);
  BOOST_TEST((run(reader->handle(), "PRAGMA query_only=OFF; DELETE FROM t") & 0xff) ==
             SQLITE_READONLY);
  BOOST_TEST(!writer->attach(snapshot).ok());
  must(reader->detach());
  const int unattached = run(reader->handle(), "SELECT * FROM t");
  BOOST_TEST((sqlite_error(reader->handle(), unattached, "").code == Code::misuse));

  const Folder elsewhere;
  const auto other = open(elsewhere.file());
  auto foreign = must(other->begin_read());
  BOOST_TEST(!reader->attach(foreign).ok());
}

// Without its lock SQLite would look at nothing and take the file for empty.
BOOST_FIXTURE_TEST_CASE(a_new_writer_reads_nothing_before_it_begins, Fixture) {
  must(write(kFill));
  const auto other = open_writer(*environment);
  const int code = run(other->handle(), "SELECT count(*) FROM sqlite_master");
  BOOST_TEST(code != SQLITE_OK);
  BOOST_TEST((sqlite_error(other->handle(), code, "").code == Code::misuse));
}

BOOST_FIXTURE_TEST_CASE(a_running_statement_forbids_the_commit, Fixture) {
  must(write(kFill));
  sqlite3_stmt* statement = nullptr;
  auto failed = batch(*environment, *writer, [&](store::WriteTransaction&) {
    BOOST_TEST(run(writer->handle(), "DELETE FROM t WHERE id > 10") == SQLITE_OK);
    sqlite3_prepare_v2(writer->handle(), "SELECT id FROM t", -1, &statement, nullptr);
    BOOST_TEST(sqlite3_step(statement) == SQLITE_ROW);
    return true;
  });
  BOOST_REQUIRE(!failed.ok());
  BOOST_TEST((failed.error().code == Code::misuse));
  BOOST_TEST(sqlite3_stmt_busy(statement) == 0);
  sqlite3_finalize(statement);
  BOOST_TEST(read(kAll) == "500|150000");
}

BOOST_FIXTURE_TEST_CASE(what_a_stranger_could_use_is_off, Fixture) {
  must(write(kFill));
  auto transaction = must(environment->begin_write());
  must(writer->begin(transaction));
  sqlite3* handle = writer->handle();
  BOOST_TEST(rows(handle, "PRAGMA journal_mode=WAL") == "memory");
  BOOST_TEST(rows(handle, "PRAGMA journal_mode=OFF") == "memory");
  BOOST_TEST(rows(handle, "PRAGMA trusted_schema") == "0");
  BOOST_TEST(rows(handle, "PRAGMA cell_size_check") == "1");
  BOOST_TEST(run(handle, "ATTACH ':memory:' AS other") != SQLITE_OK);
  BOOST_TEST(run(handle, "SELECT \"no such column\" FROM t") != SQLITE_OK);
  BOOST_TEST(run(handle,
                 "CREATE TABLE u(x); CREATE TRIGGER r AFTER INSERT ON t"
                 " BEGIN INSERT INTO u VALUES(1); END; INSERT INTO t(body) VALUES('')") ==
             SQLITE_OK);
  BOOST_TEST(rows(handle, "SELECT count(*) FROM u") == "0");
  // Temporary tables that do not fit into the cache have no file to go to.
  BOOST_TEST(run(handle,
                 "CREATE TEMP TABLE v(x); PRAGMA temp.cache_size=10;"
                 "INSERT INTO v SELECT body FROM t") == SQLITE_OK);
  writer->rollback();
}

// ------------------------------------------------------------------------------------------- fork

BOOST_FIXTURE_TEST_CASE(a_forked_child_opens_anew, Fixture) {
  must(write(kFill));
  auto snapshot = must(environment->begin_read());
  auto reader = must(Connection::open_reader(snapshot));
  const pid_t child = fork();
  if (child == 0) {
    int failures = 0;
    const auto check = [&](bool holds) { failures = 2 * failures + (holds ? 0 : 1); };
    const int code = run(reader->handle(), "SELECT count(*) FROM t");
    check(code != SQLITE_OK && sqlite_error(reader->handle(), code, "").code == Code::forked);
    reader.reset();
    check(!environment->begin_write().ok());
    const auto anew = open(folder.file());
    const auto own_writer = open_writer(*anew);
    check(batch(*anew, *own_writer, "INSERT INTO t(body) VALUES('child')").ok());
    check(fresh_rows(*anew, "SELECT count(*) FROM t") == "501");
    _exit(failures);
  }
  int status = -1;
  BOOST_REQUIRE(waitpid(child, &status, 0) == child);
  BOOST_TEST(status == 0);
  BOOST_TEST(rows(reader->handle(), kAll) == "500|150000");
  cache_misses(*writer);
  must(write("INSERT INTO t(body) VALUES('parent')"));
  BOOST_TEST(cache_misses(*writer) > 0);
  BOOST_TEST(read("SELECT body FROM t WHERE id > 500") == "child\nparent");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tracelite::index::test
