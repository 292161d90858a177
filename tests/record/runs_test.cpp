// Runs are found whatever was merged, and lose the entries of containers that are gone and no
// others.
#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "record/records.hpp"
#include "record/runs.hpp"
#include "store/helpers.hpp"
#include "store/sealed.hpp"

namespace {

using namespace tracelite;
using namespace tracelite::record;
using store::KeySpace;
using store::test::Folder;
using store::test::must;
using store::test::random_seed;

constexpr KeySpace kFamily = KeySpace::observation_directory;

class File {
 public:
  File() : environment_(must(store::Environment::open(folder_.file(), {}))) {}

  // One commit: containers with an observation for each of these hashes.
  void add(const std::map<std::uint32_t, ContainerNumber>& observations) {
    auto transaction = must(environment_->begin_write());
    std::vector<RunEntry> entries;
    for (const auto& [hash, container] : observations) {
      must(records(transaction).put(encode(RecordKey{container, RecordKind::header, 0}), "record"));
      entries.push_back(RunEntry{hash, container});
    }
    must(add_run(transaction, kFamily, std::move(entries)));
    must(transaction.commit());
  }
  void erase(const std::set<ContainerNumber>& containers) {
    auto transaction = must(environment_->begin_write());
    for (const ContainerNumber container : containers) {
      (void)must(records(transaction).erase(encode(RecordKey{container, RecordKind::header, 0})));
    }
    must(transaction.commit());
  }
  // How many transactions it took.
  int prune() {
    int count = 0;
    for (std::optional<std::uint32_t> first = 0; first; ++count) {
      auto transaction = must(environment_->begin_write());
      first = must(prune_runs(transaction, kFamily, *first));
      must(transaction.commit());
    }
    return count;
  }
  [[nodiscard]] std::uint64_t entry_count() const {
    return must(run_entry_count(must(environment_->begin_read()), kFamily));
  }
  void merge() {
    auto transaction = must(environment_->begin_write());
    must(merge_runs(transaction, kFamily));
    must(transaction.commit());
  }
  [[nodiscard]] std::size_t run_count() const {
    return must(read_runs(must(environment_->begin_read()), kFamily)).size();
  }
  [[nodiscard]] std::vector<ContainerNumber> find(std::uint32_t hash) const {
    const auto transaction = must(environment_->begin_read());
    std::vector<ContainerNumber> found;
    must(find_in_runs(transaction, kFamily, must(read_runs(transaction, kFamily)), hash, found));
    return found;
  }
  [[nodiscard]] store::Environment& environment() const { return *environment_; }
  [[nodiscard]] std::uint64_t value_count() const {
    return must(must(environment_->begin_read()).statistics(kFamily)).entries;
  }

