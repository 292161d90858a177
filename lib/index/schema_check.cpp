// See schema_check.hpp.
#include "index/schema_check.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "index/memory_database.hpp"
#include "index/page_file.hpp"
#include "index/page_header.hpp"
#include "index/schema.hpp"
#include "index/statement.hpp"
#include "index/tree_walk.hpp"

namespace tracelite::index {
namespace {

struct Tables {
  std::string rows;  // type, name, table and SQL of each, with a zero behind each of them
  std::vector<std::uint32_t> roots;  // pages

  void add(Bytes type, Bytes name, Bytes table, Bytes sql, std::int64_t root) {
    for (const Bytes text : {type, name, table, sql}) rows.append(text).push_back('\0');
    roots.push_back(static_cast<std::uint32_t>(root));
  }
};

Result<Tables> read_tables(sqlite3* connection) {
  Tables tables;
  TL_TRY_ASSIGN(statement, Statement::prepare(connection,
                                              "SELECT type, name, tbl_name, sql, rootpage FROM "
                                              "sqlite_master ORDER BY rowid"));
  for (;;) {
    TL_TRY_ASSIGN(more, statement.step());
    if (!more) return tables;
    tables.add(statement.bytes(0), statement.bytes(1), statement.bytes(2), statement.bytes(3),
               statement.integer(4));
  }
}

Result<Tables> make_expected_tables() {
  TL_TRY_ASSIGN(made, open_in_memory());
  const std::string schema = schema_without_comments();
  const int code = sqlite3_exec(made.get(), schema.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return sqlite_error(made.get(), code, "creating an index to compare with");
  return read_tables(made.get());
}

// The same for all files, so it is made once, and kept until the process ends. Without a lock: a
// fork may come at any time.
Result<const Tables*> expected_tables() {
  static constinit std::atomic<const Tables*> kept{nullptr};
  if (const Tables* const known = kept.load(std::memory_order_acquire)) return known;
  TL_TRY_ASSIGN(tables, make_expected_tables());
  auto mine = std::make_unique<const Tables>(std::move(tables));
  const Tables* first = nullptr;
  if (!kept.compare_exchange_strong(first, mine.get(), std::memory_order_acq_rel)) return first;
  return mine.release();
}

// Of its table of tables, which is small: a few pages.
constexpr std::uint64_t kTablePagesMax = 64;

// As SQLite would read them, which is not let to them before they are ours: there may be some that
// it looks into by itself.
Result<Tables> read_tables(TreeWalk& walk) {
  Tables tables;
  TL_TRY(walk.walk(1, kTablePagesMax, [&tables](Bytes row) -> Status {
    constexpr std::size_t kColumnCount = 5;
    constexpr std::size_t kRoot = 3;
    const auto columns = decode_row(row, kColumnCount);
    if (!columns) return damaged_index("its table of tables makes no sense");
    const auto& all = *columns;
    tables.add(all[0].bytes, all[1].bytes, all[2].bytes, all[4].bytes, all[kRoot].integer);
    return {};
  }));
  return tables;
}

Status quick_check(store::ReadTransaction& transaction) {
  TL_TRY_ASSIGN(connection, Connection::open_reader(transaction));
  TL_TRY_ASSIGN(statement, Statement::prepare(connection->handle(), "PRAGMA quick_check(1)"));
  for (;;) {
    TL_TRY_ASSIGN(more, statement.step());
    if (auto failure = page_failure(connection->handle())) return *std::move(failure);
    if (!more) return {};
    if (statement.bytes(0) != "ok") return damaged_index(std::string(statement.bytes(0)));
  }
}

}  // namespace

std::string schema_without_comments() {
  std::string bare;
  for (Bytes sql = kSchema; !sql.empty();) {
    const std::size_t line_size = std::min(sql.find('\n'), sql.size() - 1) + 1;
    Bytes line = sql.substr(0, line_size);
    sql.remove_prefix(line_size);
    line = line.substr(0, line.find("--"));
    while (!line.empty() && (line.back() == ' ' || line.back() == '\n')) line.remove_suffix(1);
    bare.append(line).push_back('\n');
  }
  return bare;
}

Status check_schema(store::ReadTransaction& transaction) {
  TL_TRY_ASSIGN(expected, expected_tables());
  TL_TRY_ASSIGN(walk, TreeWalk::open(transaction));
  Tables found;
  if (walk.page_count() > 0) {
    TL_TRY_ASSIGN(tables, read_tables(walk));
    found = std::move(tables);
  }
  TL_TRY_ASSIGN(records, transaction.statistics(store::KeySpace::record));
  const bool may_lack_tables = walk.page_count() == 0 && records.entries == 0;
  // Writers rely on the pages, too: their statements outlive an index that is made anew.
  const bool is_ours = found.rows == expected->rows && found.roots == expected->roots;
  if (!may_lack_tables && !is_ours) {
    const std::string path = transaction.environment()->path();
    return make_error(Code::corrupt, "the index of " + path +
                                         " is not one that tracelite makes; open it once for "
                                         "writing, or run `tracelite reindex " +
                                         path + "`");
  }
  for (const std::uint32_t root : found.roots) TL_TRY(walk.walk(root, walk.page_count(), {}));
  TL_TRY(walk.walk_free_pages());
  TL_TRY(walk.check_all_taken());
  return walk.page_count() > 0 ? quick_check(transaction) : Status();
}

}  // namespace tracelite::index
