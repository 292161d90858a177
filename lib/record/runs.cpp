// Runs: written once, searched, merged and pruned.
#include "record/runs.hpp"

#include <algorithm>
#include <set>
#include <span>
#include <string>
#include <unordered_map>

#include "record/records.hpp"
#include "store/sealed.hpp"

namespace tracelite::record {
namespace {

using store::KeySpace;

constexpr std::size_t kHashSizeBytes = 4;
constexpr std::size_t kRunSizeBytes = 4 + 1 + 4 + 8 + kContainerSizeBytes + 1;
static_assert(kRunSizeBytes == 24 && kRunHashBits <= 8 * kHashSizeBytes);

Bytes list_key(KeySpace family) { return store::kKeySpaceNames[static_cast<std::size_t>(family)]; }

void append_entries(std::string& value, const Run& run, std::span<const RunEntry> entries) {
  for (const RunEntry& entry : entries) {
    append_big_endian(value, entry.hash);
    append_big_endian(value, entry.container - run.base, run.container_size_bytes);
  }
}

// What the run says of its entries, which are sorted.
void describe(Run& run, const std::vector<RunEntry>& entries) {
  run.entry_count = entries.size();
  run.part_count = 0;
  run.entries.clear();
  if (entries.empty()) return;
  const auto [least, largest] = std::minmax_element(
      entries.begin(), entries.end(),
      [](const RunEntry& a, const RunEntry& b) { return a.container < b.container; });
  run.base = least->container;
  run.container_size_bytes = 1;
  while ((largest->container - run.base) >> (8 * run.container_size_bytes) != 0) {
    ++run.container_size_bytes;
  }
}

Status write_runs(store::WriteTransaction& transaction, KeySpace family, const Runs& runs) {
  std::string value;
  value.reserve(runs.size() * kRunSizeBytes);
  for (const Run& run : runs) {
    append_big_endian(value, run.number);
    value.push_back(static_cast<char>(run.level));
    append_big_endian(value, run.part_count);
    append_big_endian(value, run.entry_count);
    append_big_endian(value, run.base, kContainerSizeBytes);
    value.push_back(static_cast<char>(run.container_size_bytes));
    if (run.part_count == 0) append_entries(value, run, run.entries);
  }
  return transaction.put(KeySpace::meta, list_key(family), value);
}

std::string part_key(std::uint32_t run, std::uint32_t part) {
  std::string key;
  append_big_endian(key, run);
  append_big_endian(key, part);
  return key;
}

std::uint32_t hash_at(const Run& run, Bytes part, std::size_t index) {
  return static_cast<std::uint32_t>(
      read_big_endian(part.substr(index * run.entry_size_bytes(), kHashSizeBytes)));
}
RunEntry entry_at(const Run& run, Bytes part, std::size_t index) {
  const Bytes container =
      part.substr(index * run.entry_size_bytes() + kHashSizeBytes, run.container_size_bytes);
  return {hash_at(run, part, index), run.base + read_big_endian(container)};
}

Error damaged() {
  return make_error(Code::corrupt, "the directory of ids is damaged; reindex rebuilds it");
}

// A stranger's entries may not be in order. What is told of them is checked, so that none is told
// twice, and memory stays below what they take in the file.
class AscendingEntries {
 public:
  explicit AscendingEntries(const Run& run) : count_max_(run.entry_count) {}

  // Errors: corrupt.
  Status next(const RunEntry& entry) {
    if (count_ > 0 && entry <= last_) return damaged();
    if (++count_ > count_max_) return damaged();
    last_ = entry;
    return {};
  }

