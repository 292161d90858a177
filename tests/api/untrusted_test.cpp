// TL_OPEN_UNTRUSTED: what is refused, and what is made anew.
#include <sqlite3.h>

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "api/support.hpp"
#include "index/page_file.hpp"

namespace tracelite::api::test {
namespace {

tl_options untrusted(bool read_only = false) {
  tl_options options{};
  options.struct_size = sizeof options;
  options.flags = TL_OPEN_UNTRUSTED;
  options.read_only = read_only ? 1 : 0;
  return options;
}

void run_in_index(const std::string& path, const std::string& sql) {
  const auto environment = store::test::open_file(path);
  auto transaction = store::test::must(environment->begin_write());
  const auto connection = store::test::must(index::Connection::open_writer(transaction));
  store::test::must(connection->begin(transaction));
  sqlite3_db_config(connection->handle(), SQLITE_DBCONFIG_DEFENSIVE, 0, nullptr);
  const int code = sqlite3_exec(connection->handle(), sql.c_str(), nullptr, nullptr, nullptr);
  BOOST_REQUIRE_MESSAGE(code == SQLITE_OK, sqlite3_errmsg(connection->handle()));
  store::test::must(connection->commit());
}

struct Fixture {
  Fixture() {
    const Store store(path);
    store.import_all(R"({"id":"e","timestamp":"2026-11-21T00:00:00Z","type":"trace-create",)"
                     R"("body":{"id":"t","name":"one"}})");
  }
  Folder folder;
  std::string path = folder.file();
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(untrusted_files, Fixture)

BOOST_AUTO_TEST_CASE(a_sound_file_opens_and_so_does_a_new_one) {
  for (const bool read_only : {false, true}) {
    const Store store(path, untrusted(read_only));
    BOOST_TEST(count(store, TL_KIND_TRACE) == 1U);
  }
  const Store created(folder.file("new.tl"), untrusted());
  BOOST_TEST(count(created, TL_KIND_TRACE) == 0U);
}

BOOST_AUTO_TEST_CASE(a_file_without_any_index_yet_opens) {
  { const Store created(folder.file("new.tl")); }
  const Store again(folder.file("new.tl"), untrusted(true));
  BOOST_TEST(count(again, TL_KIND_TRACE) == 0U);
}

BOOST_AUTO_TEST_CASE(unknown_flags_are_refused) {
  tl_options options = untrusted();
  options.flags |= 1U << 30;
  tl_store* store = nullptr;
  expect(tl_open(path.c_str(), &options, &store), TL_INVALID, "TL_OPEN_UNTRUSTED", "flags");
}

// Whatever has been put into the table of tables.
BOOST_AUTO_TEST_CASE(instead_of_an_index_with_other_tables_another_is_made) {
  const std::string sound = store::test::read_file(path);
  for (const char* sql :
       {"CREATE TABLE other(x)", "CREATE VIEW v AS SELECT 1", "CREATE INDEX i ON trace(id)",
        "CREATE TRIGGER g AFTER INSERT ON trace BEGIN SELECT 1; END", "DROP TABLE score",
        "PRAGMA writable_schema=ON; UPDATE sqlite_master SET sql=replace(sql,'sums NOT','sums  "
        "NOT')"
        " WHERE name='trace'",
        "PRAGMA writable_schema=ON; UPDATE sqlite_master SET rootpage="
        "(SELECT rootpage FROM sqlite_master WHERE name='term') WHERE name='trace'"}) {
    BOOST_TEST_CONTEXT(sql) {
      store::test::write_file(path, sound);
      run_in_index(path, sql);
      {
        tl_options options = untrusted(true);
        std::string said;
        options.log = [](void* context, tl_log_level, tl_reason, const char* message) {
          static_cast<std::string*>(context)->append(message);
        };
        options.log_context = &said;
        const Store store(path, options);
        BOOST_TEST(said.find("not one that tracelite makes") != std::string::npos, said);
        BOOST_TEST(count(store, TL_KIND_TRACE) == 1U);
        expect(tl_check(store.get(), nullptr, nullptr, nullptr, nullptr), TL_CORRUPT, "reindex");
      }
      const Store store(path, untrusted());
      BOOST_TEST(count(store, TL_KIND_TRACE) == 1U);
      store.check();
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
