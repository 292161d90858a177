// See verified_files.hpp.
#include "verified_files.hpp"

#include <fcntl.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

namespace cli {
namespace {

constexpr std::size_t kLinesMax = 256;
// Both heads, whatever the size of its pages.
constexpr std::size_t kBeginSizeBytes = std::size_t{2} << 16;
// This program opens few files.
constexpr int kDescriptorsMax = 256;

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

std::string hex_of(const unsigned char* bytes, std::size_t size_bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (std::size_t i = 0; i < size_bytes; ++i) {
    hex.push_back(kDigits[bytes[i] >> 4]);
    hex.push_back(kDigits[bytes[i] & 15]);
  }
  return hex;
}

std::optional<FileState> state_by(int descriptor) {
  struct stat found {};
  struct statvfs system {};
  if (fstat(descriptor, &found) != 0 || !S_ISREG(found.st_mode)) return std::nullopt;
  if (fstatvfs(descriptor, &system) != 0) return std::nullopt;
  std::vector<unsigned char> begin(kBeginSizeBytes);
  const ssize_t read = pread(descriptor, begin.data(), begin.size(), 0);
  if (read < 0) return std::nullopt;
  std::array<unsigned char, SHA256_DIGEST_LENGTH> hash{};
  SHA256(begin.data(), static_cast<std::size_t>(read), hash.data());
  const std::string line =
      std::to_string(system.f_fsid) + ' ' + std::to_string(found.st_dev) + ' ' +
      std::to_string(found.st_ino) + ' ' + std::to_string(found.st_size) + ' ' +
      std::to_string(found.st_ctim.tv_sec) + '.' + std::to_string(found.st_ctim.tv_nsec) + ' ' +
      hex_of(hash.data(), hash.size());
  return FileState{found.st_dev, found.st_ino, line};
}

}  // namespace

VerifiedFiles::VerifiedFiles() : folder_(cache_folder()), path_(folder_ + "/verified") {}

std::optional<FileState> VerifiedFiles::state_of(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (descriptor < 0) return std::nullopt;
  auto state = state_by(descriptor);
  close(descriptor);
  return state;
}

std::optional<FileState> VerifiedFiles::state_if_open(const FileState& file) {
  for (int descriptor = 0; descriptor < kDescriptorsMax; ++descriptor) {
    struct stat found {};
    if (fstat(descriptor, &found) != 0) continue;
    if (found.st_dev == file.device && found.st_ino == file.inode) return state_by(descriptor);
  }
  return std::nullopt;
}

bool VerifiedFiles::contains(const FileState& state) const {
  if (folder_.empty()) return false;
  for (const std::string& line : lines_of(path_)) {
    if (line == state.line) return true;
  }
  return false;
}

// Written beside and renamed, so that no other program reads half of it.
void VerifiedFiles::add(const FileState& state) const {
  if (folder_.empty()) return;
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  std::vector<std::string> lines = lines_of(path_);
  std::erase(lines, state.line);
  lines.push_back(state.line);
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
