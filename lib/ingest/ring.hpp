// The memory of the queue: places that any thread reserves and fills without a lock, and that one
// thread reads and gives back in the order they were reserved. Recording allocates nothing, and
// writes where it wrote before.
//
// Knows sizes; must not know what lies in it, nor who waits.
//
// A position counts the bytes that were ever reserved; it lies in the memory modulo the capacity. A
// place begins with a head, whose mark says that it is filled: a number made of the position and of
// a secret of this ring, so that nothing that lay there before can be taken for it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "model/bytes.hpp"

namespace tracelite::ingest {

// The padding keeps apart what different threads write.
class Ring {  // NOLINT(clang-analyzer-optin.performance.Padding)
 public:
  using Position = std::uint64_t;

  // Memory is taken from the system as it is used for the first time.
  explicit Ring(std::size_t capacity_bytes);
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  struct Place {
    char* data = nullptr;         // where the bytes belong; null: refused
    Position begin = 0, end = 0;  // everything it takes, its head and what is skipped included
    Position head = 0;
    std::size_t size_bytes = 0;
    std::unique_ptr<char[]> elsewhere;  // where data lies if it is larger than the ring
  };

  // What an event of this size takes.
  static std::uint64_t room_bytes(std::uint64_t size_bytes) {
    return kHeadSizeBytes + (size_bytes + kAlignment - 1) / kAlignment * kAlignment;
  }

  // For any thread. Refused: there is no room, or the ring is closed. What can never fit gets
  // memory of its own when it is alone, and all the room.
  Place reserve(std::size_t size_bytes);
  void publish(Place place);
  // Whether reserve() would find room now.
  [[nodiscard]] bool has_room(std::size_t size_bytes) const {
    return plan(reserved(), size_bytes).has_value();
  }
  void close() { reserved_.fetch_or(kClosed); }
  [[nodiscard]] bool is_closed() const { return (reserved_.load() & kClosed) != 0; }
  [[nodiscard]] Position reserved() const { return reserved_.load() & ~kClosed; }
  [[nodiscard]] Position given_back() const { return given_back_.load(); }
  [[nodiscard]] std::uint64_t used_bytes() const;
  [[nodiscard]] std::uint64_t capacity_bytes() const { return capacity_bytes_; }

  // For the reader. The first event that was not taken; nullopt: there is none, or it is not filled
  // yet.
  std::optional<Bytes> front();
  // Takes it. What lay elsewhere goes to the caller.
  std::unique_ptr<char[]> pop();
  [[nodiscard]] bool is_empty() const { return read_ == reserved(); }
  [[nodiscard]] Position read() const { return read_; }
  // Everything before that position.
  void give_back(Position position) { given_back_.store(position); }
  // If everything was given back: goes on in the pages used first, which are in the caches.
  void restart();
  // Events that were not given back. Waits for those that are being filled.
  [[nodiscard]] std::uint64_t count_left() const;

 private:
  enum class Kind : std::uint64_t { event, skip, elsewhere };
  struct Head {
    std::uint64_t mark;
    std::uint64_t size_and_kind;
    [[nodiscard]] std::uint64_t size_bytes() const { return size_and_kind >> 2; }
    [[nodiscard]] Kind kind() const { return static_cast<Kind>(size_and_kind & 3); }
  };
  static constexpr std::size_t kAlignment = 16;
  static constexpr std::size_t kHeadSizeBytes = sizeof(Head);
  static_assert(kHeadSizeBytes == kAlignment, "so that a head fits wherever a place may begin");
  static constexpr Position kClosed = Position{1} << 63;
  static constexpr std::size_t kCacheLineSizeBytes = 64;

  // Where an event would lie.
  struct Plan {
    std::uint64_t skipped_bytes = 0;  // up to the end of the memory
    std::uint64_t room_bytes = 0;
    bool is_elsewhere = false;
  };
  [[nodiscard]] std::optional<Plan> plan(Position reserved, std::size_t size_bytes) const;
  [[nodiscard]] Head* head_at(Position position) const;
  [[nodiscard]] std::uint64_t mark_of(Position position) const { return secret_ + position; }
  [[nodiscard]] bool is_filled(Position position) const;
  void put_head(Position position, Kind kind, std::uint64_t size_bytes);
  [[nodiscard]] std::uint64_t room_of(const Head& head) const;

  const std::uint64_t capacity_bytes_;
  const std::uint64_t secret_;
  const std::unique_ptr<char[]> memory_;
  // What one side writes all the time lies on no line with what the other one reads.
  alignas(kCacheLineSizeBytes) std::atomic<Position> reserved_{0};
  alignas(kCacheLineSizeBytes) std::atomic<Position> given_back_{0};
  alignas(kCacheLineSizeBytes) Position read_ = 0;
};

}  // namespace tracelite::ingest
