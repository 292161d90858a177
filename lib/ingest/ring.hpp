// The memory of the queue: given out and taken back in the same order, so that recording allocates
// nothing and writes where it wrote before.
//
// Knows sizes; must not know what lies in it. Threads: one at a time, but for the bytes given out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace tracelite::ingest {

class Ring {
 public:
  // Memory is taken from the system as it is used for the first time.
  explicit Ring(std::size_t capacity_bytes);

  struct Piece {
    char* data = nullptr;        // null: there is no room
    std::size_t room_bytes = 0;  // to be given back
  };
  Piece take(std::size_t size_bytes);
  // The oldest that were taken.
  void give_back(std::size_t room_bytes);

 private:
  static constexpr std::size_t kAlignment = 16;

  std::size_t capacity_bytes_;
  std::unique_ptr<char[]> memory_;
  // What was ever taken and given back, which lie in the ring modulo its capacity.
  std::uint64_t taken_bytes_ = 0, given_back_bytes_ = 0;
};

}  // namespace tracelite::ingest
