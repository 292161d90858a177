// See damaged_file.hpp.
#include "store/damaged_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "store/environment_state.hpp"
#include "store/errors.hpp"
#include "store/free_list.hpp"
#include "store/loose_page.hpp"
#include "store/page_verifier.hpp"

namespace tracelite::store {

using layout::Meta;
using layout::MetaPage;
using layout::PageHeader;
using layout::Tree;

// ------------------------------------------------------------------------------ heads

namespace {

constexpr std::uint32_t kSalvagedPageSizeMin = 0x1000;
constexpr std::uint32_t kSalvagedPageSizeMax = 0x8000;
// Of the pages whose numbers tell their size.
constexpr std::uint64_t kSampleSizeBytes = std::uint64_t{4} << 20;

// What a scan of all pages finds that a head could have named.
struct Candidates {
  std::vector<std::uint64_t> main_roots;                             // leaves with our key spaces
  std::vector<std::pair<std::uint64_t, std::uint64_t>> free_leaves;  // newest transaction, page
  std::vector<std::uint64_t> free_branches;
  std::uint64_t newest_commit = 0;  // as CommitNumber says; 0: not found
};

class Looker {
 public:
  Looker(int descriptor, const std::string& path, const CommitNumber& commit_number,
         const PageProgress& progress)
      : descriptor_(descriptor), path_(path), commit_number_(commit_number), progress_(progress) {}

  Result<DamagedFile> run();

 private:
  [[nodiscard]] std::optional<Meta> read_meta(std::uint64_t offset) const;
  Status find_page_size();
  [[nodiscard]] std::uint64_t number_on_list(const Meta& head) const;
  Status choose_head();
  // The newest transaction on its free list, where that can be read.
  Result<std::optional<std::uint64_t>> take_free_list(const Tree& tree, std::uint64_t newest,
                                                      std::uint64_t last_page, TreeCounts counts);
  void forget_free_list();
  Result<bool> take_main_tree(std::uint64_t root);
  Result<Candidates> scan();
  Result<bool> find_free_list(const Candidates& candidates, std::uint64_t newer_than);
  Result<bool> find_main_tree(const Candidates& candidates);
  Status look_for_newest();
  Result<std::uint64_t> commit_of(const Meta& head);
  Status compare_heads(const Candidates& candidates);
  Status choose_trees(const Candidates& candidates);
  // 0: the page does not begin with it.
  Result<std::uint64_t> commit_on(const LoosePage& page) const;
  Result<std::uint64_t> commit_of_trees() const;

