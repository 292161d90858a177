// How often each reason was counted: the sum of what the file has and of what is in no commit yet
// is the same before, during and after the commit that takes it along.
#include <atomic>
#include <thread>
#include <vector>

#include "support.hpp"

namespace tracelite::ingest::test {
namespace {

using record::Counters;

std::uint64_t masked(const Counters& counters) {
  return counters[static_cast<std::size_t>(Reason::masked)];
}

// A file, and what a writer would do with it.
struct Counted {
  std::uint64_t total() const { return masked(must(counters.total(*environment))); }
  void write(store::WriteTransaction& transaction, const Counters& given) const {
    Counters sum = must(record::read_counters(transaction));
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += given[i];
    must(record::write_counters(transaction, sum));
    must(transaction.commit());
  }

  const Folder folder{fast_folder()};
  std::shared_ptr<store::Environment> environment =
      must(store::Environment::open(folder.file(), {}));
  UncommittedCounters counters;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(counters)

BOOST_AUTO_TEST_CASE(a_sum_is_the_same_before_and_after_the_commit_that_takes_it_along) {
  Counted counted;
  for (std::uint64_t round = 0; round < 3; ++round) {
    counted.counters.count(Reason::masked, 2);
    BOOST_TEST(counted.total() == round * 3 + 2);
    auto transaction = must(counted.environment->begin_write());
    const Counters given = counted.counters.give_to(transaction.id());
    BOOST_TEST(masked(given) == 2U + (round > 0 ? 1U : 0U));
    BOOST_TEST(counted.total() == round * 3 + 2);
    counted.counters.count(Reason::masked, 1);
    BOOST_TEST(counted.total() == round * 3 + 3);
    counted.write(transaction, given);
    BOOST_TEST(counted.total() == round * 3 + 3);
  }
}

BOOST_AUTO_TEST_CASE(what_a_failed_commit_was_given_goes_to_the_next) {
  Counted counted;
  counted.counters.count(Reason::masked, 2);
  {
    auto transaction = must(counted.environment->begin_write());
    (void)counted.counters.give_to(transaction.id());
    BOOST_TEST(!counted.counters.any());
    counted.counters.take_back();
  }
  BOOST_TEST(counted.counters.any());
  BOOST_TEST(counted.total() == 2U);
  auto transaction = must(counted.environment->begin_write());
  const Counters given = counted.counters.give_to(transaction.id());
  BOOST_TEST(masked(given) == 2U);
  counted.write(transaction, given);
  BOOST_TEST(counted.total() == 2U);
  BOOST_TEST(!counted.counters.any());
}

BOOST_AUTO_TEST_CASE(sums_never_fall_beside_one_commit_after_another) {
  constexpr int kLookers = 6;  // more than there are processors: some rest between two looks
  constexpr std::uint64_t kCommits = 6'000;
  Counted counted;
  std::atomic<std::uint64_t> last{0};
  std::atomic<bool> ended{false};
  std::atomic<std::uint64_t> fallen{0}, too_many{0};
  const auto look = [&] {
    std::uint64_t before = 0;
    while (!ended) {
      const std::uint64_t now = counted.total();
      if (now < before) ++fallen;
      if (now > last) ++too_many;
      before = now;
    }
  };
  std::vector<std::thread> lookers;
  for (int i = 0; i < kLookers; ++i) lookers.emplace_back(look);
  while (last < kCommits) {
    ++last;
    counted.counters.count(Reason::masked, 1);
    auto transaction = must(counted.environment->begin_write(store::Durability::last_may_be_lost));
    const Counters given = counted.counters.give_to(transaction.id());
    counted.write(transaction, given);
  }
  ended = true;
  for (std::thread& looker : lookers) looker.join();
  BOOST_TEST(fallen == 0U);
  BOOST_TEST(too_many == 0U);
  BOOST_TEST(counted.total() == kCommits);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::ingest::test
