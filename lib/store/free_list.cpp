// See free_list.hpp.
#include "store/free_list.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>

namespace tracelite::store {
namespace {

// A list is a count and the numbers of the pages, from the largest down; LMDB may leave room behind
// them.
class FreeList {
 public:
  FreeList(PagesInUse& pages, std::uint64_t newest) : pages_(pages), newest_(newest) {}

  [[nodiscard]] std::uint64_t newest_found() const { return newest_found_; }

  Status take(const LeafEntry& entry) {
    std::uint64_t transaction = 0;
    std::memcpy(&transaction, entry.key.data(), sizeof transaction);
    if (transaction == 0 || transaction > newest_) {
      return pages_.corrupt("the free list has pages of transaction " +
                            std::to_string(transaction) + ", and the newest is " +
                            std::to_string(newest_));
    }
    if (entry.flags == layout::kTreeNode || entry.size_bytes < sizeof(std::uint64_t)) {
      return pages_.corrupt("the free list has an entry that is no list");
    }
    newest_found_ = std::max(newest_found_, transaction);
    std::optional<std::uint64_t> left;
    std::uint64_t last = layout::kNoPage;
    return for_each_piece(pages_, entry, [&](Bytes piece) -> Status {
      for (; piece.size() >= sizeof last; piece.remove_prefix(sizeof last)) {
        std::uint64_t number = 0;
        std::memcpy(&number, piece.data(), sizeof number);
        if (!left) {
          left = number;
          if (number > entry.size_bytes / sizeof number - 1) {
            return pages_.corrupt("a list of free pages is longer than its room");
          }
          continue;
        }
        if (*left == 0) return {};
        --*left;
        if (number >= last) return pages_.corrupt("a list of free pages is not in order");
        TL_TRY(pages_.take(number, 1));
        last = number;
      }
      return {};
    });
  }

 private:
  PagesInUse& pages_;
  std::uint64_t newest_;
  std::uint64_t newest_found_ = 0;
};

}  // namespace

Result<std::uint64_t> take_free_pages(PagesInUse& pages, const layout::Tree& tree,
                                      std::uint64_t newest, TreeCounts counts) {
  FreeList list(pages, newest);
  TreeWalk walk(pages, tree, "free pages", KeyOrder::numbers);
  TL_TRY(walk.run([&](const LeafEntry& entry) { return list.take(entry); }, counts));
  return list.newest_found();
}

}  // namespace tracelite::store
