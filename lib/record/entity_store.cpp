// Look-ups by id, and the way of an entity into its record.
#include "record/entity_store.hpp"

#include <xxhash.h>

#include <algorithm>

#include "payload/media_scan.hpp"
#include "payload/metadata_json.hpp"
#include "record/records.hpp"
#include "record/session_group.hpp"

namespace tracelite::record {
namespace {

using model::Entity;
using model::EntityKind;
using model::PayloadValue;
using model::Register;
using store::KeySpace;

constexpr Bytes kNextContainerKey = "next_container";

template <class Visit>
void for_each_payload(const Entity& entity, Visit&& visit) {
  for (const Register& reg : entity.registers) {
    if (model::is_payload(reg.field) && !reg.cleared()) visit(PayloadValue::decode(reg.value));
  }
}

// What is large becomes a new payload. A text that still grows is stored by itself.
Status externalise(store::WriteTransaction& transaction, payload::PayloadWriter& payloads,
                   Entity& entity, payload::GroupNumber group) {
  const bool has_ended = model::has_ended(entity);
  for (Register& reg : entity.registers) {
    if (!model::is_payload(reg.field) || reg.cleared()) continue;
    const PayloadValue value = PayloadValue::decode(reg.value);
    if (value.is_stored || value.bytes.size() <= kInlinePayloadSizeBytesMax) continue;
    const bool grows = reg.streamed() && !has_ended;
    TL_TRY_ASSIGN(number, payloads.put(transaction, grows ? 0 : group, value.bytes));
    reg.value =
        PayloadValue::encode_stored(value.form, number, value.stored_size_bytes, value.media());
  }
  return {};
}

Status put_empty_header(store::WriteTransaction& transaction, ContainerNumber container,
                        EntityKind kind, Bytes id) {
  Entity header;
  header.kind = kind;
  header.id = id;
  std::string record;
  encode(header, record);
  return records(transaction).put(encode(RecordKey{container, RecordKind::header, 0}), record);
}

}  // namespace

std::vector<payload::PayloadNumber> stored_payloads(const Entity& entity) {
  std::vector<payload::PayloadNumber> numbers;
  for (const Register& reg : entity.registers) {
    if (!model::is_payload(reg.field) || reg.cleared()) continue;
    const PayloadValue value = PayloadValue::decode(reg.value);
    if (value.is_stored && value.number != 0) numbers.push_back(value.number);
  }
  return numbers;
}

EntityKey natural_key(Bytes id) {
  return static_cast<EntityKey>(XXH3_64bits(id.data(), id.size()) >> 33);
}

Result<std::optional<Entity>> EntityReader::load(const RecordKey& key) const {
  const std::string coded = encode(key);
  TL_TRY_ASSIGN(record, records(transaction_).get(coded));
  if (!record) return std::optional<Entity>();
  TL_TRY_ASSIGN(entity, model::decode(*record));
  return std::optional<Entity>(std::move(entity));
}

Result<std::optional<Found>> EntityReader::find(ContainerNumber container, RecordKind kind,
                                                Bytes id) const {
  TL_TRY_ASSIGN(found, find_in_chapter({container, kind, natural_key(id)}, id));
  if (found || kind != RecordKind::observation) return found;
  return find_in_later_chapters(container, id);
}

Result<std::optional<Found>> EntityReader::find_in_chapter(const RecordKey& first, Bytes id) const {
  RecordCursor cursor(transaction_);
  TL_TRY_ASSIGN(more, cursor.seek(first));
  while (more) {
    const RecordKey key = cursor.key();
    if (key.container != first.container || key.kind != first.kind ||
        key.entity - first.entity >= kProbeCount) {
      break;
    }
    TL_TRY_ASSIGN(entity, model::decode(cursor.record()));
    if (entity.id == id) return std::optional<Found>({key, std::move(entity)});
    TL_TRY_ASSIGN(again, cursor.next());
    more = again;
  }
  return std::optional<Found>();
}

// Most ids that are looked for here are new, and each chapter may be far from the others in the
// file; so the directory is asked before.
Result<std::optional<Found>> EntityReader::find_in_later_chapters(ContainerNumber container,
                                                                  Bytes id) const {
  TL_TRY_ASSIGN(last, last_chapter(container));
  if (last == 0) return std::optional<Found>();
  TL_TRY_ASSIGN(containers, find_containers(transaction_, DirectoryKind::observation, id));
  if (!std::binary_search(containers.begin(), containers.end(), container)) {
    return std::optional<Found>();
  }
  for (EntityKey chapter = last; chapter > 0; --chapter) {
    const EntityKey first = (chapter << kChapterShift) + natural_key(id);
    TL_TRY_ASSIGN(found, find_in_chapter({container, RecordKind::observation, first}, id));
    if (found) return found;
  }
  return std::optional<Found>();
}

Result<Chapter> EntityReader::last_chapter(ContainerNumber container) const {
  const std::string end = encode(RecordKey{container, RecordKind::observation, kEntityKeyMax});
  TL_TRY_ASSIGN(entry, records(transaction_).at_most(end));
  if (!entry || entry->key.size() != kRecordKeySizeBytes) return Chapter{0};
  const RecordKey key = decode_record_key(entry->key);
  if (key.container != container || key.kind != RecordKind::observation) return Chapter{0};
  return chapter_of(key.entity);
}

Result<OpenChapter> EntityReader::open_chapter(ContainerNumber container) const {
  TL_TRY_ASSIGN(last, last_chapter(container));
  OpenChapter open{last, 0};
  RecordCursor cursor(transaction_);
  TL_TRY_ASSIGN(
      more, cursor.seek({container, RecordKind::observation, EntityKey{last} << kChapterShift}));
  while (more && cursor.key().container == container &&
         cursor.key().kind == RecordKind::observation && open.chapter == last) {
    open.add_one();
    TL_TRY_ASSIGN(again, cursor.next());
    more = again;
  }
  return open;
}

// The index has one row for an observation and a stray with the same key: they must have one id.
Result<bool> EntityReader::shares_row_with_another(const RecordKey& key, Bytes id) const {
  RecordKey other = key;
  if (key.kind == RecordKind::observation) {
    other.kind = RecordKind::stray;
  } else if (key.kind == RecordKind::stray) {
    other.kind = RecordKind::observation;
  } else {
    return false;
  }
  TL_TRY_ASSIGN(entity, load(other));
  return entity && entity->id != id;
}

Result<RecordKey> EntityReader::free_key(ContainerNumber container, RecordKind kind, Bytes id,
                                         Chapter chapter) const {
  const EntityKey first = (EntityKey{chapter} << kChapterShift) + natural_key(id);
  for (EntityKey step = 0; step < kProbeCount; ++step) {
    const RecordKey key{container, kind, first + step};
    const std::string coded = encode(key);
    TL_TRY_ASSIGN(record, records(transaction_).get(coded));
    if (record) continue;
    TL_TRY_ASSIGN(shares, shares_row_with_another(key, id));
    if (!shares) return key;
  }
  return make_error(Code::limit, "too many ids in one trace have the same hash", "id");
}

Result<std::optional<ContainerNumber>> EntityReader::find_trace(Bytes trace_id) const {
  TL_TRY_ASSIGN(found, find_in_directory(DirectoryKind::trace, trace_id));
  return found ? std::optional(found->key.container) : std::nullopt;
}

Result<std::optional<ContainerNumber>> EntityReader::find_session(Bytes session_id) const {
  TL_TRY_ASSIGN(found, find_in_directory(DirectoryKind::session, session_id));
  return found ? std::optional(found->key.container) : std::nullopt;
}

Result<std::optional<Found>> EntityReader::find_in_directory(DirectoryKind kind, Bytes id) const {
  TL_TRY_ASSIGN(containers, find_containers(transaction_, kind, id));
  const EntityKind wanted =
      kind == DirectoryKind::session ? EntityKind::session : EntityKind::trace;
  for (const ContainerNumber container : containers) {
    TL_TRY_ASSIGN(header, load({container, RecordKind::header, 0}));
    if (header && header->kind == wanted && header->id == id) {
      return std::optional<Found>({{container, RecordKind::header, 0}, std::move(*header)});
    }
  }
  return std::optional<Found>();
}

Result<std::optional<Found>> EntityReader::find_score(Bytes score_id) const {
  TL_TRY_ASSIGN(containers, find_containers(transaction_, DirectoryKind::score, score_id));
  for (const ContainerNumber container : containers) {
    TL_TRY_ASSIGN(found, find(container, RecordKind::score, score_id));
    if (found) return found;
  }
  return std::optional<Found>();
}

Result<std::vector<Found>> EntityReader::find_observations(Bytes observation_id) const {
  TL_TRY_ASSIGN(containers,
                find_containers(transaction_, DirectoryKind::observation, observation_id));
  std::vector<Found> all;
  for (const ContainerNumber container : containers) {
    TL_TRY_ASSIGN(found, find(container, RecordKind::observation, observation_id));
    if (found) all.push_back(std::move(*found));
  }
  return all;
}

Result<std::optional<Found>> EntityReader::find_stray(Bytes observation_id) const {
  TL_TRY_ASSIGN(container, find_trace(observation_id));
  if (!container) return std::optional<Found>();
  return find(*container, RecordKind::stray, observation_id);
}

Result<Entity> EntityReader::with_stray(Entity observation) const {
  if (!observation.has_stray) return observation;
  TL_TRY_ASSIGN(stray, find_stray(observation.id));
  if (!stray) return make_error(Code::corrupt, "the trace-less events of an observation are gone");
  MetadataReader metadata(transaction_);
  return model::join(observation, stray->entity, metadata);
}

Result<std::string> EntityReader::payload(const model::PayloadView& view, payload::ReadMode mode,
                                          std::uint64_t size_bytes_max) const {
  const payload::ValueReader values(transaction_);
  if (!view.is_tree) return values.read_all(view.value, mode, size_bytes_max);
  TL_TRY_ASSIGN(bytes, values.read_all(view.value, payload::ReadMode::as_given, size_bytes_max));
  TL_TRY_ASSIGN(tree, model::MetadataTree::decode(bytes));
  std::string visible = tree.visible().value_or(std::string());
  if (mode == payload::ReadMode::as_stored && view.value.has_media()) {
    // The references stand in the tree; its visible text has them at other places.
    auto without = payload::take_out_media(model::Form::text, visible);
    if (without) return std::move(without->text);
  }
  return visible;
}

Result<model::MetadataTree> MetadataReader::read(const Register& reg, const model::Order& order) {
  if (reg.cleared()) return payload::parse_metadata("null", order);
  const PayloadValue value = PayloadValue::decode(reg.value);
  // As given: a tree is split and joined, and references would lose their places.
  TL_TRY_ASSIGN(bytes,
                payload::ValueReader(transaction_).read_all(value, payload::ReadMode::as_given));
  if (reg.tree()) return model::MetadataTree::decode(bytes);
  return payload::parse_metadata(bytes, order);
}

Status free_payloads(store::WriteTransaction& transaction, payload::PayloadWriter& payloads,
                     const Entity* gone, const Entity* kept) {
  payload::MediaCountChanges media;
  std::vector<std::uint64_t> kept_numbers;
  if (kept != nullptr) {
    for_each_payload(*kept, [&](const PayloadValue& value) {
      media.add(value);
      if (value.is_stored) kept_numbers.push_back(value.number);
    });
  }
  std::vector<std::uint64_t> gone_numbers;
  if (gone != nullptr) {
    for_each_payload(*gone, [&](const PayloadValue& value) {
      media.drop(value);
      if (value.is_stored && value.number != 0) gone_numbers.push_back(value.number);
    });
  }
  for (const std::uint64_t number : gone_numbers) {
    if (std::find(kept_numbers.begin(), kept_numbers.end(), number) != kept_numbers.end()) continue;
    TL_TRY(payloads.erase(transaction, number));
  }
  return media.apply(transaction, payloads);
}

Status save(store::WriteTransaction& transaction, payload::PayloadWriter& payloads,
            const RecordKey& key, const Entity* before, Entity& entity,
            payload::GroupNumber group) {
  TL_TRY(externalise(transaction, payloads, entity, group));
  TL_TRY(free_payloads(transaction, payloads, before, &entity));
  std::string record;
  encode(entity, record);
  return records(transaction).put(encode(key), record);
}

Status erase(store::WriteTransaction& transaction, const RecordKey& key) {
  auto erased = records(transaction).erase(encode(key));
  return erased ? Status() : Status(std::move(erased).error());
}

Status erase(store::WriteTransaction& transaction, payload::PayloadWriter& payloads,
             const RecordKey& key, const Entity& entity) {
  TL_TRY(free_payloads(transaction, payloads, &entity, nullptr));
  if (entity.kind == EntityKind::session) TL_TRY(forget_session_group(transaction, key.container));
  return erase(transaction, key);
}

Result<ContainerNumber> next_container(const store::Transaction& transaction) {
  TL_TRY_ASSIGN(value, transaction.get(KeySpace::meta, kNextContainerKey));
  return value ? ContainerNumber{read_big_endian(*value)} : ContainerNumber{1};
}

Status set_next_container(store::WriteTransaction& transaction, ContainerNumber next) {
  std::string value;
  append_big_endian(value, next);
  return transaction.put(KeySpace::meta, kNextContainerKey, value);
}

Result<ContainerNumber> create_container(store::WriteTransaction& transaction, DirectoryKind kind,
                                         Bytes id) {
  TL_TRY_ASSIGN(container, next_container(transaction));
  if (container > kContainerNumberMax) {
    return make_error(Code::limit, "the file has no container number left");
  }
  TL_TRY(set_next_container(transaction, container + 1));
  TL_TRY(add_container(transaction, kind, id, container));
  const bool is_session = kind == DirectoryKind::session;
  TL_TRY(put_empty_header(transaction, container,
                          is_session ? EntityKind::session : EntityKind::trace, id));
  return container;
}

Status empty_header(store::WriteTransaction& transaction, payload::PayloadWriter& payloads,
                    ContainerNumber container, const Entity& header) {
  TL_TRY(free_payloads(transaction, payloads, &header, nullptr));
  return put_empty_header(transaction, container, header.kind, header.id);
}

}  // namespace tracelite::record
