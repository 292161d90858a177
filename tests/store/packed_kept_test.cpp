// What a transaction has decoded serves the next one, as long as nobody else has committed.
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <map>
#include <string>

#include "store/helpers.hpp"
#include "store/packed_space.hpp"
#include "store/testing.hpp"

namespace {

using namespace tracelite;
using namespace tracelite::store;
using store::test::Child;
using store::test::Folder;
using store::test::must;

constexpr KeySpace kSpace = KeySpace::record;
using Oracle = std::map<std::string, std::string>;

std::string key_of(std::uint64_t number) {
  std::string key;
  append_big_endian(key, number);
  return key;
}

std::string value_of(std::uint64_t number) {
  std::string value;
  while (value.size() < 200) append_big_endian(value, ++number * 0x9e3779b97f4a7c15U);
  return value;
}

// The commits that follow one another, and what should be in the file.
class File {
 public:
  explicit File(const std::string& path) : environment_(must(Environment::open(path, {}))) {}

  // Gives the number of blocks that were decoded for it, with those of the transactions that it has
  // its memory from.
  std::uint64_t put(std::uint64_t from, std::uint64_t to) {
    auto transaction = must(environment_->begin_write());
    put(transaction, from, to);
    const std::uint64_t count = PackedSpaces::of(transaction).load_count();
    must(transaction.commit());
    return count;
  }
  void put(WriteTransaction& transaction, std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t n = from; n < to; ++n) {
      oracle_[key_of(n)] = value_of(n);
      must(PackedSpace::of(transaction, kSpace).put(key_of(n), value_of(n)));
    }
  }
  // By a transaction that has only what is in the file, and by one that may have more.
  void check() const {
    check(must(environment_->begin_read()));
    check(must(environment_->begin_write()));
  }
  [[nodiscard]] Environment& environment() const { return *environment_; }
  Oracle& oracle() { return oracle_; }

 private:
  void check(const Transaction& transaction) const {
    PackedCursor cursor(transaction, kSpace);
    Oracle found;
    for (bool more = must(cursor.seek({})); more; more = must(cursor.next())) {
      found.emplace(cursor.key(), cursor.value());
    }
    BOOST_TEST((found == oracle_));
  }

  std::shared_ptr<Environment> environment_;
  Oracle oracle_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(packed_kept)

BOOST_AUTO_TEST_CASE(a_trickle_decodes_a_block_once) {
  const Folder folder;
  File file(folder.file());
  std::uint64_t count = 0;
  for (std::uint64_t commit = 0; commit < 300; ++commit) {
    count = file.put(commit * 4, commit * 4 + 4);
  }
  BOOST_TEST(count <= 1U);
  file.check();
}

BOOST_AUTO_TEST_CASE(a_block_is_decoded_anew_when_another_process_has_committed) {
  const Folder folder;
  File file(folder.file());
  file.put(10, 200);
  for (std::uint64_t round = 0; round < 3; ++round) {
    Child child([&] {
      auto opened = Environment::open(folder.file(), {});
      CHILD_CHECK(1, opened.ok());
      auto transaction = opened.value()->begin_write();
      CHILD_CHECK(2, transaction.ok());
      PackedSpace& space = PackedSpace::of(*transaction, kSpace);
      CHILD_CHECK(3, space.put(key_of(300 + round), "of the other process").ok());
      CHILD_CHECK(4, space.erase(key_of(20 + round)).ok());
      CHILD_CHECK(5, transaction->commit().ok());
      return 0;
    });
    BOOST_REQUIRE(child.wait() == 0);
    file.oracle()[key_of(300 + round)] = "of the other process";
    file.oracle().erase(key_of(20 + round));
    BOOST_TEST(file.put(500 + round, 501 + round) == 1U);
    file.check();
    file.put(600 + round, 601 + round);  // so that there is something to keep
  }
  file.check();
}

BOOST_AUTO_TEST_CASE(what_a_transaction_that_failed_or_was_dropped_has_changed_is_gone) {
  const Folder folder;
  File file(folder.file());
  file.put(10, 200);
  for (const bool is_dropped : {false, true}) {
    const Oracle before = file.oracle();
    {
      auto transaction = must(file.environment().begin_write());
      file.put(transaction, 300, 320);
      if (!is_dropped) {
        testing::fail(testing::Point::commit, 1, EIO);
        BOOST_TEST(!transaction.commit().ok());
      }
    }
    file.oracle() = before;
    file.check();
    file.put(400, 410);
    file.check();
    file.put(20, 30);
    file.check();
  }
  testing::fail_nothing();
}

// Its number is used again: by whom, nobody knows.
BOOST_AUTO_TEST_CASE(nothing_is_kept_of_a_transaction_that_wrote_nothing) {
  const Folder folder;
  File file(folder.file());
  file.put(10, 200);
  {
    auto transaction = must(file.environment().begin_write());
    BOOST_TEST(must(PackedSpace::of(transaction, kSpace).get(key_of(10))).has_value());
    must(transaction.commit());
  }
  Child child([&] {
    auto opened = Environment::open(folder.file(), {});
    CHILD_CHECK(1, opened.ok());
    auto transaction = opened.value()->begin_write();
    CHILD_CHECK(2, PackedSpace::of(*transaction, kSpace).put(key_of(10), "other").ok());
    CHILD_CHECK(3, transaction->commit().ok());
    return 0;
  });
  BOOST_REQUIRE(child.wait() == 0);
  file.oracle()[key_of(10)] = "other";
  file.put(300, 301);
  file.check();
}

BOOST_AUTO_TEST_CASE(blocks_that_are_written_by_themselves_take_the_place_of_those_in_memory) {
  const Folder folder;
  File file(folder.file());
  file.put(10, 200);
  auto transaction = must(file.environment().begin_write());
  PackedSpace& space = PackedSpace::of(transaction, kSpace);
  BOOST_TEST(must(space.get(key_of(10))).has_value());
  must(transaction.put(kSpace, key_of(10), "no block at all"));
  BOOST_TEST((space.get(key_of(10)).error().code == Code::corrupt));
}

BOOST_AUTO_TEST_SUITE_END()
