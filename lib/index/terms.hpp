// Texts that repeat, by number: the table `term` with a cache in front.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "index/schema.hpp"
#include "index/statement.hpp"

namespace tracelite::index {

using TermNumber = std::int64_t;

class Terms {
 public:
  static Result<Terms> open(sqlite3* connection);
  // The place of a text in `term_hash`: 31 bits of XXH3-64 of the kind's byte and the text.
  static std::int64_t hash(TermKind kind, Bytes text);

  // The number of a text, made if need be. Never one that was removed since it was opened: what is
  // not written yet of a batch knows terms by their numbers.
  Result<TermNumber> number(TermKind kind, Bytes text);
  Result<std::optional<TermNumber>> optional_number(TermKind kind, std::optional<Bytes> text);
  // nullopt: there is no such text.
  Result<std::optional<TermNumber>> find(TermKind kind, Bytes text);

  // One more or one fewer use of a session, user or tag: returns +1 if it now exists, -1 if it has
  // ceased to exist, else 0. A batch uses the same few again and again, so what they come to is
  // written by write_uses(), before the transaction commits.
  Result<int> use(TermNumber term, int difference);
  Status write_uses();
  // A text that nothing uses any more.
  Status remove(TermKind kind, Bytes text, TermNumber term);

  [[nodiscard]] bool has_unwritten() const { return !uses_.empty(); }
  void forget() { forget_numbers(), uses_.clear(); }

 private:
  struct Uses {
    std::int64_t stored = 0;
    std::int64_t now = 0;
  };
  Result<std::optional<TermNumber>> number_by(Statement& statement, TermKind kind, Bytes text);
  Status change_hash(Statement& statement, TermKind kind, Bytes text, TermNumber term);
  void forget_numbers() { cache_.clear(), cache_size_bytes_ = 0; }

  Statement find_, insert_, insert_hash_, read_uses_, write_uses_, remove_, remove_hash_;
  std::unordered_map<std::string, TermNumber> cache_;  // kind byte, then the text
  std::size_t cache_size_bytes_ = 0;                   // about
  std::map<TermNumber, Uses> uses_;                    // what write_uses() writes
  TermNumber last_number_ = 0;                         // the largest that was made or removed
};

// More are looked up in the database again: a bound on memory, not on what can be stored.
inline constexpr std::size_t kTermCacheSizeBytesMax = std::size_t{2} << 20;
// More uses are written at once.
inline constexpr std::size_t kUnwrittenUsesMax = 8192;

}  // namespace tracelite::index
