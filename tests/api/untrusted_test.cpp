// TL_OPEN_UNTRUSTED: what is refused, and what is made anew.
#include <sqlite3.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "api/support.hpp"
#include "index/page_file.hpp"
#include "store/content_sums.hpp"
#include "store/page_image.hpp"

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

// Flips a bit of every place in the file that has this value.
void damage_value(const std::string& path, const std::string& value) {
  std::string content = store::test::read_file(path);
  std::size_t at = content.find(value);
  BOOST_REQUIRE(at != std::string::npos);
  for (; at != std::string::npos; at = content.find(value, at + 1)) content[at] ^= 1;
  store::test::write_file(path, content);
}

// Flips a bit of the first value of the key space, so that it does not match its checksum.
void damage(const std::string& path, store::KeySpace space) {
  std::string value;
  {
    const auto transaction = store::test::must(store::test::open_file(path)->begin_read());
    store::Cursor cursor = transaction.cursor(space);
    BOOST_REQUIRE(store::test::must(cursor.seek({})));
    value = cursor.value();
  }
  damage_value(path, value);
}

// The values of the sealed blocks in which only derived key spaces lie, in the order of their keys.
std::vector<std::string> derived_blocks(const std::string& path) {
  const auto transaction = store::test::must(store::test::open_file(path)->begin_read());
  const bool has_segments =
      store::test::must(transaction.statistics(store::KeySpace::segment_bytes)).entries > 0;
  std::vector<std::string> values;
  store::Cursor cursor = transaction.cursor(store::KeySpace::sealed);
  for (bool more = store::test::must(cursor.next()); more;) {
    std::string value(cursor.value());
    more = store::test::must(cursor.next());
    const bool ends_before_segments =
        more && cursor.key() < std::string(1, static_cast<char>(store::KeySpace::segment));
    if (ends_before_segments || !has_segments) values.push_back(std::move(value));
  }
  return values;
}

void record_many(const std::string& path) {
  const Store store(path);
  std::string text;
  for (int i = 0; i < 3'000; ++i) {
    const std::string n = std::to_string(i);
    text += R"({"id":"e)" + n + R"(","timestamp":"2026-11-21T00:00:00Z","type":"span-create",)";
    text += R"("body":{"id":"o)" + n + R"(","traceId":"t","name":"step )" + n;
    text += R"(","startTime":"2026-11-21T00:00:00Z","metadata":{"key":"value )" + n + "\"}}}\n";
  }
  store.import_all(text);
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
        "(SELECT rootpage FROM sqlite_master WHERE name='term') WHERE name='trace'",
        // Two tables without rows, each in the place of the other.
        "PRAGMA writable_schema=ON; UPDATE sqlite_master SET rootpage="
        "(SELECT sum(rootpage) FROM sqlite_master WHERE name IN ('score', 'observation')) - "
        "rootpage "
        "WHERE name IN ('score', 'observation')"}) {
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
        BOOST_TEST(said.find("made in memory") != std::string::npos, said);
        BOOST_TEST(count(store, TL_KIND_TRACE) == 1U);
        expect(tl_check(store.get(), nullptr, nullptr, nullptr, nullptr), TL_CORRUPT, "reindex");
      }
      const Store store(path, untrusted());
      BOOST_TEST(count(store, TL_KIND_TRACE) == 1U);
      store.check();
    }
  }
}

BOOST_AUTO_TEST_CASE(instead_of_an_index_without_tables_another_is_made) {
  const Folder empty;
  {
    const Store store(empty.file());
    must(tl_reindex(store.get(), nullptr, nullptr));
  }
  run_in_index(empty.file(), "PRAGMA writable_schema=ON; DELETE FROM sqlite_master");
  for (const bool read_only : {true, false}) {
    const Store store(empty.file(), untrusted(read_only));
    BOOST_TEST(count(store, TL_KIND_TRACE) == 0U);
    if (!read_only) store.check();
  }
}

BOOST_AUTO_TEST_CASE(
    a_page_of_the_index_that_is_damaged_is_refused_and_reindex_mends_it_if_trusted) {
  damage(path, store::KeySpace::page);
  for (const bool read_only : {true, false}) {
    const tl_options options = untrusted(read_only);
    tl_store* store = nullptr;
    expect(tl_open(path.c_str(), &options, &store), TL_CORRUPT, "does not match its checksum");
  }
  {
    const Store trusted(path);
    must(tl_reindex(trusted.get(), nullptr, nullptr));
  }
  const Store again(path, untrusted());
  BOOST_TEST(count(again, TL_KIND_TRACE) == 1U);
  again.check();
}

