// Metadata in the file's index: in one table or the other, and what maintenance makes of that.
#include <sqlite3.h>

#include <boost/test/unit_test.hpp>
#include <string>

#include "api/support.hpp"
#include "index/page_file.hpp"
#include "index/statement.hpp"

namespace tracelite::api::test {
namespace {

void record(const Store& store, int first, int count) {
  for (int i = first; i < first + count; ++i) {
    const std::string id = "o" + std::to_string(i);
    const std::string metadata =
        R"({"key":"value )" + std::to_string(i % 7) + R"(","n":)" + std::to_string(i) + "}";
    tl_observation given{};
    given.struct_size = sizeof given;
    given.set_mask = TL_BIT(TL_FIELD_METADATA);
    given.id = text_of(id);
    given.trace_id = tl_str("t");
    given.metadata = {TL_FORM_JSON, text_of(metadata)};
    must(tl_put_observation(store.get(), &given));
  }
  store.flush();
}

// How many observations have this in their metadata.
std::size_t found(const Store& store, const char* key, const char* value) {
  tl_filter wanted = filter();
  wanted.metadata_key = tl_str(key);
  wanted.metadata_value = tl_str(value);
  tl_cursor* cursor = nullptr;
  must(tl_list(store.get(), nullptr, TL_KIND_OBSERVATION, &wanted, TL_ORDER_TIME, {}, 0, &cursor));
  std::size_t count = 0;
  for (Rows rows(cursor); rows.next();) ++count;
  return count;
}

void record_many_keys(const Store& store, std::size_t count, const char* odd_value) {
  std::string metadata = "{";
  for (std::size_t n = 0; n < count; ++n) {
    metadata +=
        (n > 0 ? ",\"k" : "\"k") + std::to_string(n) + "\":" + (n % 2 == 0 ? "0" : odd_value);
  }
  metadata += "}";
  tl_observation given{};
  given.struct_size = sizeof given;
  given.set_mask = TL_BIT(TL_FIELD_METADATA);
  given.id = tl_str("many");
  given.trace_id = tl_str("t");
  given.metadata = {TL_FORM_JSON, text_of(metadata)};
  must(tl_put_observation(store.get(), &given));
  store.flush();
}

struct Fixture {
  // Most of it in its place, and a few that wait.
  Fixture() {
    record(store, 0, 200);
    store.reindex();
    record(store, 200, 7);
  }
  [[nodiscard]] std::int64_t row_count(const std::string& table) const {
    const auto environment = store::test::open_file(folder.file());
    auto transaction = store::test::must(environment->begin_read());
    const auto connection = store::test::must(index::Connection::open_reader(transaction));
    auto count = store::test::must(
        index::Statement::prepare(connection->handle(), "SELECT count(*) FROM " + table));
    BOOST_REQUIRE(store::test::must(count.step()));
    return count.integer(0);
  }
  void expect_rows(std::int64_t settled, std::int64_t recent) const {
    BOOST_TEST(row_count("attribute") == settled);
    BOOST_TEST(row_count("recent_attribute") == recent);
    BOOST_TEST(found(store, "key", "value 3") == 30U);
    BOOST_TEST(found(store, "n", "3") == 1U);
    BOOST_TEST(found(store, "n", "203") == 1U);
  }
  void run_in_index(const char* sql) const {
    const auto environment = store::test::open_file(folder.file());
    auto transaction = store::test::must(environment->begin_write());
    const auto connection = store::test::must(index::Connection::open_writer(transaction));
    store::test::must(connection->begin(transaction));
    BOOST_REQUIRE(sqlite3_exec(connection->handle(), sql, nullptr, nullptr, nullptr) == SQLITE_OK);
    store::test::must(connection->commit());
  }

  Folder folder;
  Store store{folder.file()};
};

BOOST_FIXTURE_TEST_SUITE(attribute_rows, Fixture)

BOOST_AUTO_TEST_CASE(what_came_late_lies_apart_and_is_found_as_well) { expect_rows(400, 14); }

BOOST_AUTO_TEST_CASE(reindexing_leaves_nothing_apart) {
  store.reindex();
  expect_rows(414, 0);
  store.check();
}

BOOST_AUTO_TEST_CASE(compacting_leaves_nothing_apart) {
  must(tl_compact(store.get(), nullptr, nullptr));
  expect_rows(414, 0);
  store.check();
  record(store, 207, 1);
  BOOST_TEST(found(store, "n", "207") == 1U);
  store.check();
}

BOOST_AUTO_TEST_CASE(a_check_misses_a_row_that_is_in_neither) {
  store.check();
  run_in_index("DELETE FROM attribute WHERE value = '3'");
  expect(tl_check(store.get(), nullptr, nullptr, nullptr, nullptr), TL_CORRUPT, "1 thing");
  store.reindex();
  store.check();
}

BOOST_AUTO_TEST_CASE(a_check_finds_a_row_that_is_in_both) {
  run_in_index(
      "INSERT INTO recent_attribute(container, kind, entity, term, value) "
      "SELECT container, kind, entity, term, value FROM attribute LIMIT 1");
  expect(tl_check(store.get(), nullptr, nullptr, nullptr, nullptr), TL_CORRUPT, "1 thing");
}

BOOST_AUTO_TEST_CASE(of_many_keys_those_that_change_are_written) {
  constexpr std::size_t kCount = 20'000;
  record_many_keys(store, kCount, "1");
  record_many_keys(store, kCount, "2");
  BOOST_TEST(found(store, "k0", "0") == 1U);
  BOOST_TEST(found(store, "k19998", "0") == 1U);
  BOOST_TEST(found(store, "k19999", "1") == 0U);
  BOOST_TEST(found(store, "k19999", "2") == 1U);
  store.check();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tracelite::api::test
