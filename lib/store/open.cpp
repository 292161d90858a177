// Opening and closing a file: the order of steps that makes it safe beside other threads, other
// processes, crashed processes and files that are not ours.
//
// Everything between lock_door() and the end of open or close happens in one process at a time.
// The lock file is removed by whoever finds at the door that nobody else has the file open: on
// opening because a crashed process may have left it, on closing because it is not needed. Whoever
// finds that somebody has it open must use that somebody's lock file, or refuse.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "model/out_of_memory.hpp"
#include "store/environment_state.hpp"
#include "store/errors.hpp"
#include "store/file_header.hpp"
#include "store/folder.hpp"
#include "store/format.hpp"
#include "store/lock_file.hpp"
#include "store/map_size.hpp"
#include "store/page_verifier.hpp"
#include "store/replacement.hpp"
#include "store/replacement_note.hpp"
#include "store/testing.hpp"

namespace tracelite::store {
namespace {

// How long the locks of a process that was killed may take to go.
constexpr std::chrono::milliseconds kDyingPatience{1'000};
// How often to start over because the file was replaced or removed while we stood at the door.
constexpr int kOpenTriesMax = 100;

Error wrong_lock_file(const OpenFile& file, FoundLockFile found) {
  std::string message = "the lock file ";
  message.append(lock_path_of(file.path)).append(" was ");
  message.append(found == FoundLockFile::missing ? "removed or renamed"
                 : found == FoundLockFile::another
                     ? "replaced"
                     : "read by a process that uses it, which lost its locks");
  message.append(" while ").append(file.path);
  message.append(" is open in another process; close it there first");
  return make_error(Code::busy, std::move(message));
}

// The mark of the lock file that others use, if there are others, once it is sure that LMDB would
// open the same one.
Result<std::optional<std::uint64_t>> meet_others(const OpenFile& file) {
  const auto patience = std::min(kDyingPatience, file.options.door_patience);
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    TL_TRY_ASSIGN(theirs, file.guard.other_user());
    if (!theirs) return theirs;
    const bool without_lock_file = *theirs == lock_file_mark(0);
    if (file.guard.without_lock_file() && without_lock_file) return theirs;
    if (file.guard.without_lock_file() || without_lock_file) {
      return make_error(Code::busy,
                        file.path +
                            " is open without a lock file, as through a read-only mount "
                            "or with TL_OPEN_IMMUTABLE, and with one at the same time, "
                            "which cannot work; close one of them");
    }
    const FoundLockFile found = find_lock_file(lock_path_of(file.path), *theirs);
    if (found == FoundLockFile::theirs) return theirs;
    // A process that is just being killed loses its locks one after the other.
    const bool dying =
        found == FoundLockFile::abandoned && std::chrono::steady_clock::now() < deadline;
    if (!dying) return wrong_lock_file(file, found);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

Error explain_open_failure(const OpenFile& file, int code) {
  const std::string lock_path = lock_path_of(file.path);
  const bool refused = code == EACCES || code == EPERM || code == EROFS;
  // The data file is open already, so what was refused is the lock file.
  if (refused && identity_of(lock_path)) return engine_error(code, "open the lock file", lock_path);
  if (refused) {
    return make_error(Code::permission,
                      "cannot create the lock file " + lock_path + ": the folder " +
                          folder_of(file.path) +
                          " does not allow it; if nobody writes the file, read it with "
                          "TL_OPEN_IMMUTABLE",
                      "path", code);
  }
  if (code == ELOOP) {
    return make_error(Code::permission,
                      "in the place of the lock file " + lock_path +
                          " is a link, or something else that is no file of its own; remove it",
                      "path", code);
  }
  if (code == MDB_INVALID || code == MDB_VERSION_MISMATCH) {
    return make_error(Code::busy, "the lock file " + lock_path + " belongs to another program", {},
                      code);
  }
  return engine_error(code, "open", file.path);
}

enum class LockFile { none, made_here, there };

// Opens the LMDB environment; the header has been found good.
Status open_engine(OpenFile& file, LockFile lock_file) {
  struct stat status = {};
  if (fstat(file.guard.descriptor(), &status) != 0) {
    return system_error(errno, "look at", file.path);
  }
  unsigned flags = MDB_NOSUBDIR | MDB_NOTLS;
  if (!file.writable) flags |= MDB_RDONLY;
  if (lock_file == LockFile::none) flags |= MDB_NOLOCK;
  if (file.options.draft) flags |= MDB_NOSYNC;
  flags |= testing::more_engine_flags.load(std::memory_order_relaxed);
  const mode_t mode = (status.st_mode & 0666) | S_IRUSR | S_IWUSR;
  if (lock_file == LockFile::made_here) {
    const int code =
        create_lock_file(lock_path_of(file.path), {mode, status.st_uid, status.st_gid});
    if (code != 0) return explain_open_failure(file, code);
  }
  const auto needed = std::max(kMinimumMapSizeBytes, static_cast<std::size_t>(status.st_size));
  std::size_t map_size = affordable_map_size(file.options.map_size_bytes, needed);
  for (;;) {
    MDB_env* made = nullptr;
    int code = mdb_env_create(&made);
    Engine engine(made);
    if (code == 0) code = mdb_env_set_maxdbs(made, kKeySpaceCount);
    if (code == 0) code = mdb_env_set_maxreaders(made, kReadersMax);
    if (code == 0) code = mdb_env_set_mapsize(made, map_size);
    if (code == 0) code = mdb_env_open(made, file.path.c_str(), flags, mode);
    MDB_stat statistics{};
    if (code == 0) code = mdb_env_stat(made, &statistics);
    if (code == 0) {
      file.page_size_bytes = statistics.ms_psize;
      file.engine = std::move(engine);
      return {};
    }
    if ((code != ENOMEM && code != EINVAL) || map_size / 2 < needed) {
      Error error = explain_open_failure(file, code);
      engine.reset();
      if (lock_file == LockFile::made_here) unlink_lock_file_of(file.path);
      return error;
    }
    map_size /= 2;
  }
}

// LMDB opens by name; make sure that it has got the files that we looked at.
Status check_engine(OpenFile& file, std::optional<std::uint64_t> theirs) {
  int descriptor = -1;
  mdb_env_get_fd(file.engine.get(), &descriptor);
  // LMDB leaves this one open to the programs that this one starts.
  fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  const auto here = identity_of(lock_path_of(file.path));
  const bool locks = !file.guard.without_lock_file();
  if (identity_of(descriptor) != file.guard.identity() || (locks && !here) ||
      (locks && theirs && lock_file_mark(here->inode) != *theirs)) {
    return make_error(Code::busy, file.path + " or its lock file was replaced while it was opened");
  }
  if (!locks) return {};
  file.lock_file_inode = here->inode;
  return {};
}

// A new file must be found again after a power cut, and its head must be there before the first
// commit refers to it.
Status make_durable(const OpenFile& file) {
  if (fsync(file.guard.descriptor()) != 0) return system_error(errno, "sync", file.path);
  return sync_folder(file.path);
}

// Nobody else is here and nobody can come in, so this takes no lock: LMDB's write mutex must not be
// waited for while the registry is held, because a fork waits for that.
Status fill_new_file(OpenFile& file) {
  TL_TRY(open_engine(file, LockFile::none));
  if (!file.options.draft) TL_TRY(make_durable(file));
  TL_TRY(create_key_spaces(file));
  file.engine.reset();
  if (file.options.transactions_after == 0) return {};
  return renumber(file.guard.descriptor(), file.path, file.options.transactions_after);
}

// Whether the lock file at the path belongs to the file that this one has replaced, in a
// replacement that ended there. Nobody else uses this one, so that it can be looked at without
// locks.
bool has_lock_file_of_replaced(OpenFile& file) {
  if (!open_engine(file, LockFile::none)) return false;
  std::optional<Note> note;
  if (open_key_spaces(file)) note = find_note(file);
  file.engine.reset();
  const auto here = identity_of(lock_path_of(file.path));
  return note && here && note->kind == Note::Kind::fresh && note->lock_file_inode == here->inode;
}

// Nobody else has the file open, so it does not change.
Status look_through_alone(OpenFile& file) {
  const int descriptor = file.guard.descriptor();
  TL_TRY_ASSIGN(head, read_head(descriptor, file.path, std::nullopt));
  TL_TRY_ASSIGN(sound, verify_pages(descriptor, file.path, *head, {}, {}));
  file.verified = sound;
  return {};
}

// Others have the file open: what a snapshot sees stays as it is. LMDB looks at no tree when it
// opens a file and begins to read.
Status look_through_beside_others(OpenFile& file) {
  const int descriptor = file.guard.descriptor();
  while (!file.verified) {
    MDB_txn* begun = nullptr;
    const int code = mdb_txn_begin(file.engine.get(), nullptr, MDB_RDONLY, &begun);
    if (code != 0) return engine_error(code, "read", file.path);
    const std::unique_ptr<MDB_txn, decltype(&mdb_txn_abort)> snapshot(begun, mdb_txn_abort);
    TL_TRY_ASSIGN(head, read_head(descriptor, file.path, mdb_txn_id(begun)));
    if (!head) continue;  // two commits came meanwhile
    TL_TRY_ASSIGN(sound, verify_pages(descriptor, file.path, *head, {}, {}));
    file.verified = sound;
  }
  return {};
}

// Nobody else has the file open.
Status clear_the_way(OpenFile& file, bool unused) {
  if (file.writable && !file.options.draft) remove_drafts(file.path);
  Status removed = remove_stale_lock_file(lock_path_of(file.path));
  if (removed || unused || !has_lock_file_of_replaced(file)) return removed;
  unlink_lock_file_of(file.path);
  return {};
}

// What a replacement that did not come to its end has left, when nobody else has the file open.
Status settle_replacement(OpenFile& file) {
  const std::optional<Note> note = find_note(file);
  if (!note) return {};
  // The new file is in place; is it so after a power cut? It must be before anybody commits.
  if (note->kind == Note::Kind::fresh) return file.writable ? sync_folder(file.path) : Status();
  // The old one still is, as the door is ours and the path has been looked at. If the note cannot
  // be removed now, the next write transaction does it.
  if (file.writable && note->kind == Note::Kind::superseded) clear_note(file);
  return {};
}

// Behind the door. `unused` says whether the file was empty when we came, and a store was made of
// it, if one may be created: who goes over to another file may see one that is being copied there.
Status open_behind_door(OpenFile& file, bool may_create, bool& unused) {
  TL_TRY_ASSIGN(theirs, meet_others(file));
  file.opened_alone = !theirs.has_value();
  TL_TRY_ASSIGN(header, inspect_header(file.guard.descriptor(), file.path, file.opened_alone));
  if (header == HeaderState::unused) {
    if (!may_create || !file.writable) {
      return make_error(Code::not_tracelite, file.path + " is empty", "path");
    }
    if (theirs) {
      return make_error(Code::corrupt, file.path + " was emptied while another process uses it");
    }
    unused = true;
    if (ftruncate(file.guard.descriptor(), 0) != 0) return system_error(errno, "write", file.path);
  }
  const bool locks = !file.guard.without_lock_file();
  const bool untrusted = file.options.untrusted && !unused;
  if (untrusted && file.opened_alone) TL_TRY(look_through_alone(file));
  if (file.opened_alone && locks) TL_TRY(clear_the_way(file, unused));
  if (unused) {
    TL_TRY(fill_new_file(file));
    file.verified = true;
  }
  TL_TRY(open_engine(file, !locks              ? LockFile::none
                           : file.opened_alone ? LockFile::made_here
                                               : LockFile::there));
  TL_TRY(check_engine(file, theirs));
  if (locks) TL_TRY(file.lock_keeper.start(lock_path_of(file.path), file.lock_file_inode));
  if (untrusted && !file.opened_alone) TL_TRY(look_through_beside_others(file));
  TL_TRY(open_key_spaces(file));
  if (file.opened_alone && locks && !unused) TL_TRY(settle_replacement(file));
  file.opened_at = file.information().me_last_txnid;
  if (!file.opened_alone) mdb_reader_check(file.engine.get(), nullptr);
  return file.guard.start_use(lock_file_mark(file.lock_file_inode));
}

// Leaves nothing behind of a file that could not be made.
void undo(OpenFile& file, bool created, bool unused) {
  file.engine.reset();
  if (file.opened_alone) remove_lock_file_of(file.path, file.lock_file_inode);
  if (!unused) return;
  if (created) {
    unlink(file.path.c_str());
  } else if (ftruncate(file.guard.descriptor(), 0) != 0) {
    // It stays as it is: still unused for the next to open it.
  }
}

// nullptr: the file was replaced or removed at the wrong moment; start over.
Result<std::unique_ptr<OpenFile>> open_once(const std::string& path, const OpenOptions& options,
                                            bool may_create) {
  bool created = false;
  Result<Guard> guard = Guard::open_existing(path, options.immutable);
  if (guard && options.draft) {
    return make_error(Code::invalid, path + " exists already", "path", EEXIST);
  }
  if (!guard && guard.error().engine_code == ENOENT && may_create) {
    guard = Guard::create(path);
    created = guard.ok();
    if (!guard && guard.error().engine_code == EEXIST) return std::unique_ptr<OpenFile>{};
  }
  if (!guard) return std::move(guard).error();

  static std::atomic<std::uint64_t> last_number{0};
  auto file = std::make_unique<OpenFile>();
  file->path = path;
  file->options = options;
  file->number = ++last_number;
  file->guard = std::move(guard).value();
  file->writable = file->guard.writable();
  TL_TRY(file->guard.lock_door(options.door_patience));
  if (identity_of(path) != file->guard.identity()) return std::unique_ptr<OpenFile>{};
  bool unused = false;
  Status opened = open_behind_door(*file, may_create, unused);
  if (!opened) undo(*file, created, unused);
  file->guard.unlock_door();
  if (!opened) return std::move(opened).error();
  return file;
}

}  // namespace

Result<OpenFilePointer> open_registered(std::unique_lock<std::mutex>& lock, const std::string& path,
                                        const OpenOptions& options, bool may_create) {
  Registry& registry = Registry::instance();
  for (int tries = 0; tries < kOpenTriesMax; ++tries) {
    for (;;) {
      const auto identity = identity_of(path);
      if (!identity) break;
      const auto found = registry.entries.find(*identity);
      if (found == registry.entries.end()) break;
      if (auto shared = found->second.file.lock()) return shared;
      registry.closed.wait(lock);  // its last owner is about to close it
    }
    TL_TRY_ASSIGN(opened, open_once(path, options, may_create));
    if (!opened) continue;
    const FileIdentity identity = opened->guard.identity();
    Registry::Entry entry;
    entry.guard_descriptor = opened->guard.descriptor();
    entry.lock_file = FileIdentity{identity.device, opened->lock_file_inode};
    OpenFilePointer file(opened.release(), CloseFile());
    entry.file = file;
    registry.entries[identity] = std::move(entry);
    file->is_registered = true;
    return file;
  }
  return make_error(Code::busy, path + " is being replaced all the time");
}

namespace {

// What this process has open already, and which nobody has looked through.
Result<std::shared_ptr<Environment>> look_through(std::shared_ptr<Environment> environment,
                                                  OpenFile& file) {
  TL_TRY_ASSIGN(snapshot, begin_verified_read(environment, {}, {}));
  if (snapshot->file_number() == file.number) file.verified = true;
  return environment;
}

Result<std::shared_ptr<Environment>> open_shared(const std::string& path,
                                                 const OpenOptions& options,
                                                 OpenFilePointer& file) {
  TL_TRY_ASSIGN(real, real_path(path));
  std::shared_ptr<Environment> shared;  // to be let go of after the lock
  Registry& registry = Registry::instance();
  std::unique_lock lock(registry.mutex);
  TL_TRY_ASSIGN(opened, open_registered(lock, real, options, !options.read_only));
  file = std::move(opened);
  Registry::Entry& entry = registry.entries[file->guard.identity()];
  shared = entry.environment.lock();
  if (shared && shared->state().current() == file) return shared;
  auto state = std::make_unique<Environment::State>();
  state->path = real;
  state->exchange(file);
  auto environment = std::make_shared<Environment>(std::move(state));
  entry.environment = environment;
  return environment;
}

}  // namespace

Result<std::shared_ptr<Environment>> Environment::open(const std::string& path,
                                                       const OpenOptions& options) {
  OpenFilePointer file;
  TL_TRY_ASSIGN(environment, open_shared(path, options, file));
  if (!options.untrusted || file->verified) return environment;
  return look_through(std::move(environment), *file);
}

Status Environment::State::go_over(const OpenFilePointer& from,
                                   const std::shared_ptr<Environment>& self) {
  // To be let go of after the lock.
  OpenFilePointer file;
  OpenFilePointer before;
  Registry& registry = Registry::instance();
  std::unique_lock lock(registry.mutex);
  if (current() != from) return {};
  TL_TRY_ASSIGN(opened, open_registered(lock, path, from->options, false));
  file = std::move(opened);
  before = exchange(file);
  Registry::Entry& entry = registry.entries[file->guard.identity()];
  if (entry.environment.expired()) entry.environment = self;
  return {};
}

// As for opening: nobody must look at the lock file while our locks on it are gone.
Status OpenFile::replace_engine() {
  const std::scoped_lock registered(Registry::instance().mutex);
  TL_TRY(guard.lock_door(options.door_patience));
  Status replaced = without_exceptions([&]() -> Status {
    const std::scoped_lock lock(map_mutex);
    engine_lost = true;
    engine.reset();
    const bool locks = !guard.without_lock_file();
    TL_TRY(open_engine(*this, locks ? LockFile::there : LockFile::none));
    TL_TRY(check_engine(*this, lock_file_mark(lock_file_inode)));
    TL_TRY(open_key_spaces(*this));
    lock_keeper.renew();
    syncs_heads = true;
    engine_lost = false;
    return {};
  });
  guard.unlock_door();
  return replaced;
}

void CloseFile::operator()(OpenFile* pointer) const {
  // Of a file that was inherited everything is the parent's, and its mutexes may be held by threads
  // that do not exist here: forget it.
  if (pointer->forked()) return;
  std::unique_ptr<OpenFile> file(pointer);
  Registry& registry = Registry::instance();
  {
    // Where there is no memory to register it, whoever opens it holds the lock.
    std::unique_lock lock(registry.mutex, std::defer_lock);
    if (file->is_registered) lock.lock();
    const FileIdentity identity = file->guard.identity();
    bool behind_door = false;
    ended_well([&] { behind_door = file->guard.lock_door(file->options.door_patience).ok(); });
    file->engine.reset();
    // Without the door, somebody may just be opening with our lock file: leave it. Where another
    // file has got the name, the lock file is the business of those who open that: their door is
    // not ours. Where there is no memory to find that out, the next to open it will.
    ended_well([&] {
      const auto others = file->guard.other_user();
      const auto in_place = identity_of(file->path);
      if (behind_door && others && !others.value().has_value() &&
          (!in_place || *in_place == identity)) {
        remove_lock_file_of(file->path, file->lock_file_inode);
      }
    });
    file->guard.end_use();
    file->guard.unlock_door();
    file.reset();
    registry.entries.erase(identity);
  }
  registry.closed.notify_all();
}

}  // namespace tracelite::store
