// The bytes of pages in use that nothing lies in: LMDB makes pages in buffers that it uses again,
// and so leaves there what was in another page.
//
// Knows LMDB's page layout. Must not know what lies in which tree.
#pragma once

#include <cstdint>

#include "model/result.hpp"
#include "store/environment.hpp"

namespace tracelite::store {

// Overwrites those of the newest commit with zeros, in the file as it is, and syncs that; how many
// were something else. Nobody ever reads them, so it does not matter what a power cut leaves.
// Others write meanwhile: the pages of a snapshot stay as they are. Reads all pages but those of
// long values. Errors: those of begin_read, corrupt (a tree is none), io, disk_full.
Result<std::uint64_t> zero_unused_bytes(Environment& environment);

}  // namespace tracelite::store
