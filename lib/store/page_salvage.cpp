// See page_salvage.hpp.
#include "store/page_salvage.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "store/content_sums.hpp"
#include "store/damaged_file.hpp"
#include "store/errors.hpp"
#include "store/format.hpp"
#include "store/loose_page.hpp"

namespace tracelite::store {
namespace {

// Of one key space; beyond them everything counts as missing.
constexpr std::size_t kGapsMax = 1024;

// Keys that are missing: from one on and below another.
struct Gap {
  std::string at_least;
  std::optional<std::string> below;
  [[nodiscard]] bool has(Bytes key) const { return key >= at_least && (!below || key < *below); }
};

struct SpaceState {
  bool is_whole = true;  // every page of its tree was read
  std::vector<Gap> gaps;
  std::uint64_t taken_count = 0;
  std::uint64_t bad_value_count = 0;
};

class Salvager {
 public:
  Salvager(int descriptor, const std::string& path, const std::array<bool, kKeySpaceCount>& wanted,
           const TakeSalvaged& take, const PageFindingFunction& finding,
           const PageProgress& progress)
      : descriptor_(descriptor),
        path_(path),
        wanted_(wanted),
        take_(take),
        finding_(finding),
        progress_(progress) {}

  Result<PageSalvage> run(const CommitNumber& commit_number);

 private:
  struct Pending {
    std::uint64_t number = 0;
    std::uint16_t depth = 0;
    std::string at_least;
    std::optional<std::string> below;
  };

  Status walk(std::size_t space);
  void compare_sums();
  Status visit(std::size_t space, const Pending& at, std::vector<Pending>& pending);
  void push_children(const LoosePage& page, const Pending& at, std::vector<Pending>& pending);
  // True if anything in it matches its checksum.
  Result<bool> take_leaf(std::size_t space, const LoosePage& page);
  void miss(std::size_t space, const Pending& at, const std::string& what);
  Status look_outside();
  Result<bool> take_outside(const LoosePage& page);
  void reach_value(const LoosePage::Entry& entry);
  // nullopt: it cannot be read.
  Result<std::optional<Bytes>> read_value(const LoosePage::Entry& entry);
  Result<bool> offer(std::size_t space, Bytes key, Bytes stored, bool is_certain);
  [[nodiscard]] bool misses(std::size_t space, Bytes key) const;
  void count_lost();
  Status advance();

  [[nodiscard]] bool is_usable(std::uint64_t number) const {
    return number >= layout::kMetaPageCount && number < file_.page_count &&
           !reached_[static_cast<std::size_t>(number)] &&
           !file_.free_pages[static_cast<std::size_t>(number)];
  }
  [[nodiscard]] static std::string name_of(std::size_t space) {
    return std::string(kKeySpaceNames[space]);
  }

