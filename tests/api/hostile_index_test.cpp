// Indexes that were made to hold up whoever reads them: pages that name each other again and again,
// under checksums that match. They are not read, and another index is made.
#include <sqlite3.h>

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "api/support.hpp"
#include "index/page_file.hpp"

namespace tracelite::api::test {
namespace {

using store::KeySpace;

constexpr std::size_t kPageSizeBytes = index::kStoredPageSizeBytes;
constexpr std::size_t kDatabaseHeaderSizeBytes = 100;
constexpr char kIndexBranch = 2;
constexpr char kTableBranch = 5;
constexpr char kTableLeaf = 13;
// Levels of pages that name the next one as often as they have room: for ever.
constexpr std::uint32_t kLevelCount = 8;

std::string big_endian(std::uint64_t value, int size_bytes) {
  std::string bytes;
  append_big_endian(bytes, value, size_bytes);
  return bytes;
}

// A branch whose every child is the same, `header` before it.
std::string branch(char kind, std::uint32_t child, std::size_t child_count,
                   const std::string& header = {}) {
  // Behind the child: the number of a row; of an index a row of one column that is NULL.
  const std::string cell =
      big_endian(child, 4) +
      (kind == kTableBranch ? std::string(1, '\x01') : std::string("\x02\x02\x00", 3));
  std::string offsets;
  std::string cells;
  for (std::size_t i = 0; i + 1 < child_count; ++i) {
    cells += cell;
    offsets += big_endian(kPageSizeBytes - cells.size(), 2);
  }
  std::string page = header;
  page.push_back(kind);
  page += big_endian(0, 2) + big_endian(child_count - 1, 2) +
          big_endian(kPageSizeBytes - cells.size(), 2) + std::string(1, '\0') +
          big_endian(child, 4) + offsets;
  BOOST_REQUIRE(page.size() + cells.size() <= kPageSizeBytes);
  page.resize(kPageSizeBytes - cells.size());
  return page + cells;
}

// A leaf of a table with one row of five NULLs.
std::string leaf_of_a_table() {
  const std::string cell("\x06\x01\x06\0\0\0\0\0", 8);
  const std::size_t at = kPageSizeBytes - cell.size();
  std::string page(1, kTableLeaf);
  page += big_endian(0, 2) + big_endian(1, 2) + big_endian(at, 2) + std::string(1, '\0') +
          big_endian(at, 2);
  page.resize(at);
  return page + cell;
}

// What lies in the file in the place of an index.
class Pages {
 public:
  explicit Pages(const std::string& path) : path_(path) {
    const auto transaction = store::test::must(store::test::open_file(path)->begin_read());
    store::Cursor cursor = transaction.cursor(KeySpace::page);
    for (bool more = store::test::must(cursor.seek({})); more;
         more = store::test::must(cursor.next())) {
      pages_[static_cast<std::uint32_t>(read_big_endian(cursor.key()))] = cursor.value();
    }
  }

  std::string& operator[](std::uint32_t number) { return pages_[number]; }
  [[nodiscard]] std::uint32_t count() const { return static_cast<std::uint32_t>(pages_.size()); }
  void keep_only_first() { pages_.erase(std::next(pages_.begin()), pages_.end()); }
  // In the place of a leaf, which becomes the last one: each level names the next one.
  void put_levels(std::uint32_t root, char kind, std::size_t child_count,
                  std::uint32_t level_count = kLevelCount) {
    const std::uint32_t first = count() + 1;
    for (std::uint32_t i = 0; i < level_count; ++i) {
      pages_[first + i] = branch(kind, first + i + 1, child_count);
    }
    pages_[first + level_count] = pages_[root];
    pages_[root] = branch(kind, first, child_count);
  }
  void set_field(std::uint32_t number, std::size_t offset, std::uint32_t value) {
    pages_[number].replace(offset, 4, big_endian(value, 4));
  }

  void write() {
    constexpr std::size_t kPageCountOffset = 28;
    set_field(1, kPageCountOffset, count());
    const auto environment = store::test::open_file(path_);
    auto transaction = store::test::must(environment->begin_write());
    store::test::must(transaction.clear(KeySpace::page));
    for (const auto& [number, page] : pages_) {
      store::test::must(transaction.put(KeySpace::page, big_endian(number, 4), page));
    }
    store::test::must(transaction.commit());
  }

