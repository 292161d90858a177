// Entities out as Langfuse ingestion events, one line each: importing them gives the same visible
// state.
//
// Knows the wire format and the model's views. Must not know where entities come from.
#pragma once

#include <functional>
#include <string>

#include "model/entity.hpp"
#include "model/result.hpp"
#include "model/view.hpp"

namespace tracelite::exchange {

// Gives the bytes of a payload that is not inline, and the visible text of merged metadata.
using PayloadLoader = std::function<Result<std::string>(const model::PayloadView&)>;

// Appends one line with its line break. The envelope's timestamp is that of the entity's last
// event; its id is made from the entity's kind and ids, so that the same state gives the same
// bytes. `trace_id` is the observation's trace; empty for one that has none yet (then traceId is
// left out). Nothing is appended for a trace or session that has nothing of its own to say. Errors:
// those of the loader.
Status append_event(const model::Entity& entity, Bytes trace_id, const PayloadLoader& load,
                    std::string& out);

}  // namespace tracelite::exchange