  int descriptor_;
  const std::string& path_;
  const std::array<bool, kKeySpaceCount>& wanted_;
  const TakeSalvaged& take_;
  const PageFindingFunction& finding_;
  const PageProgress& progress_;
  DamagedFile file_;
  std::vector<bool> reached_;
  std::array<SpaceState, kKeySpaceCount> spaces_;
  PageSalvage report_;
  std::string page_;
  std::string value_;
  std::uint64_t done_ = 0;
  std::uint64_t long_value_size_bytes_ = 0;  // read so far
  std::uint64_t match_count_ = 0;
  ContentSums sums_;  // of what matches
  std::optional<ContentSums> expected_sums_;
  std::uint64_t unknown_page_count_ = 0;  // in use, and nobody knows for what
};

Status Salvager::advance() {
  if (++done_ % kPagesPerReport != 1 || !progress_) return {};
  if (progress_(std::min(done_, file_.page_count), file_.page_count)) {
    return make_error(Code::cancelled, "cancelled");
  }
  return {};
}

// ------------------------------------------------------------------------------ values

Result<std::optional<Bytes>> Salvager::read_value(const LoosePage::Entry& entry) {
  if (entry.page == 0) return std::optional(entry.value);
  const std::uint64_t page_size = file_.page_size;
  const std::uint64_t length = layout::overflow_page_count(entry.size_bytes, file_.page_size);
  if (entry.size_bytes > kSalvagedValueSizeBytesMax || entry.page < layout::kMetaPageCount ||
      entry.page >= file_.page_count || length > file_.page_count - entry.page) {
    return std::optional<Bytes>();
  }
  // In a sound file each run is read once; in one made to take for ever it is not.
  long_value_size_bytes_ += length * page_size;
  if (long_value_size_bytes_ > 8 * (file_.page_count + 1024) * page_size) {
    return std::optional<Bytes>();
  }
  std::string bytes;
  value_.clear();
  for (std::uint64_t i = 0; i < length; ++i) {
    if (!is_usable(entry.page + i)) return std::optional<Bytes>();
    TL_TRY_ASSIGN(whole,
                  read_loose_page(descriptor_, path_, file_.page_size, entry.page + i, bytes));
    if (!whole) return std::optional<Bytes>();
    value_.append(i == 0 ? Bytes(bytes).substr(sizeof(layout::PageHeader)) : Bytes(bytes));
  }
  value_.resize(static_cast<std::size_t>(entry.size_bytes));
  return std::optional(Bytes(value_));
}

// True if it matches its checksum in this key space.
Result<bool> Salvager::offer(std::size_t space, Bytes key, Bytes stored, bool is_certain) {
  const auto key_space = static_cast<KeySpace>(space);
  const auto sum = matching_checksum(key_space, key, stored);
  if (key.empty() || !sum) return false;
  const Bytes value = stored.substr(0, stored.size() - kChecksumSizeBytes);
  if (key_space == KeySpace::meta) TL_TRY(check_format_version(path_, key, stored));
  ++match_count_;
  sums_.add(key_space, key, *sum);
  if (key_space == KeySpace::meta && key == kSumsKey) expected_sums_ = ContentSums::decode(value);
  if (!wanted_[space]) return true;
  const bool is_sure = is_certain && !file_.may_be_older;
  TL_TRY_ASSIGN(is_new, take_({key_space, key, value, is_sure}));
  if (!is_new) return true;
  ++spaces_[space].taken_count;
  if (!is_sure) ++report_.doubtful_value_count;
  return true;
}

// ------------------------------------------------------------------------------ trees

void Salvager::miss(std::size_t space, const Pending& at, const std::string& what) {
  SpaceState& state = spaces_[space];
  state.is_whole = false;
  if (state.gaps.size() < kGapsMax) {
    state.gaps.push_back({at.at_least, at.below});
  } else {
    state.gaps.assign(kGapsMax, Gap());
  }
  if (!wanted_[space]) return;
  ++report_.damaged_page_count;
  finding_(name_of(space), "page " + std::to_string(at.number) + ' ' + what);
}

void Salvager::push_children(const LoosePage& page, const Pending& at,
                             std::vector<Pending>& pending) {
  std::optional<std::string> below = at.below;
  for (std::size_t i = page.count(); i-- > 0;) {
    const auto entry = page.entry(i);
    if (!entry) {
      pending.push_back({0, at.depth, at.at_least, below});  // no page: it is missed
      continue;
    }
    std::string at_least = i == 0 ? at.at_least : std::string(entry->key);
    pending.push_back({entry->page, static_cast<std::uint16_t>(at.depth + 1), at_least, below});
    below = std::move(at_least);
  }
}

Result<bool> Salvager::take_leaf(std::size_t space, const LoosePage& page) {
  bool any = false;
  std::uint64_t bad_count = 0;
  for (std::size_t i = 0; i < page.count(); ++i) {
    const auto entry = page.entry(i);
    std::optional<Bytes> stored;
    if (entry && entry->flags != layout::kTreeNode) {
      TL_TRY_ASSIGN(read, read_value(*entry));
      stored = read;
    }
    bool good = false;
    if (stored) {
      TL_TRY_ASSIGN(matches, offer(space, entry->key, *stored, true));
      good = matches;
    }
    any |= good;
    if (!good) {
      ++bad_count;
    } else if (entry->page != 0) {
      const std::uint64_t length = layout::overflow_page_count(entry->size_bytes, file_.page_size);
      for (std::uint64_t k = 0; k < length; ++k) {
        reached_[static_cast<std::size_t>(entry->page + k)] = true;
      }
    }
  }
  if (any) spaces_[space].bad_value_count += bad_count;
  return any;
}

void Salvager::reach_value(const LoosePage::Entry& entry) {
  if (entry.page == 0) return;
  const std::uint64_t length = layout::overflow_page_count(entry.size_bytes, file_.page_size);
  for (std::uint64_t i = entry.page; i < entry.page + length; ++i) {
    reached_[static_cast<std::size_t>(i)] = true;
  }
}

Status Salvager::visit(std::size_t space, const Pending& at, std::vector<Pending>& pending) {
  if (!is_usable(at.number) || at.depth > layout::kDepthMax) {
    miss(space, at, "is named by a page of this tree, and cannot be part of it");
    return {};
  }
  TL_TRY(advance());
  TL_TRY_ASSIGN(whole, read_loose_page(descriptor_, path_, file_.page_size, at.number, page_));
  const LoosePage page(page_, at.number);
  if (!whole || (!page.is_branch() && !page.is_leaf()) || page.count() == 0) {
    miss(space, at, "is damaged");
    return {};
  }
  reached_[static_cast<std::size_t>(at.number)] = true;
  if (page.is_branch()) {
    push_children(page, at, pending);
    return {};
  }
  TL_TRY_ASSIGN(any, take_leaf(space, page));
  if (any) return {};
  // It may belong to another tree.
  reached_[static_cast<std::size_t>(at.number)] = false;
  miss(space, at, "has no value that matches its checksum");
  return {};
}

Status Salvager::walk(std::size_t space) {
  const auto& tree = file_.trees[space];
  if (!tree) {
    spaces_[space].is_whole = false;
    spaces_[space].gaps.emplace_back();
    if (wanted_[space]) finding_(name_of(space), "the begin of its tree is not known");
    return {};
  }
  if (tree->root == layout::kNoPage) return {};
  std::vector<Pending> pending = {{tree->root, 1, {}, {}}};
  while (!pending.empty()) {
    const Pending at = std::move(pending.back());
    pending.pop_back();
    TL_TRY(visit(space, at, pending));
  }
  return {};
}

// Of what was found whole: whether it is all that was written there last.
void Salvager::compare_sums() {
  if (!expected_sums_ || file_.may_be_older) return;
  for (std::size_t i = 0; i < kKeySpaceCount; ++i) {
    const SpaceState& state = spaces_[i];
    const bool is_whole = state.is_whole && state.bad_value_count == 0;
    if (!wanted_[i] || !is_whole || !expected_sums_->is_known(i)) continue;
    if (sums_.of[i] == expected_sums_->of[i]) continue;
    ++report_.doubtful_value_count;
    finding_(name_of(i), "something older is in the place of what was written there last");
  }
}

// ------------------------------------------------------------------------------ outside of them

bool Salvager::misses(std::size_t space, Bytes key) const {
  const SpaceState& state = spaces_[space];
  if (state.is_whole) return false;
  return file_.knows_free_pages ||
         std::ranges::any_of(state.gaps, [key](const Gap& gap) { return gap.has(key); });
}

// Where all that is outside is in use, it is of interest what all of it is.
Result<bool> Salvager::take_outside(const LoosePage& page) {
  bool any = false;
  for (std::size_t i = 0; i < page.count(); ++i) {
    const auto entry = page.entry(i);
    if (!entry || entry->flags == layout::kTreeNode) continue;
    std::optional<Bytes> stored;
    for (std::size_t space = 0; space < kKeySpaceCount; ++space) {
      if (!misses(space, entry->key)) continue;
      if (!stored) {
        TL_TRY_ASSIGN(read, read_value(*entry));
        stored = read;
      }
      if (!stored) break;
      TL_TRY_ASSIGN(matches, offer(space, entry->key, *stored, file_.knows_free_pages));
      if (!matches) continue;
      any = true;
      if (file_.knows_free_pages) reach_value(*entry);
      break;
    }
  }
  return any;
}

Status Salvager::look_outside() {
  bool any_missing = false;
  for (std::size_t i = 0; i < kKeySpaceCount; ++i)
    any_missing |= wanted_[i] && !spaces_[i].is_whole;
  if (!any_missing) return {};
  for (std::uint64_t i = layout::kMetaPageCount; i < file_.used_page_count; ++i) {
    if (!is_usable(i)) continue;
    TL_TRY(advance());
    TL_TRY_ASSIGN(whole, read_loose_page(descriptor_, path_, file_.page_size, i, page_));
    const LoosePage page(page_, i);
    bool is_known = whole && page.is_branch();
    if (whole && page.is_leaf()) {
      TL_TRY_ASSIGN(any, take_outside(page));
      is_known = any;
    }
    if (is_known && file_.knows_free_pages) reached_[static_cast<std::size_t>(i)] = true;
  }
  if (!file_.knows_free_pages) return {};
  for (std::uint64_t i = layout::kMetaPageCount; i < file_.used_page_count; ++i) {
    if (is_usable(i)) ++unknown_page_count_;
  }
  return {};
}

void Salvager::count_lost() {
  // Those of a tree were counted as its.
  const bool lacks_trees = std::ranges::any_of(file_.trees, [](const auto& tree) { return !tree; });
  if (lacks_trees && unknown_page_count_ > 0) {
    report_.damaged_page_count = std::max(report_.damaged_page_count, unknown_page_count_);
    finding_("head", std::to_string(unknown_page_count_) +
                         " pages are in use, and what for cannot be told");
  }
  for (std::size_t i = 0; i < kKeySpaceCount; ++i) {
    const SpaceState& state = spaces_[i];
    if (!wanted_[i]) continue;
    std::uint64_t lost = state.bad_value_count;
    const auto& tree = file_.trees[i];
    // A number that cannot be says nothing.
    const std::uint64_t entries_max = file_.page_count * file_.page_size / sizeof(layout::Node);
    if (!state.is_whole && tree && tree->entries <= entries_max) {
      lost = std::max(lost, tree->entries - std::min(tree->entries, state.taken_count));
    }
    report_.lost_value_count += lost;
    const bool may_lack = !tree && (unknown_page_count_ > 0 || !file_.knows_free_pages);
    report_.is_incomplete[i] = lost > 0 || may_lack;
    if (lost > 0) {
      finding_(name_of(i),
               std::to_string(lost) + (lost == 1 ? " value is" : " values are") + " lost");
    }
  }
}

Result<PageSalvage> Salvager::run(const CommitNumber& commit_number) {
  TL_TRY_ASSIGN(file, look_at_damaged(descriptor_, path_, commit_number, progress_));
  file_ = std::move(file);
  if (!file_.finding.empty()) finding_("head", file_.finding);
  reached_.assign(static_cast<std::size_t>(file_.page_count), false);
  for (std::size_t i = 0; i < kKeySpaceCount; ++i) TL_TRY(walk(i));
  compare_sums();
  TL_TRY(look_outside());
  count_lost();
  if (match_count_ > 0) return report_;
  return make_error(Code::not_tracelite,
                    "there is nothing in " + path_ + " that tracelite has written", "path");
}

}  // namespace

Result<PageSalvage> salvage_pages(int descriptor, const std::string& path,
                                  const std::array<bool, kKeySpaceCount>& wanted,
                                  const CommitNumber& commit_number, const TakeSalvaged& take,
                                  const PageFindingFunction& finding,
                                  const PageProgress& progress) {
  return Salvager(descriptor, path, wanted, take, finding, progress).run(commit_number);
}

}  // namespace tracelite::store
