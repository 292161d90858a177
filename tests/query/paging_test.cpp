// Positions: going on in another cursor, while rows are added, and refusing what is none.
#include <algorithm>
#include <set>

#include "oracle.hpp"
#include "query/trace_window.hpp"
#include "random_world.hpp"

namespace tracelite::query::test {
namespace {

struct Fixture {
  std::uint32_t seed = tracelite::test::short_random_seed();
  RandomWorld random{seed};
  World world;
};

std::vector<ListOrder> orders_of(Kind kind) {
  std::vector<ListOrder> orders;
  for (int by = 0; by < (kind == Kind::score ? 2 : 5); ++by) {
    for (const bool ascending : {false, true}) {
      orders.push_back({static_cast<OrderBy>(by), ascending});
    }
  }
  return orders;
}

// A list in pages, each by a cursor of its own, with something done between them.
std::vector<std::string> paged(const World& world, Kind kind, const Filter& filter, ListOrder order,
                               std::uint64_t page_size, const std::function<void()>& between) {
  std::vector<std::string> names;
  std::string after;
  for (;;) {
    const auto cursor = must(list(world.snapshot(), kind, filter, order, after, page_size));
    const std::size_t before = names.size();
    for (Row row; must(cursor->next(row));) names.push_back(name_of(row));
    if (names.size() == before) return names;
    after = must(cursor->position());
    BOOST_TEST(std::all_of(after.begin(), after.end(), [](char c) { return c > ' ' && c <= '~'; }));
    between();
  }
}

BOOST_AUTO_TEST_SUITE(paging)

BOOST_FIXTURE_TEST_CASE(pages_of_any_size_make_the_whole_list, Fixture) {
  random.grow(world, 60);
  for (int kind = 1; kind <= 9; ++kind) {
    for (const ListOrder order : orders_of(static_cast<Kind>(kind))) {
      const Filter filter = random.filter(12);
      const auto whole =
          names_of(rows(list(world.snapshot(), static_cast<Kind>(kind), filter, order, {}, 0)));
      const auto pages = paged(world, static_cast<Kind>(kind), filter, order,
                               static_cast<std::uint64_t>(1 + random.below(7)), [] {});
      BOOST_TEST(pages == whole, boost::test_tools::per_element());
    }
  }
}

// What was there from the beginning comes once each and in order, whatever is added meanwhile.
BOOST_FIXTURE_TEST_CASE(rows_that_are_added_neither_hide_nor_repeat_others, Fixture) {
  random.grow(world, 20);
  for (const Kind kind : {Kind::trace, Kind::observation, Kind::score}) {
    for (const ListOrder order : orders_of(kind)) {
      const auto old = names_of(rows(list(world.snapshot(), kind, {}, order, {}, 0)));
      int growths = 0;  // bounded, or the list might grow faster than it is read
      const auto pages = paged(world, kind, {}, order, 9, [&] {
        if (++growths <= 5) random.grow(world, 2);
      });
      const std::set<std::string> unique(pages.begin(), pages.end());
      BOOST_TEST(unique.size() == pages.size());
      const std::set<std::string> wanted(old.begin(), old.end());
      std::vector<std::string> of_old;
      for (const std::string& name : pages) {
        if (wanted.contains(name)) of_old.push_back(name);
      }
      BOOST_TEST(of_old == old, boost::test_tools::per_element());
    }
  }
}

BOOST_FIXTURE_TEST_CASE(a_group_that_has_moved_is_where_the_order_puts_it_now, Fixture) {
  random.grow(world, 40);
  const ListOrder by_key{OrderBy::name, true};
  const auto cursor = must(list(world.snapshot(), Kind::session, {}, by_key, {}, 2));
  Row row;
  BOOST_REQUIRE(must(cursor->next(row)));
  const std::string position = must(cursor->position());
  world.commit([&] {
    TraceSpec trace;
    trace.id = "late";
    trace.session = row.aggregate.key + "!";  // right behind the position
    world.add(trace);
  });
  const auto rest = rows(list(world.snapshot(), Kind::session, {}, by_key, position, 0));
  BOOST_TEST(name_of(rest.front()) == row.aggregate.key + "!");
  const auto groups = Oracle(world).groups(Kind::session, {}, by_key);
  BOOST_TEST(rest.size() + 1 == groups.size());
}

BOOST_FIXTURE_TEST_CASE(a_position_belongs_to_one_kind_filter_and_order, Fixture) {
  world.commit([&] {
    TraceSpec trace;
    trace.id = "t";
    trace.tags = {"tag-0", "tag-1"};
    world.add(trace);
  });
  Filter filter;
  filter.to_ns = 100;
  filter.tags = {"tag-1", "tag-0"};
  const auto cursor = must(list(world.snapshot(), Kind::trace, filter, {}, {}, 0));
  BOOST_TEST((cursor->position().error().code == Code::misuse));
  Row row;
  BOOST_REQUIRE(must(cursor->next(row)));
  const std::string position = must(cursor->position());

  const auto try_list = [&](Kind kind, const Filter& other, ListOrder order,
                            const std::string& after) {
    return list(world.snapshot(), kind, other, order, after, 0);
  };
  Filter same = filter;
  std::reverse(same.tags.begin(), same.tags.end());
  BOOST_TEST(static_cast<bool>(try_list(Kind::trace, same, {}, position)));
  std::vector<Filter> others(5, filter);
  others[0].to_ns = 101;
  others[1].from_ns = 100;
  others[2].tags.pop_back();
  others[3].name = "";
  others[4].session_id = "x";
  for (const Filter& other : others) {
    const auto refused = try_list(Kind::trace, other, {}, position);
    BOOST_TEST((failure(refused) == Code::invalid));
    BOOST_TEST(refused.error().field == "after");
  }
  BOOST_TEST((failure(try_list(Kind::observation, filter, {}, position)) == Code::invalid));
  BOOST_TEST((failure(try_list(Kind::session, filter, {}, position)) == Code::invalid));
  BOOST_TEST(
      (failure(try_list(Kind::trace, filter, {OrderBy::time, true}, position)) == Code::invalid));
  BOOST_TEST(
      (failure(try_list(Kind::trace, filter, {OrderBy::name, false}, position)) == Code::invalid));
}

constexpr std::int64_t kMomentNs = std::int64_t{1} << index::kTimeShift;

// `count` observations of trace "long", `per_moment` of them in each millisecond or so, and as many
// of others among them as `others_each` says.
void add_long_trace(World& world, RandomWorld& random, int count, int per_moment, int others_each) {
  world.commit([&] {
    for (int i = 0; i < count; ++i) {
      ObservationSpec spec;
      spec.trace_id = "long";
      spec.id = "o" + std::to_string(i);
      spec.start_ns = i / per_moment * kMomentNs + random.below(3);
      world.add(spec);
      for (int other = 0; other < others_each; ++other) {
        spec.trace_id = "other" + std::to_string(other);
        spec.start_ns += random.below(3);
        world.add(spec);
      }
    }
  });
}

BOOST_FIXTURE_TEST_CASE(pages_of_a_long_trace_make_the_whole_of_it, Fixture) {
  add_long_trace(world, random, 700, 1 + random.below(20), random.below(3));
  Filter filter;
  filter.trace_id = "long";
  filter.from_ns = random.below(10) * kMomentNs;
  filter.to_ns = 690 * kMomentNs;
  Filter same = filter;  // and so that no times are left out
  same.type = model::ObservationType::span;
  for (const bool ascending : {true, false}) {
    const ListOrder order{OrderBy::time, ascending};
    const auto whole =
        names_of(rows(list(world.snapshot(), Kind::observation, same, order, {}, 0)));
    const auto size = static_cast<std::uint64_t>(1 + random.below(60));
    const auto pages = paged(world, Kind::observation, filter, order, size, [] {});
    BOOST_TEST(pages == whole, boost::test_tools::per_element());
  }
}

// Where a page begins with the last nanosecond of a moment.
BOOST_FIXTURE_TEST_CASE(a_list_of_a_long_trace_ends_with_its_last_row, Fixture) {
  constexpr std::size_t kCount = 1'100;
  world.commit([&] {
    for (std::size_t i = 0; i < kCount; ++i) {
      ObservationSpec spec;
      spec.trace_id = "long";
      spec.id = "o" + std::to_string(i);
      const auto moment = static_cast<std::int64_t>(i + 1);
      spec.start_ns = moment * kMomentNs + (random.below(2) == 0 ? -1 : 0);
      world.add(spec);
    }
  });
  Filter filter;
  filter.trace_id = "long";
  for (const bool ascending : {true, false}) {
    const ListOrder order{OrderBy::time, ascending};
    const auto whole = rows(list(world.snapshot(), Kind::observation, filter, order, {}, 0));
    BOOST_TEST(whole.size() == kCount);
    for (const std::uint64_t size : {7U, 64U}) {
      const auto page = must(list(world.snapshot(), Kind::observation, filter, order, {}, size));
      Row row;
      for (std::uint64_t i = 0; i < size; ++i) BOOST_REQUIRE(must(page->next(row)));
      const auto rest =
          rows(list(world.snapshot(), Kind::observation, filter, order, must(page->position()), 0));
      BOOST_TEST(rest.size() == kCount - size);
    }
  }
}

BOOST_FIXTURE_TEST_CASE(a_page_of_a_long_trace_is_found_by_time_where_few_others_are, Fixture) {
  constexpr std::uint64_t kRowCount = 10;
  const auto narrow = [&](bool ascending) {
    const auto snapshot = world.snapshot();
    const auto use = must(snapshot->use());
    return must(narrow_to_page(use, world.container_of("long"), {}, ascending, kRowCount));
  };
  add_long_trace(world, random, 700, 2, 0);
  // Five moments behind the first one.
  BOOST_TEST(narrow(true).value().to_ns.value() == 6 * kMomentNs);
  BOOST_TEST(narrow(false).value().from_ns.value() == (349 - 5) * kMomentNs);
  add_long_trace(world, random, 700, 2, 100);
  BOOST_TEST(!narrow(true));
  BOOST_TEST(!narrow(false));
}

BOOST_FIXTURE_TEST_CASE(what_no_list_has_given_is_refused, Fixture) {
  random.grow(world, 20);
  for (const Kind kind : {Kind::trace, Kind::session}) {
    const auto cursor = must(list(world.snapshot(), kind, {}, {}, {}, 0));
    Row row;
    BOOST_REQUIRE(must(cursor->next(row)));
    const std::string position = must(cursor->position());
    const auto refuses = [&](const std::string& after) {
      const auto answer = list(world.snapshot(), kind, {}, {}, after, 0);
      return !answer && answer.error().code == Code::invalid;
    };
    for (const char* text : {"x", " ", "AA", "!!!!", "\n", "1234567890", "=", "AAAAAAAAAAAAAAAA"}) {
      BOOST_TEST(refuses(text), "took " << text);
    }
    for (std::size_t size = 1; size < position.size(); ++size) {
      BOOST_TEST(refuses(position.substr(0, size)), "took its first " << size << " characters");
    }
    BOOST_TEST(refuses(position + "AAAA"));
    // Changed at random: taken or refused, but never a crash.
    for (int i = 0; i < 2000; ++i) {
      std::string changed = position;
      changed[static_cast<std::size_t>(random.below(static_cast<int>(changed.size())))] =
          static_cast<char>(random.below(256));
      const auto answer = list(world.snapshot(), kind, {}, {}, changed, 0);
      if (answer) static_cast<void>(rows(**answer));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace tracelite::query::test