 private:
  const std::uint64_t count_max_;
  std::uint64_t count_ = 0;
  RunEntry last_{};
};

Result<Bytes> read_part(const store::Transaction& transaction, KeySpace family, const Run& run,
                        std::uint32_t part) {
  TL_TRY_ASSIGN(value, store::get_sealable(transaction, family, part_key(run.number, part)));
  if (!value || value->empty() || value->size() > store::kOnePageValueSizeBytes ||
      value->size() % run.entry_size_bytes() != 0) {
    return damaged();
  }
  return *value;
}

Status write_parts(store::WriteTransaction& transaction, KeySpace family, Run& run,
                   const std::vector<RunEntry>& entries) {
  describe(run, entries);
  const std::size_t entries_a_part = store::kOnePageValueSizeBytes / run.entry_size_bytes();
  for (std::size_t first = 0; first < entries.size(); first += entries_a_part) {
    const std::size_t last = std::min(first + entries_a_part, entries.size());
    std::string value;
    append_entries(value, run, std::span(entries).subspan(first, last - first));
    TL_TRY(store::put_sealable(transaction, family, part_key(run.number, run.part_count++), value));
  }
  return {};
}

std::uint32_t next_number(const Runs& runs) {
  std::uint32_t number = 0;
  for (const Run& run : runs) number = std::max(number, run.number + 1);
  return number;
}

// Moves the entries of a run out of the file.
Status take_run(store::WriteTransaction& transaction, KeySpace family, const Run& run,
                std::vector<RunEntry>& entries) {
  entries.insert(entries.end(), run.entries.begin(), run.entries.end());
  AscendingEntries ascending(run);
  for (std::uint32_t part = 0; part < run.part_count; ++part) {
    TL_TRY_ASSIGN(value, read_part(transaction, family, run, part));
    for (std::size_t i = 0; i < value.size() / run.entry_size_bytes(); ++i) {
      TL_TRY(ascending.next(entry_at(run, value, i)));
      entries.push_back(entry_at(run, value, i));
    }
    TL_TRY(store::erase_sealable(transaction, family, part_key(run.number, part)));
  }
  return {};
}

// One run of those that `is_part_of` says.
template <class IsPartOf>
Status merge(store::WriteTransaction& transaction, KeySpace family, Runs& runs, std::uint8_t level,
             const IsPartOf& is_part_of) {
  Run merged;
  merged.number = next_number(runs);
  merged.level = level;
  std::vector<RunEntry> entries;
  for (const Run& run : runs) {
    if (is_part_of(run)) TL_TRY(take_run(transaction, family, run, entries));
  }
  std::erase_if(runs, is_part_of);
  std::sort(entries.begin(), entries.end());
  entries.erase(std::unique(entries.begin(), entries.end()), entries.end());
  TL_TRY(write_parts(transaction, family, merged, entries));
  runs.push_back(merged);
  return {};
}

// Merges the runs of one level if there are enough of them, or as many as make no run that is too
// long.
Status merge_level(store::WriteTransaction& transaction, KeySpace family, Runs& runs,
                   std::uint8_t level) {
  std::size_t count = 0;
  std::set<std::uint32_t> chosen;
  std::uint64_t total = 0;
  for (const Run& run : runs) {
    if (run.level != level) continue;
    ++count;
    if (total + run.entry_count > kRunEntriesMax) continue;
    chosen.insert(run.number);
    total += run.entry_count;
  }
  if (count < kRunFanout || chosen.size() < 2) return {};
  return merge(transaction, family, runs, static_cast<std::uint8_t>(level + 1),
               [&](const Run& run) { return chosen.contains(run.number); });
}

// The first part that can hold the hash: the last whose first entry is lower, or the very first.
// Hashes are evenly distributed, so it is near the place that the hash itself says.
Result<std::uint32_t> first_part_for(const store::Transaction& transaction, KeySpace family,
                                     const Run& run, std::uint32_t wanted) {
  auto part = static_cast<std::uint32_t>(std::uint64_t{wanted} * run.part_count >> kRunHashBits);
  part = std::min(part, run.part_count - 1);
  for (;; --part) {
    TL_TRY_ASSIGN(value, read_part(transaction, family, run, part));
    if (part == 0 || hash_at(run, value, 0) < wanted) break;
  }
  for (; part + 1 < run.part_count; ++part) {
    TL_TRY_ASSIGN(value, read_part(transaction, family, run, part + 1));
    if (hash_at(run, value, 0) >= wanted) break;
  }
  return part;
}

Status find_in_run(const store::Transaction& transaction, KeySpace family, const Run& run,
                   std::uint32_t wanted, std::vector<ContainerNumber>& found) {
  if (run.part_count == 0) {
    for (const RunEntry& entry : run.entries) {
      if (entry.hash == wanted) found.push_back(entry.container);
    }
    return {};
  }
  AscendingEntries ascending(run);
  TL_TRY_ASSIGN(first, first_part_for(transaction, family, run, wanted));
  for (std::uint32_t number = first; number < run.part_count; ++number) {
    TL_TRY_ASSIGN(part, read_part(transaction, family, run, number));
    const std::size_t count = part.size() / run.entry_size_bytes();
    std::size_t low = 0;
    for (std::size_t high = count; low < high;) {
      const std::size_t middle = low + (high - low) / 2;
      if (hash_at(run, part, middle) < wanted) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    for (; low < count && hash_at(run, part, low) == wanted; ++low) {
      TL_TRY(ascending.next(entry_at(run, part, low)));
      found.push_back(entry_at(run, part, low).container);
    }
    if (low < count) break;
  }
  return {};
}

}  // namespace

Result<Runs> read_runs(const store::Transaction& transaction, KeySpace family) {
  TL_TRY_ASSIGN(value, transaction.get(KeySpace::meta, list_key(family)));
  Runs runs;
  if (!value) return runs;
  ByteReader reader(*value);
  std::set<std::uint32_t> numbers;
  while (!reader.at_end()) {
    Run run;
    run.number = static_cast<std::uint32_t>(reader.big_endian(4));
    run.level = reader.byte();
    run.part_count = static_cast<std::uint32_t>(reader.big_endian(4));
    run.entry_count = reader.big_endian(8);
    run.base = reader.big_endian(kContainerSizeBytes);
    run.container_size_bytes = reader.byte();
    if (run.container_size_bytes == 0 || run.container_size_bytes > kContainerSizeBytes) {
      return damaged();
    }
    if (!numbers.insert(run.number).second) return damaged();
    if (run.part_count == 0) {
      if (run.entry_count > kShortRunEntriesMax) return damaged();
      const Bytes entries = reader.take(run.entry_count * run.entry_size_bytes());
      if (reader.failed()) return damaged();
      AscendingEntries ascending(run);
      for (std::size_t i = 0; i < run.entry_count; ++i) {
        TL_TRY(ascending.next(entry_at(run, entries, i)));
        run.entries.push_back(entry_at(run, entries, i));
      }
    }
    runs.push_back(run);
  }
  if (reader.failed()) return damaged();
  return runs;
}

Status find_in_runs(const store::Transaction& transaction, KeySpace family, const Runs& runs,
                    std::uint32_t hash, std::vector<ContainerNumber>& found) {
  for (const Run& run : runs) TL_TRY(find_in_run(transaction, family, run, hash, found));
  return {};
}

Status add_run(store::WriteTransaction& transaction, KeySpace family,
               std::vector<RunEntry> entries) {
  if (entries.empty()) return {};
  TL_TRY_ASSIGN(runs, read_runs(transaction, family));
  for (const Run& run : runs) entries.insert(entries.end(), run.entries.begin(), run.entries.end());
  std::erase_if(runs, [](const Run& run) { return run.part_count == 0; });
  std::sort(entries.begin(), entries.end());
  entries.erase(std::unique(entries.begin(), entries.end()), entries.end());
  Run run;
  run.number = next_number(runs);
  if (entries.size() <= kShortRunEntriesMax) {
    describe(run, entries);
    run.entries = std::move(entries);
    runs.push_back(run);
    return write_runs(transaction, family, runs);
  }
  // The level goes by size, so that runs of about one size are merged.
  for (std::size_t size = entries.size(); size >= kRunFanout; size /= kRunFanout) ++run.level;
  TL_TRY(write_parts(transaction, family, run, entries));
  runs.push_back(run);
  for (std::uint8_t level = 0; level < UINT8_MAX; ++level) {
    const bool any_at_or_above =
        std::any_of(runs.begin(), runs.end(), [&](const Run& one) { return one.level >= level; });
    if (!any_at_or_above) break;
    TL_TRY(merge_level(transaction, family, runs, level));
  }
  return write_runs(transaction, family, runs);
}

Status merge_runs(store::WriteTransaction& transaction, KeySpace family) {
  TL_TRY_ASSIGN(runs, read_runs(transaction, family));
  std::vector<std::uint32_t> chosen;
  std::uint64_t total = 0;
  std::uint8_t level = 0;
  for (const Run& run : runs) {
    if (total + run.entry_count > kRunEntriesMax) continue;
    chosen.push_back(run.number);
    total += run.entry_count;
    level = std::max(level, run.level);
  }
  if (chosen.size() < 2) return {};
  TL_TRY(merge(transaction, family, runs, level, [&](const Run& run) {
    return std::find(chosen.begin(), chosen.end(), run.number) != chosen.end();
  }));
  return write_runs(transaction, family, runs);
}

Status clear_runs(store::WriteTransaction& transaction, KeySpace family) {
  TL_TRY(store::clear_sealable(transaction, family));
  auto erased = transaction.erase(KeySpace::meta, list_key(family));
  return erased ? Status() : Status(std::move(erased).error());
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

// The entries of a run that are not stale.
Result<std::vector<RunEntry>> live_entries(const store::Transaction& transaction, KeySpace family,
                                           const Run& run) {
  Containers containers(transaction);
  AscendingEntries ascending(run);
  std::vector<RunEntry> entries;
  for (const RunEntry& entry : run.entries) {
    TL_TRY_ASSIGN(is_there, containers.has(entry.container));
    if (is_there) entries.push_back(entry);
  }
  for (std::uint32_t part = 0; part < run.part_count; ++part) {
    TL_TRY_ASSIGN(value, read_part(transaction, family, run, part));
    for (std::size_t i = 0; i < value.size() / run.entry_size_bytes(); ++i) {
      const RunEntry entry = entry_at(run, value, i);
      TL_TRY(ascending.next(entry));
      TL_TRY_ASSIGN(is_there, containers.has(entry.container));
      if (is_there) entries.push_back(entry);
    }
  }
  return entries;
}

Status rewrite_run(store::WriteTransaction& transaction, KeySpace family, Run& run,
                   const std::vector<RunEntry>& entries) {
  const std::uint32_t parts_before = run.part_count;
  if (parts_before == 0) {
    describe(run, entries);
    run.entries = entries;
    return {};
  }
  TL_TRY(write_parts(transaction, family, run, entries));
  for (std::uint32_t part = run.part_count; part < parts_before; ++part) {
    TL_TRY(store::erase_sealable(transaction, family, part_key(run.number, part)));
  }
  return {};
}

}  // namespace

Result<std::uint64_t> run_entry_count(const store::Transaction& transaction, KeySpace family) {
  TL_TRY_ASSIGN(runs, read_runs(transaction, family));
  std::uint64_t count = 0;
  for (const Run& run : runs) count += run.entry_count;
  return count;
}

Result<std::optional<std::uint32_t>> prune_runs(store::WriteTransaction& transaction,
                                                KeySpace family, std::uint32_t first) {
  TL_TRY_ASSIGN(runs, read_runs(transaction, family));
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
    TL_TRY_ASSIGN(entries, live_entries(transaction, family, run));
    if (entries.size() < run.entry_count) TL_TRY(rewrite_run(transaction, family, run, entries));
  }
  std::erase_if(runs, [](const Run& run) { return run.entry_count == 0; });
  TL_TRY(write_runs(transaction, family, runs));
  return next;
}

}  // namespace tracelite::record
