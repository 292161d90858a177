// Transactions that erase containers: what tl_delete and the caps of a store have in common.
//
// Knows how much a transaction may erase, and what to do with damage. Must not know which
// containers are to go.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "index/index_writer.hpp"
#include "index/page_file.hpp"
#include "maintain/maintain.hpp"
#include "payload/payload_store.hpp"
#include "store/environment.hpp"

struct sqlite3;

namespace tracelite::maintain {

// Of one transaction. A step is an index row or a payload.
struct DeletionBounds {
  std::size_t steps_max;         // after about how many it ends, with the container at work
  std::size_t steps_of_one_max;  // of one container, which the next transaction goes on with
  std::size_t containers_max;
};

// Belongs to one thread at a time. Remembers the file from a transaction to the next, as long as
// nobody else commits.
class Deleter {
 public:
  struct Options {
    DeletionBounds bounds;
    store::Durability durability = store::Durability::synced;
    bool by_retention = false;  // counted as model::Reason::retention
  };
  // Adds to the report what was deleted.
  Deleter(store::Environment& environment, const Options& options, DeleteReport& report)
      : environment_(environment), options_(options), report_(report) {}

  void add(const std::vector<record::ContainerNumber>& containers);
  // Of those that were added or chosen.
  [[nodiscard]] std::size_t waiting_count() const { return waiting_.size(); }
  // Of one of them a part is gone.
  [[nodiscard]] bool has_unfinished() const { return unfinished_count_ > 0; }
  // What goes, as the transaction and its index say.
  struct Choice {
    // More containers; none: there is nothing to do.
    std::function<Result<std::vector<record::ContainerNumber>>(
        sqlite3* index, const store::Transaction& transaction)>
        more;
    // Of one that an earlier transaction chose, and of which nothing is gone: whether it goes
    // still.
    std::function<Result<bool>(record::ContainerNumber container, sqlite3* index,
                               const store::Transaction& transaction)>
        goes_still;
  };
  // One transaction, which takes from what waits, or from what `choice` gives if nothing does; none
  // if there is nothing either way; of no more than so many containers. A damaged container is
  // passed over, and told by damage(). Errors: read_only, disk_full, corrupt, busy, io, no_memory.
  Status step(const Choice& choice = {}, std::size_t containers_max = SIZE_MAX);
  // One transaction, which erases containers that were only named for a while: of the next ones
  // from `first` on. Gives where to go on; nothing: that was all. Errors: as step().
  Result<std::optional<record::ContainerNumber>> erase_bare(record::ContainerNumber first);
  // Nothing if all that was begun is gone.
  [[nodiscard]] Status damage() const;
  // Damaged containers, and by retention also those that were erased and had no trace to be seen:
  // they must not be chosen again.
  [[nodiscard]] const std::set<record::ContainerNumber>& passed_over() const {
    return passed_over_;
  }

 private:
  // What one transaction was about.
  struct Batch {
    std::size_t begun_count = 0;
    std::vector<record::ContainerNumber> unfinished;
    index::CountChanges counts;
  };

  Status transact(store::WriteTransaction& transaction, const Choice& choice,
                  std::size_t containers_max, Batch& batch);
  Status erase_some(store::WriteTransaction& transaction, const Choice& choice,
                    std::size_t containers_max, Batch& batch);
  // The next one that waits goes no more, and waits no more.
  Result<bool> stays(const store::Transaction& transaction, const Choice& choice,
                     const Batch& batch);
  Status erase_bare(store::WriteTransaction& transaction, record::ContainerNumber first,
                    std::optional<record::ContainerNumber>& next);
  Status prepare(store::WriteTransaction& transaction);
  void forget_all();
  void go_behind(const Batch& batch);
  // After damage: less in the next transaction, or, if it was one alone, not that one.
  void give_way(const Batch& batch, Error error);

  store::Environment& environment_;
  const Options options_;
  DeleteReport& report_;
  payload::PayloadWriter payloads_;
  std::unique_ptr<index::Connection> connection_;
  std::unique_ptr<index::IndexWriter> index_;
  std::uint64_t last_transaction_id_ = 0;
  std::deque<record::ContainerNumber> waiting_;
  std::size_t unfinished_count_ = 0;  // the first ones of them
  std::size_t containers_max_ = options_.bounds.containers_max;
  std::set<record::ContainerNumber> passed_over_;
  std::uint64_t damaged_count_ = 0;
  std::optional<Error> damage_;  // of the first
};

}  // namespace tracelite::maintain
