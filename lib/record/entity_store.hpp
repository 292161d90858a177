// Entities to and from the key space `record`, with their payloads out of line where they are
// large.
//
// Knows records, payloads and containers. Must not know SQLite, queues or queries.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/entity.hpp"
#include "model/view.hpp"
#include "payload/payload_store.hpp"
#include "payload/value_reader.hpp"
#include "record/directory.hpp"
#include "record/record_key.hpp"
#include "store/environment.hpp"

namespace tracelite::record {

// Shorter payloads stay in the record: lists then cost a little more, single reads less.
inline constexpr std::size_t kInlinePayloadSizeBytesMax = 256;

struct Found {
  RecordKey key;
  model::Entity entity;
};

// The last chapter of a trace that has room.
struct OpenChapter {
  Chapter chapter = 0;
  std::uint64_t observation_count = 0;  // in it
  // Afterwards it has room for one more.
  void add_one() {
    if (++observation_count < kChapterObservationCount || chapter == kChapterMax) return;
    ++chapter;
    observation_count = 0;
  }
};

// Reads entities in any transaction.
class EntityReader {
 public:
  explicit EntityReader(const store::Transaction& transaction) : transaction_(transaction) {}

  // Errors of all: corrupt, io. nullopt: there is none.
  Result<std::optional<model::Entity>> load(const RecordKey& key) const;
  // The observation, score or stray with this id in a container.
  Result<std::optional<Found>> find(ContainerNumber container, RecordKind kind, Bytes id) const;
  // The first free key for a new one; for an observation, in this chapter. None that is another's
  // in the index.
  Result<RecordKey> free_key(ContainerNumber container, RecordKind kind, Bytes id,
                             Chapter chapter = 0) const;
  // Where the next observation of a trace goes. Takes as long as reading a chapter.
  Result<OpenChapter> open_chapter(ContainerNumber container) const;
  // The container of a trace or session by its id.
  Result<std::optional<ContainerNumber>> find_trace(Bytes trace_id) const;
  Result<std::optional<ContainerNumber>> find_session(Bytes session_id) const;
  Result<std::optional<Found>> find_score(Bytes score_id) const;
  // Every trace that has an observation with this id, named as its trace.
  Result<std::vector<Found>> find_observations(Bytes observation_id) const;
  // The trace-less events of an observation, if there are any.
  Result<std::optional<Found>> find_stray(Bytes observation_id) const;
  // The observation as readers see it: with its trace-less events if they belong to it.
  Result<model::Entity> with_stray(model::Entity observation) const;

  // A payload's bytes; of merged metadata the visible text ("" if nothing is). Also corrupt: what
  // is read of the file has more than size_bytes_max.
  Result<std::string> payload(const model::PayloadView& view,
                              payload::ReadMode mode = payload::ReadMode::as_given,
                              std::uint64_t size_bytes_max = UINT64_MAX) const;

  [[nodiscard]] const store::Transaction& transaction() const { return transaction_; }

 private:
  Result<std::optional<Found>> find_in_directory(DirectoryKind kind, Bytes id) const;
  Result<std::optional<Found>> find_in_chapter(const RecordKey& first, Bytes id) const;
  Result<std::optional<Found>> find_in_later_chapters(ContainerNumber container, Bytes id) const;
  Result<bool> shares_row_with_another(const RecordKey& key, Bytes id) const;
  // 0 if the trace has no observations.
  Result<Chapter> last_chapter(ContainerNumber container) const;

  const store::Transaction& transaction_;
};

// Reads metadata for joins, stored out of line or not.
class MetadataReader : public model::MetadataSource {
 public:
  explicit MetadataReader(const store::Transaction& transaction) : transaction_(transaction) {}
  Result<model::MetadataTree> read(const model::Register& reg, const model::Order& order) override;

 private:
  const store::Transaction& transaction_;
};

// Writes one entity: moves its large inline payloads out of line first, counts the media that it
// refers to, which must be in the file, and frees what `before` referred to and it does not any
// more. `entity` is changed to what was written. All but streamed text of what has not ended shares
// text with others of `group`.
Status save(store::WriteTransaction& transaction, payload::PayloadWriter& payloads,
            const RecordKey& key, const model::Entity* before, model::Entity& entity,
            payload::GroupNumber group = 0);
// Frees what an entity's record refers to: its stored payloads, and its uses of media. What `kept`
// (null: nothing) refers to as well stays, and uses of media that only `kept` has are counted. For
// a record that is erased `kept` is null, for a new one `gone`.
Status free_payloads(store::WriteTransaction& transaction, payload::PayloadWriter& payloads,
                     const model::Entity* gone, const model::Entity* kept);
// The record alone: what it refers to stays.
Status erase(store::WriteTransaction& transaction, const RecordKey& key);
// Also what it refers to.
Status erase(store::WriteTransaction& transaction, payload::PayloadWriter& payloads,
             const RecordKey& key, const model::Entity& entity);
// The numbers of the payloads that an entity refers to.
std::vector<payload::PayloadNumber> stored_payloads(const model::Entity& entity);

// A new container for a trace or session, with a header record that holds the id and no event.
Result<ContainerNumber> create_container(store::WriteTransaction& transaction, DirectoryKind kind,
                                         Bytes id);
// The number that the next one gets.
Result<ContainerNumber> next_container(const store::Transaction& transaction);
Status set_next_container(store::WriteTransaction& transaction, ContainerNumber next);
// The header becomes as create_container made it.
Status empty_header(store::WriteTransaction& transaction, payload::PayloadWriter& payloads,
                    ContainerNumber container, const model::Entity& header);

}  // namespace tracelite::record
