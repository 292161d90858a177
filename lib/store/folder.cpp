// See folder.hpp.
#include "store/folder.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "store/errors.hpp"

namespace tracelite::store {

Result<std::string> real_path(const std::string& path) {
  if (path.empty() || path.find('\0') != std::string::npos) {
    return make_error(Code::invalid, "the path is empty or contains a NUL", "path");
  }
  const auto resolve = [](const std::string& name) -> std::string {
    const std::unique_ptr<char, decltype(&std::free)> found(realpath(name.c_str(), nullptr),
                                                            std::free);
    return found != nullptr ? found.get() : "";
  };
  std::string whole = resolve(path);
  if (!whole.empty()) return whole;
  if (errno != ENOENT) return system_error(errno, "open", path);
  struct stat status = {};
  if (lstat(path.c_str(), &status) == 0) {
    // Somebody may have made the file since.
    whole = resolve(path);
    if (!whole.empty()) return whole;
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

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
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

Status rename_to_new(const std::string& from, const std::string& to) {
  // A second name can only be given where there is none.
  if (link(from.c_str(), to.c_str()) == 0) {
    unlink(from.c_str());
    return {};
  }
  int code = errno;
  struct stat status = {};
  const bool no_links = code == EPERM || code == EOPNOTSUPP || code == EMLINK;
  if (no_links && lstat(to.c_str(), &status) != 0 && errno == ENOENT) {
    if (rename(from.c_str(), to.c_str()) == 0) return {};
    code = errno;
  } else if (no_links) {
    code = EEXIST;
  }
  if (code == EEXIST) {
    return make_error(Code::invalid, to + " exists already", "path", EEXIST);
  }
  return system_error(code, "create", to);
}

}  // namespace tracelite::store
