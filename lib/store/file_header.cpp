// See file_header.hpp.
#include "store/file_header.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>

#include "store/errors.hpp"
#include "store/page_layout.hpp"
#include "store/page_verifier.hpp"

namespace tracelite::store {
namespace {

using layout::Meta;
using layout::MetaPage;

// LMDB makes its pages as large as the machine's, up to 32 KiB, and uses a file with pages of any
// of these sizes on every machine.
constexpr std::uint32_t kEnginePageSizeMin = 0x1000;
constexpr std::uint32_t kEnginePageSizeMax = 0x8000;

std::uint32_t engine_page_size() {
  const auto size = static_cast<std::uint32_t>(sysconf(_SC_PAGESIZE));
  return std::min(size, kEnginePageSizeMax);
}

Error not_tracelite(const std::string& path) {
  return make_error(Code::not_tracelite, path + " is not a tracelite file", "path");
}

Error other_geometry(const std::string& path, const std::string& what) {
  return make_error(Code::other_geometry, path + " was written on a machine with " + what, "path");
}

Error corrupt(const std::string& path, const std::string& what) {
  return make_error(Code::corrupt, path + " is damaged: " + what, "path");
}

// Reads as much as there is. False if reading fails.
bool read_at(int descriptor, std::uint64_t offset, std::string& out, std::size_t size_bytes) {
  out.assign(size_bytes, '\0');
  std::size_t done = 0;
  while (done < size_bytes) {
    const ssize_t count =
        pread(descriptor, out.data() + done, size_bytes - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  out.resize(done);
  return true;
}

bool all_zero(const std::string& bytes) {
  return std::ranges::all_of(bytes, [](char byte) { return byte == 0; });
}

std::uint32_t word_at(const std::string& bytes, std::size_t offset) {
  std::uint32_t word = 0;
  if (bytes.size() >= offset + sizeof word) {
    std::memcpy(&word, bytes.data() + offset, sizeof word);
  }
  return word;
}

std::optional<MetaPage> meta_page(const std::string& bytes, std::size_t offset) {
  if (bytes.size() < offset + sizeof(MetaPage)) return std::nullopt;
  MetaPage page{};
  std::memcpy(&page, bytes.data() + offset, sizeof page);
  if (page.meta.magic != layout::kMagic || (page.header.flags & layout::kMetaPage) == 0) {
    return std::nullopt;
  }
  return page;
}

// What a file with no valid first meta page is.
Error foreign(const std::string& path, const std::string& head) {
  // The head of a page is 4 bytes shorter on a machine with 32-bit words.
  constexpr std::size_t kMagicOffset = sizeof(layout::PageHeader);
  constexpr std::size_t kMagicOffset32 = kMagicOffset - 4;
  constexpr std::uint32_t kMagicSwapped = 0xdec0efbe;
  if (word_at(head, kMagicOffset32) == layout::kMagic) {
    return other_geometry(path, "32-bit words; this one has 64");
  }
  if (word_at(head, kMagicOffset) == kMagicSwapped ||
      word_at(head, kMagicOffset32) == kMagicSwapped) {
    return other_geometry(path, "another byte order");
  }
  return not_tracelite(path);
}

Status check_version(const std::string& path, const Meta& meta) {
  if (meta.version == layout::kDataVersion) return {};
  return make_error(Code::newer_format,
                    path + " has LMDB data version " + std::to_string(meta.version) +
                        "; this build reads version " + std::to_string(layout::kDataVersion),
                    "path");
}

Status check_geometry(const std::string& path, const Meta& meta) {
  TL_TRY(check_version(path, meta));
  const std::uint32_t page_size = meta.free_pages.page_size;
  if (!std::has_single_bit(page_size)) {
    return corrupt(path, "its page size is " + std::to_string(page_size) + " bytes");
  }
  if (page_size < kEnginePageSizeMin || page_size > kEnginePageSizeMax) {
    return other_geometry(path, "pages of " + std::to_string(page_size) + " bytes; LMDB uses " +
                                    std::to_string(kEnginePageSizeMin) + " to " +
                                    std::to_string(kEnginePageSizeMax));
  }
  return {};
}

bool tree_is_plausible(const layout::Tree& tree, std::uint64_t last_page) {
  if (tree.root == layout::kNoPage) return tree.depth == 0;
  return tree.root >= layout::kMetaPageCount && tree.root <= last_page && tree.depth > 0 &&
         tree.depth <= layout::kDepthMax;
}

Status check_metas(const std::string& path, const Meta& first, const Meta& second) {
  // Transaction n is written to page n % 2, so the pages hold two consecutive ones, except before
  // the first two commits.
  const std::uint64_t newer = std::max(first.transaction, second.transaction);
  const std::uint64_t older = std::min(first.transaction, second.transaction);
  const bool parity = first.transaction % 2 == 0 && (second.transaction % 2 == 1 || newer == 0);
  if (newer - older > 1 || !parity) {
    return corrupt(path, "its two heads are from transactions " +
                             std::to_string(first.transaction) + " and " +
                             std::to_string(second.transaction));
  }
  for (const Meta* meta : {&first, &second}) {
    if (!tree_is_plausible(meta->free_pages, meta->last_page) ||
        !tree_is_plausible(meta->main, meta->last_page)) {
      return corrupt(path, "a head names a page that cannot be");
    }
  }
  return {};
}

Status check_size(int descriptor, const std::string& path, const Meta& newest,
                  std::uint64_t size_bytes) {
  const std::uint64_t page_size = newest.free_pages.page_size;
  const std::uint64_t present = size_bytes / page_size;
  if (newest.last_page < present) return {};
  if (present > layout::kMetaPageCount &&
      missing_pages_are_free(descriptor, path, newest, present)) {
    return {};
  }
  return corrupt(path, "it is truncated: " + std::to_string(size_bytes) + " bytes, needs " +
                           std::to_string((newest.last_page + 1) * page_size));
}

bool is_initial(const Meta& meta) {
  return meta.transaction == 0 && meta.last_page == layout::kMetaPageCount - 1 &&
         meta.free_pages.root == layout::kNoPage && meta.main.root == layout::kNoPage;
}

// A file is created by writing both meta pages at once; they are synced before the first commit
// begins to write. If that was cut off, either both are there and say that there was no commit, or
// each is there or all zeros, and nothing follows.
bool creation_was_cut_off(const std::string& head, std::uint64_t size_bytes) {
  const std::size_t page_size = engine_page_size();
  int initial = 0;
  int empty = 0;
  for (const std::size_t offset : {std::size_t{0}, std::size_t{page_size}}) {
    const std::string bytes = offset < head.size() ? head.substr(offset, page_size) : "";
    const auto page = meta_page(bytes, 0);
    if (page && is_initial(page->meta)) ++initial;
    if (all_zero(bytes)) ++empty;
  }
  if (initial == 2) return true;
  return initial + empty == 2 && size_bytes <= layout::kMetaPageCount * page_size;
}

struct Heads {
  Meta first, second;
  [[nodiscard]] const Meta& newest() const {
    return first.transaction < second.transaction ? second : first;
  }
};

Result<Heads> heads_in(const std::string& path, const std::string& head) {
  const auto first = meta_page(head, 0);
  if (!first) return foreign(path, head);
  TL_TRY(check_geometry(path, first->meta));
  const auto second = meta_page(head, first->meta.free_pages.page_size);
  if (!second) return corrupt(path, "its second head is not one");
  TL_TRY(check_version(path, second->meta));
  if (second->meta.free_pages.page_size != first->meta.free_pages.page_size) {
    return corrupt(path, "its two heads have different page sizes");
  }
  return Heads{first->meta, second->meta};
}

Status read_both(int descriptor, const std::string& path, std::string& head) {
  if (read_at(descriptor, 0, head, std::size_t{kEnginePageSizeMax} * layout::kMetaPageCount)) {
    return {};
  }
  return system_error(errno, "read", path);
}

}  // namespace

Result<HeaderState> inspect_header(int descriptor, const std::string& path, bool settled) {
  struct stat status = {};
  if (fstat(descriptor, &status) != 0) return system_error(errno, "look at", path);
  const auto size_bytes = static_cast<std::uint64_t>(status.st_size);
  if (size_bytes == 0) return HeaderState::unused;

  std::string head;
  TL_TRY(read_both(descriptor, path, head));
  if (creation_was_cut_off(head, size_bytes)) return HeaderState::unused;
  TL_TRY_ASSIGN(heads, heads_in(path, head));
  if (settled) {
    TL_TRY(check_metas(path, heads.first, heads.second));
    TL_TRY(check_size(descriptor, path, heads.newest(), size_bytes));
  }
  return HeaderState::committed;
}

Result<std::optional<Meta>> read_head(int descriptor, const std::string& path,
                                      std::optional<std::uint64_t> transaction) {
  std::string bytes;
  TL_TRY(read_both(descriptor, path, bytes));
  TL_TRY_ASSIGN(heads, heads_in(path, bytes));
  if (!transaction) return std::optional<Meta>(heads.newest());
  for (const Meta& head : {heads.first, heads.second}) {
    if (head.transaction == *transaction) return std::optional<Meta>(head);
  }
  return std::optional<Meta>();
}

Status renumber(int descriptor, const std::string& path, std::uint64_t after) {
  std::string head;
  TL_TRY(read_both(descriptor, path, head));
  TL_TRY_ASSIGN(heads, heads_in(path, head));
  TL_TRY(check_metas(path, heads.first, heads.second));
  const std::uint64_t page_size = heads.first.free_pages.page_size;
  const std::uint64_t newest = heads.newest().transaction;
  if (newest > after) return {};
  // Even, because transaction n is in page n % 2.
  const std::uint64_t more = (after + 2 - newest) / 2 * 2;
  for (std::size_t i = 0; i < layout::kMetaPageCount; ++i) {
    const std::uint64_t number = (i == 0 ? heads.first : heads.second).transaction + more;
    const auto offset = static_cast<off_t>(i * page_size + sizeof(layout::PageHeader) +
                                           offsetof(layout::Meta, transaction));
    const ssize_t written = pwrite(descriptor, &number, sizeof number, offset);
    if (written != sizeof number) return system_error(written < 0 ? errno : EIO, "write", path);
  }
  return {};
}

}  // namespace tracelite::store
