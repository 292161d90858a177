// What the writer remembers of a group while it is at work: the end of its log, where pieces are in
// it, and the last payloads, with which the next one is compared.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "payload/group_format.hpp"
#include "payload/recipe.hpp"

namespace tracelite::payload {

// How far back a group's log is searched for pieces; older text is found through recent payloads.
inline constexpr std::size_t kLogWindowSizeBytesMax = std::size_t{1} << 20;
inline constexpr std::size_t kRecentPayloadSizeBytesMin = 512;  // shorter ones are not compared

// Where a piece is.
struct Place {
  static constexpr std::uint32_t kInLog = UINT32_MAX;
  std::uint32_t slot = kInLog;
  std::uint32_t at = 0;  // position in the log, or offset in the segment
};

// A payload with which the next ones are compared.
struct RecentPayload {
  std::string bytes;
  std::shared_ptr<const Recipe> recipe;
  std::size_t recipe_size_bytes = 0;  // of the chain, about
  std::uint64_t last_use = 0;
  std::unordered_map<std::uint64_t, std::uint32_t> pieces;  // hash -> offset, if it was split
  bool was_split = false;
};

struct Group {
  GroupNumber number = 0;
  std::uint64_t window_start = 0;      // position of the first byte of `window`
  std::string window;                  // the end of the log
  std::uint64_t written_end = 0;       // the log up to here is in the file
  std::uint64_t last_chunk_start = 0;  // of what is in the file
  std::uint64_t payload_count = 0;
  std::vector<SegmentNumber> slots;
  std::size_t written_slot_count = 0;
  std::unordered_map<SegmentNumber, std::uint32_t> slot_of;
  std::unordered_map<std::uint64_t, Place> pieces;
  std::vector<RecentPayload> recent;
  bool changed = false;  // since it was written
  std::uint64_t recent_clock = 0;
  std::uint64_t last_use = 0;

  [[nodiscard]] std::uint64_t end() const { return window_start + window.size(); }
  // The log from a position on; empty if memory does not have it.
  [[nodiscard]] Bytes from(std::uint64_t position) const {
    if (position < window_start || position > end()) return {};
    return Bytes(window).substr(position - window_start);
  }
  // About what it takes of memory.
  [[nodiscard]] std::size_t size_bytes() const {
    constexpr std::size_t kPieceSizeBytes = 48;  // a node of a hash map and its bucket
    std::size_t sum = sizeof(Group) + window.capacity() + pieces.size() * kPieceSizeBytes +
                      slots.size() * (kPieceSizeBytes + sizeof(SegmentNumber));
    for (const RecentPayload& payload : recent) {
      sum += payload.bytes.capacity() + payload.recipe_size_bytes +
             payload.pieces.size() * kPieceSizeBytes;
    }
    return sum;
  }
};

}  // namespace tracelite::payload
