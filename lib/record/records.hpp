// Records by key, in the packed key space `record`.
//
// Knows keys and bytes; must not know what a record says.
//
// Key space `record`, packed (store/packed_space.hpp): the key of record_key.hpp, and the record as
// model::encode gives it.
#pragma once

#include <optional>

#include "record/record_key.hpp"
#include "store/packed_space.hpp"

namespace tracelite::record {

inline store::PackedSpace& records(const store::Transaction& transaction) {
  return store::PackedSpace::of(transaction, store::KeySpace::record);
}

// Walks records in the order of their keys; puts and erases in between do no harm.
class RecordCursor {
 public:
  explicit RecordCursor(const store::Transaction& transaction)
      : cursor_(transaction, store::KeySpace::record) {}
  // False if there is none. Errors: corrupt, io, no_memory.
  Result<bool> seek(const RecordKey& key_at_least) {
    return found(cursor_.seek(encode(key_at_least)));
  }
  Result<bool> next() { return found(cursor_.next()); }
  [[nodiscard]] const RecordKey& key() const { return key_; }
  // Valid until the next call for a record of this transaction.
  [[nodiscard]] Bytes record() const { return cursor_.value(); }

 private:
  Result<bool> found(Result<bool> found);

  store::PackedCursor cursor_;
  RecordKey key_;
};

}  // namespace tracelite::record
