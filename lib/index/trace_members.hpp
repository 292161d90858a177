// Which sessions, users and tags a trace has, and by how many of its entities each is named. It is
// kept in the trace's row, so that its rows in `member` are found when its time changes, and that a
// list which goes by time need not look there.
//
// Format (trace.members; NULL if there are none): for each term, ascending, a varint of four times
// its distance from the one before, plus 2 if sums are kept of it, plus 1 if more than one entity
// names it, and then how many.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "index/terms.hpp"
#include "model/bytes.hpp"

namespace tracelite::index {

class TraceMembers {
 public:
  // Adds to the count of a term: +1 if it is a member since then, -1 if it is no more, else 0.
  int change(TermNumber term, bool has_sums, int difference);
  struct Change {
    TermNumber term = 0;
    bool has_sums = false;
    int difference = 0;
    int existence = 0;  // receives what change() returns
  };
  // Of several terms, ascending, each once; in one go, however many there are.
  void change_all(std::vector<Change>& changes);
  // Ascending.
  [[nodiscard]] std::vector<TermNumber> terms() const;
  struct Member {
    TermNumber term = 0;
    bool has_sums = false;
    std::uint64_t count = 0;
    friend bool operator==(const Member&, const Member&) = default;
  };
  [[nodiscard]] const std::vector<Member>& all() const { return members_; }
  [[nodiscard]] bool has(TermNumber term) const;

  void encode(std::string& out) const;
  static TraceMembers decode(Bytes coded);
  // Whether one is there, without decoding all.
  static bool names(Bytes coded, TermNumber term);

 private:
  std::vector<Member> members_;  // by term
};

}  // namespace tracelite::index
