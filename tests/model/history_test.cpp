// Order never matters: one entity from a set of events, however they arrive (MODEL: Upsert).
#include <boost/test/unit_test.hpp>
#include <numeric>

#include "random_history.hpp"

namespace tracelite::test {
namespace {

using model::Entity;
using model::EntityKind;

constexpr EntityKind kKinds[] = {EntityKind::trace, EntityKind::observation, EntityKind::score,
                                 EntityKind::session};

Entity join(const Entity& a, const Entity& b, DraftedMetadata& source) {
  return value_of(model::join(a, b, source));
}

// As if it had been stored and read again.
Entity stored(const Entity& entity) { return value_of(model::decode(encoded(entity))); }

Entity join_in_turn(const std::vector<const Draft*>& drafts, DraftedMetadata& source) {
  Entity entity = drafts.front()->event.entity;
  for (std::size_t i = 1; i < drafts.size(); ++i) {
    entity = join(entity, drafts[i]->event.entity, source);
  }
  return entity;
}

// Joins any two of what is left until one is left; now and then something comes in twice, or is
// stored in between.
Entity join_in_groups(const std::vector<const Draft*>& drafts, DraftedMetadata& source,
                      Random& random) {
  std::vector<Entity> left;
  for (const Draft* draft : drafts) left.push_back(draft->event.entity);
  while (left.size() > 1) {
    const std::size_t a = random.below(left.size());
    std::size_t b = random.below(left.size() - 1);
    if (b >= a) ++b;
    Entity joined = join(left[a], left[b], source);
    if (random.chance(4)) joined = stored(joined);
    if (random.chance(4)) joined = join(left[random.below(left.size())], joined, source);
    left[a] = std::move(joined);
    left[b] = std::move(left.back());
    left.pop_back();
  }
  return left.front();
}

std::vector<const Draft*> pointers(const std::vector<Draft>& drafts) {
  std::vector<const Draft*> all;
  for (const Draft& draft : drafts) all.push_back(&draft);
  return all;
}

void check_against_fold(const Entity& entity, const std::vector<Draft>& drafts) {
  const std::string wrong = difference(EntityPrinter(entity).show(), SequentialFold::fold(drafts));
  if (!wrong.empty()) BOOST_FAIL(wrong);
}

BOOST_AUTO_TEST_CASE(every_permutation_of_up_to_six_events_gives_one_record) {
  const std::uint64_t seed = random_seed();
  for (const EntityKind kind : kKinds) {
    for (std::size_t round = 0; round < scaled(60); ++round) {
      BOOST_TEST_INFO_SCOPE("TL_SEED=" << seed << " kind " << static_cast<int>(kind) << " round "
                                       << round);
      DraftedMetadata source;
      RandomHistory history(seed + round, kind);
      const std::vector<Draft> drafts =
          history.drafts(round % 6 == 0 ? 6 : 2 + history.random().below(4), source);
      const Entity first = join_in_turn(pointers(drafts), source);
      check_against_fold(first, drafts);
      const std::string expected = encoded(first);
      std::vector<std::size_t> at(drafts.size());
      std::iota(at.begin(), at.end(), 0U);
      while (std::next_permutation(at.begin(), at.end())) {
        std::vector<const Draft*> permuted;
        for (const std::size_t i : at) permuted.push_back(&drafts[i]);
        if (encoded(join_in_turn(permuted, source)) != expected) BOOST_FAIL("order matters");
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(shuffles_of_long_histories_in_any_groups_give_one_record) {
  const std::uint64_t seed = random_seed();
  constexpr std::size_t kShufflesPerHistory = 50;
  for (std::size_t round = 0; round < scaled(10'000) / kShufflesPerHistory; ++round) {
    const EntityKind kind = kKinds[round % std::size(kKinds)];
    BOOST_TEST_INFO_SCOPE("TL_SEED=" << seed << " round " << round);
    DraftedMetadata source;
    RandomHistory history(seed + round, kind);
    const std::vector<Draft> drafts = history.drafts(7 + history.random().below(34), source);
    std::vector<const Draft*> shuffled = pointers(drafts);
    const Entity first = join_in_turn(shuffled, source);
    check_against_fold(first, drafts);
    const std::string expected = encoded(first);
    for (std::size_t i = 0; i < kShufflesPerHistory; ++i) {
      history.random().shuffle(shuffled);
      const Entity other = join_in_groups(shuffled, source, history.random());
      if (encoded(other) != expected) BOOST_FAIL("order or grouping matters");
    }
  }
}

BOOST_AUTO_TEST_CASE(what_an_entity_has_seen_changes_nothing_when_it_comes_again) {
  const std::uint64_t seed = random_seed();
  for (std::size_t round = 0; round < scaled(400); ++round) {
    BOOST_TEST_INFO_SCOPE("TL_SEED=" << seed << " round " << round);
    DraftedMetadata source;
    RandomHistory history(seed + round, kKinds[round % std::size(kKinds)]);
    const std::vector<Draft> drafts = history.drafts(1 + history.random().below(12), source);
    const Entity whole = join_in_turn(pointers(drafts), source);
    const std::string expected = encoded(whole);
    BOOST_TEST(encoded(join(whole, whole, source)) == expected);
    for (const Draft& draft : drafts) {
      BOOST_TEST(encoded(join(whole, draft.event.entity, source)) == expected);
      BOOST_TEST(encoded(join(draft.event.entity, whole, source)) == expected);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_first_and_the_last_event_stay_in_the_table_of_orders) {
  const std::uint64_t seed = random_seed();
  for (std::size_t round = 0; round < scaled(400); ++round) {
    BOOST_TEST_INFO_SCOPE("TL_SEED=" << seed << " round " << round);
    DraftedMetadata source;
    RandomHistory history(seed + round, kKinds[round % std::size(kKinds)]);
    const std::vector<Draft> drafts = history.drafts(1 + history.random().below(12), source);
    const Entity whole = join_in_turn(pointers(drafts), source);
    std::set<model::Order> orders;
    for (const Draft& draft : drafts) orders.insert(draft.event.entity.first_order());
    BOOST_TEST((whole.first_order() == *orders.begin()));
    BOOST_TEST((whole.last_order() == *orders.rbegin()));
    // Nothing else is remembered but what a register needs.
    std::set<model::Order> needed = {whole.first_order(), whole.last_order()};
    for (const auto& reg : whole.registers) needed.insert(whole.order_of(reg));
    BOOST_TEST(needed.size() == whole.orders.size());
  }
}

}  // namespace
}  // namespace tracelite::test
