// A closed file in memory, whose pages the tests change as they like.
#pragma once

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "helpers.hpp"
#include "store/page_layout.hpp"

namespace tracelite::store::test {

class PageImage {
 public:
  explicit PageImage(std::string content) : content_(std::move(content)) {
    page_size_ = at<std::uint32_t>(sizeof(layout::PageHeader) + 24);
    BOOST_REQUIRE(page_size_ >= 4096U);
  }

  [[nodiscard]] const std::string& content() const { return content_; }
  [[nodiscard]] std::uint32_t page_size() const { return page_size_; }
  [[nodiscard]] std::uint64_t page_count() const { return content_.size() / page_size_; }

  template <class T>
  [[nodiscard]] T at(std::size_t offset) const {
    T value{};
    BOOST_REQUIRE(offset + sizeof value <= content_.size());
    std::memcpy(&value, content_.data() + offset, sizeof value);
    return value;
  }
  template <class T>
  void put(std::size_t offset, const T& value) {
    BOOST_REQUIRE(offset + sizeof value <= content_.size());
    std::memcpy(content_.data() + offset, &value, sizeof value);
  }

  [[nodiscard]] std::size_t start_of(std::uint64_t page) const {
    return static_cast<std::size_t>(page * page_size_);
  }
  [[nodiscard]] layout::PageHeader header(std::uint64_t page) const {
    return at<layout::PageHeader>(start_of(page));
  }
  void set_header(std::uint64_t page, const layout::PageHeader& header) {
    put(start_of(page), header);
  }
  [[nodiscard]] std::size_t count(std::uint64_t page) const {
    return (header(page).lower - sizeof(layout::PageHeader)) / 2;
  }
  [[nodiscard]] std::size_t slot_at(std::uint64_t page, std::size_t index) const {
    return start_of(page) + sizeof(layout::PageHeader) + index * 2;
  }
  // Where the node lies in the file.
  [[nodiscard]] std::size_t node_at(std::uint64_t page, std::size_t index) const {
    return start_of(page) + at<std::uint16_t>(slot_at(page, index));
  }
  [[nodiscard]] layout::Node node(std::uint64_t page, std::size_t index) const {
    return at<layout::Node>(node_at(page, index));
  }
  [[nodiscard]] std::size_t key_at(std::uint64_t page, std::size_t index) const {
    return node_at(page, index) + sizeof(layout::Node);
  }
  [[nodiscard]] std::string key(std::uint64_t page, std::size_t index) const {
    return content_.substr(key_at(page, index), node(page, index).key_size_bytes);
  }
  [[nodiscard]] std::size_t value_at(std::uint64_t page, std::size_t index) const {
    return key_at(page, index) + node(page, index).key_size_bytes;
  }

  // Where the newest head lies in the file.
  [[nodiscard]] std::size_t head_at() const {
    const std::size_t first = sizeof(layout::PageHeader);
    const std::size_t second = page_size_ + first;
    return at<layout::Meta>(first).transaction < at<layout::Meta>(second).transaction ? second
                                                                                      : first;
  }
  [[nodiscard]] layout::Meta head() const { return at<layout::Meta>(head_at()); }
  void set_head(const layout::Meta& head) { put(head_at(), head); }

  // Where the tree of a key space lies in the file; the main tree must be one page.
  [[nodiscard]] std::size_t tree_at(KeySpace space) const {
    const std::uint64_t root = head().main.root;
    for (std::size_t i = 0; i < count(root); ++i) {
      if (key(root, i) == kKeySpaceNames[static_cast<std::size_t>(space)]) return value_at(root, i);
    }
    BOOST_FAIL("there is no such key space");
    return 0;
  }
  [[nodiscard]] layout::Tree tree(KeySpace space) const { return at<layout::Tree>(tree_at(space)); }
  void set_tree(KeySpace space, const layout::Tree& tree) { put(tree_at(space), tree); }

  // The pages of a tree on the way to the leftmost leaf.
  [[nodiscard]] std::vector<std::uint64_t> leftmost(const layout::Tree& tree) const {
    std::vector<std::uint64_t> pages = {tree.root};
    while (pages.size() < tree.depth) pages.push_back(layout::child_of(node(pages.back(), 0)));
    return pages;
  }

 private:
  std::string content_;
  std::uint32_t page_size_ = 0;
};

}  // namespace tracelite::store::test
