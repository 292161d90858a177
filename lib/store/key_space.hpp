// The key spaces of a tracelite file: each is one LMDB database inside the one environment.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace tracelite::store {

// The number is part of every value's checksum and therefore of the file format: never reuse one.
enum class KeySpace : std::uint8_t {
  meta = 0,       // format, counters; key: a short name
  record = 1,     // entities; key: container number, kind, entity key (see lib/README.md)
  payload = 2,    // payloads stored by themselves; key: payload number, slice, piece
  directory = 3,  // id -> container number; rebuilt by reindex
  run = 4,        // sorted runs for observations by bare id; rebuilt by reindex
  page = 5,       // SQLite's pages; key: page number
  segment = 6,    // pieces of payloads that groups share; key: hash
  frame = 7,      // logs of groups of payloads; key: group, frame, part
  media = 8,      // media; key: SHA-256, or payload number, slice, piece
};

inline constexpr std::size_t kKeySpaceCount = 9;

inline constexpr std::array<std::string_view, kKeySpaceCount> kKeySpaceNames = {
    "meta", "record", "payload", "directory", "run", "page", "segment", "frame", "media"};

}  // namespace tracelite::store
