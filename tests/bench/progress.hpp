// How far a long piece of work is, on standard error where that is a terminal.
#pragma once

#include <cstdint>
#include <string>

namespace bench {

class Progress {
 public:
  explicit Progress(std::string what);
  ~Progress();  // takes the line away
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(std::uint64_t done, std::uint64_t total);  // total 0: not known

 private:
  const std::string what_;
  const bool is_shown_;
};

}  // namespace bench
