// What a process has and where it runs, as the kernel tells.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bench {

// Anonymous memory of this process: the mapped file does not count.
std::uint64_t rss_anon_bytes();
// As large as it was at most while the sampler lives: it looks every two milliseconds, because
// the kernel keeps no maximum of anonymous memory.
class RssAnonSampler {
 public:
  RssAnonSampler();
  ~RssAnonSampler();
  RssAnonSampler(const RssAnonSampler&) = delete;
  RssAnonSampler& operator=(const RssAnonSampler&) = delete;
  [[nodiscard]] std::uint64_t bytes_max() const;

 private:
  struct State;
  State* state_;
};

// This thread, and what it starts from now on, runs on this core only; false where there is no such
// core.
bool run_on_core(unsigned core);

// The output of this program, started anew with these arguments. Throws if it fails.
std::string output_of_self(const std::vector<std::string>& arguments);

}  // namespace bench
