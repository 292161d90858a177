// Sorted runs of (hash of an id, container): what the directory consists of.
//
// There is no B-tree over ids, because each random id would dirty a page of its own. Every commit
// adds one sorted run of its new ids instead; eight runs of a level are merged into one of the
// next, up to kRunEntriesMax entries. What a trickle adds collects in a short run first, which lies
// in the list of the runs, so that it dirties no page of its own. What is gone leaves its entries
// behind, which is harmless: readers look into the container.
//
// Knows hashes and containers; must not know whose ids they are. A family of runs has a sealable
// key space of its own. Key: run number (4 bytes), part (4); value: entries, a page of them at most
// and strictly ascending through all parts, each the hash (4 bytes) and the container less the
// run's base (as many bytes as the run says).
// The list of a family's runs is under `meta`, by the name of its key space: number (4), level (1),
// parts (4), entries (8), base (6) and bytes of a container (1) each; behind that of a short run,
// which has no parts and is the only one of its kind, its entries.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "record/record_key.hpp"
#include "store/environment.hpp"

namespace tracelite::record {

inline constexpr int kRunHashBits = 31;
inline constexpr std::size_t kRunFanout = 8;
inline constexpr std::size_t kRunEntriesMax = 262'144;
inline constexpr std::size_t kShortRunEntriesMax = 64;

struct RunEntry {
  std::uint32_t hash = 0;  // of kRunHashBits, evenly distributed
  ContainerNumber container = 0;
  friend auto operator<=>(const RunEntry&, const RunEntry&) = default;
};

struct Run {
  std::uint32_t number = 0;
  std::uint8_t level = 0;
  std::uint32_t part_count = 0;  // 0: a short run
  std::uint64_t entry_count = 0;
  ContainerNumber base = 0;  // the least container
  std::uint8_t container_size_bytes = 0;
  std::vector<RunEntry> entries{};  // of a short run

  [[nodiscard]] std::size_t entry_size_bytes() const { return 4U + container_size_bytes; }
};
using Runs = std::vector<Run>;

Result<Runs> read_runs(const store::Transaction& transaction, store::KeySpace family);
// Adds the containers that may hold an id with this hash.
Status find_in_runs(const store::Transaction& transaction, store::KeySpace family, const Runs& runs,
                    std::uint32_t hash, std::vector<ContainerNumber>& found);
// `entries` need not be sorted.
Status add_run(store::WriteTransaction& transaction, store::KeySpace family,
               std::vector<RunEntry> entries);
// Joins those that are not large yet.
Status merge_runs(store::WriteTransaction& transaction, store::KeySpace family);
// The entries of all runs, stale ones included.
Result<std::uint64_t> run_entry_count(const store::Transaction& transaction,
                                      store::KeySpace family);
// Drops the entries of containers that are gone, beginning with run number `first`, from as many
// runs as have about kRunEntriesMax entries. Returns the `first` of the next call; nullopt: these
// were the last. Records must have been flushed.
Result<std::optional<std::uint32_t>> prune_runs(store::WriteTransaction& transaction,
                                                store::KeySpace family, std::uint32_t first);
Status clear_runs(store::WriteTransaction& transaction, store::KeySpace family);

}  // namespace tracelite::record
