// Tells a file that was cut off from one whose last pages were never written.
//
// LMDB does not write pages that a transaction allocated at the end of the file and gave up again
// before its commit, yet counts them: after one commit in five of a mixed workload the file was
// shorter than its last page number says. Such pages are in the list of free pages; if any page
// beyond the end of the file is not, the file has lost something.
#pragma once

#include <cstdint>

#include "store/page_layout.hpp"

namespace tracelite::store {

// True if every page from `first_missing` to the last one of `meta` is free. Reads with pread only,
// and believes nothing that it reads.
bool missing_pages_are_free(int descriptor, const layout::Meta& meta, std::uint32_t page_size,
                            std::uint64_t first_missing);

}  // namespace tracelite::store
