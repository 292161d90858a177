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

// A page as it comes; each entry is looked at by itself.
class LoosePage {
 public:
  struct Entry {
    Bytes key;
    std::uint16_t flags = 0;       // of a leaf: 0, kOverflowNode or kTreeNode
    std::uint64_t size_bytes = 0;  // of its value
    Bytes value;                   // if it lies here
    std::uint64_t page = 0;        // else the first page of its run; of a branch, the child
  };

  // `page` must outlive this.
  LoosePage(Bytes page, std::uint64_t number);
  [[nodiscard]] bool is_branch() const { return is_good_ && header_.flags == layout::kBranchPage; }
  [[nodiscard]] bool is_leaf() const { return is_good_ && header_.flags == layout::kLeafPage; }
  [[nodiscard]] std::size_t count() const { return count_; }
  // nullopt: it makes no sense.
  [[nodiscard]] std::optional<Entry> entry(std::size_t index) const;

 private:
  Bytes page_;
  layout::PageHeader header_{};
  std::size_t count_ = 0;
  bool is_good_ = false;
};

// Reads as much as there is of a page; false if that is not all of it. Errors: io.
Result<bool> read_loose_page(int descriptor, const std::string& path, std::uint32_t page_size,
                             std::uint64_t number, std::string& page);

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
