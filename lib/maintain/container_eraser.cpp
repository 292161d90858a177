// Record by record: the index first, which needs to know what the record said.
#include "maintain/container_eraser.hpp"

#include <utility>

#include "model/view.hpp"
#include "payload/group_format.hpp"
#include "record/records.hpp"

namespace tracelite::maintain {

using model::Entity;
using model::EntityKind;
using record::ContainerNumber;
using record::RecordKey;
using record::RecordKind;

Status ContainerEraser::erase(ContainerNumber container) {
  TL_TRY(erase_alone(container));
  return erase_left();
}

Status ContainerEraser::erase_alone(ContainerNumber container) {
  const RecordKey key{container, RecordKind::header, 0};
  TL_TRY_ASSIGN(header, reader_.load(key));
  if (!header) return {};
  if (header->kind == EntityKind::session) {
    TL_TRY_ASSIGN(has_traces, index_.has_traces(header->id));
    if (has_traces) return {};
  }
  bool is_done = true;
  bool keeps_stray = false;
  TL_TRY(erase_members(*header, container, is_done, keeps_stray));
  if (is_done) {
    TL_TRY(erase_header(key, *header, keeps_stray));
  } else {
    unfinished_.push_back(container);
  }
  if (header->kind == EntityKind::session) return {};
  return index_.recount_trace(container, header->id, is_done ? nullptr : &*header);
}

Status ContainerEraser::erase_members(const Entity& header, ContainerNumber container,
                                      bool& is_done, bool& keeps_stray) {
  const std::size_t steps_end = steps_ + steps_of_one_max_;
  record::RecordCursor cursor(transaction_);
  TL_TRY_ASSIGN(more, cursor.seek({container, RecordKind::observation, 0}));
  while (more && cursor.key().container == container) {
    if (steps_ >= steps_end) {
      is_done = false;
      return {};
    }
    const RecordKey key = cursor.key();
    TL_TRY_ASSIGN(entity, model::decode(cursor.record()));
    switch (key.kind) {
      case RecordKind::observation:
        TL_TRY(erase_observation(key, header.id, entity));
        break;
      case RecordKind::score:
        TL_TRY(erase_score(key, entity));
        break;
      case RecordKind::stray: {
        TL_TRY_ASSIGN(stays, erase_stray(key, entity));
        keeps_stray = keeps_stray || stays;
        break;
      }
      case RecordKind::header:
        break;
    }
    TL_TRY_ASSIGN(again, cursor.next());
    more = again;
  }
  return {};
}

// ------------------------------------------------------------------------------ one kind each

Status ContainerEraser::erase_observation(const RecordKey& key, Bytes trace_id,
                                          const Entity& entity) {
  if (!entity.has_stray) {
    TL_TRY(erase_row(key, trace_id, entity));
    return erase_record(key, entity);
  }
  TL_TRY_ASSIGN(whole, reader_.with_stray(entity));
  TL_TRY_ASSIGN(stray, reader_.find_stray(entity.id));
  TL_TRY(erase_row(key, trace_id, whole));
  TL_TRY(erase_record(key, entity));
  TL_TRY(erase_record(stray->key, stray->entity));
  if (stray->key.container != key.container) left_containers_.insert(stray->key.container);
  return {};
}

Result<bool> ContainerEraser::erase_stray(const RecordKey& key, const Entity& entity) {
  // Its own observation of the same trace, if there was one, has taken it along already.
  TL_TRY_ASSIGN(named, reader_.find_observations(entity.id));
  if (!named.empty()) return true;
  TL_TRY(erase_row(key, entity.id, entity));
  TL_TRY(erase_record(key, entity));
  return false;
}

Status ContainerEraser::erase_score(const RecordKey& key, const Entity& entity) {
  TL_TRY(erase_row(key, {}, entity));
  return erase_record(key, entity);
}

Status ContainerEraser::erase_header(const RecordKey& key, const Entity& header, bool keeps_stray) {
  TL_TRY(erase_row(key, header.id, header));
  leave(key, header);
  statistics_.payload_size_bytes -= model::payload_size_bytes(header);
  if (keeps_stray) return record::empty_header(transaction_, payloads_, key.container, header);
  return record::erase(transaction_, payloads_, key, header);
}

// ------------------------------------------------------------------------------ helpers

Status ContainerEraser::erase_row(const RecordKey& key, Bytes trace_id, const Entity& visible) {
  TL_TRY_ASSIGN(attributes, index::read_attributes(reader_, visible));
  steps_ += 1 + attributes.size();
  if (visible.kind == EntityKind::observation) {
    const model::ObservationView view = model::view_observation(visible);
    if (view.session_id) left_sessions_.emplace(*view.session_id);
  } else if (visible.kind == EntityKind::trace) {
    const model::TraceView view = model::view_trace(visible);
    if (view.session_id) left_sessions_.emplace(*view.session_id);
  }
  return index_.erase({key, trace_id, &visible, nullptr, std::move(attributes), {}});
}

Status ContainerEraser::erase_record(const RecordKey& key, const Entity& entity) {
  leave(key, entity);
  statistics_.payload_size_bytes -= model::payload_size_bytes(entity);
  if (key.kind == RecordKind::stray) --statistics_.strays;
  return record::erase(transaction_, payloads_, key, entity);
}

void ContainerEraser::leave(const RecordKey& key, const Entity& entity) {
  for (const payload::PayloadNumber number : record::stored_payloads(entity)) {
    ++steps_;
    if ((number & payload::kInGroup) == 0) continue;
    const ContainerNumber group = payload::group_position(number).group;
    if (group != key.container) left_containers_.insert(group);
  }
}

// Sessions go with their last trace. The container of one that was named only for a while, and a
// placeholder's, go when nothing is in them.
Status ContainerEraser::erase_left() {
  const std::set<std::string> sessions = std::exchange(left_sessions_, {});
  const std::set<ContainerNumber> containers = std::exchange(left_containers_, {});
  for (const std::string& session_id : sessions) {
    TL_TRY_ASSIGN(container, reader_.find_session(session_id));
    if (container) TL_TRY(erase_alone(*container));
  }
  for (const ContainerNumber container : containers) TL_TRY(erase_bare(container));
  return {};
}

Result<bool> ContainerEraser::erase_bare(ContainerNumber container) {
  const RecordKey key{container, RecordKind::header, 0};
  TL_TRY_ASSIGN(header, reader_.load(key));
  if (!header) return false;
  TL_TRY_ASSIGN(needed, is_needed(container, *header));
  if (needed) return false;
  TL_TRY(record::erase(transaction_, payloads_, key, *header));
  return true;
}

Result<bool> ContainerEraser::is_needed(ContainerNumber container, const Entity& header) {
  if (!header.orders.empty()) return true;
  record::RecordCursor cursor(transaction_);
  TL_TRY_ASSIGN(more, cursor.seek({container, RecordKind::observation, 0}));
  if (more && cursor.key().container == container) return true;
  if (header.kind != EntityKind::session) return false;
  return index_.has_traces(header.id);
}

}  // namespace tracelite::maintain
