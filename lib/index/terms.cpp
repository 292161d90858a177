// Finding and making terms, and counting who uses them.
#include "index/terms.hpp"

namespace tracelite::index {

Result<Terms> Terms::open(sqlite3* connection) {
  Terms terms;
  TL_TRY_ASSIGN(
      find, Statement::prepare(connection, "SELECT id FROM term WHERE kind = ?1 AND text = ?2"));
  TL_TRY_ASSIGN(insert, Statement::prepare(connection,
                                           "INSERT INTO term(kind, text) VALUES(?1, ?2) "
                                           "RETURNING id"));
  TL_TRY_ASSIGN(read, Statement::prepare(connection, "SELECT uses FROM term WHERE id = ?1"));
  TL_TRY_ASSIGN(write, Statement::prepare(connection, "UPDATE term SET uses = ?2 WHERE id = ?1"));
  terms.find_ = std::move(find);
  terms.insert_ = std::move(insert);
  terms.read_uses_ = std::move(read);
  terms.write_uses_ = std::move(write);
  return terms;
}

Result<TermNumber> Terms::number(TermKind kind, Bytes text) {
  std::string key(1, static_cast<char>(kind));
  key.append(text);
  if (const auto cached = cache_.find(key); cached != cache_.end()) return cached->second;
  for (Statement* statement : {&find_, &insert_}) {
    statement->bind(1, static_cast<std::int64_t>(kind));
    statement->bind_text(2, text);
    const ResetGuard guard(*statement);
    TL_TRY_ASSIGN(row, statement->step());
    if (!row) continue;
    const TermNumber number = statement->integer(0);
    if (cache_.size() >= kTermCacheEntriesMax) cache_.clear();
    cache_.emplace(std::move(key), number);
    return number;
  }
  return make_error(Code::internal, "a term was neither found nor made");
}

Result<std::optional<TermNumber>> Terms::optional_number(TermKind kind, std::optional<Bytes> text) {
  if (!text) return std::optional<TermNumber>();
  TL_TRY_ASSIGN(found, number(kind, *text));
  return std::optional<TermNumber>(found);
}

Result<int> Terms::use(TermNumber term, int difference) {
  std::int64_t uses = 0;
  {
    read_uses_.bind(1, term);
    const ResetGuard guard(read_uses_);
    TL_TRY_ASSIGN(row, read_uses_.step());
    if (row) uses = read_uses_.integer(0);
  }
  write_uses_.bind(1, term);
  write_uses_.bind(2, uses + difference);
  TL_TRY(write_uses_.run());
  if (uses == 0 && uses + difference > 0) return 1;
  return uses > 0 && uses + difference <= 0 ? -1 : 0;
}

}  // namespace tracelite::index
