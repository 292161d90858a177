// Several processes on one file through the C API: writers killed at any moment lose nothing that
// was flushed, readers are never disturbed, and flooding writers take turns.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "api/support.hpp"
#include "support/sanitizers.hpp"
#include "support/torture.hpp"

namespace tracelite::api::test {
namespace {

using store::test::Child;
using store::test::Line;

// In `./dev test`; TL_KILLS says another number for each of the scenes below.
constexpr std::uint64_t kUsualKills = tracelite::test::kUnderSanitizer ? 6 : 80;
constexpr std::uint64_t kUsualKillsOfMany = tracelite::test::kUnderSanitizer ? 4 : 25;
constexpr std::uint64_t kKillsEach = 17;  // then a new file, so that checking stays quick
constexpr int kPipeSizeBytes = 4096;      // a writer waits when it is far ahead of the test

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

// Writers with these numbers on are forked children of the others.
constexpr std::uint32_t kChildren = 10;
constexpr std::uint32_t kRoom = 3000;  // for the numbers of one life

enum class Children : std::uint8_t { none, idle, writing };

// Puts a few, flushes, says so, until killed. Reopens now and then, so that kills fall into opening
// and closing as well.
int write_until_killed(const std::string& path, std::uint32_t writer, std::uint32_t first,
                       int acknowledgements, Children children) {
  // With its children it is a group, so that none of them is forgotten.
  setpgid(0, 0);
  tl_store* store = nullptr;
  CHILD_CHECK(1, tl_open(path.c_str(), nullptr, &store) == TL_OK);
  if (children != Children::none) {
    // It holds copies of all descriptors and handles of the writer, and outlives it.
    const pid_t child = fork();
    CHILD_CHECK(2, child >= 0);
    if (child == 0) {
      alarm(600);
      if (children == Children::idle) {
        for (;;) pause();
      }
      writer += kChildren;
      children = Children::none;
      CHILD_CHECK(3, tl_open(path.c_str(), nullptr, &store) == TL_OK);
    }
  }
  for (std::uint32_t number = first;; ++number) {
    if (!put(store, writer, number)) return 4;
    if (number % 3 != 0) continue;
    Acknowledgement done{writer, number, 0};
    if (tl_flush(store, UINT32_MAX, &done.position) != TL_OK) return 5;
    if (::write(acknowledgements, &done, sizeof done) != sizeof done) return 6;
    if (number % 30 != 0 || children != Children::none) continue;
    CHILD_CHECK(7, tl_close(store, UINT32_MAX, nullptr) == TL_OK);
    CHILD_CHECK(8, tl_open(path.c_str(), nullptr, &store) == TL_OK);
  }
}

// Looks again and again, until killed: what it has seen it must see again.
int read_until_killed(const std::string& path) {
  std::uint64_t seen = 0;
  for (std::uint32_t round = 0;; ++round) {
    tl_options options{};
    options.struct_size = sizeof options;
    options.read_only = 1;
    tl_store* store = nullptr;
    CHILD_CHECK(1, tl_open(path.c_str(), &options, &store) == TL_OK);
    for (std::uint32_t looks = 0; looks < 20; ++looks) {
      tl_statistics now{};
      now.struct_size = sizeof now;
      CHILD_CHECK(2, tl_stats(store, &now) == TL_OK);
      CHILD_CHECK(3, now.observation_count >= seen);
      seen = now.observation_count;
      tl_cursor* cursor = nullptr;
      CHILD_CHECK(4, tl_list(store, nullptr, TL_KIND_OBSERVATION, nullptr, TL_ORDER_TIME, {}, 10,
                             &cursor) == TL_OK);
      tl_row row{};
      row.struct_size = sizeof row;
      tl_status status = TL_OK;
      while (status == TL_OK) status = tl_next(cursor, &row);
      CHILD_CHECK(5, status == TL_DONE);
      tl_cursor_close(cursor);
    }
    CHILD_CHECK(6, tl_close(store, UINT32_MAX, nullptr) == TL_OK);
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
  }
  Acknowledgements(const Acknowledgements&) = delete;
  Acknowledgements& operator=(const Acknowledgements&) = delete;

  [[nodiscard]] int writing() const { return ends_[1]; }
  void hear() {
    Acknowledgement one;
    while (read(ends_[0], &one, sizeof one) == static_cast<ssize_t>(sizeof one)) {
      last_[one.writer] = one.number;
      ++count_;
    }
  }
  // Blocks until there is something to hear.
  void wait() const {
    pollfd waited{ends_[0], POLLIN, 0};
    BOOST_REQUIRE(poll(&waited, 1, 60'000) == 1);
  }
  std::uint32_t last(std::uint32_t writer) { return last_[writer]; }
  [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
  std::array<int, 2> ends_{};
  std::map<std::uint32_t, std::uint32_t> last_;
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

struct Scene {
  std::uint32_t writers = 1;
  std::uint32_t readers = 0;
  Children children = Children::none;
};

// Processes at work on one file, each started again when it has been killed.
class Processes {
 public:
  Processes(std::string path, const Scene& scene, std::mt19937& random)
      : path_(std::move(path)), scene_(scene), random_(random) {
    for (std::uint32_t i = 0; i < scene_.writers + scene_.readers; ++i) start(i);
  }
  ~Processes() {
    for (const auto& [number, child] : running_) ::kill(-child->id(), SIGKILL);
  }
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;

  // Kills one at some moment, looks at the file, and starts that one again.
  void kill_one() {
    // Some kills strike at once, while the file is being opened; others after a few flushes.
    if (random_() % 4 != 0) heard_.wait();
    usleep(static_cast<useconds_t>(random_() % 8'000));  // the moment of the kill
    const auto number = static_cast<std::uint32_t>(random_() % (scene_.writers + scene_.readers));
    const pid_t group = running_[number]->id();
    kill(number);
    look();
    end_children(number, group);
    start(number);
  }
  void kill_all() {
    // On a slow machine all kills may have struck before the first flush.
    while (heard_.count() == 0) {
      heard_.wait();
      heard_.hear();
    }
    for (std::uint32_t number = 0; number < scene_.writers + scene_.readers; ++number) {
      const pid_t group = running_[number]->id();
      kill(number);
      end_children(number, group);
    }
    look();
    BOOST_TEST(heard_.count() > 0U);
  }
  [[nodiscard]] std::uint64_t kills() const { return kills_; }
  // That a new process took to open the file, use and close it.
  [[nodiscard]] std::chrono::milliseconds slowest() const { return slowest_; }

 private:
  void start(std::uint32_t number) {
    if (number >= scene_.writers) {
      running_[number] = std::make_unique<Child>([this] { return read_until_killed(path_); });
    } else {
      first_[number] = next_[number] + 1;
      next_[number] += kRoom;
      running_[number] = std::make_unique<Child>([this, number] {
        return write_until_killed(path_, number, first_[number], heard_.writing(), scene_.children);
      });
    }
    setpgid(running_[number]->id(), running_[number]->id());
  }
  void kill(std::uint32_t number) {
    BOOST_TEST(running_[number]->kill() == -SIGKILL);
    running_.erase(number);
    ++kills_;
    if (number < scene_.writers) want(number, first_[number]);
  }
  // Also those that the killed one had not come to tell of.
  void end_children(std::uint32_t number, pid_t group) {
    if (number >= scene_.writers || ::kill(-group, SIGKILL) != 0) return;
    ++kills_;
    want(number + kChildren, first_[number]);
  }
  void want(std::uint32_t writer, std::uint32_t first) {
    heard_.hear();
    for (std::uint32_t n = first; n <= heard_.last(writer); ++n) wanted_[writer].insert(n);
  }
  void look() {
    const auto before = std::chrono::steady_clock::now();
    Child fresh([this] {
      tl_store* store = nullptr;
      CHILD_CHECK(1, tl_open(path_.c_str(), nullptr, &store) == TL_OK);
      CHILD_CHECK(2, record_nothing(store));
      return 0;
    });
    BOOST_REQUIRE(fresh.wait() == 0);
    const auto took = std::chrono::steady_clock::now() - before;
    slowest_ = std::max(slowest_, std::chrono::ceil<std::chrono::milliseconds>(took));
    check_file(path_, wanted_, heard_);
  }
  static bool record_nothing(tl_store* store) {
    return tl_flush(store, UINT32_MAX, nullptr) == TL_OK &&
           tl_close(store, UINT32_MAX, nullptr) == TL_OK;
  }

  std::string path_;
  Scene scene_;
  std::mt19937& random_;
  Acknowledgements heard_;
  std::map<std::uint32_t, std::set<std::uint32_t>> wanted_;
  std::map<std::uint32_t, std::uint32_t> next_, first_;
  std::map<std::uint32_t, std::unique_ptr<Child>> running_;
  std::uint64_t kills_ = 0;
  std::chrono::milliseconds slowest_{0};
};

void kill_again_and_again(const char* kind, const Scene& scene) {
  const tracelite::test::Torture torture(kind);
  const std::uint64_t seed = store::test::random_seed();
  std::mt19937 random(static_cast<std::mt19937::result_type>(seed));
  const bool is_of_many = scene.writers > 1;
  const std::uint64_t usual =
      tracelite::test::number_from("TL_KILLS", is_of_many ? kUsualKillsOfMany : kUsualKills);
  std::chrono::milliseconds slowest{0};
  std::uint64_t kills = 0;
  while (torture.wants_more(kills, usual)) {
    const Folder folder(store::test::fast_folder());
    { const Store create(folder.file()); }
    Processes processes(folder.file(), scene, random);
    for (std::uint64_t i = 0; i < kKillsEach && torture.wants_more(kills + i, usual); ++i) {
      processes.kill_one();
    }
    processes.kill_all();
    kills += processes.kills();
    slowest = std::max(slowest, processes.slowest());
  }
  std::cout << kind << ": the slowest opening took " << slowest.count() << " ms\n";
  torture.report(kills, tracelite::test::failures(), seed);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(kill)

BOOST_AUTO_TEST_CASE(a_writer_killed_alone_loses_nothing_flushed) {
  kill_again_and_again("kill: a writer alone", {1, 0, Children::none});
}
BOOST_AUTO_TEST_CASE(writers_and_readers_killed_beside_others_lose_nothing_flushed) {
  kill_again_and_again("kill: among writers and readers", {3, 2, Children::none});
}
BOOST_AUTO_TEST_CASE(a_writer_killed_while_its_forked_child_lives_loses_nothing_flushed,
                     *boost::unit_test::precondition(tracelite::test::may_fork_beside_threads)) {
  kill_again_and_again("kill: the parent of an idle process", {1, 0, Children::idle});
}
BOOST_AUTO_TEST_CASE(writers_killed_with_their_forked_children_that_write_lose_nothing_flushed,
                     *boost::unit_test::precondition(tracelite::test::may_fork_beside_threads)) {
  kill_again_and_again("kill: parents of writers", {2, 1, Children::writing});
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
