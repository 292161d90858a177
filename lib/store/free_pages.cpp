// See free_pages.hpp.
#include "store/free_pages.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "store/environment_state.hpp"
#include "store/errors.hpp"
#include "store/freed_pages.hpp"
#include "store/page_layout.hpp"

namespace tracelite::store {
namespace {

constexpr std::size_t kPieceSizeBytes = std::size_t{64} << 10;

// Of bytes of the file.
struct Range {
  std::uint64_t begin = 0, end = 0;
};

struct FreePageList {
  PageNumbers pages;                // that LMDB could use now
  std::vector<std::uint64_t> held;  // that it could use later
};

// As LMDB does it: what a transaction has given up is used again once that is older than `oldest`.
// `begun` reads the newest commit, while the turn to write is held.
Result<FreePageList> read_free_list(const Transaction::State& begun) {
  const std::uint64_t newest = begun.id;
  const std::uint64_t oldest = std::min(newest, begun.file->oldest_snapshot(newest));
  FreePageList list;
  TL_TRY(each_of_free_list(begun, [&](const FreedPages& freed) {
    std::vector<std::uint64_t>& pages = freed.freed_by < oldest ? list.pages.listed : list.held;
    const std::size_t before = pages.size();
    pages.resize(before + static_cast<std::size_t>(freed.count));
    std::memcpy(pages.data() + before, freed.numbers, freed.count * sizeof(std::uint64_t));
  }));
  std::sort(list.pages.listed.begin(), list.pages.listed.end());
  std::sort(list.held.begin(), list.held.end());
  return list;
}

// Behind the last page, where a commit has written that a crash has cut off: the next one that
// needs pages writes there. `list` was read while the turn to write is held.
Status add_pages_behind_the_last(const Transaction::State& begun, std::uint64_t file_size_bytes,
                                 FreePageList& list) {
  const MDB_envinfo information = begun.file->information();
  // Nothing is known of a file whose map was lost.
  if (information.me_last_txnid < begun.id) {
    return make_error(Code::io, "the last page of " + begun.file->path + " cannot be told");
  }
  const std::uint64_t page_size = begun.file->page_size_bytes;
  list.pages.tail_begin = information.me_last_pgno + 1;
  list.pages.tail_end =
      std::max(list.pages.tail_begin, (file_size_bytes + page_size - 1) / page_size);
  return {};
}

// Neighbours among pages, as far as the file goes.
std::vector<Range> runs_of(const PageNumbers& pages, const FreePagesRequest& request,
                           std::uint64_t page_size, std::uint64_t file_size_bytes) {
  std::vector<Range> runs;
  // What a write that was cut off has left may end within a page.
  const std::uint64_t page_count = (file_size_bytes + page_size - 1) / page_size;
  const auto add = [&](std::uint64_t first, std::uint64_t behind) {
    first = std::max(first, layout::kMetaPageCount);
    behind = std::min(behind, page_count);
    if (behind > first && behind - first >= request.run_page_count_min) {
      runs.push_back({first * page_size, std::min(behind * page_size, file_size_bytes)});
    }
  };
  const std::vector<std::uint64_t>& listed = pages.listed;
  for (std::size_t at = 0; at < listed.size();) {
    std::size_t end = at + 1;
    while (end < listed.size() && listed[end] == listed[end - 1] + 1) ++end;
    add(listed[at], listed[end - 1] + 1);
    at = end;
  }
  add(pages.tail_begin, pages.tail_end);
  return runs;
}

// Works on one file, whose turn to write is held.
class Cleaner {
 public:
  Cleaner(int descriptor, OpenFile& file, const FreePagesRequest& request, bool zeros_too)
      : descriptor_(descriptor),
        file_(file),
        path_(file.path),
        request_(request),
        zeros_too_(zeros_too) {}

  // From a position in the file on, which becomes the one where it has ended.
  Status run(const std::vector<Range>& runs, std::uint64_t& position, FreePagesDone& done);

 private:
  // The next bytes of a range that are no hole; empty: there are none.
  [[nodiscard]] Range next_data(const Range& range) const;
  Status overwrite(const Range& range);
  // False: the file system cannot do that.
  Result<bool> punch(const Range& range) const;
  // False: they are zeros already.
  Result<bool> is_to_be_written(std::uint64_t offset, std::size_t size_bytes);

