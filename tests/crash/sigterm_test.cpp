// SIGTERM and exit() with records still queued: a store that asks for it is drained first, and then
// happens what would have happened anyway.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdlib>
#include <string>

#include "api/support.hpp"
#include "support/sanitizers.hpp"

namespace tracelite::api::test {
namespace {

using store::test::Child;
using store::test::Line;

constexpr std::uint64_t kRecords = 200;
constexpr std::uint32_t kFlushesOnlyMs = 600'000;
constexpr std::uint32_t kLongMs = 60'000;
constexpr std::uint32_t kShortMs = 50;
// What a process that may drain for 50 ms takes to end, on a machine with much else to do.
constexpr std::chrono::seconds kEndsWithin{30};

tl_options options_of(std::uint32_t drain_ms) {
  tl_options options{};
  options.struct_size = sizeof options;
  options.commit_interval_ms = kFlushesOnlyMs;  // nothing is written by itself
  options.drain_on_sigterm_ms = drain_ms;
  return options;
}

tl_store* open_to_drain(const std::string& path, std::uint32_t drain_ms) {
  const tl_options options = options_of(drain_ms);
  tl_store* store = nullptr;
  return tl_open(path.c_str(), &options, &store) == TL_OK ? store : nullptr;
}

bool put_some(tl_store* store, const std::string& prefix = "o") {
  for (std::uint64_t i = 0; i < kRecords; ++i) {
    const std::string id = prefix + std::to_string(i);
    tl_observation observation{};
    observation.struct_size = sizeof observation;
    observation.id = text_of(id);
    observation.trace_id = tl_str("t");
    observation.set_mask = TL_BIT(TL_FIELD_INPUT);
    observation.input = tl_plain("queued");
    if (tl_put_observation(store, &observation) != TL_OK) return false;
  }
  return true;
}

[[noreturn]] void wait_for_the_end() {
  for (;;) pause();
}

std::uint64_t records_in(const std::string& path) {
  const Store store(path);
  store.check();
  return count(store, TL_KIND_OBSERVATION);
}

// A process that records and then waits to be ended.
class Program {
 public:
  Program(const std::string& path, std::uint32_t drain_ms)
      : child_([this, path, drain_ms] {
          tl_store* store = open_to_drain(path, drain_ms);
          CHILD_CHECK(1, store != nullptr && put_some(store));
          ready_.send('r');
          wait_for_the_end();
          return 0;
        }) {
    BOOST_REQUIRE(ready_.receive() == 'r');
  }
  int end() {
    ::kill(child_.id(), SIGTERM);
    return child_.wait();
  }

 private:
  Line ready_;
  Child child_;
};

// A process that makes the file, and has it in a transaction for as long as it lives.
class EndlessWriter {
 public:
  explicit EndlessWriter(const std::string& path)
      : child_([this, path] {
          auto environment = store::Environment::open(path, {});
          CHILD_CHECK(1, environment);
          auto transaction = (*environment)->begin_write();
          CHILD_CHECK(2, transaction);
          writing_.send('w');
          wait_for_the_end();
          return 0;
        }) {
    BOOST_REQUIRE(writing_.receive() == 'w');
  }
  void kill() { BOOST_TEST(child_.kill() == -SIGKILL); }

