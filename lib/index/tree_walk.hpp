// A walk over the trees of SQLite's tables that does without SQLite, which never asks whether they
// are any: where pages name each other again and again it walks for ever.
//
// Internal to index/. Knows how SQLite lays out its pages; must not know the schema.
#pragma once

#include <bitset>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "index/page_file.hpp"
#include "model/bytes.hpp"
#include "model/result.hpp"
#include "store/environment.hpp"

namespace tracelite::index {

// As SQLite's cursors have room for.
inline constexpr std::size_t kTreeDepthMax = 20;

// Takes each page once: of a tree, with the pages of its long rows, or of the list of free pages.
// Memory is a bit for each page, and a page for each level. Errors: corrupt (a page has two uses,
// is none, or is missing), io, no_memory.
class TreeWalk {
 public:
  // Errors: also those of Connection::attach.
  static Result<TreeWalk> open(const store::Transaction& transaction);

  // Gets each row of a table, in order. Valid until it returns.
  using Visit = std::function<Status(Bytes row)>;
  // The tree that begins on a page; of at most so many pages.
  Status walk(std::uint32_t root, std::uint64_t page_count_max, const Visit& visit);
  Status walk_free_pages();
  // Whether nothing is left that no walk came by.
  [[nodiscard]] Status check_all_taken() const;

  // Pages that the index says to have; 0 if there is none.
  [[nodiscard]] std::uint32_t page_count() const { return page_count_; }

 private:
  struct Level {
    std::uint32_t number = 0;
    std::string page;
    std::uint8_t kind = 0;
    std::size_t cells_at = 0;  // where the offsets of the cells are
    std::uint32_t cell_count = 0;
    std::uint32_t next = 0;
    [[nodiscard]] bool is_leaf() const;
    [[nodiscard]] bool is_table() const;
  };
  struct Cell {
    std::uint32_t child = 0;
    Bytes local;  // of the row, what lies on the page itself
    std::uint64_t row_size_bytes = 0;
    std::uint32_t next = 0;  // page of the rest, if there is one
  };

  explicit TreeWalk(const store::Transaction& transaction) : transaction_(&transaction) {}
  Status take(std::uint32_t number);
  Status take_and_read(std::uint32_t number, std::string& page);
  Status enter(std::uint32_t number);
  [[nodiscard]] Result<Cell> cell_of(const Level& level, std::uint32_t index) const;
  Status take_rest(const Cell& cell, std::string* row);

  const store::Transaction* transaction_;
  std::uint32_t page_count_ = 0;
  std::uint32_t first_free_page_ = 0;
  std::uint32_t free_page_count_ = 0;
  std::uint64_t taken_count_ = 0;
  std::uint64_t taken_count_max_ = 0;
  // Only of pages that are there, whatever the index says.
  static constexpr std::uint32_t kPagesPerPart = 4096;
  std::unordered_map<std::uint32_t, std::bitset<kPagesPerPart>> taken_;
  std::vector<Level> levels_;
  std::size_t open_ = 0;
  std::string rest_page_;
};

// A column of a row: its bytes, or its number where it is an integer.
struct Column {
  Bytes bytes;
  std::int64_t integer = 0;
};
// nullopt: it does not have so many columns of bytes, integers and NULLs.
std::optional<std::vector<Column>> decode_row(Bytes row, std::size_t column_count);

}  // namespace tracelite::index
