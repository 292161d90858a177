// What an Environment and its transactions hold; shared by the .cpp files of this room only.
#pragma once

#include <lmdb.h>

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

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

struct Environment::State {
  std::string path;
  OpenOptions options;
  Guard guard;
  LockKeeper lock_keeper;  // before the engine, so that it is destroyed after it
  Engine engine;
  SpaceHandles spaces{};
  std::uint64_t lock_file_inode = 0;  // 0: no lock file (read-only medium)
  bool writable = false;
  bool opened_alone = false;
  std::uint64_t opened_at = 0;  // the number of the newest commit when this process opened it
  std::uint64_t fork_generation = store::fork_generation();

  Traffic traffic;
  // Held while the map is replaced, for calls that look at it without a transaction. They must not
  // wait in the traffic: their thread may have a transaction that is waited for.
  mutable std::mutex map_mutex;
  std::mutex turnstile;  // orders the threads of this process at the guard's
  // The thread that holds the write transaction, to notice a second one in the same thread. The
  // next writer may enter itself before the last one has left.
  std::atomic<std::thread::id> writer{};
  std::atomic<std::uint64_t> full_map{0};  // the number of the map that was last found full
  std::atomic<std::uint64_t> writes_begun{0};
  std::atomic<std::uint64_t> reads_begun{0};
  std::atomic<std::uint64_t> last_commit{0};  // the number of the last one made by this process
  // The map was lost while replacing it, or a write transaction was dropped by the wrong thread.
  std::atomic<bool> broken{false};

  [[nodiscard]] bool forked() const { return fork_generation != store::fork_generation(); }
  // An error if the handle is not to be used.
  [[nodiscard]] Status usable() const;
  // Replaces map number `seen` by one that is larger by half at least, and by what another process
  // has written at least.
  Status enlarge_map(std::uint64_t seen);
  // While no transaction of this process is active.
  Status replace_map();
  [[nodiscard]] MDB_envinfo information() const;
  // Maps an error of LMDB; notes that the map is full, and finds out that the disk is.
  Error fail(int code, const char* doing, std::uint64_t map_number);
};

struct Transaction::State {
  std::shared_ptr<Environment> environment;
  MDB_txn* transaction = nullptr;  // nullptr: it is over
  std::uint64_t id = 0;
  std::uint64_t map_number = 0;
  bool writes = false;
  std::thread::id thread;  // that began it, if it writes
  bool failed = false;     // a put or erase failed
  bool expirable = false;
  Traffic::Expirable expire_entry;  // if expirable
  std::uint64_t put_size_bytes = 0;
  std::vector<Cursor::State*> cursors;  // open ones; LMDB wants them closed first
  Companions companions;

  State() = default;
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  Environment::State* owner = nullptr;  // the environment's
  [[nodiscard]] Status usable() const;
  void close_cursors();
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

// The value without its checksum, if that is right.
Result<Bytes> verify(KeySpace space, Bytes key, Bytes stored, const std::string& path);

}  // namespace tracelite::store
