// See unused_bytes.hpp.
#include "store/unused_bytes.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "store/environment_state.hpp"
#include "store/errors.hpp"
#include "store/file_header.hpp"
#include "store/page_tree.hpp"

namespace tracelite::store {
namespace {

using layout::Tree;

class Scrubber {
 public:
  Scrubber(OpenFile& file, const layout::Meta& head)
      : file_(file),
        descriptor_(file.guard.descriptor()),
        path_(file.path),
        head_(head),
        zeros_too_(file.zeros_in_doubt),
        failed_syncs_before_(file.failed_sync_count),
        pages_(descriptor_, file.path, head.free_pages.page_size, head.last_page) {
    pages_.look_at_each(
        [this](std::uint64_t number, Bytes page) { return clear_gap(number, page); });
  }

  Result<std::uint64_t> run();

 private:
  Status clear_gap(std::uint64_t number, Bytes page);
  Status clear_tail(const LeafEntry& entry);
  Status clear(std::uint64_t offset, Bytes now);
  Status walk(const Tree& tree, const std::string& name, KeyOrder order);

  OpenFile& file_;
  int descriptor_;
  const std::string& path_;
  const layout::Meta& head_;
  bool zeros_too_;
  std::uint64_t failed_syncs_before_;
  PagesInUse pages_;
  std::vector<Tree> trees_;  // in the main tree
  std::uint64_t cleared_size_bytes_ = 0;
};

Status Scrubber::clear(std::uint64_t offset, Bytes now) {
  const auto is_something = [](char byte) { return byte != '\0'; };
  cleared_size_bytes_ +=
      static_cast<std::uint64_t>(std::count_if(now.begin(), now.end(), is_something));
  if (std::none_of(now.begin(), now.end(), is_something) && !zeros_too_) return {};
  file_.zeros_in_doubt = true;
  const std::string zeros(now.size(), '\0');
  for (std::size_t done = 0; done < zeros.size();) {
    const ssize_t count =
        pwrite(descriptor_, zeros.data(), zeros.size() - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_error(errno, "overwrite unused bytes of", path_);
    done += static_cast<std::size_t>(count);
  }
  return {};
}

// Between the places of the entries and the entries.
Status Scrubber::clear_gap(std::uint64_t number, Bytes page) {
  layout::PageHeader header{};
  std::memcpy(&header, page.data(), sizeof header);
  const Bytes gap =
      page.substr(header.lower, static_cast<std::size_t>(header.upper - header.lower));
  return clear(number * pages_.page_size() + header.lower, gap);
}

// Behind a long value, up to the end of its run.
Status Scrubber::clear_tail(const LeafEntry& entry) {
  const std::uint64_t begin = entry.first_page * pages_.page_size();
  layout::PageHeader header{};
  TL_TRY(pages_.read(begin, sizeof header,
                     reinterpret_cast<char*>(&header)));  // NOLINT: as the bytes lie in the file
  const std::uint64_t end = begin + layout::run_length_of(header) * pages_.page_size();
  std::string tail;
  for (std::uint64_t at = begin + sizeof header + entry.size_bytes; at < end; at += tail.size()) {
    constexpr std::uint64_t kPieceSizeBytes = std::uint64_t{64} << 10;
    tail.resize(static_cast<std::size_t>(std::min(end - at, kPieceSizeBytes)));
    TL_TRY(pages_.read(at, tail.size(), tail.data()));
    TL_TRY(clear(at, tail));
  }
  return {};
}

Status Scrubber::walk(const Tree& tree, const std::string& name, KeyOrder order) {
  return TreeWalk(pages_, tree, name, order).run([this](const LeafEntry& entry) -> Status {
    if (entry.first_page != 0) return clear_tail(entry);
    if (entry.flags == layout::kTreeNode && entry.size_bytes == sizeof(Tree)) {
      Tree inner{};
      std::memcpy(&inner, entry.value.data(), sizeof inner);
      trees_.push_back(inner);
    }
    return {};
  });
}

Result<std::uint64_t> Scrubber::run() {
  TL_TRY(walk(head_.free_pages, "free pages", KeyOrder::numbers));
  TL_TRY(walk(head_.main, "key spaces", KeyOrder::bytes));
  const std::vector<Tree> found = std::move(trees_);
  for (const Tree& tree : found) TL_TRY(walk(tree, "a key space", KeyOrder::bytes));
  const std::scoped_lock lock(file_.sync_mutex);
  const int code = fdatasync(descriptor_) == 0 ? 0 : errno;
  if (code != 0) file_.note_failed_sync();
  // Somebody else may have been told of what was written here.
  if (file_.failed_sync_count != failed_syncs_before_) {
    return system_error(code != 0 ? code : EIO, "sync", path_);
  }
  file_.zeros_in_doubt = false;
  return cleared_size_bytes_;
}

}  // namespace

Result<std::uint64_t> zero_unused_bytes(Environment& environment) {
  for (;;) {
    // LMDB writes no page that it sees.
    TL_TRY_ASSIGN(transaction, environment.begin_read());
    OpenFile& file = *transaction.state().file;
    TL_TRY_ASSIGN(head, read_head(file.guard.descriptor(), file.path, transaction.id()));
    if (!head) continue;  // two commits came meanwhile
    return Scrubber(file, *head).run();
  }
}

}  // namespace tracelite::store
