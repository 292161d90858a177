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
#include "index/schema.hpp"
#include "index/statement.hpp"

namespace tracelite::index {
namespace {

struct Tables {
  std::string rows;  // type, name, table and SQL of each, with a zero behind each of them
  std::size_t row_count = 0;
  std::vector<std::int64_t> roots;  // pages, each once, in order
};

// SQLite has parsed what stands there by then, but made nothing of it.
Result<Tables> read_tables(sqlite3* connection) {
  Tables tables;
  TL_TRY_ASSIGN(statement, Statement::prepare(connection,
                                              "SELECT type, name, tbl_name, sql, rootpage FROM "
                                              "sqlite_master ORDER BY rowid"));
  for (;;) {
    TL_TRY_ASSIGN(more, statement.step());
    if (!more) break;
    for (int i = 0; i < 4; ++i) tables.rows.append(statement.bytes(i)).push_back('\0');
    ++tables.row_count;
    tables.roots.push_back(statement.integer(4));
  }
  std::sort(tables.roots.begin(), tables.roots.end());
  tables.roots.erase(std::unique(tables.roots.begin(), tables.roots.end()), tables.roots.end());
  return tables;
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
  TL_TRY_ASSIGN(connection, Connection::open_reader(transaction));
  TL_TRY_ASSIGN(found, read_tables(connection->handle()));
  if (found.row_count == 0) {
    TL_TRY_ASSIGN(records, transaction.statistics(store::KeySpace::record));
    if (records.entries == 0) return {};
  }
  // Page 1 is that of the table of tables. Pages that there are none of are told where one is read.
  const bool has_roots = found.roots.size() == expected->roots.size() && found.roots.front() > 1;
  const bool has_rows = found.row_count == expected->row_count && found.rows == expected->rows;
  if (has_rows && has_roots) return {};
  const std::string path = transaction.environment()->path();
  return make_error(Code::corrupt, "the index of " + path +
                                       " is not one that tracelite makes; open it once for "
                                       "writing, or run `tracelite reindex " +
                                       path + "`");
}

}  // namespace tracelite::index
