// Copying all of a file into an empty one in the order of the keys, so that its pages are full and
// none is free.
#pragma once

#include <functional>
#include <optional>

#include "store/packed_space.hpp"

namespace tracelite::store {

// Called now and then with the entries copied so far; true cancels.
using CopyProgress = std::function<bool(std::uint64_t entry_count)>;

// In commits of bounded size. With a packing, packed key spaces are packed anew, with dictionaries
// of their own; without, their blocks and dictionaries are copied as they are. Errors: cancelled,
// corrupt (a checksum), disk_full, io.
Status copy_in_order(const Transaction& from, Environment& to, const CopyProgress& progress,
                     const std::optional<Packing>& packing = std::nullopt);

}  // namespace tracelite::store
