// What a run does, step by step. A step is a few numbers, so that it means something whatever steps
// before it are left out: that is how a run that fails is made shorter.
#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace tracelite::model_based {

enum class Verb : std::uint32_t {
  // By one of the two processes that have the file open for writing.
  put_trace,
  put_observation,
  put_score,
  put_session,
  put_secret,
  import,
  put_bare_session,  // and flush: nobody could see whether it is there while a trace names it
  begin,
  update,
  append,
  end,
  record_by_threads,
  flush,
  reopen,
  erase,
  erase_securely,
  compact,
  compact_while_other_records,
  reindex,
  end_all,
  put_beside,  // while the other one keeps a cap
  fill,        // so that there is more than a cap
  retain_by_age,
  retain_by_size,
  // SIGKILL, while it records or while it does long work.
  crash_recording,
  crash_working,
  // By the one that looks, which has the file open for reading.
  compare,
  browse,
  walk,
  get,
  hold_snapshot,
  back_up,
  export_and_import,
  salvage,
  quit  // no step of a run
};

struct Step {
  Verb verb = Verb::flush;
  std::uint32_t process = 0;
  std::array<std::uint32_t, 4> numbers{};
};

std::vector<Step> random_steps(std::uint64_t seed, std::size_t count);
// What a process records before it is killed.
std::vector<Step> steps_before_crash(const Step& crash);
std::string text_of(const Step& step);

}  // namespace tracelite::model_based
