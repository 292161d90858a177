// The rows of metadata, as two sorted runs: `recent_attribute`, in the order of coming, takes what
// small commits bring, and `attribute`, in the order of keys and values, has the rest.
//
// An observation's keys lie as far apart in `attribute` as keys can, and a commit writes a page for
// each. So they are written there in batches that are worth it, sorted: what one commit brings, if
// that is much, or else what has gathered in `recent_attribute`. Knows both tables; readers ask
// both. Must not know where the rows come from.
#pragma once

#include <sqlite3.h>

#include <compare>
#include <optional>
#include <vector>

#include "index/attributes.hpp"
#include "index/statement.hpp"
#include "index/terms.hpp"

namespace tracelite::index {

// In the order of `attribute`.
struct AttributeRow {
  TermNumber term = 0;
  AttributeValue value;
  std::int64_t kind = 0, container = 0, entity = 0;

  friend auto operator<=>(const AttributeRow&, const AttributeRow&) = default;
};

class AttributeTable {
 public:
  // More rows of a commit are put into `attribute` at once.
  static constexpr std::size_t kFewRows = 512;
  // With more rows `recent_attribute` is merged; a filter by key alone looks at each of them.
  static constexpr std::int64_t kRecentCountMax = 2048;
  // So many changes are held in memory.
  static constexpr std::size_t kUnwrittenCountMax = 2048;

  AttributeTable() = default;
  static Result<AttributeTable> open(sqlite3* connection);

  // The row shall be there, or shall not. Written by write(), or when many wait.
  Status change(AttributeRow row, bool is_there);
  // Before the transaction commits.
  Status write();
  // Leaves `recent_attribute` empty.
  Status merge();
  [[nodiscard]] bool has_unwritten() const { return !changes_.empty(); }
  void forget();

 private:
  struct RowChange {
    AttributeRow row;
    bool is_there;
  };
  Status write_changes(bool to_recent);
  Status put(const AttributeRow& row, bool to_recent);
  Status erase(const AttributeRow& row);
  Status count_recent();
  static void bind(Statement& statement, const AttributeRow& row);

  sqlite3* connection_ = nullptr;
  Statement put_, put_recent_, erase_, erase_recent_, count_recent_, copy_recent_, clear_recent_;
  std::vector<RowChange> changes_;            // in the order they were told
  std::optional<std::int64_t> recent_count_;  // at least so many rows; nothing: not known
};

}  // namespace tracelite::index
