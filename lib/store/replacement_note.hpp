// The note that a file has in key space `meta` under "replacement" while it is replaced by another:
// what replacement.hpp's protocol leaves behind for other processes, and for the time after a
// crash.
//
//     1 byte    kind: 1 this file has been superseded, 2 this file is the new one
//     8 bytes   big-endian; kind 2: the inode number of the lock file of the one that it replaces,
//               which may still lie beside it; else 0
#pragma once

#include "store/environment_state.hpp"

namespace tracelite::store {

inline constexpr Bytes kNoteKey = "replacement";

struct Note {
  enum class Kind : std::uint8_t { none = 0, superseded = 1, fresh = 2 };
  Kind kind = Kind::none;
  std::uint64_t lock_file_inode = 0;  // fresh
};

// Errors: corrupt, io.
Result<Note> read_note(const OpenFile& file, MDB_txn* transaction);
// The same in a transaction of its own; nullopt if there is none that can be read.
std::optional<Note> find_note(const OpenFile& file);
Status put_note(WriteTransaction& transaction, const Note& note);
// Returns 0 or LMDB's code.
int erase_note(const OpenFile& file, MDB_txn* transaction);
// In a commit of its own, by whoever has the turn to write. If it fails, the next write transaction
// does it.
void clear_note(OpenFile& file);

}  // namespace tracelite::store
