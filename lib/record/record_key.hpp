// Where a record lies: the keys by which the pages of key space `record` are ordered.
//
//   container number  6 bytes big-endian   a trace or a session; from 1
//   kind              1 byte               RecordKind
//   entity key        4 bytes big-endian   0 for the container's own record
//
// so that one trace, with its observations and scores, is one range scan. An entity key is the
// upper 31 bits of XXH3-64 of the id, so that it takes 4 bytes in the index, too; where two ids of
// a trace collide the next free number of the following kProbeCount is taken.
#pragma once

#include <cstdint>
#include <string>

#include "model/bytes.hpp"
#include "model/field.hpp"
#include "model/result.hpp"

namespace tracelite::record {

using ContainerNumber = std::uint64_t;  // 48 bits, from 1
using EntityKey = std::uint32_t;

inline constexpr ContainerNumber kContainerNumberMax = (ContainerNumber{1} << 48) - 1;
inline constexpr EntityKey kProbeCount = 64;

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
inline constexpr std::size_t kRecordKeySizeBytes = kContainerSizeBytes + 1 + sizeof(EntityKey);

inline std::string encode(const RecordKey& key) {
  std::string bytes;
  append_big_endian(bytes, key.container, kContainerSizeBytes);
  bytes.push_back(static_cast<char>(key.kind));
  append_big_endian(bytes, key.entity);
  return bytes;
}

inline RecordKey decode_record_key(Bytes bytes) {
  return {read_big_endian(bytes.substr(0, kContainerSizeBytes)),
          static_cast<RecordKind>(bytes[kContainerSizeBytes]),
          static_cast<EntityKey>(
              read_big_endian(bytes.substr(kContainerSizeBytes + 1, sizeof(EntityKey))))};
}

// The number that the search for an entity's key starts from.
EntityKey natural_key(Bytes id);

}  // namespace tracelite::record
