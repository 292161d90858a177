// A reading connection to the index, with its statements and the SQL functions that queries use.
//
// Knows SQLite and the coding of costs and ids in the index. Must not know filters.
//
// SQL functions:
//   tl_duration(duration_ns)     of an observation's row, saturated; 0 if it is NULL
//   tl_latency(sums, time)       of a trace
//   tl_tokens(sums)              of a trace, saturated at 2^63-1
//   tl_cost(cost)                a cost of the index as 16 bytes that sort like the number
//   tl_cost_of(sums)             the cost of a trace, in the same form
//   tl_names(members, term)      whether a trace with these members names a session, user or tag
//   tl_observation(container, id)  the entity key of the observation with this id, or NULL
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <unordered_map>

#include "index/page_file.hpp"
#include "index/schema.hpp"
#include "model/decimal.hpp"
#include "model/result.hpp"
#include "query/statement.hpp"
#include "store/environment.hpp"

struct sqlite3_value;

namespace tracelite::query {

struct Term {
  std::int64_t number = 0;
  std::int64_t uses = 0;  // see index/schema.hpp
};

// Terms that were looked up, for as long as the index stays the same: the next page of a list, or
// the next list for the same session, asks for them again.
class TermCache {
 public:
  static constexpr std::size_t kEntriesMax = 256;

  [[nodiscard]] const Term* find(index::TermKind kind, Bytes text) const;
  void add(index::TermKind kind, Bytes text, const Term& term);
  void clear() { entries_.clear(); }

 private:
  std::unordered_map<std::string, Term> entries_;  // kind byte, then the text
};

class Reader {
 public:
  // A reader is always in one SQLite transaction, which outlives the snapshot and is ended only
  // when the next one sees another commit: so a query does not take the lock and look at the first
  // page again. Errors: as Connection::open_reader.
  static Result<std::unique_ptr<Reader>> open(store::ReadTransaction& transaction,
                                              std::shared_ptr<const index::MemoryImage> image);

  // Only while detached.
  Status attach(store::ReadTransaction& transaction,
                std::shared_ptr<const index::MemoryImage> image);
  // Lets go of the snapshot. False: the reader is of no use any more, because a statement is on
  // loan or SQLite has rolled its transaction back after a failure. Takes no memory.
  [[nodiscard]] bool detach();
  [[nodiscard]] sqlite3* handle() const { return connection_->handle(); }
  Result<CachedStatement> prepare(Bytes sql) { return statements_->prepare(sql); }
  TermCache& terms() { return terms_; }
  // What runs meanwhile fails with `cancelled` once this is true. Null: nothing can cancel it.
  void watch(const std::atomic<bool>* cancelled) { cancelled_ = cancelled; }
  [[nodiscard]] bool is_cancelled() const { return cancelled_ != nullptr && cancelled_->load(); }
  // The transaction that is attached; for the SQL functions.
  [[nodiscard]] const store::Transaction* transaction() const { return transaction_; }

 private:
  Reader() = default;
  Status add_functions();
  Status run(const char* sql);

  std::unique_ptr<index::Connection> connection_;
  std::unique_ptr<StatementCache> statements_;  // gone before the connection
  TermCache terms_;
  const store::Transaction* transaction_ = nullptr;
  const std::atomic<bool>* cancelled_ = nullptr;
  // What rooms below had decoded of the commit that was read last, for the next view of it.
  store::Companions companions_;
};

// 16 bytes, most significant first, with the sign bit turned round: they sort like the numbers.
std::string sortable(model::Int128 number);
model::Int128 from_sortable(Bytes bytes);

// a - b within the range of the type.
std::int64_t subtract_saturated(std::int64_t a, std::int64_t b);

}  // namespace tracelite::query
