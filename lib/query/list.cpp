// Lists of traces, observations and scores: pages of keys from the index, a record for each row.
//
// No statement stays open between calls: a page is asked for behind the last row of the one before
// (keyset), so that rows may come and go, and the view may be renewed. Pages grow, so that a list
// that must be sorted anew for each of them is sorted a few times only; kPageSizeMax bounds memory.
#include "query/list.hpp"

#include <algorithm>

#include "query/position.hpp"
#include "query/rows.hpp"
#include "query/selection.hpp"

namespace tracelite::query {
namespace {

constexpr std::uint64_t kFirstPageSize = 64;
constexpr std::uint64_t kPageGrowth = 4;
constexpr std::uint64_t kPageSizeMax = 16'384;

// What a list is ordered by: the order asked for, then what makes it total. The id decides between
// equal ones (of observations: the number made from the id, then the trace's id), the container
// last, so that the order does not depend on arrival.
constexpr std::size_t kKeyCount = 4;
struct OrderKeys {
  const char* first;
  const char* others;
};

constexpr const char* kTraceOrders[] = {
    "t.time_ns",
    "coalesce((SELECT text FROM term WHERE id = t.name), '')",
    "(SELECT tl_span(min(start_ns), max(end_ns)) FROM observation WHERE container = t.container)",
    "(SELECT tl_sum(total_tokens) FROM observation WHERE container = t.container)",
    "(SELECT tl_cost_sum(cost) FROM observation WHERE container = t.container)",
};
constexpr const char* kObservationOrders[] = {
    "o.start_ns",
    "coalesce((SELECT text FROM term WHERE id = o.name), '')",
    "tl_span(o.start_ns, o.end_ns)",
    "o.total_tokens",
    "tl_cost(o.cost)",
};
constexpr const char* kScoreOrders[] = {
    "s.time_ns",
    "(SELECT text FROM term WHERE id = s.name)",
};

struct EntityList {
  const char* keys;  // container, entity
  OrderKeys order;
};

EntityList entity_list(Kind kind, OrderBy by) {
  const auto at = static_cast<std::size_t>(by);
  if (kind == Kind::trace) return {"t.container, 0", {kTraceOrders[at], "t.id, t.container, 0"}};
  if (kind == Kind::observation) {
    return {"o.container, o.entity", {kObservationOrders[at], "o.entity, t.id, o.container"}};
  }
  return {"s.container, s.entity", {kScoreOrders[at], "s.id, s.container, s.entity"}};
}

struct Key {
  std::int64_t container = 0;
  std::int64_t entity = 0;
  std::vector<Value> order;
};

class EntityCursor : public Cursor {
 public:
  EntityCursor(std::shared_ptr<Snapshot> snapshot, Kind kind, Filter filter, ListOrder order,
               std::uint64_t limit)
      : Cursor(std::move(snapshot)),
        kind_(kind),
        filter_(std::move(filter)),
        order_(order),
        remaining_(limit == 0 ? UINT64_MAX : limit) {}

  Status start_after(Bytes after);
  Result<bool> next(Row& row) override;
  Result<std::string> position() const override;

 private:
  Status fetch(const Snapshot::Use& use);
  Result<Sql> page_query(const Selection& selection, std::uint64_t size) const;
  Result<bool> load(const Snapshot::Use& use, const Key& key, Row& row);