 private:
  std::string path_;
  std::map<std::uint32_t, std::string> pages_;
};

struct Fixture {
  Fixture() {
    const Store store(path);
    store.import_all(R"({"id":"e","timestamp":"2026-11-21T00:00:00Z","type":"trace-create",)"
                     R"("body":{"id":"t","name":"one","sessionId":"s"}})");
  }

  void run_in_index(const char* sql) const {
    const auto environment = store::test::open_file(path);
    auto transaction = store::test::must(environment->begin_write());
    const auto connection = store::test::must(index::Connection::open_writer(transaction));
    store::test::must(connection->begin(transaction));
    const int code = sqlite3_exec(connection->handle(), sql, nullptr, nullptr, nullptr);
    BOOST_REQUIRE_MESSAGE(code == SQLITE_OK, sqlite3_errmsg(connection->handle()));
    store::test::must(connection->commit());
  }
  [[nodiscard]] std::uint32_t root_of(const std::string& table) const {
    auto transaction = store::test::must(store::test::open_file(path)->begin_read());
    const auto connection = store::test::must(index::Connection::open_reader(transaction));
    std::uint32_t root = 0;
    const auto take = [](void* to, int, char** values, char**) {
      *static_cast<std::uint32_t*>(to) = static_cast<std::uint32_t>(std::stoul(values[0]));
      return 0;
    };
    const std::string sql = "SELECT rootpage FROM sqlite_master WHERE name='" + table + "'";
    BOOST_REQUIRE(sqlite3_exec(connection->handle(), sql.c_str(), take, &root, nullptr) ==
                  SQLITE_OK);
    BOOST_REQUIRE(root > 1U);
    return root;
  }

  // It is found, and does nobody any harm.
  void expect_another() const {
    tl_options options{};
    options.struct_size = sizeof options;
    options.flags = TL_OPEN_UNTRUSTED;
    options.read_only = 1;
    {
      std::string said;
      options.log = [](void* context, tl_log_level, tl_reason, const char* message) {
        static_cast<std::string*>(context)->append(message);
      };
      options.log_context = &said;
      const Store store(path, options);
      BOOST_TEST(said.find("made in memory") != std::string::npos, said);
      expect_lists(store);
      expect(tl_check(store.get(), nullptr, nullptr, nullptr, nullptr), TL_CORRUPT, "reindex");
    }
    options.log = nullptr;
    options.read_only = 0;
    const Store store(path, options);
    expect_lists(store);
    store.check();
  }
  static void expect_lists(const Store& store) {
    BOOST_TEST(count(store, TL_KIND_TRACE) == 1U);
    BOOST_TEST(count(store, TL_KIND_SESSION) == 1U);
  }

