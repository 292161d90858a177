// LMDB's list of free pages: a tree whose entries are the pages that a transaction gave up, under
// its number.
//
// Knows page_tree.hpp; must not know why somebody asks.
#pragma once

#include <cstdint>

#include "store/page_tree.hpp"

namespace tracelite::store {

// LMDB counts on from there.
inline constexpr std::uint64_t kTransactionMax = std::uint64_t{1} << 62;

// Takes the pages of the list and those that it names. Gives the newest transaction that has given
// up any; 0: the list is empty. Errors: corrupt (the tree is none, it names a page that has another
// use, or a transaction behind `newest`), io, cancelled.
Result<std::uint64_t> take_free_pages(PagesInUse& pages, const layout::Tree& tree,
                                      std::uint64_t newest, TreeCounts counts = TreeCounts::given);

}  // namespace tracelite::store
