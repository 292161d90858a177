// See new_file.hpp.
#include "store/new_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "model/out_of_memory.hpp"
#include "store/environment_state.hpp"
#include "store/folder.hpp"

namespace tracelite::store {
namespace {

// One that a killed process has left is removed, one at work is not.
Status take_draft_name(const std::string& path) {
  Result<Guard> guard = Guard::open_existing(path);
  if (!guard) return guard.error().code == Code::not_found ? Status() : Status(guard.error());
  TL_TRY(guard->lock_door(OpenOptions().door_patience));
  const Door door(*guard);
  TL_TRY_ASSIGN(user, guard->other_user());
  if (user) return make_error(Code::busy, path + " is just being written", "path");
  remove_draft(path);
  return {};
}

}  // namespace

Result<std::shared_ptr<Environment>> open_draft(const std::string& path,
                                                std::uint64_t transactions_after) {
  OpenOptions options;
  options.draft = true;
  options.transactions_after = transactions_after;
  return Environment::open(path, options);
}

void remove_draft(const std::string& path) {
  unlink(path.c_str());
  unlink_lock_file_of(path);
}

Result<std::unique_ptr<NewFile>> NewFile::begin(const std::string& path,
                                                const std::string& purpose) {
  TL_TRY_ASSIGN(target, real_path(path));
  struct stat status = {};
  if (lstat(target.c_str(), &status) == 0) {
    return make_error(Code::invalid, target + " exists already", "path", EEXIST);
  }
  std::string prefix = target + '-' + purpose + '-';
  return std::unique_ptr<NewFile>(new NewFile(std::move(target), std::move(prefix)));
}

NewFile::~NewFile() {
  for (const std::string& draft : drafts_) remove_draft(draft);
}

Result<std::shared_ptr<Environment>> NewFile::open(const std::string& name,
                                                   std::uint64_t transactions_after) {
  const std::string path = prefix_ + name;
  TL_TRY(take_draft_name(path));
  drafts_.push_back(path);
  auto opened = open_draft(path, transactions_after);
  // Somebody else was faster: it is theirs.
  if (!opened && opened.error().engine_code == EEXIST) drafts_.pop_back();
  return opened;
}

Result<std::shared_ptr<Environment>> NewFile::open_scratch(const std::string& name) {
  return open(name, 0);
}

Status NewFile::finish(const Transaction& from, const CopyProgress& progress,
                       const std::optional<Packing>& packing) {
  {
    TL_TRY_ASSIGN(made, open("part", from.id()));
    TL_TRY(copy_in_order(from, *made, progress, packing));
    TL_TRY(made->sync());
  }
  const std::string part = std::move(drafts_.back());
  drafts_.pop_back();
  Status placed = without_exceptions([&] { return rename_to_new(part, path_); });
  if (!placed) {
    remove_draft(part);
    return placed;
  }
  placed = without_exceptions([&] { return sync_folder(path_); });
  if (!placed) unlink(path_.c_str());
  return placed;
}

}  // namespace tracelite::store
