// What the tests of the page file share: a file that goes away, batches, and SQL in one line.
#pragma once

#include <sqlite3.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>

#include "index/page_file.hpp"
#include "store/environment.hpp"
#include "store/testing.hpp"
#include "support/random_seed.hpp"

namespace tracelite::index::test {

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "tracelite-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  ~Folder() {
    if (getpid() == owner_) std::filesystem::remove_all(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] std::string file() const { return (path_ / "store.tl").string(); }

 private:
  std::filesystem::path path_;
  pid_t owner_ = getpid();
};

// Takes the value out of a Result, or stops the test with its message.
template <class T>
T must(Result<T> result) {
  if (!result) BOOST_FAIL(result.error().message);
  return std::move(result).value();
}

inline void must(Status status) {
  if (!status) BOOST_FAIL(status.error().message);
}

inline std::shared_ptr<store::Environment> open(const std::string& path,
                                                std::size_t map_size_bytes = std::size_t{1} << 30) {
  store::OpenOptions options;
  options.map_size_bytes = map_size_bytes;
  return must(store::Environment::open(path, options));
}

inline std::unique_ptr<Connection> open_writer(store::Environment& environment) {
  auto transaction = must(environment.begin_write());
  return must(Connection::open_writer(transaction));
}

// Runs one or more statements; SQLite's code.
inline int run(sqlite3* handle, const std::string& sql) {
  return sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr);
}

// All rows as text, columns parted by '|', rows by a line feed; "error: ..." if it fails.
inline std::string rows(sqlite3* handle, const std::string& sql) {
  std::string out;
  char* message = nullptr;
  const auto append = [](void* text, int columns, char** values, char**) {
    auto& all = *static_cast<std::string*>(text);
    for (int i = 0; i < columns; ++i) {
      if (i != 0) all += '|';
      all += values[i] != nullptr ? values[i] : "NULL";
    }
    all += '\n';
    return 0;
  };
  if (sqlite3_exec(handle, sql.c_str(), append, &out, &message) != SQLITE_OK) {
    out = std::string("error: ") + (message != nullptr ? message : "?");
    sqlite3_free(message);
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

// One write transaction of store/ with one batch on it; work says whether to commit.
inline Status batch(store::Environment& environment, Connection& connection,
                    const std::function<bool(store::WriteTransaction&)>& work) {
  auto transaction = environment.begin_write();
  if (!transaction) return std::move(transaction).error();
  TL_TRY(connection.begin(*transaction));
  if (work(*transaction)) return connection.commit();
  connection.rollback();
  return {};
}

// A batch of statements that must all succeed.
inline Status batch(store::Environment& environment, Connection& connection,
                    const std::string& sql) {
  return batch(environment, connection, [&](store::WriteTransaction&) {
    BOOST_REQUIRE_MESSAGE(run(connection.handle(), sql) == SQLITE_OK,
                          sqlite3_errmsg(connection.handle()));
    return true;
  });
}

// What a connection opened just now reads.
inline std::string fresh_rows(store::Environment& environment, const std::string& sql) {
  auto transaction = must(environment.begin_read());
  const auto reader = must(Connection::open_reader(transaction));
  return rows(reader->handle(), sql);
}

// The counters of the connection's page cache (SQLITE_DBSTATUS_...), reset by asking.
inline int cache_status(const Connection& connection, int counter) {
  int current = 0;
  int highest = 0;
  sqlite3_db_status(connection.handle(), counter, &current, &highest, 1);
  return current;
}

inline int cache_misses(const Connection& connection) {
  return cache_status(connection, SQLITE_DBSTATUS_CACHE_MISS);
}

}  // namespace tracelite::index::test
