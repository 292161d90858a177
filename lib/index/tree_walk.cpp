// See tree_walk.hpp.
#include "index/tree_walk.hpp"

#include <algorithm>
#include <optional>

#include "index/page_header.hpp"
#include "store/sealed.hpp"

namespace tracelite::index {
namespace {

using store::KeySpace;

constexpr std::uint8_t kIndexBranch = 2;
constexpr std::uint8_t kTableBranch = 5;
constexpr std::uint8_t kIndexLeaf = 10;
constexpr std::uint8_t kTableLeaf = 13;

constexpr std::size_t kDatabaseHeaderSizeBytes = 100;  // before that of page 1
constexpr std::size_t kLeafHeaderSizeBytes = 8;
constexpr std::size_t kBranchHeaderSizeBytes = 12;
constexpr std::size_t kCellCountOffset = 3;
constexpr std::size_t kLastChildOffset = 8;
constexpr std::size_t kFreeListOffset = 32;
constexpr std::size_t kLargestRootOffset = 52;  // 0: SQLite moves no pages by itself
constexpr std::uint32_t kLockPage = (1U << 30) / kPageSizeBytes + 1;  // which SQLite never uses

// Bytes of a page that SQLite uses, and of a row on a page, if the row is longer than that.
constexpr std::uint64_t kUsable = kStoredPageSizeBytes;
constexpr std::uint64_t kTableLocalMax = kUsable - 35;
constexpr std::uint64_t kIndexLocalMax = (kUsable - 12) * 64 / 255 - 23;
constexpr std::uint64_t kLocalMin = (kUsable - 12) * 32 / 255 - 23;
constexpr std::uint64_t kRestPerPage = kUsable - kFieldSizeBytes;

// SQLite's own coding: the highest bits first, and all eight of a ninth byte.
std::optional<std::uint64_t> take_varint(Bytes& bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 9 && i < bytes.size(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    value = i == 8 ? value << 8 | byte : value << 7 | (byte & 0x7fU);
    if (i < 8 && (byte & 0x80U) != 0) continue;
    bytes.remove_prefix(i + 1);
    return value;
  }
  return std::nullopt;
}

std::uint64_t local_size_bytes(std::uint64_t row_size_bytes, bool is_table) {
  const std::uint64_t most = is_table ? kTableLocalMax : kIndexLocalMax;
  if (row_size_bytes <= most) return row_size_bytes;
  const std::uint64_t size = kLocalMin + (row_size_bytes - kLocalMin) % kRestPerPage;
  return size <= most ? size : kLocalMin;
}

Error damaged_page(std::uint32_t number, const char* what) {
  return damaged_index("page " + std::to_string(number) + ' ' + what);
}

}  // namespace

bool TreeWalk::Level::is_leaf() const { return kind == kTableLeaf || kind == kIndexLeaf; }
bool TreeWalk::Level::is_table() const { return kind == kTableLeaf || kind == kTableBranch; }

Result<TreeWalk> TreeWalk::open(const store::Transaction& transaction) {
  TreeWalk walk(transaction);
  TL_TRY_ASSIGN(plain, transaction.statistics(KeySpace::page));
  TL_TRY_ASSIGN(sealed, transaction.statistics(KeySpace::sealed));
  TL_TRY_ASSIGN(page, store::get_sealable(transaction, KeySpace::page, field(1)));
  if (!page && plain.entries == 0) return walk;
  if (!page || page->size() != kStoredPageSizeBytes) return damaged_page(1, "is missing");
  TL_TRY(check_header(*page, transaction, plain.entries, sealed.entries > 0));
  if (field_at(*page, kLargestRootOffset) != 0) return damaged_index("its pages move");
  walk.page_count_ = field_at(*page, kPageCountOffset);
  walk.first_free_page_ = field_at(*page, kFreeListOffset);
  walk.free_page_count_ = field_at(*page, kFreePageCountOffset);
  return walk;
}

// ------------------------------------------------------------------------------ pages

Status TreeWalk::take(std::uint32_t number) {
  if (number == 0 || number > page_count_ || number == kLockPage) {
    return damaged_page(number, "is referred to, and cannot be");
  }
  auto& part = taken_[number / kPagesPerPart];
  if (part.test(number % kPagesPerPart)) return damaged_page(number, "has two uses");
  part.set(number % kPagesPerPart);
  if (++taken_count_ > taken_count_max_) return damaged_index("a tree has too many pages");
  return {};
}

Status TreeWalk::take_and_read(std::uint32_t number, std::string& page) {
  TL_TRY_ASSIGN(found, store::get_sealable(*transaction_, KeySpace::page, field(number)));
  if (!found || found->size() != kStoredPageSizeBytes) return damaged_page(number, "is missing");
  page.assign(*found);
  return take(number);
}

Status TreeWalk::enter(std::uint32_t number) {
  if (open_ == kTreeDepthMax) return damaged_page(number, "lies too deep in its tree");
  if (open_ == levels_.size()) levels_.emplace_back();
  Level& level = levels_[open_];
  TL_TRY(take_and_read(number, level.page));
  const std::size_t start = number == 1 ? kDatabaseHeaderSizeBytes : 0;
  level.number = number;
  level.next = 0;
  level.kind = static_cast<std::uint8_t>(level.page[start]);
  const bool is_known = level.is_leaf() || level.kind == kTableBranch || level.kind == kIndexBranch;
  if (!is_known || (open_ > 0 && level.is_table() != levels_[open_ - 1].is_table())) {
    return damaged_page(number, "is of another kind");
  }
  level.cells_at = start + (level.is_leaf() ? kLeafHeaderSizeBytes : kBranchHeaderSizeBytes);
  level.cell_count = static_cast<std::uint32_t>(
      read_big_endian(Bytes(level.page).substr(start + kCellCountOffset, 2)));
  if (level.cells_at + std::size_t{2} * level.cell_count > kUsable) {
    return damaged_page(number, "has too many entries");
  }
  ++open_;
  return {};
}

// ------------------------------------------------------------------------------ rows

// Behind the last cell of a branch: its last child.
Result<TreeWalk::Cell> TreeWalk::cell_of(const Level& level, std::uint32_t index) const {
  const Bytes page = level.page;
  Cell cell;
  if (index == level.cell_count) {
    cell.child = field_at(page, level.cells_at - kBranchHeaderSizeBytes + kLastChildOffset);
    return cell;
  }
  const std::uint64_t offset = read_big_endian(page.substr(level.cells_at + 2 * index, 2));
  const auto wrong = [&level] {
    return damaged_page(level.number, "has an entry that goes beyond it");
  };
  if (offset < level.cells_at + std::size_t{2} * level.cell_count || offset > kUsable) {
    return wrong();
  }
  Bytes rest = page.substr(static_cast<std::size_t>(offset));
  if (!level.is_leaf()) {
    if (rest.size() < kFieldSizeBytes) return wrong();
    cell.child = field_at(rest, 0);
    rest.remove_prefix(kFieldSizeBytes);
    if (level.is_table()) return cell;
  }
  const auto size_bytes = take_varint(rest);
  const bool has_number = !level.is_table() || take_varint(rest);
  if (!size_bytes || !has_number || *size_bytes > kIndexValueSizeBytesMax) return wrong();
  cell.row_size_bytes = *size_bytes;
  const auto local = static_cast<std::size_t>(local_size_bytes(*size_bytes, level.is_table()));
  const bool has_rest = local < *size_bytes;
  if (rest.size() < local + (has_rest ? kFieldSizeBytes : 0)) return wrong();
  cell.local = rest.substr(0, local);
  if (has_rest) cell.next = field_at(rest, local);
  return cell;
}

// The pages of a row that does not fit; `row` gets what they hold.
Status TreeWalk::take_rest(const Cell& cell, std::string* row) {
  std::uint64_t left = cell.row_size_bytes - cell.local.size();
  for (std::uint32_t number = cell.next; left > 0;) {
    TL_TRY(take_and_read(number, rest_page_));
    number = field_at(rest_page_, 0);
    const std::uint64_t size_bytes = std::min(left, kRestPerPage);
    if (row != nullptr) row->append(rest_page_, kFieldSizeBytes, size_bytes);
    left -= size_bytes;
  }
  return {};
}

Status TreeWalk::walk(std::uint32_t root, std::uint64_t page_count_max, const Visit& visit) {
  open_ = 0;
  taken_count_max_ = taken_count_ + page_count_max;
  std::string row;
  TL_TRY(enter(root));
  while (open_ > 0) {
    Level& level = levels_[open_ - 1];
    const std::uint32_t index = level.next++;
    if (index == level.cell_count + (level.is_leaf() ? 0 : 1)) {
      --open_;
      continue;
    }
    TL_TRY_ASSIGN(cell, cell_of(level, index));
    if (visit) row.assign(cell.local);
    TL_TRY(take_rest(cell, visit ? &row : nullptr));
    if (visit && level.is_leaf()) TL_TRY(visit(row));
    if (!level.is_leaf()) TL_TRY(enter(cell.child));
  }
  return {};
}

// ------------------------------------------------------------------------------ the others

// A page of the list names the next one, and pages that nothing is on.
Status TreeWalk::walk_free_pages() {
  taken_count_max_ = taken_count_ + free_page_count_;
  std::string list;
  for (std::uint32_t number = first_free_page_; number != 0;) {
    TL_TRY(take_and_read(number, list));
    const std::uint32_t count = field_at(list, kFieldSizeBytes);
    if (count > kUsable / kFieldSizeBytes - 2) {
      return damaged_page(number, "is no list of free pages");
    }
    for (std::uint32_t i = 0; i < count; ++i) {
      TL_TRY(take_and_read(field_at(list, (2 + i) * kFieldSizeBytes), rest_page_));
    }
    number = field_at(list, 0);
  }
  if (taken_count_ == taken_count_max_) return {};
  return damaged_index("its list of free pages is too short");
}

Status TreeWalk::check_all_taken() const {
  const std::uint64_t usable_count = page_count_ - (page_count_ >= kLockPage ? 1 : 0);
  if (taken_count_ == usable_count) return {};
  return damaged_index(std::to_string(usable_count - taken_count_) + " pages have no use");
}

// The types of all columns stand before the columns, behind the size of both together.
std::optional<std::vector<Column>> decode_row(Bytes row, std::size_t column_count) {
  constexpr std::uint64_t kIntegerSizesBytes[] = {0, 1, 2, 3, 4, 6, 8};
  constexpr std::uint64_t kZero = 8;
  constexpr std::uint64_t kOne = 9;
  constexpr std::uint64_t kFirstBytes = 12;  // blobs are even, texts odd
  Bytes types = row;
  const auto head_size_bytes = take_varint(types);
  if (!head_size_bytes || *head_size_bytes > row.size()) return std::nullopt;
  const std::size_t size_size_bytes = row.size() - types.size();
  if (*head_size_bytes < size_size_bytes) return std::nullopt;
  types = types.substr(0, static_cast<std::size_t>(*head_size_bytes) - size_size_bytes);
  ByteReader values(row.substr(static_cast<std::size_t>(*head_size_bytes)));
  std::vector<Column> columns(column_count);
  for (Column& column : columns) {
    const auto type = take_varint(types);
    if (!type) return std::nullopt;
    if (*type >= kFirstBytes) {
      column.bytes = values.take((*type - kFirstBytes) / 2);
    } else if (*type < std::size(kIntegerSizesBytes)) {
      const Bytes bytes = values.take(kIntegerSizesBytes[*type]);
      column.integer = static_cast<std::int64_t>(read_big_endian(bytes));
    } else if (*type == kZero || *type == kOne) {
      column.integer = *type == kOne ? 1 : 0;
    } else {
      return std::nullopt;
    }
  }
  if (!types.empty() || values.failed() || !values.at_end()) return std::nullopt;
  return columns;
}

}  // namespace tracelite::index
