// The folder that a file lies in: what LMDB does not care for.
#pragma once

#include <string>

#include "model/result.hpp"

namespace tracelite::store {

// The path without symbolic links, so that every name of the file leads to the same lock file. The
// file itself need not exist. Errors: invalid (empty), not_found, permission, io.
Result<std::string> real_path(const std::string& path);
// `path` is absolute.
std::string folder_of(const std::string& path);
// After a file was created, renamed or removed in it, so that it is so after a power cut. Errors:
// io, permission.
Status sync_folder(const std::string& path);
// Renames within a folder, never over another file. Errors: invalid (engine code EEXIST), and
// the system's.
Status rename_to_new(const std::string& from, const std::string& to);

}  // namespace tracelite::store
