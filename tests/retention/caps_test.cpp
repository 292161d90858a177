// Caps on age and size: what goes, what stays, and that nobody else notices.
#include <algorithm>
#include <atomic>
#include <barrier>
#include <fstream>
#include <thread>

#include "record/session_group.hpp"
#include "retention/support.hpp"

namespace tracelite::retention::test {
namespace {

using Ids = std::vector<std::string>;

// What the log was told, by level. A run is told of when it is over, which is some steps behind its
// last deletion.
struct Log {
  std::atomic<int> runs{0};
  std::atomic<int> warnings{0};
  void listen(tl_options& options) {
    options.log_context = this;
    options.log = [](void* context, tl_log_level level, tl_reason reason, const char*) {
      auto& log = *static_cast<Log*>(context);
      if (reason == TL_REASON_RETENTION) count(log.runs);
      if (level >= TL_LOG_WARNING) count(log.warnings);
    };
  }
  static void count(std::atomic<int>& told) {
    ++told;
    told.notify_all();
  }
};

std::uint64_t in_use_bytes(const std::string& path) {
  return store::test::must(maintain::size_in_use_bytes(*store::test::open_file(path)));
}

// A day of the clock goes by, for the whole process.
struct Clock {
  Clock() = default;
  ~Clock() { model::testing::clock_offset_ns = 0; }
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  static void pass(std::int64_t ns) { model::testing::clock_offset_ns += ns; }
};

// Traces of noise, one a second until now, that have about so many bytes in all.
std::uint32_t fill(const Store& store, std::uint64_t size_bytes, const std::string& session = {}) {
  constexpr std::size_t kInputSizeBytes = 4'000;
  const auto trace_count = static_cast<std::uint32_t>(size_bytes / kInputSizeBytes / 3);
  const std::int64_t begin_ns = model::now_ns() - trace_count * kSecondNs;
  for (std::uint32_t i = 0; i < trace_count; ++i) {
    record(store, i,
           {.time_ns = begin_ns + i * kSecondNs,
            .input_size_bytes = kInputSizeBytes,
            .session = session});
  }
  store.flush();
  return trace_count;
}

constexpr std::uint64_t kSmallCapBytes = std::uint64_t{2} << 20;

// With a store that keeps the cap. A run by size ends somewhat below it: for what is left to stay,
// this store must be closed.
void wait_until_small(const Store& store, const Folder& folder,
                      std::uint64_t cap_bytes = kSmallCapBytes) {
  wait_until(store, [&] { return in_use_bytes(folder.file()) <= cap_bytes; });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(caps)

BOOST_AUTO_TEST_CASE(a_trace_goes_when_its_last_activity_is_older_than_the_age) {
  const Folder folder(fast_folder());
  const std::int64_t now_ns = model::now_ns();
  {
    const Store store(folder.file());
    for (std::uint32_t i = 0; i < 100; ++i)
      record(store, i, {.time_ns = now_ns - 45 * kDayNs, .session = {}});
    record(store, 200, {.time_ns = now_ns - 10 * kDayNs, .session = {}});
    // Old, but something of it ended not long ago.
    record(store, 201, {.time_ns = now_ns - 50 * kDayNs, .session = {}});
    must(tl_put_observation(store.get(), cpp::Observation()
                                             .id("late")
                                             .trace_id("t201")
                                             .start(now_ns - 50 * kDayNs)
                                             .end(now_ns - kDayNs)
                                             .get()));
    store.flush();
  }
  Log log;
  tl_options options = with_age(30 * kDayMs);
  log.listen(options);
  Store store(folder.file(), options);
  wait_until(store, [&] { return store.statistics().trace_count == 2; });
  log.runs.wait(0);
  BOOST_TEST(traces(store) == (Ids{"t200", "t201"}));
  BOOST_TEST(store.counter(TL_REASON_RETENTION) == 100U);
  store.check();
  store.close();
  BOOST_TEST(log.runs == 1);
  BOOST_TEST(log.warnings == 0);
}

BOOST_AUTO_TEST_CASE(as_time_goes_by_more_traces_go_with_the_next_commits) {
  const Clock clock;
  const Folder folder(fast_folder());
  const Store store(folder.file(), with_age(2 * kDayMs));
  for (std::uint32_t day = 0; day < 6; ++day) {
    if (day > 0) Clock::pass(kDayNs + kSecondNs * 2);
    record(store, day, {.time_ns = model::now_ns(), .session = {}});
    store.flush();
    const std::uint64_t kept = std::min<std::uint64_t>(day + 1, 2);
    wait_until(store, [&] { return store.statistics().trace_count == kept; });
  }
  BOOST_TEST(traces(store) == (Ids{"t4", "t5"}));
  store.check();
}

BOOST_AUTO_TEST_CASE(what_is_bookmarked_stays_if_asked_with_the_traces_of_bookmarked_sessions) {
  const Folder folder(fast_folder());
  {
    const Store store(folder.file());
    const std::int64_t old_ns = model::now_ns() - 45 * kDayNs;
    for (std::uint32_t i = 0; i < 300; ++i) {
      record(store, i,
             {.time_ns = old_ns + i,
              .observation_count = 1,
              .is_bookmarked = i % 100 == 7,
              .session = i % 50 == 3 ? "kept" : "s" + std::to_string(i % 9)});
    }
    record(store, 1'000, {.time_ns = model::now_ns(), .session = {}});
    tl_session session{};
    session.struct_size = sizeof session;
    session.id = api::test::text_of("kept");
    session.set_mask = TL_BIT(TL_FIELD_BOOKMARKED);
    session.is_bookmarked = 1;
    must(tl_put_session(store.get(), &session));
    store.flush();
  }
  {
    tl_options options = with_age(30 * kDayMs);
    options.retention_flags = TL_RETENTION_KEEP_BOOKMARKED;
    const Store store(folder.file(), options);
    wait_until(store, [&] { return store.statistics().trace_count == 10; });
    Ids expected = {"t1000", "t107", "t207", "t7"};
    for (int i = 3; i < 300; i += 50) expected.push_back("t" + std::to_string(i));
    std::sort(expected.begin(), expected.end());
    BOOST_TEST(traces(store) == expected);
    store.check();
  }
  const Store store(folder.file(), with_age(30 * kDayMs));
  wait_until(store, [&] { return store.statistics().trace_count == 1; });
  BOOST_TEST(store.statistics().session_count == 0U);
}

// The numbers by which the index knows sessions are others in each index.
BOOST_AUTO_TEST_CASE(what_is_bookmarked_stays_while_others_make_the_index_anew) {
  const Folder folder(fast_folder());
  const Store store(folder.file());
  const std::int64_t old_ns = model::now_ns() - 45 * kDayNs;
  constexpr std::uint32_t kCount = 400;
  const auto session_of = [](std::uint32_t i) { return "s" + std::to_string(i); };
  const auto bookmark = [&](std::uint32_t i) {
    const std::string id = session_of(i);
    tl_session session{};
    session.struct_size = sizeof session;
    session.id = api::test::text_of(id);
    session.set_mask = TL_BIT(TL_FIELD_BOOKMARKED);
    session.is_bookmarked = 1;
    must(tl_put_session(store.get(), &session));
  };
  record(store, 5'000, {.time_ns = model::now_ns(), .session = {}});
  Ids kept = {"t5000"};
  for (std::uint32_t i = 0; i < kCount; ++i) {
    record(store, i, {.time_ns = old_ns + i, .session = session_of(i)});
    if (i % 3 != 1) continue;
    bookmark(i);
    kept.push_back("t" + std::to_string(i));
  }
  store.flush();
  maintain::Retention retention(store::test::open_file(folder.file()),
                                {.age_ms = 30 * kDayMs, .keeps_bookmarked = true}, {});
  BOOST_TEST(retention.step());
  // Also what is bookmarked in the meantime.
  bookmark(kCount - 1);
  kept.push_back("t" + std::to_string(kCount - 1));
  for (bool more = true; more;) {
    must(tl_reindex(store.get(), nullptr, nullptr));
    more = retention.step();
  }
  std::ranges::sort(kept);
  BOOST_TEST(traces(store) == kept, boost::test_tools::per_element());
  store.check();
}

// A run takes many transactions, and others commit between them.
BOOST_AUTO_TEST_CASE(what_is_bookmarked_or_recorded_after_a_run_has_found_it_stays) {
  constexpr std::uint32_t kCount = 64;
  const maintain::RetentionRules by_age{.age_ms = 30 * kDayMs, .keeps_bookmarked = true};
  const maintain::RetentionRules by_size{.size_bytes = 1, .keeps_bookmarked = true};
  for (const maintain::RetentionRules& rules : {by_age, by_size}) {
    const Folder folder(fast_folder());
    const Store store(folder.file());
    const std::int64_t old_ns = model::now_ns() - 45 * kDayNs;
    for (std::uint32_t i = 0; i < kCount; ++i) {
      record(store, i, {.time_ns = old_ns + i * kSecondNs, .observation_count = 20, .session = {}});
    }
    record(store, 5'000, {.time_ns = model::now_ns(), .is_bookmarked = true, .session = {}});
    store.flush();
    maintain::Retention retention(store::test::open_file(folder.file()), rules, {});
    BOOST_TEST(retention.step());
    BOOST_TEST(store.statistics().trace_count > kCount / 2);
    BOOST_TEST(store.statistics().trace_count < kCount + 1);

    tl_trace trace{};
    trace.struct_size = sizeof trace;
    trace.id = tl_str("t60");
    trace.set_mask = TL_BIT(TL_FIELD_BOOKMARKED);
    trace.is_bookmarked = 1;
    must(tl_put_trace(store.get(), &trace));
    Ids kept = {"t5000", "t60"};
    if (rules.age_ms > 0) {
      must(tl_put_observation(
          store.get(), cpp::Observation().id("late").trace_id("t61").start(model::now_ns()).get()));
      kept.emplace_back("t61");
    }
    store.flush();
    while (retention.step()) {
    }
    BOOST_TEST(traces(store) == kept, boost::test_tools::per_element());
    store.check();
  }
}

// Whatever they share text with: also in one session, and after a compaction.
BOOST_AUTO_TEST_CASE(the_oldest_traces_go_until_the_file_is_small_enough) {
  struct Case {
    std::string session;
    bool is_compacted;
  };
  for (const Case& one : {Case{"", false}, Case{"s", false}, Case{"s", true}}) {
    const Folder folder(fast_folder());
    std::uint32_t made = 0;
    {
      const Store store(folder.file());
      made = fill(store, 3 * kSmallCapBytes, one.session);
      if (one.is_compacted) must(tl_compact(store.get(), nullptr, nullptr));
    }
    BOOST_TEST(in_use_bytes(folder.file()) > kSmallCapBytes * 2);
    wait_until_small(Store(folder.file(), with_size(kSmallCapBytes)), folder);
    const Store store(folder.file());
    store.check();
    const std::uint64_t left = store.statistics().trace_count;
    BOOST_TEST(left > made / 6);  // no more than was needed
    for (std::uint32_t i = 0; i < made; ++i) {
      tl_cursor* cursor = nullptr;
      const std::string id = "t" + std::to_string(i);
      const tl_status status =
          tl_get(store.get(), nullptr, TL_KIND_TRACE, {}, api::test::text_of(id), &cursor);
      tl_cursor_close(cursor);
      BOOST_TEST((status == TL_OK) == (i >= made - left), id);
    }
  }
}

// A commit has written there that never came to its end.
BOOST_AUTO_TEST_CASE(what_lies_behind_the_last_page_does_not_count) {
  const Folder folder(fast_folder());
  {
    const Store store(folder.file());
    fill(store, kSmallCapBytes / 2);
  }
  const std::uint64_t before = in_use_bytes(folder.file());
  std::ofstream(folder.file(), std::ios::binary | std::ios::app)
      << std::string(2 * kSmallCapBytes, 'x');
  BOOST_TEST(in_use_bytes(folder.file()) == before);
}

BOOST_AUTO_TEST_CASE(a_bookmarked_trace_keeps_little_of_its_session) {
  const Folder folder(fast_folder());
  std::uint32_t made = 0;
  {
    const Store store(folder.file());
    made = fill(store, 3 * kSmallCapBytes, "s");
    cpp::Trace kept("t0");
    kept.bookmarked(true);
    must(tl_put_trace(store.get(), kept.get()));
    store.flush();
  }
  constexpr std::uint64_t kCapBytes = kSmallCapBytes + kSmallCapBytes / 2;
  tl_options options = with_size(kCapBytes);
  options.retention_flags = TL_RETENTION_KEEP_BOOKMARKED;
  wait_until_small(Store(folder.file(), options), folder, kCapBytes);
  const Store store(folder.file());
  BOOST_TEST(store.statistics().trace_count > made / 8);
  const Ids left = traces(store);
  BOOST_TEST(std::ranges::count(left, "t0") == 1);
  BOOST_TEST(std::ranges::count(left, "t" + std::to_string(made - 1)) == 1);
  store.check();
}

// As in files where a session has one log, however long.
BOOST_AUTO_TEST_CASE(what_makes_no_room_stops_a_run_and_is_told_once) {
  const Folder folder(fast_folder());
  std::uint32_t made = 0;
  {
    record::testing::session_log_size_bytes_max = std::uint64_t{1} << 30;
    const Store store(folder.file());
    made = fill(store, 6 * kSmallCapBytes, "s");
    store.flush();
    record::testing::session_log_size_bytes_max = 0;
  }
  const auto environment = store::test::open_file(folder.file());
  int warnings = 0;
  maintain::Retention retention(environment, {.size_bytes = kSmallCapBytes},
                                [&](bool is_warning, const std::string& message) {
                                  if (!is_warning) return;
                                  ++warnings;
                                  BOOST_TEST(message.find("compact") != std::string::npos);
                                });
  run_steps(retention);
  BOOST_TEST(warnings == 1);
  {
    const Store store(folder.file());
    const std::uint64_t left = store.statistics().trace_count;
    BOOST_TEST(left > made / 4);
    BOOST_TEST(left < made);
    // Not due again before the file has grown.
    run_steps(retention);
    BOOST_TEST(store.statistics().trace_count == left);
    BOOST_TEST(warnings == 1);
    must(tl_compact(store.get(), nullptr, nullptr));
    run_steps(retention);
    BOOST_TEST(in_use_bytes(folder.file()) <= kSmallCapBytes);
    BOOST_TEST(store.statistics().trace_count > made / 24);
    store.check();
  }
}

BOOST_AUTO_TEST_CASE(a_step_is_one_bounded_commit_and_a_long_trace_takes_several) {
  const Folder folder(fast_folder());
  constexpr std::uint32_t kLong = 6'000;
  constexpr std::uint32_t kShort = 900;
  {
    const Store store(folder.file());
    const std::int64_t old_ns = model::now_ns() - 45 * kDayNs;
    record(store, 0,
           {.time_ns = old_ns, .observation_count = kLong, .input_size_bytes = 10, .session = {}});
    for (std::uint32_t i = 1; i <= kShort; ++i)
      record(store, i, {.time_ns = old_ns + i, .session = {}});
    record(store, 5'000, {.time_ns = model::now_ns(), .session = {}});
    store.flush();
  }
  const Store store(folder.file());  // to look
  const auto environment = store::test::open_file(folder.file());
  maintain::Retention retention(environment, {.age_ms = 30 * kDayMs}, {});
  int steps = 0;
  int steps_of_long = 0;
  for (bool more = true; more; ++steps) {
    const tl_statistics before = store.statistics();
    more = retention.step();
    const tl_statistics after = store.statistics();
    BOOST_TEST(after.commit_number - before.commit_number <= 1U);
    BOOST_TEST(before.trace_count - after.trace_count <= maintain::kRetentionBounds.containers_max);
    const std::uint64_t gone = before.observation_count - after.observation_count;
    BOOST_TEST(gone <=
               maintain::kRetentionBounds.steps_of_one_max + maintain::kRetentionBounds.steps_max);
    if (after.observation_count > kShort * 3 + 3) {
      ++steps_of_long;
      store.check();
    }
  }
  BOOST_TEST(steps_of_long >= 2);
  BOOST_TEST(steps > 8);
  BOOST_TEST(traces(store) == (Ids{"t5000"}));
  store.check();
}

BOOST_AUTO_TEST_CASE(recording_goes_on_and_nothing_of_it_is_lost) {
  const Folder folder(fast_folder());
  Log log;
  tl_options options = with_size(kSmallCapBytes);
  log.listen(options);
  options.queue_size_bytes = 1 << 20;
  {
    const Store store(folder.file());
    fill(store, 2 * kSmallCapBytes);
  }
  constexpr std::uint32_t kThreads = 2;
  constexpr std::uint32_t kEach = 600;
  {
    const Store recording(folder.file(), options);
    // Who falls far behind with a trace begins what is among the oldest by then.
    std::barrier together(kThreads);
    std::vector<std::thread> threads;
    for (std::uint32_t thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        for (std::uint32_t i = 0; i < kEach; ++i) {
          if (i % 20 == 0) together.arrive_and_wait();
          record(recording, 100'000 * (thread + 1) + i,
                 {.time_ns = model::now_ns(), .input_size_bytes = 3'000, .session = {}});
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    recording.flush();
    wait_until_small(recording, folder);
  }
  BOOST_TEST(log.warnings == 0);
  const Store store(folder.file());
  // What is left are the newest of each, whole.
  std::uint64_t left = 0;
  for (std::uint32_t thread = 0; thread < kThreads; ++thread) {
    bool has_begun = false;
    for (std::uint32_t i = 0; i < kEach; ++i) {
      const std::string id = "t" + std::to_string(100'000 * (thread + 1) + i);
      tl_cursor* cursor = nullptr;
      const tl_status status = tl_tree(store.get(), nullptr, api::test::text_of(id), &cursor);
      if (has_begun) BOOST_TEST(status == TL_OK, id);
      has_begun = has_begun || status == TL_OK;
      if (status != TL_OK) continue;
      ++left;
      int observations = 0;
      for (api::test::Rows rows(cursor); rows.next();) {
        if (rows.row().kind == TL_KIND_OBSERVATION) ++observations;
      }
      BOOST_TEST(observations == 3, id);
    }
  }
  BOOST_TEST(left > 50U);
  BOOST_TEST(store.statistics().trace_count == left);
  store.check();
}

// What comes meanwhile waits for a few steps at most, and not for all that are due.
BOOST_AUTO_TEST_CASE(records_are_committed_between_the_steps) {
  const Folder folder(fast_folder());
  constexpr std::uint32_t kOld = 12'000;
  {
    const Store store(folder.file());
    const std::int64_t old_ns = model::now_ns() - 45 * kDayNs;
    for (std::uint32_t i = 0; i < kOld; ++i) {
      record(
          store, i,
          {.time_ns = old_ns + i, .observation_count = 1, .input_size_bytes = 20, .session = {}});
    }
    // The newest says how late it is.
    record(store, kOld, {.time_ns = model::now_ns(), .session = {}});
    store.flush();
  }
  const Store store(folder.file(), with_age(30 * kDayMs));
  std::uint32_t recorded = 1;
  std::uint32_t commits_meanwhile = 0;
  bool is_over = false;
  while (!is_over) {
    record(store, kOld + recorded, {.time_ns = model::now_ns(), .session = {}});
    ++recorded;
    store.flush();
    is_over = store.statistics().trace_count <= recorded;
    if (!is_over) ++commits_meanwhile;
  }
  BOOST_TEST(commits_meanwhile > 0U);
  BOOST_TEST(store.counter(TL_REASON_RETENTION) == kOld);
  store.check();
}

BOOST_AUTO_TEST_CASE(processes_with_caps_on_one_file_do_one_another_no_harm) {
  const Folder folder(fast_folder());
  constexpr std::uint32_t kEach = 400;
  const auto work = [&](std::uint32_t first) {
    const Store store(folder.file(), with_size(kSmallCapBytes));
    const std::int64_t begin_ns = model::now_ns();
    for (std::uint32_t i = 0; i < kEach; ++i) {
      record(store, first + i,
             {.time_ns = begin_ns + i * kSecondNs, .input_size_bytes = 3'000, .session = {}});
      if (i % 20 == 0) store.flush();
    }
    store.flush();
    wait_until_small(store, folder);
  };
  store::test::Child child([&] {
    work(100'000);
    return 0;
  });
  work(200'000);
  BOOST_TEST(child.wait() == 0);
  const Store store(folder.file());
  store.check();
  const Ids left = traces(store);
  BOOST_TEST(left.size() > 50U);
  for (const std::uint32_t last : {100'000 + kEach - 1, 200'000 + kEach - 1}) {
    BOOST_TEST(std::ranges::count(left, "t" + std::to_string(last)) == 1);
  }
}

BOOST_AUTO_TEST_CASE(a_snapshot_goes_on_seeing_what_has_gone) {
  const Folder folder(fast_folder());
  {
    const Store store(folder.file());
    for (std::uint32_t i = 0; i < 50; ++i) {
      record(store, i, {.time_ns = model::now_ns() - 45 * kDayNs, .session = {}});
    }
  }
  const Store reader(folder.file());
  record(reader, 50, {.time_ns = model::now_ns(), .session = {}});
  reader.flush();
  tl_snapshot* snapshot = nullptr;
  must(tl_snapshot_open(reader.get(), &snapshot));
  const std::string before = reader.export_all(snapshot);
  const Store store(folder.file(), with_age(30 * kDayMs));
  wait_until(store, [&] { return store.statistics().trace_count == 1; });
  BOOST_TEST(reader.export_all(snapshot) == before);
  BOOST_TEST(count(reader, TL_KIND_OBSERVATION, snapshot) == 153U);
  tl_snapshot_close(snapshot);
}

BOOST_AUTO_TEST_CASE(nothing_is_committed_where_nothing_is_due) {
  const Folder folder(fast_folder());
  std::uint64_t commits = 0;
  {
    const Store store(folder.file());
    for (std::uint32_t i = 0; i < 50; ++i)
      record(store, i, {.time_ns = model::now_ns(), .session = {}});
    store.flush();
    commits = store.statistics().commit_number;
  }
  const auto environment = store::test::open_file(folder.file());
  maintain::Retention retention(environment,
                                {.age_ms = 30 * kDayMs, .size_bytes = std::uint64_t{1} << 30}, {});
  run_steps(retention);
  BOOST_TEST(run_steps(retention) == 1);
  BOOST_TEST(environment->last_transaction_id() == commits);
}

BOOST_AUTO_TEST_CASE(where_everything_is_kept_it_says_so_once_and_goes_on) {
  const Folder folder(fast_folder());
  Log log;
  const auto record_some = [](const Store& store, std::uint32_t first) {
    for (std::uint32_t i = first; i < first + 200; ++i) {
      record(store, i,
             {.time_ns = model::now_ns(),
              .input_size_bytes = 4'000,
              .is_bookmarked = true,
              .session = {}});
    }
    store.flush();
  };
  record_some(Store(folder.file()), 0);
  tl_options options = with_size(std::uint64_t{1} << 20);
  options.retention_flags = TL_RETENTION_KEEP_BOOKMARKED;
  log.listen(options);
  Store store(folder.file(), options);
  log.warnings.wait(0);
  // What is small beside the cap is no news.
  for (std::uint32_t i = 200; i < 205; ++i) {
    record(store, i, {.time_ns = model::now_ns(), .is_bookmarked = true, .session = {}});
    store.flush();
  }
  BOOST_TEST(store.statistics().trace_count == 205U);
  store.close();
  BOOST_TEST(log.warnings == 1);
}

BOOST_AUTO_TEST_CASE(options_out_of_their_range_are_refused) {
  const Folder folder(fast_folder());
  tl_store* store = nullptr;
  tl_options options = with_size(1'000'000);
  options.struct_size = sizeof options;
  api::test::expect(tl_open(folder.file().c_str(), &options, &store), TL_INVALID, "1 MiB",
                    "retention_size_bytes");
  options.retention_size_bytes = 0;
  options.retention_flags = 2;
  api::test::expect(tl_open(folder.file().c_str(), &options, &store), TL_INVALID, "BOOKMARKED",
                    "retention_flags");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(clock)

using maintain::BelievedClock;

constexpr std::int64_t kNow = std::int64_t{1'790'000'000} * kSecondNs;

BOOST_AUTO_TEST_CASE(a_clock_that_goes_on_as_time_passes_is_believed) {
  BelievedClock believed(kNow - 10 * kSecondNs, kNow, 5);
  for (std::int64_t passed = 0; passed < 90 * kDayNs; passed += kDayNs / 2) {
    BOOST_TEST(believed.believe(kNow + passed, passed + 5) == kNow + passed);
  }
}

BOOST_AUTO_TEST_CASE(a_leap_is_believed_when_it_has_held_for_an_hour) {
  BelievedClock believed(kNow, kNow, 0);
  const std::int64_t ahead = 365 * kDayNs;
  BOOST_TEST(believed.believe(kNow + ahead, kSecondNs) == kNow + kSecondNs);
  const std::int64_t hour = BelievedClock::kLeapHoldsNs;
  BOOST_TEST(believed.believe(kNow + ahead + hour, hour) == kNow + hour);
  BOOST_TEST(believed.believe(kNow + ahead + hour, hour + kSecondNs) == kNow + ahead + hour);
}

BOOST_AUTO_TEST_CASE(a_leap_that_is_taken_back_is_forgotten) {
  BelievedClock believed(kNow, kNow, 0);
  const std::int64_t ahead = 365 * kDayNs;
  const std::int64_t hour = BelievedClock::kLeapHoldsNs;
  BOOST_TEST(believed.believe(kNow + ahead, 0) == kNow);
  BOOST_TEST(believed.believe(kNow + hour / 2, hour / 2) == kNow + hour / 2);
  BOOST_TEST(believed.believe(kNow + ahead + hour, hour + 1) == kNow + hour + 1);
}

BOOST_AUTO_TEST_CASE(
    of_a_file_that_was_left_alone_for_long_age_counts_from_its_newest_trace_first) {
  BelievedClock believed(kNow - 60 * kDayNs, kNow, 0);
  BOOST_TEST(believed.believe(kNow, 0) == kNow - 60 * kDayNs);
  BOOST_TEST(believed.believe(kNow, BelievedClock::kLeapHoldsNs) == kNow);
  // A trace that is dated into the future tells nothing.
  BelievedClock ahead(kNow + 60 * kDayNs, kNow, 0);
  BOOST_TEST(ahead.believe(kNow, 0) == kNow);
  BelievedClock none(std::nullopt, kNow, 0);
  BOOST_TEST(none.believe(kNow, 0) == kNow);
  BelievedClock end(std::numeric_limits<std::int64_t>::max() - 1, kNow, 0);
  BOOST_TEST(end.believe(std::numeric_limits<std::int64_t>::max(), 5) == kNow + 5);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::retention::test
