// See loose_page.hpp.
#include "store/loose_page.hpp"

#include <unistd.h>

#include <cerrno>

#include "store/environment.hpp"
#include "store/errors.hpp"

namespace tracelite::store {

using layout::Node;
using layout::PageHeader;

LoosePage::LoosePage(Bytes page, std::uint64_t number) : page_(page) {
  header_ = value_at<PageHeader>(page, 0);
  is_good_ = header_.number == number && header_.lower >= sizeof header_ &&
             header_.lower % 2 == 0 && header_.lower <= page.size();
  if (!is_branch() && !is_leaf()) is_good_ = false;
  if (is_good_) count_ = (header_.lower - sizeof header_) / sizeof(std::uint16_t);
}

std::optional<LoosePage::Entry> LoosePage::entry(std::size_t index) const {
  const auto offset =
      std::size_t{value_at<std::uint16_t>(page_, sizeof header_ + index * sizeof(std::uint16_t))};
  if (offset < header_.lower || offset + sizeof(Node) > page_.size()) return std::nullopt;
  const auto node = value_at<Node>(page_, offset);
  const std::size_t start = offset + sizeof(Node) + node.key_size_bytes;
  if (node.key_size_bytes > kKeySizeBytesMax || start > page_.size()) return std::nullopt;
  Entry entry;
  entry.key = page_.substr(offset + sizeof(Node), node.key_size_bytes);
  if (is_branch()) {
    entry.page = layout::child_of(node);
    return entry;
  }
  entry.flags = node.flags;
  entry.size_bytes = layout::value_size_of(node);
  if (node.flags == layout::kOverflowNode) {
    if (start + sizeof entry.page > page_.size()) return std::nullopt;
    entry.page = value_at<std::uint64_t>(page_, start);
    return entry;
  }
  if (node.flags != 0 && node.flags != layout::kTreeNode) return std::nullopt;
  if (entry.size_bytes > page_.size() - start) return std::nullopt;
  entry.value = page_.substr(start, static_cast<std::size_t>(entry.size_bytes));
  return entry;
}

Result<bool> read_loose_page(int descriptor, const std::string& path, std::uint32_t page_size,
                             std::uint64_t number, std::string& page) {
  page.assign(page_size, '\0');
  std::size_t done = 0;
  while (done < page.size()) {
    const ssize_t count = pread(descriptor, page.data() + done, page.size() - done,
                                static_cast<off_t>(number * page_size + done));
    if (count < 0 && errno == EINTR) continue;
    // A block that the medium has lost costs what is in it.
    if (count < 0 && errno == EIO) return false;
    if (count < 0) return system_error(errno, "read", path);
    if (count == 0) return false;
    done += static_cast<std::size_t>(count);
  }
  return true;
}

}  // namespace tracelite::store
