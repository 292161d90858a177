// Pages in their two places: sealed ones read like others, and are unsealed by being written.

#include <boost/test/unit_test.hpp>
#include <optional>
#include <random>

#include "page_file_support.hpp"
#include "store/sealed.hpp"
#include "support/random_seed.hpp"

namespace tracelite::index::test {
namespace {

using store::KeySpace;

constexpr char kFill[] =
    "CREATE TABLE t(id INTEGER PRIMARY KEY, body TEXT);"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<2000)"
    " INSERT INTO t SELECT i, i || hex(zeroblob(150)) FROM n;";
constexpr char kSum[] = "SELECT count(*) || ' ' || sum(length(body)) || ' ' || sum(id) FROM t";

struct Fixture {
  Folder folder;
  std::shared_ptr<store::Environment> environment = open(folder.file());
  std::unique_ptr<Connection> writer = open_writer(*environment);

  Fixture() { must(batch(*environment, *writer, kFill)); }

  std::string read(const std::string& sql) { return fresh_rows(*environment, sql); }

  void seal() {
    for (std::optional<std::string> from = std::string("\0\0\0\2", 4); from;) {
      auto transaction = must(environment->begin_write());
      from = must(store::seal(transaction, KeySpace::page, *from, 50 * kPageSizeBytes));
      must(transaction.commit());
    }
  }

  // Key, value and tree pages of a key space.
  std::uint64_t entry_count(KeySpace space) {
    auto transaction = must(environment->begin_read());
    std::uint64_t count = 0;
    if (store::is_packed(space)) {
      store::PackedCursor cursor(transaction, space);
      for (bool more = must(cursor.seek({})); more; more = must(cursor.next())) ++count;
      return count;
    }
    return must(transaction.statistics(space)).entries;
  }
  std::uint64_t page_count() { return entry_count(KeySpace::page) + entry_count(KeySpace::sealed); }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(sealed_pages)

BOOST_FIXTURE_TEST_CASE(they_read_as_before, Fixture) {
  const std::string before = read(kSum);
  const std::uint64_t count = page_count();
  seal();
  BOOST_TEST(entry_count(KeySpace::page) == 1U);
  BOOST_TEST(page_count() == count);
  BOOST_TEST(read(kSum) == before);
  BOOST_TEST(read("PRAGMA integrity_check") == "ok");
}

BOOST_FIXTURE_TEST_CASE(a_page_that_is_written_leaves_the_sealed_ones, Fixture) {
  const std::uint64_t count = page_count();
  seal();
  must(batch(*environment, *writer, "UPDATE t SET body = 'changed' WHERE id = 1000"));
  BOOST_TEST(page_count() == count);
  const std::uint64_t unsealed = entry_count(KeySpace::page);
  BOOST_TEST(unsealed > 1U);
  BOOST_TEST(unsealed < 5U);
  BOOST_TEST(read("SELECT body FROM t WHERE id = 1000") == "changed");
  BOOST_TEST(read("PRAGMA integrity_check") == "ok");
}

// Compacting seals entries of other key spaces, too, which may outlive the last sealed page.
BOOST_FIXTURE_TEST_CASE(all_pages_may_be_unsealed_while_other_entries_are_sealed, Fixture) {
  {
    auto transaction = must(environment->begin_write());
    must(store::put_sealable(transaction, KeySpace::segment, "segment", "value"));
    BOOST_TEST(!must(store::seal(transaction, KeySpace::segment, "", 4096)));
    must(transaction.commit());
  }
  BOOST_TEST(entry_count(KeySpace::sealed) == 1U);
  must(batch(*environment, *writer, "UPDATE t SET body = 'changed' WHERE id = 1000"));
  BOOST_TEST(read("SELECT body FROM t WHERE id = 1000") == "changed");
}

BOOST_FIXTURE_TEST_CASE(a_batch_that_comes_to_nothing_leaves_them_sealed, Fixture) {
  seal();
  const std::string before = read(kSum);
  {
    auto transaction = must(environment->begin_write());
    must(writer->begin(transaction));
    BOOST_TEST(run(writer->handle(), "UPDATE t SET body = 'lost'") == SQLITE_OK);
    writer->rollback();
  }
  BOOST_TEST(entry_count(KeySpace::page) == 1U);
  BOOST_TEST(read(kSum) == before);
}

BOOST_FIXTURE_TEST_CASE(pages_that_are_missing_are_damage, Fixture) {
  seal();
  {
    auto transaction = must(environment->begin_write());
    std::string key;
    append_big_endian(key, std::uint32_t{20});
    BOOST_TEST(must(store::erase_sealable(transaction, KeySpace::page, key)));
    must(transaction.commit());
  }
  auto transaction = must(environment->begin_read());
  const auto reader = must(Connection::open_reader(transaction));
  const int code = run(reader->handle(), "SELECT sum(length(body)) FROM t");
  BOOST_TEST((sqlite_error(reader->handle(), code, "reading").code == Code::corrupt));
}

BOOST_FIXTURE_TEST_CASE(writing_and_sealing_in_turns_changes_nothing_that_is_read, Fixture) {
  std::mt19937 random(tracelite::test::short_random_seed());
  sqlite3* expected = nullptr;
  BOOST_REQUIRE(sqlite3_open(":memory:", &expected) == SQLITE_OK);
  BOOST_REQUIRE(run(expected, kFill) == SQLITE_OK);
  for (int round = 0; round < 30; ++round) {
    const std::string at = std::to_string(1 + random() % 2500);
    const std::string sql = random() % 3 == 0
                                ? "DELETE FROM t WHERE id BETWEEN " + at + " AND " + at + " + 20"
                                : "INSERT OR REPLACE INTO t VALUES(" + at + ", hex(zeroblob(" +
                                      std::to_string(random() % 5000) + ")))";
    must(batch(*environment, *writer, sql));
    BOOST_REQUIRE(run(expected, sql) == SQLITE_OK);
    if (random() % 4 == 0) seal();
    BOOST_TEST(read(kSum) == rows(expected, kSum));
  }
  BOOST_TEST(read("PRAGMA integrity_check") == "ok");
  sqlite3_close(expected);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::index::test
