// An index of one commit in memory: what readers read where the file's own is none that they can.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>

#include "model/bytes.hpp"
#include "model/result.hpp"

namespace tracelite::index {

// The pages of a database as SQLite wrote them. Any number of connections and threads may read it.
class MemoryImage {
 public:
  // Copies what a database of open_in_memory has now, which was built of what this transaction
  // sees. Errors: no_memory, internal.
  static Result<std::shared_ptr<const MemoryImage>> copy(sqlite3* database,
                                                         std::uint64_t transaction_id);

  [[nodiscard]] std::uint64_t transaction_id() const { return transaction_id_; }
  [[nodiscard]] std::uint32_t page_count() const;
  // Numbers begin with 1. Empty beyond the last.
  [[nodiscard]] Bytes page(std::uint32_t number) const;

 private:
  struct Free {
    void operator()(unsigned char* bytes) const { sqlite3_free(bytes); }
  };

  MemoryImage() = default;

  std::unique_ptr<unsigned char, Free> bytes_;
  std::uint64_t size_bytes_ = 0;
  std::uint64_t transaction_id_ = 0;
};

}  // namespace tracelite::index
