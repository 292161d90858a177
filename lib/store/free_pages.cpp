// See free_pages.hpp. The free list is a B-tree whose values are lists of page numbers: a count,
// then the numbers.
#include "store/free_pages.hpp"

#include <unistd.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace tracelite::store {
namespace {

using layout::Node;
using layout::PageHeader;

constexpr int kDepthMax = 32;  // LMDB's own bound

class FreePageWalk {
 public:
  FreePageWalk(int descriptor, std::uint32_t page_size, std::uint64_t first_missing,
               std::uint64_t last_page)
      : descriptor_(descriptor),
        page_size_(page_size),
        first_missing_(first_missing),
        free_(static_cast<std::size_t>(last_page + 1 - first_missing), false) {}

  // False if the tree is damaged.
  bool visit(std::uint64_t page_number, int depth) {
    if (depth > kDepthMax || pages_left_ == 0) return false;
    --pages_left_;
    std::string page;
    if (!read_pages(page_number, 1, page)) return false;
    PageHeader header{};
    std::memcpy(&header, page.data(), sizeof header);
    const bool branch = (header.flags & layout::kBranchPage) != 0;
    if (!branch && (header.flags & layout::kLeafPage) == 0) return false;
    if (header.lower < sizeof header || header.lower > page_size_) return false;
    const std::size_t count = (header.lower - sizeof header) / sizeof(std::uint16_t);
    for (std::size_t i = 0; i < count; ++i) {
      std::uint16_t offset = 0;
      std::memcpy(&offset, page.data() + sizeof header + i * sizeof offset, sizeof offset);
      if (offset + sizeof(Node) > page_size_) return false;
      Node node{};
      std::memcpy(&node, page.data() + offset, sizeof node);
      if (branch ? !visit(child_of(node), depth + 1) : !take(page, offset, node)) return false;
    }
    return true;
  }

  [[nodiscard]] bool all_free() const {
    for (const bool is_free : free_) {
      if (!is_free) return false;
    }
    return true;
  }

 private:
  static std::uint64_t child_of(const Node& node) {
    return std::uint64_t{node.low} | (std::uint64_t{node.high} << 16) |
           (std::uint64_t{node.flags} << 32);
  }

  bool read_pages(std::uint64_t number, std::uint64_t count, std::string& out) const {
    if (number < layout::kMetaPageCount || number > first_missing_) return false;
    if (count > first_missing_ - number) return false;
    out.resize(static_cast<std::size_t>(count * page_size_));
    const auto offset = static_cast<off_t>(number * page_size_);
    return pread(descriptor_, out.data(), out.size(), offset) == static_cast<ssize_t>(out.size());
  }

  bool take(const std::string& page, std::size_t offset, const Node& node) {
    const std::uint64_t size_bytes = std::uint64_t{node.low} | (std::uint64_t{node.high} << 16);
    const std::size_t start = offset + sizeof(Node) + node.key_size_bytes;
    if ((node.flags & layout::kOverflowNode) == 0) {
      if (start + size_bytes > page.size()) return false;
      return take_list(std::string_view(page).substr(start, static_cast<std::size_t>(size_bytes)));
    }
    std::uint64_t first = 0;
    if (start + sizeof first > page.size()) return false;
    std::memcpy(&first, page.data() + start, sizeof first);
    const std::uint64_t count = (sizeof(PageHeader) + size_bytes + page_size_ - 1) / page_size_;
    std::string run;
    if (!read_pages(first, count, run)) return false;
    return take_list(
        std::string_view(run).substr(sizeof(PageHeader), static_cast<std::size_t>(size_bytes)));
  }

  bool take_list(std::string_view list) {
    std::uint64_t count = 0;
    if (list.size() < sizeof count) return false;
    std::memcpy(&count, list.data(), sizeof count);
    list.remove_prefix(sizeof count);
    if (count > list.size() / sizeof count) return false;
    for (std::uint64_t i = 0; i < count; ++i) {
      std::uint64_t number = 0;
      std::memcpy(&number, list.data() + i * sizeof number, sizeof number);
      if (number < first_missing_) continue;
      if (number - first_missing_ >= free_.size()) return false;
      free_[static_cast<std::size_t>(number - first_missing_)] = true;
    }
    return true;
  }

  int descriptor_;
  std::uint32_t page_size_;
  std::uint64_t first_missing_;
  std::uint64_t pages_left_ = first_missing_;  // a tree cannot have more pages than the file
  std::vector<bool> free_;
};

}  // namespace

bool missing_pages_are_free(int descriptor, const layout::Meta& meta, std::uint32_t page_size,
                            std::uint64_t first_missing) {
  // What one transaction can leave unwritten is far less; more is nonsense, and not worth reading.
  constexpr std::uint64_t kMissingMax = std::uint64_t{1} << 22;
  if (meta.last_page - first_missing > kMissingMax) return false;
  if (meta.free_pages.root == layout::kNoPage) return false;
  FreePageWalk walk(descriptor, page_size, first_missing, meta.last_page);
  return walk.visit(meta.free_pages.root, 1) && walk.all_free();
}

}  // namespace tracelite::store
