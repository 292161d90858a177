// What an Environment and its transactions hold; shared by the .cpp files of this room only.
//
// An Environment outlives the file that it was opened with: when that has been replaced by a
// compacted one, it goes over to it at the next begin of a transaction (replacement.hpp).
#pragma once

#include <lmdb.h>

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "store/content_sums.hpp"
#include "store/environment.hpp"
#include "store/guard.hpp"
#include "store/lock_file.hpp"
#include "store/registry.hpp"
#include "store/traffic.hpp"

namespace tracelite::store {

using SpaceHandles = std::array<MDB_dbi, kKeySpaceCount>;

struct CloseEngine {
  void operator()(MDB_env* engine) const { mdb_env_close(engine); }
};
using Engine = std::unique_ptr<MDB_env, CloseEngine>;

// What packed key spaces have decoded, from a commit of this process to its next one, so that a
// trickle need not decode the same blocks for each commit.
class KeptCompanion {
 public:
  // For the write transaction of this number. Null if the commit before it is not the one that it
  // was kept from: somebody else may have changed what it holds.
  std::unique_ptr<Companion> take(std::uint64_t transaction);
  void keep(std::uint64_t commit, std::unique_ptr<Companion> companion);

 private:
  std::mutex mutex_;
  std::uint64_t commit_ = 0;
  std::unique_ptr<Companion> companion_;
};

// One data file (one inode) with its LMDB environment. Environments come and go to it through
// shared pointers: when the last one and the last transaction have left, it is closed, behind the
// guard's door (open.cpp).
struct OpenFile {
  std::string path;
  OpenOptions options;
  std::uint64_t number = 0;  // another one for each that this process opens
  Guard guard;
  LockKeeper lock_keeper;  // before the engine, so that it is destroyed after it
  Engine engine;
  SpaceHandles spaces{};
  std::uint64_t page_size_bytes = 0;  // LMDB's
  std::uint64_t lock_file_inode = 0;  // 0: none
  bool writable = false;
  bool opened_alone = false;
  bool is_registered = false;         // until then whoever opens it holds the lock of the registry
  std::atomic<bool> verified{false};  // all of it has been looked through
  std::uint64_t opened_at = 0;        // the number of the newest commit when this process opened it
  std::uint64_t fork_generation = store::fork_generation();

  Traffic traffic;
  // Held while the map is replaced, for calls that look at it without a transaction. They must not
  // wait in the traffic: their thread may have a transaction that is waited for.
  mutable std::mutex map_mutex;
  std::mutex sync_mutex;  // one thread at a time is told that a sync has failed
  std::mutex turnstile;   // orders the threads of this process at the guard's
  // The thread that holds the write transaction, to notice a second one in the same thread. The
  // next writer may enter itself before the last one has left.
  std::atomic<std::thread::id> writer{};
  std::atomic<std::uint64_t> full_map{0};  // the number of the map that was last found full
  std::atomic<std::uint64_t> writes_begun{0};
  std::atomic<std::uint64_t> reads_begun{0};
  // The number of the last one made by this process; not of one that changed nothing, whose number
  // the next one of anybody has.
  std::atomic<std::uint64_t> last_commit{0};
  std::atomic<std::uint64_t> durable_commit{0};  // one that is durable, with all before it
  // A commit in which there is no note of a replacement (replacement.hpp): the last one looked at.
  std::atomic<std::uint64_t> commit_without_note{0};
  // A write transaction was dropped by the wrong thread.
  std::atomic<bool> broken{false};
  // There is none, or it has no map: replacing one of them failed. The next transaction tries to
  // open another one. Changed under map_mutex, while no transaction is active.
  std::atomic<bool> engine_lost{false};

  // A sync has failed since the heads were last written: the system tells it once, and may take for
  // written what it could not write. Whoever writes next writes the heads again.
  std::atomic<bool> heads_in_doubt{false};
  std::atomic<std::uint64_t> failed_sync_count{0};
  // The same of zeros over unused bytes (unused_bytes.hpp).
  std::atomic<bool> zeros_in_doubt{false};

  // Only changed by whoever has the write transaction.
  bool syncs_heads = true;
  KeptCompanion kept;

  [[nodiscard]] bool forked() const { return fork_generation != store::fork_generation(); }
  // An error if the handle is not to be used.
  [[nodiscard]] Status usable() const;
  // Replaces map number `seen` by one that is larger by half at least, and by what another process
  // has written at least.
  Status enlarge_map(std::uint64_t seen);
  // Opens the engine anew, which LMDB wants after a write of the file's head has failed, if nobody
  // has done it since map number `seen`.
  Status revive(std::uint64_t seen);
  [[nodiscard]] MDB_envinfo information() const;
  // Whether the map has room for so much more.
  [[nodiscard]] bool has_room(std::uint64_t size_bytes) const;
  // The oldest commit that a snapshot of any process sees, `newest` if there is none.
  [[nodiscard]] std::uint64_t oldest_snapshot(std::uint64_t newest) const;
  void note_durable(std::uint64_t commit);
  void note_failed_sync();
  // A commit has ended with this code, which may be that of a sync.
  void note_commit(int code);
  // What was committed is durable when it returns ok. Hold sync_mutex; for heads that are not in
  // doubt.
  Status sync();
  // Both of them, as they are, and durable; by whoever has the write transaction. `newest` is the
  // last commit.
  Status write_heads_again(std::uint64_t newest);
  // Whether the commit that comes next syncs its head. By whoever has the write transaction.
  [[nodiscard]] int sync_heads(bool syncs);
  // Maps an error of LMDB; notes that the map is full, and finds out that the disk is.
  Error fail(int code, const char* doing, std::uint64_t map_number);

