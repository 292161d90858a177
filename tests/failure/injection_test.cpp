// Every allocation, write, sync, hole and call of an engine may fail, once or from then on: each
// call of the API gets a clear answer, nothing crashes, hangs or leaks, the file stays sound, what
// was acknowledged is there, and recording goes on when the cause has gone.
//
// TL_FAULTS=N tries N calls of each kind, evenly spread, and none twice, with each error it may
// fail with; without it a few dozen, which take turns with the errors. TL_FAULT=NTH, or NTH+ for a
// fault that lasts, with :ERROR behind it (faults::kErrorNames), tries that alone, in this process:
// for a debugger.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <zstd.h>

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "failure/look_after.hpp"
#include "failure/script.hpp"
#include "store/helpers.hpp"
#include "store/zstd_contexts.hpp"
#include "support/coverage.hpp"
#include "support/fault_injector.hpp"
#include "support/sanitizers.hpp"
#include "support/torture.hpp"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

namespace tracelite::failure {
namespace {

using faults::Fault;
using faults::Kind;
using faults::Lasting;
using store::test::fast_folder;
using store::test::Folder;
using test::Torture;

constexpr unsigned kHangingS = 60;
// What a process keeps until its end once it has done all of it: contexts of zstd, what OpenSSL and
// SQLite have made, the index to compare with. A second time it keeps nothing.
constexpr std::int64_t kKeptAllocationsMax = 20;
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

// What zstd works with stays for the next one; so many at once may be wanted by other threads than
// the last time.
void make_idle_contexts() {
  constexpr int kKeptContextCount = 4;
  std::array<store::CompressionContext, kKeptContextCount> compressing;
  std::array<store::DecompressionContext, kKeptContextCount> decompressing;
  const std::string text(std::size_t{1} << 10, ' ');
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  for (auto& context : compressing) {
    context = store::borrow_compression_context();
    ZSTD_compressCCtx(context.get(), packed.data(), packed.size(), text.data(), text.size(), 3);
  }
  for (auto& context : decompressing) context = store::borrow_decompression_context();
}

// What a child says of its try, beside what it prints.
enum Verdict : int { kSound = 0, kNotReached = 10, kWrong = 11, kUnsound = 12, kLeak = 13 };

// What a child tells of a run without a fault.
struct Told {
  std::uint64_t call_count = 0;
  Progress answers;
};

// Runs the script in a process of its own, with one call failing. For every second call the process
// has run it before, so that not one allocation may stay; the others fail in what is done for the
// first time, too.
class Trial {
 public:
  Trial(const Folder& folder, Kind kind)
      : folder_(folder),
        base_(folder.file("base.tl")),
        other_(folder.file("other.tl")),
        store_(folder.file("trial.tl")),
        backup_(folder.file("backup.tl")),
        salvaged_(folder.file("salvaged.tl")) {
    // In another process, so that each trial starts from nothing.
    store::test::Child maker([&] {
      make_base(base_, other_);
      return 0;
    });
    BOOST_REQUIRE(maker.wait() == 0);
    BOOST_REQUIRE(run({kind, 0}) == kSound);
  }

  // How many calls there are of the kind, where nothing fails.
  [[nodiscard]] std::uint64_t call_count() const { return right_.call_count; }

