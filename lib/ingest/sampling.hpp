// Which traces are recorded: decided by the trace id alone, so that every process and every part of
// a trace decides the same.
#pragma once

#include "model/bytes.hpp"

namespace tracelite::ingest {

// W3C ids as OpenTelemetry's TraceIdRatioBased sampler decides (the lower 8 bytes below rate *
// 2^64); other ids by XXH3-64 in the place of those bytes. What has no id
// is always recorded.
bool is_sampled(Bytes trace_id, double rate);

}  // namespace tracelite::ingest
