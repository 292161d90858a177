// Deleting, many containers a transaction and many transactions a call: each leaves the file sound,
// so that what was deleted stays so whatever comes after.
#include <algorithm>
#include <optional>
#include <utility>

#include "index/page_file.hpp"
#include "maintain/container_eraser.hpp"
#include "maintain/reindex.hpp"
#include "model/out_of_memory.hpp"
#include "record/changes.hpp"
#include "record/records.hpp"
#include "record/runs.hpp"
#include "store/write.hpp"

namespace tracelite::maintain {
namespace {

using record::ContainerNumber;
using record::RecordKey;
using record::RecordKind;
using store::KeySpace;

// Index rows and payloads that a transaction erases before it ends with the trace at work: measured
// on traces that lie far apart, it then dirties 8 MiB. Of one trace alone it erases more, because
// these lie together, and so that few traces are ever seen in part.
constexpr std::size_t kStepsMax = 2'560;
constexpr std::size_t kStepsOfOneMax = 8'192;
constexpr std::size_t kContainersMax = 4'096;

bool is_empty(const record::Statistics& statistics) {
  return statistics.traces == 0 && statistics.observations == 0 && statistics.scores == 0 &&
         statistics.sessions == 0 && statistics.strays == 0;
}

class Deleter {
 public:
  Deleter(store::Environment& environment, const std::vector<ContainerNumber>& containers,
          DeleteReport& report)
      : environment_(environment), containers_(containers), report_(report) {}

  Status run(const ProgressFunction& progress);

 private:
  // What one transaction was about.
  struct Batch {
    std::size_t begun_count = 0;  // of those that were unfinished, and then of the others
    std::vector<ContainerNumber> unfinished;
    index::CountChanges counts;
  };

  [[nodiscard]] bool is_done() const { return unfinished_.empty() && next_ == containers_.size(); }
  Status transact(store::WriteTransaction& transaction, Batch& batch);
  Status erase_some(store::WriteTransaction& transaction, Batch& batch);
  Status prepare(store::WriteTransaction& transaction);
  void forget_all();
  void go_behind(Batch& batch);
  // After damage: less in the next transaction, or, if it was one alone, not that one.
  void give_way(const Batch& batch, Error error);

