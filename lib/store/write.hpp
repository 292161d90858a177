// A write transaction that is run again, in a larger map, when the map of the file was full.
#pragma once

#include <utility>

#include "store/environment.hpp"

namespace tracelite::store {

// Calls `work` in a write transaction, which it commits, or gives an error; more than once if need
// be, so it must begin anew each time. Errors: those of begin_write, of grow and of `work`.
template <class Work>
Status write(Environment& environment, const Work& work,
             Durability durability = Durability::synced) {
  while (true) {
    Error error;
    {
      TL_TRY_ASSIGN(transaction, environment.begin_write(durability));
      Status done = work(transaction);
      if (done) return {};
      error = std::move(done).error();
    }
    if (!is_map_full(error)) return error;
    TL_TRY(environment.grow());
  }
}

}  // namespace tracelite::store
