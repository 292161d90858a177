// Which files this program has looked through, so that it need not do it again with every command:
// a few lines in the user's cache folder. Where that cannot be read or written, files are looked
// through each time.
//
// A line is a file in one state: device, inode, size, and the time of its last change to the
// nanosecond, which each commit moves and nobody can set back.
#pragma once

#include <optional>
#include <string>

namespace cli {

class VerifiedFiles {
 public:
  VerifiedFiles();
  // nullopt: there is no such file.
  [[nodiscard]] static std::optional<std::string> state_of(const std::string& path);
  [[nodiscard]] bool contains(const std::string& state) const;
  void add(const std::string& state) const;

 private:
  std::string folder_;  // empty: there is none
  std::string path_;
};

}  // namespace cli
