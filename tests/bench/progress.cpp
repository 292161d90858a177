#include "bench/progress.hpp"

#include <unistd.h>

#include <cstdio>
#include <utility>

namespace bench {

namespace {
constexpr const char* kEraseLine = "\r\x1b[K";
}

Progress::Progress(std::string what)
    : what_(std::move(what)), is_shown_(isatty(STDERR_FILENO) == 1) {
  if (is_shown_) std::fprintf(stderr, "%s%s", kEraseLine, what_.c_str());
}

Progress::~Progress() {
  if (is_shown_) std::fputs(kEraseLine, stderr);
}

void Progress::show(std::uint64_t done, std::uint64_t total) {
  if (!is_shown_ || total == 0) return;
  std::fprintf(stderr, "%s%s: %llu %%", kEraseLine, what_.c_str(),
               static_cast<unsigned long long>(done * 100 / total));
}

}  // namespace bench
