// See page_tree.hpp.
#include "store/page_tree.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "store/environment.hpp"
#include "store/errors.hpp"

namespace tracelite::store {

using layout::Node;
using layout::PageHeader;

namespace {

constexpr std::size_t kPieceSizeBytes = std::size_t{64} << 10;

std::uint64_t number_in(Bytes key) {
  std::uint64_t number = 0;
  std::memcpy(&number, key.data(), sizeof number);
  return number;
}

}  // namespace

// ------------------------------------------------------------------------------ PagesInUse

PagesInUse::PagesInUse(int descriptor, std::string path, std::uint32_t page_size,
                       std::uint64_t last_page, PageProgress progress)
    : descriptor_(descriptor),
      path_(std::move(path)),
      page_size_(page_size),
      taken_(static_cast<std::size_t>(last_page + 1), false),
      progress_(std::move(progress)) {
  for (std::size_t i = 0; i < layout::kMetaPageCount && i < taken_.size(); ++i) taken_[i] = true;
}

Error PagesInUse::corrupt(const std::string& what) const {
  return make_error(Code::corrupt, path_ + " is damaged: " + what);
}

Status PagesInUse::take(std::uint64_t first, std::uint64_t count) {
  if (count == 0) return {};
  const std::uint64_t size = taken_.size();
  if (first < layout::kMetaPageCount || first >= size || count > size - first) {
    return corrupt("it refers to " + std::to_string(count) + " pages from page " +
                   std::to_string(first) + " on, and has pages 2 to " + std::to_string(size - 1));
  }
  for (std::uint64_t i = first; i < first + count; ++i) {
    if (taken_[static_cast<std::size_t>(i)]) {
      return corrupt("page " + std::to_string(i) + " has two uses");
    }
    taken_[static_cast<std::size_t>(i)] = true;
  }
  return {};
}

Status PagesInUse::advance(std::uint64_t count) {
  const std::uint64_t before = done_;
  done_ += count;
  // A small file is told of once, so that looking through it can be cancelled as well.
  const bool is_due = before == 0 || done_ / kPagesPerReport != before / kPagesPerReport;
  if (!progress_ || !is_due) return {};
  if (progress_(done_, taken_.size())) return make_error(Code::cancelled, "cancelled");
  return {};
}

Status PagesInUse::take_and_read(std::uint64_t number, std::string& page) {
  TL_TRY(take(number, 1));
  TL_TRY(advance(1));
  page.resize(page_size_);
  return read(number * page_size_, page_size_, page.data());
}

Status PagesInUse::read(std::uint64_t offset, std::size_t size_bytes, char* out) const {
  std::size_t done = 0;
  while (done < size_bytes) {
    const ssize_t count =
        pread(descriptor_, out + done, size_bytes - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_error(errno, "read", path_);
    if (count == 0) {
      return corrupt("it ends within page " + std::to_string((offset + done) / page_size_) +
                     ", which is in use");
    }
    done += static_cast<std::size_t>(count);
  }
  return {};
}

// ------------------------------------------------------------------------------ values

Status for_each_piece(const PagesInUse& pages, const LeafEntry& entry,
                      const std::function<Status(Bytes piece)>& take) {
  if (entry.first_page == 0) return take(entry.value);
  std::string piece;
  const std::uint64_t start = entry.first_page * pages.page_size() + sizeof(PageHeader);
  for (std::uint64_t done = 0; done < entry.size_bytes; done += piece.size()) {
    piece.resize(static_cast<std::size_t>(
        std::min<std::uint64_t>(entry.size_bytes - done, kPieceSizeBytes)));
    TL_TRY(pages.read(start + done, piece.size(), piece.data()));
    TL_TRY(take(piece));
  }
  return {};
}

// ------------------------------------------------------------------------------ TreeWalk

Error TreeWalk::damaged(std::uint64_t page, const std::string& what) const {
  return pages_.corrupt("page " + std::to_string(page) + " (" + name_ + ") " + what);
}

// `level` was looked at by check_slots.
std::uint16_t TreeWalk::offset_of(const Level& level, std::uint16_t index) {
  std::uint16_t offset = 0;
  std::memcpy(&offset, level.page.data() + sizeof(PageHeader) + index * sizeof offset,
              sizeof offset);
  return offset;
}

Node TreeWalk::node_at(const Level& level, std::uint16_t offset) {
  Node node{};
  std::memcpy(&node, level.page.data() + offset, sizeof node);
  return node;
}

Bytes TreeWalk::key_of(const Level& level, std::uint16_t index) {
  const std::uint16_t offset = offset_of(level, index);
  return Bytes(level.page).substr(offset + sizeof(Node), node_at(level, offset).key_size_bytes);
}

bool TreeWalk::comes_before(Bytes first, Bytes second) const {
  return order_ == KeyOrder::numbers ? number_in(first) < number_in(second) : first < second;
}

// LMDB's nodes fill the page from `upper` to its end without gaps, in any order.
Status TreeWalk::check_slots(Level& level, const PageHeader& header) {
  const std::uint32_t page_size = pages_.page_size();
  const bool branch = is_branch(level);
  if (header.lower < sizeof header || header.lower % 2 != 0 || header.lower > header.upper ||
      header.upper > page_size) {
    return damaged(level.number, "has its free space from byte " + std::to_string(header.lower) +
                                     " to " + std::to_string(header.upper));
  }
  level.count = static_cast<std::uint16_t>((header.lower - sizeof header) / sizeof(std::uint16_t));
  if (level.count < (branch ? 2 : 1)) {
    return damaged(level.number, "has " + std::to_string(level.count) + " entries");
  }
  offsets_.clear();
  for (std::uint16_t i = 0; i < level.count; ++i) offsets_.push_back(offset_of(level, i));
  std::ranges::sort(offsets_);
  std::size_t position = header.upper;
  for (const std::uint16_t offset : offsets_) {
    if (offset != position || offset % 2 != 0 || offset + sizeof(Node) > page_size) {
      return damaged(level.number, "has an entry at byte " + std::to_string(offset) +
                                       " where one at byte " + std::to_string(position) +
                                       " is expected");
    }
    const Node node = node_at(level, offset);
    if (node.key_size_bytes > kKeySizeBytesMax) {
      return damaged(level.number,
                     "has a key of " + std::to_string(node.key_size_bytes) + " bytes");
    }
    std::uint64_t size = sizeof(Node) + node.key_size_bytes;
    if (!branch) {
      if ((node.flags & ~(layout::kOverflowNode | layout::kTreeNode)) != 0 ||
          node.flags == (layout::kOverflowNode | layout::kTreeNode)) {
        return damaged(level.number, "has an entry with flags " + std::to_string(node.flags));
      }
      size += node.flags == layout::kOverflowNode ? sizeof(std::uint64_t) : value_size_of(node);
      if (size > layout::node_size_bytes_max(page_size)) {
        return damaged(level.number, "has an entry of " + std::to_string(size) + " bytes");
      }
    }
    position += static_cast<std::size_t>(size + size % 2);
    if (position > page_size) return damaged(level.number, "has an entry that goes beyond it");
  }
  if (position != page_size) {
    return damaged(level.number, "has nothing from byte " + std::to_string(position) + " on");
  }
  return {};
}

// The first key of a branch page means nothing, and may be empty.
Status TreeWalk::check_keys(const Level& level) const {
  const std::uint16_t first = is_branch(level) ? 1 : 0;
  for (std::uint16_t i = first; i < level.count; ++i) {
    const Bytes key = key_of(level, i);
    if (key.empty() || (order_ == KeyOrder::numbers && key.size() != sizeof(std::uint64_t))) {
      return damaged(level.number, "has a key of " + std::to_string(key.size()) + " bytes");
    }
    if (i > first && !comes_before(key_of(level, i - 1), key)) {
      return damaged(level.number, "has keys that do not ascend");
    }
  }
  const bool begins_before = level.at_least && comes_before(key_of(level, first), *level.at_least);
  const bool ends_behind =
      level.below &&
      !comes_before(key_of(level, static_cast<std::uint16_t>(level.count - 1)), *level.below);
  if (begins_before || ends_behind) {
    return damaged(level.number, "has keys that belong into another page");
  }
  return {};
}

Status TreeWalk::enter(std::uint64_t number, std::optional<Bytes> at_least,
                       std::optional<Bytes> below) {
  Level& level = levels_[open_];
  level.number = number;
  level.next = 0;
  level.at_least = at_least;
  level.below = below;
  TL_TRY(pages_.take_and_read(number, level.page));
  PageHeader header{};
  std::memcpy(&header, level.page.data(), sizeof header);
  if (header.number != number) {
    return damaged(number, "says that it is page " + std::to_string(header.number));
  }
  const bool branch = is_branch(level);
  if (header.flags != (branch ? layout::kBranchPage : layout::kLeafPage)) {
    return damaged(number, "has flags " + std::to_string(header.flags) + " where a " +
                               (branch ? "branch" : "leaf") + " is expected");
  }
  ++(branch ? counted_.branch_pages : counted_.leaf_pages);
  TL_TRY(check_slots(level, header));
  TL_TRY(check_keys(level));
  TL_TRY(pages_.look(number, level.page));
  ++open_;
  return {};
}

Status TreeWalk::enter_child(Level& level, std::uint16_t index) {
  const auto next = static_cast<std::uint16_t>(index + 1);
  const std::optional<Bytes> at_least = index == 0 ? level.at_least : key_of(level, index);
  const std::optional<Bytes> below = next == level.count ? level.below : key_of(level, next);
  return enter(layout::child_of(node_at(level, offset_of(level, index))), at_least, below);
}

// LMDB does not shorten a run when its value becomes shorter within one transaction.
Status TreeWalk::check_run(std::uint64_t first, std::uint64_t size_bytes) {
  const std::uint64_t needed = layout::overflow_page_count(size_bytes, pages_.page_size());
  TL_TRY(pages_.take(first, 1));
  PageHeader header{};
  TL_TRY(pages_.read(first * pages_.page_size(), sizeof header,
                     reinterpret_cast<char*>(&header)));  // NOLINT: as the bytes lie in the file
  if (header.number != first || header.flags != layout::kOverflowPage) {
    return damaged(first, "does not begin a long value");
  }
  const std::uint64_t length = layout::run_length_of(header);
  if (length < needed) {
    return damaged(first, "begins a run of " + std::to_string(length) + " pages for a value of " +
                              std::to_string(size_bytes) + " bytes");
  }
  counted_.overflow_pages += length;
  return pages_.take(first + 1, length - 1);
}

Status TreeWalk::read_entry(const Level& level, std::uint16_t index, LeafEntry& entry) {
  const std::uint16_t offset = offset_of(level, index);
  const Node node = node_at(level, offset);
  entry.key = key_of(level, index);
  entry.flags = node.flags;
  entry.size_bytes = layout::value_size_of(node);
  entry.first_page = 0;
  const std::size_t start = offset + sizeof(Node) + entry.key.size();
  if (node.flags != layout::kOverflowNode) {
    entry.value = Bytes(level.page).substr(start, static_cast<std::size_t>(entry.size_bytes));
    return {};
  }
  entry.value = {};
  std::memcpy(&entry.first_page, level.page.data() + start, sizeof entry.first_page);
  return check_run(entry.first_page, entry.size_bytes);
}

Status TreeWalk::check_counts() const {
  const auto differs = [this](const char* what, std::uint64_t said, std::uint64_t counted) {
    return pages_.corrupt("the tree of " + name_ + " should have " + std::to_string(said) + ' ' +
                          what + " and has " + std::to_string(counted));
  };
  if (tree_.entries != counted_.entries) {
    return differs("entries", tree_.entries, counted_.entries);
  }
  if (tree_.branch_pages != counted_.branch_pages) {
    return differs("branch pages", tree_.branch_pages, counted_.branch_pages);
  }
  if (tree_.leaf_pages != counted_.leaf_pages) {
    return differs("leaf pages", tree_.leaf_pages, counted_.leaf_pages);
  }
  if (tree_.overflow_pages != counted_.overflow_pages) {
    return differs("pages of long values", tree_.overflow_pages, counted_.overflow_pages);
  }
  return {};
}

Status TreeWalk::run(const std::function<Status(const LeafEntry&)>& visit, TreeCounts counts) {
  const bool is_empty = tree_.root == layout::kNoPage;
  if (is_empty ? tree_.depth != 0 : tree_.depth == 0 || tree_.depth > layout::kDepthMax) {
    return pages_.corrupt("the tree of " + name_ + " has a depth of " +
                          std::to_string(tree_.depth));
  }
  if (is_empty) return check_counts();
  levels_.resize(tree_.depth);
  TL_TRY(enter(tree_.root, {}, {}));
  LeafEntry entry;
  while (open_ > 0) {
    Level& level = levels_[open_ - 1];
    if (level.next == level.count) {
      --open_;
      continue;
    }
    const std::uint16_t index = level.next++;
    if (is_branch(level)) {
      TL_TRY(enter_child(level, index));
      continue;
    }
    TL_TRY(read_entry(level, index, entry));
    ++counted_.entries;
    TL_TRY(visit(entry));
  }
  return counts == TreeCounts::given ? check_counts() : Status();
}

}  // namespace tracelite::store
