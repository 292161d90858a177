// The C structs -> checked events.
#pragma once

#include <tracelite/tracelite.h>

#include "model/event.hpp"
#include "query/query.hpp"

namespace tracelite::api {

// Each adds the fields in set_mask and clear_mask; ids are added by the caller. Errors: invalid,
// naming the field.
Status fill(model::EventBuilder& builder, const tl_trace& trace);
Status fill(model::EventBuilder& builder, const tl_observation& observation);
Status fill(model::EventBuilder& builder, const tl_score& score);
Status fill(model::EventBuilder& builder, const tl_session& session);

// Errors: invalid, naming the condition.
Result<query::Filter> convert(const tl_filter* given);

}  // namespace tracelite::api
