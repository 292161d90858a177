// What a transaction knows of the runs, and what it has added to them.
#include "record/directory.hpp"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>

#include "record/runs.hpp"

namespace tracelite::record {
namespace {

using store::KeySpace;

// Entries that wait for the commit are written before when they are so many.
constexpr std::size_t kPendingMax = kRunEntriesMax / 4;

std::uint32_t hash_of(DirectoryKind kind, Bytes id) {
  return static_cast<std::uint32_t>(
      XXH3_64bits_withSeed(id.data(), id.size(), static_cast<XXH64_hash_t>(kind)) >>
      (64 - kRunHashBits));
}

class Directory : public store::Companion {
 public:
  static Directory& of(const store::Transaction& transaction) {
    auto& companion = transaction.companion(store::CompanionSlot::directory);
    if (!companion) companion = std::make_unique<Directory>();
    return static_cast<Directory&>(*companion);
  }

  Result<std::vector<ContainerNumber>> find(const store::Transaction& transaction,
                                            DirectoryKind kind, Bytes id) {
    Family& family = family_of(kind);
    if (!family.runs) {
      TL_TRY_ASSIGN(runs, read_runs(transaction, family.space));
      family.runs = std::move(runs);
    }
    const std::uint32_t hash = hash_of(kind, id);
    std::vector<ContainerNumber> found;
    const auto [first, last] = family.pending.equal_range(hash);
    for (auto at = first; at != last; ++at) found.push_back(at->second);
    TL_TRY(find_in_runs(transaction, family.space, *family.runs, hash, found));
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
  }

  Status add(store::WriteTransaction& transaction, DirectoryKind kind, Bytes id,
             ContainerNumber container) {
    Family& family = family_of(kind);
    family.pending.emplace(hash_of(kind, id), container);
    return family.pending.size() < kPendingMax ? Status() : write(transaction, family);
  }

  Status before_commit(store::WriteTransaction& transaction) override {
    for (Family& family : families_) TL_TRY(write(transaction, family));
    return {};
  }

  Status clear(store::WriteTransaction& transaction) {
    for (Family& family : families_) {
      family.pending.clear();
      family.runs.reset();
      TL_TRY(clear_runs(transaction, family.space));
    }
    return {};
  }

  Status merge(store::WriteTransaction& transaction) {
    TL_TRY(before_commit(transaction));
    for (Family& family : families_) {
      family.runs.reset();
      TL_TRY(merge_runs(transaction, family.space));
    }
    return {};
  }

 private:
  struct Family {
    KeySpace space;
    std::optional<Runs> runs;                                         // as they are in the file
    std::unordered_multimap<std::uint32_t, ContainerNumber> pending;  // what is not there yet
  };

  Family& family_of(DirectoryKind kind) {
    return families_[kind == DirectoryKind::observation ? 1 : 0];
  }

  static Status write(store::WriteTransaction& transaction, Family& family) {
    if (family.pending.empty()) return {};
    std::vector<RunEntry> entries;
    entries.reserve(family.pending.size());
    for (const auto& [hash, container] : family.pending) entries.push_back({hash, container});
    family.pending.clear();
    family.runs.reset();
    return add_run(transaction, family.space, std::move(entries));
  }

  std::array<Family, 2> families_ = {{{KeySpace::directory, std::nullopt, {}},
                                      {KeySpace::observation_directory, std::nullopt, {}}}};
};

}  // namespace

Result<std::vector<ContainerNumber>> find_containers(const store::Transaction& transaction,
                                                     DirectoryKind kind, Bytes id) {
  return Directory::of(transaction).find(transaction, kind, id);
}

Status add_container(store::WriteTransaction& transaction, DirectoryKind kind, Bytes id,
                     ContainerNumber container) {
  return Directory::of(transaction).add(transaction, kind, id, container);
}

Status clear_directory(store::WriteTransaction& transaction) {
  return Directory::of(transaction).clear(transaction);
}

Status merge_directory(store::WriteTransaction& transaction) {
  return Directory::of(transaction).merge(transaction);
}

}  // namespace tracelite::record
