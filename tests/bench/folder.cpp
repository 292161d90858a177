#include "bench/folder.hpp"

#include <stdlib.h>

#include <filesystem>
#include <stdexcept>
#include <system_error>

namespace bench {

namespace fs = std::filesystem;

Folder::Folder(const std::string& parent) {
  const fs::path in =
      parent.empty() ? fs::read_symlink("/proc/self/exe").parent_path() : fs::path(parent);
  path_ = (in / "bench-XXXXXX").string();
  if (mkdtemp(path_.data()) == nullptr) {
    throw std::runtime_error("cannot make a folder in " + in.string());
  }
}

Folder::~Folder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace bench
