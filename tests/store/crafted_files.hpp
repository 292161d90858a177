// The published ways to make LMDB 0.9 write or read outside of its pages by a crafted file:
// CVE-2019-16224 to 16228, laid over a sound file.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "page_image.hpp"

namespace tracelite::store::test {

struct CraftedFile {
  std::string what;     // its CVE, and which of its forms
  std::string finding;  // that the verifier must have; empty where the head cannot be read
  std::string content;
};

// The first leaf of the key space must have three entries, of short values.
class FileCrafter {
 public:
  FileCrafter(std::string sound, KeySpace space) : sound_(std::move(sound)), space_(space) {
    const PageImage image(sound_);
    const layout::Tree tree = image.tree(space_);
    BOOST_REQUIRE(tree.depth > 0);
    leaf_ = image.leftmost(tree).back();
    BOOST_REQUIRE(image.count(leaf_) > 2);
  }

  std::vector<CraftedFile> all() {
    flags_of_a_database();
    page_that_cannot_be_touched();
    size_of_a_node();
    node_that_is_said_to_hold_a_tree();
    pages_of_no_size();
    return std::move(made_);
  }

 private:
  // `change` gets the struct that lies there.
  template <class T, class Change>
  void make(std::string what, std::string finding, std::size_t at, Change change) {
    PageImage image(sound_);
    T part = image.at<T>(at);
    change(part);
    image.put(at, part);
    made_.push_back({"CVE-2019-" + std::move(what), std::move(finding), image.content()});
  }

  void flags_of_a_database() {
    const PageImage image(sound_);
    const std::size_t main_at = image.head_at() + offsetof(layout::Meta, main);
    for (const std::uint16_t flags :
         std::initializer_list<std::uint16_t>{0x02, 0x04, 0x08, 0x10, 0x14, 0x20, 0x40, 0x8000}) {
      const std::string number = std::to_string(flags);
      const auto set_flags = [flags](layout::Tree& tree) { tree.flags = flags; };
      make<layout::Tree>("16224 key space with flags " + number, "has flags", image.tree_at(space_),
                         set_flags);
      make<layout::Tree>("16224 main tree with flags " + number, "flags", main_at, set_flags);
    }
  }
  void page_that_cannot_be_touched() {
    const PageImage image(sound_);
    const std::size_t leaf_at = image.start_of(leaf_);
    make<layout::PageHeader>(
        "16225 page of a number beyond the file", "says that it is page", leaf_at,
        [](layout::PageHeader& header) { header.number = std::uint64_t{1} << 40; });
    make<layout::PageHeader>("16225 dirty page", "where a leaf is expected", leaf_at,
                             [](layout::PageHeader& header) { header.flags |= 0x10; });
    make<layout::PageHeader>("16225 page of a value as a leaf", "where a leaf is expected", leaf_at,
                             [](layout::PageHeader& header) { header.flags |= 0x40; });
    make<layout::Tree>("16225 head as a page of the tree", "it refers to", image.tree_at(space_),
                       [](layout::Tree& tree) { tree.root = 1; });
  }
  void size_of_a_node() {
    const std::size_t at = PageImage(sound_).node_at(leaf_, 2);
    for (const std::uint16_t high : std::initializer_list<std::uint16_t>{1, 0x7fff, 0xffff}) {
      make<layout::Node>("16226 node of a size with " + std::to_string(high) + " above",
                         "has an entry of", at, [&](layout::Node& node) { node.high = high; });
    }
  }
  void node_that_is_said_to_hold_a_tree() {
    const PageImage image(sound_);
    for (const std::uint16_t flags : std::initializer_list<std::uint16_t>{0x04, 0x06, 0x02}) {
      make<layout::Node>("16227 node with flags " + std::to_string(flags),
                         flags == 0x02 ? "is a tree" : "with flags", image.node_at(leaf_, 2),
                         [&](layout::Node& node) { node.flags = flags; });
    }
    make<layout::Node>("16227 key space with sorted values", "with flags",
                       image.node_at(image.head().main.root, 2),
                       [](layout::Node& node) { node.flags = 0x06; });
  }
  void pages_of_no_size() {
    const PageImage image(sound_);
    for (const std::uint64_t head : {std::uint64_t{0}, std::uint64_t{1}}) {
      const std::size_t at =
          image.start_of(head) + sizeof(layout::PageHeader) + offsetof(layout::Meta, free_pages);
      for (const std::uint32_t size_bytes : {0U, 1U, 3U, 0x80000000U, 0xffffffffU}) {
        make<std::uint32_t>(
            "16228 pages of " + std::to_string(size_bytes) + " bytes, head " + std::to_string(head),
            "", at, [&](std::uint32_t& page_size) { page_size = size_bytes; });
      }
    }
  }

  std::string sound_;
  KeySpace space_;
  std::uint64_t leaf_ = 0;
  std::vector<CraftedFile> made_;
};

}  // namespace tracelite::store::test
