// Patches of packed blocks: a small change leaves its block as it is, and everybody sees it all the
// same.
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <string>

#include "store/copy.hpp"
#include "store/helpers.hpp"
#include "store/packed_space.hpp"

namespace {

using namespace tracelite;
using namespace tracelite::store;
using store::test::Folder;
using store::test::must;
using store::test::random_seed;

constexpr KeySpace kSpace = KeySpace::record;
using Oracle = std::map<std::string, std::string>;

std::string key_of(std::uint64_t number) {
  std::string key;
  append_big_endian(key, number);
  return key;
}

std::string bytes_of(std::mt19937_64& random, std::size_t size_bytes) {
  std::string bytes(size_bytes, ' ');
  for (char& byte : bytes) byte = static_cast<char>('a' + random() % 26);
  return bytes;
}

class File {
 public:
  File() : environment_(must(Environment::open(folder_.file(), {}))) {}

  template <class Work>
  void write(const Work& work) {
    auto transaction = must(environment_->begin_write());
    work(PackedSpace::of(transaction, kSpace));
    must(transaction.commit());
  }
  [[nodiscard]] Environment& environment() const { return *environment_; }
  [[nodiscard]] ReadTransaction read() const { return must(environment_->begin_read()); }
  [[nodiscard]] std::uint64_t count(KeySpace space) const {
    return must(read().statistics(space)).entries;
  }
  [[nodiscard]] Oracle values(KeySpace space) const {
    const ReadTransaction transaction = read();
    Cursor cursor = transaction.cursor(space);
    Oracle found;
    for (bool more = must(cursor.seek({})); more; more = must(cursor.next())) {
      found.emplace(cursor.key(), cursor.value());
    }
    return found;
  }
  // A block with so much in it that it takes patches.
  Oracle fill(std::mt19937_64& random) {
    Oracle oracle;
    write([&](PackedSpace& space) {
      for (std::uint64_t n = 10; n < 410; n += 4) {
        oracle[key_of(n)] = bytes_of(random, 200);
        must(space.put(key_of(n), oracle[key_of(n)]));
      }
    });
    return oracle;
  }

