// Many containers a transaction: each leaves the file sound, so that what was deleted stays so
// whatever comes after.
#include "maintain/deleter.hpp"

#include <algorithm>
#include <utility>

#include "maintain/container_eraser.hpp"
#include "model/out_of_memory.hpp"
#include "record/records.hpp"
#include "record/statistics.hpp"
#include "store/write.hpp"

namespace tracelite::maintain {

using record::ContainerNumber;

void Deleter::add(const std::vector<ContainerNumber>& containers) {
  waiting_.insert(waiting_.end(), containers.begin(), containers.end());
}

Status Deleter::step(const Choice& choice, std::size_t containers_max) {
  Batch batch;
  Status written = store::write(
      environment_,
      [&](store::WriteTransaction& transaction) {
        batch = {};
        return transact(transaction, choice, std::min(containers_max, containers_max_), batch);
      },
      options_.durability);
  if (written) {
    go_behind(batch);
  } else if (written.error().code == Code::corrupt && batch.begun_count > 0) {
    give_way(batch, std::move(written).error());
  } else {
    return written;
  }
  return {};
}

Status Deleter::damage() const {
  if (!damage_) return {};
  Error error = *damage_;
  error.message = std::to_string(damaged_count_) +
                  (damaged_count_ == 1 ? " trace is" : " traces are") +
                  " damaged and could not be deleted: " + error.message;
  return error;
}

void Deleter::go_behind(const Batch& batch) {
  const auto begun_end = waiting_.begin() + static_cast<std::ptrdiff_t>(batch.begun_count);
  if (options_.by_retention && batch.counts.traces == 0 && batch.unfinished.empty()) {
    passed_over_.insert(waiting_.begin(), begun_end);
  }
  waiting_.erase(waiting_.begin(), begun_end);
  unfinished_count_ -= std::min(unfinished_count_, batch.begun_count);
  unfinished_count_ += batch.unfinished.size();
  waiting_.insert(waiting_.begin(), batch.unfinished.begin(), batch.unfinished.end());
  const auto gone = [](std::int64_t change) { return static_cast<std::uint64_t>(-change); };
  report_.traces += gone(batch.counts.traces);
  report_.observations += gone(batch.counts.observations);
  report_.scores += gone(batch.counts.scores);
  report_.sessions += gone(batch.counts.sessions);
  containers_max_ = std::min(containers_max_ * 2, options_.bounds.containers_max);
}

void Deleter::give_way(const Batch& batch, Error error) {
  if (batch.begun_count > 1) {
    containers_max_ = batch.begun_count / 2;
    return;
  }
  ++damaged_count_;
  if (!damage_) damage_ = std::move(error);
  unfinished_count_ -= std::min<std::size_t>(unfinished_count_, 1);
  passed_over_.insert(waiting_.front());
  waiting_.pop_front();
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
  if (connection_->is_empty()) index_.reset();
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

Status Deleter::transact(store::WriteTransaction& transaction, const Choice& choice,
                         std::size_t containers_max, Batch& batch) {
  const std::uint64_t id = transaction.id();
  bool has_erased = false;
  Status status = without_exceptions([&]() -> Status {
    TL_TRY(prepare(transaction));
    const bool chooses = waiting_.empty() && choice.more;
    if (chooses) {
      TL_TRY_ASSIGN(chosen, choice.more(connection_->handle(), transaction));
      add(chosen);
    }
    if (waiting_.empty()) return {};
    has_erased = true;
    TL_TRY(erase_some(transaction, chooses ? Choice() : choice, containers_max, batch));
    return connection_->commit();
  });
  if (!status) {
    forget_all();
    return status;
  }
  if (has_erased) {
    last_transaction_id_ = id;
  } else {
    forget_all();
  }
  return {};
}

Result<bool> Deleter::stays(const store::Transaction& transaction, const Choice& choice,
                            const Batch& batch) {
  if (!choice.goes_still || batch.begun_count < unfinished_count_) return false;
  const auto next = waiting_.begin() + static_cast<std::ptrdiff_t>(batch.begun_count);
  TL_TRY_ASSIGN(goes, choice.goes_still(*next, connection_->handle(), transaction));
  if (!goes) waiting_.erase(next);
  return !goes;
}

Status Deleter::erase_some(store::WriteTransaction& transaction, const Choice& choice,
                           std::size_t containers_max, Batch& batch) {
  TL_TRY_ASSIGN(statistics, record::read_statistics(transaction));
  ContainerEraser eraser(transaction, payloads_, *index_, statistics, options_.bounds.steps_max,
                         options_.bounds.steps_of_one_max);
  while (batch.begun_count < std::min(waiting_.size(), containers_max) && !eraser.is_full()) {
    auto stay = stays(transaction, choice, batch);
    if (!stay) {
      batch.begun_count = 0;  // it lies in none of them
      return std::move(stay).error();
    }
    if (!*stay) TL_TRY(eraser.erase(waiting_[batch.begun_count++]));
  }
  batch.unfinished = eraser.take_unfinished();
  TL_TRY(payloads_.flush(transaction));
  TL_TRY(index_->flush());
  batch.counts = index_->take_counts();
  if (options_.by_retention && batch.counts.traces < 0) {
    TL_TRY_ASSIGN(counters, record::read_counters(transaction));
    counters[static_cast<std::size_t>(model::Reason::retention)] +=
        static_cast<std::uint64_t>(-batch.counts.traces);
    TL_TRY(record::write_counters(transaction, counters));
  }
  index::add(statistics, batch.counts);
  return record::write_statistics(transaction, statistics);
}

// ------------------------------------------------------------------------------ bare containers

Result<std::optional<ContainerNumber>> Deleter::erase_bare(ContainerNumber first) {
  std::optional<ContainerNumber> next;
  TL_TRY(store::write(environment_, [&](store::WriteTransaction& transaction) {
    Status status =
        without_exceptions([&]() -> Status { return erase_bare(transaction, first, next); });
    forget_all();
    return status;
  }));
  return next;
}

Status Deleter::erase_bare(store::WriteTransaction& transaction, ContainerNumber first,
                           std::optional<ContainerNumber>& next) {
  TL_TRY(prepare(transaction));
  TL_TRY_ASSIGN(statistics, record::read_statistics(transaction));
  ContainerEraser eraser(transaction, payloads_, *index_, statistics, 0, 0);
  bool has_erased = false;
  next = first;
  for (std::size_t seen = 0; next && seen < options_.bounds.containers_max; ++seen) {
    record::RecordCursor cursor(transaction);
    TL_TRY_ASSIGN(found, cursor.seek({*next, record::RecordKind::header, 0}));
    const ContainerNumber container = found ? cursor.key().container : 0;
    next.reset();
    if (!found) break;
    next = container + 1;
    TL_TRY_ASSIGN(erased, eraser.erase_bare(container));
    has_erased = has_erased || erased;
  }
  if (!has_erased) return {};
  TL_TRY(payloads_.flush(transaction));
  TL_TRY(index_->flush());
  return connection_->commit();
}

}  // namespace tracelite::maintain
