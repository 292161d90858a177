// Tables for people: aligned columns that respect the terminal's width.
//
// Knows widths and styles. Must not know what the columns hold.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "terminal.hpp"

namespace cli {

enum class Align : std::uint8_t { left, right };

struct Column {
  std::string title;
  Align align = Align::left;
  std::size_t width_min = 0;  // what it may shrink to where room is short; 0: it never shrinks
  int dispensable = 0;        // where room is still short the columns with the largest go; 0: stays
};

struct Cell {
  std::string text;  // printable
  Style style = Style::plain;
};

// Rows are gathered into blocks, so that a list of any length begins to show at once: the widths
// are those of the first block. A column that is empty in a table of one block is left out.
class Table {
 public:
  Table(Output& output, std::vector<Column> columns);
  void add(std::vector<Cell> row);
  // Shows what is left; nothing at all without rows.
  void finish();
  [[nodiscard]] std::uint64_t row_count() const { return row_count_; }

 private:
  void lay_out(bool is_whole);
  [[nodiscard]] std::size_t total_width() const;
  void shrink_to(std::size_t width);
  void write_row(const std::vector<Cell>& row);
  void write_block();

  Output& output_;
  std::vector<Column> columns_;
  std::vector<std::size_t> widths_;
  std::vector<std::size_t> shown_;  // the columns that are
  std::vector<std::vector<Cell>> block_;
  std::uint64_t row_count_ = 0;
  bool is_laid_out_ = false;
};

}  // namespace cli
