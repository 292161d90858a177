// An open environment at work: beginning transactions, and making the map larger.
// How it is opened and closed is in open.cpp.
#include "store/environment.hpp"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "model/out_of_memory.hpp"
#include "store/environment_state.hpp"
#include "store/errors.hpp"
#include "store/file_header.hpp"
#include "store/map_size.hpp"
#include "store/replacement_note.hpp"
#include "store/testing.hpp"

namespace tracelite::store {
namespace {

// How often a transaction is begun anew because another process keeps growing the file.
constexpr int kBeginTriesMax = 100;
// Readers of processes that died are looked for in one of so many write transactions: they keep
// free pages from being used again, so the file would grow.
constexpr std::uint64_t kReaderCheckInterval = 64;
// The locks of a process that only reads are renewed with one of so many read transactions.
constexpr std::uint64_t kLockRenewInterval = 64;

Error readers_in_the_way(const std::string& path) {
  return make_error(Code::busy, "the map of " + path +
                                    " must grow, but a transaction of this process did not end");
}

std::optional<std::uint64_t> free_bytes_of_disk(int descriptor) {
  struct statvfs disk = {};
  if (fstatvfs(descriptor, &disk) != 0) return std::nullopt;
  return std::uint64_t{disk.f_bavail} * disk.f_frsize;
}

bool disk_is_full(int descriptor) {
  // What one transaction may write (lib/ingest bounds it to 8 MiB), with some air.
  constexpr std::uint64_t kEnoughBytes = std::uint64_t{32} << 20;
  const auto free = free_bytes_of_disk(descriptor);
  return free && *free < kEnoughBytes;
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

// Whether what lies at the path now is another file than the one with this note. A transaction that
// sees the note began after the replacement had been announced; only if that was carried out there
// is another file (replacement.hpp).
bool is_superseded(const OpenFile& file, const Note& note, const std::string& path) {
  return note.kind == Note::Kind::superseded && identity_of(path) != file.guard.identity();
}

// In a write transaction: removes a note that means nothing any more, unless it is true (then the
// answer is true). `code` is LMDB's if removing fails.
Result<bool> settle_note(Transaction::State& begun, const std::string& path, int& code) {
  OpenFile& file = *begun.file;
  // What it sees is the commit before its own.
  if (file.commit_without_note.load(std::memory_order_relaxed) + 1 == begun.id) return false;
  TL_TRY_ASSIGN(note, read_note(file, begun.transaction));
  if (note.kind == Note::Kind::none) return false;
  if (is_superseded(file, note, path)) return true;
  code = erase_note(file, begun.transaction);
  begun.has_written = true;
  return false;
}

Error belongs_to_parent(const std::string& path) {
  return make_error(Code::forked,
                    "this handle of " + path +
                        " belongs to the parent process; open the file again in the child");
}

Error sync_has_failed(const std::string& path) {
  return make_error(Code::io, "a sync of " + path + " has failed before", {}, EIO);
}

Error changing_all_the_time(const std::string& path) {
  return make_error(Code::busy, path + " is grown or replaced all the time; try again");
}

}  // namespace

// --------------------------------------------------------------------------------- OpenFile, Turn

Status OpenFile::usable() const {
  if (forked()) return belongs_to_parent(path);
  if (broken) {
    return make_error(Code::internal,
                      path + " cannot be used any more; close it and open it again");
  }
  return {};
}

Error OpenFile::fail(int code, const char* doing, std::uint64_t map_number) {
  if (code == MDB_MAP_FULL) {
    std::uint64_t known = full_map.load();
    while (known < map_number && !full_map.compare_exchange_weak(known, map_number)) {
    }
  }
  // LMDB says EIO when the disk takes only a part of what it writes.
  if (code == EIO && disk_is_full(guard.descriptor())) code = ENOSPC;
  return engine_error(code, doing, path);
}

Status OpenFile::without_traffic(std::uint64_t seen, Status (OpenFile::*replace)()) {
  switch (traffic.stop(seen, options.grow_patience)) {
    case Traffic::Stop::somebody_else_did:
      return {};
    case Traffic::Stop::not_in_time:
      return readers_in_the_way(path);
    case Traffic::Stop::stopped:
      break;
  }
  Status replaced = without_exceptions([&] { return (this->*replace)(); });
  traffic.resume(replaced.ok());
  return replaced;
}

Status OpenFile::enlarge_map(std::uint64_t seen) {
  return without_traffic(seen, &OpenFile::replace_map);
}

Status OpenFile::revive(std::uint64_t seen) {
  return without_traffic(seen, &OpenFile::replace_engine);
}

MDB_envinfo OpenFile::information() const {
  const std::scoped_lock lock(map_mutex);
  MDB_envinfo found{};
  if (!engine_lost) mdb_env_info(engine.get(), &found);
  return found;
}

bool OpenFile::has_room(std::uint64_t size_bytes) const {
  const MDB_envinfo now = information();
  const std::uint64_t used = (now.me_last_pgno + 1) * page_size_bytes;
  return now.me_mapsize >= used && now.me_mapsize - used >= size_bytes;
}

std::uint64_t OpenFile::oldest_snapshot(std::uint64_t newest) const {
  std::uint64_t oldest = newest;
  const std::scoped_lock lock(map_mutex);
  // Where that cannot be told, it may be any.
  if (!engine_lost && mdb_reader_list(engine.get(), note_oldest, &oldest) < 0) return 0;
  return oldest;
}

// LMDB knows it of an environment only, not of a transaction.
int OpenFile::sync_heads(bool syncs) {
  if (syncs == syncs_heads) return 0;
  const int code = mdb_env_set_flags(engine.get(), MDB_NOMETASYNC, syncs ? 0 : 1);
  if (code == 0) syncs_heads = syncs;
  return syncs ? code : 0;  // one sync too many does no harm
}

void OpenFile::note_durable(std::uint64_t commit) {
  std::uint64_t known = durable_commit.load();
  while (known < commit && !durable_commit.compare_exchange_weak(known, commit)) {
  }
}

void OpenFile::note_failed_sync() {
  ++failed_sync_count;
  heads_in_doubt = true;
}

void OpenFile::note_commit(int code) {
  // Codes of LMDB's own are negative, and nothing was written yet then. A draft is not synced.
  if (code > 0 && code != ENOMEM && !options.draft) note_failed_sync();
}

Status OpenFile::sync() {
  const std::uint64_t newest = information().me_last_txnid;  // 0: the engine is lost
  if (newest != 0 && durable_commit.load() >= newest) return {};
  // Not through LMDB's descriptor: each is told of a failed write once, and a commit under way must
  // be told by its own sync.
  if (fdatasync(guard.descriptor()) != 0) {
    const int code = errno;
    note_failed_sync();
    return fail(code, "sync", 0);
  }
  note_durable(newest);
  return {};
}

Status OpenFile::write_heads_again(std::uint64_t newest) {
  const std::scoped_lock lock(sync_mutex);
  int descriptor = -1;
  int code = mdb_env_get_fd(engine.get(), &descriptor);
  if (code != 0) return fail(code, "sync", 0);
  // What they have not been told yet is of the heads, or of pages that no commit refers to.
  if (fdatasync(guard.descriptor()) != 0) note_failed_sync();
  (void)fdatasync(descriptor);
  TL_TRY_ASSIGN(head, read_head(descriptor, path, newest));
  if (!head) return make_error(Code::corrupt, path + " is damaged: the disk has lost its head");
  std::string heads(static_cast<std::size_t>(layout::kMetaPageCount * page_size_bytes), '\0');
  const auto size = static_cast<ssize_t>(heads.size());
  errno = EIO;  // unless it says why
  if (pread(descriptor, heads.data(), heads.size(), 0) != size ||
      pwrite(descriptor, heads.data(), heads.size(), 0) != size || fdatasync(descriptor) != 0) {
    return fail(errno, "sync", 0);
  }
  heads_in_doubt = false;
  note_durable(newest);
  return {};
}

Status OpenFile::replace_map() {
  // There is no map to look at.
  if (engine_lost) return replace_engine();
  const std::scoped_lock lock(map_mutex);
  mdb_reader_check(engine.get(), nullptr);
  MDB_envinfo now{};
  const int found = mdb_env_info(engine.get(), &now);
  if (found != 0) return engine_error(found, "look at", path);
  const std::size_t current = now.me_mapsize;
  const std::size_t written = (now.me_last_pgno + 1) * page_size_bytes;
  for (const std::size_t extra : {current, current / 2, current / 4}) {
    // LMDB gives up the old map before it makes the new one, and is lost if that fails: so try
    // whether there is room first.
    const std::size_t page_mask = page_size_bytes - 1;
    const std::size_t wanted = (std::max(current, written) + extra) & ~page_mask;
    if (!address_space_for(wanted)) continue;
    const int code = mdb_env_set_mapsize(engine.get(), wanted);
    if (code == 0) return {};
    engine_lost = true;
    return engine_error(code, "map", path);
  }
  return make_error(Code::disk_full, "this process has no address space left for " + path, {},
                    MDB_MAP_FULL);
}

Status Turn::enter(const OpenFilePointer& file) {
  std::unique_lock lock(file->turnstile);
  const std::uint64_t ours = file->last_commit.load();
  TL_TRY(file->guard.enter_turnstile([&] { return file->information().me_last_txnid == ours; }));
  lock_ = std::move(lock);
  file_ = file;
  return {};
}

void Turn::let_others_through() const {
  if (!file_->forked()) file_->guard.let_others_through();
}

void Turn::leave() {
  if (!file_) return;
  if (file_->forked()) {
    (void)lock_.release();  // the parent's
  } else {
    file_->guard.leave_turnstile();
    lock_.unlock();
  }
  file_.reset();
}

// ------------------------------------------------------------------------------ Environment::State

Status Environment::State::usable() const {
  if (forked()) return belongs_to_parent(path);
  return {};
}

OpenFilePointer Environment::State::current() const {
  const std::scoped_lock lock(mutex_);
  return file_;
}

OpenFilePointer Environment::State::exchange(OpenFilePointer file) {
  const std::scoped_lock lock(mutex_);
  return std::exchange(file_, std::move(file));
}

// Returns nullptr if the transaction is to be begun anew.
Result<std::unique_ptr<Transaction::State>> Environment::State::try_begin_read(
    const OpenFilePointer& file, const std::shared_ptr<Environment>& self,
    const std::function<void()>& expire) {
  TL_TRY(file->usable());
  if (file->reads_begun.fetch_add(1, std::memory_order_relaxed) % kLockRenewInterval == 0) {
    file->lock_keeper.renew();
  }
  auto begun = std::make_unique<Transaction::State>();
  begun->environment = self;
  begun->file = file;
  begun->expirable = static_cast<bool>(expire);
  begun->map_number =
      begun->expirable ? file->traffic.enter(expire, begun->expire_entry) : file->traffic.enter();
  int code = file->engine_lost ? MDB_PANIC : 0;
  if (code == 0) code = mdb_txn_begin(file->engine.get(), nullptr, MDB_RDONLY, &begun->transaction);
  if (code == MDB_READERS_FULL) {
    mdb_reader_check(file->engine.get(), nullptr);
    code = mdb_txn_begin(file->engine.get(), nullptr, MDB_RDONLY, &begun->transaction);
  }
  if (code != 0) {
    const std::uint64_t map_number = begun->map_number;
    begun->leave();
    if (code == MDB_PANIC) {
      TL_TRY(revive(file, self, map_number));
    } else if (code == MDB_MAP_RESIZED) {
      TL_TRY(file->enlarge_map(map_number));
    } else {
      return engine_error(code, "read", path);
    }
    return std::unique_ptr<Transaction::State>();
  }
  begun->id = mdb_txn_id(begun->transaction);
  if (file->commit_without_note.load(std::memory_order_relaxed) == begun->id) return begun;
  TL_TRY_ASSIGN(note, read_note(*file, begun->transaction));
  if (note.kind == Note::Kind::none) {
    file->commit_without_note.store(begun->id, std::memory_order_relaxed);
  }
  if (!is_superseded(*file, note, path)) return begun;
  begun.reset();
  TL_TRY(go_over(file, self));
  return begun;
}

Result<std::unique_ptr<Transaction::State>> Environment::State::try_begin_write(
    const OpenFilePointer& file, const std::shared_ptr<Environment>& self, Turn* kept, Turn& before,
    Durability durability) {
  TL_TRY(file->usable());
  if (!file->writable) {
    return make_error(Code::read_only,
                      path + " cannot be written: its medium or its permissions " + "forbid it");
  }
  if (file->writer.load() == std::this_thread::get_id()) {
    return make_error(Code::misuse, "this thread already has a write transaction");
  }
  auto begun = std::make_unique<Transaction::State>();
  begun->environment = self;
  begun->file = file;
  begun->writes = true;
  begun->thread = std::this_thread::get_id();
  begun->durability = durability;
  Turn turn;
  TL_TRY(turn.enter(file));
  begun->map_number = file->traffic.enter();
  file->lock_keeper.renew();
  int code = file->engine_lost ? MDB_PANIC : testing::check(testing::Point::begin_write);
  if (code == 0 && file->writes_begun.fetch_add(1) % kReaderCheckInterval == 0) {
    mdb_reader_check(file->engine.get(), nullptr);
  }
  if (code == 0) code = mdb_txn_begin(file->engine.get(), nullptr, 0, &begun->transaction);
  const std::uint64_t map_number = begun->map_number;
  if (code == 0) {
    file->writer.store(begun->thread);
    begun->id = mdb_txn_id(begun->transaction);
    begun->companions[static_cast<std::size_t>(CompanionSlot::packed)] = file->kept.take(begun->id);
    TL_TRY_ASSIGN(superseded, settle_note(*begun, path, code));
    if (superseded) {
      begun.reset();
      turn.let_others_through();
      before = std::move(turn);
      TL_TRY(go_over(file, self));
      return begun;
    }
    if (kept == nullptr) turn.leave();
    if (code == 0 && file->heads_in_doubt) TL_TRY(file->write_heads_again(begun->id - 1));
    if (code == 0) {
      if (kept != nullptr) *kept = std::move(turn);
      return begun;
    }
    begun.reset();
  } else {
    begun->leave();
  }
  turn.leave();
  if (code == MDB_MAP_FULL) (void)file->fail(code, "write", map_number);
  if (code == MDB_PANIC) {
    TL_TRY(revive(file, self, map_number));
  } else if (code == MDB_MAP_RESIZED || code == MDB_MAP_FULL) {
    TL_TRY(file->enlarge_map(map_number));
  } else {
    return engine_error(code, "write", path);
  }
  return std::unique_ptr<Transaction::State>();
}

Status Environment::State::revive(const OpenFilePointer& file,
                                  const std::shared_ptr<Environment>& self,
                                  std::uint64_t map_number) {
  // LMDB opens by name, where another file may be by now.
  if (identity_of(path) != file->guard.identity()) return go_over(file, self);
  return file->revive(map_number);
}

Result<std::unique_ptr<Transaction::State>> Environment::State::begin_write(
    const std::shared_ptr<Environment>& self, Turn* kept, Durability durability) {
  Turn before;  // kept until ours has come
  for (int tries = 0; tries < kBeginTriesMax; ++tries) {
    TL_TRY(usable());
    TL_TRY_ASSIGN(begun, try_begin_write(current(), self, kept, before, durability));
    if (begun) return begun;
  }
  return changing_all_the_time(path);
}

// --------------------------------------------------------------------------------------
// Environment

Environment::Environment(std::unique_ptr<State> state) : state_(std::move(state)) {}
Environment::~Environment() = default;

Result<ReadTransaction> Environment::begin_read(const std::function<void()>& expire) {
  for (int tries = 0; tries < kBeginTriesMax; ++tries) {
    TL_TRY(state_->usable());
    TL_TRY_ASSIGN(begun, state_->try_begin_read(state_->current(), shared_from_this(), expire));
    if (begun) return ReadTransaction(std::move(begun));
  }
  return changing_all_the_time(state_->path);
}

Result<WriteTransaction> Environment::begin_write(Durability durability) {
  TL_TRY_ASSIGN(begun, state_->begin_write(shared_from_this(), nullptr, durability));
  return WriteTransaction(std::move(begun));
}

Status Environment::grow() {
  TL_TRY(state_->usable());
  const OpenFilePointer file = state_->current();
  TL_TRY(file->usable());
  const std::uint64_t map_number = file->traffic.map_number();
  if (file->full_map.load() < map_number) return {};
  return file->enlarge_map(map_number);
}

Status Environment::make_room(std::uint64_t size_bytes) {
  TL_TRY(state_->usable());
  const OpenFilePointer file = state_->current();
  for (;;) {
    TL_TRY(file->usable());
    const std::uint64_t map_number = file->traffic.map_number();
    if (file->has_room(size_bytes)) return {};
    TL_TRY(file->enlarge_map(map_number));
  }
}

Status Environment::sync() {
  TL_TRY(state_->usable());
  const OpenFilePointer file = state_->current();
  TL_TRY(file->usable());
  {
    const std::scoped_lock lock(file->sync_mutex);
    if (!file->heads_in_doubt) return file->sync();
  }
  if (file->options.draft) return sync_has_failed(state_->path);
  TL_TRY_ASSIGN(writes_them_again, begin_write());
  return {};
}

bool Environment::forked() const { return state_->forked(); }
bool Environment::writable() const { return !forked() && state_->current()->writable; }
bool Environment::opened_alone() const { return !forked() && state_->current()->opened_alone; }
std::uint64_t Environment::opened_at_transaction_id() const {
  return forked() ? 0 : state_->current()->opened_at;
}
const std::string& Environment::path() const { return state_->path; }

FileIdentity Environment::identity() const {
  return forked() ? FileIdentity() : state_->current()->guard.identity();
}

std::uint64_t Environment::last_transaction_id() const {
  if (!state_->usable()) return 0;
  const OpenFilePointer file = state_->current();
  return file->usable() ? file->information().me_last_txnid : 0;
}

Result<std::uint64_t> Environment::file_size_bytes() const {
  TL_TRY(state_->usable());
  const OpenFilePointer file = state_->current();
  struct stat status = {};
  if (fstat(file->guard.descriptor(), &status) != 0) {
    return system_error(errno, "look at", state_->path);
  }
  return static_cast<std::uint64_t>(status.st_size);
}

Result<std::uint64_t> Environment::free_disk_bytes() const {
  TL_TRY(state_->usable());
  const auto free = free_bytes_of_disk(state_->current()->guard.descriptor());
  if (!free) return system_error(errno, "look at the disk of", state_->path);
  return *free;
}

std::size_t Environment::map_size_bytes() const {
  if (!state_->usable()) return 0;
  return state_->current()->information().me_mapsize;
}

std::uint64_t Environment::oldest_reader_lag() const {
  if (!state_->usable()) return 0;
  const OpenFilePointer file = state_->current();
  if (!file->usable()) return 0;
  const std::uint64_t newest = file->information().me_last_txnid;
  return newest - file->oldest_snapshot(newest);
}

}  // namespace tracelite::store
