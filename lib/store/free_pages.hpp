// What is done with free pages beside using them again: giving them back to the file system, as
// holes in the file, and overwriting them, so that nothing of what was deleted is left.
//
// Knows LMDB's list of free pages, and which of them it might use now; what lies behind the last
// page of the newest commit, because a later one was cut off, is as free. Must not know what was in
// them.
//
// Both happen within a write transaction that writes nothing else, to pages that LMDB itself could
// have taken and overwritten in it: those that a transaction has given up which is older than every
// snapshot and than the commit before the last one, and those behind the last page. So no snapshot
// reads them, and neither of the two heads refers to them, one of which a power cut leaves: the
// same rule as for every commit.
// What the file has lost of them reads as zeros; its size stays, and it takes fewer blocks.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "model/result.hpp"
#include "store/environment.hpp"

namespace tracelite::store {

struct FreePagesRequest {
  std::uint64_t run_page_count_min = 1;  // shorter runs stay as they are
  std::uint64_t size_bytes_max = std::numeric_limits<std::uint64_t>::max();
  // Zeros are written first, and are durable when it returns; where the file system makes no holes
  // they stay.
  bool overwrites = false;
};
struct FreePagesDone {
  std::uint64_t size_bytes = 0;  // given back or overwritten now
  // Free, but snapshots (or the commit before the last one) can still reach them.
  std::uint64_t held_size_bytes = 0;
  bool is_more = false;     // size_bytes_max was reached
  bool makes_holes = true;  // false: the file system makes none
};

// Numbers of pages. The last ones need not be in memory: a file may go on for long behind its last
// page.
struct PageNumbers {
  std::vector<std::uint64_t> listed;           // ascending
  std::uint64_t tail_begin = 0, tail_end = 0;  // all of these as well; none is listed

  [[nodiscard]] bool empty() const { return listed.empty() && tail_begin == tail_end; }
};

// Waits its turn to write. Errors: those of begin_write, io, disk_full.
Result<FreePagesDone> clear_free_pages(Environment& environment, const FreePagesRequest& request);

// Overwrites all free pages in pieces, between which others write. It is not over before those that
// were free or held at its first step have been overwritten, by it or by whoever uses them now:
// LMDB may take a page and give it up again without having written it.
class FreePageOverwriting {
 public:
  // `zeros_too`: in its first pass also what reads as zeros. The sync of who wrote them may have
  // failed, which is told only once (environment_state.hpp).
  FreePageOverwriting(Environment& environment, bool zeros_too,
                      std::uint64_t size_bytes_max = std::uint64_t{16} << 20);

  // The next piece; after the last one, the first of another pass. is_more: the pass is not over.
  // Errors: those of clear_free_pages.
  Result<FreePagesDone> step();

 private:
  Environment& environment_;
  FreePagesRequest request_;
  bool zeros_too_;
  std::uint64_t position_ = 0;  // of bytes of the file
  std::optional<PageNumbers> waiting_;
};

// By how many bytes the file is larger on the disk than the pages in use. Errors: io.
Result<std::uint64_t> wasted_size_bytes(Environment& environment);

}  // namespace tracelite::store
