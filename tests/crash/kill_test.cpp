// Several processes on one file through the C API: writers killed at any moment lose nothing that
// was flushed, readers are never disturbed, and flooding writers take turns.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "api/support.hpp"
#include "support/sanitizers.hpp"

namespace tracelite::api::test {
namespace {

using store::test::Child;
using store::test::Line;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kFiles = 1;
constexpr int kKillsEach = 5;
#else
// With three situations over 200 kills.
constexpr int kFiles = 4;  // a new one now and then, so that checking stays quick
constexpr int kKillsEach = 17;
#endif
constexpr int kPipeSizeBytes = 4096;  // a writer waits when it is far ahead of the test

std::mt19937& random_numbers() {
  static std::mt19937 numbers = [] {
    const char* given = std::getenv("TL_SEED");
    const auto seed = given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10))
                                       : std::random_device{}();
    BOOST_TEST_MESSAGE("TL_SEED=" << seed);
    return std::mt19937(seed);
  }();
  return numbers;
}

std::string trace_id(std::uint32_t writer) { return "trace-" + std::to_string(writer); }
std::string observation_id(std::uint32_t writer, std::uint32_t number) {
  return std::to_string(writer) + "-" + std::to_string(number);
}
std::string input_of(std::uint32_t writer, std::uint32_t number) {
  return std::string(50 + number * 37 % 3000, static_cast<char>('a' + (writer + number) % 26));
}

bool put(tl_store* store, std::uint32_t writer, std::uint32_t number) {
  const std::string trace = trace_id(writer);
  const std::string id = observation_id(writer, number);
  const std::string input = input_of(writer, number);
  tl_observation observation{};
  observation.struct_size = sizeof observation;
  observation.id = text_of(id);
  observation.trace_id = text_of(trace);
  observation.set_mask = TL_BIT(TL_FIELD_INPUT) | TL_BIT(TL_FIELD_START_TIME);
  observation.start_time_ns = 1'000'000'000 + number;
  observation.input = {TL_FORM_TEXT, text_of(input)};
  return tl_put_observation(store, &observation) == TL_OK;
}

// What a writer says through its pipe: everything up to this number is flushed.
struct Acknowledgement {
  std::uint32_t writer = 0;
  std::uint32_t number = 0;
  std::uint64_t position = 0;
};

// Puts a few, flushes, says so, until killed. Reopens now and then, so that kills fall into opening
// and closing as well.
int write_until_killed(const std::string& path, std::uint32_t writer, std::uint32_t first,
                       int acknowledgements, bool with_child) {
  tl_store* store = nullptr;
  CHILD_CHECK(1, tl_open(path.c_str(), nullptr, &store) == TL_OK);
  if (with_child) {
    // It holds copies of all descriptors and handles of the writer, and outlives it.
    const pid_t child = fork();
    if (child == 0) {
      alarm(600);
      for (;;) pause();
    }
    CHILD_CHECK(2, child > 0);
    const Acknowledgement born{UINT32_MAX, static_cast<std::uint32_t>(child), 0};
    CHILD_CHECK(3, ::write(acknowledgements, &born, sizeof born) == sizeof born);
  }
  for (std::uint32_t number = first;; ++number) {
    if (!put(store, writer, number)) return 4;
    if (number % 3 != 0) continue;
    Acknowledgement done{writer, number, 0};
    if (tl_flush(store, UINT32_MAX, &done.position) != TL_OK) return 5;
    if (::write(acknowledgements, &done, sizeof done) != sizeof done) return 6;
    if (number % 30 != 0 || with_child) continue;
    CHILD_CHECK(7, tl_close(store, UINT32_MAX, nullptr) == TL_OK);
    CHILD_CHECK(8, tl_open(path.c_str(), nullptr, &store) == TL_OK);
  }
}

