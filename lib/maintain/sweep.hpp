// What a deletion leaves to do: stale entries of the directory and, once nothing is to be seen in
// the file, all that is left in it.
//
// Knows what outlives its records. Must not know what was deleted.
#pragma once

#include <cstdint>
#include <optional>

#include "model/result.hpp"
#include "store/environment.hpp"

namespace tracelite::maintain {

class Sweep {
 public:
  // `has_deleted` false: only what a deletion has left that was ended before it could sweep.
  Sweep(store::Environment& environment, bool has_deleted)
      : environment_(environment), has_deleted_(has_deleted) {}

  // One transaction at most. True: there is more to do. Errors: those of a write, corrupt.
  Result<bool> step();

 private:
  Status look();
  // From here on in this family of runs, if it has too many entries.
  Status begin_pruning(store::KeySpace family, std::uint64_t live_count);
  Status prune(store::KeySpace family);
  Status empty();

  enum class Stage : std::uint8_t { look, directory, observations, empty, done };
  store::Environment& environment_;
  bool has_deleted_;
  Stage stage_ = Stage::look;
  std::uint64_t live_observations_ = 0;
  std::optional<std::uint32_t> next_run_;
};

}  // namespace tracelite::maintain
