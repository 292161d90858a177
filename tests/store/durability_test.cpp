// How often a commit syncs, by what it is to survive.
#include <boost/test/unit_test.hpp>
#include <memory>
#include <string>

#include "store/environment.hpp"
#include "store/environment_state.hpp"
#include "store/helpers.hpp"
#include "support/write_counter.hpp"

namespace {

using namespace tracelite;
using namespace tracelite::store;
using tracelite::store::test::Folder;
using tracelite::store::test::must;

std::uint64_t syncs_of_commit(Environment& environment, Durability durability) {
  auto transaction = must(environment.begin_write(durability));
  must(transaction.put(KeySpace::meta, "key", std::to_string(transaction.id())));
  const std::uint64_t before = counting::written().sync_count;
  must(transaction.commit());
  return counting::written().sync_count - before;
}

std::uint64_t syncs_of_sync(Environment& environment) {
  const std::uint64_t before = counting::written().sync_count;
  must(environment.sync());
  return counting::written().sync_count - before;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(durability)

BOOST_AUTO_TEST_CASE(a_commit_syncs_its_pages_and_its_head) {
  const Folder folder;
  const auto environment = must(Environment::open(folder.file(), {}));
  BOOST_TEST(syncs_of_commit(*environment, Durability::synced) == 2U);
  BOOST_TEST(syncs_of_sync(*environment) == 0U);
}

BOOST_AUTO_TEST_CASE(a_commit_that_may_be_lost_syncs_once_and_sync_makes_up_for_it) {
  const Folder folder;
  const auto environment = must(Environment::open(folder.file(), {}));
  BOOST_TEST(syncs_of_commit(*environment, Durability::last_may_be_lost) == 1U);
  BOOST_TEST(syncs_of_commit(*environment, Durability::last_may_be_lost) == 1U);
  BOOST_TEST(syncs_of_sync(*environment) == 1U);
  BOOST_TEST(syncs_of_sync(*environment) == 0U);
  BOOST_TEST(syncs_of_commit(*environment, Durability::last_may_be_lost) == 1U);
  // A transaction that changed nothing says nothing of the commit before it.
  auto empty = must(environment->begin_write());
  must(empty.commit());
  BOOST_TEST(syncs_of_sync(*environment) == 1U);
}

// Its number is that of the next commit, of whomever.
BOOST_AUTO_TEST_CASE(a_transaction_that_changed_nothing_is_no_commit) {
  const Folder folder;
  const auto environment = must(Environment::open(folder.file(), {}));
  syncs_of_commit(*environment, Durability::synced);
  const OpenFile& file = *environment->state().current();
  const std::uint64_t last = environment->last_transaction_id();
  BOOST_TEST(file.last_commit == last);
  auto empty = must(environment->begin_write());
  must(empty.commit());
  BOOST_TEST(!empty.has_committed());
  BOOST_TEST(empty.id() == last + 1);
  // As if it had been made by somebody else, who does not sync.
  BOOST_TEST(file.last_commit == last);
  BOOST_TEST(file.durable_commit == last);
  auto next = must(environment->begin_write());
  BOOST_TEST(next.id() == last + 1);
  must(next.put(KeySpace::meta, "key", "value"));
  must(next.commit());
  BOOST_TEST(next.has_committed());
  BOOST_TEST(file.last_commit == last + 1);
}

BOOST_AUTO_TEST_SUITE_END()