class Acknowledgements {
 public:
  Acknowledgements() {
    BOOST_REQUIRE(pipe(ends_.data()) == 0);
    BOOST_REQUIRE(fcntl(ends_[0], F_SETFL, O_NONBLOCK) == 0);
    BOOST_REQUIRE(fcntl(ends_[1], F_SETPIPE_SZ, kPipeSizeBytes) >= kPipeSizeBytes);
  }
  ~Acknowledgements() {
    for (const int end : ends_) ::close(end);
    for (const pid_t pid : orphans_) ::kill(pid, SIGKILL);
  }
  Acknowledgements(const Acknowledgements&) = delete;
  Acknowledgements& operator=(const Acknowledgements&) = delete;

  [[nodiscard]] int writing() const { return ends_[1]; }
  void hear() {
    Acknowledgement one;
    while (read(ends_[0], &one, sizeof one) == static_cast<ssize_t>(sizeof one)) {
      if (one.writer == UINT32_MAX) {
        orphans_.push_back(static_cast<pid_t>(one.number));
      } else {
        last_[one.writer] = one.number;
        ++count_;
      }
    }
  }
  // Blocks until there is something to hear.
  void wait() const {
    pollfd waited{ends_[0], POLLIN, 0};
    BOOST_REQUIRE(poll(&waited, 1, 60'000) == 1);
  }
  void end_orphans() {
    for (const pid_t pid : orphans_) ::kill(pid, SIGKILL);
    orphans_.clear();
  }
  std::uint32_t last(std::uint32_t writer) { return last_[writer]; }
  [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
  std::array<int, 2> ends_{};
  std::map<std::uint32_t, std::uint32_t> last_;
  std::vector<pid_t> orphans_;
  std::uint64_t count_ = 0;
};

// The file opens, is sound, and has all that was acknowledged, whole.
void check_file(const std::string& path, std::map<std::uint32_t, std::set<std::uint32_t>>& wanted,
                Acknowledgements& heard) {
  const Store store(path);
  heard.hear();
  for (auto& [writer, numbers] : wanted) {
    const std::string trace = trace_id(writer);
    tl_filter filter{};
    filter.struct_size = sizeof filter;
    filter.trace_id = text_of(trace);
    tl_cursor* cursor = nullptr;
    must(tl_list(store.get(), nullptr, TL_KIND_OBSERVATION, &filter,
                 TL_ORDER_TIME | TL_ORDER_ASCENDING, {}, 0, &cursor));
    std::set<std::uint32_t> found;
    for (Rows rows(cursor); rows.next();) {
      const std::string id = string_of(rows.row().observation->id);
      const auto number = static_cast<std::uint32_t>(std::stoul(id.substr(id.find('-') + 1)));
      found.insert(number);
      if (number % 16 == 0) BOOST_REQUIRE(rows.payload(TL_FIELD_INPUT) == input_of(writer, number));
    }
    while (!numbers.empty() && *numbers.rbegin() > heard.last(writer)) {
      numbers.erase(std::prev(numbers.end()));
    }
    for (const std::uint32_t number : numbers) {
      BOOST_REQUIRE_MESSAGE(found.contains(number), "lost: " << observation_id(writer, number));
    }
  }
  store.check();
}

void kill_again_and_again(int writers, bool with_child) {
  const Folder folder(store::test::fast_folder());
  const std::string path = folder.file();
  Acknowledgements heard;
  std::map<std::uint32_t, std::set<std::uint32_t>> wanted;
  std::map<std::uint32_t, std::uint32_t> next;
  std::map<std::uint32_t, std::unique_ptr<Child>> running;
  constexpr std::uint32_t kRoom = 3000;  // for the numbers of one life
  const auto start = [&](std::uint32_t writer) {
    const std::uint32_t first = next[writer] + 1;
    next[writer] += kRoom;
    running[writer] = std::make_unique<Child>(
        [&] { return write_until_killed(path, writer, first, heard.writing(), with_child); });
    return first;
  };
  std::map<std::uint32_t, std::uint32_t> first;
  const auto kill = [&](std::uint32_t writer) {
    BOOST_TEST(running[writer]->kill() == -SIGKILL);
    running.erase(writer);
    heard.hear();
    for (std::uint32_t n = first[writer]; n <= heard.last(writer); ++n) wanted[writer].insert(n);
  };
  for (int writer = 0; writer < writers; ++writer) {
    const auto number = static_cast<std::uint32_t>(writer);
    first[number] = start(number);
  }
  for (int round = 0; round < kKillsEach; ++round) {
    // Some kills strike at once, while the file is being opened; others after a few flushes.
    if (random_numbers()() % 4 != 0) heard.wait();
    usleep(static_cast<useconds_t>(random_numbers()() % 8'000));  // the moment of the kill
    const auto writer =
        static_cast<std::uint32_t>(random_numbers()() % static_cast<unsigned>(writers));
    kill(writer);
    check_file(path, wanted, heard);
    heard.end_orphans();
    first[writer] = start(writer);
  }
  // On a slow machine all kills may have struck before the first flush.
  while (heard.count() == 0) {
    heard.wait();
    heard.hear();
  }
  for (int writer = 0; writer < writers; ++writer) kill(static_cast<std::uint32_t>(writer));
  heard.end_orphans();
  check_file(path, wanted, heard);
  BOOST_TEST(heard.count() > 0U);
  BOOST_TEST_MESSAGE(heard.count() << " flushes acknowledged");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(kill)

BOOST_AUTO_TEST_CASE(a_writer_killed_alone_loses_nothing_flushed) {
  for (int file = 0; file < kFiles; ++file) kill_again_and_again(1, false);
}
BOOST_AUTO_TEST_CASE(a_writer_killed_beside_another_loses_nothing_flushed) {
  for (int file = 0; file < kFiles; ++file) kill_again_and_again(2, false);
}
BOOST_AUTO_TEST_CASE(a_writer_killed_while_its_forked_child_lives_loses_nothing_flushed,
                     *boost::unit_test::precondition(tracelite::test::not_under_thread_sanitizer)) {
  for (int file = 0; file < kFiles; ++file) kill_again_and_again(1, true);
}

// Each trace is put with its observations in one batch line, so each snapshot has whole traces; its
// lists, sums and trees agree.
BOOST_AUTO_TEST_CASE(readers_in_another_process_always_see_one_consistent_state) {
  const Folder folder(store::test::fast_folder());
  const std::string path = folder.file();
  { const Store create(path); }
  Line to_child;
  Child writer([&] {
    to_child.close_writing();
    const Store store(path);
    for (int i = 0; i < 150; ++i) {
      const std::string n = std::to_string(i);
      std::string text;
      text +=
          R"({"id":"a","timestamp":"2026-11-21T00:00:00Z","type":"trace-create","body":{"id":"t)" +
          n + R"(","sessionId":"s","timestamp":"2026-11-21T00:00:00Z"}})" + "\n";
      for (int o = 0; o < 10; ++o) {
        text +=
            R"({"id":"b","timestamp":"2026-11-21T00:00:01Z","type":"span-create","body":{"id":"o)" +
            n + "-" + std::to_string(o) + R"(","traceId":"t)" + n +
            R"(","startTime":"2026-11-21T00:00:01Z","endTime":"2026-11-21T00:00:02Z","input":"i"}})" +
            "\n";
      }
      store.import_all(text);
    }
    return 0;
  });
  const Store store(path);
  std::uint64_t seen = 0;
  std::uint64_t rounds = 0;
  while (seen < 1500) {
    tl_snapshot* snapshot = nullptr;
    must(tl_snapshot_open(store.get(), &snapshot));
    const std::uint64_t observations = count(store, TL_KIND_OBSERVATION, snapshot);
    std::uint64_t sum = 0;
    std::uint64_t traces = 0;
    for (Rows rows(list(store, TL_KIND_TRACE, snapshot)); rows.next(); ++traces) {
      sum += rows.row().aggregate->observation_count;
    }
    BOOST_REQUIRE(sum == observations);
    BOOST_REQUIRE(observations >= seen);
    if (traces > 0) {
      tl_cursor* cursor = nullptr;
      must(tl_replay(store.get(), snapshot, tl_str("s"), nullptr, &cursor));
      std::uint64_t begins = 0;
      for (Rows rows(cursor); rows.next();) {
        if (rows.row().phase == TL_PHASE_BEGIN && rows.row().observation != nullptr) ++begins;
      }
      BOOST_REQUIRE(begins <= observations);
      std::uint64_t in_sessions = 0;
      for (Rows rows(list(store, TL_KIND_SESSION, snapshot)); rows.next();) {
        in_sessions += rows.row().aggregate->observation_count;
      }
      BOOST_REQUIRE(begins == in_sessions);
    }
    tl_snapshot_close(snapshot);
    seen = observations;
    ++rounds;
  }
  BOOST_TEST(writer.wait() == 0);
  BOOST_TEST_MESSAGE(rounds << " consistent answers");
  store.check();
}

