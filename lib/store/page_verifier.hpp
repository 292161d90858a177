// Looks through all pages of a file before LMDB may, or beside it: LMDB 0.9 trusts its file, and a
// damaged or hostile one makes it crash, read nonsense or write over what is in use.
//
// What it finds in order, LMDB can read and write: both trees of the head and those of our key
// spaces are B-trees with ascending keys within their bounds, each page has one use, the free list
// names pages that have none, and nothing is in the main tree but our key spaces. It also verifies
// every value's checksum, which covers its key: so a key that was changed is noticed, too, and does
// not just make its entry vanish; and the sum of them for each key space, so that something older
// in the place of what was written last is noticed (content_sums.hpp).
//
// Knows page_tree.hpp and the key spaces; must not know what values say (but for the format's
// version, which is told before anything else, and the sums).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "model/result.hpp"
#include "store/environment.hpp"
#include "store/page_layout.hpp"
#include "store/page_tree.hpp"

namespace tracelite::store {

inline constexpr Bytes kSumsFinding = "sums";
inline constexpr Bytes kLostPagesFinding = "lost pages";
// Hides no other: each value can be read, and compacting makes a sound file of them.
inline bool leaves_all_readable(Bytes where) {
  return where == kSumsFinding || where == kLostPagesFinding;
}

// `where` is a key space, "key spaces", "free pages", "head", or one of the above.
using PageFindingFunction = std::function<void(Bytes where, Bytes message)>;

// True if every tree is one, so that LMDB can be let to it; values that do not match their
// checksums are findings, too. Without `finding` the first thing that is found is returned as an
// error. The pages that `head` sees must not change meanwhile. Errors: corrupt (only without
// `finding`), not_tracelite (no key space of ours), newer_format, cancelled, io.
Result<bool> verify_pages(int descriptor, const std::string& path, const layout::Meta& head,
                          const PageFindingFunction& finding, const PageProgress& progress);

// A snapshot whose pages have been looked through; others may commit meanwhile. nullopt: some tree
// is none, so that nothing should be read. Errors: those of verify_pages and begin_read.
Result<std::optional<ReadTransaction>> begin_verified_read(
    const std::shared_ptr<Environment>& environment, const PageFindingFunction& finding,
    const PageProgress& progress);

// What one transaction can leave unwritten at the end of the file is far less.
inline constexpr std::uint64_t kMissingPagesMax = std::uint64_t{1} << 22;

// True if every page from `first_missing` to the last one of `head` is free.
//
// LMDB does not write pages that a transaction allocated at the end of the file and gave up again
// before its commit, yet counts them: after one commit in five of a mixed workload the file was
// shorter than its last page number says. If any page beyond the end of the file is not free, the
// file has lost something.
bool missing_pages_are_free(int descriptor, const std::string& path, const layout::Meta& head,
                            std::uint64_t first_missing);

}  // namespace tracelite::store
