// What the writer thread does with a batch: take media out, mask it, write it, and see it through
// failures.
//
// The only place that holds a write transaction for recorded data. Belongs to one thread.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "index/page_file.hpp"
#include "ingest/applier.hpp"
#include "ingest/recorder.hpp"

namespace tracelite::ingest {

class Writer {
 public:
  explicit Writer(Recorder& recorder)
      : recorder_(recorder), media_(payloads_, recorder.options().is_from_stranger) {}

  // Until the queue is closed and drained, or given up.
  void run();

 private:
  // After a batch, or at the start: as long as there is nothing to write, or for as long as the
  // batch has taken.
  void do_chores(std::chrono::steady_clock::duration time_for_it);
  // What there is to do when the disk is full.
  void make_room_on_disk();
  // Takes the coded events out of the batch, so that each is in memory once. False: the queue is
  // over, and there was no memory for it until then.
  bool decode(Batch& batch, std::vector<model::Event>& events);
  void try_decode(const Batch& batch, std::vector<model::Event>& events);
  void mask(model::Event& event);
  // Writes until it is durable, or given up (false): what can never be written is dropped and
  // counted.
  bool write(std::vector<model::Event>& events);
  bool write_one_by_one(std::vector<model::Event>& events, std::vector<model::Event>& one);
  Status try_write(std::vector<model::Event>& events);
  // False if nothing was written because payloads that were stored before are gone.
  Result<bool> write_in_transaction(std::vector<model::Event>& events);
  // As the environment's. What lies at the path may be missing or damaged for a while, which says
  // nothing of the batch.
  Result<store::WriteTransaction> begin_write();
  Result<store::ReadTransaction> begin_read();
  // To write more. Errors: disk_full, io.
  [[nodiscard]] Status has_disk_left() const;
  Status prepare(store::WriteTransaction& transaction);
  // Moves payloads that are too large for one transaction out of the event.
  Status store_large_payloads(model::Event& event);
  Status store_large_media(const std::vector<model::Event>& events);
  struct StoredInParts;
  // A new payload, or with is_medium the bytes of a medium, on the pending list.
  Result<StoredInParts> store_in_parts(Bytes bytes, bool is_medium);
  // Whether what was stored for these events is still there; if not, they get it back.
  Result<bool> has_stored_payloads(const store::Transaction& transaction,
                                   std::vector<model::Event>& events);
  void count_what_is_lost();
  void write_last_counters();
  void forget();
  void drop(Error error);
  void log(model::Reason reason, const char* what, const Error& why);

  // A payload of the batch at work whose bytes are in the file before its record.
  struct StoredInParts {
    payload::PayloadNumber number = 0;
    std::uint64_t since = 0;  // the transaction that began it
    std::string value;        // of the register as it was given
  };

  Recorder& recorder_;
  std::map<payload::PayloadNumber, StoredInParts> stored_in_parts_;
  payload::PayloadWriter payloads_;
  MediaBatch media_;
  std::unique_ptr<index::Connection> connection_;
  std::unique_ptr<index::IndexWriter> index_;
  std::unique_ptr<Applier> applier_;
  std::uint64_t last_transaction_id_ = 0;  // of this writer's last commit
  std::optional<Error> dropped_error_;     // why events of the batch at work were dropped
  std::uint64_t settled_count_ = 0;        // of the batch at work, durable or dropped
  bool has_begun_ = false;                 // the last transaction of the try at work
};

}  // namespace tracelite::ingest
