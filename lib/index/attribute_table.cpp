#include "index/attribute_table.hpp"

#include <algorithm>
#include <utility>

namespace tracelite::index {

Result<AttributeTable> AttributeTable::open(sqlite3* connection) {
  AttributeTable table;
  table.connection_ = connection;
  const std::pair<Statement*, const char*> all[] = {
      {&table.put_,
       "INSERT OR REPLACE INTO attribute(term, value, kind, container, entity) "
       "VALUES(?1, ?2, ?3, ?4, ?5)"},
      {&table.put_recent_,
       "INSERT OR REPLACE INTO recent_attribute(term, value, kind, container, entity) "
       "VALUES(?1, ?2, ?3, ?4, ?5)"},
      {&table.erase_,
       "DELETE FROM attribute WHERE term = ?1 AND value = ?2 AND kind = ?3 AND container = ?4 "
       "AND entity = ?5"},
      {&table.erase_recent_,
       "DELETE FROM recent_attribute WHERE term = ?1 AND value = ?2 AND kind = ?3 "
       "AND container = ?4 AND entity = ?5"},
      {&table.count_recent_, "SELECT count(*) FROM recent_attribute"},
      {&table.copy_recent_,
       "INSERT OR REPLACE INTO attribute(term, value, kind, container, entity) "
       "SELECT term, value, kind, container, entity FROM recent_attribute "
       "ORDER BY term, value, kind, container, entity"},
      {&table.clear_recent_, "DELETE FROM recent_attribute"},
  };
  for (const auto& [statement, text] : all) {
    TL_TRY_ASSIGN(prepared, Statement::prepare(connection, text));
    *statement = std::move(prepared);
  }
  return table;
}

Status AttributeTable::change(AttributeRow row, bool is_there) {
  if (changes_.size() >= kUnwrittenCountMax) TL_TRY(write_changes(false));
  changes_.push_back({std::move(row), is_there});
  return {};
}

Status AttributeTable::write() {
  TL_TRY(write_changes(changes_.size() <= kFewRows));
  return recent_count_.value_or(0) > kRecentCountMax ? merge() : Status();
}

Status AttributeTable::merge() {
  TL_TRY(write_changes(false));
  if (recent_count_ == 0) return {};
  TL_TRY(copy_recent_.run());
  TL_TRY(clear_recent_.run());
  recent_count_ = 0;
  return {};
}

void AttributeTable::forget() {
  changes_.clear();
  recent_count_.reset();
}

Status AttributeTable::write_changes(bool to_recent) {
  if (changes_.empty()) return {};
  if (!recent_count_) TL_TRY(count_recent());
  std::vector<const RowChange*> sorted;
  sorted.reserve(changes_.size());
  for (const RowChange& change : changes_) sorted.push_back(&change);
  std::sort(sorted.begin(), sorted.end(), [](const RowChange* a, const RowChange* b) {
    const auto order = a->row <=> b->row;
    return order == 0 ? a < b : order < 0;  // of the same row in the order they were told
  });
  for (auto first = sorted.begin(); first != sorted.end();) {
    const AttributeRow& row = (*first)->row;
    auto end = first;
    bool shall_erase = false;
    for (; end != sorted.end() && (*end)->row == row; ++end) shall_erase |= !(*end)->is_there;
    // Erased and put again: it may be in the other table.
    if (shall_erase) TL_TRY(erase(row));
    if ((*(end - 1))->is_there) TL_TRY(put(row, to_recent));
    first = end;
  }
  changes_.clear();
  return {};
}

Status AttributeTable::put(const AttributeRow& row, bool to_recent) {
  if (to_recent) ++*recent_count_;
  Statement& statement = to_recent ? put_recent_ : put_;
  bind(statement, row);
  return statement.run();
}

Status AttributeTable::erase(const AttributeRow& row) {
  if (*recent_count_ > 0) {
    bind(erase_recent_, row);
    TL_TRY(erase_recent_.run());
    if (sqlite3_changes64(connection_) > 0) {
      --*recent_count_;
      return {};
    }
  }
  bind(erase_, row);
  return erase_.run();
}

Status AttributeTable::count_recent() {
  const ResetGuard guard(count_recent_);
  TL_TRY_ASSIGN(counted, count_recent_.step());
  recent_count_ = counted ? count_recent_.integer(0) : 0;
  return {};
}

void AttributeTable::bind(Statement& statement, const AttributeRow& row) {
  statement.bind(1, row.term);
  if (row.value.is_blob) {
    statement.bind_blob(2, row.value.bytes);
  } else {
    statement.bind_text(2, row.value.bytes);
  }
  statement.bind(3, row.kind);
  statement.bind(4, row.container);
  statement.bind(5, row.entity);
}

}  // namespace tracelite::index
