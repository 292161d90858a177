// What the newest commits changed: a short list for readers that follow the file.
//
// Knows keys of records and transaction numbers; must not know what a reader does with them.
//
// There is no index over commits. Each commit puts the keys of what it changed behind those of the
// commits before, under `meta` "changes", whose page every commit writes anyway; what does not fit
// there any more moves to a chunk of its own in key space `change`, and the oldest chunks go. So
// the list reaches back some seconds or minutes, and costs a commit some 9 bytes an entity. A
// commit that changes more than kListedOfCommitMax entities, as an import does, is not listed:
// whoever wants it has to list everything anew, and so the list begins behind it.
//
//   `meta` "changes"   8 bytes   the list begins behind this transaction
//                      8 bytes   the last transaction on it
//                      the newest commits, as in a chunk
//   `change`           key: 8 bytes, the transaction of the first commit in it
//                      one after the other, of each commit
//                        varint  transaction
//                        varint  how many entities
//                        each    varint: 4 times the difference to the container before, from 0,
//                                plus 0 for a trace or session, 1 an observation, 2 a score;
//                                6 bytes: entity key (not of a trace or session)
// in the order of their keys; numbers big-endian.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "record/record_key.hpp"
#include "store/environment.hpp"

namespace tracelite::record {

inline constexpr std::size_t kListedOfCommitMax = 128;
inline constexpr std::size_t kNewestChangesSizeBytesMax = 512;  // under `meta`
inline constexpr std::size_t kChangeChunkCountMax = 48;

// Of this transaction, which calls it at most once; in any order, also twice the same.
Status add_changes(store::WriteTransaction& transaction, std::vector<RecordKey> keys);
// What was changed behind a transaction, each key once, in the order of the keys; an observation
// without its trace has the kind of one with it. nullopt: the list does not reach back so far.
Result<std::optional<std::vector<RecordKey>>> read_changes(const store::Transaction& transaction,
                                                           std::uint64_t behind);
// To another file that has none yet; without what is not there any more.
Status copy_changes(const store::Transaction& from, store::WriteTransaction& to);
// Whoever follows has to list everything anew.
Status forget_changes(store::WriteTransaction& transaction);

}  // namespace tracelite::record
