// What stands behind the handles of the C API.
//
// Spans, snapshots and cursors share the state of their store, so that they notice when it is
// closed and can still be freed then.
#pragma once

#include <tracelite/tracelite.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/error.hpp"
#include "ingest/live_observation.hpp"
#include "ingest/recorder.hpp"
#include "query/query.hpp"
#include "query/snapshot.hpp"
#include "store/commit_watch.hpp"
#include "store/environment.hpp"

namespace tracelite::api {

struct StoreState {
  std::shared_ptr<store::Environment> environment;
  std::shared_ptr<ingest::Recorder> recorder;  // null if read-only
  std::shared_ptr<query::ReaderPool> readers = std::make_shared<query::ReaderPool>();
  store::CommitWatch watch;
  std::atomic<bool> closed{false};
  std::atomic<std::uint32_t> open_span_count{0};
  // maintain::SecureReport, of the last tl_delete_securely.
  std::atomic<std::uint64_t> deletion_waits_at_commit{0};

  // Errors: misuse (closed), forked.
  [[nodiscard]] Status usable() const {
    if (environment->forked()) {
      return make_error(Code::forked,
                        "this handle belongs to the parent process; open the file again");
    }
    if (closed.load()) return misuse("the store of this handle has been closed");
    return {};
  }
  // Everything recorded before is durable when ok, whatever the durability of its commits; it may
  // have been dropped, which is for the application's next flush to tell.
  Status wait_until_durable(std::optional<std::chrono::milliseconds> timeout) const {
    TL_TRY(recorder->wait_until_durable(timeout));
    return sync_if_needed();
  }
  // The same without a deadline, for what makes room on the disk: however little it has.
  Status wait_until_durable_to_make_room() const {
    TL_TRY(recorder->wait_until_durable_to_make_room());
    return sync_if_needed();
  }
  [[nodiscard]] Status sync_if_needed() const {
    const bool is_synced = recorder->options().durability == store::Durability::synced;
    return is_synced ? Status() : environment->sync();
  }
  // As wait_until_durable until the deadline, however often nothing can be written.
  Status wait_until_durable_despite_errors(std::chrono::steady_clock::time_point deadline) const;
  Status flush(std::optional<std::chrono::milliseconds> timeout) const {
    TL_TRY(wait_until_durable(timeout));
    return recorder->tell_dropped();
  }
  // Also read_only.
  [[nodiscard]] Status recordable() const {
    TL_TRY(usable());
    if (recorder == nullptr) {
      return make_error(Code::read_only, "the store was opened read-only: nothing can be recorded");
    }
    return {};
  }
};

// In a child process everything is left as it is: threads that are not there may have been in the
// middle of it, or wait for it.
struct DropStoreState {
  void operator()(StoreState* state) const;
};

// The snapshot given, or one of now. Errors: misuse (NULL, closed, of another store), forked, and
// those of query::Snapshot::open.
Result<std::shared_ptr<query::Snapshot>> snapshot_for(tl_store* store, tl_snapshot* snapshot);

// What a tl_row points to, until the next one.
struct RowStorage {
  query::Row row;
  tl_trace trace{};
  tl_observation observation{};
  tl_score score{};
  tl_session session{};
  tl_aggregate aggregate{};
  std::vector<tl_text> tags;
  std::vector<tl_usage> usage;
  std::vector<tl_cost> cost;
  std::vector<std::string> cost_texts;
  std::string text_a, text_b;  // texts that are not in the entity
  model::PayloadView input, output, metadata;
};

}  // namespace tracelite::api

struct tl_store {
  std::shared_ptr<tracelite::api::StoreState> state;
};

struct tl_span {
  std::shared_ptr<tracelite::api::StoreState> state;
  tracelite::ingest::LiveObservation live;
};

struct tl_snapshot {
  std::shared_ptr<tracelite::api::StoreState> state;
  std::shared_ptr<tracelite::query::Snapshot> snapshot;
};

struct tl_cursor {
  std::shared_ptr<tracelite::api::StoreState> state;
  std::unique_ptr<tracelite::query::Cursor> cursor;
  bool has_position = false;
  bool has_row = false;
  std::string position;
  std::string previews[3];  // of input, output, metadata
  tracelite::api::RowStorage storage;
};
