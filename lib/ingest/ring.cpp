// Two counters that chase each other.
#include "ingest/ring.hpp"

#include <cassert>
#include <cstring>
#include <new>
#include <random>
#include <thread>
#include <utility>

namespace tracelite::ingest {
namespace {

std::uint64_t random_number() {
  std::random_device random;
  return std::uint64_t{random()} << 32 | random();
}

}  // namespace

// Behind the last place is room for what the head of an event that lies elsewhere points with.
Ring::Ring(std::size_t capacity_bytes)
    : capacity_bytes_((capacity_bytes + kAlignment - 1) / kAlignment * kAlignment),
      secret_(random_number()),
      memory_(std::make_unique_for_overwrite<char[]>(
          static_cast<std::size_t>(capacity_bytes_ + kAlignment))) {}

Ring::~Ring() {
  while (front()) (void)pop();
}

Ring::Head* Ring::head_at(Position position) const {
  return reinterpret_cast<Head*>(memory_.get() + position % capacity_bytes_);
}

std::uint64_t Ring::used_bytes() const {
  const Position given_back = given_back_.load();  // first: it follows the other one
  return reserved() - given_back;
}

std::optional<Ring::Plan> Ring::plan(Position reserved, std::size_t size_bytes) const {
  const std::uint64_t given_back = given_back_.load();
  // Beyond it if `reserved` is old: whoever asked finds out, and reads it again.
  const std::uint64_t used = reserved > given_back ? reserved - given_back : 0;
  const std::uint64_t wanted = room_bytes(size_bytes);
  const std::uint64_t until_end = capacity_bytes_ - reserved % capacity_bytes_;
  Plan plan{wanted <= until_end ? 0 : until_end, wanted};
  if (plan.skipped_bytes + wanted > capacity_bytes_) plan = {0, capacity_bytes_, true};
  if (used + plan.skipped_bytes + plan.room_bytes > capacity_bytes_) return std::nullopt;
  return plan;
}

Ring::Place Ring::reserve(std::size_t size_bytes) {
  Place place;
  place.size_bytes = size_bytes;
  std::optional<Plan> found;
  Position reserved = reserved_.load(std::memory_order_relaxed);
  do {
    if ((reserved & kClosed) != 0) return {};
    found = plan(reserved, size_bytes);
    if (!found) return {};
    if (found->is_elsewhere && !place.elsewhere) {
      place.elsewhere = std::make_unique_for_overwrite<char[]>(size_bytes);
    }
    place.head = reserved + found->skipped_bytes;
    place.end = place.head + found->room_bytes;
  } while (!reserved_.compare_exchange_weak(reserved, place.end));
  place.begin = reserved;
  if (found->skipped_bytes > 0) put_head(reserved, Kind::skip, found->skipped_bytes);
  if (!found->is_elsewhere) place.elsewhere.reset();
  place.data =
      place.elsewhere ? place.elsewhere.get() : reinterpret_cast<char*>(head_at(place.head) + 1);
  return place;
}

void Ring::put_head(Position position, Kind kind, std::uint64_t size_bytes) {
  Head* head = head_at(position);
  head->size_and_kind = size_bytes << 2 | static_cast<std::uint64_t>(kind);
  std::atomic_ref(head->mark).store(mark_of(position), std::memory_order_release);
}

void Ring::publish(Place place) {
  if (!place.elsewhere) return put_head(place.head, Kind::event, place.size_bytes);
  char* data = place.elsewhere.release();
  std::memcpy(head_at(place.head) + 1, static_cast<const void*>(&data), sizeof data);
  put_head(place.head, Kind::elsewhere, place.size_bytes);
}

bool Ring::is_filled(Position position) const {
  return std::atomic_ref(head_at(position)->mark).load(std::memory_order_acquire) ==
         mark_of(position);
}

std::uint64_t Ring::room_of(const Head& head) const {
  switch (head.kind()) {
    case Kind::event:
      return room_bytes(head.size_bytes());
    case Kind::skip:
      return head.size_bytes();
    case Kind::elsewhere:
      break;
  }
  return capacity_bytes_;
}

std::optional<Bytes> Ring::front() {
  while (!is_empty() && is_filled(read_)) {
    const Head& head = *head_at(read_);
    const char* data = reinterpret_cast<const char*>(&head + 1);
    if (head.kind() == Kind::skip) {
      read_ += room_of(head);
      continue;
    }
    if (head.kind() == Kind::elsewhere) {
      std::memcpy(static_cast<void*>(&data), &head + 1, sizeof data);
    }
    return Bytes(data, static_cast<std::size_t>(head.size_bytes()));
  }
  return std::nullopt;
}

std::unique_ptr<char[]> Ring::pop() {
  const Head& head = *head_at(read_);
  assert(is_filled(read_) && head.kind() != Kind::skip);
  std::unique_ptr<char[]> elsewhere;
  if (head.kind() == Kind::elsewhere) {
    char* data = nullptr;
    std::memcpy(static_cast<void*>(&data), &head + 1, sizeof data);
    elsewhere.reset(data);
  }
  read_ += room_of(head);
  return elsewhere;
}

void Ring::restart() {
  Position reserved = read_;
  const std::uint64_t skipped = (capacity_bytes_ - reserved % capacity_bytes_) % capacity_bytes_;
  if (skipped == 0 || given_back() != reserved) return;
  if (!reserved_.compare_exchange_strong(reserved, reserved + skipped)) return;
  read_ += skipped;
  give_back(read_);
}

std::uint64_t Ring::count_left() const {
  std::uint64_t count = 0;
  for (Position at = given_back(); at != reserved(); at += room_of(*head_at(at))) {
    while (!is_filled(at)) std::this_thread::yield();
    if (head_at(at)->kind() != Kind::skip) ++count;
  }
  return count;
}

}  // namespace tracelite::ingest
