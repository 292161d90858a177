// Stands in for the C library's fstatfs and fstatvfs in the programs that it is linked to, so that
// a test can be on another file system, or on a disk with as little room as it likes.
#pragma once

#include <atomic>
#include <cstdint>

namespace pretended_disk {

// 0: that of the file system that is there.
inline std::atomic<std::uint32_t> file_system_type{0};
inline constexpr std::uint64_t kAsItIs = UINT64_MAX;
inline std::atomic<std::uint64_t> free_bytes{kAsItIs};

struct AsItIs {
  ~AsItIs() {
    file_system_type = 0;
    free_bytes = kAsItIs;
  }
};

}  // namespace pretended_disk
