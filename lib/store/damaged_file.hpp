// What can be told of a damaged file before any of its values is looked at: the size of its pages,
// where its trees begin, and which of its pages no commit uses any more.
//
// Knows LMDB's page layout and the key spaces' names. Believes nothing, refuses nothing: what
// cannot be read is left out. Must not know what values say.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/bytes.hpp"
#include "model/result.hpp"
#include "store/key_space.hpp"
#include "store/page_layout.hpp"
#include "store/page_tree.hpp"

namespace tracelite::store {

using KeySpaceTrees = std::array<std::optional<layout::Tree>, kKeySpaceCount>;

// A value whose number every commit that matters makes larger: where nothing else tells which of
// two commits is the newer one.
struct CommitNumber {
  KeySpace space{};
  std::string key;         // the least of its key space
  std::size_t offset = 0;  // of its 4 bytes, big-endian
};

struct DamagedFile {
  std::uint32_t page_size = 0;
  std::uint64_t page_count = 0;  // whole pages in the file
  KeySpaceTrees trees;           // of the newest commit that could be found
  // Whether the free list could be read as a whole, so that what is neither in a tree nor free must
  // be in use.
  bool knows_free_pages = false;
  std::vector<bool> free_pages;       // and those of the list itself
  std::uint64_t used_page_count = 0;  // what lies behind them no commit has used
  bool may_be_older = false;          // the trees may be of a commit before the newest one
  std::string finding;                // empty: the newest head is good, and so is the list
};

// Of the heads the newest one counts. Where it cannot be read, it is looked for what it must have
// said: the newest list of free pages, and the leaf with our key spaces that is not on it. Reads
// the whole file for that; else the heads and the list. Errors: io, cancelled.
Result<DamagedFile> look_at_damaged(int descriptor, const std::string& path,
                                    const CommitNumber& commit_number,
                                    const PageProgress& progress);

}  // namespace tracelite::store
