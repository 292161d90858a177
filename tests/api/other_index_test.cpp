// Files whose index another version of the library has made.
#include <sqlite3.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <string>
#include <thread>
#include <vector>

#include "api/other_index.hpp"
#include "api/support.hpp"
#include "index/page_file.hpp"
#include "index/schema.hpp"

namespace tracelite::api::test {
namespace {

using store::test::Child;
using store::test::Line;

void run_in_index(const std::string& path, const char* sql) {
  const auto environment = store::test::open_file(path);
  auto transaction = store::test::must(environment->begin_write());
  const auto connection = store::test::must(index::Connection::open_writer(transaction));
  store::test::must(connection->begin(transaction));
  BOOST_REQUIRE(sqlite3_exec(connection->handle(), sql, nullptr, nullptr, nullptr) == SQLITE_OK);
  store::test::must(connection->commit());
}

std::uint64_t last_transaction(const std::string& path) {
  return store::test::open_file(path)->last_transaction_id();
}

std::string observation(int number) {
  const std::string n = std::to_string(number);
  return R"({"id":"e)" + n +
         R"(","timestamp":"2026-11-21T00:00:00Z","type":"observation-create",)" +
         R"("body":{"type":"SPAN","id":"o)" + n + R"(","traceId":"t)" + n +
         R"(","startTime":"2026-11-21T00:00:0)" + n + R"(Z","metadata":{"key":"value )" + n +
         "\"}}}\n";
}

// Ids in the order of time, of those that have this in their metadata, if that is given.
std::vector<std::string> observations(const Store& store, std::string_view value = {}) {
  tl_filter wanted = filter();
  if (!value.empty()) wanted.metadata_key = tl_str("key");
  wanted.metadata_value = value.empty() ? tl_text{} : text_of(value);
  tl_cursor* cursor = nullptr;
  must(tl_list(store.get(), nullptr, TL_KIND_OBSERVATION, &wanted, TL_ORDER_TIME, {}, 0, &cursor));
  std::vector<std::string> ids;
  for (Rows rows(cursor); rows.next();) ids.push_back(string_of(rows.row().observation->id));
  return ids;
}

void log_begin(void* context, tl_log_level /*level*/, tl_reason /*reason*/, const char* message) {
  if (std::string_view(message).find("is made anew") != std::string_view::npos) {
    static_cast<Line*>(context)->send('a');
  }
}

struct Fixture {
  Fixture() {
    const Store store(path);
    for (int i = 0; i < 5; ++i) store.import_all(observation(i));
    store.flush();
    before = observations(store);
    BOOST_REQUIRE(before.size() == 5U);
  }
  // As if another version had other tables.
  void change_schema() const {
    run_in_index(path, "DROP TABLE recent_attribute; DROP TABLE attribute; CREATE TABLE other(x)");
    write_index_version(path, index::kSchemaVersion + 1);
  }

  Folder folder;
  std::string path = folder.file();
  std::vector<std::string> before;
};

BOOST_FIXTURE_TEST_SUITE(other_index, Fixture)

BOOST_AUTO_TEST_CASE(opening_for_writing_makes_it_anew) {
  change_schema();
  Line said;
  tl_options options{};
  options.log = log_begin;
  options.log_context = &said;
  {
    const Store store(path, options);
    BOOST_TEST(said.receive() == 'a');
    BOOST_TEST(observations(store) == before);
    BOOST_TEST(observations(store, "value 3") == std::vector<std::string>{"o3"});
    store.import_all(observation(5));
    store.flush();
    BOOST_TEST(observations(store, "value 5") == std::vector<std::string>{"o5"});
    store.check();
  }
  const std::uint64_t transaction = last_transaction(path);
  const Store again(path, options);
  BOOST_TEST(last_transaction(path) == transaction);  // once is enough
}

BOOST_AUTO_TEST_CASE(opening_read_only_makes_one_in_memory_and_says_what_to_do) {
  change_schema();
  const std::uint64_t transaction = last_transaction(path);
  tl_options options{};
  options.struct_size = sizeof options;
  options.read_only = 1;
  std::string said;
  options.log = [](void* context, tl_log_level level, tl_reason, const char* message) {
    BOOST_TEST(level == TL_LOG_WARNING);
    static_cast<std::string*>(context)->append(message);
  };
  options.log_context = &said;
  {
    const Store store(path, options);
    for (const std::string& part :
         {std::string("open it once for writing"), "tracelite reindex " + path,
          "(index " + std::to_string(index::kSchemaVersion + 1) + ", this one has index " +
              std::to_string(index::kSchemaVersion),
          std::string("made in memory")}) {
      BOOST_TEST(said.find(part) != std::string::npos, said);
    }
    BOOST_TEST(observations(store) == before);
    BOOST_TEST(observations(store, "value 3") == std::vector<std::string>{"o3"});
    expect(tl_check(store.get(), nullptr, nullptr, nullptr, nullptr), TL_UNSUPPORTED,
           "another version");
  }
  BOOST_TEST(last_transaction(path) == transaction);
  said.clear();
  { const Store writing(path); }
  const Store reading(path, options);
  BOOST_TEST(said.empty(), said);
  BOOST_TEST(observations(reading) == before);
}

