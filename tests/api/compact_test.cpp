// Compacting and backup through the C API: the file is another one, and everything that can be
// asked of it is the same.
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "api/support.hpp"
#include "store/testing.hpp"
#include "support/sanitizers.hpp"

namespace tracelite::api::test {
namespace {

using store::testing::Point;

void compact(const Store& store) { must(tl_compact(store.get(), nullptr, nullptr)); }
void back_up(const Store& store, const std::string& path) {
  must(tl_backup(store.get(), path.c_str(), nullptr, nullptr));
}
std::int32_t stop(void* /*context*/, std::uint64_t /*done*/, std::uint64_t /*total*/) { return 1; }

std::uint64_t size_of(const std::string& path) { return std::filesystem::file_size(path); }

std::string text_of_size(std::size_t size_bytes, unsigned seed) {
  std::string text;
  while (text.size() < size_bytes) {
    seed = seed * 1'664'525 + 1'013'904'223;
    text += std::to_string(seed) + (seed % 7 == 0 ? "\n" : " ");
  }
  text.resize(size_bytes);
  return text;
}

void put(const Store& store, const std::string& trace, const std::string& id,
         const std::string& input, std::int64_t at_ns, const char* session = nullptr) {
  tl_observation observation{};
  observation.struct_size = sizeof observation;
  observation.id = text_of(id);
  observation.trace_id = text_of(trace);
  observation.set_mask = TL_BIT(TL_FIELD_INPUT) | TL_BIT(TL_FIELD_START_TIME);
  observation.start_time_ns = at_ns;
  observation.input = {TL_FORM_TEXT, text_of(input)};
  if (session != nullptr) {
    tl_trace of_session{};
    of_session.struct_size = sizeof of_session;
    of_session.id = text_of(trace);
    of_session.set_mask = TL_BIT(TL_FIELD_SESSION_ID);
    of_session.session_id = tl_str(session);
    must(tl_put_trace(store.get(), &of_session));
  }
  must(tl_put_observation(store.get(), &observation));
}

// A little of everything: sessions with histories, traces without one, observations that name no
// trace, scores of all subjects, merged metadata, media of all forms, a span under way.
void record_something(const Store& store) {
  std::string history;
  for (int turn = 0; turn < 40; ++turn) {
    history += text_of_size(900, static_cast<unsigned>(turn % 5));
    const std::string n = std::to_string(turn);
    put(store, "trace-" + std::to_string(turn / 10), "call-" + n, history, 1'000 + turn,
        turn / 10 == 3 ? nullptr : "session");
  }
  put(store, "lonely", "short", "x", 5);
  put(store, "lonely", "large", text_of_size((9 << 20) + 17, 99), 6);
  store.import_all(
      R"({"id":"e1","timestamp":"2026-01-01T00:00:00Z","type":"trace-create","body":{"id":"trace-0","name":"named","userId":"user","tags":["b","a"],"metadata":{"k":1,"deep":{"x":"y"}}}}
{"id":"e2","timestamp":"2026-01-01T00:00:01Z","type":"trace-create","body":{"id":"trace-0","metadata":{"deep":{"z":[1,2]},"k":null}}}
{"id":"e3","timestamp":"2026-01-01T00:00:02Z","type":"span-update","body":{"id":"stray","name":"no trace","output":{"a":1}}}
{"id":"e4","timestamp":"2026-01-01T00:00:03Z","type":"span-create","body":{"id":"found","startTime":"2026-01-01T00:00:03Z","input":"early"}}
{"id":"e5","timestamp":"2026-01-01T00:00:04Z","type":"span-update","body":{"id":"found","traceId":"trace-1","output":"late"}}
{"id":"e6","timestamp":"2026-01-01T00:00:05Z","type":"score-create","body":{"id":"s1","traceId":"trace-0","name":"good","value":1}}
{"id":"e7","timestamp":"2026-01-01T00:00:06Z","type":"score-create","body":{"id":"s2","sessionId":"scored session","name":"kind","value":"friendly"}}
{"id":"e8","timestamp":"2026-01-01T00:00:07Z","type":"session-update","body":{"id":"session","bookmarked":true}}
)");
  tl_observation begun{};
  begun.struct_size = sizeof begun;
  begun.id = tl_str("streaming");
  begun.trace_id = tl_str("trace-1");
  tl_span* span = nullptr;
  must(tl_begin(store.get(), nullptr, &begun, &span));
  must(tl_append(span, TL_FIELD_OUTPUT, tl_str("half of ")));
  store.flush();
  must(tl_append(span, TL_FIELD_OUTPUT, text_of(text_of_size(3'000, 5))));
  must(tl_end(span, nullptr));
  store.flush();
}

void check_sums(const tl_statistics& a, const tl_statistics& b) {
  BOOST_TEST(a.trace_count == b.trace_count);
  BOOST_TEST(a.observation_count == b.observation_count);
  BOOST_TEST(a.score_count == b.score_count);
  BOOST_TEST(a.session_count == b.session_count);
  BOOST_TEST(a.user_count == b.user_count);
  BOOST_TEST(a.payload_size_bytes == b.payload_size_bytes);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(compacting)

BOOST_AUTO_TEST_CASE(everything_is_the_same_in_a_file_that_is_not_larger) {
  const Folder folder(store::test::fast_folder());
  Store store(folder.file());
  record_something(store);
  const std::string before = store.export_all();
  const tl_statistics sums = store.statistics();
  const std::uint64_t size_bytes = size_of(folder.file());
  for (int round = 0; round < 2; ++round) {
    compact(store);
    BOOST_TEST((store.export_all() == before));
    store.check();
    check_sums(store.statistics(), sums);
    BOOST_TEST(store.statistics().commit_number > sums.commit_number);
    BOOST_TEST(size_of(folder.file()) < size_bytes);
  }
  // What comes now finds its place, and what it shares with.
  put(store, "trace-0", "call-40", "more", 2'000, "session");
  put(store, "new", "first", text_of_size(5 << 20, 3), 1);
  store.flush();
  store.check();
  BOOST_TEST(store.statistics().session_count == sums.session_count);
  store.close();
  BOOST_TEST(folder.names() == store::test::kOnlyTheDataFile, boost::test_tools::per_element());
  const Store again(folder.file());
  again.check();
  BOOST_TEST(again.statistics().trace_count == sums.trace_count + 1);
}

// What compacting has sealed counts where it belongs, and the lines add up to the file.
BOOST_AUTO_TEST_CASE(the_space_of_a_compacted_file_is_told) {
  const Folder folder;
  const Store store(folder.file());
  record_something(store);
  store.flush();
  compact(store);
  std::map<std::string, std::uint64_t> sizes_bytes;
  const tl_space_fn take = [](void* context, tl_text key_space, tl_text, std::uint64_t size) {
    (*static_cast<std::map<std::string, std::uint64_t>*>(context))[string_of(key_space)] += size;
  };
  must(tl_space(store.get(), take, &sizes_bytes));
  std::uint64_t all_bytes = 0;
  for (const auto& [key_space, size_bytes] : sizes_bytes) all_bytes += size_bytes;
  BOOST_TEST(all_bytes == size_of(folder.file()));
  BOOST_TEST(sizes_bytes["page"] > 0U);
}

BOOST_AUTO_TEST_CASE(an_empty_file_stays_as_small_as_it_was_made) {
  const Folder folder;
  const Store store(folder.file());
  const std::uint64_t size_bytes = size_of(folder.file());
  compact(store);
  BOOST_TEST(size_of(folder.file()) <= size_bytes);
  store.check();
}

// What is there no more: names and text that others have taken the place of.
BOOST_AUTO_TEST_CASE(nothing_of_what_was_replaced_is_left_in_the_file) {
  const Folder folder(store::test::fast_folder());
  const Store store(folder.file());
  const auto write = [&](const std::string& marker, int second) {
    const std::string at = R"("timestamp":"2026-01-01T00:00:0)" + std::to_string(second) + R"(Z",)";
    store.import_all(R"({"id":"a","type":"trace-create",)" + at + R"("body":{"id":"t","name":")" +
                     marker + R"(","userId":")" + marker + R"(","sessionId":")" + marker +
                     R"(","input":")" + marker + std::string(2'000, 'z') + R"(","release":")" +
                     marker + R"("}})" + "\n" + R"({"id":"b","type":"score-create",)" + at +
                     R"("body":{"id":"s","name":")" + marker + R"(","traceId":"t","comment":")" +
                     marker + R"(","value":1}})" + "\n");
    store.flush();
  };
  write("markerQZX", 1);
  BOOST_TEST(store::test::read_file(folder.file()).find("markerQZX") != std::string::npos);
  write("other", 2);
  compact(store);
  BOOST_TEST(store::test::read_file(folder.file()).find("markerQZX") == std::string::npos);
  BOOST_TEST(count(store, TL_KIND_SESSION) == 1U);
  store.check();
}

BOOST_AUTO_TEST_CASE(snapshots_and_cursors_stay_and_positions_go_on) {
  const Folder folder(store::test::fast_folder());
  const Store store(folder.file());
  record_something(store);
  tl_snapshot* snapshot = nullptr;
  must(tl_snapshot_open(store.get(), &snapshot));
  const std::string before = store.export_all(snapshot);
  Rows rows(list(store, TL_KIND_TRACE));
  BOOST_REQUIRE(rows.next());
  tl_text given{};
  must(tl_position(rows.get(), &given));
  const std::string position = string_of(given);
  Rows large(get(store, TL_KIND_OBSERVATION, "lonely", "large"));
  BOOST_REQUIRE(large.next());

  compact(store);
  put(store, "later", "o", "x", 1);
  store.flush();
  compact(store);

  BOOST_TEST((store.export_all(snapshot) == before));
  BOOST_TEST((large.payload(TL_FIELD_INPUT) == text_of_size((9 << 20) + 17, 99)));
  std::vector<std::string> rest;
  while (rows.next()) rest.push_back(string_of(rows.row().trace->id));
  tl_cursor* cursor = nullptr;
  must(tl_list(store.get(), snapshot, TL_KIND_TRACE, nullptr, TL_ORDER_TIME | TL_ORDER_ASCENDING,
               text_of(position), 0, &cursor));
  std::vector<std::string> same;
  for (Rows later(cursor); later.next();) same.push_back(string_of(later.row().trace->id));
  BOOST_TEST(same == rest, boost::test_tools::per_element());
  must(tl_list(store.get(), nullptr, TL_KIND_TRACE, nullptr, TL_ORDER_TIME | TL_ORDER_ASCENDING,
               text_of(position), 0, &cursor));
  std::vector<std::string> now;
  for (Rows later(cursor); later.next();) {
    if (string_of(later.row().trace->id) != "later")
      now.push_back(string_of(later.row().trace->id));
  }
  BOOST_TEST(now == rest, boost::test_tools::per_element());
  tl_snapshot_close(snapshot);
}

// A snapshot that had to give way to a larger map is renewed, but not into another file: what its
// cursors hold means nothing there.
BOOST_AUTO_TEST_CASE(an_expired_snapshot_is_not_renewed_into_the_new_file) {
  const Folder folder(store::test::fast_folder());
  tl_options options{};
  options.map_size_bytes = std::uint64_t{1} << 20;
  const Store store(folder.file(), options);
  put(store, "t", "first", "x", 1);
  store.flush();
  tl_snapshot* snapshot = nullptr;
  must(tl_snapshot_open(store.get(), &snapshot));
  BOOST_TEST(count(store, TL_KIND_OBSERVATION, snapshot) == 1U);
  for (unsigned i = 0; i < 8; ++i) {
    put(store, "t", std::to_string(i), text_of_size(1 << 20, i), i);
    store.flush();
  }
  BOOST_TEST(count(store, TL_KIND_OBSERVATION, snapshot) == 9U);  // it was renewed
  for (unsigned i = 0; i < 16; ++i) {
    put(store, "u", std::to_string(i), text_of_size(1 << 20, 100 + i), i);
    store.flush();
  }
  compact(store);
  tl_cursor* cursor = nullptr;
  expect(tl_get(store.get(), snapshot, TL_KIND_TRACE, {}, tl_str("t"), &cursor), TL_BUSY,
         "open a new one");
  tl_snapshot_close(snapshot);
  BOOST_TEST(count(store, TL_KIND_OBSERVATION) == 25U);
}

// The new file's map is no larger than what is in it.
BOOST_AUTO_TEST_CASE(it_can_be_compacted_once_another_process_has_done_it,
                     *boost::unit_test::precondition(tracelite::test::may_fork_beside_threads)) {
  const Folder folder(store::test::fast_folder());
  {
    const Store store(folder.file());
    for (unsigned i = 0; i < 3; ++i)
      put(store, "t", std::to_string(i), text_of_size(1 << 20, i), i);
    store.flush();
  }
  tl_options options{};
  options.map_size_bytes = std::uint64_t{1} << 20;
  const Store store(folder.file(), options);
  for (int round = 0; round < 2; ++round) {
    store::test::Child other([&folder] {
      const Store own(folder.file());
      compact(own);
      return 0;
    });
    BOOST_TEST(other.wait() == 0);
    compact(store);
  }
  BOOST_TEST(count(store, TL_KIND_OBSERVATION) == 3U);
  store.check();
}

BOOST_AUTO_TEST_CASE(what_stops_it_leaves_the_file_as_it_was) {
  const Folder folder;
  Store store(folder.file());
  put(store, "t", "o", text_of_size(5'000, 1), 1);
  store.flush();
  const std::string before = store.export_all();
  const auto unchanged = [&] {
    BOOST_TEST((store.export_all() == before));
    store.check();
    BOOST_TEST(folder.names().size() == 2U);
  };
  expect(tl_compact(store.get(), stop, nullptr), TL_CANCELLED, "cancelled");
  unchanged();
  store::testing::fail(Point::put, 3, ENOSPC);
  expect(tl_compact(store.get(), nullptr, nullptr), TL_DISK_FULL, "");
  unchanged();
  expect(tl_backup(store.get(), folder.file("b").c_str(), stop, nullptr), TL_CANCELLED, "");
  expect(tl_backup(store.get(), folder.file().c_str(), nullptr, nullptr), TL_INVALID, "exists",
         "path");
  expect(tl_backup(store.get(), "", nullptr, nullptr), TL_MISUSE, "path", "path");
  unchanged();
  store.close();
  tl_options options{};
  options.read_only = 1;
  const Store reader(folder.file(), options);
  expect(tl_compact(reader.get(), nullptr, nullptr), TL_READ_ONLY, "read-only");
  back_up(reader, folder.file("b"));
  BOOST_TEST((Store(folder.file("b")).export_all() == before));
}

// The parts of a payload are in the file, its record is not: what a writer in another process may
// look like at any moment.
BOOST_AUTO_TEST_CASE(a_large_payload_under_way_is_not_lost) {
  struct Log {
    std::mutex mutex;
    bool breaks = true;
    static void take(void* context, tl_log_level level, tl_reason /*reason*/,
                     const char* /*message*/) {
      auto& log = *static_cast<Log*>(context);
      const std::scoped_lock lock(log.mutex);
      if (level == TL_LOG_ERROR && log.breaks) store::testing::fail(Point::commit, 1, EIO);
    }
  };
  const Folder folder(store::test::fast_folder());
  Log log;
  tl_options options{};
  options.commit_interval_ms = 3'600'000;
  options.log = Log::take;
  options.log_context = &log;
  const Store writer(folder.file(), options);
  const std::string large = text_of_size((9 << 20) + 5, 7);
  constexpr int kPartCount = 3;
  store::testing::fail(Point::commit, kPartCount + 1, EIO);
  put(writer, "t", "o", large, 1);
  expect(tl_flush(writer.get(), UINT32_MAX, nullptr), TL_IO, "");
  {
    const std::scoped_lock lock(log.mutex);
    log.breaks = false;
  }
  store::testing::fail_nothing();
  const Store other(folder.file());
  compact(other);
  // Takes the numbers that the parts had.
  put(other, "other", "o", text_of_size((9 << 20) + 5, 8), 1);
  other.flush();
  if (tl_flush(writer.get(), UINT32_MAX, nullptr) != TL_OK) writer.flush();
  Rows rows(get(other, TL_KIND_OBSERVATION, "t", "o"));
  BOOST_REQUIRE(rows.next());
  BOOST_TEST((rows.payload(TL_FIELD_INPUT) == large));
  other.check();
}

BOOST_AUTO_TEST_CASE(a_thread_goes_on_recording_and_another_reading) {
  const Folder folder(store::test::fast_folder());
  const Store store(folder.file());
  put(store, "t", "0", "first", 0);
  store.flush();
  std::atomic<bool> done{false};
  std::atomic<int> failures{0};
  int written = 0;
  std::thread writing([&] {
    while (!done || written < 50) {
      ++written;
      put(store, "t", std::to_string(written), text_of_size(700, 3), written);
      if (written % 5 == 0 && tl_flush(store.get(), UINT32_MAX, nullptr) != TL_OK) ++failures;
    }
  });
  std::thread reading([&] {
    std::uint64_t last = 0;
    while (!done) {
      const std::uint64_t now = count(store, TL_KIND_OBSERVATION);
      if (now < last) ++failures;
      last = now;
    }
  });
  for (int round = 0; round < 10; ++round) compact(store);
  done = true;
  writing.join();
  reading.join();
  BOOST_TEST(failures == 0);
  store.flush();
  BOOST_TEST(count(store, TL_KIND_OBSERVATION) == static_cast<std::uint64_t>(written) + 1);
  store.check();
}

// Which the store notices when it writes next: what lies there then may be nothing, or not be
// whole.
BOOST_AUTO_TEST_CASE(what_is_recorded_while_a_compacted_file_is_moved_away_is_kept) {
  const Folder folder(store::test::fast_folder());
  const std::string path = folder.file();
  const std::string elsewhere = folder.file("elsewhere.tl");
  put(Store(path), "t", "before", "x", 0);
  store::test::Line go;
  store::test::Child compacting([&] {
    (void)go.receive();
    tl_store* own = nullptr;
    if (tl_open(path.c_str(), nullptr, &own) != TL_OK) return 1;
    if (tl_compact(own, nullptr, nullptr) != TL_OK) return 2;
    return tl_close(own, UINT32_MAX, nullptr) == TL_OK ? 0 : 3;
  });
  const Store store(path);
  go.send('g');
  BOOST_REQUIRE(compacting.wait() == 0);
  BOOST_REQUIRE(std::rename(path.c_str(), elsewhere.c_str()) == 0);
  put(store, "t", "meanwhile", "x", 1);
  expect(tl_flush(store.get(), UINT32_MAX, nullptr), TL_NOT_FOUND, path.c_str());
  // As whoever copies it back begins.
  store::test::write_file(path, {});
  tl_status status = TL_NOT_FOUND;  // of a try that had begun before
  while (status == TL_NOT_FOUND) status = tl_flush(store.get(), UINT32_MAX, nullptr);
  expect(status, TL_NOT_TRACELITE, "is empty", "path");
  BOOST_TEST(store::test::read_file(path).empty());
  const std::string cut_off = folder.file("cut_off.tl");
  store::test::write_file(cut_off, store::test::read_file(elsewhere).substr(0, 5'000));
  BOOST_REQUIRE(std::rename(cut_off.c_str(), path.c_str()) == 0);
  while (status == TL_NOT_TRACELITE) status = tl_flush(store.get(), UINT32_MAX, nullptr);
  BOOST_TEST(status == TL_CORRUPT);
  BOOST_REQUIRE(std::rename(elsewhere.c_str(), path.c_str()) == 0);
  while (status == TL_CORRUPT) status = tl_flush(store.get(), UINT32_MAX, nullptr);
  BOOST_TEST(status == TL_OK);
  BOOST_TEST(count(store, TL_KIND_OBSERVATION) == 2U);
  BOOST_TEST(store.counter(TL_REASON_WRITE_FAILED) == 0U);
  store.check();
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(backup)

BOOST_AUTO_TEST_CASE(a_backup_is_a_store_with_the_same_in_it) {
  const Folder folder(store::test::fast_folder());
  const Store store(folder.file());
  record_something(store);
  put(store, "t", "not flushed yet", "x", 1);
  back_up(store, folder.file("backup.tl"));
  const std::string then = store.export_all();
  put(store, "t", "later", "x", 1);
  store.flush();
  const Store copy(folder.file("backup.tl"));
  copy.check();
  BOOST_TEST((copy.export_all() == then));
  BOOST_TEST(size_of(folder.file("backup.tl")) <= size_of(folder.file()));
  put(copy, "t", "own", "x", 1);
  copy.flush();
  compact(copy);
  copy.check();
  BOOST_TEST(store.export_all().find("\"own\"") == std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
