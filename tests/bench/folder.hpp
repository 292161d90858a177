// A folder for the files of a run, gone with everything in it when the object is.
#pragma once

#include <string>

namespace bench {

class Folder {
 public:
  // In `parent`; beside the program where that is empty, so that it is on a real disk.
  explicit Folder(const std::string& parent);
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace bench
