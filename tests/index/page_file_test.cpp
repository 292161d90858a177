// The pages as they lie in the file, and what damaged ones do.

#include <lmdb.h>

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <vector>

#include "index/page_file_vfs.hpp"
#include "page_file_support.hpp"

namespace tracelite::index::test {
namespace {

using store::KeySpace;

constexpr char kFill[] =
    "CREATE TABLE t(id INTEGER PRIMARY KEY, body TEXT);"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<500)"
    " INSERT INTO t SELECT i, i || hex(zeroblob(150)) FROM n;";

std::string key_of(std::uint32_t page) {
  std::string key;
  append_big_endian(key, page);
  return key;
}

sqlite3_file* file_of(const Connection& connection) {
  sqlite3_file* file = nullptr;
  sqlite3_file_control(connection.handle(), "main", SQLITE_FCNTL_FILE_POINTER, &file);
  return file;
}

struct Fixture {
  Folder folder;
  std::shared_ptr<store::Environment> environment = open(folder.file());
  std::unique_ptr<Connection> writer = open_writer(*environment);
  std::unique_ptr<Connection> old_reader;  // has no snapshot

  Fixture() {
    must(batch(*environment, *writer, kFill));
    auto transaction = must(environment->begin_read());
    old_reader = must(Connection::open_reader(transaction));
    must(old_reader->detach());
  }

  std::string read(const std::string& sql) { return fresh_rows(*environment, sql); }

  std::string page(std::uint32_t number) {
    auto transaction = must(environment->begin_read());
    return std::string(must(transaction.get(KeySpace::page, key_of(number))).value());
  }

  // The stored page numbers are those from 1 to the number in the header; returns it.
  std::uint32_t check_page_numbers() {
    auto transaction = must(environment->begin_read());
    auto cursor = transaction.cursor(KeySpace::page);
    std::uint32_t count = 0;
    for (bool found = must(cursor.seek("")); found; found = must(cursor.next())) {
      BOOST_REQUIRE(cursor.key() == key_of(++count));
    }
    BOOST_TEST(read_big_endian(page(1).substr(28, 4)) == count);
    return count;
  }

  // Changes the stored pages behind SQLite's back, with good checksums.
  void put_page(std::uint32_t number, const std::string& bytes) {
    auto transaction = must(environment->begin_write());
    must(transaction.put(KeySpace::page, key_of(number), bytes));
    must(transaction.commit());
  }

  // The code with which connections refuse the pages, old and new ones, readers and writers.
  Code refusal() {
    auto read_transaction = must(environment->begin_read());
    auto write_transaction = must(environment->begin_write());
    auto attached = old_reader->attach(read_transaction);
    auto reader = Connection::open_reader(read_transaction);
    auto other_writer = Connection::open_writer(write_transaction);
    auto begun = writer->begin(write_transaction);
    writer->rollback();
    must(old_reader->detach());
    if (attached && reader && other_writer && begun) return Code::ok;
    BOOST_REQUIRE((!attached && !reader && !other_writer && !begun));
    BOOST_TEST((attached.error().code == reader.error().code));
    BOOST_TEST((attached.error().code == other_writer.error().code));
    BOOST_TEST((attached.error().code == begun.error().code));
    return attached.error().code;
  }

  sqlite3_file* file() { return file_of(*writer); }
};

// Works on the file without the library, while nobody has it open.
class RawPages {
 public:
  explicit RawPages(const std::string& path) {
    BOOST_REQUIRE(mdb_env_create(&environment_) == 0);
    mdb_env_set_maxdbs(environment_, 16);
    mdb_env_set_mapsize(environment_, std::size_t{1} << 30);
    BOOST_REQUIRE(mdb_env_open(environment_, path.c_str(), MDB_NOSUBDIR, 0600) == 0);
    BOOST_REQUIRE(mdb_txn_begin(environment_, nullptr, 0, &transaction_) == 0);
    BOOST_REQUIRE(mdb_dbi_open(transaction_, "page", 0, &database_) == 0);
  }
  ~RawPages() {
    if (transaction_ != nullptr) mdb_txn_commit(transaction_);
    mdb_env_close(environment_);
  }
  RawPages(const RawPages&) = delete;
  RawPages& operator=(const RawPages&) = delete;

