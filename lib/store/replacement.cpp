// See replacement.hpp.
#include "store/replacement.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <optional>
#include <utility>

#include "model/out_of_memory.hpp"
#include "store/environment_state.hpp"
#include "store/errors.hpp"
#include "store/file_header.hpp"
#include "store/folder.hpp"
#include "store/new_file.hpp"
#include "store/replacement_note.hpp"
#include "store/testing.hpp"

namespace tracelite::store {
namespace {

// What the note takes in the old file.
constexpr std::uint64_t kNoteRoomSizeBytes = std::uint64_t{1} << 20;

std::string scratch_path(const std::string& path) { return path + "-compact-scratch"; }
std::string new_path(const std::string& path) { return path + "-compact-new"; }

Error failed_here(int code, const std::string& path) { return system_error(code, "replace", path); }

// The folder must let us, and nobody may lose the file by it.
Status check_replaceable(const OpenFile& file, const std::string& path) {
  struct stat status = {};
  if (fstat(file.guard.descriptor(), &status) != 0) return system_error(errno, "look at", path);
  if (identity_of(path) != file.guard.identity()) {
    return make_error(Code::not_found, path + " is not where it was opened any more", "path");
  }
  if (status.st_nlink != 1) {
    return make_error(
        Code::unsupported,
        path + " has a second name (a hard link), under which the old file would stay", "path");
  }
  if (status.st_uid != geteuid() && geteuid() != 0) {
    return make_error(Code::permission, path + " belongs to another user, who must do it", "path");
  }
  return {};
}

// The new file may be read and written by whom the old one may.
Status copy_permissions(const OpenFile& from, const Guard& to, const std::string& path) {
  constexpr mode_t kGroupMay = S_IRWXG;
  struct stat old = {};
  if (fstat(from.guard.descriptor(), &old) != 0) return system_error(errno, "look at", path);
  // The group does not matter where it may nothing.
  const bool owned =
      fchown(to.descriptor(), old.st_uid, old.st_gid) == 0 || (old.st_mode & kGroupMay) == 0;
  if (!owned || fchmod(to.descriptor(), old.st_mode & 07777) != 0 || fsync(to.descriptor()) != 0) {
    return system_error(errno, "set the permissions of", path);
  }
  return {};
}

}  // namespace

void remove_drafts(const std::string& path) {
  remove_draft(scratch_path(path));
  remove_draft(new_path(path));
}

// Writing in more than one commit has left a few pages free. In a small file they count, so it is
// copied once more, by LMDB, without them.
constexpr std::uint64_t kSmallFileSizeBytes = std::uint64_t{1} << 20;

namespace {

// False if LMDB finds that the file has pages that are neither used nor free, and gives up.
Result<bool> copy_without_free_pages(const OpenFile& from, const std::string& to,
                                     std::uint64_t transactions_after) {
  TL_TRY_ASSIGN(guard, Guard::create(to));
  const int code = mdb_env_copyfd2(from.engine.get(), guard.descriptor(), MDB_CP_COMPACT);
  if (code == MDB_INCOMPATIBLE) return false;
  if (code != 0) return engine_error(code, "write", to);
  TL_TRY(renumber(guard.descriptor(), to, transactions_after));
  if (fsync(guard.descriptor()) != 0) return system_error(errno, "sync", to);
  return true;
}

}  // namespace

struct Replacement::State {
  std::shared_ptr<Environment> environment;
  std::string path;
  OpenFilePointer file;
  // Given back in the order of their going: the write mutex first, then the turn.
  Turn turn;
  std::optional<WriteTransaction> transaction;
  std::shared_ptr<Environment> scratch;
  bool note_is_left = false;  // in the old file, which stays in place

