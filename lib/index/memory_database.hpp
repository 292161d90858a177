// A SQLite database in memory: what an index is compared with.
#pragma once

#include <sqlite3.h>

#include <memory>

#include "model/result.hpp"

namespace tracelite::index {

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close(database); }
};
using MemoryDatabase = std::unique_ptr<sqlite3, CloseDatabase>;

// Statements on it must be gone before it. Errors: no_memory.
inline Result<MemoryDatabase> open_in_memory() {
  sqlite3* opened = nullptr;
  const int code =
      sqlite3_open_v2(":memory:", &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY, nullptr);
  MemoryDatabase database(opened);
  if (code == SQLITE_OK) return database;
  return make_error(Code::no_memory, "no memory for an index to compare with", {}, code);
}

}  // namespace tracelite::index
