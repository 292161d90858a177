// Key spaces whose entries lie plain or sealed: plain, in their own key space, if they were put
// since the file was compacted, so that putting costs one put; else packed, in key space `sealed`,
// where they take a half or less.
//
// Knows keys and bytes; must not know what an entry says. Everybody reads and writes such a key
// space (kSealableKeySpaces) through this.
//
// Key space `sealed`, packed (packed_space.hpp): 1 byte key space, then the key. An entry lies in
// one of the two places; one that is put leaves the sealed ones.
//
// Only compacting seals. A writer that sealed what it had not written for some commits made files
// 1 per cent smaller and 2 per cent larger: ids come in no order, and so do pages and hashes.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "store/packed_space.hpp"

namespace tracelite::store {

// nullopt: there is no such entry. Valid until the next put or erase, and as what PackedSpace
// gives. Errors: corrupt, io, no_memory.
Result<std::optional<Bytes>> get_sealable(const Transaction& transaction, KeySpace space,
                                          Bytes key);
// The parts one after the other. Errors: those of WriteTransaction::put.
Status put_sealable(WriteTransaction& transaction, KeySpace space, Bytes key,
                    std::span<const Bytes> parts);
inline Status put_sealable(WriteTransaction& transaction, KeySpace space, Bytes key, Bytes value) {
  return put_sealable(transaction, space, key, {&value, 1});
}
// True if it was there. Errors: corrupt, and those of WriteTransaction::erase.
Result<bool> erase_sealable(WriteTransaction& transaction, KeySpace space, Bytes key);
// Of one that is derived from others, so any but `segment`. A damaged block that is in the way goes
// as a whole, with what lies in it of others that are derived: whoever clears one makes all of them
// anew. Errors: corrupt (of a damaged block that may hold segments), those of
// WriteTransaction::erase.
Status clear_sealable(WriteTransaction& transaction, KeySpace space);
// Seals the entries from a key on, of at most so many bytes. Returns the key of the next call;
// nullopt: these were the last. Errors: those of put, corrupt.
Result<std::optional<std::string>> seal(WriteTransaction& transaction, KeySpace space, Bytes from,
                                        std::size_t size_bytes_max);

// Walks the entries of both places, the sealed ones first; nothing may be put or erased meanwhile.
class SealableCursor {
 public:
  SealableCursor(const Transaction& transaction, KeySpace space);
  // False at the end. Errors: corrupt, io, no_memory.
  Result<bool> next();
  [[nodiscard]] Bytes key() const;
  [[nodiscard]] Bytes value() const;  // valid until the next call
  [[nodiscard]] bool is_sealed() const { return !plain_; }

 private:
  const Transaction& transaction_;
  KeySpace space_;
  PackedCursor sealed_;
  bool has_begun_ = false;
  std::optional<Cursor> plain_;  // once the sealed ones are over
};

}  // namespace tracelite::store