 private:
  Folder folder_{store::test::fast_folder()};
  std::shared_ptr<store::Environment> environment_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(runs_of_hashes)

// Far apart, so that a container takes all its bytes in some runs and one in others.
BOOST_AUTO_TEST_CASE(all_is_found_before_and_after_merging) {
  std::mt19937_64 random(random_seed());
  File file;
  std::map<std::uint32_t, ContainerNumber> all;
  for (int commit = 0; commit < 100; ++commit) {
    const ContainerNumber base = commit % 3 == 0 ? kContainerNumberMax - 300 : 1;
    std::map<std::uint32_t, ContainerNumber> some;
    for (std::uint64_t n = 1 + random() % 100; n > 0; --n) {
      const auto hash = static_cast<std::uint32_t>(random() >> (64 - kRunHashBits));
      if (!all.contains(hash)) some[hash] = base + random() % 300;
    }
    file.add(some);
    all.insert(some.begin(), some.end());
  }
  BOOST_TEST(file.run_count() < 5 * kRunFanout);
  const auto all_are_found = [&] {
    for (const auto& [hash, container] : all) {
      const std::vector<ContainerNumber> expected = {container};
      BOOST_TEST_REQUIRE(file.find(hash) == expected, boost::test_tools::per_element());
    }
  };
  all_are_found();
  file.merge();
  BOOST_TEST(file.run_count() == 1U);
  BOOST_TEST(file.entry_count() == all.size());
  all_are_found();
}

BOOST_AUTO_TEST_CASE(equal_hashes_are_found_where_they_fill_several_parts) {
  File file;
  std::vector<ContainerNumber> containers;
  for (ContainerNumber container = 1; container <= 3000; ++container) {
    file.add({{7, container}});
    containers.push_back(container);
  }
  file.add({{6, 9000}, {8, 9001}});
  file.merge();
  auto found = file.find(7);
  std::sort(found.begin(), found.end());
  BOOST_TEST(found == containers, boost::test_tools::per_element());
  BOOST_TEST(file.find(6).size() == 1U);
  BOOST_TEST(file.find(8).size() == 1U);
}

// As a trickle makes them: their page is written by every commit anyway.
BOOST_AUTO_TEST_CASE(few_entries_lie_in_the_list) {
  File file;
  for (std::uint32_t hash = 1; hash <= kShortRunEntriesMax; ++hash) {
    file.add({{hash, 5000 + hash * hash}});
    BOOST_TEST_REQUIRE(file.value_count() == 0U);
  }
  BOOST_TEST(file.run_count() == 1U);
  file.add({{1000, 1}});
  BOOST_TEST(file.value_count() == 1U);
  BOOST_TEST(file.entry_count() == kShortRunEntriesMax + 1);
  for (std::uint32_t hash = 1; hash <= kShortRunEntriesMax; ++hash) {
    const std::vector<ContainerNumber> expected = {5000 + hash * hash};
    BOOST_TEST(file.find(hash) == expected, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_SUITE_END()

// Parts of a run in the file, in place of those that its writer made.
BOOST_AUTO_TEST_SUITE(runs_of_strangers)

namespace {

using Entry = std::pair<std::uint32_t, std::uint8_t>;  // the hash, and the container less the base

std::string part_of(const std::vector<Entry>& entries) {
  std::string part;
  for (const auto& [hash, container] : entries) {
    append_big_endian(part, hash);
    part.push_back(static_cast<char>(container));
  }
  return part;
}

class Stranger {
 public:
  // One run of one part, for hashes from 0 on and containers from 1 on.
  Stranger() {
    std::map<std::uint32_t, ContainerNumber> entries;
    for (std::uint32_t n = 0; n < kCount; ++n) entries[n] = 1 + n;
    file.add(entries);
    BOOST_REQUIRE(file.value_count() == 1U);
  }
  void put_part(const std::string& part) const {
    std::string key;
    append_big_endian(key, std::uint32_t{0});
    append_big_endian(key, std::uint32_t{0});
    auto transaction = must(file.environment().begin_write());
    must(store::put_sealable(transaction, kFamily, key, std::array{Bytes(part)}));
    must(transaction.commit());
  }
  // The list of runs, changed.
  template <class Change>
  void change_list(const Change& change) const {
    auto transaction = must(file.environment().begin_write());
    const Bytes key = store::name_of(kFamily);
    std::string list(must(transaction.get(KeySpace::meta, key)).value());
    change(list);
    must(transaction.put(KeySpace::meta, key, list));
    must(transaction.commit());
  }
  [[nodiscard]] bool finds(std::uint32_t hash) const {
    const auto transaction = must(file.environment().begin_read());
    const auto runs = read_runs(transaction, kFamily);
    std::vector<ContainerNumber> found;
    const Status status =
        runs ? find_in_runs(transaction, kFamily, *runs, hash, found) : Status(runs.error());
    if (!status) BOOST_TEST((status.error().code == Code::corrupt));
    return status && !found.empty();
  }
  [[nodiscard]] bool merges() const {
    auto transaction = must(file.environment().begin_write());
    return static_cast<bool>(merge_runs(transaction, kFamily));
  }
  [[nodiscard]] bool prunes() const {
    auto transaction = must(file.environment().begin_write());
    return static_cast<bool>(prune_runs(transaction, kFamily, 0));
  }

  static constexpr std::uint32_t kCount = kShortRunEntriesMax + 1;
  File file;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(entries_that_do_not_ascend_are_refused, Stranger) {
  put_part(part_of({{7, 0}, {7, 1}, {9, 0}}));
  BOOST_TEST(finds(7));
  for (const auto& second : {Entry{7, 0}, Entry{7, 1}}) {
    put_part(part_of({{7, 1}, second, {9, 0}}));
    BOOST_TEST(!finds(7));
    BOOST_TEST(finds(9));
    BOOST_TEST(!prunes());
  }
  // Another run to merge it with, of another number.
  std::map<std::uint32_t, ContainerNumber> more;
  for (std::uint32_t n = 0; n < kCount; ++n) more[1000 + n] = 1;
  file.add(more);
  BOOST_TEST(!merges());
}

BOOST_FIXTURE_TEST_CASE(no_more_entries_are_taken_than_the_run_says, Stranger) {
  std::vector<Entry> entries;
  for (std::uint32_t n = 0; n <= kCount; ++n) entries.emplace_back(n, 0);
  put_part(part_of(entries));
  BOOST_TEST(!prunes());
  entries.pop_back();
  put_part(part_of(entries));
  BOOST_TEST(prunes());
}

// As sealed values can be, which are compressed.
BOOST_FIXTURE_TEST_CASE(a_part_of_more_than_a_page_is_refused, Stranger) {
  std::vector<Entry> entries;
  for (std::uint32_t n = 0; n < store::kOnePageValueSizeBytes / 5; ++n) entries.emplace_back(n, 0);
  put_part(part_of(entries));
  BOOST_TEST(finds(7));
  for (std::uint32_t n = 0; n < 10; ++n) entries.emplace_back(10'000 + n, 0);
  put_part(part_of(entries));
  BOOST_TEST(!finds(7));
}

// Each would tell the same entries once more.
BOOST_FIXTURE_TEST_CASE(a_run_that_is_listed_twice_is_refused, Stranger) {
  BOOST_TEST(finds(7));
  change_list([](std::string& list) { list += std::string(list); });
  BOOST_TEST(!finds(7));
}

BOOST_AUTO_TEST_CASE(a_short_run_that_does_not_ascend_is_refused) {
  Stranger stranger;
  stranger.file.add({{2000, 1}});
  BOOST_TEST(stranger.finds(2000));
  stranger.file.add({{2001, 1}});
  BOOST_TEST(stranger.finds(2000));
  // The last two entries, of 5 bytes each, the other way round.
  stranger.change_list([](std::string& list) {
    list = list.substr(0, list.size() - 10) + list.substr(list.size() - 5) +
           list.substr(list.size() - 10, 5);
  });
  BOOST_TEST(!stranger.finds(2000));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(pruning_runs)

BOOST_AUTO_TEST_CASE(what_is_there_is_found_and_what_is_gone_is_not) {
  std::mt19937_64 random(random_seed());
  File runs;
  std::map<std::uint32_t, ContainerNumber> all;
  std::set<ContainerNumber> gone;
  ContainerNumber next = 1;
  for (int commit = 0; commit < 30; ++commit) {
    std::map<std::uint32_t, ContainerNumber> observations;
    for (std::uint64_t n = random() % 500; n > 0; --n) {
      const auto key = static_cast<std::uint32_t>(random() >> (64 - kRunHashBits));
      if (!all.contains(key)) observations[key] = next + random() % 20;
    }
    next += 20;
    runs.add(observations);
    all.insert(observations.begin(), observations.end());
  }
  for (ContainerNumber container = 1; container < next; ++container) {
    if (random() % 2 == 0) gone.insert(container);
  }
  runs.erase(gone);
  BOOST_TEST(runs.entry_count() == all.size());
  BOOST_TEST(runs.prune() == 1);
  std::uint64_t left = 0;
  for (const auto& [key, container] : all) {
    const bool is_gone = gone.contains(container);
    left += is_gone ? 0 : 1;
    const auto found = runs.find(key);
    BOOST_REQUIRE(found.size() == (is_gone ? 0U : 1U));
    if (!is_gone) BOOST_REQUIRE(found.front() == container);
  }
  BOOST_TEST(runs.entry_count() == left);
  // A second time there is nothing to do; and what comes later is merged with what is left.
  BOOST_TEST(runs.prune() == 1);
  BOOST_TEST(runs.entry_count() == left);
  for (std::uint32_t key = 1; key <= 20; ++key) runs.add({{key, next}});
  for (std::uint32_t key = 1; key <= 20; ++key) {
    BOOST_TEST(runs.find(key) == std::vector<ContainerNumber>{next},
               boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(nothing_is_left_of_runs_without_a_container) {
  File runs;
  for (std::uint32_t commit = 0; commit < 5; ++commit) {
    runs.add({{commit * 100, commit + 1}, {commit * 100 + 7, commit + 1}});
  }
  runs.erase({1, 2, 3, 4, 5});
  (void)runs.prune();
  BOOST_TEST(runs.entry_count() == 0U);
  BOOST_TEST(runs.value_count() == 0U);
  BOOST_TEST(runs.find(0).empty());
}

// Eight of them together would be too long a run.
BOOST_AUTO_TEST_CASE(as_many_runs_are_merged_as_make_no_run_that_is_too_long) {
  File file;
  constexpr std::uint32_t kEach = kRunEntriesMax / 8 + 1;
  constexpr std::uint32_t kRuns = 24;
  for (std::uint32_t run = 0; run < kRuns; ++run) {
    std::map<std::uint32_t, ContainerNumber> observations;
    for (std::uint32_t n = 0; n < kEach; ++n) observations[n * kRuns + run] = run + 1;
    file.add(observations);
  }
  BOOST_TEST(file.run_count() < 10U);
  BOOST_TEST(file.entry_count() == std::uint64_t{kRuns} * kEach);
  for (std::uint32_t run = 0; run < kRuns; ++run) {
    BOOST_TEST(file.find(17 * kRuns + run) == std::vector<ContainerNumber>{run + 1},
               boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(many_runs_take_several_transactions) {
  File runs;
  constexpr std::uint64_t kEach = kRunEntriesMax / 2 + 1;
  for (std::uint32_t run = 0; run < 3; ++run) {
    std::map<std::uint32_t, ContainerNumber> observations;
    for (std::uint32_t n = 0; n < kEach; ++n) observations[n * 3 + run] = run + 1;
    runs.add(observations);
  }
  runs.erase({2});
  BOOST_TEST(runs.entry_count() == 3 * kEach);
  BOOST_TEST(runs.prune() == 3);
  BOOST_TEST(runs.entry_count() == 2 * kEach);
  BOOST_TEST(runs.find(1).empty());
  BOOST_TEST(runs.find(2).size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