  Folder folder;
  std::string path = folder.file();
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(hostile_indexes, Fixture, *boost::unit_test::timeout(300))

BOOST_AUTO_TEST_CASE(a_table_of_tables_that_never_ends_is_not_read) {
  Pages pages(path);
  const std::string header = pages[1].substr(0, kDatabaseHeaderSizeBytes);
  pages.keep_only_first();
  pages[2] = leaf_of_a_table();
  pages.put_levels(2, kTableBranch, 500);
  pages[1] = branch(kTableBranch, 2, 500, header);
  pages.write();
  expect_another();
}

BOOST_AUTO_TEST_CASE(tables_that_never_end_are_not_read) {
  const std::string sound = store::test::read_file(path);
  const std::pair<const char*, char> tables[] = {{"trace", kTableBranch},
                                                 {"trace_time", kIndexBranch},
                                                 {"member", kIndexBranch},
                                                 {"term", kTableBranch},
                                                 {"group_activity", kIndexBranch}};
  for (const auto& [table, kind] : tables) {
    BOOST_TEST_CONTEXT(table) {
      store::test::write_file(path, sound);
      const std::uint32_t root = root_of(table);
      Pages pages(path);
      BOOST_REQUIRE(pages[root].front() == kind + 8);
      pages.put_levels(root, kind, 400);
      pages.write();
      expect_another();
    }
  }
}

// SQLite reads this one by itself whenever it is opened.
BOOST_AUTO_TEST_CASE(statistics_that_never_end_are_not_read) {
  run_in_index("ANALYZE");
  const std::uint32_t root = root_of("sqlite_stat1");
  Pages pages(path);
  pages.put_levels(root, kTableBranch, 400);
  pages.write();
  expect_another();
}

// Nothing that looks at it page by page may need a level of its stack for each.
BOOST_AUTO_TEST_CASE(trees_that_are_too_deep_are_not_read) {
  const std::string sound = store::test::read_file(path);
  for (const std::uint32_t level_count : {19U, 20U, 5000U}) {
    store::test::write_file(path, sound);
    const std::uint32_t root = root_of("trace");
    Pages pages(path);
    pages.put_levels(root, kTableBranch, 1, level_count);
    pages.write();
    expect_another();
  }
}

BOOST_AUTO_TEST_CASE(pages_with_two_uses_or_none_are_found) {
  const std::string sound = store::test::read_file(path);
  constexpr std::size_t kFirstFreeOffset = 32;
  constexpr std::size_t kFreeCountOffset = 36;
  const std::uint32_t trace = root_of("trace");
  const auto check = [&](const char* what, const auto& change) {
    BOOST_TEST_CONTEXT(what) {
      store::test::write_file(path, sound);
      Pages pages(path);
      change(pages);
      pages.write();
      expect_another();
    }
  };
  const auto list_free = [](Pages& pages, std::uint32_t first, std::uint32_t count) {
    pages.set_field(1, kFirstFreeOffset, first);
    pages.set_field(1, kFreeCountOffset, count);
  };
  check("a page that is in use is free", [&](Pages& pages) { list_free(pages, trace, 1); });
  check("a list of free pages that names itself", [&](Pages& pages) {
    const std::uint32_t added = pages.count() + 1;
    pages[added].assign(kPageSizeBytes, '\0');
    pages.set_field(added, 0, added);
    list_free(pages, added, 1000);
  });
  check("a list of free pages that names one twice", [&](Pages& pages) {
    const std::uint32_t added = pages.count() + 1;
    pages[added].assign(kPageSizeBytes, '\0');
    pages[added + 1].assign(kPageSizeBytes, '\0');
    pages.set_field(added, 4, 2);
    pages.set_field(added, 8, added + 1);
    pages.set_field(added, 12, added + 1);
    list_free(pages, added, 3);
  });
  check("a list of free pages that is not as long as it says", [&](Pages& pages) {
    const std::uint32_t added = pages.count() + 1;
    pages[added].assign(kPageSizeBytes, '\0');
    list_free(pages, added, 2);
  });
  check("a page without a use",
        [&](Pages& pages) { pages[pages.count() + 1].assign(kPageSizeBytes, '\0'); });
  check("a branch that names itself",
        [&](Pages& pages) { pages[trace] = branch(kTableBranch, trace, 2); });
  check("a branch that names a page that is not there",
        [&](Pages& pages) { pages[trace] = branch(kTableBranch, pages.count() + 7, 1); });
  check("a long row whose pages never end", [&](Pages& pages) {
    // A row of a megabyte, of which one page behind the other is the same.
    const std::uint32_t added = pages.count() + 1;
    pages[added].assign(kPageSizeBytes, 'x');
    pages.set_field(added, 0, added);
    std::string cell("\xc0\x80\x00\x01", 4);
    cell += std::string(2000, 'x');
    std::string page(1, kTableLeaf);
    page += big_endian(0, 2) + big_endian(1, 2) + big_endian(2000, 2) + std::string(1, '\0') +
            big_endian(2000, 2);
    page.resize(2000);
    page += cell;
    page.resize(kPageSizeBytes, 'x');
    for (std::size_t at = 2004; at + 4 <= kPageSizeBytes; ++at)
      page.replace(at, 4, big_endian(added, 4));
    pages[trace] = page;
  });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
