// Every allocation, write, sync, hole and call of an engine may fail, once or from then on: each
// call of the API gets a clear answer, nothing crashes, hangs or leaks, the file stays sound, what
// was acknowledged is there, and recording goes on when the cause has gone.
//
// TL_FAULTS=N tries N calls of each kind, evenly spread, and none twice; without it some hundred.
// TL_FAULT=NTH, or NTH+ for a fault that lasts, tries that alone, in this process: for a debugger.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "failure/script.hpp"
#include "store/helpers.hpp"
#include "support/coverage.hpp"
#include "support/fault_injector.hpp"
#include "support/sanitizers.hpp"
#include "support/torture.hpp"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

namespace tracelite::failure {
namespace {

using faults::Kind;
using faults::Lasting;
using store::test::fast_folder;
using store::test::Folder;
using test::Torture;

constexpr unsigned kHangingS = 20;
// What a process keeps until its end once it has done all of it: contexts of zstd, what OpenSSL and
// SQLite have made, the index to compare with. A second time it keeps nothing.
constexpr std::uint64_t kKeptAllocationsMax = 14;
// The pipe of what is drained on SIGTERM.
constexpr int kKeptDescriptorsMax = 2;

// Looked at one by one, because a list of them in /proc is a descriptor itself.
int open_descriptor_count() {
  constexpr int kDescriptorsMax = 256;
  int count = 0;
  for (int descriptor = 0; descriptor < kDescriptorsMax; ++descriptor) {
    if (fcntl(descriptor, F_GETFD) >= 0) ++count;
  }
  return count;
}

// What a child says of its try, beside what it prints.
enum Verdict : int { kSound = 0, kNotReached = 10, kUnexpected = 11, kUnsound = 12, kLeak = 13 };

// Runs the script in a process of its own, with the nth call failing. nth 0: none; then *calls is
// set to how many there are. For every second call the process has run it before, so that not one
// allocation may stay; the others fail in what is done for the first time, too.
class Trial {
 public:
  explicit Trial(const Folder& folder)
      : folder_(folder), base_(folder.file("base.tl")), other_(folder.file("other.tl")) {
    // In another process, so that each trial starts from nothing.
    store::test::Child maker([&] {
      make_base(base_, other_);
      return 0;
    });
    BOOST_REQUIRE(maker.wait() == 0);
  }

