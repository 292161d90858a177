// Random sequences of everything that the API does, by two processes with threads, which are killed
// and started anew, against a model kept in maps. TL_SEED repeats a run; a run that fails is made
// shorter as long as it goes on failing, and its steps are printed.
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>

#include "model_based/looker.hpp"
#include "model_based/player.hpp"
#include "support/sanitizers.hpp"
#include "support/torture.hpp"

namespace tracelite::model_based {
namespace {

using store::test::fast_folder;
using store::test::Folder;

constexpr std::size_t kStepCount = 120;
constexpr std::uint64_t kUsualRunCount = test::kUnderSanitizer ? 5 : 12;
constexpr std::uint64_t kShorteningCountMax = 300;

// A fault in the model itself: what a run must notice.
enum class Fault { none, forgets_a_change, erases_too_little };

class Run {
 public:
  Run(const std::string& path, Fault fault) : path_(path), fault_(fault) {
    std::filesystem::remove(path_);
    for (std::uint32_t which : {0U, 1U}) start(which);
    for (std::uint32_t which : {0U, 1U}) play(Verb::flush, which);
    looker_ = std::make_unique<Looker>(path_);
    position_ = looker_->position();
  }
  ~Run() {
    for (const Held& held : held_) tl_snapshot_close(held.snapshot);
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  void play(const Step& step) {
    switch (step.verb) {
      case Verb::erase:
        return erase(step);
      case Verb::reopen:
        players_[step.process]->play(step);
        acknowledge(step.process);
        live_[step.process] = {};
        return;
      case Verb::compact_while_other_records:
        return compact_while_other_records(step);
      case Verb::crash_recording:
        return crash_recording(step);
      case Verb::crash_working:
        return crash_working(step);
      case Verb::compare:
        return compare();
      case Verb::browse:
        flush();
        return looker_->browse(world_, step);
      case Verb::walk:
        flush();
        return looker_->walk(world_, step);
      case Verb::get:
        flush();
        return looker_->get(world_, step);
      case Verb::hold_snapshot:
        return hold_snapshot(step);
      case Verb::back_up:
        return back_up();
      case Verb::export_and_import:
        return export_and_import();
      default:
        players_[step.process]->play(step);
        take(step);
        // Compacting flushes first.
        if (step.verb == Verb::flush || step.verb == Verb::import || step.verb == Verb::compact ||
            step.verb == Verb::record_by_threads) {
          acknowledge(step.process);
        }
    }
  }
  // Whether it is the file that is wrong, or the one that looks at it.
  [[nodiscard]] std::string diagnosis() const {
    try {
      const Looker another(path_);
      const bool agrees = difference(another.read_all(), looker_->read_all()).empty();
      another.check();
      return agrees ? " (check finds nothing)" : " (another reader sees something else)";
    } catch (const Broken& broken) {
      return std::string(" (") + broken.what() + ")";
    }
  }
  void finish() {
    compare();
    for (std::uint32_t which : {0U, 1U}) players_[which]->quit();
    looker_->expect(world_);
    looker_->check();
  }

 private:
  struct Held {
    tl_snapshot* snapshot;
    World seen;
  };

  void start(std::uint32_t which) { players_[which] = std::make_unique<Player>(path_); }
  void play(Verb verb, std::uint32_t which) { play({verb, which, {}}); }

  // What a step records is in the file some time, and surely once it is flushed.
  void take(const Step& step) {
    for (Change& change : changes_of(step, live_[step.process])) {
      pending_[step.process].push_back(std::move(change));
    }
  }
  void acknowledge(std::uint32_t which) {
    for (const Change& change : pending_[which]) acknowledge(change);
    pending_[which].clear();
  }
  void acknowledge(const Change& change) {
    changed_.insert(change.key);
    if (fault_ == Fault::forgets_a_change && changed_.size() == 9) return;
    apply_change(world_, change);
  }
  void flush() {
    for (std::uint32_t which : {0U, 1U}) play(Verb::flush, which);
  }

  void compare() {
    flush();
    looker_->expect(world_);
    looker_->count(world_);
    looker_->expect_changes(world_, changed_, position_);
    if (fault_ == Fault::none) changed_.clear();
    looker_->check();
  }

  void erase(const Step& step) {
    for (std::uint32_t which : {0U, 1U}) play(Verb::end_all, which);
    flush();
    players_[step.process]->play(step);
    if (fault_ == Fault::erases_too_little) {
      return erase_trace(world_, selection_of(step).trace_id);
    }
    model_based::erase(world_, selection_of(step));
  }

  void compact_while_other_records(const Step& step) {
    Step other = step;
    other.verb = Verb::record_by_threads;
    other.process = 1 - step.process;
    players_[step.process]->tell(step);
    play(other);
    players_[step.process]->wait();
    acknowledge(step.process);
  }

  // Killed in the middle of its steps: what is there is what it recorded up to some event, with all
  // that was flushed before.
  void crash_recording(const Step& step) {
    play(Verb::flush, 1 - step.process);
    const std::vector<Step> last = steps_before_crash(step);
    for (const Step& one : last) players_[step.process]->tell(one);
    for (std::size_t i = step.numbers[2] % (last.size() + 1); i > 0; --i) {
      players_[step.process]->wait();
    }
    players_[step.process]->kill();
    for (const Step& one : last) take(one);
    live_[step.process] = {};
    start(step.process);
    settle(step.process);
  }
  void settle(std::uint32_t which) {
    std::vector<Change> survived = std::move(pending_[which]);
    pending_[which].clear();
    const World got = looker_->read_all();
    World world = world_;
    std::size_t count = 0;  // the least that explains it: what changes nothing may not be there
    std::string wrong;
    while (!(wrong = difference(visible(world), got)).empty() && count < survived.size()) {
      apply_change(world, survived[count++]);
    }
    require(wrong.empty(), "after a crash the file has not what was recorded up to any of " +
                               std::to_string(survived.size()) + " events; with all: " + wrong);
    survived.resize(count);
    for (const Change& change : survived) acknowledge(change);
  }

  // Killed while it compacts, reindexes or deletes: nothing has changed, but that of what is
  // deleted some traces are gone, each with all that it had.
  void crash_working(const Step& step) {
    for (std::uint32_t which : {0U, 1U}) play(Verb::end_all, which);
    flush();
    constexpr std::array kWorks = {Verb::erase, Verb::compact, Verb::reindex};
    Step work = step;
    work.verb = kWorks[step.numbers[3] % kWorks.size()];
    players_[step.process]->tell(work);
    for (std::uint32_t i = step.numbers[2] % 3000; i > 0; --i) sched_yield();
    players_[step.process]->kill();
    live_[step.process] = {};
    start(step.process);
    play(Verb::flush, step.process);
    if (work.verb != Verb::erase) return looker_->expect(world_);
    const World got = looker_->read_all();
    const Selection selection = selection_of(step);
    const std::set<std::string> selected = selected_traces(world_, selection);
    std::size_t left = 0;
    for (const std::string& id : selected) {
      if (got.contains({TL_KIND_TRACE, "", id})) {
        ++left;
      } else {
        erase_trace(world_, id);
      }
    }
    // What has no trace goes last.
    if (left == 0 && !difference(visible(world_), got).empty()) {
      model_based::erase(world_, selection);
    }
    looker_->expect(world_);
  }

  void hold_snapshot(const Step& step) {
    if (held_.size() == 2) {
      const Held held = held_[step.numbers[0] % 2];
      std::erase_if(held_, [&](const Held& one) { return one.snapshot == held.snapshot; });
      const std::unique_ptr<tl_snapshot, void (*)(tl_snapshot*)> closing(held.snapshot,
                                                                         tl_snapshot_close);
      looker_->expect(held.seen, held.snapshot);
      return;
    }
    flush();
    tl_snapshot* snapshot = nullptr;
    require(tl_snapshot_open(looker_->store(), &snapshot) == TL_OK, "snapshot_open");
    held_.push_back({snapshot, world_});
  }

  void back_up() {
    flush();
    const std::string path = path_ + ".backup";
    const tl_status status = tl_backup(looker_->store(), path.c_str(), nullptr, nullptr);
    require(status == TL_OK, std::string("backup: ") + tl_error()->message);
    {
      const Looker copy(path);
      copy.expect(world_);
      copy.check();
    }
    std::filesystem::remove(path);
  }

  void export_and_import() {
    flush();
    const auto text_of_store = [](tl_store* store) {
      std::string text;
      const auto write_some = [](void* context, const void* data, std::size_t size) {
        static_cast<std::string*>(context)->append(static_cast<const char*>(data), size);
        return std::int32_t{0};
      };
      require(tl_export(store, nullptr, nullptr, TL_FORMAT_LANGFUSE, write_some, &text, nullptr,
                        nullptr) == TL_OK,
              std::string("export: ") + tl_error()->message);
      return text;
    };
    const std::string exported = text_of_store(looker_->store());
    const std::string path = path_ + ".imported";
    tl_store* copy = nullptr;
    require(tl_open(path.c_str(), nullptr, &copy) == TL_OK, "open of a copy");
    std::string_view rest = exported;
    const auto read_some = [](void* context, void* buffer, std::size_t capacity) {
      auto& left = *static_cast<std::string_view*>(context);
      const std::size_t size = left.copy(static_cast<char*>(buffer), capacity);
      left.remove_prefix(size);
      return static_cast<std::int64_t>(size);
    };
    const tl_status status = tl_import(copy, TL_FORMAT_LANGFUSE, read_some, &rest, nullptr, nullptr,
                                       nullptr, nullptr, nullptr);
    const std::string again = status == TL_OK ? text_of_store(copy) : std::string();
    tl_close(copy, UINT32_MAX, nullptr);
    require(status == TL_OK, "import of an export");
    // An event knows no plain text, but strings.
    World with_strings = world_;
    for (auto& [key, fields] : with_strings) {
      for (auto& [name, value] : fields) {
        const bool is_payload = name == "input" || name == "output";
        if (is_payload && value.front() == 'T') value = "J\"" + value.substr(1) + '"';
      }
    }
    const Looker imported(path);
    imported.expect(with_strings);
    require(again == exported, "an export that was imported exports the same");
    std::filesystem::remove(path);
  }

  std::string path_;
  Fault fault_;
  std::array<std::unique_ptr<Player>, 2> players_;
  std::array<LiveSpans, 2> live_;
  std::array<std::vector<Change>, 2> pending_;  // not flushed
  World world_;
  std::unique_ptr<Looker> looker_;
  std::vector<Held> held_;
  std::uint64_t position_ = 0;  // of the last comparison, and what was recorded since
  std::set<Key> changed_;
};

// What went wrong, and at which step; nothing if all is well.
struct Finding {
  std::size_t step;
  std::string what;
};
std::optional<Finding> play(const std::vector<Step>& steps, Fault fault) {
  const Folder folder(fast_folder());
  Run run(folder.file("run.tl"), fault);
  std::size_t at = 0;
  try {
    for (; at < steps.size(); ++at) run.play(steps[at]);
    run.finish();
  } catch (const Broken& broken) {
    return Finding{at, broken.what() + run.diagnosis()};
  }
  return std::nullopt;
}

// Leaves out what it fails without, in smaller and smaller pieces.
std::vector<Step> shortened(std::vector<Step> steps, Finding& finding, Fault fault) {
  steps.resize(std::min(steps.size(), finding.step + 1));
  std::uint64_t tries = 0;
  for (std::size_t piece = steps.size() / 2; piece > 0; piece /= 2) {
    for (std::size_t from = 0; from < steps.size() && tries < kShorteningCountMax;) {
      std::vector<Step> fewer = steps;
      const std::size_t to = std::min(from + piece, steps.size());
      fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(from),
                  fewer.begin() + static_cast<std::ptrdiff_t>(to));
      ++tries;
      if (const auto still = play(fewer, fault)) {
        finding = *still;
        steps = std::move(fewer);
      } else {
        from += piece;
      }
    }
  }
  return steps;
}

std::string told(const std::vector<Step>& steps, const Finding& finding, std::uint64_t seed) {
  std::string text = "TL_SEED=" + std::to_string(seed) + ": " + finding.what + ", at step " +
                     std::to_string(finding.step + 1) + " of\n";
  for (const Step& step : steps) text += "  " + text_of(step) + "\n";
  return text;
}

struct WithoutBrokenPipes {
  WithoutBrokenPipes() { signal(SIGPIPE, SIG_IGN); }
  ~WithoutBrokenPipes() { signal(SIGPIPE, SIG_DFL); }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(model_based, WithoutBrokenPipes,
                         *boost::unit_test::precondition(test::not_under_thread_sanitizer))

BOOST_AUTO_TEST_CASE(whatever_is_done_the_file_has_what_the_model_has) {
  const test::Torture torture("model");
  const std::uint64_t first_seed = store::test::random_seed();
  std::uint64_t cases = 0;
  while (torture.wants_more(cases, test::number_from("TL_RUNS", kUsualRunCount))) {
    const std::uint64_t seed = first_seed + cases++;
    const std::vector<Step> steps = random_steps(seed, kStepCount);
    auto finding = play(steps, Fault::none);
    if (!finding) continue;
    const std::vector<Step> fewer = shortened(steps, *finding, Fault::none);
    BOOST_ERROR(told(fewer, *finding, seed));
    break;
  }
  torture.report(cases, test::failures(), first_seed);
}

// That it can find something.
BOOST_AUTO_TEST_CASE(a_change_that_is_lost_is_found_and_shown_in_a_few_steps) {
  for (const Fault fault : {Fault::forgets_a_change, Fault::erases_too_little}) {
    const std::uint64_t seed = store::test::random_seed();
    std::vector<Step> steps;
    std::optional<Finding> finding;
    for (std::uint64_t tries = 0; !finding && tries < 30; ++tries) {
      steps = random_steps(seed + tries, kStepCount);
      finding = play(steps, fault);
    }
    BOOST_REQUIRE(finding.has_value());
    const std::vector<Step> fewer = shortened(steps, *finding, fault);
    BOOST_TEST(fewer.size() <= 12U, told(fewer, *finding, seed));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::model_based
