// Deleting what somebody has chosen, many containers a transaction and many transactions a call.
#include <thread>
#include <utility>

#include "maintain/deleter.hpp"
#include "maintain/reindex.hpp"
#include "maintain/sweep.hpp"
#include "maintain/testing.hpp"
#include "record/statistics.hpp"
#include "store/free_pages.hpp"
#include "store/packed_space.hpp"
#include "store/unused_bytes.hpp"
#include "store/write.hpp"

namespace tracelite::maintain {
namespace {

// What a transaction erases before it ends with the trace at work: measured on traces that lie far
// apart, it then dirties 8 MiB. Of one trace alone it erases more, because these lie together, and
// so that few traces are ever seen in part.
constexpr DeletionBounds kBounds{2'560, 8'192, 4'096};
constexpr std::chrono::milliseconds kLookAgain{20};

Status run(Deleter& deleter, std::size_t count, const ProgressFunction& progress) {
  while (deleter.waiting_count() > 0) {
    TL_TRY(deleter.step());
    const std::size_t left = deleter.waiting_count();
    if (progress && progress(count - left, count) && left > 0) {
      return make_error(Code::cancelled, "cancelled; what was deleted before stays deleted");
    }
  }
  return deleter.damage();
}

// Whether all commits since the index was made anew are ours: others may have deleted, and left
// names in it.
class OwnCommits {
 public:
  explicit OwnCommits(std::uint64_t begin) : last_(begin) {}
  // When it is over. One that was none has left its number to the next one.
  void add(const store::WriteTransaction& transaction) {
    if (!transaction.has_committed()) return;
    if (transaction.id() != last_ + 1) is_unbroken_ = false;
    last_ = transaction.id();
  }
  // 0 if they are not.
  [[nodiscard]] std::uint64_t last() const { return is_unbroken_ ? last_ : 0; }

 private:
  std::uint64_t last_;
  bool is_unbroken_ = true;
};

Status write_nothing_new(store::WriteTransaction& transaction, OwnCommits& own) {
  TL_TRY_ASSIGN(statistics, record::read_statistics(transaction));
  TL_TRY(record::write_statistics(transaction, statistics));
  TL_TRY(transaction.commit());
  own.add(transaction);
  return {};
}

// What was erased may still lie in blocks that have a patch over them.
Status renew_blocks(store::Environment& environment, OwnCommits& own) {
  for (std::optional<std::string> behind = std::string(); behind;) {
    const std::string from = *behind;
    const auto renew = [&](store::WriteTransaction& transaction) -> Status {
      TL_TRY_ASSIGN(next, store::renew_patched_blocks(transaction, from));
      TL_TRY(transaction.commit());
      own.add(transaction);
      behind = std::move(next);
      return {};
    };
    TL_TRY(store::write(environment, renew));
  }
  return {};
}

Status overwrite(store::Environment& environment, std::optional<std::chrono::milliseconds> timeout,
                 bool begins_anew, OwnCommits& own, SecureReport& secure) {
  using std::chrono::steady_clock;
  const auto began = steady_clock::now();
  const auto overwrite_all = [&](store::FreePageOverwriting& free_pages) -> Status {
    for (bool more = true; more;) {
      TL_TRY_ASSIGN(done, free_pages.step());
      secure.zeroed_bytes += done.size_bytes;
      secure.remaining_bytes = done.held_size_bytes;
      more = done.is_more;
    }
    return {};
  };
  const auto scrub = [&]() -> Status {
    TL_TRY_ASSIGN(size_bytes, store::zero_unused_bytes(environment));
    secure.zeroed_bytes += size_bytes;
    return {};
  };
  // What a commit has given up is free for good two commits later. Overwritten before each of them
  // as well: LMDB may take a free page for a commit and give it up again without having written it,
  // and what a commit gives up must have no unused bytes that say something.
  store::FreePageOverwriting first(environment, begins_anew);
  TL_TRY(overwrite_all(first));
  TL_TRY(scrub());
  // Of what others have given up before they were scrubbed, too.
  store::FreePageOverwriting second(environment, false);
  for (int i = 0; i < 2; ++i) {
    TL_TRY(overwrite_all(second));
    if (i > 0) TL_TRY(scrub());
    TL_TRY(store::write(environment, [&](store::WriteTransaction& transaction) {
      return write_nothing_new(transaction, own);
    }));
  }
  for (;;) {
    TL_TRY(overwrite_all(second));
    if (secure.remaining_bytes == 0 || (timeout && steady_clock::now() - began >= *timeout)) break;
    ++testing::held_back_count;
    // Nobody tells when a snapshot of another process is closed.
    std::this_thread::sleep_for(kLookAgain);
  }
  TL_TRY(scrub());
  if (secure.remaining_bytes == 0) return {};
  secure.waits_at_commit = own.last();
  return make_error(Code::timeout,
                    std::to_string(secure.remaining_bytes) +
                        " bytes of deleted pages can still be read through snapshots that are "
                        "open, of this process or another; close them and delete again");
}

// Sessions and traces that records had named before they named others.
Status erase_bare_containers(store::Environment& environment) {
  DeleteReport none;
  Deleter deleter(environment, {kBounds}, none);
  for (std::optional<record::ContainerNumber> next = record::ContainerNumber{}; next;) {
    TL_TRY_ASSIGN(behind, deleter.erase_bare(*next));
    next = behind;
  }
  return {};
}

}  // namespace

Status delete_containers(const std::shared_ptr<store::Environment>& environment,
                         const std::vector<record::ContainerNumber>& containers,
                         const ProgressFunction& progress, DeleteReport& report) {
  Deleter deleter(*environment, {kBounds}, report);
  deleter.add(containers);
  Status status = run(deleter, containers.size(), progress);
  if (!status && status.error().code != Code::corrupt) return status;
  Sweep sweep(*environment, !containers.empty());
  for (bool more = true; more;) {
    TL_TRY_ASSIGN(again, sweep.step());
    more = again;
  }
  return status;
}

// Updates leave pieces of rows in SQLite's pages, and its tables keep names that nothing has: so
// the index is made anew. Also where nothing is selected: it may have been deleted by somebody who
// did not come so far.
Status delete_securely(const std::shared_ptr<store::Environment>& environment,
                       const std::vector<record::ContainerNumber>& containers,
                       std::optional<std::chrono::milliseconds> timeout,
                       const ProgressFunction& progress, DeleteReport& report,
                       SecureReport& secure) {
  const std::uint64_t waited_at_commit = std::exchange(secure.waits_at_commit, 0);
  TL_TRY(delete_containers(environment, containers, progress, report));
  OwnCommits own(waited_at_commit);
  // Where the number of the last commit cannot be told it is 0, too.
  const bool begins_anew =
      waited_at_commit == 0 || environment->last_transaction_id() != waited_at_commit;
  if (begins_anew) {
    TL_TRY(erase_bare_containers(*environment));
    TL_TRY(store::write(*environment, [&](store::WriteTransaction& transaction) {
      own = OwnCommits(transaction.id());
      return rebuild_index(transaction, {});
    }));
  }
  TL_TRY(renew_blocks(*environment, own));
  return overwrite(*environment, timeout, begins_anew, own, secure);
}

}  // namespace tracelite::maintain
