// Payloads whose bytes are committed before the record that refers to them: kept in a list in the
// file, so that a crash in between leaves nothing behind for ever. The transaction that would write
// the record claims them, or drops them if the record refers to something else in the end.
//
// Format: under `meta` a key "pending:" with the payload number (8 bytes big-endian); the value is
// the number of the transaction that put it there (8 bytes big-endian).
#pragma once

#include "model/entity.hpp"
#include "payload/payload_store.hpp"
#include "store/environment.hpp"

namespace tracelite::ingest {

Status add_pending(store::WriteTransaction& transaction, payload::PayloadNumber number);
// Takes a payload off the list.
Status claim_pending(store::WriteTransaction& transaction, payload::PayloadNumber number);
// Whether the payload that transaction `since` put there still is on the list. It is not when the
// file was compacted in the meantime: a payload without an owner is left behind then, and its
// number may belong to another.
Result<bool> is_pending(const store::Transaction& transaction, payload::PayloadNumber number,
                        std::uint64_t since);
// Takes the payloads that an entity refers to off the list.
Status claim_pending(store::WriteTransaction& transaction, const model::Entity& entity);
// Takes a payload off the list and out of the file; ok if it is not on the list.
Status drop_pending(store::WriteTransaction& transaction, payload::PayloadWriter& payloads,
                    payload::PayloadNumber number);
// Removes what nobody will claim any more: what was put there before this process opened the file,
// alone. Whoever has opened it since, in whatever process, may still claim what is younger.
Status reclaim_pending(store::Environment& environment);

}  // namespace tracelite::ingest
