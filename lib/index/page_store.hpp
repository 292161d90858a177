// Where SQLite's pages lie in the file: each in one of two key spaces.
//
// Knows pages by number and bytes; must not know what SQLite writes into them.
//
// Key space `page` holds the first page, and those that were written since the file was compacted,
// so that a commit that changes a page again only has to put it. Key space `sealed_page` holds the
// others, packed with their neighbours (store/packed_space.hpp), where they take less than half.
// The key is the page's number as 4 bytes big-endian in both. A sealed page that is written leaves
// its place there.
//
// Only compacting seals. A writer that sealed what it had not written for some commits made files
// 1 per cent smaller and 2 per cent larger: ids come in no order, and so do the pages.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "store/packed_space.hpp"

namespace tracelite::index {

// nullopt: there is no such page. Valid until the next write. Errors: corrupt, io, no_memory.
Result<std::optional<Bytes>> get_page(const store::Transaction& transaction, std::uint32_t number);
// Errors: those of put.
Status put_page(store::WriteTransaction& transaction, std::uint32_t number,
                std::span<const Bytes> parts);
// `page_count_before`: what was committed; there is no sealed page beyond that. Errors: those of
// put.
Status erase_pages_beyond(store::WriteTransaction& transaction, std::uint32_t page_count,
                          std::uint32_t page_count_before);
// Errors: those of WriteTransaction::clear.
Status clear_pages(store::WriteTransaction& transaction);
// Seals the pages from `first` on, but for page 1, at most so many. Returns the `first` of the next
// call; nullopt: these were the last. Errors: those of put, corrupt.
Result<std::optional<std::uint32_t>> seal_pages(store::WriteTransaction& transaction,
                                                std::uint32_t first, std::size_t page_count_max);

}  // namespace tracelite::index
