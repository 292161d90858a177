#include "model_based/run.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string_view>
#include <utility>

#include "model_based/aging.hpp"
#include "model_based/calls.hpp"
#include "store/helpers.hpp"

namespace tracelite::model_based {

Run::Run(const std::string& path, Fault fault) : path_(path), fault_(fault) {
  std::filesystem::remove(path_);
  for (std::uint32_t which : {0U, 1U}) start(which);
  for (std::uint32_t which : {0U, 1U}) play(Verb::flush, which);
  looker_ = std::make_unique<Looker>(path_);
  position_ = looker_->position();
}
Run::~Run() { release_snapshots(); }

void Run::play(const Step& step) {
  switch (step.verb) {
    case Verb::erase:
      return erase(step);
    case Verb::erase_securely:
      return erase_securely(step);
    case Verb::reopen:
      players_[step.process]->play(step);
      acknowledge(step.process);
      live_[step.process] = {};
      return;
    case Verb::compact_while_other_records:
      return compact_while_other_records(step);
    case Verb::retain_by_age:
      return retain_by_age(step);
    case Verb::retain_by_size:
      return retain_by_size(step);
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
    case Verb::salvage:
      return salvage(step);
    default:
      players_[step.process]->play(step);
      take(step);
      // Compacting flushes first.
      if (step.verb == Verb::flush || step.verb == Verb::import || step.verb == Verb::compact ||
          step.verb == Verb::put_bare_session || step.verb == Verb::record_by_threads) {
        acknowledge(step.process);
      }
  }
}

std::string Run::diagnosis() const {
  try {
    const Looker another(path_);
    const bool agrees = looker_ && difference(another.read_all(), looker_->read_all()).empty();
    another.check();
    return agrees ? " (check finds nothing)" : " (another reader sees something else)";
  } catch (const Broken& broken) {
    return std::string(" (") + broken.what() + ")";
  }
}

void Run::finish() {
  compare();
  for (std::uint32_t which : {0U, 1U}) players_[which]->quit();
  looker_->expect(world_);
  looker_->check();
}

void Run::start(std::uint32_t which) { players_[which] = std::make_unique<Player>(path_); }

// What a step records is in the file some time, and surely once it is flushed.
void Run::take(const Step& step) {
  for (Change& change : changes_of(step, live_[step.process])) {
    if (const std::string secret = secret_of(change); !secret.empty()) {
      secrets_[change.key.id].insert(secret);
    }
    pending_[step.process].push_back(std::move(change));
  }
}
void Run::acknowledge(std::uint32_t which) {
  for (const Change& change : pending_[which]) acknowledge(change);
  pending_[which].clear();
}
void Run::acknowledge(const Change& change) {
  changed_.insert(change.key);
  if (fault_ == Fault::forgets_a_change && changed_.size() == 9) return;
  apply_change(world_, change);
}
void Run::flush() {
  for (std::uint32_t which : {0U, 1U}) play(Verb::flush, which);
}
void Run::rest() {
  for (std::uint32_t which : {0U, 1U}) play(Verb::end_all, which);
  flush();
}

void Run::compare() {
  flush();
  looker_->expect(world_);
  looker_->count(world_);
  looker_->expect_changes(world_, changed_, position_);
  if (fault_ == Fault::none) changed_.clear();
  looker_->check();
}

// ------------------------------------------------------------------------------ what goes

void Run::erase(const Step& step) {
  rest();
  players_[step.process]->play(step);
  if (fault_ == Fault::erases_too_little) {
    return erase_trace(world_, selection_of(step).trace_id);
  }
  model_based::erase(world_, selection_of(step));
}

void Run::erase_securely(const Step& step) {
  rest();
  Step told = step;
  told.numbers[3] = held_.empty() ? 0 : 1;
  const Selection selection = selection_of(step);
  const tl_status status = players_[step.process]->play(told);
  model_based::erase(world_, selection);
  if (status == TL_OK) expect_no_secrets_of(selection.trace_id);
}

void Run::expect_no_secrets_of(const std::string& trace_id) {
  const auto secrets = secrets_.extract(trace_id);
  // A dictionary may have been trained on it.
  if (secrets.empty() || looker_->has_dictionaries()) return;
  const std::string bytes = store::test::read_file(path_);
  for (const std::string& secret : secrets.mapped()) {
    require(bytes.find(secret) == std::string::npos,
            "the file still says what trace " + trace_id + " had: " + secret);
  }
}

void Run::compact_while_other_records(const Step& step) {
  Step other = step;
  other.verb = Verb::record_by_threads;
  other.process = 1 - step.process;
  players_[step.process]->tell(step);
  play(other);
  players_[step.process]->wait();
  acknowledge(step.process);
}

// The clock of the one that keeps the cap is set when that begins, and goes on.
void Run::retain_by_age(const Step& step) {
  using std::chrono::steady_clock;
  rest();
  Step other = step;
  other.verb = Verb::put_beside;
  other.process = 1 - step.process;
  std::vector<Change> meanwhile;
  const auto began = steady_clock::now();
  players_[step.process]->tell(step);
  if (step.numbers[1] / 2 % 2 != 0) {
    players_[other.process]->play(other);
    players_[other.process]->play({Verb::flush, other.process, {}});
    meanwhile = changes_of(other, live_[other.process]);
  }
  players_[step.process]->wait();
  const std::chrono::nanoseconds passed = steady_clock::now() - began;
  live_[step.process] = {};
  for (const Change& change : meanwhile) changed_.insert(change.key);
  age(world_, looker_->read_all(),
      {cutoff_ns(step), cutoff_ns(step) + passed.count(), keeps_bookmarked(step)}, meanwhile);
  looker_->expect(world_);
  looker_->count(world_);
}

void Run::retain_by_size(const Step& step) {
  rest();
  Step filling = step;
  filling.verb = Verb::fill;
  play(filling);
  play(Verb::flush, step.process);
  const auto times = looker_->times();
  players_[step.process]->play(step);
  live_[step.process] = {};
  shrink(world_, looker_->read_all(), times);
  looker_->expect(world_);
  looker_->count(world_);
}

// ------------------------------------------------------------------------------ crashes

// Killed in the middle of its steps: what is there is what it recorded up to some event, with all
// that was flushed before.
void Run::crash_recording(const Step& step) {
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
void Run::settle(std::uint32_t which) {
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

// Killed while it compacts, reindexes, deletes or keeps a cap: nothing has changed, but that of
// what is deleted some traces are gone, each with all that it had.
void Run::crash_working(const Step& step) {
  rest();
  constexpr std::array kWorks = {Verb::erase, Verb::compact, Verb::reindex, Verb::erase_securely,
                                 Verb::retain_by_age};
  Step work = step;
  work.verb = kWorks[step.numbers[3] % kWorks.size()];
  const auto began = std::chrono::steady_clock::now();
  players_[step.process]->tell(work);
  for (std::uint32_t i = step.numbers[2] % 3000; i > 0; --i) sched_yield();
  players_[step.process]->kill();
  const std::chrono::nanoseconds passed = std::chrono::steady_clock::now() - began;
  live_[step.process] = {};
  start(step.process);
  play(Verb::flush, step.process);
  if (work.verb == Verb::erase || work.verb == Verb::erase_securely) settle_erased(work);
  if (work.verb == Verb::retain_by_age) {
    const Aging aging{INT64_MIN, cutoff_ns(work) + passed.count(), keeps_bookmarked(work)};
    age(world_, looker_->read_all(), aging, {});
  }
  looker_->expect(world_);
}

void Run::settle_erased(const Step& work) {
  const World got = looker_->read_all();
  const Selection selection = selection_of(work);
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
}

// ------------------------------------------------------------------------------ snapshots, copies

void Run::hold_snapshot(const Step& step) {
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
  must(tl_snapshot_open(looker_->store(), &snapshot), "snapshot_open");
  held_.push_back({snapshot, world_});
}
void Run::release_snapshots() {
  for (const Held& held : held_) tl_snapshot_close(held.snapshot);
  held_.clear();
}

void Run::back_up() {
  flush();
  const std::string path = path_ + ".backup";
  must(tl_backup(looker_->store(), path.c_str(), nullptr, nullptr), "backup");
  {
    const Looker copy(path);
    copy.expect(world_);
    copy.check();
  }
  std::filesystem::remove(path);
}

void Run::export_and_import() {
  flush();
  const auto text_of_store = [](tl_store* store) {
    std::string text;
    const auto write_some = [](void* context, const void* data, std::size_t size) {
      static_cast<std::string*>(context)->append(static_cast<const char*>(data), size);
      return std::int32_t{0};
    };
    must(
        tl_export(store, nullptr, nullptr, TL_FORMAT_LANGFUSE, write_some, &text, nullptr, nullptr),
        "export");
    return text;
  };
  const std::string exported = text_of_store(looker_->store());
  const std::string path = path_ + ".imported";
  tl_store* copy = nullptr;
  must(tl_open(path.c_str(), nullptr, &copy), "open of a copy");
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
  {
    const Looker imported(path);
    imported.expect(with_strings);
  }
  require(again == exported, "an export that was imported exports the same");
  std::filesystem::remove(path);
}

// ------------------------------------------------------------------------------ salvage

// Of a backup, of a copy with all that is free and old in it, or of the file itself.
void Run::salvage(const Step& step) {
  if (step.numbers[0] % 3 == 2) return go_on_with_what_was_salvaged();
  flush();
  const std::string copy = path_ + ".copy";
  const std::string salvaged = path_ + ".salvaged";
  if (step.numbers[0] % 3 == 0) {
    must(tl_backup(looker_->store(), copy.c_str(), nullptr, nullptr), "backup");
  } else {
    std::filesystem::copy_file(path_, copy);
  }
  salvage(copy, salvaged);
  {
    const Looker looker(salvaged);
    looker.expect(world_);
    looker.count(world_);
    looker.check();
  }
  for (const std::string& path : {copy, salvaged}) std::filesystem::remove(path);
}

// Of a sound file nothing is left behind.
void Run::salvage(const std::string& from, const std::string& to) const {
  std::string findings;
  const auto take = [](void* context, tl_text where, tl_text message) {
    *static_cast<std::string*>(context) += string_of(where) + ": " + string_of(message) + "; ";
  };
  tl_salvage_report report{};
  report.struct_size = sizeof report;
  must(tl_salvage(from.c_str(), to.c_str(), take, &findings, nullptr, nullptr, &report), "salvage");
  require(findings.empty(), "salvage of a sound file leaves behind " + findings);
  require(report.lost_page_count + report.lost_value_count + report.lost_record_count +
                  report.lost_payload_count + report.doubtful_count ==
              0,
          "salvage of a sound file has lost something");
  std::map<tl_kind, std::uint64_t> counts;
  for (const auto& [key, fields] : visible(world_)) ++counts[key.kind];
  require(report.trace_count == counts[TL_KIND_TRACE] &&
              report.observation_count == counts[TL_KIND_OBSERVATION] &&
              report.score_count == counts[TL_KIND_SCORE] &&
              report.session_count == counts[TL_KIND_SESSION],
          "salvage counts something else than there is");
}

void Run::go_on_with_what_was_salvaged() {
  rest();
  release_snapshots();
  for (std::uint32_t which : {0U, 1U}) players_[which]->quit();
  looker_.reset();
  const std::string salvaged = path_ + ".salvaged";
  salvage(path_, salvaged);
  std::filesystem::remove(path_);
  std::filesystem::rename(salvaged, path_);
  live_ = {};
  for (std::uint32_t which : {0U, 1U}) start(which);
  looker_ = std::make_unique<Looker>(path_);
  // Positions are of a file.
  position_ = looker_->position();
  changed_.clear();
  looker_->expect(world_);
}

}  // namespace tracelite::model_based
