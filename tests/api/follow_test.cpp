// Waiting for commits, and reading what they changed.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "api/support.hpp"
#include "store/helpers.hpp"
#include "support/write_counter.hpp"

using namespace tracelite::api::test;
using tracelite::store::test::Folder;

namespace {

std::uint64_t now(const Store& store) {
  std::uint64_t position = 0;
  must(tl_flush(store.get(), UINT32_MAX, &position));
  return position;
}

std::uint64_t wait(const Store& store, std::uint64_t position) {
  std::uint64_t newest = 0;
  must(tl_wait(store.get(), position, UINT32_MAX, &newest));
  return newest;
}

tl_status put(tl_store* store, const std::string& trace, const std::string& id,
              std::int64_t start_ns = 0) {
  tl_observation given{};
  given.struct_size = sizeof given;
  given.id = text_of(id);
  given.trace_id = text_of(trace);
  if (start_ns != 0) {
    given.set_mask = TL_BIT(TL_FIELD_START_TIME);
    given.start_time_ns = start_ns;
  }
  return tl_put_observation(store, &given);
}

// The ids of what changed, in the order in which they come; position becomes the one to go on from.
std::vector<std::string> changes(const Store& store, std::uint64_t& position,
                                 const tl_filter* filter = nullptr) {
  tl_cursor* cursor = nullptr;
  must(tl_changes(store.get(), position, filter, &position, &cursor));
  std::vector<std::string> ids;
  for (Rows rows(cursor); rows.next();) {
    const tl_row& row = rows.row();
    ids.push_back(string_of(row.observation != nullptr ? row.observation->id
                            : row.trace != nullptr     ? row.trace->id
                                                       : row.score->id));
  }
  return ids;
}

using Ids = std::vector<std::string>;

// Whether this process watches any file.
bool is_watching() {
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    if (std::filesystem::read_symlink(entry.path(), gone) == "anon_inode:inotify") return true;
  }
  return false;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(following)

BOOST_AUTO_TEST_CASE(a_commit_of_another_thread_wakes_every_waiter) {
  const Folder folder;
  const Store store(folder.file());
  const std::uint64_t before = now(store);
  constexpr int kWaiters = 200;
  std::vector<std::uint64_t> seen(kWaiters);
  std::vector<std::thread> waiters;
  for (int i = 0; i < kWaiters; ++i) {
    waiters.emplace_back([&, i] {
      if (tl_wait(store.get(), before, UINT32_MAX, &seen[static_cast<std::size_t>(i)]) != TL_OK) {
        seen[static_cast<std::size_t>(i)] = 0;
      }
    });
  }
  must(put(store.get(), "t", "o"));
  for (std::thread& waiter : waiters) waiter.join();
  for (const std::uint64_t newest : seen) BOOST_TEST(newest > before);
}

BOOST_AUTO_TEST_CASE(a_commit_of_another_process_wakes_a_read_only_store) {
  const Folder folder;
  { const Store made(folder.file()); }
  tl_options options{};
  options.read_only = 1;
  const Store store(folder.file(), options);
  std::uint64_t position = store.statistics().commit_number;
  const pid_t child = fork();
  if (child == 0) {
    tl_store* own = nullptr;
    const bool done = tl_open(folder.file().c_str(), nullptr, &own) == TL_OK &&
                      put(own, "t", "o") == TL_OK && tl_close(own, UINT32_MAX, nullptr) == TL_OK;
    _exit(done ? 0 : 1);
  }
  std::uint64_t newest = position;
  Ids ids;
  while (ids.empty()) {
    newest = wait(store, position);
    BOOST_TEST(newest > position);
    ids = changes(store, position);
  }
  BOOST_TEST(ids == Ids{"o"}, boost::test_tools::per_element());
  int status = 1;
  waitpid(child, &status, 0);
  BOOST_TEST(status == 0);
}

BOOST_AUTO_TEST_CASE(an_inherited_store_does_not_wait) {
  const Folder folder;
  const Store store(folder.file());
  const std::uint64_t position = now(store);
  const pid_t child = fork();
  if (child == 0) {
    std::uint64_t newest = 0;
    _exit(tl_wait(store.get(), position, UINT32_MAX, &newest) == TL_FORKED ? 0 : 1);
  }
  int status = 1;
  waitpid(child, &status, 0);
  BOOST_TEST(status == 0);
}

BOOST_AUTO_TEST_CASE(nothing_new_is_a_timeout_and_another_position_is_answered_at_once) {
  const Folder folder;
  const Store store(folder.file());
  const std::uint64_t position = now(store);
  std::uint64_t newest = 0;
  expect(tl_wait(store.get(), position, 0, &newest), TL_TIMEOUT, "no commit");
  BOOST_TEST(newest == position);
  expect(tl_wait(store.get(), position, 20, &newest), TL_TIMEOUT, "no commit");
  BOOST_TEST(wait(store, position + 100) == position);
}

BOOST_AUTO_TEST_CASE(asking_without_waiting_needs_no_watch) {
  const Folder folder;
  const Store store(folder.file());
  const std::uint64_t position = now(store);
  rlimit before{};
  BOOST_REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  const int next = dup(0);
  BOOST_REQUIRE(next >= 0);
  close(next);
  const rlimit none_left{static_cast<rlim_t>(next), before.rlim_max};
  BOOST_REQUIRE(setrlimit(RLIMIT_NOFILE, &none_left) == 0);
  std::uint64_t newest = 0;
  const tl_status waited = tl_wait(store.get(), position, 60'000, &newest);
  const tl_status same = tl_wait(store.get(), position, 0, &newest);
  const tl_status other = tl_wait(store.get(), position + 100, UINT32_MAX, &newest);
  setrlimit(RLIMIT_NOFILE, &before);
  BOOST_TEST(waited == TL_IO);
  BOOST_TEST(same == TL_TIMEOUT);
  BOOST_TEST(other == TL_OK);
  BOOST_TEST(newest == position);
}

BOOST_AUTO_TEST_CASE(closing_ends_the_wait_and_nothing_is_watched_without_one) {
  const Folder folder;
  tl_store* store = nullptr;
  must(tl_open(folder.file().c_str(), nullptr, &store));
  std::uint64_t position = 0;
  must(tl_flush(store, UINT32_MAX, &position));
  BOOST_TEST(!is_watching());
  tl_status status = TL_OK;
  std::thread waiter([&] {
    std::uint64_t newest = 0;
    status = tl_wait(store, position, UINT32_MAX, &newest);
  });
  while (!is_watching()) std::this_thread::yield();
  must(tl_close(store, UINT32_MAX, nullptr));
  waiter.join();
  BOOST_TEST(status == TL_MISUSE);
  BOOST_TEST(!is_watching());
}

BOOST_AUTO_TEST_CASE(an_idle_store_sleeps_and_writes_nothing) {
  const Folder folder;
  std::thread([] {}).join();  // a sanitizer begins a thread of its own with the first
  const std::set<std::string> others = counting::threads();
  const Store store(folder.file());
  must(put(store.get(), "t", "o"));
  const std::uint64_t position = now(store);
  // Until the writer has gone to sleep: from then on nothing may wake it.
  for (std::uint64_t last = 0, sleeps = 1; last != sleeps || !counting::do_others_sleep(others);) {
    last = sleeps;
    for (int i = 0; i < 1000; ++i) std::this_thread::yield();
    sleeps = counting::sleeps_of_other_threads(others);
  }
  const std::uint64_t sleeps = counting::sleeps_of_other_threads(others);
  const std::uint64_t bytes = counting::written().size_bytes;
  std::uint64_t newest = 0;
  expect(tl_wait(store.get(), position, 200, &newest), TL_TIMEOUT, "no commit");
  BOOST_TEST(counting::sleeps_of_other_threads(others) == sleeps);
  BOOST_TEST(counting::written().size_bytes == bytes);
}

BOOST_AUTO_TEST_CASE(a_trickle_is_durable_without_a_flush) {
  const Folder folder;
  const Store store(folder.file());
  std::uint64_t position = now(store);
  must(put(store.get(), "t", "o"));
  const std::uint64_t newest = wait(store, position);
  BOOST_TEST(newest > position);
  BOOST_TEST(changes(store, position) == Ids{"o"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_need_not_be_synced_is_synced_by_a_flush) {
  const Folder folder;
  tl_options options{};
  options.durability = TL_DURABILITY_LAST_COMMIT;
  const Store store(folder.file(), options);
  std::uint64_t position = now(store);
  const std::uint64_t before = counting::written().sync_count;
  must(put(store.get(), "t", "o"));
  position = wait(store, position);
  BOOST_TEST(counting::written().sync_count - before == 1U);
  BOOST_TEST(now(store) == position);
  BOOST_TEST(counting::written().sync_count - before == 2U);
  BOOST_TEST(now(store) == position);
  BOOST_TEST(counting::written().sync_count - before == 2U);
}

BOOST_AUTO_TEST_CASE(there_is_no_weaker_durability) {
  const Folder folder;
  tl_options options{};
  options.struct_size = sizeof options;
  options.durability = 2;
  tl_store* store = nullptr;
  expect(tl_open(folder.file().c_str(), &options, &store), TL_INVALID, "TL_DURABILITY_SYNC",
         "durability");
}

BOOST_AUTO_TEST_CASE(waiting_goes_over_to_a_compacted_file) {
  const Folder folder;
  const Store store(folder.file());
  const Store other(folder.file());
  must(put(store.get(), "t", "o"));
  std::uint64_t position = now(store);
  std::vector<std::uint64_t> seen;
  std::thread waiter([&] {
    std::uint64_t newest = position;
    // The note of the old file is a commit as well, so there may be one more.
    for (int i = 0; i < 3; ++i) {
      if (tl_wait(store.get(), newest, UINT32_MAX, &newest) != TL_OK) break;
      seen.push_back(newest);
      if (i == 0 && put(other.get(), "t", "after") != TL_OK) break;
      if (i == 1 && put(other.get(), "t", "again") != TL_OK) break;
    }
  });
  must(tl_compact(other.get(), nullptr, nullptr));
  waiter.join();
  BOOST_TEST(seen.size() == 3U);
  now(other);
  const Ids ids = changes(store, position);
  const std::set<std::string> all(ids.begin(), ids.end());
  BOOST_TEST(all.contains("after"));
  BOOST_TEST(all.contains("again"));
  BOOST_TEST(!all.contains("o"));
}

BOOST_AUTO_TEST_CASE(what_came_and_what_changed_is_told_once_in_the_order_of_time) {
  const Folder folder;
  const Store store(folder.file());
  std::uint64_t position = now(store);
  tl_span* span = nullptr;
  tl_observation begun{};
  begun.struct_size = sizeof begun;
  begun.set_mask = TL_BIT(TL_FIELD_START_TIME);
  begun.start_time_ns = 5000;
  begun.id = text_of("live");
  begun.trace_id = text_of("t");
  must(tl_begin(store.get(), nullptr, &begun, &span));
  store.flush();
  must(put(store.get(), "t", "late", 9000));
  must(put(store.get(), "u", "early", 1000));
  store.flush();
  must(put(store.get(), "t", "late"));
  store.flush();
  BOOST_TEST(changes(store, position) == (Ids{"early", "live", "late"}),
             boost::test_tools::per_element());
  BOOST_TEST(changes(store, position).empty());
  // The end of what began before.
  must(tl_end(span, nullptr));
  store.flush();
  BOOST_TEST(changes(store, position) == Ids{"live"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_observation_without_its_trace_is_told_where_it_is) {
  const Folder folder;
  const Store store(folder.file());
  std::uint64_t position = now(store);
  tl_observation stray{};
  stray.struct_size = sizeof stray;
  stray.id = text_of("o");
  stray.set_mask = TL_BIT(TL_FIELD_NAME);
  stray.name = text_of("stray");
  must(tl_put_observation(store.get(), &stray));
  store.flush();
  BOOST_TEST(changes(store, position) == Ids{"o"}, boost::test_tools::per_element());
  must(put(store.get(), "t", "o"));
  store.flush();
  BOOST_TEST(changes(store, position) == Ids{"o"}, boost::test_tools::per_element());
  stray.name = text_of("again");
  must(tl_put_observation(store.get(), &stray));
  store.flush();
  BOOST_TEST(changes(store, position) == Ids{"o"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_was_deleted_is_left_out) {
  const Folder folder;
  const Store store(folder.file());
  std::uint64_t position = now(store);
  must(put(store.get(), "t", "gone"));
  must(put(store.get(), "u", "stays"));
  store.flush();
  (void)store.remove(of_trace("t"));
  BOOST_TEST(changes(store, position) == Ids{"stays"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(every_change_of_a_trickle_is_told_until_it_is_too_long_ago) {
  const Folder folder;
  const Store store(folder.file());
  const std::uint64_t begin = now(store);
  std::uint64_t position = begin;
  for (int i = 0; i < 200; ++i) {
    const std::string id = "o" + std::to_string(i);
    must(put(store.get(), "t" + std::to_string(i / 10), id, i + 1));
    now(store);
    BOOST_TEST_REQUIRE(changes(store, position) == Ids{id}, boost::test_tools::per_element());
  }
  std::uint64_t from_begin = begin;
  BOOST_TEST(changes(store, from_begin).size() == 200U);
  BOOST_TEST(from_begin == position);
  // More than is kept.
  for (int i = 0; i < 3000; ++i) {
    for (int n = 0; n < 5; ++n) {
      must(put(store.get(), "u" + std::to_string(i / 3),
               std::to_string(i) + "." + std::to_string(n)));
    }
    if (i % 10 == 0) now(store);
  }
  position = now(store);
  tl_cursor* cursor = nullptr;
  std::uint64_t newest = 0;
  expect(tl_changes(store.get(), begin, nullptr, &newest, &cursor), TL_EXPIRED, "list anew");
  BOOST_TEST(newest == position);
  BOOST_TEST(changes(store, newest).empty());
  store.check();
}

// As tl_list takes them.
BOOST_AUTO_TEST_CASE(a_filter_selects_what_a_list_selects) {
  const Folder folder;
  const Store store(folder.file());
  const auto put_trace = [&](const char* id, const char* version) {
    tl_trace trace{};
    trace.struct_size = sizeof trace;
    trace.id = tl_str(id);
    trace.version = tl_str(version);
    trace.set_mask = TL_BIT(TL_FIELD_VERSION);
    must(tl_put_trace(store.get(), &trace));
  };
  const auto put_score = [&](const char* id, const char* trace_id, const char* session_id) {
    tl_score score{};
    score.struct_size = sizeof score;
    score.id = tl_str(id);
    score.trace_id = tl_str(trace_id);
    score.session_id = tl_str(session_id);
    score.name = tl_str("grade");
    score.value = 1;
    score.set_mask = TL_BIT(TL_FIELD_NAME) | TL_BIT(TL_FIELD_VALUE) |
                     TL_BIT(*trace_id != 0 ? TL_FIELD_TRACE_ID : TL_FIELD_SESSION_ID);
    must(tl_put_score(store.get(), &score));
  };
  const auto without_trace = [](const std::string& id) {
    return R"({"id":"of )" + id + R"(","timestamp":"2026-01-01T00:00:00Z","type":"span-create",)" +
           R"("body":{"id":")" + id + "\"}}\n";
  };
  const std::uint64_t begin = now(store);
  put_trace("t1", "v1");
  put_trace("t2", "v2");
  must(put(store.get(), "t1", "o1"));
  store.import_all(without_trace("o2") + without_trace("o3"));
  must(put(store.get(), "t2", "o3"));
  put_score("s1", "t1", "");
  put_score("s2", "t2", "");
  put_score("s3", "", "session");
  store.flush();
  const auto listed = [&](const tl_filter& filter) {
    std::set<std::string> ids;
    for (const tl_kind kind : {TL_KIND_TRACE, TL_KIND_OBSERVATION, TL_KIND_SCORE}) {
      tl_cursor* cursor = nullptr;
      must(tl_list(store.get(), nullptr, kind, &filter, TL_ORDER_TIME, {}, 0, &cursor));
      for (Rows rows(cursor); rows.next();) {
        const tl_row& row = rows.row();
        if (row.is_derived != 0) continue;  // it is not told
        ids.insert(string_of(row.observation != nullptr ? row.observation->id
                             : row.trace != nullptr     ? row.trace->id
                                                        : row.score->id));
      }
    }
    return ids;
  };
  const auto expect_same = [&](tl_text tl_filter::*condition, const char* value,
                               const std::set<std::string>& expected) {
    tl_filter by = filter();
    by.*condition = tl_str(value);
    std::uint64_t position = begin;
    const Ids told = changes(store, position, &by);
    BOOST_TEST(std::set<std::string>(told.begin(), told.end()) == expected,
               boost::test_tools::per_element());
    BOOST_TEST(listed(by) == expected, boost::test_tools::per_element());
  };
  expect_same(&tl_filter::version, "v1", {"t1", "s1"});
  expect_same(&tl_filter::version, "v3", {});
  expect_same(&tl_filter::trace_id, "t1", {"t1", "o1", "s1"});
  expect_same(&tl_filter::trace_id, "t2", {"t2", "o3", "s2"});
  expect_same(&tl_filter::trace_id, "o2", {"o2"});
  expect_same(&tl_filter::trace_id, "o3", {});
  expect_same(&tl_filter::trace_id, "none", {});
}

BOOST_AUTO_TEST_CASE(filters_by_metadata_are_refused) {
  const Folder folder;
  const Store store(folder.file());
  tl_filter by_metadata = filter();
  by_metadata.metadata_key = text_of("k");
  std::uint64_t newest = 0;
  tl_cursor* cursor = nullptr;
  expect(tl_changes(store.get(), 0, &by_metadata, &newest, &cursor), TL_INVALID, "metadata",
         "metadata_key");
}

BOOST_AUTO_TEST_SUITE_END()
