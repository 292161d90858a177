// The sums of what lies in each key space: they tell that something older is in the place of what
// was written last, whose own checksum is right. A sector that was swapped with one of an earlier
// version of the same page looks like this, and a write that the disk never made.
//
// The sum of a key space is that of its values' checksums, modulo 2^64. A checksum covers the key
// as well, so two contents that differ have different sums, but for one case in 2^64. A commit adds
// what it puts, and subtracts what it replaces or erases. In `meta` under "sums":
//
//     4 bytes   big-endian; bit n: the sum of key space n is not known, because a damaged value was
//               replaced or erased, of which nobody knows what it had added (of one of more than
//               64 KiB the checksum that stands behind it is taken for that)
//     8 bytes   big-endian, for each key space
//
// Not counted are this value itself and the note of a replacement, which goes without it. A file
// that was made before there were sums has none, until it is compacted.
//
// Knows key spaces and checksums; must not know who reads or writes values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "model/bytes.hpp"
#include "store/key_space.hpp"

namespace tracelite::store {

inline constexpr Bytes kSumsKey = "sums";

struct ContentSums {
  static constexpr std::size_t kStoredSizeBytes = 4 + 8 * kKeySpaceCount;

  std::array<std::uint64_t, kKeySpaceCount> of{};
  std::uint32_t unknown = 0;  // a bit for each key space

  [[nodiscard]] bool is_known(std::size_t space) const { return (unknown >> space & 1) == 0; }
  void add(KeySpace space, Bytes key, std::uint64_t checksum);

  [[nodiscard]] std::string encode() const;
  // nullopt: of another size.
  static std::optional<ContentSums> decode(Bytes value);
};
static_assert(ContentSums::kStoredSizeBytes == 116);
static_assert(kKeySpaceCount <= 32, "a bit for each");

// What a transaction changes of them.
class SumChanges {
 public:
  void put(KeySpace space, Bytes key, std::uint64_t checksum);
  // nullopt: it cannot be told.
  void removed(KeySpace space, Bytes key, std::optional<std::uint64_t> checksum);
  void cleared(KeySpace space);

  [[nodiscard]] ContentSums applied_to(const ContentSums& before) const;

 private:
  ContentSums difference_;
  std::uint32_t cleared_ = 0;  // a bit for each key space
};

}  // namespace tracelite::store
