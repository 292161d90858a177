// Observations with events that name no trace ("strays").
//
// The trace-less events of an observation id are kept joined in one record of kind stray, in the
// container of the placeholder trace that has the same id. While no event names a trace, readers
// see the observation there. Once traces are named, the trace of the least naming event is where
// they belong: the observation there carries the flag has_stray, and readers join both records.
// Keeping them apart is what makes the answer independent of the order of arrival: a lesser naming
// event that comes later moves them on.
#include "ingest/applier_strays.hpp"

#include <algorithm>

namespace tracelite::ingest {

using model::Entity;
using record::EntityReader;
using record::Found;
using record::RecordKey;
using record::RecordKind;

namespace {

// One place where the observation is or was visible.
struct Place {
  RecordKey key;
  std::string trace_id;
  std::optional<Entity> before, after;  // as readers see it
  index::Attributes attributes_before;
};

const Found* with_key(const std::vector<Found>& all, const RecordKey& key) {
  const auto at =
      std::find_if(all.begin(), all.end(), [&](const Found& one) { return one.key == key; });
  return at == all.end() ? nullptr : &*at;
}

}  // namespace

Status Applier::settle(StrayChange& change) {
  record::MetadataReader metadata(*transaction_);
  std::vector<Found> named_after = change.named_before;
  if (change.changed) {
    std::erase_if(named_after, [&](const Found& one) { return one.key == change.changed->key; });
    named_after.push_back(*change.changed);
  }

  // The trace that the least event names; of equal ones the least trace id.
  Found* home = nullptr;
  std::string home_id;
  for (Found& one : named_after) {
    TL_TRY_ASSIGN(trace_id, container_id(one.key.container));
    const bool lesser =
        home == nullptr || one.entity.first_order() < home->entity.first_order() ||
        (one.entity.first_order() == home->entity.first_order() && trace_id < home_id);
    if (!lesser) continue;
    home = &one;
    home_id = std::move(trace_id);
  }
  for (Found& one : named_after) one.entity.has_stray = &one == home;

  // What readers saw before, with its attributes, while everything is still in the file.
  std::vector<Place> places;
  bool had_home = false;
  for (const Found& one : named_after) {
    Place place{one.key, {}, {}, {}, {}};
    TL_TRY_ASSIGN(trace_id, container_id(one.key.container));
    place.trace_id = std::move(trace_id);
    if (const Found* before = with_key(change.named_before, one.key); before != nullptr) {
      place.before = before->entity;
      if (before->entity.has_stray && change.stray_before) {
        had_home = true;
        TL_TRY_ASSIGN(whole, model::join(before->entity, change.stray_before->entity, metadata));
        place.before = std::move(whole);
      }
      TL_TRY_ASSIGN(old_attributes, attributes(*place.before));
      place.attributes_before = std::move(old_attributes);
    }
    places.push_back(std::move(place));
  }
  Place placeholder{change.stray_after->key, {}, {}, {}, {}};
  TL_TRY_ASSIGN(placeholder_id, container_id(placeholder.key.container));
  placeholder.trace_id = std::move(placeholder_id);
  if (change.stray_before && !had_home) {
    placeholder.before = change.stray_before->entity;
    TL_TRY_ASSIGN(old_attributes, attributes(*placeholder.before));
    placeholder.attributes_before = std::move(old_attributes);
  }

  // Save, and show.
  Found& stray = *change.stray_after;
  if (!change.stray_before || !(change.stray_before->entity == stray.entity)) {
    TL_TRY(save(stray.key, change.stray_before ? &change.stray_before->entity : nullptr,
                stray.entity));
  }
  for (std::size_t i = 0; i < named_after.size(); ++i) {
    Found& one = named_after[i];
    const Found* before = with_key(change.named_before, one.key);
    if (before == nullptr || !(before->entity == one.entity)) {
      TL_TRY(save(one.key, before == nullptr ? nullptr : &before->entity, one.entity));
    }
    places[i].after = one.entity;
    if (&one != home) continue;
    TL_TRY_ASSIGN(whole, model::join(one.entity, stray.entity, metadata));
    places[i].after = std::move(whole);
  }
  if (home == nullptr) placeholder.after = stray.entity;
  places.push_back(std::move(placeholder));
  // What goes, goes first: an observation named in its own placeholder trace has the same row.
  std::stable_partition(places.begin(), places.end(),
                        [](const Place& place) { return !place.after; });

  for (Place& place : places) {
    if (place.before == place.after) continue;
    index::Attributes attributes_after;
    if (place.after) {
      TL_TRY_ASSIGN(now, attributes(*place.after));
      attributes_after = std::move(now);
    }
    TL_TRY(show_observation({place.key, place.trace_id, place.before ? &*place.before : nullptr,
                             place.after ? &*place.after : nullptr,
                             std::move(place.attributes_before), std::move(attributes_after)}));
    if (place.after) continue;
    // The placeholder trace goes away, unless it has something of its own.
    const RecordKey header{place.key.container, RecordKind::header, 0};
    TL_TRY_ASSIGN(trace, EntityReader(*transaction_).load(header));
    if (trace) TL_TRY(index_.trace_changed({header, place.trace_id, &*trace, &*trace, {}, {}}));
  }
  return {};
}

}  // namespace tracelite::ingest
