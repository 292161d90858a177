// Ids to containers: in which trace or session something may lie whose id alone is known. Derived:
// it can be rebuilt from the records.
//
// Two families of runs (runs.hpp): KeySpace::directory for traces, sessions and scores, of which
// there are few, and KeySpace::observation_directory. What a write transaction adds is kept with it
// and written when it commits; everybody in the same transaction finds it before.
#pragma once

#include <cstdint>
#include <vector>

#include "model/result.hpp"
#include "record/record_key.hpp"
#include "store/environment.hpp"

namespace tracelite::record {

enum class DirectoryKind : std::uint8_t { trace = 1, session = 2, score = 3, observation = 4 };

// The containers that may hold the id, ascending, each once: nearly always none or one. What was
// removed or has moved is still named: the reader looks into the container. Errors: corrupt, io,
// no_memory.
Result<std::vector<ContainerNumber>> find_containers(const store::Transaction& transaction,
                                                     DirectoryKind kind, Bytes id);
// Errors: those of WriteTransaction::put.
Status add_container(store::WriteTransaction& transaction, DirectoryKind kind, Bytes id,
                     ContainerNumber container);
// Afterwards there is nothing in it, or as few runs as can be.
Status clear_directory(store::WriteTransaction& transaction);
Status merge_directory(store::WriteTransaction& transaction);

}  // namespace tracelite::record
