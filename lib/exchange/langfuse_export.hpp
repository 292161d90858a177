// Entities out as Langfuse ingestion events, one line each: importing them gives the same visible
// state, and exporting that the same bytes.
//
// Knows the wire format and the model's views. Must not know where entities come from.
#pragma once

#include <functional>
#include <string>

#include "model/entity.hpp"
#include "model/result.hpp"
#include "model/view.hpp"

namespace tracelite::exchange {

// Gives the bytes of a payload that is not inline or has media, as it was given, and the visible
// text of merged metadata (empty if nothing of it is left).
using PayloadLoader = std::function<Result<std::string>(const model::PayloadView&)>;

// Appends one line with its line break. The envelope's timestamp is that of the entity's last
// event; its id is made from the entity's kind and ids, so that the same state gives the same
// bytes. `trace_id` is the observation's trace; empty for one that has none yet (then traceId is
// left out). Nothing is appended for a trace or session that has nothing of its own to say.
//
// What the format cannot say is left out: a payload that is null (null clears), text whose
// recording was masked away, and weak or cleared writes, of which only the effect is visible.
// Errors: those of the loader; `out` is then as it was.
Status append_event(const model::Entity& entity, Bytes trace_id, const PayloadLoader& load,
                    std::string& out);

}  // namespace tracelite::exchange
