// Who is a member of a trace, told from the row alone.
#include "index/trace_members.hpp"
#include "support/random_seed.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <iterator>
#include <map>
#include <random>
#include <vector>

namespace tracelite::index::test {
namespace {

std::string coded(const TraceMembers& members) {
  std::string bytes;
  members.encode(bytes);
  return bytes;
}

BOOST_AUTO_TEST_SUITE(trace_members)

BOOST_AUTO_TEST_CASE(a_term_is_a_member_while_anything_names_it) {
  TraceMembers members;
  BOOST_TEST(members.change(7, true, 1) == 1);
  BOOST_TEST(members.change(7, true, 1) == 0);
  BOOST_TEST(members.change(7, true, -1) == 0);
  BOOST_TEST(TraceMembers::names(coded(members), 7));
  BOOST_TEST(members.change(7, true, -1) == -1);
  BOOST_TEST(members.change(7, true, -1) == 0);  // it was none
  BOOST_TEST(coded(members).empty());
}

BOOST_AUTO_TEST_CASE(many_changes_at_once_are_the_same_as_one_by_one) {
  std::mt19937 random(tracelite::test::short_random_seed());
  TraceMembers at_once;
  TraceMembers one_by_one;
  for (int round = 0; round < 500; ++round) {
    std::vector<TraceMembers::Change> changes;
    for (TermNumber term = 1 + random() % 5; term < 40; term += 1 + random() % 9) {
      changes.push_back({term, term % 2 == 0, random() % 2 == 0 ? 1 : -1});
    }
    at_once.change_all(changes);
    for (const TraceMembers::Change& change : changes) {
      BOOST_REQUIRE(one_by_one.change(change.term, change.has_sums, change.difference) ==
                    change.existence);
    }
    BOOST_REQUIRE((at_once.all() == one_by_one.all()));
  }
}

BOOST_AUTO_TEST_CASE(any_members_come_back_from_their_bytes) {
  std::mt19937 random(tracelite::test::short_random_seed());
  const TermNumber terms[] = {1, 2, 3, 63, 64, 127, 128, 300, 1'000'000, TermNumber{1} << 40};
  std::map<TermNumber, std::uint64_t> expected;
  TraceMembers members;
  for (int step = 0; step < 2000; ++step) {
    const TermNumber term = terms[random() % std::size(terms)];
    if (random() % 2 == 0) {
      ++expected[term];
      members.change(term, term % 2 == 0, 1);
    } else if (const auto at = expected.find(term); at != expected.end()) {
      members.change(term, term % 2 == 0, -1);
      if (--at->second == 0) expected.erase(at);
    }
    const std::string bytes = coded(members);
    const TraceMembers decoded = TraceMembers::decode(bytes);
    std::map<TermNumber, std::uint64_t> counts;
    for (const TraceMembers::Member& member : decoded.all()) {
      BOOST_REQUIRE(member.has_sums == (member.term % 2 == 0));
      counts[member.term] = member.count;
    }
    BOOST_REQUIRE((counts == expected));
    for (const TermNumber one : terms) {
      BOOST_REQUIRE(decoded.has(one) == expected.contains(one));
      BOOST_REQUIRE(TraceMembers::names(bytes, one) == expected.contains(one));
    }
  }
}

// Bytes of a damaged file: any answer, but an end.
BOOST_AUTO_TEST_CASE(bytes_that_are_none_are_read_to_their_end) {
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    std::string bytes(random() % 20, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    static_cast<void>(TraceMembers::decode(bytes));
    static_cast<void>(TraceMembers::names(bytes, 5));
  }
  BOOST_TEST(!TraceMembers::names("\xff\xff", 5));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tracelite::index::test
