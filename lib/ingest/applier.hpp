// A batch of events into one write transaction: join with what is there, records, index rows,
// statistics.
//
// Knows the rules by which entities find their place (containers, trace-less observations, moved
// scores). Must not know threads, queues or when to commit.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "index/index_writer.hpp"
#include "ingest/media_batch.hpp"
#include "model/event.hpp"
#include "payload/payload_store.hpp"
#include "record/entity_store.hpp"
#include "record/statistics.hpp"

namespace tracelite::ingest {

class Applier {
 public:
  Applier(payload::PayloadWriter& payloads, MediaBatch& media, index::IndexWriter& index)
      : payloads_(payloads), media_(media), index_(index) {}

  // Applies the events, as one batch. Errors: those of store/, SQLite's, corrupt, limit; after an
  // error the transaction must be dropped and forget() called.
  Status apply(store::WriteTransaction& transaction, const std::vector<model::Event>& events);

  // What is remembered between batches (numbers of containers, open chapters) holds only while this
  // process alone commits.
  void forget();

 private:
  // One entity with all its events of the batch joined, and where it belongs.
  struct Work {
    std::string trace_id;                // of an observation; empty: not named
    const model::Event* only = nullptr;  // its event if it has one: copied when it is its turn
    model::Entity entity;
    std::vector<model::Field> begun_anew;  // what was appended to them replaces what is stored
    record::ContainerNumber container = 0;
    record::EntityKey natural_key = 0;

    [[nodiscard]] const model::Entity& look() const { return only ? only->entity : entity; }
    [[nodiscard]] bool has_begun_anew(model::Field field) const {
      return std::find(begun_anew.begin(), begun_anew.end(), field) != begun_anew.end();
    }
  };

  Result<std::vector<Work>> gather(const std::vector<model::Event>& events);
  Status place(Work& work);
  Status apply_one(Work& work);
  Status apply_trace(Work& work);
  Status apply_observation(Work& work);
  Status apply_stray(Work& work);
  Status apply_score(Work& work);
  Status apply_session(Work& work);
  Status finish();

  Result<record::ContainerNumber> container_of(record::DirectoryKind kind, Bytes id);
  // Of the next observation that a trace gets.
  Result<record::Chapter> next_chapter(record::ContainerNumber container);
  Result<record::ContainerNumber> container_of_subject(const model::Entity& score);
  Result<model::Entity> join(const model::Entity* before, Work& work);
  Result<std::optional<model::Entity>> append_streams(const model::Entity& before, Work& work);
  Status finish_payloads(const model::Entity* before, model::Entity& entity);
  // Into the index, and on the list of what has changed.
  Status show_observation(const index::Change& change);
  Status save(const record::RecordKey& key, const model::Entity* before, model::Entity& after);
  // What the payloads of a container's record share text with: those of its session, or else its
  // own.
  Result<payload::GroupNumber> group_of(record::ContainerNumber container,
                                        const model::Entity& entity);
  Status choose_sharers(record::ContainerNumber container, const model::Entity& header);
  Result<std::string> container_id(record::ContainerNumber container);

  // The attributes of an entity now; taken before a save frees what they are read from.
  Result<index::Attributes> attributes(const model::Entity& entity);
  struct Attributed {
    index::Attributes before, after;
  };
  Result<Attributed> attributes_if_changed(const model::Entity* before, const model::Entity* after);

  // The trace-less events of an observation belong to the trace that its least event names. Moves
  // them there when that changes: see applier_strays.cpp.
  struct StrayChange;
  Status settle(StrayChange& change);

  payload::PayloadWriter& payloads_;
  MediaBatch& media_;
  index::IndexWriter& index_;
  store::WriteTransaction* transaction_ = nullptr;  // during apply()
  record::Statistics statistics_;
  std::vector<record::RecordKey> changed_;  // what readers see otherwise than before
  // Payloads on the pending list that the events refer to.
  std::vector<payload::PayloadNumber> pending_;
  std::unordered_map<std::string, record::ContainerNumber> containers_;           // kind, then id
  std::size_t containers_size_bytes_ = 0;                                         // about
  std::unordered_map<record::ContainerNumber, record::ContainerNumber> sharers_;  // its session's
  std::unordered_map<record::ContainerNumber, record::OpenChapter> chapters_;
};

// More are looked up in the file again.
inline constexpr std::size_t kContainerCacheSizeBytesMax = std::size_t{2} << 20;
inline constexpr std::size_t kSharersCacheSizeBytesMax = std::size_t{1} << 20;
inline constexpr std::size_t kChapterCacheSizeBytesMax = std::size_t{1} << 20;

}  // namespace tracelite::ingest
