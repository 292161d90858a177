// Payloads whose bytes are committed before the record that refers to them: kept in a list in the
// file, so that a crash in between leaves nothing behind for ever.
//
// Format: under `meta` a key "pending:" with the payload number (8 bytes big-endian), empty value.
#pragma once

#include "model/entity.hpp"
#include "payload/payload_store.hpp"
#include "store/environment.hpp"

namespace tracelite::ingest {

Status add_pending(store::WriteTransaction& transaction, payload::PayloadNumber number);
// Takes the payloads that an entity refers to off the list.
Status claim_pending(store::WriteTransaction& transaction, const model::Entity& entity);
// Removes what nobody will claim any more. Only for a file that no other process has open.
Status reclaim_pending(store::Environment& environment);

}  // namespace tracelite::ingest
