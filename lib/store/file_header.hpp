// Looks at a file before LMDB does. LMDB 0.9 trusts what it maps: with a file that is not its own,
// is cut off, or is damaged in its head, it crashes or reads nonsense. Knows LMDB's page layout.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/result.hpp"
#include "store/page_layout.hpp"

namespace tracelite::store {

enum class HeaderState {
  // Nothing was ever committed: an empty file, or one whose creation was cut off before its first
  // commit. Nothing is lost by starting over.
  unused,
  committed,
};

// `settled` says that no other process has the file open, so that the two meta pages belong
// together and the size does not change.
// Errors: not_tracelite, other_geometry, newer_format, corrupt (truncated, meta pages disagree),
// io.
Result<HeaderState> inspect_header(int descriptor, const std::string& path, bool settled);

// The head that a transaction sees: the newest one if no number is given, else that transaction's,
// or nullopt if later ones have taken its place. Errors: those of inspect_header.
Result<std::optional<layout::Meta>> read_head(int descriptor, const std::string& path,
                                              std::optional<std::uint64_t> transaction);

// Changes the numbers of the last two transactions of a file that nobody has open, so that the next
// one's is beyond `after` plus one. Errors: corrupt, io.
Status renumber(int descriptor, const std::string& path, std::uint64_t after);

}  // namespace tracelite::store
