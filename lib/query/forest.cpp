// Building trees without recursion.
#include "query/forest.hpp"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <unordered_map>

#include "model/field.hpp"
#include "query/rows.hpp"

namespace tracelite::query {
namespace {

constexpr std::uint32_t kNone = UINT32_MAX;

struct Member {
  Node node;
  std::string id, parent_id;
  bool has_parent = false;
};

Result<std::vector<Member>> read_observations(const Snapshot::Use& use, std::int64_t container) {
  TL_TRY_ASSIGN(rows, use.prepare("SELECT entity, start_ns, duration_ns, type FROM observation "
                                  "WHERE container = ?1"));
  rows.bind(container);
  std::vector<Member> all;
  model::Entity entity;
  for (;;) {
    TL_TRY_ASSIGN(more, rows->step());
    if (!more) break;
    if (all.size() == kNone - 1)
      return make_error(Code::limit, "the trace is too large for a tree");
    Member& member = all.emplace_back();
    member.node.entity = rows->integer(0);
    member.node.start_ns = rows->integer(1);
    member.node.has_end = !rows->is_null(2);
    member.node.end_ns = wrapping_add(member.node.start_ns, rows->integer(2));  // NULL reads as 0
    member.node.is_event =
        rows->integer(3) == static_cast<std::int64_t>(model::ObservationType::event);
    record::RecordKey key{static_cast<record::ContainerNumber>(container),
                          record::RecordKind::observation,
                          static_cast<record::EntityKey>(member.node.entity)};
    TL_TRY_ASSIGN(is_there, read_observation(use.transaction(), key, entity));
    if (!is_there) {
      return make_error(Code::corrupt,
                        "the index has an observation without a record; try reindex");
    }
    const model::Register* parent = entity.find(model::Field::parent_observation_id);
    member.has_parent = parent != nullptr && !parent->cleared();
    if (member.has_parent) member.parent_id = parent->value;
    member.id = entity.id;
  }
  std::sort(all.begin(), all.end(), [](const Member& a, const Member& b) {
    return std::tie(a.node.start_ns, a.id) < std::tie(b.node.start_ns, b.id);
  });
  return all;
}

std::vector<std::uint32_t> find_parents(const std::vector<Member>& all) {
  std::unordered_map<Bytes, std::uint32_t> by_id;
  by_id.reserve(all.size());
  for (std::uint32_t i = 0; i < all.size(); ++i) by_id.emplace(all[i].id, i);
  std::vector<std::uint32_t> parents(all.size(), kNone);
  for (std::uint32_t i = 0; i < all.size(); ++i) {
    if (!all[i].has_parent) continue;
    if (const auto at = by_id.find(all[i].parent_id); at != by_id.end()) parents[i] = at->second;
  }
  return parents;
}

// Members are in the order of start and id, so the earliest of a cycle is its least number.
void cut_cycles(std::vector<std::uint32_t>& parents) {
  std::vector<std::uint32_t> walk(parents.size(), 0);  // the first that came by, from 1
  for (std::uint32_t start = 0; start < parents.size(); ++start) {
    const std::uint32_t number = start + 1;
    std::uint32_t at = start;
    while (at != kNone && walk[at] == 0) {
      walk[at] = number;
      at = parents[at];
    }
    if (at != kNone && walk[at] == number) {
      std::uint32_t earliest = at;
      for (std::uint32_t i = parents[at]; i != at; i = parents[i]) earliest = std::min(earliest, i);
      parents[earliest] = kNone;
    }
  }
}

std::vector<Node> in_pre_order(const std::vector<Member>& all,
                               const std::vector<std::uint32_t>& parents) {
  const auto count = static_cast<std::uint32_t>(all.size());
  // Lists of children in order; the children of number `count` are the roots.
  std::vector<std::uint32_t> first_child(all.size() + 1, kNone);
  std::vector<std::uint32_t> next_sibling(all.size(), kNone);
  for (std::uint32_t i = count; i-- > 0;) {
    const std::uint32_t parent = parents[i] == kNone ? count : parents[i];
    next_sibling[i] = std::exchange(first_child[parent], i);
  }
  std::vector<Node> nodes;
  nodes.reserve(all.size());
  std::vector<std::uint32_t> open;  // the places in `nodes` of those we are below
  std::uint32_t at = first_child[count];
  while (at != kNone) {
    nodes.push_back(all[at].node);
    nodes.back().depth = static_cast<std::uint32_t>(open.size() + 1);
    open.push_back(static_cast<std::uint32_t>(nodes.size() - 1));
    std::uint32_t next = first_child[at];
    while (next == kNone && at != kNone) {
      Node& closed = nodes[open.back()];
      closed.size = static_cast<std::uint32_t>(nodes.size()) - open.back();
      open.pop_back();
      next = next_sibling[at];
      at = parents[at];
    }
    at = next;
  }
  return nodes;
}

}  // namespace

Result<std::vector<Node>> build_forest(const Snapshot::Use& use, std::int64_t container) {
  TL_TRY_ASSIGN(all, read_observations(use, container));
  std::vector<std::uint32_t> parents = find_parents(all);
  cut_cycles(parents);
  return in_pre_order(all, parents);
}

}  // namespace tracelite::query
