// Which log the next payloads of a session's traces share text in.
//
// A log goes with the last payload in it, so one log for all of a session would keep the text of
// its oldest trace as long as the newest one is there. So a session begins another log when one has
// become long. Whoever begins one tells what his payloads have in common once more, and most of
// that only as references, because pieces of 1 KiB and more are shared across the file: so a log
// that holds several times what one payload has costs little.
//
// Format: under `meta` a key "group:" with the session's container (6 bytes big-endian); the value
// is the group (8 bytes big-endian), a number of which no container was made. Without it the group
// is that of the session's container.
#pragma once

#include "model/entity.hpp"
#include "payload/payload_store.hpp"
#include "record/record_key.hpp"
#include "store/environment.hpp"

namespace tracelite::record {

// A session begins a new log when one keeps this much in the file, or, if that is more, so many
// times what is to be put there. The window in which a log is searched for pieces is as long.
inline constexpr std::uint64_t kSessionLogSizeBytesMax = std::uint64_t{1} << 20;
inline constexpr std::uint64_t kSessionLogPayloadsMin = 4;

// The group for the payloads of `entity`, which is of a trace of this session and not saved yet.
// Errors: corrupt, io, and those of put.
Result<payload::GroupNumber> session_group(store::WriteTransaction& transaction,
                                           payload::PayloadWriter& payloads,
                                           ContainerNumber session, const model::Entity& entity);
// To be called when the session's container goes.
Status forget_session_group(store::WriteTransaction& transaction, ContainerNumber session);

namespace testing {
// In place of kSessionLogSizeBytesMax, if it is not 0.
inline std::uint64_t session_log_size_bytes_max = 0;
}  // namespace testing

}  // namespace tracelite::record
