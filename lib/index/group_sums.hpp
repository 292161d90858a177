// What the traces of a session or user come to. Kept, so that a list of sessions or users need not
// read their traces.
//
// Format (group_sums.sums): the number of traces as a varint; then, if there are any: the earliest
// of their times, with its sign, and from there the latest, as varints; and the sums of the traces
// as index/trace_sums.hpp has them, for the earliest time.
#pragma once

#include <cstdint>
#include <string>

#include "index/trace_sums.hpp"

namespace tracelite::index {

struct GroupSums {
  std::uint64_t trace_count = 0;
  std::int64_t first_ns = 0, last_ns = 0;  // of the traces' times, if there are any
  TraceSums sums;

  // One trace: what it has, at its time.
  struct Part {
    std::int64_t time_ns = 0;
    const TraceSums* sums = nullptr;
  };
  void add(const Part& trace);
  // What cannot be told from one trace, and must be looked for among all of them.
  struct Lost {
    bool begin = false;  // the earliest time and start
    bool end = false;    // the latest time, activity and end
    bool all = false;    // everything must be summed up anew
  };
  // One trace comes, changes or goes (nullptr: it was, or is, not there). Adds to what is lost.
  void change(const Part* before, const Part* after, Lost& lost);

  // The latest time, start or end; 0 if there are no traces.
  [[nodiscard]] std::int64_t last_activity_ns() const;

  void encode(std::string& out) const;
  static GroupSums decode(Bytes coded);

  friend bool operator==(const GroupSums&, const GroupSums&) = default;
};

// How far the observations of any trace of a group lie outside its own time, in units of
// kMomentShift: before it, and behind it. Whoever looks for an end of the group in the order of the
// traces' times knows by it when to stop. Never too small; too large where a trace went.
struct GroupReach {
  std::int64_t lead = 0;
  std::int64_t span = 0;
  void widen(const GroupSums::Part& trace);
  friend bool operator==(const GroupReach&, const GroupReach&) = default;
};

// What sessions and users are ordered by in the index, in coarser units, so that it changes less
// often and takes fewer bytes; those that are equal in it are sorted by whoever reads them.
std::int64_t activity_rank(const GroupSums& sums);  // about seconds
std::int64_t cost_rank(const GroupSums& sums);      // about millionths of a dollar

}  // namespace tracelite::index