  Status write_new(const CopyProgress& progress);
  Status swap();
};

Replacement::Replacement(std::unique_ptr<State> state) : state_(std::move(state)) {}

Replacement::~Replacement() {
  if (!state_ || state_->environment->forked()) return;
  state_->scratch.reset();
  // Otherwise the next to open the file alone removes them.
  if (state_->transaction) ended_well([&] { remove_drafts(state_->path); });
}

Result<std::unique_ptr<Replacement>> Replacement::begin(std::shared_ptr<Environment> environment) {
  std::unique_ptr<Replacement> replacement(new Replacement(std::make_unique<State>()));
  State& state = *replacement->state_;
  state.environment = std::move(environment);
  state.path = state.environment->path();
  while (!state.transaction) {
    TL_TRY(state.environment->make_room(kNoteRoomSizeBytes));
    TL_TRY_ASSIGN(begun, state.environment->state().begin_write(state.environment, &state.turn));
    if (begun->file->has_room(kNoteRoomSizeBytes)) {
      state.file = begun->file;
      state.transaction.emplace(std::move(begun));
    } else {  // others have written meanwhile, or put another file in place
      begun.reset();
      state.turn.leave();
    }
  }
  TL_TRY(check_replaceable(*state.file, state.path));
  remove_drafts(state.path);
  TL_TRY_ASSIGN(scratch, open_draft(scratch_path(state.path), state.transaction->id()));
  state.scratch = std::move(scratch);
  return replacement;
}

const Transaction& Replacement::content() const { return *state_->transaction; }
const std::shared_ptr<Environment>& Replacement::scratch() const { return state_->scratch; }

Status Replacement::finish(const CopyProgress& progress) {
  TL_TRY(state_->write_new(progress));
  Status swapped = state_->swap();
  if (!swapped) remove_draft(new_path(state_->path));
  state_->transaction.reset();
  // Not under the registry's mutex: whoever writes may take that one behind LMDB's.
  if (state_->note_is_left) clear_note(*state_->file);
  state_->turn.leave();
  if (swapped) state_->file->guard.wait_for_queue();
  return swapped;
}

// Step 1.
Status Replacement::State::write_new(const CopyProgress& progress) {
  const std::string target = new_path(path);
  std::shared_ptr<Environment> made;
  {
    TL_TRY_ASSIGN(source, scratch->begin_read());
    // Beyond the scratch file's numbers as well: what was derived from them is in what is copied.
    TL_TRY_ASSIGN(opened, open_draft(target, source.id()));
    made = std::move(opened);
    TL_TRY(copy_in_order(source, *made, progress, kDensePacking));
  }
  scratch.reset();
  remove_draft(scratch_path(path));
  std::uint64_t last_id = 0;
  {
    TL_TRY_ASSIGN(last, made->begin_write());
    last_id = last.id();
    TL_TRY(put_note(last, Note{Note::Kind::fresh, file->lock_file_inode}));
    TL_TRY(last.commit());
  }
  TL_TRY(made->sync());
  TL_TRY_ASSIGN(size_bytes, made->file_size_bytes());
  if (size_bytes > kSmallFileSizeBytes) return {};
  const std::string smaller = scratch_path(path);
  TL_TRY_ASSIGN(copied, copy_without_free_pages(*made->state().current(), smaller, last_id));
  made.reset();
  if (!copied) remove_draft(smaller);
  if (copied && rename(smaller.c_str(), target.c_str()) != 0)
    return system_error(errno, "write", target);
  return {};
}

Status Replacement::State::swap() {
  int code = testing::check(testing::Point::replacement_written);
  if (code != 0) return failed_here(code, path);
  const std::string made = new_path(path);
  const std::scoped_lock registered(Registry::instance().mutex);
  TL_TRY(file->guard.lock_door(file->options.door_patience));
  const Door old_door(file->guard);
  TL_TRY_ASSIGN(guard, Guard::open_existing(made));
  TL_TRY(guard.lock_door(file->options.door_patience));
  const Door new_door(guard);
  TL_TRY(copy_permissions(*file, guard, path));
  TL_TRY(check_replaceable(*file, path));

  TL_TRY(put_note(*transaction, Note{Note::Kind::superseded, 0}));
  TL_TRY(transaction->commit());
  code = testing::check(testing::Point::replacement_announced);
  if (code == 0 && rename(made.c_str(), path.c_str()) != 0) code = errno;
  if (code != 0) {
    note_is_left = true;
    return failed_here(code, path);
  }
  (void)testing::check(testing::Point::replacement_renamed);
  remove_lock_file_of(path, file->lock_file_inode);
  (void)testing::check(testing::Point::replacement_unlocked);
  Status synced = sync_folder(path);
  (void)testing::check(testing::Point::replacement_synced);
  return synced;
}

Status back_up(const std::shared_ptr<Environment>& environment, const std::string& path,
               const CopyProgress& progress) {
  TL_TRY_ASSIGN(file, NewFile::begin(path, "backup"));
  TL_TRY_ASSIGN(source, environment->begin_read());
  return file->finish(source, progress, std::nullopt);
}

}  // namespace tracelite::store
