// Every value of a damaged file that still matches its checksum, read with pread: LMDB is never let
// to the file.
//
// First the trees of the newest commit that can be found (damaged_file.hpp) are walked, around what
// is damaged in them. Where something of a tree is missing, all pages that are neither in a tree
// nor free are looked through for leaves: which key space a value belongs to its checksum tells.
// If the free list is readable these pages are in use. If it is not, some of them were given up
// before, and hold what was deleted or has changed since; then a value is taken only if its key
// lies where something is missing, of several with one key the longest (what is recorded grows),
// and it is told that it may be older than it was.
//
// Knows pages, the free list and checksums; must not know what values say. Memory: two bits for
// each page, a page for each level of a tree, and one value.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>

#include "store/damaged_file.hpp"
#include "store/environment.hpp"
#include "store/page_verifier.hpp"

namespace tracelite::store {

// No value of ours is longer: what says so is not read.
inline constexpr std::uint64_t kSalvagedValueSizeBytesMax = std::uint64_t{64} << 20;

struct SalvagedValue {
  KeySpace space{};
  Bytes key;
  Bytes value;             // without its checksum
  bool is_certain = true;  // else it may be older than what was there
};
// True if there was none with this key, so that it counts. Both views end with the call.
using TakeSalvaged = std::function<Result<bool>(const SalvagedValue& value)>;

struct PageSalvage {
  std::uint64_t damaged_page_count = 0;  // of trees
  std::uint64_t lost_value_count = 0;    // as far as it can be told
  // That may be older than what was there; one for each key space in which something is, and what
  // cannot be told.
  std::uint64_t doubtful_value_count = 0;
  // Key spaces of which something is lost, or may be.
  std::array<bool, kKeySpaceCount> is_incomplete{};
};

// Of the wanted key spaces. `finding` is told what cannot be read. Progress counts pages. Errors:
// not_tracelite (there is no value at all), newer_format, cancelled, io, and those of `take`.
Result<PageSalvage> salvage_pages(int descriptor, const std::string& path,
                                  const std::array<bool, kKeySpaceCount>& wanted,
                                  const CommitNumber& commit_number, const TakeSalvaged& take,
                                  const PageFindingFunction& finding, const PageProgress& progress);

}  // namespace tracelite::store
