// A filter as SQL: which rows of the index a list is made from.
//
// Knows the schema and what each condition of a filter means for each kind (said at tl_filter).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "index/schema.hpp"
#include "query/query.hpp"
#include "query/reader.hpp"
#include "query/snapshot.hpp"
#include "query/statement.hpp"

namespace tracelite::query {

// Of what names no environment.
inline constexpr Bytes kDefaultEnvironment = "default";

// SQL text with the values of its parameters, in order.
struct Sql {
  std::string text;
  std::vector<Value> values;

  // Room for most queries.
  void reserve() {
    text.reserve(512);
    values.reserve(8);
  }
  Sql& add(Bytes more) {
    text.append(more);
    return *this;
  }
  Sql& bind(Value value) {
    text.push_back('?');
    values.push_back(std::move(value));
    return *this;
  }
  Sql& add(const Sql& other) {
    text.append(other.text);
    values.insert(values.end(), other.values.begin(), other.values.end());
    return *this;
  }
};

// What the rows of a query can be ordered by without sorting them.
enum class ReadingOrder : std::uint8_t {
  any,
  time,    // of the kind itself
  moment,  // the same, but for what falls into one moment
  trace,   // the moment of its trace
};

// FROM and WHERE of a query. In it `t` is the trace, and `o` or `s` the observation or score; a
// score has `t` only where a condition asks for it. Where a session, user, tag or name drives the
// query, `d` is its row of `member`.
struct Selection {
  Sql from;   // "trace t", ...
  Sql where;  // conditions, each with " AND " before it
  ReadingOrder order = ReadingOrder::any;
  const char* moment = "0";  // what stands for the time in that order
};

// What is wanted of a selection, so that it goes the shorter way.
struct Demand {
  // The first or last `row_count` in the order of time, behind those of the millisecond in which
  // the filter's times begin: a selection may leave out the others.
  bool by_time = false;
  bool ascending = false;
  std::uint64_t row_count = UINT64_MAX;
};

// Checks and normalises a filter: sorted tags, the environment as it would be stored.
// Errors: invalid.
Status normalise(Filter& filter);
[[nodiscard]] bool is_empty(const Filter& filter);

// The rows of one kind (trace, observation or score) that a filter selects. nullopt if there can be
// none, because a text of the filter occurs nowhere. There must be a connection.
Result<std::optional<Selection>> select_rows(const Snapshot::Use& use, Kind kind,
                                             const Filter& filter, const Demand& demand = {});
// The conditions on `t` alone, for a FROM of the caller's.
Result<std::optional<Sql>> trace_conditions(const Snapshot::Use& use, const Filter& filter);

Result<std::optional<Term>> find_term(const Snapshot::Use& use, index::TermKind kind, Bytes text);

}  // namespace tracelite::query
