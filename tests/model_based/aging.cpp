#include "model_based/aging.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

namespace tracelite::model_based {
namespace {

// A trace with what belongs to it.
World part_of(const World& world, const std::string& trace_id) {
  World part;
  for (const auto& [key, fields] : world) {
    const bool is_trace = key.kind == TL_KIND_TRACE && key.id == trace_id;
    if (is_trace || key.trace_id == trace_id) part.emplace(key, fields);
  }
  return part;
}

// As far as it is seen, and without the session that is named.
bool is_seen(const World& part, const World& got) {
  World seen = visible(part);
  std::erase_if(seen, [](const auto& one) { return one.first.kind == TL_KIND_SESSION; });
  return difference(seen, got).empty();
}

class TraceAging {
 public:
  TraceAging(const World& world, const World& got, const std::vector<Change>& meanwhile,
             std::string trace_id)
      : id_(std::move(trace_id)), before_(part_of(world, id_)), got_(part_of(got, id_)) {
    std::ranges::copy_if(meanwhile, std::back_inserter(changes_),
                         [&](const Change& change) { return change.key.trace_id == id_; });
  }

  [[nodiscard]] bool has_changes() const { return !changes_.empty(); }
  // It stayed, with all that was recorded meanwhile.
  [[nodiscard]] bool stayed() const { return is_seen(with_changes(before_, 0), got_); }
  // It has gone before this of the changes.
  [[nodiscard]] std::optional<std::size_t> gone_before() const {
    for (std::size_t first = 0; first <= changes_.size(); ++first) {
      if (is_seen(with_changes({}, first), got_)) return first;
    }
    return std::nullopt;
  }
  void settle(World& world, std::optional<std::size_t> gone_before) const {
    if (gone_before) erase_trace(world, id_);
    world = with_changes(std::move(world), gone_before.value_or(0));
  }

 private:
  [[nodiscard]] World with_changes(World part, std::size_t first) const {
    for (std::size_t i = first; i < changes_.size(); ++i) apply_change(part, changes_[i]);
    return part;
  }

  std::string id_;
  World before_, got_;
  std::vector<Change> changes_;
};

std::set<std::string> traces_of(const World& world, const std::vector<Change>& meanwhile) {
  std::set<std::string> ids;
  for (const auto& [key, fields] : visible(world)) {
    if (key.kind == TL_KIND_TRACE) ids.insert(key.id);
  }
  for (const Change& change : meanwhile) ids.insert(change.key.trace_id);
  return ids;
}

}  // namespace

void age(World& world, const World& got, const Aging& aging, const std::vector<Change>& meanwhile) {
  const auto must = old_traces(world, aging.must_ns, aging.keeps_bookmarked);
  const auto may = old_traces(world, aging.may_ns, aging.keeps_bookmarked);
  for (const std::string& id : traces_of(world, meanwhile)) {
    const TraceAging trace(world, got, meanwhile, id);
    if (trace.stayed()) {
      require(!must.contains(id) || trace.has_changes(), "trace " + id + " is too old and stays");
      trace.settle(world, std::nullopt);
      continue;
    }
    const auto gone_before = trace.gone_before();
    require(gone_before.has_value(), "of trace " + id + " something has gone, and not all of it");
    require(may.contains(id), "trace " + id + " has gone and was not too old");
    trace.settle(world, gone_before);
  }
}

void shrink(World& world, const World& got, const std::map<std::string, std::int64_t>& times) {
  std::int64_t newest_ns = INT64_MIN;
  for (const auto& [id, time_ns] : times) newest_ns = std::max(newest_ns, time_ns);
  // What is active later than the newest one came goes in a second round.
  std::optional<std::pair<bool, std::int64_t>> last_gone;
  std::optional<std::pair<bool, std::int64_t>> first_left;
  for (const auto& [id, time_ns] : times) {
    const std::pair order(last_activity_ns(world, id) > newest_ns, time_ns);
    if (got.contains({TL_KIND_TRACE, "", id})) {
      if (!first_left || order < *first_left) first_left = order;
    } else if (!last_gone || *last_gone < order) {
      last_gone = order;
    }
  }
  require(first_left.has_value(), "more has gone than the size asks for: everything");
  require(!last_gone || *last_gone <= *first_left, "a trace has gone by size before an older one");
  for (const auto& [id, time_ns] : times) {
    if (!got.contains({TL_KIND_TRACE, "", id})) erase_trace(world, id);
  }
}

}  // namespace tracelite::model_based
