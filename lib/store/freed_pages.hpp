// The pages that each transaction has given up, as LMDB reads its list of them. (free_list.hpp
// reads the same list from the bytes of a file that is not trusted.)
//
// Knows LMDB's cursors and what an entry of the list says. Must not know what becomes of the pages.
#pragma once

#include <lmdb.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>

#include "model/result.hpp"
#include "store/environment_state.hpp"

namespace tracelite::store {

struct FreedPages {
  std::uint64_t freed_by = 0;  // the transaction's number
  std::uint64_t count = 0;
  const char* numbers = nullptr;  // of eight bytes each, aligned to two
};

// Calls visit(FreedPages) for what a transaction that reads sees of it; LMDB shows it to nobody who
// writes. visit may throw. Errors: those of reading.
template <class Visit>
Status each_of_free_list(const Transaction::State& begun, Visit&& visit) {
  constexpr MDB_dbi kFreeList = 0;
  OpenFile& file = *begun.file;
  MDB_cursor* opened = nullptr;
  int code = mdb_cursor_open(begun.transaction, kFreeList, &opened);
  if (code != 0) return file.fail(code, "read", begun.map_number);
  const std::unique_ptr<MDB_cursor, decltype(&mdb_cursor_close)> cursor(opened, mdb_cursor_close);
  MDB_val key{};
  MDB_val value{};
  while ((code = mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT)) == 0) {
    FreedPages freed;
    if (key.mv_size != sizeof freed.freed_by || value.mv_size < sizeof freed.count) continue;
    std::memcpy(&freed.freed_by, key.mv_data, sizeof freed.freed_by);
    std::memcpy(&freed.count, value.mv_data, sizeof freed.count);
    freed.count = std::min<std::uint64_t>(freed.count, value.mv_size / sizeof freed.count - 1);
    freed.numbers = static_cast<const char*>(value.mv_data) + sizeof freed.count;
    visit(freed);
  }
  if (code != MDB_NOTFOUND) return file.fail(code, "read", begun.map_number);
  return {};
}

}  // namespace tracelite::store
