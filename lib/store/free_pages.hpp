// What is done with free pages beside using them again: giving them back to the file system, as
// holes in the file, and overwriting them, so that nothing of what was deleted is left.
//
// Knows LMDB's list of free pages, and which of them it might use now. Must not know what was in
// them.
//
// Both happen within a write transaction that writes nothing else, to pages that LMDB itself could
// have taken and overwritten in it: those that a transaction has given up which is older than every
// snapshot and than the commit before the last one. So no snapshot reads them, and neither of the
// two heads refers to them, one of which a power cut leaves: the same rule as for every commit.
// What the file has lost of them reads as zeros; its size stays, and it takes fewer blocks.
#pragma once

#include <cstdint>
#include <limits>

#include "model/result.hpp"
#include "store/environment.hpp"

namespace tracelite::store {

struct FreePagesRequest {
  std::uint64_t run_page_count_min = 1;  // shorter runs stay as they are
  std::uint64_t size_bytes_max = std::numeric_limits<std::uint64_t>::max();
  // Zeros are written first, and are durable when it returns; where the file system makes no holes
  // they stay.
  bool overwrites = false;
  // Pages that were given up later do not count as held.
  std::uint64_t until_transaction = std::numeric_limits<std::uint64_t>::max();
};
struct FreePagesDone {
  std::uint64_t size_bytes = 0;  // given back or overwritten now
  // Free, but snapshots (or the commit before the last one) can still reach them.
  std::uint64_t held_size_bytes = 0;
  bool is_more = false;     // size_bytes_max was reached
  bool makes_holes = true;  // false: the file system makes none
};

// Waits its turn to write. Errors: those of begin_write, io, disk_full.
Result<FreePagesDone> clear_free_pages(Environment& environment, const FreePagesRequest& request);

// By how many bytes the file is larger on the disk than the pages in use. Errors: io.
Result<std::uint64_t> wasted_size_bytes(Environment& environment);

}  // namespace tracelite::store
