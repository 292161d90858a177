#include "bench/resources.hpp"

#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <thread>

namespace bench {

std::uint64_t rss_anon_bytes() {
  std::FILE* status = std::fopen("/proc/self/status", "r");
  if (status == nullptr) return 0;
  std::array<char, 256> line{};
  unsigned long long size_kib = 0;
  while (std::fgets(line.data(), line.size(), status) != nullptr) {
    if (std::sscanf(line.data(), "RssAnon: %llu kB", &size_kib) == 1) break;
  }
  std::fclose(status);
  return size_kib << 10;
}

struct RssAnonSampler::State {
  std::atomic<std::uint64_t> bytes_max{0};
  std::atomic<bool> is_over{false};
  std::thread thread;
};

RssAnonSampler::RssAnonSampler() : state_(new State) {
  state_->thread = std::thread([state = state_] {
    while (!state->is_over.load()) {
      state->bytes_max = std::max(state->bytes_max.load(), rss_anon_bytes());
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  });
}

RssAnonSampler::~RssAnonSampler() {
  state_->is_over = true;
  state_->thread.join();
  delete state_;
}

std::uint64_t RssAnonSampler::bytes_max() const {
  return std::max(state_->bytes_max.load(), rss_anon_bytes());
}

bool run_on_core(unsigned core) {
  if (core >= std::thread::hardware_concurrency()) return false;
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(core, &cores);
  return sched_setaffinity(0, sizeof cores, &cores) == 0;
}

std::string output_of_self(const std::vector<std::string>& arguments) {
  std::string command = "'" + std::filesystem::read_symlink("/proc/self/exe").string() + "'";
  for (const std::string& argument : arguments) command += " '" + argument + "'";
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot run " + command);
  std::string text;
  std::array<char, 4096> buffer{};
  std::size_t size_bytes = 0;
  while ((size_bytes = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0) {
    text.append(buffer.data(), size_bytes);
  }
  if (pclose(pipe) != 0) throw std::runtime_error("failed: " + command);
  return text;
}

}  // namespace bench
