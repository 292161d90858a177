// Which pages of a file must not be damaged, if salvage is to bring out all of it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "store/page_image.hpp"
#include "store/page_layout.hpp"

namespace tracelite::crash::test {

// The pages that records and payloads are read from: whatever becomes of all others, nothing is
// lost.
class NeededPages {
 public:
  explicit NeededPages(const std::string& content) : image_(content) {
    add(0);
    add(1);
    walk(image_.head().free_pages);
    add(image_.head().main.root);
    for (std::size_t i = 0; i < store::kKeySpaceCount; ++i) {
      const auto space = static_cast<store::KeySpace>(i);
      if (space == store::KeySpace::page || space == store::KeySpace::directory ||
          space == store::KeySpace::change) {
        continue;  // they are made anew
      }
      walk(image_.tree(space));
    }
  }
  [[nodiscard]] bool are_equal_in(const std::string& damaged) const {
    const std::size_t size = image_.page_size();
    return std::ranges::all_of(pages_, [&](std::uint64_t page) {
      const std::size_t at = image_.start_of(page);
      return damaged.size() >= at + size &&
             damaged.compare(at, size, image_.content(), at, size) == 0;
    });
  }

 private:
  void add(std::uint64_t page) { pages_.insert(page); }
  void walk(const store::layout::Tree& tree) {
    if (tree.root == store::layout::kNoPage) return;
    std::vector<std::uint64_t> level = {tree.root};
    for (int depth = tree.depth; depth > 0; --depth) {
      std::vector<std::uint64_t> below;
      for (const std::uint64_t page : level) {
        add(page);
        for (std::size_t i = 0; i < image_.count(page); ++i) {
          const store::layout::Node node = image_.node(page, i);
          if (depth > 1) below.push_back(store::layout::child_of(node));
          if (depth == 1 && node.flags == store::layout::kOverflowNode) add_run(page, i);
        }
      }
      level = std::move(below);
    }
  }
  void add_run(std::uint64_t leaf, std::size_t index) {
    const auto first = image_.at<std::uint64_t>(image_.value_at(leaf, index));
    const std::uint64_t count = store::layout::run_length_of(image_.header(first));
    for (std::uint64_t page = first; page < first + count; ++page) add(page);
  }

  store::test::PageImage image_;
  std::set<std::uint64_t> pages_;
};

}  // namespace tracelite::crash::test
