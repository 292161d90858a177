// Counts by term, in the order of terms.
#include "index/trace_members.hpp"

#include <algorithm>

namespace tracelite::index {
namespace {

using Member = TraceMembers::Member;

// The one behind `previous`.
Member read_member(ByteReader& reader, TermNumber previous) {
  const std::uint64_t head = reader.varint();
  const auto term = wrapping_add(previous, static_cast<std::int64_t>(head >> 2));
  return {term, (head & 2) != 0, (head & 1) != 0 ? reader.varint() : 1};
}

auto find(auto& members, TermNumber term) {
  return std::lower_bound(members.begin(), members.end(), term,
                          [](const Member& one, TermNumber wanted) { return one.term < wanted; });
}

}  // namespace

int TraceMembers::change(TermNumber term, bool has_sums, int difference) {
  std::vector<Change> changes = {{term, has_sums, difference}};
  change_all(changes);
  return changes.front().existence;
}

void TraceMembers::change_all(std::vector<Change>& changes) {
  std::vector<Member> changed;
  changed.reserve(members_.size() + changes.size());
  auto next = members_.begin();
  for (Change& change : changes) {
    const auto at = std::find_if(next, members_.end(),
                                 [&](const Member& one) { return one.term >= change.term; });
    changed.insert(changed.end(), next, at);
    next = at;
    Member member{change.term, change.has_sums, 0};
    const bool was_there = at != members_.end() && at->term == change.term;
    if (was_there) member = *next++;
    const std::int64_t count =
        wrapping_add(static_cast<std::int64_t>(member.count), change.difference);
    member.count = static_cast<std::uint64_t>(count);
    if (count > 0) changed.push_back(member);
    change.existence = static_cast<int>(count > 0) - static_cast<int>(was_there);
  }
  changed.insert(changed.end(), next, members_.end());
  members_ = std::move(changed);
}

bool TraceMembers::has(TermNumber term) const {
  const auto at = find(members_, term);
  return at != members_.end() && at->term == term;
}

std::vector<TermNumber> TraceMembers::terms() const {
  std::vector<TermNumber> all;
  all.reserve(members_.size());
  for (const Member& member : members_) all.push_back(member.term);
  return all;
}

void TraceMembers::encode(std::string& out) const {
  TermNumber previous = 0;
  for (const Member& member : members_) {
    const auto distance = static_cast<std::uint64_t>(wrapping_subtract(member.term, previous));
    append_varint(out, distance << 2 | (member.has_sums ? 2 : 0) | (member.count > 1 ? 1 : 0));
    if (member.count > 1) append_varint(out, member.count);
    previous = member.term;
  }
}

TraceMembers TraceMembers::decode(Bytes coded) {
  TraceMembers members;
  ByteReader reader(coded);
  Member member;
  while (!reader.at_end()) {
    member = read_member(reader, member.term);
    if (reader.failed()) break;
    members.members_.push_back(member);
  }
  return members;
}

bool TraceMembers::names(Bytes coded, TermNumber term) {
  ByteReader reader(coded);
  Member member;
  while (!reader.at_end() && member.term < term) member = read_member(reader, member.term);
  return member.term == term && !reader.failed();
}

}  // namespace tracelite::index
