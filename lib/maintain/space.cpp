// Where the bytes of the file are: LMDB says it for key spaces, SQLite's dbstat for the pages of
// the index, and what lies packed together is shared out.
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "index/page_file.hpp"
#include "index/statement.hpp"
#include "maintain/maintain.hpp"
#include "store/sealed.hpp"

namespace tracelite::maintain {
namespace {

using store::KeySpace;

using PageCounts = std::array<std::uint64_t, store::kKeySpaceCount>;

// Of every key space. What key space `sealed` takes is shared out among those whose entries lie
// there, by the size of these.
Result<PageCounts> page_counts_of(const store::Transaction& transaction) {
  PageCounts counts{};
  for (std::size_t i = 0; i < store::kKeySpaceCount; ++i) {
    TL_TRY_ASSIGN(use, transaction.statistics(static_cast<KeySpace>(i)));
    counts[i] = use.branch_pages + use.leaf_pages + use.overflow_pages;
  }
  PageCounts sizes_bytes{};
  std::uint64_t all_size_bytes = 0;
  for (const KeySpace space : store::kSealableKeySpaces) {
    std::uint64_t& size_bytes = sizes_bytes[static_cast<std::size_t>(space)];
    store::SealableCursor cursor(transaction, space);
    for (;;) {
      TL_TRY_ASSIGN(more, cursor.next());
      if (!more || !cursor.is_sealed()) break;
      size_bytes += cursor.key().size() + cursor.value().size();
    }
    all_size_bytes += size_bytes;
  }
  std::uint64_t& sealed_count = counts[static_cast<std::size_t>(KeySpace::sealed)];
  const std::uint64_t shared_count = sealed_count;
  for (std::size_t i = 0; i < store::kKeySpaceCount && all_size_bytes > 0; ++i) {
    const std::uint64_t share = shared_count * sizes_bytes[i] / all_size_bytes;
    counts[i] += share;
    sealed_count -= share;
  }
  return counts;
}

struct TableSize {
  std::string name;
  std::uint64_t page_count = 0;
};

// Of every table and index, by name; none if this SQLite was built without dbstat, or the tables
// are not ours.
Result<std::vector<TableSize>> table_sizes(store::ReadTransaction& transaction) {
  std::vector<TableSize> sizes;
  TL_TRY_ASSIGN(pages, transaction.statistics(KeySpace::page));
  if (pages.entries == 0) return sizes;
  const Status ours = check_index_is_ours(transaction, true);
  if (!ours) {
    const Code code = ours.error().code;
    if (code == Code::corrupt || code == Code::unsupported) return sizes;
    return ours.error();
  }
  TL_TRY_ASSIGN(connection, index::Connection::open_reader(transaction));
  auto statement = index::Statement::prepare(
      connection->handle(), "SELECT name, pageno FROM dbstat WHERE aggregate = TRUE ORDER BY name");
  if (!statement && statement.error().code == Code::internal) return sizes;  // there is no dbstat
  if (!statement) return statement.error();
  while (true) {
    TL_TRY_ASSIGN(more, statement->step());
    if (!more) return sizes;
    sizes.push_back(
        {std::string(statement->bytes(0)), static_cast<std::uint64_t>(statement->integer(1))});
  }
}

// Shared out by how many pages SQLite says are a table's; the rest is of none.
template <class Tell>
void tell_tables(const std::vector<TableSize>& tables, std::uint64_t page_count, const Tell& tell) {
  std::uint64_t sqlite_page_count = 0;
  for (const TableSize& table : tables) sqlite_page_count += table.page_count;
  sqlite_page_count = std::max<std::uint64_t>(sqlite_page_count, 1);
  std::uint64_t rest = page_count;
  for (const TableSize& table : tables) {
    const std::uint64_t of_table = page_count * table.page_count / sqlite_page_count;
    tell(table.name, of_table);
    rest -= of_table;
  }
  tell({}, rest);
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
  TL_TRY_ASSIGN(page_counts, page_counts_of(transaction));
  for (std::size_t i = 0; i < store::kKeySpaceCount; ++i) {
    if (static_cast<KeySpace>(i) == KeySpace::page) {
      TL_TRY_ASSIGN(tables, table_sizes(transaction));
      tell_tables(tables, page_counts[i], [&](Bytes table, std::uint64_t page_count) {
        tell(store::kKeySpaceNames[i], table, page_count);
      });
    } else {
      tell(store::kKeySpaceNames[i], {}, page_counts[i]);
    }
  }
  tell("free", {}, std::min(rest, file.free_page_count));
  tell("lmdb", {}, rest);
  return {};
}

}  // namespace tracelite::maintain
