// Observations with payloads that share nothing and do not compress, ten to a trace.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <string>
#include <vector>

#include "bench/event.hpp"
#include "bench/text_pool.hpp"

namespace bench {

class UniqueEvents {
 public:
  UniqueEvents(std::uint64_t observation_count, std::size_t payload_size_bytes);

  [[nodiscard]] const std::vector<Event>& all() const { return events_; }

 private:
  tl_text hex(std::size_t digits);
  tl_text noise(std::size_t size_bytes);

  std::pmr::monotonic_buffer_resource memory_;
  Random random_{5};
  std::vector<Event> events_;
};

}  // namespace bench