  // nth 0: nothing fails, and what it tells is what is right.
  int run(const Fault& fault) {
    begin_anew();
    int line[2];
    BOOST_REQUIRE(pipe(line) == 0);
    std::fflush(nullptr);
    const pid_t child = fork();
    BOOST_REQUIRE(child >= 0);
    if (child == 0) {
      for (const int number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) signal(number, SIG_DFL);
      alarm(kHangingS);
      const int verdict = run_here(fault, line[1]);
      std::fflush(nullptr);
      test::write_down_what_was_run();
      _exit(verdict);
    }
    close(line[1]);
    if (fault.nth == 0 && read(line[0], &right_, sizeof right_) != sizeof right_) right_ = {};
    close(line[0]);
    int status = 0;
    BOOST_REQUIRE(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  int run_alone(const Fault& fault) const {
    begin_anew();
    return run_here(fault);
  }

 private:
  // In this process; the answers of nth 0 go to the line.
  int run_here(const Fault& fault, int line = -1) const {
    static Progress first;
    static Told told;
    Progress& progress = told.answers;
    const Paths paths{store_.c_str(), backup_.c_str(), salvaged_.c_str(), other_.c_str()};
    const bool is_first_time = fault.nth % 2 == 0;
    if (!is_first_time && !run_before(paths, first)) return kUnsound;
    if (!is_first_time) make_idle_contexts();
    const std::uint64_t live_before = faults::live_allocation_count();
    const int descriptors_before = open_descriptor_count();
    faults::arm({fault.kind, fault.nth == 0 ? UINT64_MAX : fault.nth, fault.lasting, fault.error});
    run_script(paths, progress);
    faults::disarm();
    told.call_count = faults::call_count();
    if (fault.nth == 0 && progress.failed != nullptr) {
      progress.say_wrong(progress.failed, "it has failed with no fault at all");
    }
    const char* const unsound = look_after(paths, progress);
    if (fault.nth == 0) must_be_whole(progress);
    if (fault.nth != 0) compare(progress, right_.answers);
    if (progress.wrong != nullptr) {
      std::fprintf(stderr, "%s: %s\n", progress.wrong, progress.wrong_message);
    }
    if (unsound != nullptr) std::fprintf(stderr, "%s: %s\n", unsound, tl_error()->message);
    if (unsound != nullptr) return kUnsound;
    if (progress.wrong != nullptr) return kWrong;
    if (fault.nth == 0 && write(line, &told, sizeof told) != sizeof told) return kUnsound;
#if defined(__SANITIZE_ADDRESS__)
    if (__lsan_do_recoverable_leak_check() != 0) return kLeak;
#endif
    const std::uint64_t kept = faults::live_allocation_count() - live_before;
    if (static_cast<std::int64_t>(kept) > (is_first_time ? kKeptAllocationsMax : 0)) {
      std::fprintf(stderr, "%llu allocations are left\n", static_cast<unsigned long long>(kept));
      return kLeak;
    }
    const int more = open_descriptor_count() - descriptors_before;
    if (more > (is_first_time ? kKeptDescriptorsMax : 0)) {
      std::fprintf(stderr, "%d descriptors are open\n", more);
      return kLeak;
    }
    return fault.nth > told.call_count && fault.nth != 0 ? kNotReached : kSound;
  }

  void begin_anew() const {
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      if (entry.path() != base_ && entry.path() != other_) std::filesystem::remove(entry.path());
    }
    std::filesystem::copy_file(base_, store_);
  }

  // What others are compared with.
  static void must_be_whole(Progress& progress) {
    for (std::size_t i = 0; i < progress.answer_count; ++i) {
      const Answer& answer = progress.answers[i];
      if (!answer.is_complete || !answer.is_exact) progress.say_wrong(answer.of, "it is not whole");
    }
  }

  // Whether it was right.
  static bool run_before(Paths paths, Progress& progress) {
    const std::string copy = std::string(paths.store) + ".before";
    std::filesystem::copy_file(paths.store, copy);
    paths.store = copy.c_str();
    run_script(paths, progress);
    const char* const unsound = look_after(paths, progress);
    std::filesystem::remove(copy);
    return unsound == nullptr && progress.wrong == nullptr;
  }

  const Folder& folder_;
  std::string base_, other_, store_, backup_, salvaged_;
  Told right_;
};

std::string what_happened(int verdict) {
  switch (verdict) {
    case kWrong:
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

// As TL_FAULT has it.
std::string name_of(const Fault& fault) {
  return std::to_string(fault.nth) + (fault.lasting == Lasting::on ? "+:" : ":") +
         faults::kErrorNames[static_cast<std::size_t>(fault.kind)][fault.error];
}
Fault fault_named(Kind kind, std::string_view name) {
  Fault fault{kind, std::strtoull(name.data(), nullptr, 10)};
  if (name.find('+') != std::string_view::npos) fault.lasting = Lasting::on;
  for (std::size_t i = 0; i < faults::error_count(kind); ++i) {
    if (name.ends_with(std::string(":") + faults::kErrorNames[static_cast<std::size_t>(kind)][i])) {
      fault.error = i;
    }
  }
  return fault;
}

// Evenly spread over the calls, and over the errors; at length, all of them, in the order of the
// seed.
std::vector<Fault> faults_to_try(Kind kind, std::uint64_t calls, const Torture& torture,
                                 std::uint64_t seed) {
  const bool is_wanted = std::getenv("TL_FAULTS") != nullptr;
  const std::uint64_t usual = test::number_from("TL_FAULTS", test::kUnderSanitizer ? 12 : 30);
  const std::uint64_t wanted = std::min(torture.is_long() && !is_wanted ? calls : usual, calls);
  const std::size_t errors = faults::error_count(kind);
  std::vector<Fault> chosen;
  for (const Lasting lasting : {Lasting::once, Lasting::on}) {
    for (std::uint64_t i = 0; i < wanted; ++i) {
      for (std::size_t error = 0; error < errors; ++error) {
        const bool has_turn = (i + (lasting == Lasting::on ? 1 : 0)) % errors == error;
        if (!torture.is_long() && !is_wanted && !has_turn) continue;
        chosen.push_back({kind, i * calls / wanted + 1, lasting, error});
      }
    }
  }
  std::mt19937_64 random(seed);
  if (torture.is_long()) std::shuffle(chosen.begin(), chosen.end(), random);
  return chosen;
}

void try_kind(Kind kind) {
  const Folder folder(fast_folder());
  Trial trial(folder, kind);
  if (const char* const one = std::getenv("TL_FAULT")) {
    BOOST_TEST(trial.run_alone(fault_named(kind, one)) == kSound);
    return;
  }
  BOOST_REQUIRE(trial.call_count() > 0U);
  const std::string name = faults::kKindNames[static_cast<std::size_t>(kind)];
  const Torture torture("failing " + name);
  const std::uint64_t seed = store::test::random_seed();
  std::uint64_t cases = 0;
  std::uint64_t found = 0;
  for (const Fault& fault : faults_to_try(kind, trial.call_count(), torture, seed)) {
    if (torture.is_long() && !torture.wants_more(cases, 0)) break;
    const int verdict = trial.run(fault);
    ++cases;
    if (verdict == kSound || verdict == kNotReached) continue;
    ++found;
    BOOST_ERROR(name << ' ' << name_of(fault) << ' ' << what_happened(verdict));
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
