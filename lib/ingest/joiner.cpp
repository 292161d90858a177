// Joining in pairs of like size.
#include "ingest/joiner.hpp"

#include <limits>
#include <utility>

namespace tracelite::ingest {
namespace {

// What comes behind it is never of like size.
constexpr std::size_t kIsFirst = std::numeric_limits<std::size_t>::max();

}  // namespace

Status Joiner::add(const model::Entity& event, model::MetadataSource& metadata) {
  bool sets_payload = false;
  for (const model::Register& reg : event.registers) {
    if (!model::is_payload(reg.field) || reg.weak()) continue;  // `{}` writes nothing
    if (reg.streamed()) {
      begun_anew_ |= set_ & bit(reg.field);
    } else {
      set_ |= bit(reg.field);
      sets_payload = true;
    }
  }
  if (sets_payload) {
    while (parts_.size() > 1) TL_TRY(join_last_two(metadata));
    parts_.push_back({event, kIsFirst});
    if (parts_.size() > 1) TL_TRY(join_last_two(metadata));
    parts_.front().event_count = kIsFirst;
    return {};
  }
  parts_.push_back({event, 1});
  while (parts_.size() > 1 && parts_.back().event_count == parts_.end()[-2].event_count) {
    TL_TRY(join_last_two(metadata));
  }
  return {};
}

Result<model::Entity> Joiner::take(model::MetadataSource& metadata) {
  while (parts_.size() > 1) TL_TRY(join_last_two(metadata));
  return std::move(parts_.front().entity);
}

Status Joiner::join_last_two(model::MetadataSource& metadata) {
  const Part last = std::move(parts_.back());
  parts_.pop_back();
  Part& before = parts_.back();
  TL_TRY_ASSIGN(joined, model::join(before.entity, last.entity, metadata));
  before = {std::move(joined), before.event_count + last.event_count};
  return {};
}

}  // namespace tracelite::ingest
