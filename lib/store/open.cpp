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
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>

#include "store/environment_state.hpp"
#include "store/errors.hpp"
#include "store/file_header.hpp"
#include "store/format.hpp"
#include "store/lock_file.hpp"
#include "store/map_size.hpp"

namespace tracelite::store {
namespace {

// How long the locks of a process that was killed may take to go.
constexpr std::chrono::milliseconds kDyingPatience{1'000};
// How often to start over because the file was replaced or removed while we stood at the door.
constexpr int kOpenTriesMax = 100;
std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

// The path without symbolic links, so that every name of the file leads to the same lock file. The
// file itself need not exist.
Result<std::string> real_path(const std::string& path) {
  if (path.empty() || path.find('\0') != std::string::npos) {
    return make_error(Code::invalid, "the path is empty or contains a NUL", "path");
  }
  const auto resolve = [](const std::string& name) -> std::string {
    char* const found = realpath(name.c_str(), nullptr);
    std::string result = found != nullptr ? found : "";
    std::free(found);  // NOLINT: realpath uses malloc
    return result;
  };
  std::string whole = resolve(path);
  if (!whole.empty()) return whole;
  if (errno != ENOENT) return system_error(errno, "open", path);
  struct stat status = {};
  if (lstat(path.c_str(), &status) == 0) {
    return make_error(Code::not_found, path + " is a symbolic link to nothing", "path", ENOENT);
  }
  const std::size_t slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const std::string real_folder = resolve(folder);
  if (real_folder.empty()) return system_error(errno, "find the folder", folder);
  if (name.empty() || name == "." || name == "..") return system_error(ENOENT, "open", path);
  return real_folder == "/" ? real_folder + name : real_folder + "/" + name;
}

Status sync_folder(const std::string& path) {
  const std::string folder = folder_of(path);
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return system_error(errno, "open the folder", folder);
  const int code = fsync(descriptor) == 0 ? 0 : errno;
  close(descriptor);
  // Some file systems cannot sync a folder, and do not need it.
  if (code != 0 && code != EINVAL) return system_error(code, "sync the folder", folder);
  return {};
}

Error wrong_lock_file(const Environment::State& state, FoundLockFile found) {
  std::string message = "the lock file ";
  message.append(lock_path_of(state.path)).append(" was ");
  message.append(found == FoundLockFile::missing ? "removed or renamed"
                 : found == FoundLockFile::another
                     ? "replaced"
                     : "read by a process that uses it, which lost its locks");
  message.append(" while ").append(state.path);
  message.append(" is open in another process; close it there first");
  return make_error(Code::busy, std::move(message));
}

// The mark of the lock file that others use, if there are others, once it is sure that LMDB would
// open the same one.
Result<std::optional<std::uint64_t>> meet_others(const Environment::State& state) {
  const auto patience = std::min(kDyingPatience, state.options.door_patience);
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    TL_TRY_ASSIGN(theirs, state.guard.other_user());
    if (!theirs) return theirs;
    const bool without_lock_file = *theirs == lock_file_mark(0);
    if (state.guard.read_only_medium() && without_lock_file) return theirs;
    if (state.guard.read_only_medium() || without_lock_file) {
      return make_error(Code::busy, state.path +
                                        " is open through a read-only mount and for writing at the "
                                        "same time, which cannot work; close one of them");
    }
    const FoundLockFile found = find_lock_file(lock_path_of(state.path), *theirs);
    if (found == FoundLockFile::theirs) return theirs;
    // A process that is just being killed loses its locks one after the other.
    const bool dying =
        found == FoundLockFile::abandoned && std::chrono::steady_clock::now() < deadline;
    if (!dying) return wrong_lock_file(state, found);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

Error explain_open_failure(const Environment::State& state, int code) {
  const std::string lock_path = lock_path_of(state.path);
  const bool refused = code == EACCES || code == EPERM || code == EROFS;
  // The data file is open already, so what was refused is the lock file.
  if (refused && identity_of(lock_path)) return engine_error(code, "open the lock file", lock_path);
  if (refused) {
    return make_error(Code::permission,
                      "cannot create the lock file " + lock_path + ": the folder " +
                          folder_of(state.path) + " does not allow it",
                      "path", code);
  }
  if (code == MDB_INVALID || code == MDB_VERSION_MISMATCH) {
    return make_error(Code::busy, "the lock file " + lock_path + " belongs to another program", {},
                      code);
  }
  return engine_error(code, "open", state.path);
}

// Opens the LMDB environment; the header has been found good. `locks` says whether with a lock
// file.
Status open_engine(Environment::State& state, bool locks) {
  struct stat status = {};
  if (fstat(state.guard.descriptor(), &status) != 0) {
    return system_error(errno, "look at", state.path);
  }
  unsigned flags = MDB_NOSUBDIR | MDB_NOTLS;
  if (!state.writable) flags |= MDB_RDONLY;
  if (!locks) flags |= MDB_NOLOCK;
  // Whoever may write the file may write the lock file.
  const mode_t mode = (status.st_mode & 0666) | S_IRUSR | S_IWUSR;
  if (locks && state.opened_alone) {
    const int code = create_lock_file(lock_path_of(state.path), mode);
    if (code != 0) return explain_open_failure(state, code);
  }
  const auto needed = std::max(kMinimumMapSizeBytes, static_cast<std::size_t>(status.st_size));
  std::size_t map_size = affordable_map_size(state.options.map_size_bytes, needed);
  for (;;) {
    MDB_env* made = nullptr;
    int code = mdb_env_create(&made);
    Engine engine(made);
    if (code == 0) code = mdb_env_set_maxdbs(made, kKeySpaceCount);
    if (code == 0) code = mdb_env_set_maxreaders(made, kReadersMax);
    if (code == 0) code = mdb_env_set_mapsize(made, map_size);
    if (code == 0) code = mdb_env_open(made, state.path.c_str(), flags, mode);
    if (code == 0) {
      state.engine = std::move(engine);
      return {};
    }
    if ((code != ENOMEM && code != EINVAL) || map_size / 2 < needed) {
      Error error = explain_open_failure(state, code);
      engine.reset();
      if (state.opened_alone && locks) unlink(lock_path_of(state.path).c_str());
      return error;
    }
    map_size /= 2;
  }
}

// LMDB opens by name; make sure that it has got the files that we looked at.
Status check_engine(Environment::State& state, std::optional<std::uint64_t> theirs) {
  int descriptor = -1;
  mdb_env_get_fd(state.engine.get(), &descriptor);
  // LMDB leaves this one open to the programs that this one starts.
  fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  const auto here = identity_of(lock_path_of(state.path));
  const bool locks = !state.guard.read_only_medium();
  if (identity_of(descriptor) != state.guard.identity() || (locks && !here) ||
      (locks && theirs && lock_file_mark(here->inode) != *theirs)) {
    return make_error(Code::busy,
                      state.path + " or its lock file was replaced while it was opened");
  }
  if (!locks) return {};
  state.lock_file_inode = here->inode;
  return state.lock_keeper.start(lock_path_of(state.path), here->inode);
}

// A new file must be found again after a power cut, and its head must be there before the first
// commit refers to it.
Status make_durable(const Environment::State& state) {
  if (fsync(state.guard.descriptor()) != 0) return system_error(errno, "sync", state.path);
  return sync_folder(state.path);
}

// Nobody else is here and nobody can come in, so this takes no lock: LMDB's write mutex must not be
// waited for while the registry is held, because a fork waits for that.
Status fill_new_file(Environment::State& state) {
  TL_TRY(open_engine(state, false));
  TL_TRY(make_durable(state));
  TL_TRY(create_key_spaces(state));
  state.engine.reset();
  return {};
}

// Behind the door. `unused` says whether the file was empty when we came.
Status open_behind_door(Environment::State& state, bool& unused) {
  TL_TRY_ASSIGN(theirs, meet_others(state));
  state.opened_alone = !theirs.has_value();
  TL_TRY_ASSIGN(header, inspect_header(state.guard.descriptor(), state.path, state.opened_alone));
  if (header == HeaderState::unused) {
    if (state.options.read_only || !state.writable) {
      return make_error(Code::not_tracelite, state.path + " is empty", "path");
    }
    if (theirs) {
      return make_error(Code::corrupt, state.path + " was emptied while another process uses it");
    }
    unused = true;
    if (ftruncate(state.guard.descriptor(), 0) != 0)
      return system_error(errno, "write", state.path);
  }
  const bool locks = !state.guard.read_only_medium();
  if (state.opened_alone && locks) TL_TRY(remove_stale_lock_file(lock_path_of(state.path)));
  if (unused) TL_TRY(fill_new_file(state));
  TL_TRY(open_engine(state, locks));
  TL_TRY(check_engine(state, theirs));
  TL_TRY(open_key_spaces(state));
  state.opened_at = state.information().me_last_txnid;
  if (!state.opened_alone) mdb_reader_check(state.engine.get(), nullptr);
  return state.guard.start_use(lock_file_mark(state.lock_file_inode));
}

// Leaves nothing behind of a file that could not be made.
void undo(Environment::State& state, bool created, bool unused) {
  state.engine.reset();
  if (state.opened_alone) remove_lock_file(lock_path_of(state.path), state.lock_file_inode);
  if (!unused) return;
  if (created) {
    unlink(state.path.c_str());
  } else if (ftruncate(state.guard.descriptor(), 0) != 0) {
    // It stays as it is: still unused for the next to open it.
  }
}

// nullptr: the file was replaced or removed at the wrong moment; start over.
Result<std::unique_ptr<Environment::State>> open_once(const std::string& path,
                                                      const OpenOptions& options) {
  bool created = false;
  Result<Guard> guard = Guard::open_existing(path);
  if (!guard && guard.error().engine_code == ENOENT && !options.read_only) {
    guard = Guard::create(path);
    created = guard.ok();
    if (!guard && guard.error().engine_code == EEXIST) {
      return std::unique_ptr<Environment::State>{};
    }
  }
  if (!guard) return std::move(guard).error();

  auto state = std::make_unique<Environment::State>();
  state->path = path;
  state->options = options;
  state->guard = std::move(guard).value();
  state->writable = state->guard.writable();
  TL_TRY(state->guard.lock_door(options.door_patience));
  if (identity_of(path) != state->guard.identity()) return std::unique_ptr<Environment::State>{};
  bool unused = false;
  Status opened = open_behind_door(*state, unused);
  if (!opened) undo(*state, created, unused);
  state->guard.unlock_door();
  if (!opened) return std::move(opened).error();
  return state;
}

}  // namespace

Result<std::shared_ptr<Environment>> Environment::open(const std::string& path,
                                                       const OpenOptions& options) {
  TL_TRY_ASSIGN(real, real_path(path));
  Registry& registry = Registry::instance();
  std::unique_lock lock(registry.mutex);
  for (int tries = 0; tries < kOpenTriesMax; ++tries) {
    for (;;) {
      const auto identity = identity_of(real);
      if (!identity) break;
      const auto found = registry.entries.find(*identity);
      if (found == registry.entries.end()) break;
      if (auto shared = found->second.environment.lock()) return shared;
      registry.closed.wait(lock);  // its last owner is about to close it
    }
    Result<std::unique_ptr<State>> opened = open_once(real, options);
    if (!opened) return std::move(opened).error();
    std::unique_ptr<State> state = std::move(opened).value();
    if (!state) continue;
    const FileIdentity identity = state->guard.identity();
    Registry::Entry entry;
    entry.guard_descriptor = state->guard.descriptor();
    entry.lock_file = FileIdentity{identity.device, state->lock_file_inode};
    auto environment = std::make_shared<Environment>(std::move(state));
    entry.environment = environment;
    registry.entries[identity] = std::move(entry);
    return environment;
  }
  return make_error(Code::busy, real + " is being replaced all the time");
}

Environment::~Environment() {
  if (state_->forked()) {
    // Everything in it is the parent's, and its mutexes may be held by threads that do not exist
    // here: forget it.
    (void)state_.release();
    return;
  }
  Registry& registry = Registry::instance();
  {
    const std::scoped_lock lock(registry.mutex);
    const FileIdentity identity = state_->guard.identity();
    const bool behind_door = state_->guard.lock_door(state_->options.door_patience).ok();
    state_->engine.reset();
    const auto others = state_->guard.other_user();
    // Without the door, somebody may just be opening with our lock file: leave it.
    if (behind_door && others && !others.value().has_value()) {
      remove_lock_file(lock_path_of(state_->path), state_->lock_file_inode);
    }
    state_->guard.end_use();
    state_->guard.unlock_door();
    state_.reset();
    registry.entries.erase(identity);
  }
  registry.closed.notify_all();
}

}  // namespace tracelite::store
