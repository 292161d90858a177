// See page_verifier.hpp.
#include "store/page_verifier.hpp"

#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "store/environment_state.hpp"
#include "store/errors.hpp"
#include "store/file_header.hpp"
#include "store/format.hpp"
#include "store/free_list.hpp"
#include "store/value_checker.hpp"

namespace tracelite::store {
namespace {

using layout::Meta;
using layout::Tree;

constexpr const char* kFreePages = "free pages";
constexpr const char* kKeySpaces = "key spaces";

class Verifier {
 public:
  Verifier(int descriptor, const std::string& path, const Meta& head,
           const PageFindingFunction& finding, const PageProgress& progress)
      : path_(path),
        head_(head),
        finding_(finding),
        pages_(descriptor, path, head.free_pages.page_size, head.last_page, progress) {}

  Result<bool> run();

 private:
  // Damage of a tree is a finding, or the end if nobody takes findings.
  Status noted(Bytes where, const Status& status) {
    if (status) return {};
    if (status.error().code != Code::corrupt || !finding_) return status;
    sound_ = false;
    finding_(where, status.error().message);
    return {};
  }

  Status check_flags();
  Status take_key_space(const LeafEntry& entry);
  Status check_key_space(std::size_t i);
  Status check_value(KeySpace space, const LeafEntry& entry);
  Status check_number(std::uint64_t newest_list);
  Status check_sums();
  void find_lost_pages();

