// What must hold between media and the payloads that refer to them.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>

#include "payload/group_check.hpp"
#include "payload/media_store.hpp"

namespace tracelite::payload {

// How often payloads refer to each medium, by hash.
using MediaUses = std::map<std::string, std::uint64_t>;

// Counts the media of a payload, and checks that their references are where it says and that what
// they stand for has the size that it says. Errors: corrupt (of this payload), io, no_memory.
Status check_media_of(const store::Transaction& transaction, const model::PayloadValue& value,
                      MediaUses& uses);

// That a medium's bytes are there and have its hash. Errors: corrupt (they have not, or there is no
// such medium), io, no_memory.
Status check_bytes_of_medium(const store::Transaction& transaction, Bytes hash);

// Checks key space `media`: every medium is counted as often as it is used, its bytes have its
// hash, and there are no others but those `pending` (payload numbers). What does not hold is found;
// errors: io, no_memory, and corrupt if a value could not be read at all.
Status check_media(const store::Transaction& transaction, MediaUses uses,
                   const std::set<PayloadNumber>& pending, const GroupFinding& finding);

}  // namespace tracelite::payload