  int descriptor_;
  const std::string& path_;
  const CommitNumber& commit_number_;
  const PageProgress& progress_;
  std::uint64_t size_bytes_ = 0;
  std::array<std::optional<Meta>, layout::kMetaPageCount> heads_;
  std::optional<Meta> head_;  // the chosen one
  bool is_newest_ = false;    // for sure
  DamagedFile found_;
};

std::optional<Meta> Looker::read_meta(std::uint64_t offset) const {
  MetaPage page{};
  if (pread(descriptor_, &page, sizeof page, static_cast<off_t>(offset)) != sizeof page) {
    return std::nullopt;
  }
  const Meta& meta = page.meta;
  const std::uint32_t page_size = meta.free_pages.page_size;
  const bool good = meta.magic == layout::kMagic && meta.version == layout::kDataVersion &&
                    (page.header.flags & layout::kMetaPage) != 0 &&
                    std::has_single_bit(page_size) && page_size >= kSalvagedPageSizeMin &&
                    page_size <= kSalvagedPageSizeMax && (offset == 0 || offset == page_size) &&
                    meta.last_page <= size_bytes_ / page_size + kMissingPagesMax &&
                    meta.transaction <= kTransactionMax;
  return good ? std::optional(meta) : std::nullopt;
}

// Each page begins with its number.
Status Looker::find_page_size() {
  heads_[0] = read_meta(0);
  for (std::uint32_t size = kSalvagedPageSizeMin; size <= kSalvagedPageSizeMax && !heads_[1];
       size *= 2) {
    if (!heads_[0] || heads_[0]->free_pages.page_size == size) heads_[1] = read_meta(size);
  }
  for (const auto& head : heads_) {
    if (head) found_.page_size = head->free_pages.page_size;
  }
  std::uint64_t most = 0;
  for (std::uint32_t size = kSalvagedPageSizeMin;
       size <= kSalvagedPageSizeMax && !heads_[0] && !heads_[1]; size *= 2) {
    std::uint64_t count = 0;
    for (std::uint64_t i = 1; i * size < std::min(size_bytes_, kSampleSizeBytes); ++i) {
      std::uint64_t number = 0;
      const auto offset = static_cast<off_t>(i * size);
      if (pread(descriptor_, &number, sizeof number, offset) == sizeof number && number == i) {
        ++count;
      }
    }
    if (count * size > most) {
      most = count * size;
      found_.page_size = size;
    }
  }
  if (found_.page_size == 0) found_.page_size = kSalvagedPageSizeMin;
  found_.page_count = found_.used_page_count = size_bytes_ / found_.page_size;
  found_.free_pages.assign(static_cast<std::size_t>(found_.page_count), false);
  return {};
}

// Each commit gives up pages, and so the newest entry of its free list says its number once more.
std::uint64_t Looker::number_on_list(const Meta& head) const {
  PagesInUse pages(descriptor_, path_, found_.page_size, head.last_page);
  const auto newest = take_free_pages(pages, head.free_pages, kTransactionMax, TreeCounts::unknown);
  return newest ? *newest : 0;
}

// The heads of a sound file are of consecutive transactions, each on the page of its parity. But so
// may be those of one in which one number has changed by a bit; then the lists do not agree: that
// of the one that seems newer is no newer than the other one, or the other one's is of the next
// commit. (Any other number on it is one that has changed there.) Where that list cannot be read,
// the index in its trees must not be newer.
Status Looker::choose_head() {
  auto& [first, second] = heads_;
  if (!first || !second) {
    head_ = first ? first : second;
    return {};
  }
  const std::uint64_t newer = std::max(first->transaction, second->transaction);
  const std::uint64_t older = std::min(first->transaction, second->transaction);
  const bool parity = first->transaction % 2 == 0 && (second->transaction % 2 == 1 || newer == 0);
  const bool first_is_newer = first->transaction > second->transaction;
  const Meta& other = first_is_newer ? *second : *first;
  head_ = first_is_newer ? first : second;
  const std::uint64_t on_its_list = number_on_list(*head_);
  const std::uint64_t on_other_list = number_on_list(other);
  const bool agrees = on_its_list == 0 || on_its_list == newer || on_its_list >= on_other_list;
  is_newest_ = newer - older <= 1 && parity && agrees && on_other_list != newer + 1;
  if (!is_newest_ || on_other_list != 0) return {};
  TL_TRY_ASSIGN(its_commit, commit_of(*head_));
  TL_TRY_ASSIGN(other_commit, commit_of(other));
  is_newest_ = its_commit == 0 || its_commit >= other_commit;
  return {};
}

// 0: it cannot be read.
Result<std::uint64_t> Looker::commit_of(const Meta& head) {
  TL_TRY_ASSIGN(taken, take_main_tree(head.main.root));
  if (!taken) return std::uint64_t{0};
  Result<std::uint64_t> commit = commit_of_trees();
  found_.trees = {};
  return commit;
}

// Where the lists do not agree, by what the index in their trees says.
Status Looker::compare_heads(const Candidates& candidates) {
  const auto& [first, second] = heads_;
  if (!first || !second) return {};
  TL_TRY_ASSIGN(of_first, commit_of(*first));
  TL_TRY_ASSIGN(of_second, commit_of(*second));
  if (of_first == 0 || of_second == 0 || of_first == of_second) return {};
  if (std::max(of_first, of_second) != candidates.newest_commit) return {};
  head_ = of_first > of_second ? first : second;
  head_->transaction = std::max(head_->transaction, number_on_list(*head_));
  is_newest_ = true;
  return {};
}

// ------------------------------------------------------------------------------ trees

Result<std::optional<std::uint64_t>> Looker::take_free_list(const Tree& tree, std::uint64_t newest,
                                                            std::uint64_t last_page,
                                                            TreeCounts counts) {
  PagesInUse pages(descriptor_, path_, found_.page_size, last_page);
  const auto newest_found = take_free_pages(pages, tree, newest, counts);
  if (!newest_found) {
    const Code code = newest_found.error().code;
    if (code == Code::corrupt || code == Code::io) return std::optional<std::uint64_t>();
    return newest_found.error();
  }
  for (std::size_t i = 0; i < found_.free_pages.size(); ++i) {
    found_.free_pages[i] = i <= last_page && pages.is_taken(i);
  }
  found_.knows_free_pages = true;
  return std::optional(*newest_found);
}

void Looker::forget_free_list() {
  found_.knows_free_pages = false;
  found_.free_pages.assign(found_.free_pages.size(), false);
}

bool is_main_root(const LoosePage& page, KeySpaceTrees& trees) {
  if (!page.is_leaf() || page.count() > kKeySpaceCount) return false;
  std::size_t known = 0;
  for (std::size_t i = 0; i < page.count(); ++i) {
    const auto entry = page.entry(i);
    if (!entry || entry->flags != layout::kTreeNode || entry->value.size() != sizeof(Tree)) {
      continue;
    }
    const auto name = std::find(kKeySpaceNames.begin(), kKeySpaceNames.end(), entry->key);
    if (name == kKeySpaceNames.end()) continue;
    ++known;
    trees[static_cast<std::size_t>(name - kKeySpaceNames.begin())] =
        value_at<Tree>(entry->value, 0);
  }
  return known * 2 > kKeySpaceCount;
}

bool is_free_leaf(const LoosePage& page, std::uint64_t& newest) {
  if (!page.is_leaf() || page.count() == 0) return false;
  for (std::size_t i = 0; i < page.count(); ++i) {
    const auto entry = page.entry(i);
    if (!entry || entry->key.size() != sizeof newest || entry->flags == layout::kTreeNode ||
        entry->size_bytes % sizeof newest != 0 || entry->size_bytes == 0) {
      return false;
    }
    const auto transaction = value_at<std::uint64_t>(entry->key, 0);
    if (transaction <= newest || transaction > kTransactionMax) return false;
    newest = transaction;
    if (entry->flags == 0 &&
        value_at<std::uint64_t>(entry->value, 0) > entry->value.size() / sizeof newest - 1) {
      return false;
    }
  }
  return true;
}

bool is_free_branch(const LoosePage& page) {
  if (!page.is_branch() || page.count() < 2) return false;
  for (std::size_t i = 1; i < page.count(); ++i) {
    const auto entry = page.entry(i);
    if (!entry || entry->key.size() != sizeof(std::uint64_t)) return false;
  }
  return true;
}

Result<bool> Looker::take_main_tree(std::uint64_t root) {
  if (root < layout::kMetaPageCount || root >= found_.page_count) return false;
  if (found_.free_pages[static_cast<std::size_t>(root)]) return false;
  std::string bytes;
  TL_TRY_ASSIGN(whole, read_loose_page(descriptor_, path_, found_.page_size, root, bytes));
  KeySpaceTrees trees;
  if (!whole || !is_main_root(LoosePage(bytes, root), trees)) return false;
  found_.trees = trees;
  return true;
}

// ------------------------------------------------------------------------------ without a head

Result<std::uint64_t> Looker::commit_on(const LoosePage& page) const {
  const auto entry = page.is_leaf() && page.count() > 0 ? page.entry(0) : std::nullopt;
  if (!entry || entry->key != commit_number_.key || entry->flags == layout::kTreeNode ||
      entry->size_bytes < commit_number_.offset + sizeof(std::uint32_t) + kChecksumSizeBytes ||
      entry->size_bytes > found_.page_size) {
    return std::uint64_t{0};
  }
  std::string value(entry->value);
  if (entry->page != 0) {
    if (entry->page >= found_.page_count) return std::uint64_t{0};
    TL_TRY_ASSIGN(whole, read_loose_page(descriptor_, path_, found_.page_size, entry->page, value));
    value.erase(0, sizeof(PageHeader));
    if (!whole || value.size() < entry->size_bytes) return std::uint64_t{0};
    value.resize(static_cast<std::size_t>(entry->size_bytes));
  }
  const bool good = verify(commit_number_.space, commit_number_.key, value, path_).ok();
  return good ? read_big_endian(Bytes(value).substr(commit_number_.offset, sizeof(std::uint32_t)))
              : 0;
}

Result<std::uint64_t> Looker::commit_of_trees() const {
  const auto& tree = found_.trees[static_cast<std::size_t>(commit_number_.space)];
  std::uint64_t number = tree ? tree->root : layout::kNoPage;
  std::string bytes;
  for (int depth = 0; depth < layout::kDepthMax && number < found_.page_count; ++depth) {
    TL_TRY_ASSIGN(whole, read_loose_page(descriptor_, path_, found_.page_size, number, bytes));
    const LoosePage page(bytes, number);
    if (!whole || page.count() == 0) break;
    if (page.is_leaf()) return commit_on(page);
    const auto first = page.entry(0);
    number = first ? first->page : layout::kNoPage;
  }
  return std::uint64_t{0};
}

Result<Candidates> Looker::scan() {
  Candidates candidates;
  std::string bytes;
  for (std::uint64_t i = layout::kMetaPageCount; i < found_.page_count; ++i) {
    if (progress_ && i % kPagesPerReport == 0 && progress_(i, found_.page_count)) {
      return make_error(Code::cancelled, "cancelled");
    }
    TL_TRY_ASSIGN(whole, read_loose_page(descriptor_, path_, found_.page_size, i, bytes));
    if (!whole) continue;
    const LoosePage page(bytes, i);
    TL_TRY_ASSIGN(commit, commit_on(page));
    candidates.newest_commit = std::max(candidates.newest_commit, commit);
    KeySpaceTrees trees;
    std::uint64_t newest = 0;
    if (is_main_root(page, trees)) {
      candidates.main_roots.push_back(i);
    } else if (is_free_leaf(page, newest)) {
      candidates.free_leaves.emplace_back(newest, i);
    } else if (is_free_branch(page)) {
      candidates.free_branches.push_back(i);
    }
  }
  return candidates;
}

// The list's tree has one level, or two in a large file. True if all of the newest one was found.
Result<bool> Looker::find_free_list(const Candidates& candidates, std::uint64_t newer_than) {
  if (candidates.free_leaves.empty()) return false;
  const auto [newest, leaf] = *std::ranges::max_element(candidates.free_leaves);
  if (newest <= newer_than) return false;
  std::vector<std::uint64_t> roots;
  std::string bytes;
  for (const std::uint64_t branch : candidates.free_branches) {
    TL_TRY_ASSIGN(whole, read_loose_page(descriptor_, path_, found_.page_size, branch, bytes));
    const LoosePage page(bytes, branch);
    if (!whole || page.count() == 0) continue;
    const auto last = page.entry(page.count() - 1);
    if (last && last->page == leaf) roots.push_back(branch);
  }
  roots.push_back(leaf);
  for (const std::uint64_t root : roots) {
    Tree tree{};
    tree.root = root;
    tree.depth = root == leaf ? 1 : 2;
    TL_TRY_ASSIGN(taken, take_free_list(tree, newest, found_.page_count - 1 + kMissingPagesMax,
                                        TreeCounts::unknown));
    if (!taken) continue;
    // A leaf of the list that is neither free nor in this tree: there is more of the list.
    const bool is_all = std::ranges::all_of(candidates.free_leaves, [this](const auto& other) {
      return found_.free_pages[static_cast<std::size_t>(other.second)];
    });
    if (is_all) return true;
    forget_free_list();
  }
  return false;
}

// False if there is none.
Result<bool> Looker::find_main_tree(const Candidates& candidates) {
  std::uint64_t most = 0;
  std::size_t count = 0;
  const KeySpaceTrees before = std::exchange(found_.trees, {});
  KeySpaceTrees best;
  for (const std::uint64_t root : candidates.main_roots) {
    TL_TRY_ASSIGN(taken, take_main_tree(root));
    if (!taken) continue;
    ++count;
    std::uint64_t entries = 1;
    for (const auto& tree : found_.trees) entries += tree ? tree->entries : 0;
    if (entries > most) best = found_.trees;
    most = std::max(most, entries);
  }
  found_.trees = count == 0 ? before : best;
  // Files grow: of several the largest one is taken, but it may not be the newest.
  if (count < 2) return count == 1;
  found_.may_be_older = true;
  forget_free_list();
  return true;
}

// Everything by which a commit can be told from the one before may be damaged.
Status Looker::look_for_newest() {
  TL_TRY_ASSIGN(candidates, scan());
  if (!is_newest_) TL_TRY(compare_heads(candidates));
  const bool is_certain = is_newest_;
  TL_TRY(choose_trees(candidates));
  if (is_certain) return {};
  TL_TRY_ASSIGN(commit, commit_of_trees());
  if (commit != 0 && commit == candidates.newest_commit) return {};
  found_.may_be_older = true;
  forget_free_list();
  return {};
}

Status Looker::choose_trees(const Candidates& candidates) {
  const std::uint64_t known = head_ ? head_->transaction : 0;
  // Each commit gives up pages, and so the list of the newest one says its number; of a file that
  // is cut off it may be lost, where that goes on behind what the head knows.
  const bool one_is_left = heads_[0].has_value() != heads_[1].has_value();
  is_newest_ |= one_is_left && found_.page_count <= head_->last_page + 1 &&
                std::ranges::all_of(candidates.free_leaves,
                                    [known](const auto& leaf) { return leaf.first <= known; });
  if (!is_newest_) {
    TL_TRY_ASSIGN(found, find_free_list(candidates, heads_[0] && heads_[1] ? 0 : known));
    if (found) {
      found_.finding = "the newest head cannot be read; what it said was found by other pages";
      const auto tree = find_main_tree(candidates);
      return tree ? Status() : Status(tree.error());
    }
    // Nothing was ever given up: there is one commit.
    if (!head_ && candidates.free_leaves.empty() && candidates.main_roots.size() == 1) {
      found_.knows_free_pages = true;
    }
  }
  if (!head_) {
    found_.finding = "neither head can be read; of what is found, some may be older than it was";
    const auto tree = find_main_tree(candidates);
    return tree ? Status() : Status(tree.error());
  }
  const auto free =
      take_free_list(head_->free_pages, head_->transaction, head_->last_page, TreeCounts::given);
  TL_TRY(free ? Status() : Status(free.error()));
  TL_TRY_ASSIGN(taken, take_main_tree(head_->main.root));
  if (!is_newest_) {
    found_.finding = "the newest head cannot be read; the commit before it is brought out";
    // Pages of the newest commit are not on its list, and not in its trees.
    found_.may_be_older = true;
    forget_free_list();
  }
  if (taken) return {};
  found_.trees = {};
  found_.finding = "the list of the key spaces cannot be read";
  TL_TRY_ASSIGN(found, find_main_tree(candidates));
  // The commit before the newest one has such a list as well, and only the free pages tell.
  if (found && !found_.knows_free_pages) found_.may_be_older = true;
  // Then it is where the head says, destroyed, and nothing else is there.
  if (!found && head_->main.root < found_.page_count) {
    found_.free_pages[static_cast<std::size_t>(head_->main.root)] = true;
  }
  return {};
}

Result<DamagedFile> Looker::run() {
  struct stat status = {};
  if (fstat(descriptor_, &status) != 0) return system_error(errno, "look at", path_);
  size_bytes_ = static_cast<std::uint64_t>(status.st_size);
  TL_TRY(find_page_size());
  TL_TRY(choose_head());
  if (head_ && is_newest_) {
    found_.used_page_count = std::min(found_.page_count, head_->last_page + 1);
    TL_TRY_ASSIGN(free, take_free_list(head_->free_pages, head_->transaction, head_->last_page,
                                       TreeCounts::given));
    if (!free) {
      found_.finding =
          "the list of free pages cannot be read; of what is found outside of the trees, some may "
          "be older than it was";
    }
    TL_TRY_ASSIGN(taken, take_main_tree(head_->main.root));
    const bool is_empty = head_->main.root == layout::kNoPage;
    if (taken || is_empty) return std::move(found_);
  }
  TL_TRY(look_for_newest());
  return std::move(found_);
}

}  // namespace

Result<DamagedFile> look_at_damaged(int descriptor, const std::string& path,
                                    const CommitNumber& commit_number,
                                    const PageProgress& progress) {
  return Looker(descriptor, path, commit_number, progress).run();
}

}  // namespace tracelite::store
