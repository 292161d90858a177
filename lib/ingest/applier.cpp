// The way of a batch into records and index rows.
#include "ingest/applier.hpp"

#include <algorithm>
#include <tuple>

#include "ingest/applier_strays.hpp"
#include "ingest/joiner.hpp"
#include "ingest/pending.hpp"
#include "model/view.hpp"
#include "payload/group_format.hpp"
#include "record/changes.hpp"
#include "record/session_group.hpp"

namespace tracelite::ingest {

using model::Entity;
using model::EntityKind;
using model::Event;
using model::Field;
using model::PayloadValue;
using model::Register;
using record::ContainerNumber;
using record::DirectoryKind;
using record::EntityReader;
using record::Found;
using record::RecordKey;
using record::RecordKind;

namespace {

constexpr std::size_t kNodeSizeBytes = 64;  // of a hash map, with its bucket

// Those that were stored in parts, before their records.
std::vector<payload::PayloadNumber> stored_payloads(const std::vector<Event>& events) {
  std::vector<payload::PayloadNumber> numbers;
  for (const Event& event : events) {
    const auto some = record::stored_payloads(event.entity);
    numbers.insert(numbers.end(), some.begin(), some.end());
  }
  return numbers;
}

// It lies where nothing can be put behind it: as a payload that shares text, or with references.
bool is_finished(const PayloadValue& text) {
  return text.has_media() || (text.is_stored && (text.number & payload::kInGroup) != 0);
}

}  // namespace

void Applier::forget() {
  containers_.clear();
  containers_size_bytes_ = 0;
  sharers_.clear();
  chapters_.clear();
}

Status Applier::apply(store::WriteTransaction& transaction, const std::vector<Event>& events) {
  transaction_ = &transaction;
  TL_TRY_ASSIGN(statistics, record::read_statistics(transaction));
  statistics_ = statistics;
  changed_.clear();
  pending_ = stored_payloads(events);
  TL_TRY(media_.put(transaction, events));
  TL_TRY_ASSIGN(works, gather(events));
  for (Work& work : works) TL_TRY(place(work));
  // A container's records and rows lie together; within it in time, so that each call of an agent
  // finds the one before it to compare its history with.
  std::stable_sort(works.begin(), works.end(), [](const Work& a, const Work& b) {
    const Entity& one = a.look();
    const Entity& other = b.look();
    return std::tie(a.container, one.kind, one.first_order(), a.natural_key) <
           std::tie(b.container, other.kind, other.first_order(), b.natural_key);
  });
  for (Work& work : works) {
    TL_TRY(apply_one(work));
    work = {};
  }
  return finish();
}

// All events of one entity become one: begin and end in one batch are one write.
Result<std::vector<Applier::Work>> Applier::gather(const std::vector<Event>& events) {
  std::vector<Work> works;
  works.reserve(events.size());
  std::vector<Joiner> joiners;  // of those with several events
  joiners.reserve(events.size());
  std::unordered_map<std::string, std::size_t> seen;
  record::MetadataReader metadata(*transaction_);
  for (const Event& event : events) {
    std::string name(1, static_cast<char>(event.entity.kind));
    append_text(name, event.trace_id);
    name += event.entity.id;
    const auto [at, is_new] = seen.emplace(std::move(name), works.size());
    if (is_new) {
      works.push_back({event.trace_id, &event, {}, {}, 0, 0});
      joiners.emplace_back();
      continue;
    }
    Work& work = works[at->second];
    Joiner& joiner = joiners[at->second];
    if (work.only != nullptr) TL_TRY(joiner.add(work.only->entity, metadata));
    work.only = nullptr;
    TL_TRY(joiner.add(event.entity, metadata));
  }
  for (std::size_t i = 0; i < works.size(); ++i) {
    if (works[i].only != nullptr) continue;
    TL_TRY_ASSIGN(joined, joiners[i].take(metadata));
    works[i].entity = std::move(joined);
    for (const Field field : {Field::input, Field::output}) {
      if (joiners[i].has_begun_anew(field)) works[i].begun_anew.push_back(field);
    }
  }
  return works;
}

Status Applier::place(Work& work) {
  const Entity& entity = work.look();
  work.natural_key = record::natural_key(entity.id);
  Result<ContainerNumber> container = ContainerNumber{0};
  switch (entity.kind) {
    case EntityKind::trace:
      container = container_of(DirectoryKind::trace, entity.id);
      break;
    case EntityKind::observation:
      container =
          container_of(DirectoryKind::trace, work.trace_id.empty() ? entity.id : work.trace_id);
      break;
    case EntityKind::score:
      container = container_of_subject(entity);
      break;
    case EntityKind::session:
      container = container_of(DirectoryKind::session, entity.id);
      break;
  }
  if (!container) return std::move(container).error();
  work.container = *container;
  return {};
}

Status Applier::apply_one(Work& work) {
  if (work.only != nullptr) work.entity = work.only->entity;
  switch (work.entity.kind) {
    case EntityKind::trace:
      return apply_trace(work);
    case EntityKind::observation:
      return work.trace_id.empty() ? apply_stray(work) : apply_observation(work);
    case EntityKind::score:
      return apply_score(work);
    case EntityKind::session:
      return apply_session(work);
  }
  return make_error(Code::internal, "an event of an unknown kind");
}

Status Applier::finish() {
  TL_TRY(media_.drop_unused(*transaction_));
  // What no record has claimed is of an event that repeats another, or loses against one.
  for (const payload::PayloadNumber number : pending_) {
    TL_TRY(drop_pending(*transaction_, payloads_, number));
  }
  TL_TRY(payloads_.flush(*transaction_));
  TL_TRY(index_.flush());
  index::add(statistics_, index_.take_counts());
  TL_TRY(record::add_changes(*transaction_, std::move(changed_)));
  return record::write_statistics(*transaction_, statistics_);
}

// ------------------------------------------------------------------------------ one kind each

Status Applier::apply_trace(Work& work) {
  const RecordKey key{work.container, RecordKind::header, 0};
  TL_TRY_ASSIGN(before, EntityReader(*transaction_).load(key));
  if (!before) return make_error(Code::corrupt, "a trace has no header record");
  TL_TRY_ASSIGN(after, join(&*before, work));
  if (after == *before) return {};
  TL_TRY_ASSIGN(attributed, attributes_if_changed(&*before, &after));
  TL_TRY(choose_sharers(work.container, after));
  TL_TRY(save(key, &*before, after));
  changed_.push_back(key);
  return index_.trace_changed(
      {key, after.id, &*before, &after, std::move(attributed.before), std::move(attributed.after)});
}

Status Applier::apply_observation(Work& work) {
  const EntityReader reader(*transaction_);
  TL_TRY_ASSIGN(found, reader.find(work.container, RecordKind::observation, work.entity.id));
  const Entity* before = found ? &found->entity : nullptr;
  TL_TRY_ASSIGN(after, join(before, work));
  if (before != nullptr && after == *before) return {};

  RecordKey key;
  if (found) {
    key = found->key;
  } else {
    TL_TRY_ASSIGN(chapter, next_chapter(work.container));
    TL_TRY_ASSIGN(free,
                  reader.free_key(work.container, RecordKind::observation, after.id, chapter));
    key = free;
    TL_TRY(
        record::add_container(*transaction_, DirectoryKind::observation, after.id, work.container));
  }
  if (statistics_.strays > 0) {
    TL_TRY_ASSIGN(stray, reader.find_stray(after.id));
    if (stray) {
      StrayChange change;
      change.stray_before = stray;
      change.stray_after = stray;
      change.changed = Found{key, std::move(after)};
      TL_TRY_ASSIGN(named, reader.find_observations(change.changed->entity.id));
      change.named_before = std::move(named);
      return settle(change);
    }
  }
  TL_TRY_ASSIGN(attributed, attributes_if_changed(before, &after));
  TL_TRY(save(key, before, after));
  return show_observation({key, work.trace_id, before, &after, std::move(attributed.before),
                           std::move(attributed.after)});
}

Status Applier::apply_stray(Work& work) {
  const EntityReader reader(*transaction_);
  StrayChange change;
  TL_TRY_ASSIGN(found, reader.find(work.container, RecordKind::stray, work.entity.id));
  TL_TRY_ASSIGN(after, join(found ? &found->entity : nullptr, work));
  if (found && after == found->entity) return {};
  RecordKey key;
  if (found) {
    key = found->key;
  } else {
    TL_TRY_ASSIGN(free, reader.free_key(work.container, RecordKind::stray, after.id));
    key = free;
    ++statistics_.strays;
  }
  change.stray_before = std::move(found);
  change.stray_after = Found{key, std::move(after)};
  // Not by work.entity, which may have been moved from.
  TL_TRY_ASSIGN(named, reader.find_observations(change.stray_after->entity.id));
  change.named_before = std::move(named);
  return settle(change);
}

Status Applier::apply_score(Work& work) {
  const EntityReader reader(*transaction_);
  TL_TRY_ASSIGN(found, reader.find_score(work.entity.id));
  const Entity* before = found ? &found->entity : nullptr;
  TL_TRY_ASSIGN(after, join(before, work));
  if (before != nullptr && after == *before) return {};
  TL_TRY_ASSIGN(container, container_of_subject(after));
  const bool moves = found && found->key.container != container;
  Attributed attributed;
  if (moves) {  // all of the rows move, not only what changes
    TL_TRY_ASSIGN(old_attributes, attributes(*before));
    TL_TRY_ASSIGN(new_attributes, attributes(after));
    attributed = {std::move(old_attributes), std::move(new_attributes)};
  } else {
    TL_TRY_ASSIGN(changed, attributes_if_changed(before, &after));
    attributed = std::move(changed);
  }
  RecordKey key;
  if (found && !moves) {
    key = found->key;
  } else {
    TL_TRY_ASSIGN(free, reader.free_key(container, RecordKind::score, after.id));
    key = free;
    TL_TRY(record::add_container(*transaction_, DirectoryKind::score, after.id, container));
  }
  TL_TRY(save(key, before, after));
  changed_.push_back(key);
  if (!moves) {
    return index_.score_changed(
        {key, {}, before, &after, std::move(attributed.before), std::move(attributed.after)});
  }
  TL_TRY(record::erase(*transaction_, found->key));
  TL_TRY(index_.score_changed({found->key, {}, before, nullptr, std::move(attributed.before), {}}));
  return index_.score_changed({key, {}, nullptr, &after, {}, std::move(attributed.after)});
}

Status Applier::apply_session(Work& work) {
  const RecordKey key{work.container, RecordKind::header, 0};
  TL_TRY_ASSIGN(before, EntityReader(*transaction_).load(key));
  if (!before) return make_error(Code::corrupt, "a session has no header record");
  TL_TRY_ASSIGN(after, join(&*before, work));
  if (after == *before) return {};
  TL_TRY(save(key, &*before, after));
  return index_.session_changed({key, after.id, &*before, &after, {}, {}});
}

// ------------------------------------------------------------------------------ helpers

Result<ContainerNumber> Applier::container_of(DirectoryKind kind, Bytes id) {
  std::string name(1, static_cast<char>(kind));
  name.append(id);
  if (const auto known = containers_.find(name); known != containers_.end()) return known->second;
  const EntityReader reader(*transaction_);
  TL_TRY_ASSIGN(found,
                kind == DirectoryKind::session ? reader.find_session(id) : reader.find_trace(id));
  ContainerNumber container = found.value_or(0);
  if (!found) {
    TL_TRY_ASSIGN(created, record::create_container(*transaction_, kind, id));
    container = created;
  }
  const std::size_t size_bytes = kNodeSizeBytes + sizeof(std::string) + name.size();
  if (containers_size_bytes_ + size_bytes > kContainerCacheSizeBytesMax) {
    containers_.clear();
    containers_size_bytes_ = 0;
  }
  containers_.emplace(std::move(name), container);
  containers_size_bytes_ += size_bytes;
  return container;
}

Result<record::Chapter> Applier::next_chapter(ContainerNumber container) {
  auto known = chapters_.find(container);
  if (known == chapters_.end()) {
    TL_TRY_ASSIGN(open, EntityReader(*transaction_).open_chapter(container));
    if (chapters_.size() * kNodeSizeBytes > kChapterCacheSizeBytesMax) chapters_.clear();
    known = chapters_.emplace(container, open).first;
  }
  const record::Chapter chapter = known->second.chapter;
  known->second.add_one();
  return chapter;
}

Result<ContainerNumber> Applier::container_of_subject(const Entity& score) {
  const model::ScoreView view = model::view_score(score);
  if (view.subject_kind == model::SubjectKind::session) {
    return container_of(DirectoryKind::session, view.session_id);
  }
  return container_of(DirectoryKind::trace, view.trace_id);
}

Result<payload::GroupNumber> Applier::group_of(ContainerNumber container, const Entity& entity) {
  auto known = sharers_.find(container);
  if (known == sharers_.end()) {
    TL_TRY_ASSIGN(header, EntityReader(*transaction_).load({container, RecordKind::header, 0}));
    if (!header) return make_error(Code::corrupt, "a container has no header record");
    TL_TRY(choose_sharers(container, *header));
    known = sharers_.find(container);
  }
  if (known->second == container) return container;
  return record::session_group(*transaction_, payloads_, known->second, entity);
}

// Once a trace names its session, what it records from then on goes there.
Status Applier::choose_sharers(ContainerNumber container, const Entity& header) {
  ContainerNumber sharers = container;
  if (header.kind == EntityKind::trace) {
    const auto session_id = model::view_trace(header).session_id;
    if (session_id) {
      TL_TRY_ASSIGN(session, container_of(DirectoryKind::session, *session_id));
      sharers = session;
    }
  }
  if (sharers_.size() * kNodeSizeBytes >= kSharersCacheSizeBytesMax) sharers_.clear();
  sharers_[container] = sharers;
  return {};
}

Result<std::string> Applier::container_id(ContainerNumber container) {
  TL_TRY_ASSIGN(header, EntityReader(*transaction_).load({container, RecordKind::header, 0}));
  if (!header) return make_error(Code::corrupt, "a container has no header record");
  return std::move(header->id);
}

Result<Entity> Applier::join(const Entity* before, Work& work) {
  Result<Entity> joined = Entity();
  if (before == nullptr || before->orders.empty()) {
    joined = std::move(work.entity);
    joined->has_stray = before != nullptr && before->has_stray;
  } else {
    TL_TRY_ASSIGN(altered, append_streams(*before, work));
    record::MetadataReader metadata(*transaction_);
    joined = model::join(altered ? *altered : *before, work.entity, metadata);
    if (!joined) return joined;
  }
  TL_TRY(finish_payloads(before, *joined));
  return joined;
}

// Makes what was appended go behind the text that is stored: there, if that grows by itself in the
// file. What joins with the event then is `before` as it is returned, or as it is (nullopt).
Result<std::optional<Entity>> Applier::append_streams(const Entity& before, Work& work) {
  std::optional<Entity> altered;
  for (Register& reg : work.entity.registers) {
    const Register* stored = before.find(reg.field);
    if (!reg.streamed() || stored == nullptr || !stored->streamed()) continue;
    const auto change_stored = [&]() -> Register& {
      if (!altered) altered = before;
      return *altered->find(reg.field);
    };
    if (work.has_begun_anew(reg.field)) {
      Register& replaced = change_stored();
      replaced.flags = static_cast<std::uint8_t>(replaced.flags & ~Register::kStreamed);
      continue;
    }
    const auto order = work.entity.order_of(reg) <=> before.order_of(*stored);
    if (order == 0) continue;  // the same event
    const PayloadValue head = PayloadValue::decode(stored->value);
    if (is_finished(head)) {
      const payload::ValueReader values(*transaction_);
      TL_TRY_ASSIGN(text, values.read_all(head, payload::ReadMode::as_given));
      change_stored().value = PayloadValue::encode_inline(head.form, text);
    } else if (head.is_stored) {
      const PayloadValue tail = PayloadValue::decode(reg.value);
      TL_TRY(payloads_.append(*transaction_, head.number, tail.bytes));
      // Of both the later one is kept, and has to know how long the text is.
      Register& later = order > 0 ? reg : change_stored();
      later.value = PayloadValue::encode_stored(head.form, head.number,
                                                head.stored_size_bytes + tail.bytes.size());
    }
  }
  return altered;
}

// A streamed text of an observation that has ended is written anew as one payload, which may share
// text with others. Its media, and those of metadata that was merged, are taken out now. A longer
// one than any that may share stays where it is, so that memory does not depend on how long it has
// grown. It remains streamed: what is appended still goes behind it.
Status Applier::finish_payloads(const Entity* before, Entity& entity) {
  const bool had_ended = before != nullptr && model::has_ended(*before);
  const bool has_ended = model::has_ended(entity);
  for (Register& reg : entity.registers) {
    if (reg.tree()) TL_TRY(media_.take_out(*transaction_, reg));
    if (!reg.streamed() || !has_ended) continue;
    const Register* stored = before == nullptr ? nullptr : before->find(reg.field);
    if (had_ended && stored != nullptr && stored->value == reg.value) continue;
    const PayloadValue value = PayloadValue::decode(reg.value);
    if (value.stored_size_bytes > payload::kSharedPayloadSizeBytesMax) continue;
    if (is_finished(value)) continue;  // by an end that was cleared
    if (value.is_stored) {
      TL_TRY_ASSIGN(text, payload::PayloadReader(*transaction_).read_all(value.number));
      reg.value = PayloadValue::encode_inline(value.form, text);  // save() puts it in its place
    }
    TL_TRY(media_.take_out(*transaction_, reg));
  }
  return {};
}

Status Applier::show_observation(const index::Change& change) {
  if (change.after != nullptr) changed_.push_back(change.key);
  return index_.observation_changed(change);
}

Status Applier::save(const RecordKey& key, const Entity* before, Entity& after) {
  TL_TRY_ASSIGN(group, group_of(key.container, after));
  TL_TRY(record::save(*transaction_, payloads_, key, before, after, group));
  if (!pending_.empty()) TL_TRY(claim_pending(*transaction_, after));
  statistics_.payload_size_bytes += model::payload_size_bytes(after);
  if (before != nullptr) statistics_.payload_size_bytes -= model::payload_size_bytes(*before);
  return {};
}

Result<index::Attributes> Applier::attributes(const Entity& entity) {
  return index::read_attributes(EntityReader(*transaction_), entity);
}

Result<Applier::Attributed> Applier::attributes_if_changed(const Entity* before,
                                                           const Entity* after) {
  const Register* reg_before = before == nullptr ? nullptr : before->find(Field::metadata);
  const Register* reg_after = after == nullptr ? nullptr : after->find(Field::metadata);
  Attributed result;
  const bool both = reg_before != nullptr && reg_after != nullptr;
  if (both && reg_before->value == reg_after->value && reg_before->flags == reg_after->flags) {
    return result;
  }
  if (before != nullptr) {
    TL_TRY_ASSIGN(old_attributes, attributes(*before));
    result.before = std::move(old_attributes);
  }
  if (after != nullptr) {
    TL_TRY_ASSIGN(new_attributes, attributes(*after));
    result.after = std::move(new_attributes);
  }
  return result;
}

}  // namespace tracelite::ingest