  std::string get(std::uint32_t page) {
    std::string key = key_of(page);
    MDB_val key_value{key.size(), key.data()};
    MDB_val value{};
    BOOST_REQUIRE(mdb_get(transaction_, database_, &key_value, &value) == 0);
    return {static_cast<const char*>(value.mv_data), value.mv_size};
  }

  void put(std::uint32_t page, std::string value) {
    std::string key = key_of(page);
    MDB_val key_value{key.size(), key.data()};
    MDB_val data{value.size(), value.data()};
    BOOST_REQUIRE(mdb_put(transaction_, database_, &key_value, &data, 0) == 0);
  }

  MDB_stat statistics() {
    MDB_stat statistics{};
    BOOST_REQUIRE(mdb_stat(transaction_, database_, &statistics) == 0);
    return statistics;
  }

 private:
  MDB_env* environment_ = nullptr;
  MDB_txn* transaction_ = nullptr;
  MDB_dbi database_ = 0;
};

BOOST_AUTO_TEST_SUITE(page_file)

// -------------------------------------------------------------------------------------- the format

BOOST_FIXTURE_TEST_CASE(a_page_takes_one_page, Fixture) {
  const std::uint32_t count = check_page_numbers();
  BOOST_TEST(count > 30U);
  writer.reset();
  environment.reset();
  RawPages raw(folder.file());
  BOOST_TEST(raw.statistics().ms_entries == count);
  BOOST_TEST(raw.statistics().ms_overflow_pages == count);
  for (std::uint32_t page = 1; page <= count; ++page) {
    BOOST_TEST(raw.get(page).size() == 4072U);
  }
}

BOOST_FIXTURE_TEST_CASE(the_version_grows_with_every_commit_that_changes_a_page, Fixture) {
  std::uint64_t last = read_big_endian(page(1).substr(24, 4));
  for (int i = 0; i < 5; ++i) {
    must(batch(*environment, *writer, "UPDATE t SET body = 'x' WHERE id = " + std::to_string(i)));
    const bool changed = i != 0;  // there is no row 0
    const std::uint64_t version = read_big_endian(page(1).substr(24, 4));
    BOOST_TEST((changed ? version > last : version == last));
    BOOST_TEST(read_big_endian(page(1).substr(92, 4)) == version);
    last = version;
  }
  // As in a compacted copy, where LMDB starts to count again.
  std::string first = page(1);
  first.replace(24, 4, key_of(5000));
  first.replace(92, 4, key_of(5000));
  put_page(1, first);
  must(batch(*environment, *writer, "UPDATE t SET body = 'y' WHERE id = 1"));
  BOOST_TEST(read_big_endian(page(1).substr(24, 4)) == 5001U);
  // As in a reindex, which starts with no pages.
  last = environment->last_transaction_id();
  must(batch(*environment, *writer, "SELECT 1"));
  auto transaction = must(environment->begin_write());
  must(transaction.clear(KeySpace::page));
  must(writer->begin(transaction));
  BOOST_TEST(run(writer->handle(), kFill) == SQLITE_OK);
  must(writer->commit());
  BOOST_TEST(read_big_endian(page(1).substr(24, 4)) > last);
  BOOST_TEST(read("SELECT count(*) FROM t") == "500");
}

// Whatever SQLite may believe of a batch that came to nothing: it must look at the pages anew.
BOOST_FIXTURE_TEST_CASE(the_counter_changes_when_a_batch_comes_to_nothing, Fixture) {
  const auto counter = [this] {
    char bytes[16] = {};
    BOOST_TEST(file()->pMethods->xRead(file(), bytes, sizeof bytes, 24) == SQLITE_OK);
    return std::string(bytes, 4);
  };
  std::vector<std::string> seen;
  const auto look = [&](const char* sql, bool commit) {
    must(batch(*environment, *writer, [&](store::WriteTransaction&) {
      seen.push_back(counter());
      BOOST_TEST(run(writer->handle(), sql) == SQLITE_OK);
      return commit;
    }));
  };
  look("SELECT count(*) FROM t", false);
  look("DELETE FROM t", false);
  look("DELETE FROM t WHERE id = 1", true);
  look("SELECT 1", true);
  look("SELECT 1", true);
  BOOST_TEST(seen[1] != seen[0]);
  BOOST_TEST(seen[2] != seen[1]);
  BOOST_TEST(seen[3] == key_of(static_cast<std::uint32_t>(read_big_endian(seen[2])) + 1));
  BOOST_TEST(seen[4] == seen[3]);
}

// --------------------------------------------------------------------------------- page numbers

BOOST_FIXTURE_TEST_CASE(a_page_given_away_before_it_was_written_is_there_all_the_same, Fixture) {
  must(batch(*environment, *writer,
             "CREATE TABLE u(x); INSERT INTO u VALUES(zeroblob(300000)); CREATE TABLE v(x);"
             "DELETE FROM u; INSERT INTO v VALUES(1)"));
  BOOST_TEST(check_page_numbers() > 100U);
  BOOST_TEST(read("PRAGMA integrity_check") == "ok");
}

BOOST_FIXTURE_TEST_CASE(the_page_of_the_lock_byte_is_there, Fixture) {
  sqlite3_test_control(SQLITE_TESTCTRL_PENDING_BYTE, 60 * 4096);
  must(batch(*environment, *writer, "CREATE TABLE u(x); INSERT INTO u SELECT body FROM t"));
  BOOST_TEST(check_page_numbers() > 60U);
  BOOST_TEST(page(61) == std::string(kStoredPageSizeBytes, '\0'));
  BOOST_TEST(read("PRAGMA integrity_check") == "ok");
  sqlite3_test_control(SQLITE_TESTCTRL_PENDING_BYTE, 0x40000000);
}

BOOST_FIXTURE_TEST_CASE(pages_that_a_savepoint_took_back_are_gone, Fixture) {
  const std::uint32_t before = check_page_numbers();
  must(batch(*environment, *writer, [&](store::WriteTransaction& transaction) {
    BOOST_TEST(run(writer->handle(),
                   "PRAGMA cache_size=10; SAVEPOINT s; CREATE TABLE u(x);"
                   "INSERT INTO u SELECT body FROM t; ROLLBACK TO s; RELEASE s;"
                   "UPDATE t SET body = 'x' WHERE id = 1") == SQLITE_OK);
    BOOST_TEST(must(transaction.statistics(KeySpace::page)).entries > before);
    return true;
  }));
  BOOST_TEST(check_page_numbers() == before);
  BOOST_TEST(read("PRAGMA integrity_check") == "ok");
}

// ----------------------------------------------------------------------------------------- damage

BOOST_FIXTURE_TEST_CASE(a_page_in_the_place_of_another_is_an_error, Fixture) {
  writer.reset();
  environment.reset();
  {
    RawPages raw(folder.file());
    const std::string three = raw.get(3);
    const std::string four = raw.get(4);
    BOOST_REQUIRE(three != four);
    raw.put(3, four);
    raw.put(4, three);
  }
  environment = open(folder.file());
  auto transaction = must(environment->begin_read());
  const auto reader = must(Connection::open_reader(transaction));
  const int code = run(reader->handle(), "SELECT sum(length(body)) FROM t");
  BOOST_TEST(code != SQLITE_OK);
  const Error error = sqlite_error(reader->handle(), code, "reading");
  BOOST_TEST((error.code == Code::corrupt));
  BOOST_TEST_MESSAGE(error.message);
  // The rest can still be read.
  BOOST_TEST(rows(reader->handle(), "SELECT count(*) FROM sqlite_master") == "1");
}

BOOST_FIXTURE_TEST_CASE(a_missing_page_is_an_error, Fixture) {
  {
    auto transaction = must(environment->begin_write());
    BOOST_TEST(must(transaction.erase(KeySpace::page, key_of(5))));
    must(transaction.commit());
  }
  BOOST_TEST((refusal() == Code::corrupt));
  // The number of pages right again, by one that does not belong there.
  const std::uint32_t beyond = 1000;
  put_page(beyond, page(6));
  auto transaction = must(environment->begin_read());
  const auto reader = must(Connection::open_reader(transaction));
  const int code = run(reader->handle(), "SELECT sum(length(body)) FROM t");
  BOOST_TEST((sqlite_error(reader->handle(), code, "reading").code == Code::corrupt));
}

// SQLite would not notice: the last page of a long value may well be zeros.
BOOST_FIXTURE_TEST_CASE(a_missing_end_of_a_long_value_is_an_error, Fixture) {
  must(batch(*environment, *writer,
             "INSERT INTO t(body) VALUES(replace(hex(zeroblob(9000)), '0', 'x'))"));
  // The last of its overflow pages has no next one.
  std::uint32_t last = check_page_numbers();
  while (last > 1 && page(last).substr(0, 7) != std::string("\0\0\0\0xxx", 7)) --last;
  BOOST_REQUIRE(last > 1U);
  {
    auto transaction = must(environment->begin_write());
    BOOST_TEST(must(transaction.erase(KeySpace::page, key_of(last))));
    must(transaction.put(KeySpace::page, key_of(1000), page(6)));
    must(transaction.commit());
  }
  auto transaction = must(environment->begin_read());
  const auto reader = must(Connection::open_reader(transaction));
  const int code = run(reader->handle(), "SELECT body FROM t WHERE id = 501");
  BOOST_TEST((sqlite_error(reader->handle(), code, "reading").code == Code::corrupt));
}

BOOST_FIXTURE_TEST_CASE(a_page_of_another_length_is_an_error, Fixture) {
  put_page(5, page(5).substr(1));
  auto transaction = must(environment->begin_read());
  const auto reader = must(Connection::open_reader(transaction));
  const int code = run(reader->handle(), "SELECT sum(length(body)) FROM t");
  BOOST_TEST((sqlite_error(reader->handle(), code, "reading").code == Code::corrupt));
  put_page(1, page(1).substr(0, 100));
  BOOST_TEST((refusal() == Code::corrupt));
}

BOOST_FIXTURE_TEST_CASE(a_header_that_is_not_ours_is_refused, Fixture) {
  const std::string good = page(1);
  BOOST_TEST((refusal() == Code::ok));
  const auto with = [&](std::size_t offset, const std::string& bytes) {
    std::string changed = good;
    changed.replace(offset, bytes.size(), bytes);
    put_page(1, changed);
    return refusal();
  };
  BOOST_TEST((with(16, std::string("\x20\x00", 2)) == Code::other_geometry));
  BOOST_TEST((with(16, std::string("\x02\x00", 2)) == Code::other_geometry));
  BOOST_TEST((with(20, std::string("\x00", 1)) == Code::other_geometry));
  BOOST_TEST((with(0, "SQLite format 4") == Code::corrupt));
  BOOST_TEST((with(18, "\x02\x02") == Code::corrupt));
  BOOST_TEST((with(28, key_of(7)) == Code::corrupt));
  BOOST_TEST((with(28, key_of(0)) == Code::corrupt));
  put_page(1, good);
  BOOST_TEST((refusal() == Code::ok));
}

// ------------------------------------------------------------------------------- SQLite's contract

BOOST_FIXTURE_TEST_CASE(a_read_may_be_of_any_part_of_a_page, Fixture) {
  auto transaction = must(environment->begin_write());
  must(writer->begin(transaction));
  const auto* methods = file()->pMethods;
  std::string whole(4096, '?');
  BOOST_TEST(methods->xRead(file(), whole.data(), 4096, 0) == SQLITE_OK);
  BOOST_TEST(whole.substr(kStoredPageSizeBytes) == std::string(kReservedSizeBytes, '\0'));
  BOOST_TEST(whole.substr(24, 4) == whole.substr(92, 4));
  for (const auto& [offset, size] : std::vector<std::pair<int, int>>{
           {0, 100}, {24, 16}, {25, 2}, {26, 68}, {94, 1}, {95, 10}, {4060, 36}, {4070, 10}}) {
    std::string part(static_cast<std::size_t>(size), '?');
    BOOST_TEST(methods->xRead(file(), part.data(), size, offset) == SQLITE_OK);
    BOOST_TEST(part == whole.substr(static_cast<std::size_t>(offset), part.size()));
  }
  std::string beyond(4096, '?');
  BOOST_TEST(methods->xRead(file(), beyond.data(), 4096, 4096 * 100000) == SQLITE_IOERR_SHORT_READ);
  BOOST_TEST(beyond == std::string(4096, '\0'));
  BOOST_TEST(methods->xRead(file(), beyond.data(), 100, 4090) == SQLITE_IOERR_READ);
  writer->rollback();

  std::string header(100, '?');
  BOOST_TEST(methods->xRead(file(), header.data(), 100, 0) == SQLITE_IOERR_SHORT_READ);
  BOOST_TEST(header == std::string(100, '\0'));
}

BOOST_FIXTURE_TEST_CASE(the_reserved_end_of_a_page_stays_unused, Fixture) {
  auto transaction = must(environment->begin_write());
  must(writer->begin(transaction));
  std::string page(4096, '\0');
  page[4064] = '\1';
  BOOST_TEST((file()->pMethods->xWrite(file(), page.data(), 4096, 4096 * 6) & 0xff) ==
             SQLITE_IOERR);
  // That has spoilt the batch.
  BOOST_TEST(!writer->commit().ok());
  BOOST_TEST(read("SELECT count(*) FROM t") == "500");
}

BOOST_FIXTURE_TEST_CASE(a_snapshot_gives_no_right_to_write, Fixture) {
  auto transaction = must(environment->begin_read());
  must(old_reader->attach(transaction));
  sqlite3_file* file = file_of(*old_reader);
  BOOST_TEST(file->pMethods->xLock(file, SQLITE_LOCK_SHARED) == SQLITE_OK);
  BOOST_TEST(file->pMethods->xLock(file, SQLITE_LOCK_RESERVED) == SQLITE_READONLY);
  BOOST_TEST(file->pMethods->xLock(file, SQLITE_LOCK_EXCLUSIVE) == SQLITE_READONLY);
  const std::string page(kPageSizeBytes, '\0');
  BOOST_TEST(file->pMethods->xWrite(file, page.data(), kPageSizeBytes, kPageSizeBytes) ==
             SQLITE_READONLY);
  BOOST_TEST(file->pMethods->xUnlock(file, SQLITE_LOCK_NONE) == SQLITE_OK);
}

BOOST_FIXTURE_TEST_CASE(there_is_no_other_file, Fixture) {
  PageFile pages;
  sqlite3_vfs* vfs = pages.vfs();
  std::vector<char> file(static_cast<std::size_t>(vfs->szOsFile));
  auto* opened = reinterpret_cast<sqlite3_file*>(file.data());
  for (const int kind : {SQLITE_OPEN_MAIN_JOURNAL, SQLITE_OPEN_TEMP_DB, SQLITE_OPEN_WAL,
                         SQLITE_OPEN_SUBJOURNAL, SQLITE_OPEN_TRANSIENT_DB}) {
    BOOST_TEST(vfs->xOpen(vfs, "index-journal", opened,
                          kind | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                          nullptr) == SQLITE_CANTOPEN);
    BOOST_TEST(opened->pMethods == nullptr);
  }
  int exists = 1;
  BOOST_TEST(vfs->xAccess(vfs, "index-journal", SQLITE_ACCESS_EXISTS, &exists) == SQLITE_OK);
  BOOST_TEST(exists == 0);
  BOOST_TEST(sqlite3_vfs_find(vfs->zName) == nullptr);
  BOOST_TEST(this->file()->pMethods->xFileControl(this->file(), 987654, nullptr) ==
             SQLITE_NOTFOUND);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tracelite::index::test
