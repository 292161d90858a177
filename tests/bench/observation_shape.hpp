// A complete observation as OpenTelemetry's benchmarks have it: input, output, ten metadata keys.
#pragma once

#include <tracelite/tracelite.h>

#include <cstdint>
#include <string>

#include "bench/event.hpp"

namespace bench {

class ObservationShape {
 public:
  // Of input and of output.
  explicit ObservationShape(std::size_t payload_size_bytes);
  ObservationShape(const ObservationShape& other) : ObservationShape(other.input_.size()) {}
  ObservationShape& operator=(const ObservationShape&) = delete;

  void start_at(std::uint64_t number) { number_ = number; }
  // The same with another id; ten of them share a trace. Valid until the next one.
  const tl_observation* next();
  const Event& next_event();

 private:
  void count();

  std::uint64_t number_ = 0;
  std::string id_, trace_id_, input_, output_, metadata_;
  tl_observation observation_{};
  Event event_;
};

}  // namespace bench
