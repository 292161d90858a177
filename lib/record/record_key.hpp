// Where a record lies: the keys by which the pages of key space `record` are ordered.
//
//   container number  6 bytes big-endian   a trace or a session; from 1
//   kind              1 byte               RecordKind
//   entity key        6 bytes big-endian   0 for the container's own record
//
// so that one trace, with its observations and scores, is one range scan. An entity key is a
// chapter (2 bytes) and the upper 31 bits of XXH3-64 of the id (4 bytes), so that in the first
// chapter it takes 4 bytes in the index, too; where two ids of a chapter collide the next free
// number of the following kProbeCount is taken.
//
// Chapters keep a long trace in the order in which it came: what is added to it, and a page of it,
// touch neighbours. The first kChapterObservationCount observations of a trace are chapter 0, and
// so on; the last possible chapter has no end. Scores and strays are all in chapter 0.
#pragma once

#include <cstdint>
#include <string>

#include "model/bytes.hpp"
#include "model/field.hpp"
#include "model/result.hpp"

namespace tracelite::record {

using ContainerNumber = std::uint64_t;  // 48 bits, from 1
using EntityKey = std::uint64_t;        // 48 bits
using Chapter = std::uint16_t;

inline constexpr ContainerNumber kContainerNumberMax = (ContainerNumber{1} << 48) - 1;
inline constexpr EntityKey kEntityKeyMax = (EntityKey{1} << 48) - 1;
inline constexpr int kChapterShift = 32;
inline constexpr Chapter kChapterMax = UINT16_MAX;
inline constexpr std::uint64_t kChapterObservationCount = 512;
inline constexpr EntityKey kProbeCount = 64;

constexpr Chapter chapter_of(EntityKey entity) {
  return static_cast<Chapter>(entity >> kChapterShift);
}
// Behind the chapter: what does not depend on when an observation came.
constexpr EntityKey without_chapter(EntityKey entity) {
  return entity & ((EntityKey{1} << kChapterShift) - 1);
}

enum class RecordKind : std::uint8_t {
  header = 0,  // the trace or session itself; without orders if it has no event of its own
  observation = 1,
  score = 2,
  stray = 3,  // the trace-less events of an observation, in the container of its placeholder
};

struct RecordKey {
  ContainerNumber container = 0;
  RecordKind kind = RecordKind::header;
  EntityKey entity = 0;

  friend auto operator<=>(const RecordKey&, const RecordKey&) = default;
};

inline constexpr std::size_t kContainerSizeBytes = 6;
inline constexpr std::size_t kEntitySizeBytes = 6;
inline constexpr std::size_t kRecordKeySizeBytes = kContainerSizeBytes + 1 + kEntitySizeBytes;
static_assert(kRecordKeySizeBytes == 13 && sizeof(RecordKind) == 1);
static_assert(kContainerNumberMax >> (8 * kContainerSizeBytes - 1) == 1);
static_assert(kEntityKeyMax >> (8 * kEntitySizeBytes - 1) == 1);
static_assert(chapter_of(kEntityKeyMax) == kChapterMax);

inline std::string encode(const RecordKey& key) {
  std::string bytes;
  append_big_endian(bytes, key.container, kContainerSizeBytes);
  bytes.push_back(static_cast<char>(key.kind));
  append_big_endian(bytes, key.entity, kEntitySizeBytes);
  return bytes;
}

inline RecordKey decode_record_key(Bytes bytes) {
  return {read_big_endian(bytes.substr(0, kContainerSizeBytes)),
          static_cast<RecordKind>(bytes[kContainerSizeBytes]),
          read_big_endian(bytes.substr(kContainerSizeBytes + 1, kEntitySizeBytes))};
}

// The number that the search for an entity's key starts from, in chapter 0.
EntityKey natural_key(Bytes id);

}  // namespace tracelite::record
