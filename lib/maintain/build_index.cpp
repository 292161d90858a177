// Two passes over the records: ids first, since the trace-less events of an observation are found
// by id; then the rows.
#include "maintain/build_index.hpp"

#include <algorithm>
#include <utility>

#include "record/entity_store.hpp"
#include "record/records.hpp"

namespace tracelite::maintain {
namespace {

using model::Entity;
using record::DirectoryKind;
using record::EntityReader;
using record::RecordKey;
using record::RecordKind;

constexpr std::uint64_t kEntitiesPerReport = 1024;

}  // namespace

Status IndexBuilder::add_observation(const store::Transaction& transaction, const RecordKey& key,
                                     Bytes container_id, const Entity& entity) {
  TL_TRY_ASSIGN(known, index::read_attributes(EntityReader(transaction), entity));
  return index_.observation_changed({key, container_id, nullptr, &entity, {}, std::move(known)});
}

Status IndexBuilder::add(const store::Transaction& transaction, const RecordKey& key,
                         const Entity& entity) {
  const EntityReader reader(transaction);
  statistics_.payload_size_bytes += model::payload_size_bytes(entity);
  if (key.kind == RecordKind::header) {
    container_ = key.container;
    container_id_ = entity.id;
    if (entity.kind == model::EntityKind::session) {
      return index_.session_changed({key, entity.id, nullptr, &entity, {}, {}});
    }
    TL_TRY_ASSIGN(known, index::read_attributes(reader, entity));
    return index_.trace_changed({key, entity.id, nullptr, &entity, {}, std::move(known)});
  }
  if (key.container != container_) {
    return make_error(Code::corrupt, "a record has no trace or session that it belongs to");
  }
  if (key.kind == RecordKind::observation) {
    TL_TRY_ASSIGN(whole, reader.with_stray(entity));
    return add_observation(transaction, key, container_id_, whole);
  }
  if (key.kind == RecordKind::stray) {
    ++statistics_.strays;
    TL_TRY_ASSIGN(named, reader.find_observations(entity.id));
    return named.empty() ? add_observation(transaction, key, container_id_, entity) : Status();
  }
  TL_TRY_ASSIGN(known, index::read_attributes(reader, entity));
  return index_.score_changed({key, {}, nullptr, &entity, {}, std::move(known)});
}

Result<record::Statistics> IndexBuilder::finish() {
  TL_TRY(index_.merge_recent());
  TL_TRY(flush());
  index::add(statistics_, index_.take_counts());
  return statistics_;
}

Status for_each_record(const store::Transaction& transaction, const RecordVisitor& visit) {
  record::RecordCursor cursor(transaction);
  TL_TRY_ASSIGN(more, cursor.seek({}));
  while (more) {
    TL_TRY_ASSIGN(entity, model::decode(cursor.record()));
    TL_TRY(visit(cursor.key(), entity));
    TL_TRY_ASSIGN(again, cursor.next());
    more = again;
  }
  return {};
}

Status add_to_directory(store::WriteTransaction& transaction, const RecordKey& key,
                        const Entity& entity) {
  const auto add = [&](DirectoryKind kind) {
    return record::add_container(transaction, kind, entity.id, key.container);
  };
  switch (key.kind) {
    case RecordKind::header:
      return add(entity.kind == model::EntityKind::session ? DirectoryKind::session
                                                           : DirectoryKind::trace);
    case RecordKind::score:
      return add(DirectoryKind::score);
    case RecordKind::observation:
      return add(DirectoryKind::observation);
    case RecordKind::stray:
      break;
  }
  return {};
}

Status build_directory(store::WriteTransaction& transaction) {
  TL_TRY(for_each_record(transaction, [&](const RecordKey& key, const Entity& entity) {
    return add_to_directory(transaction, key, entity);
  }));
  return record::merge_directory(transaction);
}

Result<record::Statistics> build_index(const store::Transaction& transaction,
                                       index::IndexWriter& index,
                                       const ProgressFunction& progress) {
  // What was counted last, which may be what is to be mended.
  const auto counted = record::read_statistics(transaction);
  const std::uint64_t expected =
      counted ? counted->traces + counted->observations + counted->scores + counted->sessions : 0;
  IndexBuilder builder(index);
  std::uint64_t done = 0;
  TL_TRY(for_each_record(transaction, [&](const RecordKey& key, const Entity& entity) -> Status {
    if (++done % kEntitiesPerReport == 0 && progress && progress(done, std::max(done, expected))) {
      return make_error(Code::cancelled, "cancelled");
    }
    return builder.add(transaction, key, entity);
  }));
  if (progress) progress(done, done);
  return builder.finish();
}

}  // namespace tracelite::maintain