BOOST_AUTO_TEST_CASE(wrong_sums_and_lost_pages_hide_nothing_else_from_check) {
  record_many(path);
  run_in_index(path, "DELETE FROM observation");
  {
    const auto environment = store::test::open_file(path);
    auto transaction = store::test::must(environment->begin_write());
    const auto value = store::test::must(transaction.get(store::KeySpace::meta, store::kSumsKey));
    auto sums = store::ContentSums::decode(value.value()).value();
    ++sums.of[static_cast<std::size_t>(store::KeySpace::media)];
    store::test::must(transaction.put(store::KeySpace::meta, store::kSumsKey, sums.encode()));
    store::test::must(transaction.commit());
  }
  {
    store::test::PageImage image(store::test::read_file(path));
    store::layout::Meta head = image.head();
    head.last_page = image.page_count() + 2;
    image.set_head(head);
    store::test::write_file(path, image.content() + std::string(3 * image.page_size(), '\0'));
  }
  const auto findings_of = [](const Store& store, const char* advice) {
    std::string findings;
    const auto take = [](void* context, tl_text where, tl_text message) {
      static_cast<std::string*>(context)->append(string_of(where) + ": " + string_of(message));
    };
    expect(tl_check(store.get(), take, &findings, nullptr, nullptr), TL_CORRUPT, advice);
    return findings;
  };
  const Store store(path);
  const std::string all = findings_of(store, "reindex mends an index");
  BOOST_TEST(all.starts_with("sums: "), all);
  BOOST_TEST(all.find("lost pages: ") != std::string::npos, all);
  BOOST_TEST(all.find("observation: the index disagrees") != std::string::npos, all);
  must(tl_reindex(store.get(), nullptr, nullptr));
  const std::string rest =
      findings_of(store, "2 things are wrong with the file; all that is in it can be read");
  BOOST_TEST(rest.find("disagrees") == std::string::npos, rest);
  must(tl_compact(store.get(), nullptr, nullptr));
  store.check();
}

// Pages of the index and parts of the directories, wherever compacting has put them.
BOOST_AUTO_TEST_CASE(what_is_damaged_of_a_sealed_index_or_directory_is_mended_by_reindex) {
  record_many(path);
  {
    const Store store(path);
    must(tl_compact(store.get(), nullptr, nullptr));
  }
  const std::string sound = store::test::read_file(path);
  const std::vector<std::string> blocks = derived_blocks(path);
  BOOST_REQUIRE(blocks.size() > 2U);
  std::string exported;
  {
    const Store store(path);
    exported = store.export_all();
  }
  const std::vector<std::vector<std::string>> choices = {
      {blocks.front()}, {blocks[blocks.size() / 2]}, {blocks.back()}, blocks};
  for (const std::vector<std::string>& chosen : choices) {
    store::test::write_file(path, sound);
    for (const std::string& value : chosen) damage_value(path, value);
    tl_options options = untrusted();
    tl_store* refused = nullptr;
    expect(tl_open(path.c_str(), &options, &refused), TL_CORRUPT, "does not match its checksum");
    {
      const Store trusted(path);
      must(tl_reindex(trusted.get(), nullptr, nullptr));
      trusted.check();
    }
    const Store again(path, untrusted());
    BOOST_TEST(count(again, TL_KIND_OBSERVATION) == 3'000U);
    BOOST_TEST((again.export_all() == exported));
    again.check();
  }
}

// By the one who looks at the pages and by the one who reads the record.
BOOST_AUTO_TEST_CASE(check_tells_a_damaged_record_once) {
  damage(path, store::KeySpace::record);
  const Store trusted(path);
  std::vector<std::string> findings;
  const auto find = [](void* context, tl_text where, tl_text message) {
    static_cast<std::vector<std::string>*>(context)->push_back(string_of(where) + ": " +
                                                               string_of(message));
  };
  expect(tl_check(trusted.get(), find, &findings, nullptr, nullptr), TL_CORRUPT, "1 thing is");
  BOOST_REQUIRE(findings.size() == 1U);
  BOOST_TEST(findings.front().starts_with("record: "), findings.front());
  BOOST_TEST(findings.front().ends_with("does not match its checksum"), findings.front());
}

// The tables are ours, and what stands in them is the end of what a number can be.
BOOST_AUTO_TEST_CASE(numbers_in_an_index_that_cannot_be_are_harmless) {
  const std::string event =
      R"({"id":"e%","timestamp":"2026-11-2%T00:00:00Z","type":"trace-create",)"
      R"("body":{"id":"t%","name":"one","sessionId":"s","userId":"u"}})";
  {
    const Store store(path);
    for (char n = '1'; n < '5'; ++n) {
      std::string one = event;
      std::replace(one.begin(), one.end(), '%', n);
      store.import_all(one);
    }
  }
  const std::string sound = store::test::read_file(path);
  for (const char* number : {"9223372036854775807", "-9223372036854775807 - 1", "0"}) {
    const std::string n(number);
    for (const std::string& sql :
         {"UPDATE group_sums SET lead=" + n + ", span=" + n, "UPDATE term SET uses=" + n,
          "UPDATE member SET moment=" + n, "UPDATE trace SET time_ns=" + n,
          "UPDATE group_sums SET lead=" + n + ", span=" + n + "; UPDATE member SET moment=" + n,
          std::string("UPDATE trace SET members=x'feffffffffffffffff01fcffffffffffffffff01'")}) {
      BOOST_TEST_CONTEXT(sql) {
        store::test::write_file(path, sound);
        run_in_index(path, sql);
        const Store store(path, untrusted());
        for (const char* id : {"t4", "t1", "t2", "t3"}) {
          tl_filter wanted = filter();
          wanted.trace_id = tl_str(id);
          // What cannot be is an error, or the right thing.
          tl_delete(store.get(), &wanted, nullptr, nullptr, nullptr);
        }
        store.import_all(R"({"id":"f","timestamp":"2026-11-27T00:00:00Z","type":"trace-create",)"
                         R"("body":{"id":"t9","name":"one","sessionId":"s","userId":"u"}})");
        tl_flush(store.get(), UINT32_MAX, nullptr);
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
