// Where the bytes of the file are: LMDB says it for key spaces, SQLite's dbstat for its own pages.
#include <algorithm>
#include <string>
#include <vector>

#include "index/page_file.hpp"
#include "index/statement.hpp"
#include "maintain/maintain.hpp"

namespace tracelite::maintain {
namespace {

using store::KeySpace;

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
    TL_TRY_ASSIGN(use, transaction.statistics(space));
    std::uint64_t page_count = use.branch_pages + use.leaf_pages + use.overflow_pages;
    if (space == KeySpace::page && use.entries > 0) {
      TL_TRY_ASSIGN(tables, table_sizes(transaction));
      for (const TableSize& table : tables) {
        const std::uint64_t of_table = std::min(page_count, table.page_count);
        tell(store::kKeySpaceNames[i], table.name, of_table);
        page_count -= of_table;
      }
    }
    tell(store::kKeySpaceNames[i], {}, page_count);
  }
  tell("free", {}, std::min(rest, file.free_page_count));
  tell("lmdb", {}, rest);
  return {};
}

}  // namespace tracelite::maintain
