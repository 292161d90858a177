// The bound that durable recording is measured against: what a store cannot do without that keeps
// equal parts of payloads once.
#pragma once

#include <cstdint>
#include <string>

#include "bench/event.hpp"

namespace bench {

struct Bound {
  double read_s = 0;       // every byte of every payload looked at once, by XXH3-64
  double compress_s = 0;   // each different part once, by zstd 1
  double write_s = 0;      // as many bytes as the file has, and one sync
  std::uint64_t hash = 0;  // of what was read, so that it is
  std::uint64_t payload_size_bytes = 0;
  std::uint64_t unique_size_bytes = 0;

  [[nodiscard]] double all_s() const { return read_s + compress_s + write_s; }
};

// Writes to a file at `path` and removes it.
Bound measure_bound(const PreparedEvents& events, std::uint64_t file_size_bytes,
                    const std::string& path);

}  // namespace bench
