// The power goes at any moment: whatever the disk then holds (disk_image.hpp) opens, is sound, has
// all that was flushed and nothing half of a commit, and recording goes on in it.
//
// TL_POWER_CUT_IMAGES says how many images to try, TL_TORTURE_SECONDS for how long; TL_SEED
// repeats.
#include <fcntl.h>
#include <lmdb.h>
#include <sys/resource.h>
#include <unistd.h>
#include <xxhash.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "crash/disk_image.hpp"
#include "crash/power_cut_work.hpp"
#include "store/helpers.hpp"
#include "store/testing.hpp"
#include "support/sanitizers.hpp"
#include "support/torture.hpp"

namespace tracelite::crash::test {
namespace {

using recording::Entry;
using store::test::Child;
using store::test::Folder;
using store::test::Line;

constexpr unsigned kHangsS = 60;
constexpr std::uint64_t kUsualImages = tracelite::test::kUnderSanitizer ? 84 : 1'000;
constexpr std::uint64_t kProofImages = tracelite::test::kUnderSanitizer ? 40 : 250;
constexpr int kThoroughOneIn = 8;

// What is recorded, and by which rule it is judged.
struct Run {
  Work work = Work::recording;
  bool may_lose_last = false;
};

// Where to cut, and which of the images there.
struct Case {
  std::uint32_t round = 0;
  std::uint32_t cut = 0;
  bool operator<(const Case& other) const {
    return std::pair(round, cut) < std::pair(other.round, other.cut);
  }
};

// From the process that opens the images: they may crash it.
struct Report {
  Case tried;
  char is_done = 0;
  std::array<char, 300> finding{};
};
static_assert(sizeof(Report) <= 512, "pipe writes of that size are atomic");

struct Outcome {
  std::uint64_t images = 0;
  std::uint64_t lost = 0;
  std::uint64_t unsound = 0;
  std::vector<std::string> examples;
  [[nodiscard]] std::uint64_t faults() const { return lost + unsound; }

  void take(const Run& run, const Case& tried, const std::string& finding) {
    ++images;
    if (finding.empty()) return;
    ++(finding.starts_with("lost") ? lost : unsound);
    constexpr std::size_t kExamplesMax = 5;
    if (examples.size() >= kExamplesMax) return;
    examples.push_back(std::string(name_of(run.work)) + (run.may_lose_last ? ", last commit" : "") +
                       ", cut " + std::to_string(tried.cut) + ", round " +
                       std::to_string(tried.round) + ": " + finding);
  }
};

std::uint64_t digest(const Image& image, const Expected& expected) {
  std::uint64_t hash = expected.mark_count;
  for (const auto& [name, bytes] : image) {
    hash = XXH3_64bits_withSeed(name.data(), name.size(), hash);
    hash = XXH3_64bits_withSeed(bytes.data(), bytes.size(), hash);
  }
  return hash;
}

// Opens images of one log, one after the other.
class Cutter {
 public:
  Cutter(const std::vector<Entry>& log, const Run& run, std::uint64_t seed, std::uint64_t wanted,
         const Folder& folder)
      : log_(log), run_(run), seed_(seed), wanted_(wanted), folder_(folder) {
    constexpr std::uint64_t kRoundsAtLeast = 6;
    const std::uint64_t share = wanted * 100 / (log.size() * kRoundsAtLeast + 1);
    per_cent_ = static_cast<unsigned>(std::clamp<std::uint64_t>(share, 1, 100));
  }

  // Until there are as many as wanted, or no more that are new.
  void run(const Case& after, const std::function<void(const Report&)>& say) {
    constexpr std::uint32_t kBarrenRoundsMax = 20;
    std::uint32_t barren = 0;
    for (std::uint32_t round = after.round; barren < kBarrenRoundsMax; ++round) {
      const std::uint64_t before = count_;
      if (!run_round(round, after, say)) return;
      barren = count_ == before ? barren + 1 : 0;
    }
  }

 private:
  bool run_round(std::uint32_t round, const Case& after,
                 const std::function<void(const Report&)>& say) {
    Disk disk;
    Expected expected;
    expected.may_lose_last = run_.may_lose_last;
    for (std::uint32_t cut = 0; cut <= log_.size(); ++cut) {
      const bool is_mark = cut < log_.size() && log_[cut].kind == recording::Kind::mark;
      const Case here{round, cut};
      std::mt19937_64 random(seed_ + (std::uint64_t{round} << 32 | cut) * 0x9e3779b97f4a7c15ULL);
      const bool due = random() % 100 < per_cent_;
      if (!is_mark && due && after < here) {
        if (count_ >= wanted_) return false;
        try_one(disk, expected, here, random, say);
      }
      if (cut == log_.size()) break;
      disk.apply(log_[cut]);
      if (is_mark) expected.take(log_[cut]);
    }
    return true;
  }

