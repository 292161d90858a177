// A SQLite database in memory: what an index is compared with, or built in.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <string>

#include "index/page_file.hpp"
#include "model/result.hpp"

namespace tracelite::index {

struct CloseDatabase {
  void operator()(sqlite3* database) const { sqlite3_close(database); }
};
using MemoryDatabase = std::unique_ptr<sqlite3, CloseDatabase>;

// Statements on it must be gone before it. Errors: no_memory.
inline Result<MemoryDatabase> open_in_memory() {
  sqlite3* opened = nullptr;
  int code =
      sqlite3_open_v2(":memory:", &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY, nullptr);
  MemoryDatabase database(opened);
  if (code == SQLITE_OK) {
    const std::string page_size = "PRAGMA page_size=" + std::to_string(kPageSizeBytes);
    code = sqlite3_exec(opened, page_size.c_str(), nullptr, nullptr, nullptr);
  }
  if (code == SQLITE_OK) return database;
  return make_error(Code::no_memory, "no memory for an index in memory", {}, code);
}

}  // namespace tracelite::index
