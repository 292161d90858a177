// Two indexes of the same records must say the same: how `check` finds a stale or damaged row.
#pragma once

#include <functional>

#include "model/bytes.hpp"
#include "model/result.hpp"

struct sqlite3;

namespace tracelite::index {

// Called with the table and what differs; returns false to stop.
using DifferenceFunction = std::function<bool(Bytes table, Bytes message)>;

// Walks every table of both in one order that does not depend on the numbers of terms, and reports
// rows that only one of them has. Errors: those of SQLite.
Status compare_indexes(sqlite3* expected, sqlite3* actual, const DifferenceFunction& differs);

}  // namespace tracelite::index
