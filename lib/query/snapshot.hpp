// A consistent view of the file at one commit: an LMDB read transaction and a SQLite connection
// pinned to it.
//
// Threads: a snapshot may be used by several cursors on several threads; calls through it take turns
// (lock()). Between calls it may be expired, when the map must grow: the next call begins a newer
// view, and cursors go on from their position.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "index/page_file.hpp"
#include "model/result.hpp"
#include "store/environment.hpp"

namespace tracelite::query {

class Snapshot : public std::enable_shared_from_this<Snapshot> {
 public:
  // Errors: as Environment::begin_read.
  static Result<std::shared_ptr<Snapshot>> open(std::shared_ptr<store::Environment> environment);
  ~Snapshot();
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  // The view for the time of one call. While a Use lives nobody else uses the snapshot.
  class Use {
   public:
    [[nodiscard]] const store::ReadTransaction& transaction() const;
    // nullptr where the file has no index yet (nothing was ever recorded).
    [[nodiscard]] sqlite3* connection() const;
    // Grows each time the view was renewed: statements of an older generation are gone.
    [[nodiscard]] std::uint64_t generation() const;

   private:
    friend class Snapshot;
    std::unique_lock<std::mutex> lock_;
    Snapshot* snapshot_ = nullptr;
  };
  Result<Use> use();

 private:
  struct State;
  explicit Snapshot(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tracelite::query
