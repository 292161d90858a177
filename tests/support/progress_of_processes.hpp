// How far processes have come, in memory that outlives them: so that a test can tell whether
// somebody is held up.
#pragma once

#include <sys/mman.h>

#include <array>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <new>

namespace tracelite::test {

// To be made before the processes are forked, which are known by numbers.
class Progress {
 public:
  static constexpr std::size_t kProcessesMax = 32;

  Progress() {
    void* const memory =
        mmap(nullptr, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    BOOST_REQUIRE(memory != MAP_FAILED);
    counts_ = new (memory) Counts{};
  }
  ~Progress() { munmap(counts_, sizeof(Counts)); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void add(std::uint32_t process) const { ++counts_->at(process); }
  [[nodiscard]] std::uint64_t of(std::uint32_t process) const { return counts_->at(process); }
  // Another process gets the number.
  void start_anew(std::uint32_t process) const { counts_->at(process) = 0; }

 private:
  using Counts = std::array<std::atomic<std::uint64_t>, kProcessesMax>;
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
  Counts* counts_ = nullptr;
};

}  // namespace tracelite::test
