// Rows of a query -> the C structs.
#pragma once

#include "api/handles.hpp"

namespace tracelite::api {

// Fills the structs of `storage` from storage.row, and `row` with pointers to them.
Status show(query::Cursor& cursor, RowStorage& storage, tl_row& row);

// The payload of a field of the row shown last; null if the row has no such field.
const model::PayloadView* payload_of(const RowStorage& storage, tl_field field);

}  // namespace tracelite::api
