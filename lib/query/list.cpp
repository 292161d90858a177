// Lists of traces, observations and scores: pages of keys from the index, a record for each row.
//
// No statement stays open between calls: a page is asked for behind the last row of the one before
// (keyset), so that rows may come and go, and the view may be renewed. Pages grow, so that a list
// that must be sorted anew for each of them is sorted a few times only; kPageSizeMax bounds memory.
//
// Where an index gives the rows in the order of time, or of moments (index::moment_of), they are
// read until the page is full; SQLite is not asked to sort or to limit, since it would make a
// temporary B-tree for every page.
#include "query/list.hpp"

#include <algorithm>
#include <utility>

#include "index/index_value.hpp"
#include "query/position.hpp"
#include "query/rows.hpp"
#include "query/selection.hpp"

namespace tracelite::query {
namespace {

// So many keys, and a quarter of the page, may be collected in vain before they are thrown away.
constexpr std::size_t kPruneSize = 16;

constexpr const char* kTraceRanks[] = {
    "t.time_ns",
    "coalesce((SELECT text FROM term WHERE id = t.name), '')",
    "tl_latency(t.sums, t.time_ns)",
    "tl_tokens(t.sums)",
    "tl_cost_of(t.sums)",
};
constexpr const char* kObservationRanks[] = {
    "o.start_ns",
    "coalesce((SELECT text FROM term WHERE id = o.name), '')",
    "tl_duration(o.duration_ns)",
    "coalesce(o.total_tokens, o.input_tokens + o.output_tokens)",
    "tl_cost(o.cost)",
};
constexpr const char* kScoreRanks[] = {
    "s.time_ns",
    "(SELECT text FROM term WHERE id = s.name)",
};

const char* rank_of(Kind kind, OrderBy by) {
  const auto at = static_cast<std::size_t>(by);
  if (kind == Kind::trace) return kTraceRanks[at];
  return kind == Kind::observation ? kObservationRanks[at] : kScoreRanks[at];
}

// The columns behind the rank.
const char* columns_of(Kind kind) {
  if (kind == Kind::observation) return "t.id, o.container, o.entity";
  return kind == Kind::score ? "s.id, s.container, s.entity" : "t.id, ";
}

record::EntityKey to_key(std::int64_t entity) { return static_cast<record::EntityKey>(entity); }

struct Key {
  Value rank;  // what the list is ordered by
  Value id;    // of the trace; of a score its own
  std::int64_t container = 0;
  std::int64_t entity = 0;
  std::optional<TraceKey> trace;
};

// The order asked for, then what makes it total. The id decides between equal ones (of
// observations: the hash of the id, then the trace's id), the container last, so that the order
// does not depend on arrival.
class KeyOrder {
 public:
  static constexpr std::size_t kValueCount = 4;

  KeyOrder(Kind kind, ListOrder order) : kind_(kind), order_(order) {}

  [[nodiscard]] bool before(const Value& a, const Value& b) const {
    return order_.ascending ? a < b : b < a;
  }
  [[nodiscard]] bool operator()(const Key& a, const Key& b) const {
    return order_.ascending ? less(a, b) : less(b, a);
  }
  // A key as a position keeps it.
  [[nodiscard]] std::vector<Value> values(const Key& key) const {
    const Value entity = Value::of(key.entity);
    const Value container = Value::of(key.container);
    if (kind_ == Kind::observation) return {key.rank, entity, key.id, container};
    return {key.rank, key.id, container, entity};
  }
  [[nodiscard]] Key key(std::vector<Value> values) const {
    const bool of_observation = kind_ == Kind::observation;
    Key key;
    key.rank = std::move(values[0]);
    key.id = std::move(values[of_observation ? 2 : 1]);
    key.container = values[of_observation ? 3 : 2].integer;
    key.entity = values[of_observation ? 1 : 3].integer;
    return key;
  }

 private:
  [[nodiscard]] bool less(const Key& a, const Key& b) const {
    if (const auto order = a.rank <=> b.rank; order != 0) return order < 0;
    if (kind_ == Kind::observation) {
      const record::EntityKey hash_a = record::without_chapter(to_key(a.entity));
      const record::EntityKey hash_b = record::without_chapter(to_key(b.entity));
      if (hash_a != hash_b) return hash_a < hash_b;
    }
    if (const auto order = a.id <=> b.id; order != 0) return order < 0;
    return std::pair(a.container, a.entity) < std::pair(b.container, b.entity);
  }

  Kind kind_;
  ListOrder order_;
};

// Collects the first `size` keys of an order, from rows in that order of ranks or in none.
class Page {
 public:
  Page(const KeyOrder& order, bool is_ranked, std::size_t size)
      : order_(order), is_ranked_(is_ranked), size_(size) {
    keys_.reserve(std::min<std::size_t>(size, kFirstPageSize));
  }

