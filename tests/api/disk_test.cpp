// What an application is told of the disk under its file: a network, and one with less room than it
// wants to keep free.
#include <boost/test/unit_test.hpp>
#include <condition_variable>
#include <mutex>
#include <string>

#include "api/support.hpp"
#include "support/pretended_disk.hpp"
#include "tracelite/tracelite.hpp"

namespace tracelite::api::test {
namespace {

constexpr std::uint64_t kLeastBytes = std::uint64_t{8} << 20;

struct Log {
  std::mutex mutex;
  std::condition_variable came;
  std::string all;

  static void take(void* context, tl_log_level level, tl_reason /*reason*/, const char* message) {
    auto& log = *static_cast<Log*>(context);
    const std::lock_guard lock(log.mutex);
    log.all += std::to_string(level) + ": " + message + "\n";
    log.came.notify_all();
  }
  void wait_for(const std::string& line) {
    std::unique_lock lock(mutex);
    const bool has_come = came.wait_for(lock, std::chrono::minutes(2),
                                        [&] { return all.find(line) != std::string::npos; });
    BOOST_TEST(has_come, "the log says: " << all << "it lacks: " << line);
  }
};

struct Fixture {
  pretended_disk::AsItIs afterwards;
  Folder folder;
  Log log;
  Store store{folder.file(), options()};

  tl_options options() {
    tl_options options{};
    options.free_disk_min_bytes = kLeastBytes;
    options.commit_interval_ms = 1;
    options.log = Log::take;
    options.log_context = &log;
    return options;
  }
  void put(std::string_view id) const {
    tl_trace trace{};
    trace.struct_size = sizeof trace;
    trace.id = text_of(id);
    must(tl_put_trace(store.get(), &trace));
  }
  [[nodiscard]] std::string traces() const {
    std::string ids;
    for (const std::string& id : traces_of(store, filter())) ids += id;
    return ids;
  }
  // Until the writer's own commits have brought these.
  void wait_for_traces(const std::string& wanted) const {
    std::uint64_t position = 0;
    while (traces() != wanted) {
      if (tl_wait(store.get(), position, 120'000, &position) != TL_OK) {
        BOOST_ERROR("there is " << traces() << " instead of " << wanted);
        return;
      }
    }
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(disk, Fixture)

BOOST_AUTO_TEST_CASE(recording_waits_for_room_on_the_disk_and_goes_on_by_itself) {
  pretended_disk::free_bytes = kLeastBytes;
  put("a");
  wait_for_traces("a");
  pretended_disk::free_bytes = kLeastBytes - 1;
  put("b");
  log.wait_for("4: writing failed and is tried again: the disk that holds " + folder.file() +
               " has 8388607 bytes left, less than free_disk_min_bytes (8388608): nothing is "
               "written until there is more; make room");
  put("c");
  expect(tl_flush(store.get(), UINT32_MAX, nullptr), TL_DISK_FULL,
         "has 8388607 bytes left, less than free_disk_min_bytes (8388608)", "free_disk_min_bytes");
  BOOST_TEST(tl_error()->engine_code == 0);
  BOOST_TEST(traces() == "a");
  BOOST_TEST(store.statistics().queued_size_bytes > 0U);
  pretended_disk::free_bytes = kLeastBytes;
  wait_for_traces("abc");
  store.flush_after_mending();
  BOOST_TEST(store.statistics().queued_size_bytes == 0U);
  BOOST_TEST(store.counter(TL_REASON_WRITE_FAILED) == 0U);
  store.check();
}

BOOST_AUTO_TEST_CASE(closing_gives_up_what_finds_no_room_and_counts_it) {
  pretended_disk::free_bytes = 0;
  put("a");
  put("b");
  tl_close_report report{};
  report.struct_size = sizeof report;
  Store second(folder.file(), options());
  tl_trace trace{};
  trace.struct_size = sizeof trace;
  trace.id = tl_str("c");
  must(tl_put_trace(second.get(), &trace));
  expect(tl_close(second.release(), UINT32_MAX, &report), TL_DISK_FULL, "1 records were lost",
         "free_disk_min_bytes");
  BOOST_TEST(report.dropped_count == 1U);
  pretended_disk::free_bytes = pretended_disk::kAsItIs;
  store.flush();
  BOOST_TEST(traces() == "ab");
}

BOOST_AUTO_TEST_CASE(what_was_dropped_for_want_of_room_is_counted_in_the_file) {
  pretended_disk::free_bytes = 0;
  tl_options dropping = options();
  dropping.queue_size_bytes = std::uint64_t{64} << 10;
  dropping.full_policy = TL_FULL_DROP;
  Store second(folder.file(), dropping);
  std::uint64_t refused = 0;
  const std::string input(1'000, 'x');
  for (int i = 0; i < 200; ++i) {
    const std::string id = std::to_string(i);
    const tl_status put = tl_put_observation(
        second.get(), cpp::Observation().id(id).trace_id("t").input(cpp::plain(input)).get());
    if (put == TL_QUEUE_FULL) ++refused;
  }
  BOOST_TEST(refused > 0U);
  tl_close_report report{};
  report.struct_size = sizeof report;
  expect(tl_close(second.release(), UINT32_MAX, &report), TL_DISK_FULL, "records were lost",
         "free_disk_min_bytes");
  BOOST_TEST(store.counter(TL_REASON_QUEUE_FULL) == refused);
  BOOST_TEST(store.counter(TL_REASON_CLOSED) == report.dropped_count);
}

// They make room, so they must not wait for it; what was recorded before is deleted, too.
BOOST_AUTO_TEST_CASE(deleting_and_compacting_are_not_held_up) {
  put("a");
  put("b");
  store.flush();
  pretended_disk::free_bytes = 0;
  BOOST_TEST(store.remove(of_trace("a")).trace_count == 1U);
  must(tl_compact(store.get(), nullptr, nullptr));
  BOOST_TEST(traces() == "b");
  put("c");
  put("d");
  log.wait_for("make room");
  BOOST_TEST(store.remove(of_trace("c")).trace_count == 1U);
  BOOST_TEST(traces() == "bd");
  put("e");
  must(tl_compact(store.get(), nullptr, nullptr));
  BOOST_TEST(traces() == "bde");
  put("f");
  expect(tl_flush(store.get(), UINT32_MAX, nullptr), TL_DISK_FULL, "make room");
  BOOST_TEST(traces() == "bde");
  pretended_disk::free_bytes = pretended_disk::kAsItIs;
  wait_for_traces("bdef");
  store.check();
}

BOOST_AUTO_TEST_CASE(a_network_is_unsupported) {
  pretended_disk::file_system_type = 0x6969;
  const Folder other;
  tl_store* opened = nullptr;
  expect(tl_open(other.file().c_str(), nullptr, &opened), TL_UNSUPPORTED, "network file system",
         "path");
  BOOST_TEST(opened == nullptr);
  BOOST_TEST(other.names().empty());
  store.close();
  const std::string saved = other.file("saved.tl");
  expect(
      tl_salvage(folder.file().c_str(), saved.c_str(), nullptr, nullptr, nullptr, nullptr, nullptr),
      TL_UNSUPPORTED, "network file system", "path");
  BOOST_TEST(other.names().empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
