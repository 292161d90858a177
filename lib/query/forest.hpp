// The observations of one trace as trees: who is below whom, and in which order.
#pragma once

#include <cstdint>
#include <vector>

#include "query/records_ahead.hpp"
#include "query/snapshot.hpp"

namespace tracelite::query {

// One observation, in pre-order: before its children, siblings by start and id.
struct Node {
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;   // not before the start; the start where there is none
  std::int64_t entity = 0;   // as the index has it
  std::uint32_t depth = 0;   // 1 for roots
  std::uint32_t size = 1;    // of its tree: itself and all below it
  std::uint32_t number = 0;  // in the order of the records
  bool has_end = false;      // false: unfinished, or an EVENT
  bool is_event = false;
};

// A parent that is missing makes its child a root; a cycle is cut at its earliest member. Takes no
// more stack for a deeper trace. `kept` (may be null) gets the records, by their numbers, as far as
// it keeps them. Errors: limit (2^32 observations), and those of reading.
Result<std::vector<Node>> build_forest(const Snapshot::Use& use, std::int64_t container,
                                       KeptRecords* kept = nullptr);

}  // namespace tracelite::query
