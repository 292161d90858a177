// The two tables of metadata are one set of rows.
#include "index/attribute_table.hpp"

#include <boost/test/unit_test.hpp>
#include <random>
#include <set>

#include "index/index_writer.hpp"
#include "page_file_support.hpp"

namespace tracelite::index::test {
namespace {

struct Fixture {
  Fixture() {
    BOOST_REQUIRE(sqlite3_open(":memory:", &database) == SQLITE_OK);
    must(IndexWriter::open(database));  // for the schema
    table = must(AttributeTable::open(database));
  }
  ~Fixture() {
    table = {};
    sqlite3_close(database);
  }
  Fixture(const Fixture&) = delete;
  Fixture& operator=(const Fixture&) = delete;

  static AttributeRow row(std::int64_t number) {
    const std::string text = "value " + std::to_string(number % 5);
    return {number % 3, AttributeValue::of(text), 1, number, number * 7};
  }
  void change(std::int64_t number, bool is_there) { must(table.change(row(number), is_there)); }
  void add(std::int64_t first, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) change(first + static_cast<std::int64_t>(i), true);
    must(table.write());
  }
  [[nodiscard]] std::int64_t count(const std::string& name) const {
    return std::stoll(rows(database, "SELECT count(*) FROM " + name));
  }

  sqlite3* database = nullptr;
  AttributeTable table;
};

constexpr auto kRecentMax = static_cast<std::size_t>(AttributeTable::kRecentCountMax);

BOOST_FIXTURE_TEST_SUITE(attribute_table, Fixture)

BOOST_AUTO_TEST_CASE(what_small_commits_bring_gathers_apart_until_it_is_much) {
  std::size_t sum = 0;
  for (; sum + 100 <= kRecentMax; sum += 100) {
    add(static_cast<std::int64_t>(sum), 100);
    BOOST_TEST(count("attribute") == 0);
  }
  add(static_cast<std::int64_t>(sum), 100);
  BOOST_TEST(count("recent_attribute") == 0);
  BOOST_TEST(count("attribute") == static_cast<std::int64_t>(sum + 100));
}

BOOST_AUTO_TEST_CASE(what_a_large_commit_brings_goes_to_its_place_at_once) {
  add(0, AttributeTable::kFewRows + 1);
  BOOST_TEST(count("attribute") == static_cast<std::int64_t>(AttributeTable::kFewRows + 1));
  BOOST_TEST(count("recent_attribute") == 0);
}

BOOST_AUTO_TEST_CASE(no_commit_holds_more_in_memory_than_said) {
  for (std::size_t i = 0; i <= AttributeTable::kUnwrittenCountMax; ++i) {
    change(static_cast<std::int64_t>(i), true);
  }
  BOOST_TEST(count("attribute") == static_cast<std::int64_t>(AttributeTable::kUnwrittenCountMax));
}

BOOST_AUTO_TEST_CASE(a_row_that_was_merged_and_one_that_was_not_are_erased_alike) {
  add(0, 1);
  must(table.merge());
  add(1, 1);
  BOOST_TEST(count("attribute") == 1);
  BOOST_TEST(count("recent_attribute") == 1);
  table.forget();  // as after another's commit
  change(0, false);
  change(1, false);
  must(table.write());
  BOOST_TEST(count("attribute") == 0);
  BOOST_TEST(count("recent_attribute") == 0);
}

BOOST_AUTO_TEST_CASE(what_is_erased_and_comes_again_is_there_once) {
  add(0, 1);
  must(table.merge());
  change(0, false);
  change(0, true);
  must(table.write());
  BOOST_TEST(count("attribute") + count("recent_attribute") == 1);
}

BOOST_AUTO_TEST_CASE(rows_gathered_by_somebody_else_are_merged_with_the_own) {
  auto other = must(AttributeTable::open(database));
  for (std::size_t i = 0; i < kRecentMax; ++i) {
    must((i % 2 == 0 ? table : other).change(row(static_cast<std::int64_t>(i)), true));
    if (i % 100 != 0) continue;
    must(table.write());
    must(other.write());
    table.forget();
    other.forget();
  }
  must(table.write());
  table.forget();
  must(other.write());
  add(-10, 10);
  BOOST_TEST(count("recent_attribute") == 0);
}

BOOST_AUTO_TEST_CASE(any_changes_leave_each_row_once_or_not_at_all) {
  std::mt19937 random(tracelite::test::short_random_seed());
  std::set<std::int64_t> expected;
  for (int commit = 0; commit < 150; ++commit) {
    const std::size_t change_count =
        random() % (random() % 8 == 0 ? 2 * AttributeTable::kFewRows : 100);
    for (std::size_t i = 0; i < change_count; ++i) {
      const auto number = static_cast<std::int64_t>(random() % 6000);
      const bool was_there = expected.contains(number);
      // Sometimes there and back: what counts is what was told last.
      if (random() % 4 == 0) {
        change(number, !was_there);
        change(number, was_there);
        if (random() % 2 == 0) continue;
      }
      change(number, !was_there);
      was_there ? expected.erase(number) : expected.insert(number).second;
    }
    must(table.write());
    if (random() % 10 == 0) must(table.merge());
    if (random() % 5 == 0) table.forget();
    std::string wanted;
    for (const std::int64_t number : expected) {
      wanted += (wanted.empty() ? "" : "\n") + std::to_string(number);
    }
    BOOST_REQUIRE(rows(database,
                       "SELECT container FROM (SELECT container FROM attribute UNION ALL SELECT "
                       "container FROM recent_attribute) ORDER BY container") == wanted);
    BOOST_REQUIRE(count("recent_attribute") <= AttributeTable::kRecentCountMax);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tracelite::index::test