 private:
  Folder folder_;
  std::shared_ptr<Environment> environment_;
};

Oracle entries_of(const Transaction& transaction) {
  PackedCursor cursor(transaction, kSpace);
  Oracle found;
  for (bool more = must(cursor.seek({})); more; more = must(cursor.next())) {
    found.emplace(cursor.key(), cursor.value());
  }
  return found;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(packed_patches)

BOOST_AUTO_TEST_CASE(a_small_change_leaves_the_block_as_it_is) {
  std::mt19937_64 random(random_seed());
  File file;
  Oracle oracle = file.fill(random);
  const Oracle blocks = file.values(kSpace);
  file.write([&](PackedSpace& space) {
    must(space.put(key_of(1000), "new at the end"));
    must(space.put(key_of(11), "new in the middle"));
    must(space.put(key_of(14), "another value"));
    BOOST_TEST(must(space.erase(key_of(18))));
  });
  oracle[key_of(1000)] = "new at the end";
  oracle[key_of(11)] = "new in the middle";
  oracle[key_of(14)] = "another value";
  oracle.erase(key_of(18));
  BOOST_TEST((file.values(kSpace) == blocks));
  BOOST_TEST(file.count(KeySpace::patch) == 1U);
  BOOST_TEST((entries_of(file.read()) == oracle));
  // What was erased in a patch can come back in the next.
  file.write([&](PackedSpace& space) {
    BOOST_TEST(!must(space.get(key_of(18))).has_value());
    must(space.put(key_of(18), "back"));
    BOOST_TEST(must(space.erase(key_of(1000))));
  });
  oracle[key_of(18)] = "back";
  oracle.erase(key_of(1000));
  BOOST_TEST((entries_of(file.read()) == oracle));
}

BOOST_AUTO_TEST_CASE(a_trickle_is_read_back_after_every_commit_and_stays_packed) {
  std::mt19937_64 random(random_seed());
  File file;
  Oracle oracle;
  std::uint64_t patched_commits = 0;
  for (std::uint64_t commit = 0; commit < 600; ++commit) {
    file.write([&](PackedSpace& space) {
      for (std::uint64_t n = 0; n < 1 + random() % 4; ++n) {
        const bool is_late = random() % 4 == 0 && !oracle.empty();
        const std::string key = key_of(is_late ? random() % (commit * 4 + 1) : commit * 4 + n);
        if (is_late && random() % 2 == 0) {
          BOOST_REQUIRE(must(space.erase(key)) == (oracle.erase(key) == 1));
        } else {
          oracle[key] = bytes_of(random, 200);
          must(space.put(key, oracle[key]));
        }
      }
    });
    patched_commits += file.count(KeySpace::patch) > 0 ? 1 : 0;
    if (commit % 10 == 0) BOOST_REQUIRE((entries_of(file.read()) == oracle));
  }
  BOOST_TEST((entries_of(file.read()) == oracle));
  BOOST_TEST(patched_commits > 300U);
  std::size_t raw_size_bytes = 0;
  for (const auto& [key, value] : oracle) raw_size_bytes += key.size() + value.size();
  std::size_t patches_size_bytes = 0;
  for (const auto& [key, value] : file.values(KeySpace::patch)) patches_size_bytes += value.size();
  BOOST_TEST(patches_size_bytes < raw_size_bytes / 2);
}

BOOST_AUTO_TEST_CASE(a_large_change_writes_the_block_anew) {
  std::mt19937_64 random(random_seed());
  File file;
  Oracle oracle = file.fill(random);
  file.write([&](PackedSpace& space) { must(space.put(key_of(11), "small")); });
  BOOST_TEST(file.count(KeySpace::patch) == 1U);
  oracle[key_of(11)] = bytes_of(random, 17'000);
  file.write([&](PackedSpace& space) { must(space.put(key_of(11), oracle[key_of(11)])); });
  BOOST_TEST(file.count(KeySpace::patch) == 0U);
  BOOST_TEST((entries_of(file.read()) == oracle));
}

BOOST_AUTO_TEST_CASE(patches_go_with_their_block) {
  std::mt19937_64 random(random_seed());
  File file;
  const Oracle oracle = file.fill(random);
  const auto patch = [&] {
    file.write([&](PackedSpace& space) { must(space.put(key_of(11), "small")); });
    BOOST_TEST(file.count(KeySpace::patch) == 1U);
  };
  patch();
  file.write([&](PackedSpace& space) {
    for (const auto& [key, value] : oracle) BOOST_REQUIRE(must(space.erase(key)));
    BOOST_REQUIRE(must(space.erase(key_of(11))));
  });
  BOOST_TEST(file.count(KeySpace::patch) == 0U);
  BOOST_TEST(file.count(kSpace) == 0U);
  (void)file.fill(random);
  patch();
  auto transaction = must(file.environment().begin_write());
  must(transaction.clear(kSpace));
  must(transaction.commit());
  BOOST_TEST(file.count(KeySpace::patch) == 0U);
  BOOST_TEST(entries_of(file.read()).empty());
}

BOOST_AUTO_TEST_CASE(a_copy_has_what_patches_say) {
  std::mt19937_64 random(random_seed());
  File file;
  Oracle oracle = file.fill(random);
  file.write([&](PackedSpace& space) { must(space.put(key_of(11), "small")); });
  oracle[key_of(11)] = "small";
  for (const bool packs : {false, true}) {
    File copy;
    must(copy_in_order(file.read(), copy.environment(), {},
                       packs ? std::optional<Packing>(kDensePacking) : std::nullopt));
    BOOST_TEST((entries_of(copy.read()) == oracle));
    BOOST_TEST(copy.count(KeySpace::patch) == (packs ? 0U : 1U));
  }
}

BOOST_AUTO_TEST_CASE(a_damaged_patch_is_damage_of_its_block) {
  std::mt19937_64 random(random_seed());
  for (const std::string& bytes : {std::string("no block"), std::string("\0\3\0\1a", 5)}) {
    File file;
    (void)file.fill(random);
    file.write([&](PackedSpace& space) { must(space.put(key_of(11), "small")); });
    const std::string key = file.values(KeySpace::patch).begin()->first;
    auto transaction = must(file.environment().begin_write());
    must(transaction.put(KeySpace::patch, key, bytes));
    must(transaction.commit());
    const ReadTransaction reading = file.read();
    const auto found = PackedSpace::of(reading, kSpace).get(key_of(14));
    BOOST_REQUIRE(!found);
    BOOST_TEST((found.error().code == Code::corrupt));
  }
}

BOOST_AUTO_TEST_SUITE_END()
