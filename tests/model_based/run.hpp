// A run: two processes that write, one that looks, and the model of what must be there; each step
// is done to both.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "model_based/looker.hpp"
#include "model_based/player.hpp"
#include "model_based/world.hpp"

namespace tracelite::model_based {

// A fault in the model itself: what a run must notice.
enum class Fault { none, forgets_a_change, erases_too_little };

class Run {
 public:
  // Of a new file at `path`.
  Run(const std::string& path, Fault fault);
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  // Throws Broken.
  void play(const Step& step);
  void finish();
  // Whether it is the file that is wrong, or the one that looks at it.
  [[nodiscard]] std::string diagnosis() const;

 private:
  struct Held {
    tl_snapshot* snapshot;
    World seen;
  };

  void start(std::uint32_t which);
  void play(Verb verb, std::uint32_t which) { play({verb, which, {}}); }
  // Both have ended what is live, and flushed.
  void rest();
  void flush();
  void take(const Step& step);
  void acknowledge(std::uint32_t which);
  void acknowledge(const Change& change);
  void compare();

  void erase(const Step& step);
  void erase_securely(const Step& step);
  void expect_no_secrets_of(const std::string& trace_id);
  void compact_while_other_records(const Step& step);
  void retain_by_age(const Step& step);
  void retain_by_size(const Step& step);
  void crash_recording(const Step& step);
  void settle(std::uint32_t which);
  void crash_working(const Step& step);
  void settle_erased(const Step& work);
  void hold_snapshot(const Step& step);
  void release_snapshots();
  void back_up();
  void export_and_import();
  void salvage(const Step& step);
  void salvage(const std::string& from, const std::string& to) const;
  void go_on_with_what_was_salvaged();

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
  std::map<std::string, std::set<std::string>> secrets_;  // that a trace had at some time
};

}  // namespace tracelite::model_based
