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
  const auto at = find(members_, term);
  const bool is_there = at != members_.end() && at->term == term;
  if (!is_there) {
    if (difference <= 0) return 0;
    members_.insert(at, {term, has_sums, static_cast<std::uint64_t>(difference)});
    return 1;
  }
  const std::int64_t count = wrapping_add(static_cast<std::int64_t>(at->count), difference);
  if (count > 0) {
    at->count = static_cast<std::uint64_t>(count);
    return 0;
  }
  members_.erase(at);
  return -1;
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