  const std::string& path_;
  const Meta& head_;
  const PageFindingFunction& finding_;
  PagesInUse pages_;
  std::array<std::optional<Tree>, kKeySpaceCount> trees_;
  std::string foreign_key_;  // an entry of the main tree that is no key space
  bool has_foreign_key_ = false;
  bool sound_ = true;
  bool values_match_ = true;
  ContentSums sums_;                          // of what is there
  std::optional<ContentSums> expected_sums_;  // what the file says of them
};

Status Verifier::check_flags() {
  constexpr auto kFreeFlags = layout::kIntegerKeys;
  if ((head_.free_pages.flags & ~layout::kNoSubfolder) != kFreeFlags || head_.main.flags != 0) {
    return pages_.corrupt("its head has flags " + std::to_string(head_.free_pages.flags) + " and " +
                          std::to_string(head_.main.flags));
  }
  if (head_.transaction > kTransactionMax) {
    return pages_.corrupt("its newest transaction has number " + std::to_string(head_.transaction));
  }
  return {};
}

Status Verifier::take_key_space(const LeafEntry& entry) {
  for (std::size_t i = 0; i < kKeySpaceCount; ++i) {
    if (entry.key != kKeySpaceNames[i]) continue;
    Tree tree{};
    if (entry.flags != layout::kTreeNode || entry.size_bytes != sizeof tree) {
      return pages_.corrupt("key space " + std::string(entry.key) + " is no tree");
    }
    std::memcpy(&tree, entry.value.data(), sizeof tree);
    if (tree.flags != 0) {
      return pages_.corrupt("key space " + std::string(entry.key) + " has flags " +
                            std::to_string(tree.flags));
    }
    trees_[i] = tree;
    return {};
  }
  foreign_key_ = entry.key;
  has_foreign_key_ = true;
  return {};
}

Status Verifier::check_value(KeySpace space, const LeafEntry& entry) {
  if (entry.flags == layout::kTreeNode) {
    return pages_.corrupt("an entry of key space " +
                          std::string(kKeySpaceNames[static_cast<std::size_t>(space)]) +
                          " is a tree");
  }
  if (space == KeySpace::meta && entry.first_page == 0) {
    TL_TRY(check_format_version(path_, entry.key, entry.value));
  }
  ValueChecker checker(space, entry.key, entry.size_bytes);
  TL_TRY(for_each_piece(pages_, entry, [&checker](Bytes piece) -> Status {
    checker.add(piece);
    return {};
  }));
  if (const auto sum = checker.matching_checksum()) {
    sums_.add(space, entry.key, *sum);
    if (space == KeySpace::meta && entry.key == kSumsKey && entry.first_page == 0) {
      expected_sums_ =
          ContentSums::decode(entry.value.substr(0, entry.value.size() - kChecksumSizeBytes));
    }
    return {};
  }
  values_match_ = false;
  Error error = checksum_mismatch(space, entry.key, path_);
  if (!finding_) return error;
  finding_(kKeySpaceNames[static_cast<std::size_t>(space)], error.message);
  return {};
}

Status Verifier::check_key_space(std::size_t i) {
  const std::string name(kKeySpaceNames[i]);
  if (!trees_[i]) return pages_.corrupt("it has no key space " + name);
  TreeWalk walk(pages_, *trees_[i], name, KeyOrder::bytes);
  return walk.run(
      [&](const LeafEntry& entry) { return check_value(static_cast<KeySpace>(i), entry); });
}

// Each commit but a file's first gives pages up, at least the root of the main tree, and lists them
// under its number. A head whose number has changed can look newer than the newest.
Status Verifier::check_number(std::uint64_t newest_list) {
  if (newest_list == 0 || newest_list == head_.transaction) return {};
  return pages_.corrupt("its newest head has number " + std::to_string(head_.transaction) +
                        ", and its newest list of free pages " + std::to_string(newest_list));
}

// Only where each value matches: what is damaged is missing from the sums.
Status Verifier::check_sums() {
  if (!sound_ || !values_match_ || !expected_sums_) return {};
  for (std::size_t i = 0; i < kKeySpaceCount; ++i) {
    if (!expected_sums_->is_known(i) || sums_.of[i] == expected_sums_->of[i]) continue;
    Error error = make_error(Code::corrupt, path_ + " is damaged: what is in key space " +
                                                std::string(kKeySpaceNames[i]) +
                                                " is not all that was written there last");
    if (!finding_) return error;
    finding_(kSumsFinding, error.message);
  }
  return {};
}

// They do no harm, and LMDB never uses them again.
void Verifier::find_lost_pages() {
  std::uint64_t count = 0;
  for (std::uint64_t i = 0; i <= pages_.last_page(); ++i) count += pages_.is_taken(i) ? 0 : 1;
  if (count == 0) return;
  finding_(kLostPagesFinding,
           path_ + " has " + std::to_string(count) +
               " pages that are neither in use nor free; compact gives them back");
}

Result<bool> Verifier::run() {
  TL_TRY(noted("head", check_flags()));
  TreeWalk main(pages_, head_.main, kKeySpaces, KeyOrder::bytes);
  TL_TRY(noted(kKeySpaces,
               main.run([this](const LeafEntry& entry) { return take_key_space(entry); })));
  constexpr auto kMeta = static_cast<std::size_t>(KeySpace::meta);
  if (sound_ && !trees_[kMeta]) {
    return make_error(Code::not_tracelite, path_ + " is not a tracelite file", "path");
  }
  // A newer format may have other key spaces; it says so in this one.
  TL_TRY(noted(kKeySpaceNames[kMeta], check_key_space(kMeta)));
  if (has_foreign_key_) {
    TL_TRY(noted(kKeySpaces,
                 pages_.corrupt("it has an unknown key space " + hexadecimal(foreign_key_))));
  }
  for (std::size_t i = 0; i < kKeySpaceCount; ++i) {
    if (i != kMeta) TL_TRY(noted(kKeySpaceNames[i], check_key_space(i)));
  }
  TL_TRY(check_sums());
  const auto free = take_free_pages(pages_, head_.free_pages, head_.transaction);
  TL_TRY(noted(kFreePages, free ? Status() : Status(free.error())));
  if (free) TL_TRY(noted("head", check_number(*free)));
  if (sound_ && finding_) find_lost_pages();
  return sound_;
}

}  // namespace

Result<bool> verify_pages(int descriptor, const std::string& path, const Meta& head,
                          const PageFindingFunction& finding, const PageProgress& progress) {
  struct stat status = {};
  if (fstat(descriptor, &status) != 0) return system_error(errno, "look at", path);
  const std::uint64_t present =
      static_cast<std::uint64_t>(status.st_size) / head.free_pages.page_size;
  if (head.last_page < layout::kMetaPageCount - 1 || head.last_page > present + kMissingPagesMax) {
    Error error = make_error(Code::corrupt, path + " is damaged: its last page has number " +
                                                std::to_string(head.last_page));
    if (!finding) return error;
    finding("head", error.message);
    return false;
  }
  return Verifier(descriptor, path, head, finding, progress).run();
}

Result<std::optional<ReadTransaction>> begin_verified_read(
    const std::shared_ptr<Environment>& environment, const PageFindingFunction& finding,
    const PageProgress& progress) {
  for (;;) {
    TL_TRY_ASSIGN(transaction, environment->begin_read());
    const OpenFile& file = *transaction.state().file;
    TL_TRY_ASSIGN(head, read_head(file.guard.descriptor(), file.path, transaction.id()));
    if (!head) continue;  // two commits came meanwhile
    TL_TRY_ASSIGN(sound,
                  verify_pages(file.guard.descriptor(), file.path, *head, finding, progress));
    if (!sound) return std::optional<ReadTransaction>();
    return std::optional<ReadTransaction>(std::move(transaction));
  }
}

bool missing_pages_are_free(int descriptor, const std::string& path, const Meta& head,
                            std::uint64_t first_missing) {
  if (head.last_page - first_missing > kMissingPagesMax) return false;
  PagesInUse pages(descriptor, path, head.free_pages.page_size, head.last_page);
  if (!take_free_pages(pages, head.free_pages, head.transaction)) return false;
  for (std::uint64_t i = first_missing; i <= head.last_page; ++i) {
    if (!pages.is_taken(i)) return false;
  }
  return true;
}

}  // namespace tracelite::store
