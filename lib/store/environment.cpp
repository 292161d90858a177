// An open environment at work: beginning transactions, and making the map larger.
// How it is opened and closed is in open.cpp.
#include "store/environment.hpp"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "store/environment_state.hpp"
#include "store/errors.hpp"
#include "store/map_size.hpp"
#include "store/testing.hpp"

namespace tracelite::store {
namespace {

// How often a transaction is begun anew because another process keeps growing the file.
constexpr int kBeginTriesMax = 8;
// Readers of processes that died are looked for in one of so many write transactions: they keep
// free pages from being used again, so the file would grow.
constexpr std::uint64_t kReaderCheckInterval = 64;
// The locks of a process that only reads are renewed with one of so many read transactions.
constexpr std::uint64_t kLockRenewInterval = 64;

Error readers_in_the_way(const std::string& path) {
  return make_error(Code::busy, "the map of " + path +
                                    " must grow, but a transaction of this process did not end");
}

bool disk_is_full(int descriptor) {
  // What one transaction may write (lib/ingest bounds it to 8 MiB), with some air.
  constexpr std::uint64_t kEnoughBytes = std::uint64_t{32} << 20;
  struct statvfs disk = {};
  if (fstatvfs(descriptor, &disk) != 0) return false;
  return std::uint64_t{disk.f_bavail} * disk.f_frsize < kEnoughBytes;
}

// The line of mdb_reader_list() for a snapshot is "pid thread transaction".
int note_oldest(const char* line, void* context) {
  auto& oldest = *static_cast<std::uint64_t*>(context);
  const char* const end = line + std::strlen(line);
  const char* start = end;
  while (start > line && (start[-1] == '\n' || start[-1] == ' ')) --start;
  const char* const stop = start;
  while (start > line && start[-1] >= '0' && start[-1] <= '9') --start;
  std::uint64_t id = 0;
  if (start != stop && std::from_chars(start, stop, id).ec == std::errc{}) {
    oldest = std::min(oldest, id);
  }
  return 0;
}

}  // namespace

// -------------------------------------------------------------------------------
// Environment::State

Status Environment::State::usable() const {
  if (forked()) {
    return make_error(Code::forked,
                      "this handle of " + path +
                          " belongs to the parent process; open the file again in the child");
  }
  if (broken) {
    return make_error(Code::internal,
                      path + " cannot be used any more; close it and open it again");
  }
  return {};
}

Error Environment::State::fail(int code, const char* doing, std::uint64_t map_number) {
  if (code == MDB_MAP_FULL) {
    std::uint64_t known = full_map.load();
    while (known < map_number && !full_map.compare_exchange_weak(known, map_number)) {
    }
  }
  // LMDB says EIO when the disk takes only a part of what it writes.
  if (code == EIO && disk_is_full(guard.descriptor())) code = ENOSPC;
  return engine_error(code, doing, path);
}

Status Environment::State::enlarge_map(std::uint64_t seen) {
  switch (traffic.stop(seen, options.grow_patience)) {
    case Traffic::Stop::somebody_else_did:
      return {};
    case Traffic::Stop::not_in_time:
      return readers_in_the_way(path);
    case Traffic::Stop::stopped:
      break;
  }
  Status replaced = replace_map();
  traffic.resume(replaced.ok());
  return replaced;
}

MDB_envinfo Environment::State::information() const {
  const std::scoped_lock lock(map_mutex);
  MDB_envinfo found{};
  if (!broken) mdb_env_info(engine.get(), &found);
  return found;
}

Status Environment::State::replace_map() {
  const std::scoped_lock lock(map_mutex);
  mdb_reader_check(engine.get(), nullptr);
  MDB_envinfo now{};
  MDB_stat statistics{};
  mdb_env_info(engine.get(), &now);
  mdb_env_stat(engine.get(), &statistics);
  const std::size_t current = now.me_mapsize;
  const std::size_t written = (now.me_last_pgno + 1) * statistics.ms_psize;
  for (const std::size_t extra : {current, current / 2, current / 4}) {
    // LMDB gives up the old map before it makes the new one, and is lost if that fails: so try
    // whether there is room first.
    const std::size_t page_mask = statistics.ms_psize - 1;
    const std::size_t wanted = (std::max(current, written) + extra) & ~page_mask;
    if (!address_space_for(wanted)) continue;
    const int code = mdb_env_set_mapsize(engine.get(), wanted);
    if (code == 0) return {};
    broken = true;
    return engine_error(code, "map", path);
  }
  return make_error(Code::disk_full, "this process has no address space left for " + path, {},
                    MDB_MAP_FULL);
}

// --------------------------------------------------------------------------------------
// Environment

Environment::Environment(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<ReadTransaction> Environment::begin_read(const std::function<void()>& expire) {
  State& state = *state_;
  int code = 0;
  for (int tries = 0; tries < kBeginTriesMax; ++tries) {
    TL_TRY(state.usable());
    if (state.reads_begun.fetch_add(1, std::memory_order_relaxed) % kLockRenewInterval == 0) {
      state.lock_keeper.renew();
    }
    auto begun = std::make_unique<Transaction::State>();
    begun->environment = shared_from_this();
    begun->owner = &state;
    begun->expirable = static_cast<bool>(expire);
    begun->map_number =
        begun->expirable ? state.traffic.enter(expire, begun->expire_entry) : state.traffic.enter();
    code = mdb_txn_begin(state.engine.get(), nullptr, MDB_RDONLY, &begun->transaction);
    if (code == MDB_READERS_FULL) {
      mdb_reader_check(state.engine.get(), nullptr);
      code = mdb_txn_begin(state.engine.get(), nullptr, MDB_RDONLY, &begun->transaction);
    }
    if (code == 0) {
      begun->id = mdb_txn_id(begun->transaction);
      return ReadTransaction(std::move(begun));
    }
    const std::uint64_t map_number = begun->map_number;
    begun->leave();
    if (code != MDB_MAP_RESIZED) break;
    TL_TRY(state.enlarge_map(map_number));
  }
  return engine_error(code, "read", state.path);
}

Result<WriteTransaction> Environment::begin_write() {
  State& state = *state_;
  int code = 0;
  for (int tries = 0; tries < kBeginTriesMax; ++tries) {
    TL_TRY(state.usable());
    if (!state.writable) {
      return make_error(Code::read_only, state.path + " cannot be written: its medium or its " +
                                             "permissions forbid it");
    }
    if (state.writer.load() == std::this_thread::get_id()) {
      return make_error(Code::misuse, "this thread already has a write transaction");
    }
    auto begun = std::make_unique<Transaction::State>();
    begun->environment = shared_from_this();
    begun->owner = &state;
    begun->writes = true;
    begun->thread = std::this_thread::get_id();
    {
      const std::scoped_lock lock(state.turnstile);
      const std::uint64_t ours = state.last_commit.load();
      TL_TRY(
          state.guard.enter_turnstile([&] { return state.information().me_last_txnid == ours; }));
      begun->map_number = state.traffic.enter();
      state.lock_keeper.renew();
      if (state.writes_begun.fetch_add(1) % kReaderCheckInterval == 0) {
        mdb_reader_check(state.engine.get(), nullptr);
      }
      code = testing::check(testing::Point::begin_write);
      if (code == 0) code = mdb_txn_begin(state.engine.get(), nullptr, 0, &begun->transaction);
      if (code == 0) state.writer.store(begun->thread);
      state.guard.leave_turnstile();
    }
    if (code == 0) {
      begun->id = mdb_txn_id(begun->transaction);
      return WriteTransaction(std::move(begun));
    }
    const std::uint64_t map_number = begun->map_number;
    state.traffic.leave();
    if (code != MDB_MAP_RESIZED) break;
    TL_TRY(state.enlarge_map(map_number));
  }
  return engine_error(code, "write", state.path);
}

Status Environment::grow() {
  TL_TRY(state_->usable());
  const std::uint64_t map_number = state_->traffic.map_number();
  if (state_->full_map.load() < map_number) return {};
  return state_->enlarge_map(map_number);
}

bool Environment::forked() const { return state_->forked(); }
bool Environment::writable() const { return state_->writable; }
bool Environment::opened_alone() const { return state_->opened_alone; }
std::uint64_t Environment::opened_at_transaction_id() const { return state_->opened_at; }
const std::string& Environment::path() const { return state_->path; }

std::uint64_t Environment::last_transaction_id() const {
  if (!state_->usable()) return 0;
  return state_->information().me_last_txnid;
}

Result<std::uint64_t> Environment::file_size_bytes() const {
  TL_TRY(state_->usable());
  struct stat status = {};
  if (fstat(state_->guard.descriptor(), &status) != 0) {
    return system_error(errno, "look at", state_->path);
  }
  return static_cast<std::uint64_t>(status.st_size);
}

std::size_t Environment::map_size_bytes() const {
  if (!state_->usable()) return 0;
  return state_->information().me_mapsize;
}

std::uint64_t Environment::oldest_reader_lag() const {
  const std::uint64_t newest = last_transaction_id();
  if (newest == 0) return 0;
  std::uint64_t oldest = newest;
  mdb_reader_list(state_->engine.get(), note_oldest, &oldest);
  return newest - oldest;
}

}  // namespace tracelite::store
