// Building trees without recursion.
#include "query/forest.hpp"

#include <xxhash.h>

#include <algorithm>
#include <utility>

#include "model/field.hpp"
#include "query/rows.hpp"

namespace tracelite::query {
namespace {

constexpr std::uint32_t kNone = UINT32_MAX;

std::uint64_t hash_of(Bytes id) { return XXH3_64bits(id.data(), id.size()); }

struct Text {
  std::size_t begin = 0;
  std::size_t size_bytes = 0;
};

struct Member {
  Node node;
  Text id, parent_id;  // no parent: empty
};

// The observations of a trace, and their ids in one run of bytes: there are many.
struct Members {
  std::vector<Member> all;
  std::string ids;

  Text add(Bytes id) {
    const Text text{ids.size(), id.size()};
    ids.append(id);
    return text;
  }
  [[nodiscard]] Bytes text(const Text& text) const {
    return Bytes(ids).substr(text.begin, text.size_bytes);
  }
};

Node node_of(const index::Statement& row, std::size_t number) {
  Node node;
  node.entity = row.integer(0);
  node.start_ns = row.integer(1);
  node.has_end = !row.is_null(2);
  node.end_ns = wrapping_add(node.start_ns, row.integer(2));  // NULL reads as 0
  node.is_event = row.integer(3) == static_cast<std::int64_t>(model::ObservationType::event);
  node.number = static_cast<std::uint32_t>(number);
  return node;
}

Result<Members> read_observations(const Snapshot::Use& use, std::int64_t container,
                                  KeptRecords* kept) {
  TL_TRY_ASSIGN(rows, use.prepare("SELECT entity, start_ns, duration_ns, type FROM observation "
                                  "WHERE container = ?1"));
  rows.bind(container);
  Members members;
  model::Entity entity;
  for (;;) {
    TL_TRY_ASSIGN(more, rows->step());
    if (!more) break;
    if (members.all.size() == kNone - 1)
      return make_error(Code::limit, "the trace is too large for a tree");
    Member& member = members.all.emplace_back();
    member.node = node_of(*rows, members.all.size() - 1);
    record::RecordKey key{static_cast<record::ContainerNumber>(container),
                          record::RecordKind::observation,
                          static_cast<record::EntityKey>(member.node.entity)};
    Bytes record;
    TL_TRY_ASSIGN(is_there, read_observation(use.transaction(), key, entity, &record));
    if (!is_there) {
      return make_error(Code::corrupt,
                        "the index has an observation without a record; try reindex");
    }
    if (kept != nullptr) kept->add(record);
    const model::Register* parent = entity.find(model::Field::parent_observation_id);
    if (parent != nullptr && !parent->cleared()) member.parent_id = members.add(parent->value);
    member.id = members.add(entity.id);
  }
  std::sort(members.all.begin(), members.all.end(), [&](const Member& a, const Member& b) {
    if (a.node.start_ns != b.node.start_ns) return a.node.start_ns < b.node.start_ns;
    return members.text(a.id) < members.text(b.id);
  });
  return members;
}

// Their numbers by the hashes of their ids: a map would take an allocation for each.
std::vector<std::pair<std::uint64_t, std::uint32_t>> by_hash(const Members& members) {
  std::vector<std::pair<std::uint64_t, std::uint32_t>> hashes;
  hashes.reserve(members.all.size());
  for (std::uint32_t i = 0; i < members.all.size(); ++i) {
    hashes.emplace_back(hash_of(members.text(members.all[i].id)), i);
  }
  std::sort(hashes.begin(), hashes.end());
  return hashes;
}

std::vector<std::uint32_t> find_parents(const Members& members) {
  const auto hashes = by_hash(members);
  std::vector<std::uint32_t> parents(members.all.size(), kNone);
  for (std::uint32_t i = 0; i < members.all.size(); ++i) {
    const Bytes parent = members.text(members.all[i].parent_id);
    if (parent.empty()) continue;
    const std::uint64_t hash = hash_of(parent);
    auto at = std::lower_bound(hashes.begin(), hashes.end(), std::pair(hash, std::uint32_t{0}));
    while (at != hashes.end() && at->first == hash &&
           members.text(members.all[at->second].id) != parent) {
      ++at;
    }
    if (at != hashes.end() && at->first == hash) parents[i] = at->second;
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

Result<std::vector<Node>> build_forest(const Snapshot::Use& use, std::int64_t container,
                                       KeptRecords* kept) {
  TL_TRY_ASSIGN(members, read_observations(use, container, kept));
  std::vector<std::uint32_t> parents = find_parents(members);
  cut_cycles(parents);
  return in_pre_order(members.all, parents);
}

}  // namespace tracelite::query