  int descriptor_;
  OpenFile& file_;
  const std::string& path_;
  const FreePagesRequest& request_;
  bool zeros_too_;
  std::string piece_;
  std::uint64_t written_size_bytes_ = 0;
};

Range Cleaner::next_data(const Range& range) const {
#ifdef SEEK_DATA
  const off_t data = lseek(descriptor_, static_cast<off_t>(range.begin), SEEK_DATA);
  if (data < 0) return errno == ENXIO ? Range{} : range;
  const auto begin = static_cast<std::uint64_t>(data);
  if (begin >= range.end) return {};
  const off_t hole = lseek(descriptor_, data, SEEK_HOLE);
  const std::uint64_t end = hole < 0 ? range.end : static_cast<std::uint64_t>(hole);
  return {begin, std::min(end, range.end)};
#else
  return range;
#endif
}

Result<bool> Cleaner::is_to_be_written(std::uint64_t offset, std::size_t size_bytes) {
  if (zeros_too_) return true;
  piece_.resize(size_bytes);
  const ssize_t count = pread(descriptor_, piece_.data(), size_bytes, static_cast<off_t>(offset));
  if (count < 0) return system_error(errno, "read", path_);
  piece_.resize(static_cast<std::size_t>(count));
  return piece_.find_first_not_of('\0') != std::string::npos;
}

Status Cleaner::overwrite(const Range& range) {
  static constexpr std::array<char, kPieceSizeBytes> kZeros{};
  for (std::uint64_t offset = range.begin; offset < range.end; offset += kPieceSizeBytes) {
    const auto size_bytes =
        static_cast<std::size_t>(std::min<std::uint64_t>(range.end - offset, kPieceSizeBytes));
    TL_TRY_ASSIGN(is_due, is_to_be_written(offset, size_bytes));
    for (std::size_t done = 0; is_due && done < size_bytes;) {
      const ssize_t count =
          pwrite(descriptor_, kZeros.data(), size_bytes - done, static_cast<off_t>(offset + done));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return system_error(errno, "overwrite free pages of", path_);
      done += static_cast<std::size_t>(count);
    }
    if (is_due) written_size_bytes_ += size_bytes;
  }
  return {};
}

Result<bool> Cleaner::punch(const Range& range) const {
#ifdef FALLOC_FL_PUNCH_HOLE
  const auto offset = static_cast<off_t>(range.begin);
  const auto size = static_cast<off_t>(range.end - range.begin);
  while (fallocate(descriptor_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size) != 0) {
    if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EPERM) return false;
    if (errno != EINTR) return system_error(errno, "give free pages back of", path_);
  }
  return true;
#else
  return false;
#endif
}

Status Cleaner::run(const std::vector<Range>& runs, std::uint64_t& position, FreePagesDone& done) {
  std::vector<Range> data;
  std::uint64_t data_size_bytes = 0;
  for (Range run : runs) {
    run.begin = std::max(run.begin, position);
    while (run.begin < run.end && !done.is_more) {
      Range found = next_data(run);
      if (found.begin == found.end) break;
      found.end = found.begin +
                  std::min(found.end - found.begin, request_.size_bytes_max - data_size_bytes);
      data.push_back(found);
      data_size_bytes += found.end - found.begin;
      run.begin = found.end;
      done.is_more = data_size_bytes >= request_.size_bytes_max;
    }
    if (done.is_more) {
      position = run.begin;
      break;
    }
  }
  if (!done.is_more) position = std::numeric_limits<std::uint64_t>::max();
  if (request_.overwrites) {
    for (const Range& range : data) TL_TRY(overwrite(range));
    if (written_size_bytes_ > 0 && fdatasync(descriptor_) != 0) {
      const int code = errno;
      file_.note_failed_sync();
      return system_error(code, "sync", path_);
    }
  }
  for (const Range& range : data) {
    TL_TRY_ASSIGN(is_done, punch(range));
    done.makes_holes = done.makes_holes && is_done;
    if (!is_done) break;
  }
  done.size_bytes = request_.overwrites ? written_size_bytes_
                    : done.makes_holes  ? data_size_bytes
                                        : 0;
  return {};
}

// Those of the first that are in the second, too.
PageNumbers in_both(const PageNumbers& first, const PageNumbers& second) {
  PageNumbers found;
  std::ranges::set_intersection(first.listed, second.listed, std::back_inserter(found.listed));
  const auto add_listed_in_tail = [&](const PageNumbers& listing, const PageNumbers& other) {
    const auto& listed = listing.listed;
    const auto middle = static_cast<std::ptrdiff_t>(found.listed.size());
    const auto begin = std::ranges::lower_bound(listed, other.tail_begin);
    found.listed.insert(found.listed.end(), begin,
                        std::lower_bound(begin, listed.end(), other.tail_end));
    std::ranges::inplace_merge(found.listed, found.listed.begin() + middle);
  };
  add_listed_in_tail(first, second);
  add_listed_in_tail(second, first);
  found.tail_begin = std::max(first.tail_begin, second.tail_begin);
  found.tail_end = std::max(found.tail_begin, std::min(first.tail_end, second.tail_end));
  return found;
}

PageNumbers in_either(const PageNumbers& pages, const std::vector<std::uint64_t>& listed) {
  PageNumbers found{{}, pages.tail_begin, pages.tail_end};
  std::ranges::set_union(pages.listed, listed, std::back_inserter(found.listed));
  return found;
}

// Without the pages that lie in a range of the file.
void leave_out(const Range& range, std::uint64_t page_size, PageNumbers& pages) {
  const auto is_in = [&](std::uint64_t page) {
    return page * page_size >= range.begin && page * page_size < range.end;
  };
  std::erase_if(pages.listed, is_in);
  // From its begin on, because pages are overwritten in their order.
  if (!is_in(pages.tail_begin)) return;
  pages.tail_begin = std::min(pages.tail_end, (range.end - 1) / page_size + 1);
}

struct Cleared {
  FreePageList list;  // as it was meanwhile
  std::uint64_t page_size_bytes = 0;
  FreePagesDone done;
};

Result<Cleared> clear_from(Environment& environment, const FreePagesRequest& request,
                           bool zeros_too, std::uint64_t& position) {
  // Dropped at the end: it changes nothing that LMDB knows of.
  TL_TRY_ASSIGN(transaction, environment.begin_write());
  OpenFile& file = *transaction.state().file;
  mdb_reader_check(file.engine.get(), nullptr);
  // LMDB's own, which may be written through.
  int descriptor = -1;
  const int code = mdb_env_get_fd(file.engine.get(), &descriptor);
  if (code != 0) return file.fail(code, "write", transaction.state().map_number);
  struct stat status = {};
  if (fstat(descriptor, &status) != 0) return system_error(errno, "look at", file.path);
  const auto file_size_bytes = static_cast<std::uint64_t>(status.st_size);
  Cleared cleared;
  cleared.page_size_bytes = file.page_size_bytes;
  {
    TL_TRY_ASSIGN(snapshot, environment.begin_read());
    TL_TRY_ASSIGN(found, read_free_list(snapshot.state()));
    TL_TRY(add_pages_behind_the_last(snapshot.state(), file_size_bytes, found));
    cleared.list = std::move(found);
  }
  cleared.done.held_size_bytes = cleared.list.held.size() * file.page_size_bytes;
  const std::vector<Range> runs =
      runs_of(cleared.list.pages, request, file.page_size_bytes, file_size_bytes);
  TL_TRY(Cleaner(descriptor, file, request, zeros_too).run(runs, position, cleared.done));
  return cleared;
}

}  // namespace