  store::Environment& environment_;
  const std::vector<ContainerNumber>& containers_;
  DeleteReport& report_;
  payload::PayloadWriter payloads_;
  std::unique_ptr<index::Connection> connection_;
  std::unique_ptr<index::IndexWriter> index_;
  std::uint64_t last_transaction_id_ = 0;
  std::size_t next_ = 0;
  std::vector<ContainerNumber> unfinished_;  // come before the next one
  std::size_t containers_max_ = kContainersMax;
  std::uint64_t damaged_count_ = 0;
  std::optional<Error> damage_;  // of the first
};

Status Deleter::run(const ProgressFunction& progress) {
  while (!is_done()) {
    Batch batch;
    Status written = store::write(environment_, [&](store::WriteTransaction& transaction) {
      batch = {};
      return transact(transaction, batch);
    });
    if (written) {
      go_behind(batch);
    } else if (written.error().code == Code::corrupt && batch.begun_count > 0) {
      give_way(batch, std::move(written).error());
    } else {
      return written;
    }
    if (progress && progress(next_, containers_.size()) && !is_done()) {
      return make_error(Code::cancelled, "cancelled; what was deleted before stays deleted");
    }
  }
  if (!damage_) return {};
  damage_->message = std::to_string(damaged_count_) +
                     (damaged_count_ == 1 ? " trace is" : " traces are") +
                     " damaged and could not be deleted: " + damage_->message;
  return *damage_;
}

void Deleter::go_behind(Batch& batch) {
  const std::size_t from_unfinished = std::min(batch.begun_count, unfinished_.size());
  next_ += batch.begun_count - from_unfinished;
  unfinished_.erase(unfinished_.begin(),
                    unfinished_.begin() + static_cast<std::ptrdiff_t>(from_unfinished));
  unfinished_.insert(unfinished_.begin(), batch.unfinished.begin(), batch.unfinished.end());
  const auto gone = [](std::int64_t change) { return static_cast<std::uint64_t>(-change); };
  report_.traces += gone(batch.counts.traces);
  report_.observations += gone(batch.counts.observations);
  report_.scores += gone(batch.counts.scores);
  report_.sessions += gone(batch.counts.sessions);
  containers_max_ = std::min(containers_max_ * 2, kContainersMax);
}

void Deleter::give_way(const Batch& batch, Error error) {
  if (batch.begun_count > 1) {
    containers_max_ = batch.begun_count / 2;
    return;
  }
  ++damaged_count_;
  if (!damage_) damage_ = std::move(error);
  if (unfinished_.empty()) {
    ++next_;
  } else {
    unfinished_.erase(unfinished_.begin());
  }
}

// As the writer of recorded data does it: ingest/writer.cpp.
Status Deleter::prepare(store::WriteTransaction& transaction) {
  if (transaction.id() != last_transaction_id_ + 1) {
    if (index_ != nullptr) index_->forget();
    payloads_.forget();
  }
  if (connection_ == nullptr) {
    TL_TRY_ASSIGN(connection, index::Connection::open_writer(transaction));
    connection_ = std::move(connection);
  }
  TL_TRY(connection_->begin(transaction));
  if (index_ == nullptr) {
    TL_TRY_ASSIGN(index, index::IndexWriter::open(connection_->handle()));
    index_ = std::move(index);
  }
  return {};
}

void Deleter::forget_all() {
  if (connection_ != nullptr) connection_->rollback();
  payloads_.forget();
  index_.reset();
  connection_.reset();
  last_transaction_id_ = 0;
}

Status Deleter::transact(store::WriteTransaction& transaction, Batch& batch) {
  const std::uint64_t id = transaction.id();
  Status status = without_exceptions([&]() -> Status {
    TL_TRY(prepare(transaction));
    TL_TRY(erase_some(transaction, batch));
    return connection_->commit();
  });
  if (!status) {
    forget_all();
    return status;
  }
  last_transaction_id_ = id;
  return {};
}

Status Deleter::erase_some(store::WriteTransaction& transaction, Batch& batch) {
  TL_TRY_ASSIGN(statistics, record::read_statistics(transaction));
  ContainerEraser eraser(transaction, payloads_, *index_, statistics, kStepsMax, kStepsOfOneMax);
  const std::size_t count = unfinished_.size() + (containers_.size() - next_);
  while (batch.begun_count < std::min(count, containers_max_) && !eraser.is_full()) {
    const std::size_t at = batch.begun_count++;
    TL_TRY(eraser.erase(at < unfinished_.size() ? unfinished_[at]
                                                : containers_[next_ + at - unfinished_.size()]));
  }
  batch.unfinished = eraser.take_unfinished();
  TL_TRY(payloads_.flush(transaction));
  TL_TRY(index_->flush());
  batch.counts = index_->take_counts();
  index::add(statistics, batch.counts);
  return record::write_statistics(transaction, statistics);
}

// ------------------------------------------------------------------------------ afterwards

// What is gone has left its entries in the directory. They are looked for once they are more than
// half, so that deleting a little costs little.
Status prune_runs(store::Environment& environment, KeySpace family, std::uint64_t live_count) {
  {
    TL_TRY_ASSIGN(transaction, environment.begin_read());
    TL_TRY_ASSIGN(entry_count, record::run_entry_count(transaction, family));
    if (entry_count <= 2 * live_count) return {};
  }
  for (std::optional<std::uint32_t> first = 0; first;) {
    const std::uint32_t from = *first;
    TL_TRY(store::write(environment, [&](store::WriteTransaction& transaction) -> Status {
      TL_TRY_ASSIGN(next, record::prune_runs(transaction, family, from));
      first = next;
      return transaction.commit();
    }));
  }
  return {};
}

Status prune_directory(store::Environment& environment, const record::Statistics& statistics) {
  TL_TRY(
      prune_runs(environment, KeySpace::directory,
                 statistics.traces + statistics.sessions + statistics.scores + statistics.strays));
  return prune_runs(environment, KeySpace::observation_directory, statistics.observations);
}

// Headers of containers that came into being and were never needed again.
Status erase_bare_headers(store::WriteTransaction& transaction) {
  payload::PayloadWriter payloads;
  record::RecordCursor cursor(transaction);
  TL_TRY_ASSIGN(more, cursor.seek({}));
  while (more) {
    const RecordKey key = cursor.key();
    TL_TRY_ASSIGN(entity, model::decode(cursor.record()));
    if (key.kind == RecordKind::header) {
      TL_TRY(record::erase(transaction, payloads, key, entity));
    }
    TL_TRY_ASSIGN(again, cursor.next());
    more = again;
  }
  return payloads.flush(transaction);
}

// Whether a deletion was ended before it could sweep.
Result<bool> has_leftovers(const store::Transaction& transaction) {
  for (const KeySpace space :
       {KeySpace::record, KeySpace::directory, KeySpace::observation_directory, KeySpace::sealed}) {
    TL_TRY_ASSIGN(statistics, transaction.statistics(space));
    if (statistics.entries > 0) return true;
  }
  return false;
}

// Once there is nothing to be seen in the file, nothing is left in it: no name in the index either.
Status sweep(store::Environment& environment, bool has_deleted) {
  record::Statistics seen;
  {
    TL_TRY_ASSIGN(transaction, environment.begin_read());
    TL_TRY_ASSIGN(statistics, record::read_statistics(transaction));
    seen = statistics;
    if (is_empty(seen)) {
      TL_TRY_ASSIGN(is_left, has_leftovers(transaction));
      if (!has_deleted && !is_left) return {};
    }
  }
  if (!is_empty(seen)) return has_deleted ? prune_directory(environment, seen) : Status();
  return store::write(environment, [](store::WriteTransaction& transaction) -> Status {
    // Somebody may have recorded meanwhile.
    TL_TRY_ASSIGN(statistics, record::read_statistics(transaction));
    if (!is_empty(statistics)) return transaction.commit();
    TL_TRY(erase_bare_headers(transaction));
    // All that is sealed by now is of no use; and it needs dictionaries to be read.
    TL_TRY(transaction.clear(KeySpace::sealed));
    TL_TRY(transaction.clear(KeySpace::dictionary));
    TL_TRY(record::forget_changes(transaction));
    return rebuild_index(transaction, {});
  });
}

}  // namespace

Status delete_containers(const std::shared_ptr<store::Environment>& environment,
                         const std::vector<ContainerNumber>& containers,
                         const ProgressFunction& progress, DeleteReport& report) {
  Status status = Deleter(*environment, containers, report).run(progress);
  if (!status && status.error().code != Code::corrupt) return status;
  TL_TRY(sweep(*environment, !containers.empty()));
  return status;
}

}  // namespace tracelite::maintain
