// Where the bytes of the file are: LMDB says it for key spaces. What SQLite's pages take, sealed or
// not, is shared out among the tables by how many of the pages SQLite's dbstat says are theirs.
#include <algorithm>
#include <string>
#include <vector>

#include "index/page_file.hpp"
#include "index/statement.hpp"
#include "maintain/maintain.hpp"

namespace tracelite::maintain {
namespace {

using store::KeySpace;

// Sealed pages are not told apart: all tables are in both places.
constexpr Bytes kPageSpace = store::kKeySpaceNames[static_cast<std::size_t>(KeySpace::page)];

std::uint64_t page_count_of(const store::KeySpaceStatistics& use) {
  return use.branch_pages + use.leaf_pages + use.overflow_pages;
}

struct TableSize {
  std::string name;
  std::uint64_t page_count = 0;
};

// Of every table and index, by name; none if this SQLite was built without dbstat.
Result<std::vector<TableSize>> table_sizes(store::ReadTransaction& transaction) {
  std::vector<TableSize> sizes;
  TL_TRY_ASSIGN(connection, index::Connection::open_reader(transaction));
  auto statement = index::Statement::prepare(
      connection->handle(), "SELECT name, pageno FROM dbstat WHERE aggregate = TRUE ORDER BY name");
  if (!statement) return sizes;
  while (true) {
    TL_TRY_ASSIGN(more, statement->step());
    if (!more) return sizes;
    sizes.push_back(
        {std::string(statement->bytes(0)), static_cast<std::uint64_t>(statement->integer(1))});
  }
}

}  // namespace

Status space(const std::shared_ptr<store::Environment>& environment, const SpaceFunction& line) {
  TL_TRY_ASSIGN(transaction, environment->begin_read());
  TL_TRY_ASSIGN(file, transaction.file_use());
  std::uint64_t rest = file.file_page_count;
  const auto tell = [&](Bytes key_space, Bytes table, std::uint64_t page_count) {
    rest -= std::min(rest, page_count);
    line(key_space, table, page_count * file.page_size_bytes);
  };
  for (std::size_t i = 0; i < store::kKeySpaceCount; ++i) {
    const auto space = static_cast<KeySpace>(i);
    if (space == KeySpace::page || space == KeySpace::sealed_page) continue;
    TL_TRY_ASSIGN(use, transaction.statistics(space));
    tell(store::kKeySpaceNames[i], {}, page_count_of(use));
  }
  TL_TRY_ASSIGN(unsealed, transaction.statistics(KeySpace::page));
  TL_TRY_ASSIGN(sealed, transaction.statistics(KeySpace::sealed_page));
  std::uint64_t page_count = page_count_of(unsealed) + page_count_of(sealed);
  if (unsealed.entries > 0) {
    TL_TRY_ASSIGN(tables, table_sizes(transaction));
    std::uint64_t sqlite_page_count = 0;
    for (const TableSize& table : tables) sqlite_page_count += table.page_count;
    const std::uint64_t shared_page_count = page_count;
    for (const TableSize& table : tables) {
      const std::uint64_t of_table = shared_page_count * table.page_count / sqlite_page_count;
      tell(kPageSpace, table.name, of_table);
      page_count -= of_table;
    }
  }
  tell(kPageSpace, {}, page_count);
  tell("free", {}, std::min(rest, file.free_page_count));
  tell("lmdb", {}, rest);
  return {};
}

}  // namespace tracelite::maintain
