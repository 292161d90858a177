// What a competent user would write with SQLite in an afternoon: the baseline.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>

#include "bench/event.hpp"
#include "bench/events.hpp"
#include "bench/sqlite_statement.hpp"

namespace bench {

class SqliteByHand {
 public:
  // How input, output and metadata lie in their columns: as JSON text, or each value by itself as
  // a zstd frame (a blob).
  enum class Payloads : std::uint8_t { text, zstd };
  static constexpr int kZstdLevel = 3;
  struct ForReading {};

  explicit SqliteByHand(const std::string& path, Payloads payloads = Payloads::text);
  SqliteByHand(ForReading, const std::string& path);
  ~SqliteByHand();

  // Durable when it returns: one transaction for each batch of at most batch_size_bytes.
  void import(const Events& events, std::uint64_t batch_size_bytes);
  // Durable with the next commit.
  void put(const Event& event);
  void commit();

  void checkpoint();
  [[nodiscard]] std::uint64_t commit_count() const { return commit_count_; }
  [[nodiscard]] sqlite3* handle() const { return db_.get(); }

 private:
  class Writer;
  struct Close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  void open(const std::string& path, int flags);
  void run(const char* sql);

  std::unique_ptr<sqlite3, Close> db_;
  std::unique_ptr<Writer> writer_;
  bool is_in_transaction_ = false;
  std::uint64_t commit_count_ = 0;
};

}  // namespace bench
