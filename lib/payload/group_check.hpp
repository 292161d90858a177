// What must hold between groups, segments, and the records that refer to them.
#pragma once

#include <functional>
#include <map>

#include "payload/group_format.hpp"

namespace tracelite::payload {

// `where` names the key space, `message` says what is wrong.
using GroupFinding = std::function<void(Bytes where, Bytes message)>;

// `payload_counts`: how many payloads of each group the records refer to. What does not hold is
// found; errors: io, no_memory, and corrupt if an entry could not be read at all.
Status check_groups(const store::Transaction& transaction,
                    const std::map<GroupNumber, std::uint64_t>& payload_counts,
                    const GroupFinding& finding);

}  // namespace tracelite::payload
