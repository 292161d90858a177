// LMDB's file layout, as file_header.cpp and page_tree.cpp need it (data version 1, as written by
// LMDB 0.9 on a machine with 64-bit words; all integers in the machine's byte order).
#pragma once

#include <cstddef>
#include <cstdint>

namespace tracelite::store::layout {

inline constexpr std::uint32_t kMagic = 0xbeefc0de;
inline constexpr std::uint32_t kDataVersion = 1;
inline constexpr std::uint64_t kNoPage = ~std::uint64_t{0};
inline constexpr std::uint64_t kMetaPageCount = 2;

// The first bytes of every page; the last 4 are the number of pages in the first of a run of
// overflow pages, and otherwise where the free space begins and ends.
struct PageHeader {
  std::uint64_t number;
  std::uint16_t pad;
  std::uint16_t flags;
  std::uint16_t lower;
  std::uint16_t upper;
};
static_assert(sizeof(PageHeader) == 16);

inline constexpr std::uint16_t kBranchPage = 0x01;
inline constexpr std::uint16_t kLeafPage = 0x02;
inline constexpr std::uint16_t kOverflowPage = 0x04;
inline constexpr std::uint16_t kMetaPage = 0x08;

// Flags of trees. The free list's are LMDB's flags of the environment as well.
inline constexpr std::uint16_t kIntegerKeys = 0x08;
inline constexpr std::uint16_t kNoSubfolder = 0x4000;

struct Tree {
  std::uint32_t page_size;  // in the first tree; elsewhere unused
  std::uint16_t flags;
  std::uint16_t depth;
  std::uint64_t branch_pages;
  std::uint64_t leaf_pages;
  std::uint64_t overflow_pages;
  std::uint64_t entries;
  std::uint64_t root;
};
static_assert(sizeof(Tree) == 48);
static_assert(offsetof(Tree, flags) == 4);
static_assert(offsetof(Tree, branch_pages) == 8);
static_assert(offsetof(Tree, entries) == 32);
static_assert(offsetof(Tree, root) == 40);

// Follows the header of pages 0 and 1.
struct Meta {
  std::uint32_t magic;
  std::uint32_t version;
  std::uint64_t address;
  std::uint64_t map_size_bytes;
  Tree free_pages;
  Tree main;
  std::uint64_t last_page;
  std::uint64_t transaction;
};
static_assert(sizeof(Meta) == 136);
static_assert(offsetof(Meta, free_pages) == 24);
static_assert(offsetof(Meta, main) == 72);
static_assert(offsetof(Meta, last_page) == 120);

struct MetaPage {
  PageHeader header;
  Meta meta;
};
static_assert(sizeof(MetaPage) == 152);

// An entry of a branch or leaf page. Leaf: `low` and `high` are the value's size. Branch: `low`,
// `high` and `flags` are the number of the child.
struct Node {
  std::uint16_t low;
  std::uint16_t high;
  std::uint16_t flags;
  std::uint16_t key_size_bytes;
};
static_assert(sizeof(Node) == 8);

inline constexpr std::uint16_t kOverflowNode = 0x01;  // the value is the number of its first page
inline constexpr std::uint16_t kTreeNode = 0x02;      // the value is a Tree

// LMDB has no room for more levels in a cursor.
inline constexpr std::uint16_t kDepthMax = 32;

constexpr std::uint64_t child_of(const Node& node) {
  return std::uint64_t{node.low} | (std::uint64_t{node.high} << 16) |
         (std::uint64_t{node.flags} << 32);
}
constexpr std::uint64_t value_size_of(const Node& node) {
  return std::uint64_t{node.low} | (std::uint64_t{node.high} << 16);
}
// In the first page of a run.
constexpr std::uint64_t run_length_of(const PageHeader& header) {
  return std::uint64_t{header.lower} | (std::uint64_t{header.upper} << 16);
}
constexpr std::uint64_t overflow_page_count(std::uint64_t value_size_bytes,
                                            std::uint32_t page_size) {
  return (sizeof(PageHeader) - 1 + value_size_bytes) / page_size + 1;
}
// What is larger has its value in overflow pages, so that each leaf page has room for two.
constexpr std::size_t node_size_bytes_max(std::uint32_t page_size) {
  return ((page_size - sizeof(PageHeader)) / 2 & ~std::size_t{1}) - sizeof(std::uint16_t);
}
static_assert(node_size_bytes_max(4096) == 2038);

}  // namespace tracelite::store::layout
