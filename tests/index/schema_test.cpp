// That nobody changes the tables of the index without telling the files that were made with others.
#include "index/schema.hpp"

#include <xxhash.h>

#include <boost/test/unit_test.hpp>

#include "index/index_writer.hpp"
#include "page_file_support.hpp"

namespace tracelite::index::test {
namespace {

BOOST_AUTO_TEST_SUITE(schema)

BOOST_AUTO_TEST_CASE(a_changed_schema_has_a_version_of_its_own) {
  sqlite3* database = nullptr;
  BOOST_REQUIRE(sqlite3_open(":memory:", &database) == SQLITE_OK);
  must(IndexWriter::open(database));
  const std::string text = rows(database, "SELECT sql FROM sqlite_schema ORDER BY rowid");
  sqlite3_close(database);
  const std::uint64_t hash = XXH3_64bits(text.data(), text.size());
  BOOST_TEST(kSchemaVersion == 1U, "write the hash of the new version here as well");
  BOOST_TEST(hash == 16139826625076289714U,
             "the schema has changed (its hash is "
                 << hash << "): raise kSchemaVersion, and write both numbers here");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tracelite::index::test
