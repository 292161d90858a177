// Two counters that chase each other.
#include "ingest/ring.hpp"

#include <algorithm>
#include <cassert>

namespace tracelite::ingest {

Ring::Ring(std::size_t capacity_bytes)
    : capacity_bytes_((capacity_bytes + kAlignment - 1) / kAlignment * kAlignment),
      memory_(std::make_unique_for_overwrite<char[]>(capacity_bytes_)) {}

Ring::Piece Ring::take(std::size_t size_bytes) {
  if (size_bytes > capacity_bytes_) return {};
  const std::size_t wanted = std::max<std::size_t>(size_bytes, 1);
  std::size_t room_bytes = (wanted + kAlignment - 1) / kAlignment * kAlignment;
  // In the same few pages again if there is nothing in the others.
  if (taken_bytes_ == given_back_bytes_) taken_bytes_ = given_back_bytes_ = 0;
  std::size_t at = static_cast<std::size_t>(taken_bytes_ % capacity_bytes_);
  if (at + room_bytes > capacity_bytes_) {  // not in two parts
    room_bytes += capacity_bytes_ - at;
    at = 0;
  }
  if (taken_bytes_ - given_back_bytes_ + room_bytes > capacity_bytes_) return {};
  taken_bytes_ += room_bytes;
  return {memory_.get() + at, room_bytes};
}

void Ring::give_back(std::size_t room_bytes) {
  given_back_bytes_ += room_bytes;
  assert(given_back_bytes_ <= taken_bytes_);
}

}  // namespace tracelite::ingest
