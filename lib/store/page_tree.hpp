// Walks one of LMDB's B-trees with pread, and believes nothing that it reads: what LMDB takes for
// granted is looked at here before LMDB does, or beside it.
//
// Knows LMDB's page layout (page_layout.hpp); must not know what lies in which tree. Nothing
// recurses. Memory: a bit for each page of the file, and a page for each level of the tree.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/bytes.hpp"
#include "model/result.hpp"
#include "store/page_layout.hpp"

namespace tracelite::store {

// Returns true to cancel.
using PageProgress = std::function<bool(std::uint64_t done, std::uint64_t total)>;
inline constexpr std::uint64_t kPagesPerReport = 1024;
using PageFunction = std::function<Status(std::uint64_t number, Bytes page)>;

// The pages of a file up to the last one that a head counts, each of which has one use at most.
class PagesInUse {
 public:
  PagesInUse(int descriptor, std::string path, std::uint32_t page_size, std::uint64_t last_page,
             PageProgress progress = {});

  // Errors: corrupt (there is no such page, or it has a use already), cancelled.
  Status take(std::uint64_t first, std::uint64_t count);
  // A page that is read, rather than named: progress counts these. Errors: as take.
  Status take_and_read(std::uint64_t number, std::string& page);
  // For each page of a tree, once its entries have been found to lie in order.
  void look_at_each(PageFunction look) { look_ = std::move(look); }
  Status look(std::uint64_t number, Bytes page) const {
    return look_ ? look_(number, page) : Status();
  }
  // Errors: corrupt (the file ends before), io.
  Status read(std::uint64_t offset, std::size_t size_bytes, char* out) const;

  [[nodiscard]] bool is_taken(std::uint64_t number) const {
    return taken_[static_cast<std::size_t>(number)];
  }
  [[nodiscard]] std::uint64_t last_page() const { return taken_.size() - 1; }
  [[nodiscard]] std::uint32_t page_size() const { return page_size_; }
  [[nodiscard]] Error corrupt(const std::string& what) const;

 private:
  Status advance(std::uint64_t count);

  int descriptor_;
  std::string path_;
  std::uint32_t page_size_;
  std::vector<bool> taken_;
  std::uint64_t done_ = 0;
  PageProgress progress_;
  PageFunction look_;
};

struct LeafEntry {
  Bytes key;
  std::uint16_t flags = 0;  // 0, kOverflowNode or kTreeNode
  std::uint64_t size_bytes = 0;
  Bytes value;                   // if it lies in the leaf itself
  std::uint64_t first_page = 0;  // else the first page of its run, which has been looked at
};

// Gives the value of an entry in pieces, all but the last of them with the same number of bytes, a
// multiple of 8.
Status for_each_piece(const PagesInUse& pages, const LeafEntry& entry,
                      const std::function<Status(Bytes piece)>& take);

enum class KeyOrder : std::uint8_t { bytes, numbers };
// Whether what a Tree says of its pages and entries is known, and checked.
enum class TreeCounts : std::uint8_t { given, unknown };

class TreeWalk {
 public:
  // `name` is for messages.
  TreeWalk(PagesInUse& pages, const layout::Tree& tree, std::string name, KeyOrder order)
      : pages_(pages), tree_(tree), name_(std::move(name)), order_(order) {}

  // Calls `visit` for every entry, in the order of keys; its key and value are valid during the
  // call. Errors: corrupt (the tree is not one, or the counts in `tree` are wrong), io, cancelled,
  // and those of `visit`.
  Status run(const std::function<Status(const LeafEntry&)>& visit,
             TreeCounts counts = TreeCounts::given);

 private:
  struct Level {
    std::uint64_t number = 0;
    std::string page;
    std::uint16_t count = 0;
    std::uint16_t next = 0;
    // Views into the pages of the levels above.
    std::optional<Bytes> at_least, below;
  };

  Status enter(std::uint64_t number, std::optional<Bytes> at_least, std::optional<Bytes> below);
  Status enter_child(Level& level, std::uint16_t index);
  Status check_slots(Level& level, const layout::PageHeader& header);
  Status check_keys(const Level& level) const;
  Status read_entry(const Level& level, std::uint16_t index, LeafEntry& entry);
  Status check_run(std::uint64_t first, std::uint64_t size_bytes);
  Status check_counts() const;

  [[nodiscard]] bool is_branch(const Level& level) const { return &level < &levels_[leaf_level()]; }
  [[nodiscard]] std::size_t leaf_level() const { return tree_.depth - std::size_t{1}; }
  [[nodiscard]] static std::uint16_t offset_of(const Level& level, std::uint16_t index);
  [[nodiscard]] static layout::Node node_at(const Level& level, std::uint16_t offset);
  [[nodiscard]] static Bytes key_of(const Level& level, std::uint16_t index);
  [[nodiscard]] bool comes_before(Bytes first, Bytes second) const;
  [[nodiscard]] Error damaged(std::uint64_t page, const std::string& what) const;

  PagesInUse& pages_;
  layout::Tree tree_;
  std::string name_;
  KeyOrder order_;
  std::vector<Level> levels_;  // as many as the tree is deep; the first open_ of them are in use
  std::size_t open_ = 0;
  std::vector<std::uint16_t> offsets_;
  layout::Tree counted_{};
};

}  // namespace tracelite::store
