// See verified_files.hpp.
#include "verified_files.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

namespace cli {
namespace {

constexpr std::size_t kLinesMax = 256;

std::string cache_folder() {
  const char* const cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return std::string(cache) + "/tracelite";
  const char* const home = std::getenv("HOME");
  if (home != nullptr && *home == '/') return std::string(home) + "/.cache/tracelite";
  return {};
}

std::vector<std::string> lines_of(const std::string& path) {
  std::vector<std::string> lines;
  std::ifstream file(path);
  for (std::string line; lines.size() < 2 * kLinesMax && std::getline(file, line);) {
    lines.push_back(line);
  }
  return lines;
}

}  // namespace

VerifiedFiles::VerifiedFiles() : folder_(cache_folder()), path_(folder_ + "/verified") {}

std::optional<std::string> VerifiedFiles::state_of(const std::string& path) {
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) return std::nullopt;
  return std::to_string(found.st_dev) + ' ' + std::to_string(found.st_ino) + ' ' +
         std::to_string(found.st_size) + ' ' + std::to_string(found.st_ctim.tv_sec) + '.' +
         std::to_string(found.st_ctim.tv_nsec);
}

bool VerifiedFiles::contains(const std::string& state) const {
  if (folder_.empty()) return false;
  for (const std::string& line : lines_of(path_)) {
    if (line == state) return true;
  }
  return false;
}

// Written beside and renamed, so that no other program reads half of it.
void VerifiedFiles::add(const std::string& state) const {
  if (folder_.empty()) return;
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  std::vector<std::string> lines = lines_of(path_);
  std::erase(lines, state);
  lines.push_back(state);
  const std::string part = path_ + '.' + std::to_string(getpid());
  {
    std::ofstream file(part, std::ios::trunc);
    const std::size_t first = lines.size() > kLinesMax ? lines.size() - kLinesMax : 0;
    for (std::size_t i = first; i < lines.size(); ++i) file << lines[i] << '\n';
    if (!file.flush()) error = std::make_error_code(std::errc::io_error);
  }
  if (!error) std::filesystem::rename(part, path_, error);
  if (error) std::filesystem::remove(part, error);
}

}  // namespace cli
