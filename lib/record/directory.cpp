// Look-ups and upkeep of the directory, and of the runs with their merging.
#include "record/directory.hpp"

#include <xxhash.h>

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "record/records.hpp"
#include "store/sealed.hpp"

namespace tracelite::record {
namespace {

using store::KeySpace;

constexpr Bytes kRunsKey = "runs";
constexpr std::size_t kRunDescriptionSizeBytes = 4 + 1 + 4 + 8;
constexpr std::size_t kEntriesPerPart = store::kOnePageValueSizeBytes / kRunEntrySizeBytes;

struct Run {
  std::uint32_t number = 0;
  std::uint8_t level = 0;
  std::uint32_t part_count = 0;
  std::uint64_t entry_count = 0;
};

std::string directory_key(DirectoryKind kind, Bytes id) {
  std::string key(1, static_cast<char>(kind));
  append_big_endian(key, XXH3_64bits(id.data(), id.size()));
  return key;
}

std::vector<ContainerNumber> decode_containers(Bytes value) {
  std::vector<ContainerNumber> containers;
  for (; value.size() >= kContainerSizeBytes; value.remove_prefix(kContainerSizeBytes)) {
    containers.push_back(read_big_endian(value.substr(0, kContainerSizeBytes)));
  }
  return containers;
}

std::string encode_containers(const std::vector<ContainerNumber>& containers) {
  std::string value;
  for (const ContainerNumber number : containers) {
    append_big_endian(value, number, kContainerSizeBytes);
  }
  return value;
}

Result<std::vector<Run>> read_runs(const store::Transaction& transaction) {
  TL_TRY_ASSIGN(value, transaction.get(KeySpace::meta, kRunsKey));
  std::vector<Run> runs;
  if (!value) return runs;
  ByteReader reader(*value);
  while (!reader.at_end()) {
    Run run;
    run.number = static_cast<std::uint32_t>(reader.big_endian(4));
    run.level = reader.byte();
    run.part_count = static_cast<std::uint32_t>(reader.big_endian(4));
    run.entry_count = reader.big_endian(8);
    runs.push_back(run);
  }
  if (reader.failed()) return make_error(Code::corrupt, "the list of runs is damaged");
  return runs;
}

Status write_runs(store::WriteTransaction& transaction, const std::vector<Run>& runs) {
  std::string value;
  value.reserve(runs.size() * kRunDescriptionSizeBytes);
  for (const Run& run : runs) {
    append_big_endian(value, run.number);
    value.push_back(static_cast<char>(run.level));
    append_big_endian(value, run.part_count);
    append_big_endian(value, run.entry_count);
  }
  return transaction.put(KeySpace::meta, kRunsKey, value);
}

std::string part_key(std::uint32_t run, std::uint32_t part) {
  std::string key;
  append_big_endian(key, run);
  append_big_endian(key, part);
  return key;
}

RunEntry entry_at(Bytes part, std::size_t index) {
  const Bytes entry = part.substr(index * kRunEntrySizeBytes, kRunEntrySizeBytes);
  return {static_cast<std::uint32_t>(read_big_endian(entry.substr(0, 4))),
          read_big_endian(entry.substr(4))};
}

Result<Bytes> read_part(const store::Transaction& transaction, const Run& run, std::uint32_t part) {
  TL_TRY_ASSIGN(value, store::get_sealable(transaction, KeySpace::run, part_key(run.number, part)));
  if (!value || value->size() % kRunEntrySizeBytes != 0 || value->empty()) {
    return make_error(Code::corrupt, "a run of observation ids is damaged; reindex rebuilds it");
  }
  return *value;
}

Status write_parts(store::WriteTransaction& transaction, Run& run,
                   const std::vector<RunEntry>& entries) {
  run.entry_count = entries.size();
  run.part_count = 0;
  for (std::size_t first = 0; first < entries.size(); first += kEntriesPerPart) {
    const std::size_t last = std::min(first + kEntriesPerPart, entries.size());
    std::string value;
    for (std::size_t i = first; i < last; ++i) {
      append_big_endian(value, entries[i].key);
      append_big_endian(value, entries[i].container, kContainerSizeBytes);
    }
    TL_TRY(store::put_sealable(transaction, KeySpace::run, part_key(run.number, run.part_count++),
                               value));
  }
  return {};
}

// Moves the entries of a run out of the file.
Status take_run(store::WriteTransaction& transaction, const Run& run,
                std::vector<RunEntry>& entries) {
  for (std::uint32_t part = 0; part < run.part_count; ++part) {
    TL_TRY_ASSIGN(value, read_part(transaction, run, part));
    for (std::size_t i = 0; i < value.size() / kRunEntrySizeBytes; ++i) {
      entries.push_back(entry_at(value, i));
    }
    TL_TRY(store::erase_sealable(transaction, KeySpace::run, part_key(run.number, part)));
  }
  return {};
}

// Merges the runs of one level if there are enough of them; true if it did.
Result<bool> merge_level(store::WriteTransaction& transaction, std::vector<Run>& runs,
                         std::uint8_t level) {
  std::size_t count = 0;
  std::uint64_t total = 0;
  for (const Run& run : runs) {
    if (run.level != level) continue;
    ++count;
    total += run.entry_count;
  }
  if (count < kRunFanout || total > kRunEntriesMax) return false;
  std::vector<RunEntry> entries;
  entries.reserve(static_cast<std::size_t>(total));
  Run merged;
  for (const Run& run : runs) {
    merged.number = std::max(merged.number, run.number + 1);
    if (run.level == level) TL_TRY(take_run(transaction, run, entries));
  }
  std::erase_if(runs, [&](const Run& run) { return run.level == level; });
  std::sort(entries.begin(), entries.end());
  entries.erase(std::unique(entries.begin(), entries.end()), entries.end());
  merged.level = static_cast<std::uint8_t>(level + 1);
  TL_TRY(write_parts(transaction, merged, entries));
  runs.push_back(merged);
  return true;
}

// The first part of a run that can hold the key: the last whose first entry is not beyond it, or
// the one before, where equal keys may start.
Result<std::uint32_t> first_part_for(const store::Transaction& transaction, const Run& run,
                                     EntityKey wanted) {
  std::uint32_t low = 0;
  std::uint32_t high = run.part_count;
  while (high - low > 1) {
    const std::uint32_t middle = low + (high - low) / 2;
    TL_TRY_ASSIGN(part, read_part(transaction, run, middle));
    if (entry_at(part, 0).key < wanted) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

Status find_in_run(const store::Transaction& transaction, const Run& run, EntityKey wanted,
                   std::vector<ContainerNumber>& found) {
  if (run.part_count == 0) return {};
  TL_TRY_ASSIGN(first, first_part_for(transaction, run, wanted));
  for (std::uint32_t number = first; number < run.part_count; ++number) {
    TL_TRY_ASSIGN(part, read_part(transaction, run, number));
    std::size_t low = 0;
    std::size_t high = part.size() / kRunEntrySizeBytes;
    const std::size_t count = high;
    while (low < high) {
      const std::size_t middle = low + (high - low) / 2;
      if (entry_at(part, middle).key < wanted) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    for (; low < count && entry_at(part, low).key == wanted; ++low) {
      found.push_back(entry_at(part, low).container);
    }
    if (low < count) break;
  }
  return {};
}

}  // namespace

Result<std::vector<ContainerNumber>> find_containers(const store::Transaction& transaction,
                                                     DirectoryKind kind, Bytes id) {
  TL_TRY_ASSIGN(value,
                store::get_sealable(transaction, KeySpace::directory, directory_key(kind, id)));
  return value ? decode_containers(*value) : std::vector<ContainerNumber>();
}

Status add_container(store::WriteTransaction& transaction, DirectoryKind kind, Bytes id,
                     ContainerNumber container) {
  TL_TRY_ASSIGN(containers, find_containers(transaction, kind, id));
  if (std::find(containers.begin(), containers.end(), container) != containers.end()) return {};
  containers.push_back(container);
  return store::put_sealable(transaction, KeySpace::directory, directory_key(kind, id),
                             encode_containers(containers));
}

Status remove_container(store::WriteTransaction& transaction, DirectoryKind kind, Bytes id,
                        ContainerNumber container) {
  TL_TRY_ASSIGN(containers, find_containers(transaction, kind, id));
  std::erase(containers, container);
  const std::string key = directory_key(kind, id);
  if (!containers.empty()) {
    return store::put_sealable(transaction, KeySpace::directory, key,
                               encode_containers(containers));
  }
  TL_TRY(store::erase_sealable(transaction, KeySpace::directory, key));
  return {};
}

Status add_run(store::WriteTransaction& transaction, std::vector<RunEntry> entries) {
  if (entries.empty()) return {};
  std::sort(entries.begin(), entries.end());
  entries.erase(std::unique(entries.begin(), entries.end()), entries.end());
  TL_TRY_ASSIGN(runs, read_runs(transaction));
  Run run;
  for (const Run& other : runs) run.number = std::max(run.number, other.number + 1);
  // The level goes by size, so that runs of about one size are merged.
  for (std::size_t size = entries.size(); size >= kRunFanout; size /= kRunFanout) ++run.level;
  TL_TRY(write_parts(transaction, run, entries));
  runs.push_back(run);
  for (std::uint8_t level = 0; level < UINT8_MAX; ++level) {
    const bool any_at_or_above =
        std::any_of(runs.begin(), runs.end(), [&](const Run& one) { return one.level >= level; });
    if (!any_at_or_above) break;
    if (auto merged = merge_level(transaction, runs, level); !merged) {
      return std::move(merged).error();
    }
  }
  return write_runs(transaction, runs);
}

Result<std::vector<ContainerNumber>> find_in_runs(const store::Transaction& transaction,
                                                  EntityKey key) {
  TL_TRY_ASSIGN(runs, read_runs(transaction));
  std::vector<ContainerNumber> found;
  for (const Run& run : runs) TL_TRY(find_in_run(transaction, run, key, found));
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

// ------------------------------------------------------------------------------ pruning

namespace {

// Which containers there are, each looked up once.
class Containers {
 public:
  explicit Containers(const store::Transaction& transaction) : records_(records(transaction)) {}

  Result<bool> has(ContainerNumber container) {
    if (const auto known = known_.find(container); known != known_.end()) return known->second;
    std::string begin;
    append_big_endian(begin, container, kContainerSizeBytes);
    TL_TRY_ASSIGN(found, records_.at_least(begin));
    return known_[container] = found && found->key.starts_with(begin);
  }

 private:
  store::PackedSpace& records_;
  std::unordered_map<ContainerNumber, bool> known_;
};

// The entries of a run that are not stale. Errors: corrupt, io.
Result<std::vector<RunEntry>> live_entries(const store::Transaction& transaction, const Run& run) {
  Containers containers(transaction);
  std::vector<RunEntry> entries;
  for (std::uint32_t part = 0; part < run.part_count; ++part) {
    TL_TRY_ASSIGN(value, read_part(transaction, run, part));
    for (std::size_t i = 0; i < value.size() / kRunEntrySizeBytes; ++i) {
      const RunEntry entry = entry_at(value, i);
      TL_TRY_ASSIGN(is_there, containers.has(entry.container));
      if (is_there) entries.push_back(entry);
    }
  }
  return entries;
}

Status rewrite_run(store::WriteTransaction& transaction, Run& run,
                   const std::vector<RunEntry>& entries) {
  const std::uint32_t parts_before = run.part_count;
  TL_TRY(write_parts(transaction, run, entries));
  for (std::uint32_t part = run.part_count; part < parts_before; ++part) {
    TL_TRY(store::erase_sealable(transaction, KeySpace::run, part_key(run.number, part)));
  }
  return {};
}

}  // namespace

Result<std::uint64_t> run_entry_count(const store::Transaction& transaction) {
  TL_TRY_ASSIGN(runs, read_runs(transaction));
  std::uint64_t count = 0;
  for (const Run& run : runs) count += run.entry_count;
  return count;
}

Result<std::optional<std::uint32_t>> prune_runs(store::WriteTransaction& transaction,
                                                std::uint32_t first) {
  TL_TRY_ASSIGN(runs, read_runs(transaction));
  std::sort(runs.begin(), runs.end(),
            [](const Run& a, const Run& b) { return a.number < b.number; });
  std::uint64_t seen = 0;
  std::optional<std::uint32_t> next;
  for (Run& run : runs) {
    if (run.number < first) continue;
    if (seen > 0 && seen + run.entry_count > kRunEntriesMax) {
      next = run.number;
      break;
    }
    seen += run.entry_count;
    TL_TRY_ASSIGN(entries, live_entries(transaction, run));
    if (entries.size() < run.entry_count) TL_TRY(rewrite_run(transaction, run, entries));
  }
  std::erase_if(runs, [](const Run& run) { return run.entry_count == 0; });
  TL_TRY(write_runs(transaction, runs));
  return next;
}

}  // namespace tracelite::record
