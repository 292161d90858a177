// The key spaces of a tracelite file: each is one LMDB database inside the one environment.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace tracelite::store {

// The number is part of every value's checksum and therefore of the file format: never reuse one.
enum class KeySpace : std::uint8_t {
  meta = 0,       // format, counters; key: a short name
  record = 1,     // entities; key: container number, kind, entity key; packed
  payload = 2,    // payloads stored by themselves; key: payload number, slice, piece
  directory = 3,  // id -> container, in runs; key: run, part; rebuilt by reindex; sealable
  observation_directory = 4,  // the same for observations
  page = 5,                   // SQLite's pages; key: page number; sealable
  segment = 6,  // pieces of payloads that groups share, by hash: their numbers and uses; sealable
  frame = 7,    // logs of groups of payloads; key: group, position; packed
  segment_bytes = 8,  // key: segment number, part; packed
  dictionary = 9,     // of the packed ones; key: key space, number
  media = 10,         // key: SHA-256, or payload number, slice, piece
  sealed = 11,        // what compacting found in sealable ones; key: key space, its key; packed
  patch = 12,         // what changed in blocks of packed ones; key: key space, the block's key
  change = 13,        // what the newest commits changed, in chunks; key: a transaction number
};

inline constexpr std::size_t kKeySpaceCount = 14;

inline constexpr std::array<std::string_view, kKeySpaceCount> kKeySpaceNames = {
    "meta",  "record",  "payload", "directory",     "observation_directory",
    "page",  "segment", "frame",   "segment_bytes", "dictionary",
    "media", "sealed",  "patch",   "change"};

constexpr std::string_view name_of(KeySpace space) {
  return kKeySpaceNames[static_cast<std::size_t>(space)];
}
static_assert(static_cast<std::size_t>(KeySpace::change) + 1 == kKeySpaceCount);
static_assert(name_of(KeySpace::meta) == "meta" && name_of(KeySpace::record) == "record" &&
              name_of(KeySpace::payload) == "payload" &&
              name_of(KeySpace::directory) == "directory" &&
              name_of(KeySpace::observation_directory) == "observation_directory" &&
              name_of(KeySpace::page) == "page" && name_of(KeySpace::segment) == "segment" &&
              name_of(KeySpace::frame) == "frame" &&
              name_of(KeySpace::segment_bytes) == "segment_bytes" &&
              name_of(KeySpace::dictionary) == "dictionary" &&
              name_of(KeySpace::media) == "media" && name_of(KeySpace::sealed) == "sealed" &&
              name_of(KeySpace::patch) == "patch" && name_of(KeySpace::change) == "change");

// Whether blocks of entries lie in it (packed_space.hpp).
constexpr bool is_packed(KeySpace space) {
  return space == KeySpace::record || space == KeySpace::frame ||
         space == KeySpace::segment_bytes || space == KeySpace::sealed;
}

// Whose entries lie there or in `sealed` (sealed.hpp).
inline constexpr std::array kSealableKeySpaces = {
    KeySpace::directory, KeySpace::observation_directory, KeySpace::page, KeySpace::segment};

}  // namespace tracelite::store