  // Whether a key with this rank has no place any more.
  [[nodiscard]] bool is_full() const { return keys_.size() >= size_; }
  [[nodiscard]] bool is_beyond(const Value& rank) const {
    if (keys_.size() < size_ || !(is_ranked_ || is_pruned_)) return false;
    return order_.before(keys_[size_ - 1].rank, rank);
  }
  void add(Key key) {
    keys_.push_back(std::move(key));
    if (keys_.size() >= size_ + size_ / 4 + kPruneSize) prune();
  }
  // Sorted.
  std::vector<Key> take() {
    if (!std::is_sorted(keys_.begin(), keys_.end(), order_)) {
      std::sort(keys_.begin(), keys_.end(), order_);
    }
    if (keys_.size() > size_) keys_.erase(keys_.begin() + offset(size_), keys_.end());
    return std::move(keys_);
  }

 private:
  static std::ptrdiff_t offset(std::size_t at) { return static_cast<std::ptrdiff_t>(at); }
  void prune() {
    std::nth_element(keys_.begin(), keys_.begin() + offset(size_ - 1), keys_.end(), order_);
    keys_.erase(keys_.begin() + offset(size_), keys_.end());
    is_pruned_ = true;
  }

  const KeyOrder& order_;
  bool is_ranked_;
  bool is_pruned_ = false;
  std::size_t size_;
  std::vector<Key> keys_;
};

class EntityCursor : public Cursor {
 public:
  EntityCursor(std::shared_ptr<Snapshot> snapshot, Kind kind, Filter filter, ListOrder order,
               std::uint64_t limit)
      : Cursor(std::move(snapshot)),
        kind_(kind),
        filter_(std::move(filter)),
        order_(order),
        key_order_(kind, order),
        remaining_(limit == 0 ? UINT64_MAX : limit) {}

  Status start_after(Bytes after);
  Result<bool> next(Row& row) override;
  Result<std::string> position() const override;

 private:
  Status fetch(const Snapshot::Use& use);
  // The filter, without times that lie before the page.
  [[nodiscard]] Filter filter_of_page() const;
  [[nodiscard]] Sql page_query(const Selection& selection) const;
  Status collect(const Selection& selection, index::Statement& rows, Page& page) const;
  [[nodiscard]] Key read_key(const index::Statement& row) const;
  Result<bool> load(const Snapshot::Use& use, const Key& key, Row& row);

