// See killed_processes.hpp.
#include "crash/killed_processes.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include "api/support.hpp"
#include "support/progress_of_processes.hpp"
#include "support/sanitizers.hpp"
#include "support/torture.hpp"

namespace tracelite::api::test {
namespace {

using store::test::Child;
using tracelite::test::Progress;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// In `./dev test`; TL_KILLS says another number for each of the scenes.
constexpr std::uint64_t kUsualKills = tracelite::test::kUnderSanitizer ? 6 : 80;
constexpr std::uint64_t kUsualKillsOfMany = tracelite::test::kUnderSanitizer ? 4 : 25;
constexpr std::uint64_t kKillsEach = 17;  // then a new file, so that checking stays quick
constexpr int kPipeSizeBytes = 4096;      // a writer waits when it is far ahead of the test
// Nobody is to be held up for longer by somebody who was killed; what they do takes milliseconds.
constexpr milliseconds kHeldUpMax{1'000};
constexpr milliseconds kHangs{60'000};

// Writers with these numbers on are forked children of the others.
constexpr std::uint32_t kChildren = 10;
constexpr std::uint32_t kRoom = 3000;     // for the numbers of one life
constexpr std::uint32_t kFlushEvery = 3;  // and so many are in one trace, where traces are deleted
static_assert(kRoom % kFlushEvery == 0);

std::string input_of(std::uint32_t writer, std::uint32_t number) {
  return std::string(50 + number * 37 % 3000, static_cast<char>('a' + (writer + number) % 26));
}

// ------------------------------------------------------------------------------ the processes

// Of one process: what it has done.
class Steps {
 public:
  Steps(const Progress& progress, std::uint32_t process) : progress_(progress), process_(process) {}
  // The status of a call that has come back.
  [[nodiscard]] tl_status did(tl_status status) const {
    progress_.add(process_);
    if (status != TL_OK && status != TL_DONE && status != TL_TIMEOUT) {
      std::fprintf(stderr, "process %u: %s\n", process_, tl_error()->message);
    }
    return status;
  }

 private:
  const Progress& progress_;
  std::uint32_t process_;
};

class Writer {
 public:
  Writer(std::string path, std::uint32_t writer, std::uint32_t first, bool deletes,
         int acknowledgements, const Progress& progress)
      : path_(std::move(path)),
        writer_(writer),
        first_(first),
        deletes_(deletes),
        acknowledgements_(acknowledgements),
        progress_(progress) {}

  // Puts a few, flushes, says so, until killed. Reopens now and then, so that kills fall into
  // opening and closing as well.
  int write_until_killed(Children children) {
    // With its children it is a group, so that none of them is forgotten.
    setpgid(0, 0);
    CHILD_CHECK(1, open());
    if (children != Children::none) {
      // It holds copies of all descriptors and handles of the writer, and outlives it.
      const pid_t child = fork();
      CHILD_CHECK(2, child >= 0);
      if (child == 0) {
        alarm(600);
        if (children == Children::idle) {
          for (;;) pause();
        }
        writer_ += kChildren;
        CHILD_CHECK(3, open());
        return write(false);
      }
    }
    return write(children == Children::none);
  }

 private:
  [[nodiscard]] tl_status did(tl_status status) const {
    return Steps(progress_, writer_).did(status);
  }
  bool open() { return did(tl_open(path_.c_str(), nullptr, &store_)) == TL_OK; }
  [[nodiscard]] std::string trace_of(std::uint32_t number) const {
    const std::string trace = trace_id(writer_);
    return deletes_ ? trace + "-" + std::to_string((number - 1) / kFlushEvery) : trace;
  }
  [[nodiscard]] bool tell() const {
    return ::write(acknowledgements_, &done_, sizeof done_) == sizeof done_;
  }
  int write(bool reopens) {
    done_.writer = writer_;
    for (std::uint32_t number = first_;; ++number) {
      if (!put(store_, writer_, number, trace_of(number))) return 4;
      if (number % kFlushEvery != 0) continue;
      done_.number = number;
      CHILD_CHECK(5, did(tl_flush(store_, UINT32_MAX, &done_.position)) == TL_OK);
      if (!tell()) return 6;
      if (deletes_ && number > first_ + 2 * kFlushEvery) {
        CHILD_CHECK(7, remove(number - 2 * kFlushEvery) == TL_OK);
        if (!tell()) return 8;
      }
      if (number % 30 != 0 || !reopens) continue;
      CHILD_CHECK(9, did(tl_close(store_, UINT32_MAX, nullptr)) == TL_OK);
      CHILD_CHECK(10, open());
    }
  }
  // The trace that ends with this number, which is the oldest of this life.
  tl_status remove(std::uint32_t number) {
    const std::string trace = trace_of(number);
    const tl_filter of = of_trace(trace);
    const tl_status status = did(tl_delete(store_, &of, nullptr, nullptr, nullptr));
    done_.deleted = number;
    return status;
  }

  std::string path_;
  std::uint32_t writer_;
  std::uint32_t first_;
  bool deletes_;
  int acknowledgements_;
  const Progress& progress_;
  tl_store* store_ = nullptr;
  Acknowledgement done_;
};

tl_status list_some(tl_store* store) {
  tl_cursor* cursor = nullptr;
  tl_status status =
      tl_list(store, nullptr, TL_KIND_OBSERVATION, nullptr, TL_ORDER_TIME, {}, 10, &cursor);
  tl_row row{};
  row.struct_size = sizeof row;
  while (status == TL_OK) status = tl_next(cursor, &row);
  tl_cursor_close(cursor);
  return status;
}

// Looks again and again, until killed: what it has seen it must see again.
int read_until_killed(const std::string& path, const Steps& steps, bool may_become_less) {
  std::uint64_t seen = 0;
  for (;;) {
    tl_options options{};
    options.struct_size = sizeof options;
    options.read_only = 1;
    tl_store* store = nullptr;
    CHILD_CHECK(1, steps.did(tl_open(path.c_str(), &options, &store)) == TL_OK);
    for (std::uint32_t looks = 0; looks < 20; ++looks) {
      tl_statistics now{};
      now.struct_size = sizeof now;
      CHILD_CHECK(2, steps.did(tl_stats(store, &now)) == TL_OK);
      CHILD_CHECK(3, may_become_less || now.observation_count >= seen);
      seen = now.observation_count;
      CHILD_CHECK(4, steps.did(list_some(store)) == TL_DONE);
    }
    CHILD_CHECK(5, tl_close(store, UINT32_MAX, nullptr) == TL_OK);
  }
}

// Compacts whenever there has been a commit.
int compact_until_killed(const std::string& path, const Steps& steps) {
  constexpr std::uint32_t kLookAgainMs = 100;
  tl_store* store = nullptr;
  CHILD_CHECK(1, steps.did(tl_open(path.c_str(), nullptr, &store)) == TL_OK);
  for (std::uint64_t position = 0;;) {
    const tl_status waited = tl_wait(store, position, kLookAgainMs, &position);
    CHILD_CHECK(2, waited == TL_OK || waited == TL_TIMEOUT);
    CHILD_CHECK(3, steps.did(tl_compact(store, nullptr, nullptr)) == TL_OK);
  }
}

// ------------------------------------------------------------------------------ what must be there

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
      last_[one.writer] = one;
      ++count_;
    }
  }
  // Blocks until there is something to hear.
  void wait() const {
    pollfd waited{ends_[0], POLLIN, 0};
    BOOST_REQUIRE(poll(&waited, 1, kHangs.count()) == 1);
  }
  const Acknowledgement& last(std::uint32_t writer) { return last_[writer]; }
  [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
  std::array<int, 2> ends_{};
  std::map<std::uint32_t, Acknowledgement> last_;
  std::uint64_t count_ = 0;
};

// Of what killed writers have said; each a number of an observation.
class Wanted {
 public:
  void add_life(std::uint32_t writer, std::uint32_t first, const Acknowledgement& last,
                bool deletes) {
    // The first of those that it may have been deleting when it was killed.
    const std::uint32_t next = std::max(first, last.deleted + 1);
    for (std::uint32_t n = first; n <= last.number; ++n) {
      auto& numbers = !deletes || n >= next + kFlushEvery ? there_ : n < next ? gone_ : doubtful_;
      numbers[writer].insert(n);
    }
  }
  // The file opens, is sound, and has all of it, whole, and nothing that was deleted.
  void check(const std::string& path) const {
    const Store store(path);
    std::map<std::uint32_t, std::set<std::uint32_t>> found;
    for (Rows rows(list(store, TL_KIND_OBSERVATION)); rows.next();) {
      const std::string id = string_of(rows.row().observation->id);
      const auto writer = static_cast<std::uint32_t>(std::stoul(id));
      const auto number = static_cast<std::uint32_t>(std::stoul(id.substr(id.find('-') + 1)));
      found[writer].insert(number);
      if (number % 16 == 0) BOOST_REQUIRE(rows.payload(TL_FIELD_INPUT) == input_of(writer, number));
    }
    const auto is_there = [&](std::uint32_t writer, std::uint32_t number) {
      return found[writer].contains(number);
    };
    for (const auto& [writer, numbers] : there_) {
      for (const std::uint32_t number : numbers) {
        BOOST_REQUIRE_MESSAGE(is_there(writer, number), "lost: " << observation_id(writer, number));
      }
    }
    for (const auto& [writer, numbers] : gone_) {
      for (const std::uint32_t number : numbers) {
        BOOST_REQUIRE_MESSAGE(!is_there(writer, number),
                              "came back: " << observation_id(writer, number));
      }
    }
    for (const auto& [writer, numbers] : doubtful_) {
      for (const std::uint32_t number : numbers) {
        const std::uint32_t first = (number - 1) / kFlushEvery * kFlushEvery + 1;
        BOOST_REQUIRE_MESSAGE(is_there(writer, number) == is_there(writer, first),
                              "a part is left: " << observation_id(writer, number));
      }
    }
    store.check();
  }

