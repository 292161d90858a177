// What goes with a trace or a session: its records, payloads, index rows,
// and what only existed because of it.
//
// Knows what belongs to whom. Must not know which containers are to go, nor when to commit.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "index/index_writer.hpp"
#include "payload/payload_store.hpp"
#include "record/entity_store.hpp"
#include "record/statistics.hpp"

namespace tracelite::maintain {

// Works within one transaction, whose index connection `index` writes to. After an error the
// transaction must be dropped.
//
// Beside its own records, a trace takes with it:
//  - the trace-less events of each observation to which they belong (ingest/applier_strays.cpp),
//    and the placeholder's container if nothing else is in there;
//  - each session that no other trace belongs to, with its flags and scores.
// What is kept in its container and belongs to an observation of another trace stays.
class ContainerEraser {
 public:
  // A step is an index row or a payload. `steps_max`: after about how many the transaction is full;
  // `steps_of_one_max`: how many of one container, which is left unfinished then.
  ContainerEraser(store::WriteTransaction& transaction, payload::PayloadWriter& payloads,
                  index::IndexWriter& index, record::Statistics& statistics, std::size_t steps_max,
                  std::size_t steps_of_one_max)
      : transaction_(transaction),
        reader_(transaction),
        payloads_(payloads),
        index_(index),
        statistics_(statistics),
        steps_max_(steps_max),
        steps_of_one_max_(steps_of_one_max) {}

  // Erases a container, or a part of one that is too large. A session to which a trace belongs
  // stays, and what is gone already is no error.
  Status erase(record::ContainerNumber container);
  // Erases a container that has no record of its own, that nothing is in, and no trace belongs to:
  // it was only named for a while. True if it did.
  Result<bool> erase_bare(record::ContainerNumber container);
  [[nodiscard]] bool is_full() const { return steps_ >= steps_max_; }
  // Containers of which a part was erased: to be erased in the next transaction.
  std::vector<record::ContainerNumber> take_unfinished() { return std::move(unfinished_); }

 private:
  Status erase_alone(record::ContainerNumber container);
  Status erase_members(const model::Entity& header, record::ContainerNumber container,
                       bool& is_done, bool& keeps_stray);
  Status erase_observation(const record::RecordKey& key, Bytes trace_id,
                           const model::Entity& entity);
  // True if it stays, because it belongs to an observation of another trace.
  Result<bool> erase_stray(const record::RecordKey& key, const model::Entity& entity);
  Status erase_score(const record::RecordKey& key, const model::Entity& entity);
  Status erase_header(const record::RecordKey& key, const model::Entity& header, bool keeps_stray);
  // A record of this transaction's, with its payloads and what the statistics have of it.
  Status erase_record(const record::RecordKey& key, const model::Entity& entity);
  Status erase_row(const record::RecordKey& key, Bytes trace_id, const model::Entity& visible);
  void leave(const record::RecordKey& key, const model::Entity& entity);
  Status erase_left();
  Result<bool> is_needed(record::ContainerNumber container, const model::Entity& header);

  store::WriteTransaction& transaction_;
  record::EntityReader reader_;
  payload::PayloadWriter& payloads_;
  index::IndexWriter& index_;
  record::Statistics& statistics_;
  const std::size_t steps_max_, steps_of_one_max_;
  std::size_t steps_ = 0;
  std::vector<record::ContainerNumber> unfinished_;
  // What the container at work has left: sessions that it belonged to, and containers that it had
  // payloads or trace-less events in.
  std::set<std::string> left_sessions_;
  std::set<record::ContainerNumber> left_containers_;
};

}  // namespace tracelite::maintain