 private:
  Status without_traffic(std::uint64_t seen, Status (OpenFile::*replace)());
  // While no transaction of this process is active; the second one is in open.cpp.
  Status replace_map();
  Status replace_engine();
};
using OpenFilePointer = std::shared_ptr<OpenFile>;

// Closes it and its place in the registry, whose mutex must not be held.
struct CloseFile {
  void operator()(OpenFile* pointer) const;
};

// A turn to write: held from asking for LMDB's write mutex until getting it, and by a replacement
// until the new file is in place.
class Turn {
 public:
  Turn() = default;
  ~Turn() { leave(); }
  Turn(Turn&&) noexcept = default;
  Turn& operator=(Turn&& other) noexcept {
    leave();
    file_ = std::move(other.file_);
    lock_ = std::move(other.lock_);
    return *this;
  }

  Status enter(const OpenFilePointer& file);
  void leave();
  // Lets others through, and is in the queue until it leaves.
  void let_others_through() const;

 private:
  OpenFilePointer file_;  // nullptr: not entered
  std::unique_lock<std::mutex> lock_;
};

struct Environment::State {
  std::string path;
  std::uint64_t fork_generation = store::fork_generation();

  [[nodiscard]] bool forked() const { return fork_generation != store::fork_generation(); }
  [[nodiscard]] Status usable() const;
  [[nodiscard]] OpenFilePointer current() const;
  // Returns the one before, which must not be let go of while the registry is held.
  OpenFilePointer exchange(OpenFilePointer file);
  // Goes over to what is in place of `from` now, if no other thread has done it. `self` is this
  // one's environment.
  Status go_over(const OpenFilePointer& from, const std::shared_ptr<Environment>& self);
  // nullptr: it has been superseded, or its map is too small; `file` has been seen to.
  Result<std::unique_ptr<Transaction::State>> try_begin_read(
      const OpenFilePointer& file, const std::shared_ptr<Environment>& self,
      const std::function<void()>& expire);
  // The same; keeps the turn if `kept` is given. `before` gets the turn in a file that has been
  // superseded: not to be left until there is one in its successor.
  Result<std::unique_ptr<Transaction::State>> try_begin_write(
      const OpenFilePointer& file, const std::shared_ptr<Environment>& self, Turn* kept,
      Turn& before, Durability durability);
  // What to do when the engine was found lost, before the transaction is begun anew.
  Status revive(const OpenFilePointer& file, const std::shared_ptr<Environment>& self,
                std::uint64_t map_number);
  // With a turn to keep: for a replacement.
  Result<std::unique_ptr<Transaction::State>> begin_write(
      const std::shared_ptr<Environment>& self, Turn* kept,
      Durability durability = Durability::synced);

 private:
  mutable std::mutex mutex_;  // of the pointer
  OpenFilePointer file_;
};

struct Transaction::State {
  std::shared_ptr<Environment> environment;
  OpenFilePointer file;            // gone before the environment
  MDB_txn* transaction = nullptr;  // nullptr: it is over
  std::uint64_t id = 0;
  std::uint64_t map_number = 0;
  bool writes = false;
  std::thread::id thread;    // that began it, if it writes
  bool failed = false;       // a put or erase failed
  bool has_written = false;  // else its commit is none, and its number is used again
  bool has_committed = false;
  bool is_committing = false;  // companions write what they have kept
  Durability durability = Durability::synced;
  bool expirable = false;
  Traffic::Expirable expire_entry;  // if expirable
  std::uint64_t put_size_bytes = 0;
  SumChanges sum_changes;
  std::vector<Cursor::State*> cursors;  // open ones; LMDB wants them closed first
  Companions companions;

  State() = default;
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  [[nodiscard]] Status usable() const;
  void close_cursors();
  // After a commit that was one.
  void keep_packed();
  // Before a put or erase.
  void note_change(KeySpace space);
  // Gives the place in the traffic back; the LMDB transaction must have ended.
  void leave();
};

struct Cursor::State {
  Transaction::State* transaction = nullptr;  // nullptr: it is over
  MDB_cursor* cursor = nullptr;
  KeySpace space = KeySpace::meta;
  int open_error = 0;
  bool keys_only = false;
  Bytes key;
  Bytes value;
  Bytes stored;  // the value with its checksum

  State() = default;
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

inline MDB_val to_engine(Bytes bytes) {
  // LMDB does not write through it.
  return MDB_val{bytes.size(), const_cast<char*>(bytes.data())};  // NOLINT
}
inline Bytes from_engine(const MDB_val& value) {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
}

// Opens what is at the path, or shares what this process has open already. `lock` is of the
// registry's mutex; the pointer must not be let go of under it. Errors: those of
// Environment::open.
Result<OpenFilePointer> open_registered(std::unique_lock<std::mutex>& lock, const std::string& path,
                                        const OpenOptions& options, bool may_create);

// The value without its checksum, if that is right.
Result<Bytes> verify(KeySpace space, Bytes key, Bytes stored, const std::string& path);
Error checksum_mismatch(KeySpace space, Bytes key, const std::string& path);

}  // namespace tracelite::store