 private:
  Line writing_;
  Child child_;
};

// For handlers of the children.
int told_by_handler = -1;
std::atomic<int> signals{0};

void tell_and_end(int /*number*/) {
  const char byte = 'h';
  _exit(write(told_by_handler, &byte, 1) == 1 ? 7 : 8);
}
void count_signal(int /*number*/) { ++signals; }

struct sigaction later_found = {};
void pass_on(int number, siginfo_t* information, void* context) {
  ++signals;
  later_found.sa_sigaction(number, information, context);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sigterm,
                      *boost::unit_test::precondition(tracelite::test::not_under_thread_sanitizer))

BOOST_AUTO_TEST_CASE(it_ends_a_process_after_its_queue_is_drained) {
  const Folder folder(store::test::fast_folder());
  Program program(folder.file(), kLongMs);
  BOOST_TEST(program.end() == -SIGTERM);
  BOOST_TEST(records_in(folder.file()) == kRecords);
}

BOOST_AUTO_TEST_CASE(nothing_is_drained_where_nobody_asked) {
  const Folder folder(store::test::fast_folder());
  Program program(folder.file(), 0);
  BOOST_TEST(program.end() == -SIGTERM);
  BOOST_TEST(records_in(folder.file()) == 0U);
}

// A handler that came later hid ours when the store that asked for it was closed, and is gone.
BOOST_AUTO_TEST_CASE(a_store_that_is_opened_after_handlers_came_and_went_is_drained) {
  const Folder folder(store::test::fast_folder());
  Line ready;
  Child child([&] {
    tl_store* store = open_to_drain(folder.file("a.tl"), kLongMs);
    CHILD_CHECK(1, store != nullptr);
    signal(SIGTERM, count_signal);
    CHILD_CHECK(2, tl_close(store, kLongMs, nullptr) == TL_OK);
    signal(SIGTERM, SIG_DFL);
    store = open_to_drain(folder.file(), kLongMs);
    CHILD_CHECK(3, store != nullptr && put_some(store));
    ready.send('r');
    wait_for_the_end();
    return 0;
  });
  BOOST_REQUIRE(ready.receive() == 'r');
  kill(child.id(), SIGTERM);
  BOOST_TEST(child.wait() == -SIGTERM);
  BOOST_TEST(records_in(folder.file()) == kRecords);
}

BOOST_AUTO_TEST_CASE(a_handler_from_before_is_called_when_all_is_drained) {
  const Folder folder(store::test::fast_folder());
  Line told;
  Child child([&] {
    told_by_handler = told.writing();
    signal(SIGTERM, tell_and_end);
    tl_store* store = open_to_drain(folder.file(), kLongMs);
    tl_store* other = open_to_drain(folder.file("b.tl"), kLongMs);
    CHILD_CHECK(1, store != nullptr && other != nullptr && put_some(store) && put_some(other));
    told.send('r');
    wait_for_the_end();
    return 0;
  });
  BOOST_REQUIRE(told.receive() == 'r');
  kill(child.id(), SIGTERM);
  BOOST_TEST(told.receive() == 'h');
  BOOST_TEST(child.wait() == 7);
  BOOST_TEST(records_in(folder.file()) == kRecords);
  BOOST_TEST(records_in(folder.file("b.tl")) == kRecords);
}

BOOST_AUTO_TEST_CASE(a_program_that_lives_on_is_drained_each_time) {
  const Folder folder(store::test::fast_folder());
  Child child([&] {
    signal(SIGTERM, count_signal);
    tl_store* store = open_to_drain(folder.file(), kLongMs);
    CHILD_CHECK(1, store != nullptr);
    for (int round = 1; round <= 3; ++round) {
      CHILD_CHECK(2, put_some(store, std::to_string(round) + "-"));
      kill(getpid(), SIGTERM);
      while (signals < round) usleep(100);
      tl_statistics now{};
      now.struct_size = sizeof now;
      CHILD_CHECK(3, tl_stats(store, &now) == TL_OK);
      CHILD_CHECK(4, now.observation_count == kRecords * static_cast<std::uint64_t>(round));
    }
    return 0;
  });
  BOOST_TEST(child.wait() == 0);
}

BOOST_AUTO_TEST_CASE(a_later_handler_that_calls_the_one_before_it_decides_what_follows) {
  const Folder folder(store::test::fast_folder());
  Child child([&] {
    tl_store* store = open_to_drain(folder.file(), kLongMs);
    CHILD_CHECK(1, store != nullptr && put_some(store));
    struct sigaction later = {};
    later.sa_flags = SA_SIGINFO;
    later.sa_sigaction = pass_on;
    CHILD_CHECK(2, sigaction(SIGTERM, &later, &later_found) == 0);
    kill(getpid(), SIGTERM);
    std::uint64_t newest = 0;
    tl_statistics now{};
    now.struct_size = sizeof now;
    CHILD_CHECK(3, tl_stats(store, &now) == TL_OK);
    while (now.observation_count < kRecords) {
      const tl_status status = tl_wait(store, now.commit_number, kLongMs, &newest);
      CHILD_CHECK(4, status == TL_OK || status == TL_CANCELLED);
      CHILD_CHECK(5, tl_stats(store, &now) == TL_OK);
    }
    return signals == 1 ? 0 : 6;
  });
  BOOST_TEST(child.wait() == 0);
}

BOOST_AUTO_TEST_CASE(leaving_the_program_drains_as_well) {
  const Folder folder(store::test::fast_folder());
  Child child([&] {
    // Called after ours, and before those of Boost.Test, which is not to be left like this.
    std::atexit([] { _exit(3); });
    tl_store* store = open_to_drain(folder.file(), kLongMs);
    CHILD_CHECK(1, store != nullptr && put_some(store));
    std::exit(4);  // NOLINT: as main() does
  });
  BOOST_TEST(child.wait() == 3);
  BOOST_TEST(records_in(folder.file()) == kRecords);
}

// Somebody else writes and does not come to an end.
BOOST_AUTO_TEST_CASE(what_cannot_be_drained_in_time_does_not_hold_the_process) {
  const Folder folder(store::test::fast_folder());
  EndlessWriter writer(folder.file());
  Program program(folder.file(), kShortMs);
  const auto began = std::chrono::steady_clock::now();
  BOOST_TEST(program.end() == -SIGTERM);
  BOOST_TEST((std::chrono::steady_clock::now() - began < kEndsWithin));
  writer.kill();
  BOOST_TEST(records_in(folder.file()) == 0U);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_drained_in_time_does_not_hold_who_leaves_the_program) {
  const Folder folder(store::test::fast_folder());
  EndlessWriter writer(folder.file());
  const Line leaving;
  Child child([&] {
    std::atexit([] { _exit(3); });  // as above
    tl_store* store = open_to_drain(folder.file(), kShortMs);
    CHILD_CHECK(1, store != nullptr && put_some(store));
    leaving.send('l');
    std::exit(4);  // NOLINT: as main() does
  });
  BOOST_REQUIRE(leaving.receive() == 'l');
  const auto began = std::chrono::steady_clock::now();
  BOOST_TEST(child.wait() == 3);
  BOOST_TEST((std::chrono::steady_clock::now() - began < kEndsWithin));
  writer.kill();
  BOOST_TEST(records_in(folder.file()) == 0U);
}

BOOST_AUTO_TEST_CASE(closing_the_last_store_puts_back_what_was_there) {
  const Folder folder(store::test::fast_folder());
  Child child([&] {
    struct sigaction before = {};
    struct sigaction now = {};
    sigaction(SIGTERM, nullptr, &before);
    tl_store* store = open_to_drain(folder.file(), kLongMs);
    tl_store* other = open_to_drain(folder.file(), kLongMs);
    CHILD_CHECK(1, store != nullptr && other != nullptr);
    CHILD_CHECK(2, tl_close(store, UINT32_MAX, nullptr) == TL_OK);
    sigaction(SIGTERM, nullptr, &now);
    CHILD_CHECK(3, now.sa_handler != before.sa_handler);
    CHILD_CHECK(4, tl_close(other, UINT32_MAX, nullptr) == TL_OK);
    sigaction(SIGTERM, nullptr, &now);
    CHILD_CHECK(5, now.sa_handler == before.sa_handler && now.sa_flags == before.sa_flags);
    return 0;
  });
  BOOST_TEST(child.wait() == 0);
}

// It has copies of the pipe and of the handler.
BOOST_AUTO_TEST_CASE(a_forked_child_drains_its_own_stores_and_none_of_its_parents) {
  const Folder folder(store::test::fast_folder());
  Child program([&] {
    tl_store* store = open_to_drain(folder.file(), kLongMs);
    CHILD_CHECK(1, store != nullptr && put_some(store));
    {
      Line ready;
      Child idle([&] {
        struct sigaction now = {};
        sigaction(SIGTERM, nullptr, &now);
        CHILD_CHECK(1, now.sa_handler == SIG_DFL);
        ready.send('r');
        wait_for_the_end();
        return 0;
      });
      CHILD_CHECK(2, ready.receive() == 'r');
      kill(idle.id(), SIGTERM);
      CHILD_CHECK(3, idle.wait() == -SIGTERM);
    }
    {
      Line ready;
      Child recording([&] {
        tl_store* own = open_to_drain(folder.file("b.tl"), kLongMs);
        CHILD_CHECK(1, own != nullptr && put_some(own));
        ready.send('r');
        wait_for_the_end();
        return 0;
      });
      CHILD_CHECK(4, ready.receive() == 'r');
      kill(recording.id(), SIGTERM);
      CHILD_CHECK(5, recording.wait() == -SIGTERM);
    }
    tl_statistics now{};
    now.struct_size = sizeof now;
    CHILD_CHECK(6, tl_stats(store, &now) == TL_OK);
    CHILD_CHECK(7, now.observation_count == 0);  // nobody has drained it yet
    kill(getpid(), SIGTERM);
    wait_for_the_end();
    return 0;
  });
  BOOST_TEST(program.wait() == -SIGTERM);
  BOOST_TEST(records_in(folder.file()) == kRecords);
  BOOST_TEST(records_in(folder.file("b.tl")) == kRecords);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