  Kind kind_;
  Filter filter_;
  ListOrder order_;
  KeyOrder key_order_;
  std::uint64_t remaining_;
  std::vector<Key> page_;
  std::size_t next_in_page_ = 0;
  std::uint64_t page_size_ = kFirstPageSize;
  std::uint64_t page_generation_ = 0;
  bool is_last_page_ = false;
  std::optional<Key> after_;  // where the page begins; none at the start
  bool is_any_given_ = false;
};

Status EntityCursor::start_after(Bytes after) {
  if (after.empty()) return {};
  TL_TRY_ASSIGN(values,
                decode_position(after, fingerprint(kind_, filter_, order_), KeyOrder::kValueCount));
  after_ = key_order_.key(std::move(values));
  return {};
}

Result<std::string> EntityCursor::position() const {
  if (!is_any_given_) return Cursor::position();
  const Key& last = next_in_page_ > 0 ? page_[next_in_page_ - 1] : *after_;
  return encode_position(fingerprint(kind_, filter_, order_), key_order_.values(last));
}

Filter EntityCursor::filter_of_page() const {
  Filter filter = filter_;
  if (!after_ || order_.by != OrderBy::time) return filter;
  const std::int64_t first_ns = after_->rank.integer;
  if (order_.ascending) {
    filter.from_ns = std::max(filter.from_ns.value_or(INT64_MIN), first_ns);
  } else if (first_ns < INT64_MAX) {
    filter.to_ns = std::min(filter.to_ns.value_or(INT64_MAX), first_ns + 1);
  }
  return filter;
}

Sql EntityCursor::page_query(const Selection& selection) const {
  const char* rank = rank_of(kind_, order_.by);
  Sql sql;
  sql.reserve();
  sql.add("SELECT ").add(rank).add(", ").add(selection.moment).add(", ").add(columns_of(kind_));
  if (kind_ == Kind::trace) sql.add(TraceKey::kColumns);
  sql.add(" FROM ").add(selection.from).add(" WHERE 1").add(selection.where);
  if (order_.by != OrderBy::time || selection.order == ReadingOrder::any) return sql;
  // Of observations by their traces: what is in the last of these is most likely the last, and the
  // rest is soon beyond the page.
  sql.add(" ORDER BY ").add(selection.order == ReadingOrder::time ? rank : selection.moment);
  sql.add(order_.ascending ? "" : " DESC");
  return sql;
}

Key EntityCursor::read_key(const index::Statement& row) const {
  Key key;
  key.id = Value::of_column(row, 2);
  if (kind_ == Kind::trace) {
    key.trace = TraceKey::read(row, 3);
    key.container = key.trace->container;
  } else {
    key.container = row.integer(3);
    key.entity = row.integer(4);
  }
  return key;
}

Status EntityCursor::collect(const Selection& selection, index::Statement& rows, Page& page) const {
  const bool by_time = order_.by == OrderBy::time;
  const bool ends_by_moment = by_time && selection.order == ReadingOrder::moment;
  std::optional<std::int64_t> last_moment;  // in which the page was filled
  for (;;) {
    TL_TRY_ASSIGN(more, rows.step());
    if (!more) return {};
    if (last_moment && rows.integer(1) != *last_moment) return {};
    Value rank = Value::of_column(rows, 0);
    if (page.is_beyond(rank)) {
      if (selection.order == ReadingOrder::time) return {};
      continue;
    }
    Key key = read_key(rows);
    key.rank = std::move(rank);
    if (after_ && !key_order_(*after_, key)) continue;
    page.add(std::move(key));
    if (ends_by_moment && !last_moment && page.is_full()) last_moment = rows.integer(1);
  }
}

Status EntityCursor::fetch(const Snapshot::Use& use) {
  if (!page_.empty()) after_ = std::move(page_.back());
  page_.clear();
  next_in_page_ = 0;
  page_generation_ = use.generation();
  if (use.connection() == nullptr) {
    is_last_page_ = true;
    return {};
  }
  const std::uint64_t size = std::min(page_size_, remaining_);
  const Filter filter = filter_of_page();
  TL_TRY_ASSIGN(selection, select_rows(use, kind_, filter,
                                       {order_.by == OrderBy::time, order_.ascending, size}));
  if (!selection) {
    is_last_page_ = true;
    return {};
  }
  const Sql sql = page_query(*selection);
  TL_TRY_ASSIGN(rows, use.prepare(sql.text));
  rows.bind(sql.values);
  Page page(key_order_, selection->order == ReadingOrder::time, size);
  TL_TRY(collect(*selection, *rows, page));
  page_ = page.take();
  is_last_page_ = page_.size() < size;
  page_size_ = std::min(page_size_ * kPageGrowth, kPageSizeMax);
  return {};
}

Result<bool> EntityCursor::load(const Snapshot::Use& use, const Key& key, Row& row) {
  if (kind_ == Kind::trace) {
    // What the page has of a trace besides its key is of the view that the page was read in.
    return use.generation() == page_generation_ ? load_trace(use, *key.trace, row)
                                                : load_trace(use, key.container, row);
  }
  if (kind_ == Kind::score) return load_score(use, key.container, key.entity, row);
  const std::string trace_id =
      index::IndexId::text_of(key.id.type == Value::Type::blob, key.id.bytes);
  return load_observation(use, key.container, key.entity, row, &trace_id);
}

Result<bool> EntityCursor::next(Row& row) {
  if (remaining_ == 0) return false;
  TL_TRY_ASSIGN(use, this->use());
  for (;;) {
    if (next_in_page_ == page_.size()) {
      if (is_last_page_) return false;
      TL_TRY(fetch(use));
      continue;
    }
    // Counted as given before it is read, so that a damaged one is behind us next time.
    const Key& key = page_[next_in_page_++];
    is_any_given_ = true;
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
                                              Filter filter, ListOrder order, Bytes after,
                                              std::uint64_t limit) {
  if (kind == Kind::score && order.by != OrderBy::time && order.by != OrderBy::name) {
    return make_error(Code::invalid, "scores can be ordered by time or name only", "order");
  }
  auto cursor =
      std::make_unique<EntityCursor>(std::move(snapshot), kind, std::move(filter), order, limit);
  TL_TRY(cursor->start_after(after));
  return std::unique_ptr<Cursor>(std::move(cursor));
}

Result<std::unique_ptr<Cursor>> list(std::shared_ptr<Snapshot> snapshot, Kind kind, Filter filter,
                                     ListOrder order, Bytes after, std::uint64_t limit) {
  if (kind < Kind::trace || kind > Kind::day) {
    return make_error(Code::invalid, "there is no such kind", "kind");
  }
  if (order.by > OrderBy::cost) return make_error(Code::invalid, "there is no such order", "order");
  TL_TRY(normalise(filter));
  const auto make = kind <= Kind::score ? list_entities : list_groups;
  return make(std::move(snapshot), kind, std::move(filter), order, after, limit);
}

}  // namespace tracelite::query