// Which is no damage by itself, and hides none.
BOOST_AUTO_TEST_CASE(what_else_is_damaged_is_told) {
  change_schema();
  {
    std::string key;
    append_big_endian(key, std::uint64_t{999'999}, 6);
    append_big_endian(key, std::uint64_t{0}, 4);
    const auto environment = store::test::open_file(path);
    auto transaction = store::test::must(environment->begin_write());
    store::test::must(transaction.put(store::KeySpace::payload, key, "of no record"));
    store::test::must(transaction.commit());
  }
  tl_options options{};
  options.read_only = 1;
  const Store store(path, options);
  std::string found;
  const auto find = [](void* all, tl_text where, tl_text message) {
    static_cast<std::string*>(all)->append(string_of(where) + ": " + string_of(message) + "\n");
  };
  const tl_status status = tl_check(store.get(), find, &found, nullptr, nullptr);
  BOOST_TEST(status == TL_CORRUPT);
  BOOST_TEST(found.find("belongs to no record") != std::string::npos, found);
}

// Snapshots keep the index of their commit; the next ones have a new one, or that of the file once
// it can be read.
BOOST_AUTO_TEST_CASE(one_in_memory_goes_with_the_commits_of_others) {
  change_schema();
  tl_options options{};
  options.read_only = 1;
  const Store reading(path, options);
  tl_snapshot* first = nullptr;
  must(tl_snapshot_open(reading.get(), &first));
  BOOST_TEST(count(reading, TL_KIND_OBSERVATION) == 5U);
  {
    const Store writing(path);
    writing.import_all(observation(5));
    writing.flush();
  }
  BOOST_TEST(count(reading, TL_KIND_OBSERVATION) == 6U);
  change_schema();
  BOOST_TEST(observations(reading, "value 5") == std::vector<std::string>{"o5"});
  const auto count_in_first = [&] {
    tl_cursor* cursor = nullptr;
    must(
        tl_list(reading.get(), first, TL_KIND_OBSERVATION, nullptr, TL_ORDER_TIME, {}, 0, &cursor));
    std::uint64_t rows = 0;
    for (Rows found(cursor); found.next();) ++rows;
    return rows;
  };
  BOOST_TEST(count_in_first() == 5U);
  tl_snapshot_close(first);
}

BOOST_AUTO_TEST_CASE(threads_share_one_in_memory) {
  change_schema();
  tl_options options{};
  options.read_only = 1;
  const Store reading(path, options);
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20; ++round) {
        tl_cursor* cursor = nullptr;
        if (tl_list(reading.get(), nullptr, TL_KIND_OBSERVATION, nullptr, TL_ORDER_TIME, {}, 0,
                    &cursor) != TL_OK) {
          continue;
        }
        std::uint64_t rows = 0;
        for (Rows found(cursor); found.next();) ++rows;
        if (rows == before.size()) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  BOOST_TEST(right.load() == 80);
}

BOOST_AUTO_TEST_CASE(an_older_one_is_made_anew_as_well) {
  write_index_version(path, index::kSchemaVersion - 1);
  const Store store(path);
  BOOST_TEST(observations(store) == before);
}

BOOST_AUTO_TEST_CASE(of_processes_that_open_it_together_one_makes_it_anew) {
  change_schema();
  const std::uint64_t transaction = last_transaction(path);
  // Nobody gets further than to the turn to write before all want it.
  Line turn_taken;
  Line let_go;
  Child holder([&] {
    const auto environment = store::test::open_file(path);
    const auto held = store::test::must(environment->begin_write());
    turn_taken.send('t');
    (void)let_go.receive();
    return 0;
  });
  BOOST_REQUIRE(turn_taken.receive() == 't');
  Line want;
  const auto open_and_list = [&] {
    tl_options options{};
    options.log = log_begin;
    options.log_context = &want;
    const Store store(path, options);
    return observations(store) == before ? 0 : 1;
  };
  Child first(open_and_list);
  Child second(open_and_list);
  BOOST_TEST(want.receive() == 'a');
  BOOST_TEST(want.receive() == 'a');
  let_go.send('g');
  BOOST_TEST(holder.wait() == 0);
  BOOST_TEST(first.wait() == 0);
  BOOST_TEST(second.wait() == 0);
  BOOST_TEST(last_transaction(path) == transaction + 1);
}

BOOST_AUTO_TEST_CASE(a_store_whose_index_another_version_took_keeps_what_it_records) {
  const Store store(path);
  write_index_version(path, index::kSchemaVersion + 1);
  tl_trace trace{};
  trace.struct_size = sizeof trace;
  trace.id = tl_str("kept");
  must(tl_put_trace(store.get(), &trace));
  expect(tl_flush(store.get(), UINT32_MAX, nullptr), TL_UNSUPPORTED, "another version");
  tl_cursor* cursor = nullptr;
  expect(tl_list(store.get(), nullptr, TL_KIND_OBSERVATION, nullptr, TL_ORDER_TIME, {}, 0, &cursor),
         TL_UNSUPPORTED, "another version");
  write_index_version(path, index::kSchemaVersion);
  store.flush_after_mending();
  BOOST_TEST(count(store, TL_KIND_TRACE) == before.size() + 1);
}

// As the error says.
BOOST_AUTO_TEST_CASE(a_store_whose_index_another_version_took_makes_another_and_goes_on) {
  const Store store(path);
  std::size_t traces = before.size();
  for (const auto make_anew : {tl_reindex, tl_compact}) {
    write_index_version(path, index::kSchemaVersion + 1);
    const std::string id = "kept" + std::to_string(traces);
    tl_trace trace{};
    trace.struct_size = sizeof trace;
    trace.id = text_of(id);
    must(tl_put_trace(store.get(), &trace));
    expect(tl_flush(store.get(), UINT32_MAX, nullptr), TL_UNSUPPORTED, "tracelite reindex");
    must(make_anew(store.get(), nullptr, nullptr));
    BOOST_TEST(count(store, TL_KIND_TRACE) == ++traces);
    store.check();
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tracelite::api::test
