// What the fuzz targets share: reading an input as decisions, saying what must hold, and a folder.
//
// A target must do the same for the same input, however often and after whatever it is called.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>

#include "model/bytes.hpp"
#include "model/result.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes);

namespace tracelite::fuzz {

// A finding: libFuzzer writes the input down when the process aborts.
[[noreturn]] inline void fail(const std::string& what) {
  std::fprintf(stderr, "finding: %s\n", what.c_str());
  std::abort();
}
inline void require(bool holds, const char* what) {
  if (!holds) fail(what);
}
template <class T>
T must(Result<T> result) {
  if (!result) fail("unexpected error: " + result.error().message);
  return std::move(result).value();
}
inline void must(const Status& status) {
  if (!status) fail("unexpected error: " + status.error().message);
}

inline Bytes as_bytes(const std::uint8_t* data, std::size_t size_bytes) {
  return {reinterpret_cast<const char*>(data), size_bytes};
}

// Takes decisions off the begin of an input; at its end all of them are 0.
class Input {
 public:
  explicit Input(Bytes bytes) : rest_(bytes) {}

  [[nodiscard]] bool empty() const { return rest_.empty(); }
  [[nodiscard]] Bytes rest() const { return rest_; }
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const auto first = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return first;
  }
  // Of at most 256 choices.
  std::size_t below(std::size_t limit) { return byte() % limit; }
  std::uint64_t number(std::size_t size_bytes = 8) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size_bytes; ++i) value = value << 8 | byte();
    return value;
  }
  // At most so many bytes.
  Bytes take(std::size_t size_bytes) {
    const Bytes taken = rest_.substr(0, size_bytes);
    rest_.remove_prefix(taken.size());
    return taken;
  }

 private:
  Bytes rest_;
};

// For the life of the process, in memory where there is room for that, and removed with it.
class Folder {
 public:
  Folder() {
    const char* parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    path_ = std::string(parent) + "/tracelite-fuzz-XXXXXX";
    require(mkdtemp(path_.data()) != nullptr, "no folder for files");
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace tracelite::fuzz
