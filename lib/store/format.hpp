// What makes an LMDB environment a tracelite file: its key spaces, and the mark under the key
// "format" of the key space `meta`.
//
// The mark: "tracelite", then the format version and the size of SQLite's pages, 4 bytes big-endian
// each. Every version must keep this, so that an older library can say what it has found. With it
// come the first sums (content_sums.hpp).
#pragma once

#include "model/result.hpp"
#include "store/environment_state.hpp"

namespace tracelite::store {

// In one commit. Errors: disk_full, io.
Status create_key_spaces(OpenFile& file);
// Errors: not_tracelite, newer_format, other_geometry, corrupt, io.
Status open_key_spaces(OpenFile& file);

// Whether this entry of key space `meta` (with its checksum) is the mark of a newer format. For
// whoever looks at the file before LMDB does. Errors: newer_format.
Status check_format_version(const std::string& path, Bytes key, Bytes stored);

}  // namespace tracelite::store
