// See record_mender.hpp.
#include "maintain/record_mender.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "index/attributes.hpp"
#include "maintain/build_index.hpp"
#include "model/media.hpp"
#include "model/view.hpp"
#include "payload/media_check.hpp"
#include "record/entity_store.hpp"
#include "record/records.hpp"

namespace tracelite::maintain {
namespace {

using model::Entity;
using model::EntityKind;
using model::PayloadValue;
using model::Register;
using record::ContainerNumber;
using record::EntityReader;
using record::RecordKey;
using record::RecordKind;
using store::KeySpace;

constexpr std::uint64_t kMendRoomSizeBytes = std::uint64_t{64} << 20;
// In one commit.
constexpr std::size_t kMendedBlocksMax = 256;
constexpr std::size_t kMendedRecordsMax = 1024;
constexpr std::uint64_t kMendedPerReport = 256;

constexpr std::array kPackedTruth = {KeySpace::record, KeySpace::frame, KeySpace::segment_bytes};

// What is damaged is left out; anything else ends the work.
bool is_damage(const Error& error) {
  return error.code == Code::corrupt || error.code == Code::not_found ||
         error.code == Code::limit || error.code == Code::invalid;
}

bool fits(const RecordKey& key, const Entity& entity) {
  if (key.container == 0 || key.container > record::kContainerNumberMax) return false;
  if (key.kind == RecordKind::header) {
    return key.entity == 0 &&
           (entity.kind == EntityKind::trace || entity.kind == EntityKind::session);
  }
  const EntityKind kind =
      key.kind == RecordKind::score ? EntityKind::score : EntityKind::observation;
  const record::EntityKey first = record::natural_key(entity.id);
  const record::EntityKey at = record::without_chapter(key.entity);
  const bool may_have_chapter = key.kind == RecordKind::observation;
  return entity.kind == kind && at >= first && at - first < record::kProbeCount &&
         (may_have_chapter || record::chapter_of(key.entity) == 0);
}

bool decode(Bytes key, Bytes record, RecordKey& at, Entity& entity) {
  if (key.size() != record::kRecordKeySizeBytes) return false;
  at = record::decode_record_key(key);
  return at.kind <= RecordKind::stray && model::decode(record, entity) && fits(at, entity);
}

Entity bare(EntityKind kind, std::string id) {
  Entity header;
  header.kind = kind;
  header.id = std::move(id);
  return header;
}

// Whether there is the block that a patch with this key is of.
Result<bool> has_block(const store::Transaction& transaction, Bytes patch_key) {
  const auto number = static_cast<std::size_t>(static_cast<unsigned char>(patch_key.front()));
  if (number >= store::kKeySpaceCount || patch_key.size() < 2) return false;
  const auto space = static_cast<KeySpace>(number);
  if (!store::is_packed(space)) return false;
  const Bytes block_key = patch_key.substr(1);
  store::Cursor blocks = transaction.key_cursor(space);
  TL_TRY_ASSIGN(found, blocks.seek(block_key));
  return found && blocks.key() == block_key;
}

std::string text_of(const RecordKey& key) {
  return "record " + std::to_string(key.entity) + " of container " + std::to_string(key.container);
}

}  // namespace

Status RecordMender::advance() {
  if (++done_ % kMendedPerReport != 0 || !progress_) return {};
  return progress_(done_, 0) ? Status(make_error(Code::cancelled, "cancelled")) : Status();
}

template <class Work>
Status RecordMender::in_commits(const Work& work) {
  next_.clear();
  for (bool more = true; more;) {
    TL_TRY(file_.make_room(kMendRoomSizeBytes));
    TL_TRY_ASSIGN(transaction, file_.begin_write());
    TL_TRY_ASSIGN(again, work(transaction));
    more = again;
    TL_TRY(transaction.commit());
  }
  return {};
}

Status RecordMender::lose_record(store::WriteTransaction& transaction, const std::string& key,
                                 const std::string& why) {
  ++report_.lost_record_count;
  finding_("record", why);
  auto erased = record::records(transaction).erase(key);
  return erased ? Status() : Status(std::move(erased).error());
}

// ------------------------------------------------------------------------------ blocks

Result<std::vector<std::string>> RecordMender::next_keys(const store::Transaction& transaction,
                                                         KeySpace space) {
  std::vector<std::string> keys;
  store::Cursor cursor = transaction.key_cursor(space);
  TL_TRY_ASSIGN(more, cursor.seek(next_));
  while (more && keys.size() < kMendedBlocksMax) {
    keys.emplace_back(cursor.key());
    TL_TRY_ASSIGN(again, cursor.next());
    more = again;
  }
  if (keys.size() == kMendedBlocksMax) next_ = keys.back() + '\0';
  return keys;
}

// Left there, it would be applied to a block that is written under the same key later.
Result<bool> RecordMender::drop_patches_without_block(store::WriteTransaction& transaction) {
  TL_TRY_ASSIGN(keys, next_keys(transaction, KeySpace::patch));
  for (const std::string& key : keys) {
    TL_TRY(advance());
    TL_TRY_ASSIGN(has, has_block(transaction, key));
    if (!has) TL_TRY(transaction.erase(KeySpace::patch, key));
  }
  return keys.size() == kMendedBlocksMax;
}

Result<bool> RecordMender::drop_damaged_blocks(store::WriteTransaction& transaction,
                                               KeySpace space) {
  TL_TRY_ASSIGN(keys, next_keys(transaction, space));
  for (const std::string& key : keys) {
    TL_TRY(advance());
    const auto read = store::PackedSpace::of(transaction, space).at_least(key);
    if (read) continue;
    if (!is_damage(read.error())) return read.error();
    ++report_.lost_block_count;
    finding_(store::kKeySpaceNames[static_cast<std::size_t>(space)],
             "a block cannot be read: " + read.error().message);
    TL_TRY(transaction.erase(space, key));
    std::string patch_key(1, static_cast<char>(space));
    patch_key.append(key);
    if (patch_key.size() <= store::kKeySizeBytesMax) {
      TL_TRY(transaction.erase(KeySpace::patch, patch_key));
    }
  }
  return keys.size() == kMendedBlocksMax;
}

// ------------------------------------------------------------------------------ payloads

Status RecordMender::check_medium(const store::WriteTransaction& transaction,
                                  const std::string& hash) {
  const auto known = media_.find(hash);
  if (known == media_.end()) {
    Status status = payload::check_bytes_of_medium(transaction, hash);
    if (!status && !is_damage(status.error())) return status;
    if (!status) finding_("media", status.error().message);
    media_[hash] = status.ok();
    return status;
  }
  return known->second ? Status() : Status(make_error(Code::corrupt, "a medium is damaged"));
}

Status RecordMender::check_payload(const store::WriteTransaction& transaction,
                                   const Register& reg) {
  const PayloadValue value = PayloadValue::decode(reg.value);
  if (value.is_stored && value.number != 0) {
    const payload::PayloadReader payloads(transaction);
    TL_TRY_ASSIGN(size_bytes, payloads.size_bytes(value.number));
    std::uint64_t offset = 0;
    for (std::string bytes; offset < value.stored_size_bytes; offset += bytes.size()) {
      bytes.clear();
      TL_TRY(payloads.read(value.number, offset, payload::kSliceSizeBytes, bytes));
      if (bytes.empty()) break;
    }
    if (offset != value.stored_size_bytes || size_bytes != offset) {
      return make_error(Code::corrupt, "it has not the size that its record says");
    }
  }
  payload::MediaUses uses;
  TL_TRY(payload::check_media_of(transaction, value, uses));
  for (const auto& [hash, count] : uses) TL_TRY(check_medium(transaction, hash));
  if (reg.field != model::Field::metadata) return {};
  const EntityReader reader(transaction);
  TL_TRY_ASSIGN(json, reader.payload({value, reg.tree()}));
  return {};
}

Result<bool> RecordMender::drop_unreadable_payloads(const store::WriteTransaction& transaction,
                                                    Entity& entity) {
  bool any = false;
  for (auto at = entity.registers.begin(); at != entity.registers.end();) {
    if (!model::is_payload(at->field) || at->cleared()) {
      ++at;
      continue;
    }
    const Status status = check_payload(transaction, *at);
    if (!status && !is_damage(status.error())) return status.error();
    if (status) {
      ++report_.payload_count;
      ++at;
      continue;
    }
    ++report_.lost_payload_count;
    any = true;
    finding_("payload",
             "a payload of \"" + entity.id + "\" cannot be read: " + status.error().message);
    at = entity.registers.erase(at);
  }
  return any;
}

// ------------------------------------------------------------------------------ records

// What belongs to it knows its name: a score its subject, and trace-less events lie in the trace
// that is named like their observation.
Status RecordMender::ensure_header(store::WriteTransaction& transaction,
                                   ContainerNumber container) {
  Entity header = bare(EntityKind::trace, {});
  record::RecordCursor cursor(transaction);
  for (const RecordKind kind : {RecordKind::score, RecordKind::stray}) {
    auto more = cursor.seek({container, kind, 0});
    if (!more && !is_damage(more.error())) return more.error();
    if (!more || !*more || cursor.key().container != container || cursor.key().kind != kind) {
      continue;
    }
    const auto entity = model::decode(cursor.record());
    if (!entity || !fits(cursor.key(), *entity)) continue;
    if (kind == RecordKind::stray) {
      header.id = entity->id;
      continue;
    }
    const model::ScoreView score = model::view_score(*entity);
    if (score.trace_id.empty()) header.kind = EntityKind::session;
    header.id = score.trace_id.empty() ? std::string(score.session_id) : score.trace_id;
  }
  if (header.id.empty()) {
    header = bare(EntityKind::trace, std::string(kNamelessTracePrefix) + std::to_string(container));
    ++report_.nameless_trace_count;
  }
  ++report_.lost_record_count;
  finding_("record", "what " + header.id + " itself said is lost; what belongs to it is not");
  const RecordKey key{container, RecordKind::header, 0};
  std::string record;
  encode(header, record);
  TL_TRY(record::records(transaction).put(record::encode(key), record));
  return add_to_directory(transaction, key, header);
}

Status RecordMender::mend_record(store::WriteTransaction& transaction, const std::string& key,
                                 const std::string& record) {
  TL_TRY(advance());
  RecordKey at;
  Entity entity;
  if (!decode(key, record, at, entity)) {
    return lose_record(transaction, key, "a record makes no sense");
  }
  if (at.container != container_) has_header_ = false;
  container_ = at.container;
  last_container_ = std::max(last_container_, container_);
  if (at.kind == RecordKind::header) has_header_ = true;
  if (!has_header_) TL_TRY(ensure_header(transaction, container_));
  has_header_ = true;
  TL_TRY_ASSIGN(changed, drop_unreadable_payloads(transaction, entity));
  if (changed) {
    std::string written;
    encode(entity, written);
    TL_TRY(record::records(transaction).put(key, written));
  }
  return add_to_directory(transaction, at, entity);
}

Result<bool> RecordMender::mend_some(store::WriteTransaction& transaction) {
  store::PackedCursor cursor(transaction, KeySpace::record);
  TL_TRY_ASSIGN(more, cursor.seek(next_));
  for (std::size_t count = 0; more && count < kMendedRecordsMax; ++count) {
    const std::string key(cursor.key());
    const std::string record(cursor.value());
    TL_TRY(mend_record(transaction, key, record));
    TL_TRY_ASSIGN(again, cursor.next());
    more = again;
    next_ = cursor.key();
  }
  if (more) return true;
  TL_TRY_ASSIGN(next, record::next_container(transaction));
  if (next <= last_container_) {
    TL_TRY(record::set_next_container(transaction, last_container_ + 1));
  }
  TL_TRY(record::merge_directory(transaction));
  return false;
}

// ------------------------------------------------------------------------------ by their ids

Status RecordMender::check_stray(store::WriteTransaction& transaction, const RecordKey& key,
                                 Entity& entity) {
  if (!entity.has_stray) return {};
  const EntityReader reader(transaction);
  const auto whole = reader.with_stray(entity);
  if (whole) return {};
  if (!is_damage(whole.error())) return whole.error();
  ++report_.lost_record_count;
  finding_("record", "the trace-less events of \"" + entity.id + "\" are lost");
  entity.has_stray = false;
  std::string record;
  encode(entity, record);
  return record::records(transaction).put(record::encode(key), record);
}

Status RecordMender::find_record(store::WriteTransaction& transaction, const RecordKey& key,
                                 Entity& entity) {
  TL_TRY(advance());
  const EntityReader reader(transaction);
  const std::string coded = record::encode(key);
  if (key.container != container_) has_header_ = false;
  container_ = key.container;
  bool found = has_header_;
  switch (key.kind) {
    case RecordKind::header: {
      const bool is_session = entity.kind == EntityKind::session;
      TL_TRY_ASSIGN(container,
                    is_session ? reader.find_session(entity.id) : reader.find_trace(entity.id));
      has_header_ = found = container == key.container;
      break;
    }
    case RecordKind::score: {
      TL_TRY_ASSIGN(score, reader.find_score(entity.id));
      found = found && score && score->key == key;
      break;
    }
    case RecordKind::observation: {
      TL_TRY_ASSIGN(all, reader.find_observations(entity.id));
      found = found &&
              std::any_of(all.begin(), all.end(), [&](const auto& one) { return one.key == key; });
      break;
    }
    case RecordKind::stray: {
      TL_TRY_ASSIGN(stray, reader.find_stray(entity.id));
      found = found && stray && stray->key == key;
      break;
    }
  }
  if (!found) return lose_record(transaction, coded, text_of(key) + " is there twice");
  return key.kind == RecordKind::observation ? check_stray(transaction, key, entity) : Status();
}

Result<bool> RecordMender::find_some(store::WriteTransaction& transaction) {
  record::RecordCursor cursor(transaction);
  TL_TRY_ASSIGN(more, cursor.seek(next_.empty() ? RecordKey() : record::decode_record_key(next_)));
  for (std::size_t count = 0; more && count < kMendedRecordsMax; ++count) {
    TL_TRY_ASSIGN(entity, model::decode(cursor.record()));
    TL_TRY(find_record(transaction, cursor.key(), entity));
    TL_TRY_ASSIGN(again, cursor.next());
    more = again;
    next_ = record::encode(cursor.key());
  }
  return more;
}

// ------------------------------------------------------------------------------ all of it

Result<MendReport> RecordMender::run() {
  TL_TRY(in_commits([this](store::WriteTransaction& transaction) {
    return drop_patches_without_block(transaction);
  }));
  for (const KeySpace space : kPackedTruth) {
    TL_TRY(in_commits([&](store::WriteTransaction& transaction) {
      return drop_damaged_blocks(transaction, space);
    }));
  }
  TL_TRY(
      in_commits([this](store::WriteTransaction& transaction) { return mend_some(transaction); }));
  container_ = 0;
  TL_TRY(
      in_commits([this](store::WriteTransaction& transaction) { return find_some(transaction); }));
  return report_;
}

}  // namespace tracelite::maintain
