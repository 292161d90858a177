// Which files this program has looked through, so that it need not do it again with every command:
// a few lines in the user's cache folder. Where that cannot be read or written, files are looked
// through each time.
//
// A line is a file in one state: file system, device, inode, size, the time of its last change to
// the nanosecond, and SHA-256 of its begin, where both heads are. Each commit moves the time and
// writes a head, and on a disk of this machine nobody but its administrator can set the time back.
// Whoever makes a whole medium can, and can keep the begin as well: whoever looks such a medium
// through and later gets another one that is the same in all of this is deceived.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace cli {

struct FileState {
  dev_t device = 0;
  ino_t inode = 0;
  std::string line;
};

class VerifiedFiles {
 public:
  VerifiedFiles();
  // By its name, which may lead elsewhere the next time. nullopt: there is no such file.
  [[nodiscard]] static std::optional<FileState> state_of(const std::string& path);
  // Of the same file if this process has it open: who has just opened something by that name learns
  // whether it is this one, and whether it has changed. nullopt: it is another one.
  [[nodiscard]] static std::optional<FileState> state_if_open(const FileState& file);
  [[nodiscard]] bool contains(const FileState& state) const;
  void add(const FileState& state) const;

 private:
  std::string folder_;  // empty: there is none
  std::string path_;
};

}  // namespace cli