// The number of a commit tells the turns: no writer commits more than a few times while the other
// one waits.
BOOST_AUTO_TEST_CASE(two_flooding_writers_take_turns_and_lose_nothing) {
  constexpr std::uint32_t kFlushes = 100;
  constexpr std::uint32_t kPutsEach = 20;
  const Folder folder;  // on a disk, so that commits take their time
  const std::string path = folder.file();
  { const Store create(path); }
  Line told;
  std::array<int, 2> said{};
  BOOST_REQUIRE(pipe(said.data()) == 0);
  const auto flood = [&](std::uint32_t writer) {
    ::close(said[0]);
    told.close_writing();
    tl_store* store = nullptr;
    CHILD_CHECK(1, tl_open(path.c_str(), nullptr, &store) == TL_OK);
    CHILD_CHECK(2, told.receive() == 'g');
    std::uint32_t number = 0;
    for (std::uint32_t i = 0; i < kFlushes; ++i) {
      for (std::uint32_t n = 0; n < kPutsEach; ++n) CHILD_CHECK(3, put(store, writer, number++));
      Acknowledgement done{writer, number, 0};
      CHILD_CHECK(4, tl_flush(store, UINT32_MAX, &done.position) == TL_OK);
      CHILD_CHECK(5, ::write(said[1], &done, sizeof done) == sizeof done);
    }
    return tl_close(store, UINT32_MAX, nullptr) == TL_OK ? 0 : 6;
  };
  Child first([&] { return flood(0); });
  Child second([&] { return flood(1); });
  ::close(said[1]);
  told.send('g');
  told.send('g');
  std::map<std::uint64_t, std::uint32_t> commits;  // by position
  std::array<std::uint64_t, 2> last{};
  Acknowledgement one;
  while (read(said[0], &one, sizeof one) == static_cast<ssize_t>(sizeof one)) {
    commits[one.position] = one.writer;
    last.at(one.writer) = std::max(last.at(one.writer), one.position);
  }
  ::close(said[0]);
  BOOST_TEST(first.wait() == 0);
  BOOST_TEST(second.wait() == 0);
  std::uint64_t changes = 0;
  const std::uint64_t both_until = std::min(last[0], last[1]);
  std::uint32_t before = 2;
  for (const auto& [position, writer] : commits) {
    if (position > both_until) break;
    if (before != 2 && writer != before) ++changes;
    before = writer;
  }
  BOOST_TEST_MESSAGE(changes << " changes of turn up to commit " << both_until);
  // While both flood, neither is shut out for long.
  BOOST_TEST(changes >= kFlushes / 10);
  const Store store(path);
  BOOST_TEST(count(store, TL_KIND_OBSERVATION) == 2U * kFlushes * kPutsEach);
  store.check();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