  Kind kind_;
  Filter filter_;
  ListOrder order_;
  std::uint64_t remaining_;
  std::vector<Key> page_;
  std::size_t next_in_page_ = 0;
  std::uint64_t page_size_ = kFirstPageSize;
  std::uint64_t page_generation_ = 0;
  bool is_last_page_ = false;
  std::vector<Value> after_;  // where the next page begins; empty at the start
  std::vector<Value> last_;   // of the row that was given last
};

Status EntityCursor::start_after(Bytes after) {
  if (after.empty()) return {};
  TL_TRY_ASSIGN(values, decode_position(after, fingerprint(kind_, filter_, order_), kKeyCount));
  after_ = std::move(values);
  return {};
}

Result<std::string> EntityCursor::position() const {
  if (last_.empty()) return Cursor::position();
  return encode_position(fingerprint(kind_, filter_, order_), last_);
}

Result<Sql> EntityCursor::page_query(const Selection& selection, std::uint64_t size) const {
  const EntityList list = entity_list(kind_, order_.by);
  Sql sql;
  sql.add("SELECT ").add(list.keys).add(", ").add(list.order.first).add(" AS k, ");
  sql.add(list.order.others).add(" FROM ").add(selection.from).add(" WHERE 1");
  sql.add(selection.where);
  if (!after_.empty()) {
    sql.add(" AND (k, ").add(list.order.others).add(order_.ascending ? ") > (" : ") < (");
    for (std::size_t i = 0; i < kKeyCount; ++i) {
      sql.add(i == 0 ? "" : ", ").bind(after_[i]);
    }
    sql.add(")");
  }
  const char* direction = order_.ascending ? " ASC" : " DESC";
  sql.add(" ORDER BY k").add(direction);
  // Columns 4 to 6 are the tie breakers.
  for (const char* column : {", 4", ", 5", ", 6"}) sql.add(column).add(direction);
  sql.add(" LIMIT ").bind(Value::of(static_cast<std::int64_t>(size)));
  return sql;
}

Status EntityCursor::fetch(const Snapshot::Use& use) {
  page_.clear();
  next_in_page_ = 0;
  page_generation_ = use.generation();
  is_last_page_ = true;
  if (use.connection() == nullptr) return {};
  TL_TRY_ASSIGN(selection, select_rows(use, kind_, filter_));
  if (!selection) return {};
  const std::uint64_t size = std::min(page_size_, remaining_);
  TL_TRY_ASSIGN(sql, page_query(*selection, size));
  TL_TRY_ASSIGN(rows, use.prepare(sql.text));
  rows.bind(sql.values);
  for (;;) {
    TL_TRY_ASSIGN(more, rows->step());
    if (!more) break;
    Key& key = page_.emplace_back();
    key.container = rows->integer(0);
    key.entity = rows->integer(1);
    for (int i = 0; i < static_cast<int>(kKeyCount); ++i) {
      key.order.push_back(Value::of_column(*rows, 2 + i));
    }
  }
  is_last_page_ = page_.size() < size;
  if (!page_.empty()) after_ = page_.back().order;
  page_size_ = std::min(page_size_ * kPageGrowth, kPageSizeMax);
  return {};
}

Result<bool> EntityCursor::load(const Snapshot::Use& use, const Key& key, Row& row) {
  if (kind_ == Kind::trace) return load_trace(use, key.container, row);
  if (kind_ == Kind::score) return load_score(use, key.container, key.entity, row);
  return load_observation(use, key.container, key.entity, row);
}

Result<bool> EntityCursor::next(Row& row) {
  if (remaining_ == 0) return false;
  TL_TRY_ASSIGN(use, snapshot_->use());
  for (;;) {
    if (next_in_page_ == page_.size()) {
      if (is_last_page_) return false;
      TL_TRY(fetch(use));
      continue;
    }
    // Counted as given before it is read, so that a damaged one is behind us next time.
    const Key& key = page_[next_in_page_++];
    last_ = key.order;
    TL_TRY_ASSIGN(found, load(use, key, row));
    if (!found) {
      // Gone since the page was read: that can only be in a view that was renewed.
      if (use.generation() != page_generation_) continue;
      return make_error(Code::corrupt, "the index has a row without a record; try reindex");
    }
    --remaining_;
    return true;
  }
}

}  // namespace

Result<std::unique_ptr<Cursor>> list_entities(std::shared_ptr<Snapshot> snapshot, Kind kind,
                                              const Filter& filter, ListOrder order, Bytes after,
                                              std::uint64_t limit) {
  if (kind == Kind::score && order.by != OrderBy::time && order.by != OrderBy::name) {
    return make_error(Code::invalid, "scores can be ordered by time or name only", "order");
  }
  auto cursor = std::make_unique<EntityCursor>(std::move(snapshot), kind, filter, order, limit);
  TL_TRY(cursor->start_after(after));
  return std::unique_ptr<Cursor>(std::move(cursor));
}

Result<std::unique_ptr<Cursor>> list(std::shared_ptr<Snapshot> snapshot, Kind kind,
                                     const Filter& filter, ListOrder order, Bytes after,
                                     std::uint64_t limit) {
  if (kind < Kind::trace || kind > Kind::model) {
    return make_error(Code::invalid, "there is no such kind", "kind");
  }
  if (order.by > OrderBy::cost) return make_error(Code::invalid, "there is no such order", "order");
  TL_TRY_ASSIGN(filter_to_use, normalised(filter));
  const auto make = kind <= Kind::score ? list_entities : list_groups;
  return make(std::move(snapshot), kind, filter_to_use, order, after, limit);
}

}  // namespace tracelite::query
