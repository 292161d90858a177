// Writes down what this process does to the files below one folder, in any library and with the
// data, so that a test can tell what a power cut could leave of it. The calls are interposed, so
// this must be linked into the program itself. Does nothing under the thread sanitizer, which has
// stand-ins of its own.
//
// What goes through a shared map is not seen: LMDB writes its data file by calls (the library never
// asks it for a writable map), and its lock file means nothing after a power cut.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace recording {

enum class Kind : std::uint8_t {
  create,       // `name` of a new, empty file
  write,        // of `data` at `offset`
  punch,        // `size_bytes` from `offset` on read as zeros
  truncate,     // to `offset` bytes, or enlarge
  sync,         // everything of the file until now
  sync_range,   // what a write through a descriptor that syncs each has written
  rename,       // `name` to `to`
  link,         // `to` is a second name of the file `name`
  unlink,       // `name`
  sync_folder,  // all names until now
  mark,         // by the test: `mark` with `offset`
};

struct Entry {
  Kind kind{};
  std::uint32_t file = 0;  // a number of its own for each file that was ever there
  std::uint64_t offset = 0;
  std::uint64_t size_bytes = 0;
  std::string data;
  std::string name;  // within the folder
  std::string to;
  int mark = 0;
};

// Begins anew, with a folder that is empty.
void start(const std::string& folder);
// What was recorded.
std::vector<Entry> stop();
// Something that must hold from here on, or may hold from here on.
void mark(int mark, std::uint64_t number);

}  // namespace recording
