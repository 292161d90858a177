// A consistent view of the file at one commit: an LMDB read transaction and a SQLite connection
// pinned to it.
//
// Threads: a snapshot may be used by several cursors on several threads; calls through it take
// turns (Use). Between calls it may be expired, when the map must grow: the next call begins a
// newer view, and cursors go on from their position.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "model/result.hpp"
#include "query/statement.hpp"
#include "store/environment.hpp"

struct sqlite3;

namespace tracelite::index {
class MemoryImage;
}

namespace tracelite::query {

class TermCache;

// Makes an index in memory of what the transaction sees, where that of the file cannot be read;
// nullptr where it can.
using ImageFunction =
    std::function<Result<std::shared_ptr<const index::MemoryImage>>(store::ReadTransaction&)>;

// Reading connections of closed snapshots, with their prepared statements, for the next ones:
// opening a connection and preparing a query takes a hundred times as long as to pin it to another
// commit. Thread-safe. Does not keep an environment open.
class ReaderPool {
 public:
  static constexpr std::size_t kIdleCountMax = 4;

  // With `image`, snapshots of this pool ask for an index in memory, once a commit.
  explicit ReaderPool(ImageFunction image = {});
  ~ReaderPool();
  ReaderPool(const ReaderPool&) = delete;
  ReaderPool& operator=(const ReaderPool&) = delete;

 private:
  friend class Snapshot;
  struct State;
  std::unique_ptr<State> state_;
};

class Snapshot {
 public:
  // Errors: as Environment::begin_read, and those of an ImageFunction.
  static Result<std::shared_ptr<Snapshot>> open(std::shared_ptr<store::Environment> environment,
                                                std::shared_ptr<ReaderPool> pool = nullptr);
  ~Snapshot();
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  struct State;

  // The view for the time of one call. While a Use lives nobody else uses the snapshot, and the
  // thread that has it must not ask for another.
  class Use {
   public:
    ~Use();
    Use(Use&&) noexcept = default;
    Use& operator=(Use&&) = delete;

    [[nodiscard]] const store::ReadTransaction& transaction() const;
    // nullptr where the file has no index yet (nothing was ever recorded).
    [[nodiscard]] sqlite3* connection() const;
    // A statement must be dropped before the Use; there must be a connection.
    [[nodiscard]] Result<CachedStatement> prepare(Bytes sql) const;
    // Those of this view; there must be a connection.
    [[nodiscard]] TermCache& terms() const;
    // Until the Use ends, SQL that runs fails with `cancelled` once this is true.
    void watch(const std::atomic<bool>& cancelled) const;
    // Grows each time the view was renewed: what was read before may have changed.
    [[nodiscard]] std::uint64_t generation() const;

   private:
    friend class Snapshot;
    explicit Use(std::shared_ptr<State> state) : state_(std::move(state)) {}
    std::shared_ptr<State> state_;  // locked; nullptr once moved away
  };
  // Errors: as open; busy (it was expired, and the file was compacted since).
  Result<Use> use();

 private:
  explicit Snapshot(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;  // shared with the call that expires it
};

}  // namespace tracelite::query