  int run(Kind kind, std::uint64_t nth, Lasting lasting, std::uint64_t* calls = nullptr) {
    const std::string path = folder_.file("trial.tl");
    const std::string backup = folder_.file("backup.tl");
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      if (entry.path() != base_ && entry.path() != other_) std::filesystem::remove(entry.path());
    }
    std::filesystem::copy_file(base_, path);
    int line[2];
    BOOST_REQUIRE(pipe(line) == 0);
    if (std::getenv("TL_FAULT") != nullptr) {
      return in_child(path.c_str(), backup.c_str(), kind, nth, lasting, line[1]);
    }
    std::fflush(nullptr);
    const pid_t child = fork();
    BOOST_REQUIRE(child >= 0);
    if (child == 0) {
      for (const int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) signal(number, SIG_DFL);
      alarm(kHangingS);
      const int verdict = in_child(path.c_str(), backup.c_str(), kind, nth, lasting, line[1]);
      std::fflush(nullptr);
      test::write_down_what_was_run();
      _exit(verdict);
    }
    close(line[1]);
    std::uint64_t count = 0;
    if (read(line[0], &count, sizeof count) == sizeof count && calls != nullptr) *calls = count;
    close(line[0]);
    int status = 0;
    BOOST_REQUIRE(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  int in_child(const char* path, const char* backup, Kind kind, std::uint64_t nth, Lasting lasting,
               int line) const {
    static Progress first;
    static Progress progress;
    const bool is_first_time = nth % 2 == 0;
    if (!is_first_time && run_before(path, backup, first) != nullptr) return kUnsound;
    const std::uint64_t live_before = faults::live_allocation_count();
    const int descriptors_before = open_descriptor_count();
    faults::arm(kind, nth == 0 ? UINT64_MAX : nth, lasting);
    run_script(path, backup, other_.c_str(), progress);
    faults::disarm();
    const std::uint64_t count = faults::call_count();
    if (write(line, &count, sizeof count) != sizeof count) return kUnsound;
    if (nth == 0 && progress.failed != nullptr) {
      std::fprintf(stderr, "with no fault at all %s failed\n", progress.failed);
      return kUnexpected;
    }
    if (progress.unexpected != TL_OK) {
      std::fprintf(stderr, "%s: %s: %s\n", progress.unexpected_of,
                   tl_status_name(progress.unexpected), progress.unexpected_message);
      return kUnexpected;
    }
    if (const char* wrong = look_after(path, progress)) {
      std::fprintf(stderr, "%s: %s\n", wrong, tl_error()->message);
      return kUnsound;
    }
#if defined(__SANITIZE_ADDRESS__)
    if (__lsan_do_recoverable_leak_check() != 0) return kLeak;
#endif
    if (faults::live_allocation_count() > live_before + (is_first_time ? kKeptAllocationsMax : 0)) {
      return kLeak;
    }
    const int more = open_descriptor_count() - descriptors_before;
    if (more > (is_first_time ? kKeptDescriptorsMax : 0)) {
      std::fprintf(stderr, "%d descriptors are open\n", more);
      return kLeak;
    }
    return nth > count && nth != 0 ? kNotReached : kSound;
  }

  // What was wrong, or nullptr.
  const char* run_before(const std::string& path, const char* backup, Progress& progress) const {
    const std::string copy = path + ".before";
    std::filesystem::copy_file(path, copy);
    run_script(copy.c_str(), backup, other_.c_str(), progress);
    const char* const wrong = look_after(copy.c_str(), progress);
    std::filesystem::remove(copy);
    return wrong;
  }

  const Folder& folder_;
  std::string base_;
  std::string other_;
};

std::string what_happened(int verdict) {
  switch (verdict) {
    case kUnexpected:
      return "gave an answer that a failing system does not explain";
    case kUnsound:
      return "left something wrong behind";
    case kLeak:
      return "leaked";
    case -SIGALRM:
      return "hung";
    default:
      return verdict < 0 ? "was killed by signal " + std::to_string(-verdict)
                         : "ended with code " + std::to_string(verdict);
  }
}

struct Fault {
  std::uint64_t nth;
  Lasting lasting;
};

// Evenly spread over the calls; at length, all of them, in the order of the seed.
std::vector<Fault> faults_to_try(std::uint64_t calls, const Torture& torture, std::uint64_t seed) {
  const std::uint64_t usual = test::number_from("TL_FAULTS", test::kUnderSanitizer ? 25 : 100);
  const std::uint64_t wanted = std::min(torture.is_long() ? calls : usual, calls);
  std::vector<Fault> chosen;
  for (const Lasting lasting : {Lasting::once, Lasting::on}) {
    for (std::uint64_t i = 0; i < wanted; ++i) chosen.push_back({i * calls / wanted + 1, lasting});
  }
  std::mt19937_64 random(seed);
  if (torture.is_long()) std::shuffle(chosen.begin(), chosen.end(), random);
  return chosen;
}

void try_kind(Kind kind) {
  const Folder folder(fast_folder());
  Trial trial(folder);
  if (const char* const one = std::getenv("TL_FAULT")) {
    const bool lasts = std::string_view(one).back() == '+';
    BOOST_TEST(trial.run(kind, std::strtoull(one, nullptr, 10),
                         lasts ? Lasting::on : Lasting::once) == kSound);
    return;
  }
  std::uint64_t calls = 0;
  BOOST_REQUIRE(trial.run(kind, 0, Lasting::once, &calls) == kSound);
  BOOST_REQUIRE(calls > 0U);
  const std::string name = faults::kKindNames[static_cast<std::size_t>(kind)];
  const Torture torture("failing " + name);
  const std::uint64_t seed = store::test::random_seed();
  std::uint64_t cases = 0;
  std::uint64_t found = 0;
  for (const auto& [nth, lasting] : faults_to_try(calls, torture, seed)) {
    if (torture.is_long() && !torture.wants_more(cases, 0)) break;
    const int verdict = trial.run(kind, nth, lasting);
    ++cases;
    if (verdict == kSound || verdict == kNotReached) continue;
    ++found;
    BOOST_ERROR(name << ' ' << nth << (lasting == Lasting::on ? "+ " : " ")
                     << what_happened(verdict));
  }
  torture.report(cases, found, seed);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(injection)

BOOST_AUTO_TEST_CASE(allocations_may_fail) { try_kind(Kind::allocation); }
BOOST_AUTO_TEST_CASE(writes_may_fail) { try_kind(Kind::write); }
BOOST_AUTO_TEST_CASE(syncs_may_fail) { try_kind(Kind::sync); }
BOOST_AUTO_TEST_CASE(holes_may_fail) { try_kind(Kind::hole); }
BOOST_AUTO_TEST_CASE(calls_of_lmdb_may_fail) { try_kind(Kind::lmdb); }
BOOST_AUTO_TEST_CASE(calls_of_sqlite_may_fail) { try_kind(Kind::sqlite); }

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::failure
