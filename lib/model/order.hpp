// The one total order of the events about an entity (MODEL: Upsert).
#pragma once

#include <compare>
#include <cstdint>

namespace tracelite::model {

// Event timestamp; then creates before updates; then the body's own timestamp or start time; then
// the body. `digest` stands for the bytes of the body: XXH3-64 over its canonical form, so that the
// same body written with other white space is the same event. Equal orders mean the same event.
struct Order {
  std::int64_t event_time_ns = 0;
  bool is_update = false;
  std::int64_t body_time_ns = 0;
  std::uint64_t digest = 0;

  friend auto operator<=>(const Order&, const Order&) = default;
};

}  // namespace tracelite::model
