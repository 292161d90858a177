#include "table.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "human_text.hpp"

namespace cli {
namespace {
constexpr std::size_t kBlockRows = 500;
constexpr std::size_t kGap = 2;
}  // namespace

Table::Table(Output& output, std::vector<Column> columns)
    : output_(output), columns_(std::move(columns)) {}

void Table::add(std::vector<Cell> row) {
  row.resize(columns_.size());
  block_.push_back(std::move(row));
  ++row_count_;
  if (block_.size() == kBlockRows) {
    lay_out(false);
    write_block();
  }
}

void Table::finish() {
  if (row_count_ == 0) return;
  lay_out(true);
  write_block();
}

void Table::lay_out(bool is_whole) {
  if (std::exchange(is_laid_out_, true)) return;
  widths_.assign(columns_.size(), 0);
  for (const auto& row : block_) {
    for (std::size_t at = 0; at < row.size(); ++at) {
      widths_[at] = std::max(widths_[at], display_width(row[at].text));
    }
  }
  for (std::size_t at = 0; at < columns_.size(); ++at) {
    if (widths_[at] == 0 && is_whole) continue;
    widths_[at] = std::max(widths_[at], display_width(columns_[at].title));
    shown_.push_back(at);
  }
  if (output_.width() > 0) shrink_to(output_.width());

  std::vector<Cell> titles;
  titles.reserve(columns_.size());
  for (const Column& column : columns_) titles.push_back({column.title, Style::dim});
  write_row(titles);
}

std::size_t Table::total_width() const {
  return std::accumulate(shown_.begin(), shown_.end(), kGap * (shown_.size() - 1),
                         [&](std::size_t sum, std::size_t at) { return sum + widths_[at]; });
}

// Takes columns away until what stays fits at its narrowest, then narrows the widest, again and
// again.
void Table::shrink_to(std::size_t width) {
  const auto narrowest = [&](std::size_t at) {
    const std::size_t least = columns_[at].width_min;
    return least == 0 ? widths_[at] : std::min(widths_[at], least);
  };
  const auto total_narrowest = [&] {
    return std::accumulate(shown_.begin(), shown_.end(), kGap * (shown_.size() - 1),
                           [&](std::size_t sum, std::size_t at) { return sum + narrowest(at); });
  };
  while (total_narrowest() > width) {
    const auto least = std::max_element(shown_.begin(), shown_.end(), [&](auto a, auto b) {
      return columns_[a].dispensable < columns_[b].dispensable;
    });
    if (columns_[*least].dispensable == 0) break;
    shown_.erase(least);
  }
  while (total_width() > width) {
    const auto widest = std::max_element(shown_.begin(), shown_.end(), [&](auto a, auto b) {
      const auto spare = [&](auto at) {
        return widths_[at] > narrowest(at) ? widths_[at] : std::size_t{0};
      };
      return spare(a) < spare(b);
    });
    if (widths_[*widest] <= narrowest(*widest)) return;
    --widths_[*widest];
  }
}

void Table::write_row(const std::vector<Cell>& row) {
  std::string line;
  std::size_t spaces = 0;  // owed before the next cell that has text
  for (const std::size_t at : shown_) {
    const bool is_cut = output_.width() > 0;
    const std::string text = is_cut ? fit(row[at].text, widths_[at]) : row[at].text;
    const std::size_t used = display_width(text);
    const std::size_t padding = widths_[at] > used ? widths_[at] - used : 0;
    const bool is_right = columns_[at].align == Align::right;
    if (is_right) spaces += padding;
    if (!text.empty()) {
      line.append(spaces, ' ');
      spaces = 0;
      line += output_.paint(row[at].style, text);
    }
    spaces += kGap + (is_right ? 0 : padding);
  }
  output_.write(line + "\n");
}

void Table::write_block() {
  for (const auto& row : block_) write_row(row);
  block_.clear();
}

}  // namespace cli
