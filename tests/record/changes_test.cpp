// The list of what the newest commits changed, against one that forgets nothing.
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "record/changes.hpp"
#include "store/helpers.hpp"

namespace {

using namespace tracelite;
using namespace tracelite::record;
using store::KeySpace;
using store::test::Folder;
using store::test::must;
using store::test::random_seed;

class File {
 public:
  File() : environment_(must(store::Environment::open(folder_.file(), {}))) {}

  // The number of the commit.
  std::uint64_t change(const std::vector<RecordKey>& keys) {
    auto transaction = must(environment_->begin_write());
    must(transaction.put(KeySpace::meta, "something", std::to_string(transaction.id())));
    must(add_changes(transaction, keys));
    const std::uint64_t id = transaction.id();
    must(transaction.commit());
    return id;
  }
  [[nodiscard]] std::optional<std::vector<RecordKey>> changes(std::uint64_t behind) const {
    return must(read_changes(must(environment_->begin_read()), behind));
  }
  [[nodiscard]] std::uint64_t newest() const { return environment_->last_transaction_id(); }
  [[nodiscard]] store::Environment& environment() const { return *environment_; }

 private:
  Folder folder_{store::test::fast_folder()};
  std::shared_ptr<store::Environment> environment_;
};

std::vector<RecordKey> some(std::mt19937_64& random, std::size_t count_max) {
  std::vector<RecordKey> keys;
  for (std::size_t n = random() % (count_max + 1); n > 0; --n) {
    const auto kind = static_cast<RecordKind>(random() % 3);
    const ContainerNumber container = random() % 2 == 0 ? 1 + random() % 20 : kContainerNumberMax;
    const auto entity = static_cast<EntityKey>(random() >> 33);
    keys.push_back({container, kind, kind == RecordKind::header ? 0 : entity});
  }
  return keys;
}

constexpr RecordKey kKey{7, RecordKind::observation, 9};

}  // namespace

BOOST_AUTO_TEST_SUITE(changes_of_commits)

BOOST_AUTO_TEST_CASE(what_is_known_is_right_and_what_is_not_is_said_so) {
  std::mt19937_64 random(random_seed());
  File file;
  std::map<std::uint64_t, std::vector<RecordKey>> all;
  bool is_begun = false;
  for (int commit = 0; commit < 1500; ++commit) {
    const auto keys = some(random, commit % 100 == 0 ? 60 : 6);
    const std::uint64_t id = file.change(keys);
    all[id] = keys;
    is_begun |= !keys.empty();
    if (commit % 20 != 0 || !is_begun) continue;
    std::set<RecordKey> expected;
    bool is_known = true;
    std::uint64_t known_count = 0;
    for (std::uint64_t behind = id; behind >= all.begin()->first; --behind) {
      const auto found = file.changes(behind);
      // Once the list has begun behind a commit it does for all before it.
      BOOST_REQUIRE((is_known || !found));
      is_known = found.has_value();
      if (is_known) {
        BOOST_REQUIRE(std::vector<RecordKey>(expected.begin(), expected.end()) == *found);
        ++known_count;
      }
      expected.insert(all[behind].begin(), all[behind].end());
    }
    BOOST_TEST_REQUIRE(known_count >= std::min<std::uint64_t>(all.size(), 500) / 2);
  }
  const auto use = must(must(file.environment().begin_read()).statistics(KeySpace::change));
  BOOST_TEST(use.entries <= kChangeChunkCountMax);
}

BOOST_AUTO_TEST_CASE(a_large_commit_is_not_listed_and_ends_the_list) {
  std::mt19937_64 random(random_seed());
  File file;
  const std::uint64_t before = file.change({kKey});
  const std::uint64_t large = file.change(std::vector<RecordKey>(kListedOfCommitMax + 1, kKey));
  BOOST_TEST(!file.changes(before).has_value());
  BOOST_TEST(file.changes(large).value().empty());
  (void)file.change({kKey});
  BOOST_TEST(file.changes(large).value().size() == 1U);
  BOOST_TEST(!file.changes(before).has_value());
}

BOOST_AUTO_TEST_CASE(a_file_without_a_list_knows_only_that_nothing_came_behind_the_newest) {
  File file;
  BOOST_TEST(file.changes(file.newest()).value().empty());
  BOOST_TEST(!file.changes(0).has_value());
  BOOST_TEST(!file.changes(file.newest() + 1).has_value());
  const std::uint64_t before = file.newest();
  (void)file.change({kKey});
  BOOST_TEST(file.changes(before).value().size() == 1U);
}

BOOST_AUTO_TEST_CASE(what_was_forgotten_has_to_be_listed_anew) {
  File file;
  const std::uint64_t before = file.newest();
  for (int i = 0; i < 100; ++i) (void)file.change({kKey});
  {
    auto transaction = must(file.environment().begin_write());
    must(forget_changes(transaction));
    must(transaction.commit());
  }
  BOOST_TEST(!file.changes(before).has_value());
  BOOST_TEST(file.changes(file.newest()).value().empty());
}

// As in a backup, whose transactions begin anew.
BOOST_AUTO_TEST_CASE(a_list_of_later_transactions_is_begun_anew) {
  File file;
  for (int i = 0; i < 100; ++i) (void)file.change({kKey});
  File copy;
  {
    auto transaction = must(copy.environment().begin_write());
    must(copy_changes(must(file.environment().begin_read()), transaction));
    must(transaction.commit());
  }
  const std::uint64_t position = copy.newest();
  BOOST_TEST(copy.changes(position).value().empty());
  (void)copy.change({kKey});
  BOOST_TEST(copy.changes(position).value().size() == 1U);
  BOOST_TEST(!copy.changes(position - 1).has_value());
}

BOOST_AUTO_TEST_CASE(damage_is_told_to_readers_and_keeps_nobody_from_writing) {
  File file;
  const std::uint64_t before = file.change({kKey});
  {
    auto transaction = must(file.environment().begin_write());
    must(transaction.put(KeySpace::meta, "changes", "damaged"));
    must(transaction.commit());
  }
  BOOST_TEST((!read_changes(must(file.environment().begin_read()), before).ok()));
  (void)file.change({kKey});
  BOOST_TEST(!file.changes(before).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
