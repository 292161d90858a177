// What waits until all is durable, whatever happens meanwhile: importing into a store that drops
// what finds no room, closing while nothing can be written, and deleting after something was lost.
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <string>

#include <lmdb.h>
#include "api/support.hpp"
#include "store/testing.hpp"

namespace tracelite::api::test {
namespace {

using store::testing::Point;

constexpr std::uint32_t kSoon = 60'000;  // ms; long before that it has to be over

tl_options never_by_itself() {
  tl_options options{};
  options.commit_interval_ms = 3'600'000;
  return options;
}

std::string traces(int count) {
  std::string events;
  for (int i = 0; i < count; ++i) {
    const std::string n = std::to_string(i);
    events += R"({"id":"e)" + n + R"(","timestamp":"2026-11-22T00:00:00Z","type":"trace-create",)" +
              R"("body":{"id":"t)" + n + R"(","input":")" + std::string(500, 'x') + "\"}}\n";
  }
  return events;
}

tl_status put(tl_store* store, const char* id) {
  tl_trace trace{};
  trace.struct_size = sizeof trace;
  trace.id = tl_str(id);
  return tl_put_trace(store, &trace);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(waiting)

BOOST_AUTO_TEST_CASE(an_import_waits_for_room_in_a_store_that_drops) {
  const Folder folder;
  tl_options options{};
  options.queue_size_bytes = 64 << 10;
  options.full_policy = TL_FULL_DROP;
  const Store store(folder.file(), options);
  tl_drop_when_full(1);
  store.import_all(traces(2'000));
  tl_drop_when_full(0);
  BOOST_TEST(store.statistics().trace_count == 2'000U);
}

BOOST_AUTO_TEST_CASE(an_import_that_is_stopped_tells_how_far_it_came) {
  const Folder folder;
  const Store store(folder.file());
  const std::string events = traces(5'000);
  std::string_view rest = events;
  tl_import_report report{};
  report.struct_size = sizeof report;
  const auto stop = [](void*, std::uint64_t done_bytes, std::uint64_t) -> std::int32_t {
    return done_bytes >= 1'000'000 ? 1 : 0;
  };
  expect(tl_import(store.get(), TL_FORMAT_LANGFUSE, read_some, &rest, nullptr, nullptr, stop,
                   nullptr, &report),
         TL_CANCELLED, "stopped");
  BOOST_TEST(report.succeeded_count > 0U);
  BOOST_TEST(report.succeeded_count < 5'000U);
  BOOST_TEST(report.event_count == report.succeeded_count);
  BOOST_TEST(store.statistics().trace_count == report.succeeded_count);
}

BOOST_AUTO_TEST_CASE(closing_tries_again_while_there_is_time) {
  const Folder folder;
  tl_options options = never_by_itself();
  options.struct_size = sizeof options;
  std::string said;
  options.log = [](void* context, tl_log_level level, tl_reason, const char* message) {
    if (level == TL_LOG_ERROR) static_cast<std::string*>(context)->append(message);
  };
  options.log_context = &said;
  tl_store* store = nullptr;
  must(tl_open(folder.file().c_str(), &options, &store));
  must(put(store, "kept"));
  store::testing::fail(Point::commit, 1, ENOSPC);
  tl_close_report report{};
  report.struct_size = sizeof report;
  must(tl_close(store, kSoon, &report));
  store::testing::fail_nothing();
  BOOST_TEST(said.find("is tried again") != std::string::npos, said);
  BOOST_TEST(report.dropped_count == 0U);
  const Store again(folder.file());
  BOOST_TEST(again.statistics().trace_count == 1U);
}

BOOST_AUTO_TEST_CASE(closing_without_a_limit_does_not_wait_for_a_disk_that_stays_full) {
  const Folder folder;
  tl_options options = never_by_itself();
  options.struct_size = sizeof options;
  options.free_disk_min_bytes = UINT64_MAX;  // more than there is
  tl_store* store = nullptr;
  must(tl_open(folder.file().c_str(), &options, &store));
  must(put(store, "lost"));
  tl_close_report report{};
  report.struct_size = sizeof report;
  expect(tl_close(store, UINT32_MAX, &report), TL_DISK_FULL, "1 records were lost");
  BOOST_TEST(report.dropped_count == 1U);
}

// It is for the application's own flush to tell.
BOOST_AUTO_TEST_CASE(deleting_and_keeping_go_on_after_a_record_that_could_not_be_written) {
  const Folder folder;
  const Store store(folder.file(), never_by_itself());
  must(put(store.get(), "gone"));
  store.flush();
  store::testing::fail(Point::put, 1, MDB_CORRUPTED);
  must(put(store.get(), "never written"));
  tl_filter filter{};
  filter.struct_size = sizeof filter;
  filter.trace_id = tl_str("gone");
  must(tl_delete(store.get(), &filter, nullptr, nullptr, nullptr));
  must(tl_compact(store.get(), nullptr, nullptr));
  BOOST_TEST(store.statistics().trace_count == 0U);
  expect(tl_flush(store.get(), UINT32_MAX, nullptr), TL_CORRUPT, "");
  store.flush();
  store::testing::fail_nothing();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
