// See sweep.hpp.
#include "maintain/sweep.hpp"

#include "maintain/reindex.hpp"
#include "payload/payload_store.hpp"
#include "record/changes.hpp"
#include "record/entity_store.hpp"
#include "record/records.hpp"
#include "record/runs.hpp"
#include "record/statistics.hpp"
#include "store/write.hpp"

namespace tracelite::maintain {
namespace {

using record::RecordKey;
using record::RecordKind;
using store::KeySpace;

bool is_empty(const record::Statistics& statistics) {
  return statistics.traces == 0 && statistics.observations == 0 && statistics.scores == 0 &&
         statistics.sessions == 0 && statistics.strays == 0;
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

}  // namespace

Result<bool> Sweep::step() {
  switch (stage_) {
    case Stage::look:
      TL_TRY(look());
      break;
    case Stage::directory:
      TL_TRY(prune(KeySpace::directory));
      if (next_run_) break;
      TL_TRY(begin_pruning(KeySpace::observation_directory, live_observations_));
      stage_ = Stage::observations;
      break;
    case Stage::observations:
      TL_TRY(prune(KeySpace::observation_directory));
      if (!next_run_) stage_ = Stage::done;
      break;
    case Stage::empty:
      TL_TRY(empty());
      stage_ = Stage::done;
      break;
    case Stage::done:
      break;
  }
  return stage_ != Stage::done;
}

Status Sweep::look() {
  TL_TRY_ASSIGN(transaction, environment_.begin_read());
  TL_TRY_ASSIGN(seen, record::read_statistics(transaction));
  if (is_empty(seen)) {
    TL_TRY_ASSIGN(is_left, has_leftovers(transaction));
    stage_ = has_deleted_ || is_left ? Stage::empty : Stage::done;
    return {};
  }
  if (!has_deleted_) {
    stage_ = Stage::done;
    return {};
  }
  live_observations_ = seen.observations;
  TL_TRY(
      begin_pruning(KeySpace::directory, seen.traces + seen.sessions + seen.scores + seen.strays));
  stage_ = Stage::directory;
  return {};
}

// What is gone has left its entries in the directory. They are looked for once they are more than
// half, so that deleting a little costs little.
Status Sweep::begin_pruning(KeySpace family, std::uint64_t live_count) {
  TL_TRY_ASSIGN(transaction, environment_.begin_read());
  TL_TRY_ASSIGN(entry_count, record::run_entry_count(transaction, family));
  next_run_.reset();
  if (entry_count > 2 * live_count) next_run_ = 0;
  return {};
}

Status Sweep::prune(KeySpace family) {
  if (!next_run_) return {};
  return store::write(environment_, [&](store::WriteTransaction& transaction) -> Status {
    TL_TRY_ASSIGN(next, record::prune_runs(transaction, family, *next_run_));
    TL_TRY(transaction.commit());
    next_run_ = next;
    return {};
  });
}

// Nothing is left in it then: no name in the index either.
Status Sweep::empty() {
  return store::write(environment_, [](store::WriteTransaction& transaction) -> Status {
    // Somebody may have recorded meanwhile.
    TL_TRY_ASSIGN(statistics, record::read_statistics(transaction));
    if (!is_empty(statistics)) return {};
    TL_TRY(erase_bare_headers(transaction));
    // All that is sealed by now is of no use; and it needs dictionaries to be read.
    TL_TRY(transaction.clear(KeySpace::sealed));
    TL_TRY(transaction.clear(KeySpace::dictionary));
    TL_TRY(record::forget_changes(transaction));
    return rebuild_index(transaction, {});
  });
}

}  // namespace tracelite::maintain