Result<FreePagesDone> clear_free_pages(Environment& environment, const FreePagesRequest& request) {
  std::uint64_t position = 0;
  TL_TRY_ASSIGN(cleared, clear_from(environment, request, false, position));
  return cleared.done;
}

FreePageOverwriting::FreePageOverwriting(Environment& environment, bool zeros_too,
                                         std::uint64_t size_bytes_max)
    : environment_(environment),
      request_{.size_bytes_max = size_bytes_max, .overwrites = true},
      zeros_too_(zeros_too) {}

Result<FreePagesDone> FreePageOverwriting::step() {
  const std::uint64_t begin = position_;
  std::uint64_t end = position_;
  TL_TRY_ASSIGN(cleared, clear_from(environment_, request_, zeros_too_, end));
  const PageNumbers& free = cleared.list.pages;
  const PageNumbers held{cleared.list.held};
  if (!waiting_) waiting_ = in_either(free, held.listed);
  // What is neither free nor held is in use, and so was written.
  const PageNumbers still_held = in_both(*waiting_, held);
  PageNumbers still_free = in_both(*waiting_, free);
  leave_out({begin, end}, cleared.page_size_bytes, still_free);
  waiting_ = in_either(still_free, still_held.listed);
  cleared.done.held_size_bytes = still_held.listed.size() * cleared.page_size_bytes;
  position_ = cleared.done.is_more ? end : 0;
  if (!cleared.done.is_more) zeros_too_ = false;
  cleared.done.is_more = cleared.done.is_more || !still_free.empty();
  return cleared.done;
}

Result<std::uint64_t> wasted_size_bytes(Environment& environment) {
  TL_TRY_ASSIGN(transaction, environment.begin_read());
  TL_TRY_ASSIGN(use, transaction.file_use());
  struct stat status = {};
  if (fstat(transaction.state().file->guard.descriptor(), &status) != 0) {
    return system_error(errno, "look at", environment.path());
  }
  constexpr std::uint64_t kBlockSizeBytes = 512;  // of st_blocks, whatever the file system has
  const std::uint64_t taken = static_cast<std::uint64_t>(status.st_blocks) * kBlockSizeBytes;
  const std::uint64_t used =
      (use.file_page_count - std::min(use.file_page_count, use.free_page_count)) *
      use.page_size_bytes;
  return taken - std::min(taken, used);
}

}  // namespace tracelite::store