 private:
  using Numbers = std::map<std::uint32_t, std::set<std::uint32_t>>;
  Numbers there_, doubtful_, gone_;
};

// ------------------------------------------------------------------------------ the kills

// Processes at work on one file, each started again when it has been killed.
class Processes {
 public:
  Processes(std::string path, const Scene& scene, std::mt19937& random)
      : path_(std::move(path)), scene_(scene), random_(random) {
    BOOST_REQUIRE(process_count() <= kChildren);
    // So that whose parent was killed can be waited for here.
    BOOST_REQUIRE(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    for (std::uint32_t i = 0; i < process_count(); ++i) start(i);
  }
  ~Processes() {
    for (const auto& [number, child] : running_) ::kill(-child->id(), SIGKILL);
  }
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;

  // Kills one at some moment, looks at the others and the file, and starts that one again.
  void kill_one() {
    // Some kills strike at once, while the file is being opened; others after a few flushes.
    if (random_() % 4 != 0) heard_.wait();
    usleep(static_cast<useconds_t>(random_() % 8'000));  // the moment of the kill
    const std::uint32_t number = choose();
    const pid_t group = running_[number]->id();
    kill(number);
    see_the_others_go_on();
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
    for (std::uint32_t number = 0; number < process_count(); ++number) {
      const pid_t group = running_[number]->id();
      kill(number);
      end_children(number, group);
    }
    look();
    BOOST_TEST(heard_.count() > 0U);
  }
  [[nodiscard]] std::uint64_t kills() const { return kills_; }
  // That a new process took to open the file, use and close it.
  [[nodiscard]] milliseconds slowest() const { return slowest_; }
  // Those who were left when one was killed, until each had ended something it began after that.
  [[nodiscard]] milliseconds held_up() const { return held_up_; }

 private:
  [[nodiscard]] std::uint32_t process_count() const {
    return scene_.writers + scene_.readers + scene_.compactors;
  }
  // Compacting takes longer than anything else, and is to be struck in each part of it.
  std::uint32_t choose() {
    const bool strikes_compactor = scene_.compactors > 0 && random_() % 2 == 0;
    const std::uint32_t first = strikes_compactor ? scene_.writers + scene_.readers : 0;
    return first + static_cast<std::uint32_t>(random_() % (process_count() - first));
  }
  [[nodiscard]] bool is_compactor(std::uint32_t process) const {
    return process >= scene_.writers + scene_.readers;
  }
  void start(std::uint32_t number) {
    progress_.start_anew(number);
    const Steps steps(progress_, number);
    if (is_compactor(number)) {
      running_[number] =
          std::make_unique<Child>([this, steps] { return compact_until_killed(path_, steps); });
    } else if (number >= scene_.writers) {
      running_[number] = std::make_unique<Child>(
          [this, steps] { return read_until_killed(path_, steps, scene_.deletes); });
    } else {
      progress_.start_anew(number + kChildren);
      first_[number] = next_[number] + 1;
      next_[number] += kRoom;
      running_[number] = std::make_unique<Child>([this, number] {
        Writer writer(path_, number, first_[number], scene_.deletes, heard_.writing(), progress_);
        return writer.write_until_killed(scene_.children);
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
    while (waitpid(-group, nullptr, 0) > 0 || errno == EINTR) {
    }
    ++kills_;
    want(number + kChildren, first_[number]);
  }
  void want(std::uint32_t writer, std::uint32_t first) {
    heard_.hear();
    wanted_.add_life(writer, first, heard_.last(writer), scene_.deletes);
  }
  // Each of them ends something that it has begun after the kill.
  void see_the_others_go_on() {
    std::map<std::uint32_t, std::uint64_t> counts;
    for (const auto& [number, child] : running_) counts[number] = progress_.of(number);
    for (std::uint32_t number = kChildren; number < kChildren + scene_.writers; ++number) {
      // The child of the killed one as well, if it was there.
      if (progress_.of(number) > 0) counts[number] = progress_.of(number);
    }
    const auto began = Clock::now();
    for (const auto& [number, before] : counts) {
      while (progress_.of(number) < before + 2) {
        heard_.hear();  // so that no writer waits for room
        BOOST_REQUIRE_MESSAGE(Clock::now() - began < kHangs, "process " << number << " is held up");
        usleep(100);
      }
    }
    // Compacting holds up writers for as long as it takes.
    const bool is_compacting = std::ranges::any_of(
        counts, [this](const auto& one) { return is_compactor(one.first % kChildren); });
    if (is_compacting) return;
    held_up_ = std::max(held_up_, std::chrono::ceil<milliseconds>(Clock::now() - began));
  }
  void look() {
    const auto before = Clock::now();
    Child fresh([this] {
      tl_store* store = nullptr;
      CHILD_CHECK(1, tl_open(path_.c_str(), nullptr, &store) == TL_OK);
      CHILD_CHECK(2, tl_flush(store, UINT32_MAX, nullptr) == TL_OK);
      CHILD_CHECK(3, tl_close(store, UINT32_MAX, nullptr) == TL_OK);
      return 0;
    });
    BOOST_REQUIRE(fresh.wait() == 0);
    slowest_ = std::max(slowest_, std::chrono::ceil<milliseconds>(Clock::now() - before));
    wanted_.check(path_);
  }

  std::string path_;
  Scene scene_;
  std::mt19937& random_;
  Acknowledgements heard_;
  Progress progress_;
  Wanted wanted_;
  std::map<std::uint32_t, std::uint32_t> next_, first_;
  std::map<std::uint32_t, std::unique_ptr<Child>> running_;
  std::uint64_t kills_ = 0;
  milliseconds slowest_{0};
  milliseconds held_up_{0};
};

}  // namespace

std::string trace_id(std::uint32_t writer) { return "trace-" + std::to_string(writer); }
std::string observation_id(std::uint32_t writer, std::uint32_t number) {
  return std::to_string(writer) + "-" + std::to_string(number);
}

bool put(tl_store* store, std::uint32_t writer, std::uint32_t number, const std::string& trace) {
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

void kill_again_and_again(const char* kind, const Scene& scene) {
  const tracelite::test::Torture torture(kind);
  const std::uint64_t seed = store::test::random_seed();
  std::mt19937 random(static_cast<std::mt19937::result_type>(seed));
  const bool is_of_many = scene.writers > 1 || scene.compactors > 0;
  const std::uint64_t usual =
      tracelite::test::number_from("TL_KILLS", is_of_many ? kUsualKillsOfMany : kUsualKills);
  milliseconds slowest{0};
  milliseconds held_up{0};
  std::uint64_t kills = 0;
  while (torture.wants_more(kills, usual)) {
    const Folder folder(store::test::fast_folder());
    { const Store create(folder.file()); }
    Processes processes(folder.file(), scene, random);
    for (std::uint64_t i = 0; i < kKillsEach && torture.wants_more(kills + i, usual); ++i) {
      processes.kill_one();
    }
    processes.kill_all();
    BOOST_TEST(folder.names() == store::test::kOnlyTheDataFile, boost::test_tools::per_element());
    kills += processes.kills();
    slowest = std::max(slowest, processes.slowest());
    held_up = std::max(held_up, processes.held_up());
  }
  std::cout << kind << ": the slowest opening took " << slowest.count()
            << " ms; others went on after at most " << held_up.count() << " ms\n";
  if (!tracelite::test::kUnderSanitizer) {
    BOOST_TEST((slowest < kHeldUpMax), "a new process was held up for " << slowest.count());
    BOOST_TEST((held_up < kHeldUpMax), "others were held up for " << held_up.count());
  }
  torture.report(kills, tracelite::test::failures(), seed);
}

}  // namespace tracelite::api::test