  void try_one(const Disk& disk, const Expected& expected, const Case& here,
               std::mt19937_64& random, const std::function<void(const Report&)>& say) {
    Choice choice = Choice::random;
    if (here.round == 0) choice = Choice::none;
    if (here.round == 1) choice = Choice::all;
    Image image = disk.image(choice, random);
    if (!seen_.insert(digest(image, expected)).second) return;
    ++count_;
    Report report;
    report.tried = here;
    say(report);
    lay_out(image, random);
    alarm(kHangsS);
    const std::string finding = judge(folder_.file(), expected, random() % kThoroughOneIn == 0);
    finding.copy(report.finding.data(), report.finding.size() - 1);
    report.is_done = 1;
    say(report);
  }

  void lay_out(Image& image, std::mt19937_64& random) {
    for (const std::string& name : folder_.names()) unlink(folder_.file(name).c_str());
    for (auto& [name, bytes] : image) {
      // What processes wrote into a lock file went through a shared map.
      if (name.ends_with("-lock")) {
        for (char& byte : bytes) byte = static_cast<char>(random());
      }
      store::test::write_file(folder_.file(name), bytes);
    }
  }

  const std::vector<Entry>& log_;
  Run run_;
  std::uint64_t seed_;
  std::uint64_t wanted_;
  unsigned per_cent_ = 100;
  std::uint64_t count_ = 0;
  std::set<std::uint64_t> seen_;
  const Folder& folder_;
};

// Opens images in a process of their own, in another one whenever an image has ended that.
Outcome cut_again_and_again(const Run& run, const std::vector<Entry>& log, std::uint64_t seed,
                            std::uint64_t wanted, const std::function<bool()>& is_over) {
  const Folder folder(store::test::fast_folder());  // stays when the other process dies
  Outcome outcome;
  Case after{0, 0};
  while (outcome.images < wanted && !is_over()) {
    Line line;
    Child child([&] {
      line.close_reading();
      const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
      dup2(nowhere, STDERR_FILENO);  // LMDB and the sanitizers on what they meet
      const rlimit no_core = {0, 0};
      setrlimit(RLIMIT_CORE, &no_core);
      Cutter cutter(log, run, seed, wanted - outcome.images, folder);
      cutter.run(after, [&](const Report& report) {
        if (write(line.writing(), &report, sizeof report) != sizeof report) _exit(1);
      });
      return 0;
    });
    line.close_writing();
    Report report;
    bool under_way = false;
    while (!is_over() && read(line.reading(), &report, sizeof report) == sizeof report) {
      under_way = report.is_done == 0;
      after = report.tried;
      if (!under_way) outcome.take(run, report.tried, report.finding.data());
    }
    if (is_over()) break;
    const int code = child.wait();
    if (!under_way) {
      BOOST_REQUIRE(code == 0);
      break;  // there are no more
    }
    outcome.take(run, after, "unsound: ended by " + std::to_string(code));
  }
  return outcome;
}

const std::function<bool()> kNever = [] { return false; };

void weaken_folder_syncs(std::vector<Entry>& log) {
  std::erase_if(log, [](const Entry& entry) { return entry.kind == recording::Kind::sync_folder; });
}

// Syncs that have nothing but zeros to make durable.
void weaken_syncs_of_zeros(std::vector<Entry>& log) {
  std::map<std::uint32_t, bool> has_zeros_alone;
  std::erase_if(log, [&](const Entry& entry) {
    if (entry.kind == recording::Kind::write) {
      const bool is_zero = std::ranges::all_of(entry.data, [](char byte) { return byte == '\0'; });
      const auto [found, is_first] = has_zeros_alone.emplace(entry.file, is_zero);
      found->second = found->second && is_zero;
      return false;
    }
    // The head of a commit.
    if (entry.kind == recording::Kind::sync_range) has_zeros_alone.erase(entry.file);
    if (entry.kind != recording::Kind::sync) return false;
    const auto found = has_zeros_alone.find(entry.file);
    const bool goes = found != has_zeros_alone.end() && found->second;
    if (!goes) has_zeros_alone.erase(entry.file);
    return goes;
  });
}

constexpr std::array<Run, 11> kRuns = {{{Work::recording, false},
                                        {Work::import, false},
                                        {Work::deleting, false},
                                        {Work::erasing, false},
                                        {Work::erasing, true},
                                        {Work::compacting, false},
                                        {Work::growing, false},
                                        {Work::retention, false},
                                        {Work::retention, true},
                                        {Work::recording, true},
                                        {Work::compacting, true}}};

}  // namespace

BOOST_AUTO_TEST_SUITE(power_cut,
                      *boost::unit_test::precondition(tracelite::test::not_under_thread_sanitizer))

BOOST_AUTO_TEST_CASE(whatever_it_leaves_opens_is_sound_and_has_what_was_flushed) {
  const tracelite::test::Torture torture("power cut");
  const std::uint64_t seed = store::test::random_seed();
  const std::uint64_t usual = tracelite::test::number_from("TL_POWER_CUT_IMAGES", kUsualImages);
  const std::uint64_t wanted = torture.is_long() ? UINT32_MAX : usual / kRuns.size() + 1;
  const auto began = std::chrono::steady_clock::now();
  std::uint64_t images = 0;
  std::uint64_t faults = 0;
  for (std::size_t i = 0; i < kRuns.size(); ++i) {
    const Run& run = kRuns.at(i);
    const Folder folder(store::test::fast_folder());
    const auto log = record(run.work, folder.path(), run.may_lose_last);
    const auto until = began + torture.duration() * (i + 1) / kRuns.size();
    const Outcome outcome = cut_again_and_again(run, log, seed, wanted, [&] {
      return torture.is_long() && std::chrono::steady_clock::now() > until;
    });
    for (const std::string& example : outcome.examples) BOOST_ERROR(example);
    BOOST_TEST(outcome.faults() == 0U);
    std::cout << name_of(run.work) << (run.may_lose_last ? ", last commit" : "") << ": "
              << outcome.images << " images of " << log.size() << " operations, " << outcome.lost
              << " lost, " << outcome.unsound << " unsound\n";
    images += outcome.images;
    faults += outcome.faults();
  }
  BOOST_TEST(images > 0U);
  torture.report(images, faults, seed);
}

// The proof that it would be found.
BOOST_AUTO_TEST_CASE(without_syncs_it_finds_unsound_files_and_lost_records) {
  store::testing::more_engine_flags = MDB_NOSYNC;
  const Run run{Work::recording, false};
  const Folder folder(store::test::fast_folder());
  const auto log = record(run.work, folder.path(), run.may_lose_last);
  store::testing::more_engine_flags = 0;
  const std::uint64_t seed = store::test::random_seed();
  const Outcome outcome = cut_again_and_again(run, log, seed, kProofImages, kNever);
  std::cout << "without syncs: " << outcome.images << " images, " << outcome.lost << " lost, "
            << outcome.unsound << " unsound\n";
  BOOST_TEST(outcome.lost > 0U);
  BOOST_TEST(outcome.unsound > 0U);
}

// When the snapshot is closed is left to chance.
BOOST_AUTO_TEST_CASE(without_the_sync_of_zeros_it_finds_what_was_to_be_erased) {
  const Run run{Work::erasing, false};
  Outcome outcome;
  constexpr int kTriesMax = 4;
  for (int tries = 0; tries < kTriesMax && outcome.unsound == 0; ++tries) {
    const Folder folder(store::test::fast_folder());
    auto log = record(run.work, folder.path(), run.may_lose_last);
    weaken_syncs_of_zeros(log);
    outcome = cut_again_and_again(run, log, store::test::random_seed(), kProofImages, kNever);
  }
  std::cout << "without the sync of zeros: " << outcome.images << " images, " << outcome.lost
            << " lost, " << outcome.unsound << " unsound\n";
  BOOST_TEST(outcome.lost == 0U);
  BOOST_TEST(outcome.unsound > 0U);
}

BOOST_AUTO_TEST_CASE(without_the_sync_of_the_folder_it_finds_lost_records) {
  for (const Work work : {Work::recording, Work::compacting}) {
    const Run run{work, false};
    const Folder folder(store::test::fast_folder());
    auto log = record(run.work, folder.path(), run.may_lose_last);
    weaken_folder_syncs(log);
    const std::uint64_t seed = store::test::random_seed();
    const Outcome outcome = cut_again_and_again(run, log, seed, kProofImages, kNever);
    std::cout << "without the sync of the folder, " << name_of(work) << ": " << outcome.images
              << " images, " << outcome.lost << " lost, " << outcome.unsound << " unsound\n";
    BOOST_TEST(outcome.lost > 0U);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::crash::test
