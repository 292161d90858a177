// Ids to containers: where a trace, a session or a score lies (KeySpace::directory), and in which
// traces an observation is whose id alone is known (KeySpace::run). Both can be rebuilt from the
// records.
//
// Directory: key: DirectoryKind (1 byte), XXH3-64 of the id (8 bytes); value: container numbers,
// 6 bytes each, of all ids with this hash: the reader compares the ids in the records.
//
// Runs: there is no B-tree over observation ids, because random ids would dirty a page each. Every
// commit adds one sorted run of its new observations; eight runs of a level are merged into one of
// the next, up to kRunEntriesMax entries. Key: run number (4 bytes), part (4 bytes); value: entries
// of 10 bytes, the entity key (4 bytes) and the container (6 bytes), ascending.
// The list of runs is under `meta` "runs": number (4), level (1), parts (4), entries (8) each.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/result.hpp"
#include "record/record_key.hpp"
#include "store/environment.hpp"

namespace tracelite::record {

enum class DirectoryKind : std::uint8_t { trace = 1, session = 2, score = 3 };

inline constexpr std::size_t kRunFanout = 8;
inline constexpr std::size_t kRunEntriesMax = 262'144;
inline constexpr std::size_t kRunEntrySizeBytes = 4 + kContainerSizeBytes;

// The containers that may hold the id: nearly always none or one.
Result<std::vector<ContainerNumber>> find_containers(const store::Transaction& transaction,
                                                     DirectoryKind kind, Bytes id);
Status add_container(store::WriteTransaction& transaction, DirectoryKind kind, Bytes id,
                     ContainerNumber container);
Status remove_container(store::WriteTransaction& transaction, DirectoryKind kind, Bytes id,
                        ContainerNumber container);

struct RunEntry {
  EntityKey key = 0;
  ContainerNumber container = 0;
  friend auto operator<=>(const RunEntry&, const RunEntry&) = default;
};

// Adds the new observations of one commit. `entries` need not be sorted.
Status add_run(store::WriteTransaction& transaction, std::vector<RunEntry> entries);
// The containers that may hold an observation with this natural key, ascending, each once. Moved
// and removed observations leave stale entries: the reader looks into the container.
Result<std::vector<ContainerNumber>> find_in_runs(const store::Transaction& transaction,
                                                  EntityKey key);
// The entries of all runs, stale ones included.
Result<std::uint64_t> run_entry_count(const store::Transaction& transaction);
// Drops the entries of containers that are gone, beginning with run number `first`, from as many
// runs as have about kRunEntriesMax entries. Returns the `first` of the next call; nullopt: these
// were the last. Records must have been flushed.
Result<std::optional<std::uint32_t>> prune_runs(store::WriteTransaction& transaction,
                                                std::uint32_t first);

}  // namespace tracelite::record
