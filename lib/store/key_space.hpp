// The key spaces of a tracelite file: each is one LMDB database inside the one environment.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace tracelite::store {

// The number is part of every value's checksum and therefore of the file format: never reuse one.
enum class KeySpace : std::uint8_t {
  meta = 0,           // format, counters; key: a short name
  record = 1,         // entities; key: container number, kind, entity key; packed
  payload = 2,        // payloads stored by themselves; key: payload number, slice, piece
  directory = 3,      // id -> container number; rebuilt by reindex
  run = 4,            // sorted runs for observations by bare id; rebuilt by reindex
  page = 5,           // SQLite's pages, of those written lately; key: page number
  segment = 6,        // pieces of payloads that groups share, by hash: their numbers and uses
  frame = 7,          // logs of groups of payloads; key: group, position; packed
  segment_bytes = 8,  // key: segment number, part; packed
  dictionary = 9,     // of the packed ones; key: key space, number
  media = 10,         // key: SHA-256, or payload number, slice, piece
  sealed_page = 11,   // SQLite's other pages; key: page number; packed
};

inline constexpr std::size_t kKeySpaceCount = 12;

inline constexpr std::array<std::string_view, kKeySpaceCount> kKeySpaceNames = {
    "meta",    "record", "payload",       "directory",  "run",   "page",
    "segment", "frame",  "segment_bytes", "dictionary", "media", "sealed_page"};

// Whether blocks of entries lie in it (packed_space.hpp).
constexpr bool is_packed(KeySpace space) {
  return space == KeySpace::record || space == KeySpace::frame ||
         space == KeySpace::segment_bytes || space == KeySpace::sealed_page;
}

}  // namespace tracelite::store
