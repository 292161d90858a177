// A whole file, or what a filter selects of it, as events in the order of time and id.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "model/result.hpp"
#include "query/query.hpp"

namespace tracelite::exchange {

// Takes output; returns false to stop.
using WriteFunction = std::function<bool(Bytes bytes)>;
// Traces done so far; returns true to cancel.
using ExportProgress = std::function<bool(std::uint64_t done_traces)>;

// Errors: cancelled, corrupt, io, no_memory.
Status export_langfuse(const std::shared_ptr<query::Snapshot>& snapshot,
                       const query::Filter& filter, const WriteFunction& write,
                       const ExportProgress& progress);

}  // namespace tracelite::exchange
