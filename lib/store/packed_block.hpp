// A block of packed entries in memory: parsed, searched, changed, and turned into bytes again.
//
// Knows the raw form of a block and of a patch, as packed_space.hpp says; must not know how they
// are compressed, or where they lie.
#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "model/bytes.hpp"

namespace tracelite::store {

// Blocks that grow beyond this in memory are cut, so that inserting stays cheap. It is several
// times what is compressed at once, because what is left over at the end of a block fills no page.
inline constexpr std::size_t kCutSizeBytes = std::size_t{256} << 10;
// A longer value is refused. With what else may be in its block it has to be less than what a
// reader believes of a block.
inline constexpr std::size_t kEntrySizeBytesMax = std::size_t{63} << 20;
// What an entry takes beside key and value, about.
inline constexpr std::size_t kEntryHeadSizeBytes = 4;
// A larger patch, before it is compressed, is refused: nobody writes one. What an entry takes is
// counted with kEntryHeadSizeBytes, which can be a byte or two too little.
inline constexpr std::size_t kPatchSizeBytesMax = std::size_t{16} << 10;
inline constexpr std::size_t kPatchRawSizeBytesMax = 2 * kPatchSizeBytesMax;
// No writer has more of them in a block before it cuts it.
inline constexpr std::size_t kBlockEntriesMax = kCutSizeBytes / kEntryHeadSizeBytes;

struct PackedEntry {
  Bytes key;
  Bytes value;
  Bytes next_key;  // the first key behind it; empty: there is none
};

// The entries of a block, with their keys and values in two runs of bytes. What is replaced leaves
// its bytes behind until they are more than what is left.
struct PackedBlock {
  struct Place {
    std::uint32_t key_at = 0;
    std::uint32_t key_size_bytes = 0;
    std::uint32_t value_at = 0;
    std::uint32_t value_size_bytes = 0;
    [[nodiscard]] std::size_t size_bytes() const {
      return kEntryHeadSizeBytes + key_size_bytes + value_size_bytes;
    }
  };

  std::string begin;
  std::string end;         // the key that the next block begins with; empty: there is none
  std::string stored_key;  // in the file; empty: it is not there
  std::string keys, values;
  std::vector<Place> places;
  std::size_t size_bytes = 0;  // of the entries
  bool changed = false;        // since it was read or written
  bool grows = false;          // the last change was at its end, or at that of the key space
  // Of those put or erased since the block was written, as long as they make a patch.
  std::set<std::string, std::less<>> patched_keys;
  std::size_t patch_size_bytes = 0;
  bool has_patch = false;     // in the file
  bool is_patchable = false;  // it is in the file, and has changed little

  [[nodiscard]] bool holds(Bytes key) const { return key >= begin && (end.empty() || key < end); }
  [[nodiscard]] Bytes key(const Place& place) const {
    return Bytes(keys).substr(place.key_at, place.key_size_bytes);
  }
  [[nodiscard]] Bytes value(const Place& place) const {
    return Bytes(values).substr(place.value_at, place.value_size_bytes);
  }
  [[nodiscard]] PackedEntry entry(std::size_t index) const {
    const bool is_last = index + 1 == places.size();
    return {key(places[index]), value(places[index]),
            is_last ? Bytes(end) : key(places[index + 1])};
  }
  // The first entry at or behind a key.
  [[nodiscard]] std::size_t first_from(Bytes wanted) const {
    const auto at =
        std::lower_bound(places.begin(), places.end(), wanted,
                         [this](const Place& place, Bytes k) { return key(place) < k; });
    return static_cast<std::size_t>(at - places.begin());
  }
  [[nodiscard]] bool is_at(std::size_t index, Bytes wanted) const {
    return index < places.size() && key(places[index]) == wanted;
  }

  // What it takes in memory.
  [[nodiscard]] std::size_t held_size_bytes() const {
    return keys.size() + values.size() + places.size() * sizeof(Place);
  }
  // False if the bytes make no sense: keys that do not ascend, say. One pass each, whatever they
  // are.
  bool parse(std::string raw);
  bool apply_patch(Bytes raw);
  [[nodiscard]] std::string raw_patch() const;
  void note_patched(Bytes key, std::size_t value_size_bytes);
  [[nodiscard]] bool takes_patch() const;
  // The place of a key, which is the one that is replaced if that is given, and of its value.
  Place append(const Place* replaced, Bytes key, Bytes value);
  void put(std::size_t index, bool replaces, Bytes key, Bytes value);
  void erase(std::size_t index);
  void tidy();
  // It lies in the file now as it is, the entries from an index on with a key of their own. Only
  // these stay: whatever comes at the end of a block changes them alone.
  void become_stored(std::size_t from);
  // Moves the entries from an index on to another block.
  void move_from(std::size_t index, PackedBlock& to);
  // Behind the last of the entries, at least one, that take at most so much.
  [[nodiscard]] std::size_t end_of_run(std::size_t from, std::size_t raw_size_bytes) const;
  [[nodiscard]] std::size_t size_bytes_between(std::size_t from, std::size_t to) const;
  // The raw form of the entries in between, behind that of others that begin with `first`.
  void append_raw(std::string& out, std::size_t first, std::size_t from, std::size_t to) const;
};

}  // namespace tracelite::store
