// Finding and making terms, and counting who uses them.
#include "index/terms.hpp"

#include <xxhash.h>

#include <algorithm>

namespace tracelite::index {

Result<Terms> Terms::open(sqlite3* connection) {
  Terms terms;
  TL_TRY_ASSIGN(find, Statement::prepare(connection,
                                         "SELECT t.id FROM term_hash h CROSS JOIN term t "
                                         "WHERE h.hash = ?3 AND t.id = h.id "
                                         "AND t.kind = ?1 AND t.text = ?2"));
  TL_TRY_ASSIGN(insert, Statement::prepare(connection,
                                           "INSERT INTO term(id, kind, text) VALUES(max(?3, "
                                           "(SELECT ifnull(max(id), 0) + 1 FROM term)), ?1, ?2) "
                                           "RETURNING id"));
  TL_TRY_ASSIGN(read, Statement::prepare(connection, "SELECT uses FROM term WHERE id = ?1"));
  TL_TRY_ASSIGN(write, Statement::prepare(connection, "UPDATE term SET uses = ?2 WHERE id = ?1"));
  TL_TRY_ASSIGN(remove, Statement::prepare(connection, "DELETE FROM term WHERE id = ?1"));
  TL_TRY_ASSIGN(insert_hash,
                Statement::prepare(connection, "INSERT INTO term_hash(hash, id) VALUES(?1, ?2)"));
  TL_TRY_ASSIGN(remove_hash, Statement::prepare(
                                 connection, "DELETE FROM term_hash WHERE hash = ?1 AND id = ?2"));
  terms.insert_hash_ = std::move(insert_hash);
  terms.remove_hash_ = std::move(remove_hash);
  terms.find_ = std::move(find);
  terms.insert_ = std::move(insert);
  terms.read_uses_ = std::move(read);
  terms.write_uses_ = std::move(write);
  terms.remove_ = std::move(remove);
  return terms;
}

namespace {

std::string cache_key(TermKind kind, Bytes text) {
  std::string key(1, static_cast<char>(kind));
  key.append(text);
  return key;
}

}  // namespace

Result<std::optional<TermNumber>> Terms::number_by(Statement& statement, TermKind kind,
                                                   Bytes text) {
  statement.bind(1, static_cast<std::int64_t>(kind));
  statement.bind_text(2, text);
  statement.bind(3, &statement == &find_ ? hash(kind, text) : wrapping_add(last_number_, 1));
  const ResetGuard guard(statement);
  TL_TRY_ASSIGN(row, statement.step());
  if (!row) return std::optional<TermNumber>();
  const TermNumber number = statement.integer(0);
  constexpr std::size_t kEntrySizeBytes = 96;  // a node of a hash map, its bucket, a short key
  const std::size_t size_bytes = kEntrySizeBytes + text.size();
  if (cache_size_bytes_ + size_bytes > kTermCacheSizeBytesMax) forget_numbers();
  if (cache_.emplace(cache_key(kind, text), number).second) cache_size_bytes_ += size_bytes;
  return std::optional(number);
}

Result<std::optional<TermNumber>> Terms::find(TermKind kind, Bytes text) {
  const auto cached = cache_.find(cache_key(kind, text));
  if (cached != cache_.end()) return std::optional(cached->second);
  return number_by(find_, kind, text);
}

Result<TermNumber> Terms::number(TermKind kind, Bytes text) {
  TL_TRY_ASSIGN(found, find(kind, text));
  if (found) return *found;
  TL_TRY_ASSIGN(made, number_by(insert_, kind, text));
  if (!made) return make_error(Code::internal, "a term was neither found nor made");
  last_number_ = *made;
  TL_TRY(change_hash(insert_hash_, kind, text, *made));
  return *made;
}

std::int64_t Terms::hash(TermKind kind, Bytes text) {
  const std::string key = cache_key(kind, text);
  return static_cast<std::int64_t>(XXH3_64bits(key.data(), key.size()) & INT32_MAX);
}

Status Terms::change_hash(Statement& statement, TermKind kind, Bytes text, TermNumber term) {
  statement.bind(1, hash(kind, text));
  statement.bind(2, term);
  return statement.run();
}

Result<std::optional<TermNumber>> Terms::optional_number(TermKind kind, std::optional<Bytes> text) {
  if (!text) return std::optional<TermNumber>();
  TL_TRY_ASSIGN(found, number(kind, *text));
  return std::optional<TermNumber>(found);
}

Result<int> Terms::use(TermNumber term, int difference) {
  auto known = uses_.find(term);
  if (known == uses_.end()) {
    if (uses_.size() == kUnwrittenUsesMax) TL_TRY(write_uses());
    Uses read;
    read_uses_.bind(1, term);
    const ResetGuard guard(read_uses_);
    TL_TRY_ASSIGN(row, read_uses_.step());
    if (row) read.stored = read.now = read_uses_.integer(0);
    known = uses_.emplace(term, read).first;
  }
  const std::int64_t before = known->second.now;
  // A stranger's row may say anything.
  std::int64_t after = 0;
  if (__builtin_add_overflow(before, std::int64_t{difference}, &after)) after = before;
  known->second.now = after;
  if (before == 0 && after > 0) return 1;
  return before > 0 && after <= 0 ? -1 : 0;
}

Status Terms::write_uses() {
  for (const auto& [term, uses] : uses_) {
    if (uses.now == uses.stored) continue;
    write_uses_.bind(1, term);
    write_uses_.bind(2, uses.now);
    TL_TRY(write_uses_.run());
  }
  uses_.clear();
  return {};
}

Status Terms::remove(TermKind kind, Bytes text, TermNumber term) {
  cache_.erase(cache_key(kind, text));
  uses_.erase(term);
  last_number_ = std::max(last_number_, term);
  TL_TRY(change_hash(remove_hash_, kind, text, term));
  remove_.bind(1, term);
  return remove_.run();
}

}  // namespace tracelite::index
