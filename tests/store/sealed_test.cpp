// Sealable key spaces against a map: whatever is put, erased and sealed in turns, each entry is
// found once, with the value that was put last.
#include <boost/test/unit_test.hpp>
#include <iostream>
#include <map>
#include <optional>
#include <random>
#include <string>

#include "store/helpers.hpp"
#include "store/sealed.hpp"
#include "support/random_seed.hpp"

namespace {

using namespace tracelite;
using namespace tracelite::store;
using store::test::Folder;
using store::test::must;

using Oracle = std::map<std::string, std::string>;

struct File {
  Folder folder{store::test::fast_folder()};
  std::shared_ptr<Environment> environment = must(Environment::open(folder.file(), {}));

  template <class Work>
  void write(const Work& work) {
    auto transaction = must(environment->begin_write());
    work(transaction);
    must(transaction.commit());
  }
  void put(KeySpace space, Bytes key, Bytes value) {
    write(
        [&](WriteTransaction& transaction) { must(put_sealable(transaction, space, key, value)); });
  }
  void seal_all(KeySpace space, Bytes from = {}) {
    for (std::optional<std::string> next = std::string(from); next;) {
      write([&](WriteTransaction& transaction) {
        next = must(seal(transaction, space, *next, 1000));
      });
    }
  }
  std::optional<std::string> get(KeySpace space, Bytes key) {
    const auto transaction = must(environment->begin_read());
    const auto value = must(get_sealable(transaction, space, key));
    return value ? std::optional<std::string>(*value) : std::nullopt;
  }
  std::uint64_t plain_count(KeySpace space) {
    return must(must(environment->begin_read()).statistics(space)).entries;
  }
  Oracle content(KeySpace space) {
    const auto transaction = must(environment->begin_read());
    Oracle all;
    SealableCursor cursor(transaction, space);
    while (must(cursor.next())) {
      BOOST_REQUIRE(all.emplace(cursor.key(), cursor.value()).second);
    }
    return all;
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(sealed)

BOOST_FIXTURE_TEST_CASE(what_is_sealed_is_found_where_it_was, File) {
  put(KeySpace::directory, "a", "one");
  put(KeySpace::directory, "b", "two");
  put(KeySpace::observation_directory, "a", "other");
  seal_all(KeySpace::directory);
  BOOST_TEST(plain_count(KeySpace::directory) == 0U);
  BOOST_TEST(get(KeySpace::directory, "a").value() == "one");
  BOOST_TEST(get(KeySpace::observation_directory, "a").value() == "other");
  BOOST_TEST(!get(KeySpace::segment, "a"));
  BOOST_TEST((content(KeySpace::directory) == Oracle{{"a", "one"}, {"b", "two"}}));
  BOOST_TEST((content(KeySpace::observation_directory) == Oracle{{"a", "other"}}));
}

BOOST_FIXTURE_TEST_CASE(what_lies_before_the_first_key_stays_plain, File) {
  for (const char* key : {"a", "b", "c"}) put(KeySpace::page, key, key);
  seal_all(KeySpace::page, "b");
  BOOST_TEST(plain_count(KeySpace::page) == 1U);
  BOOST_TEST((content(KeySpace::page) == Oracle{{"a", "a"}, {"b", "b"}, {"c", "c"}}));
}

BOOST_FIXTURE_TEST_CASE(clearing_one_key_space_leaves_what_others_have_sealed, File) {
  for (const KeySpace space : kSealableKeySpaces) {
    for (int i = 0; i < 50; ++i) put(space, std::to_string(i), "value");
    seal_all(space);
    put(space, "plain", "value");
  }
  write([](WriteTransaction& transaction) {
    must(clear_sealable(transaction, KeySpace::observation_directory));
  });
  for (const KeySpace space : kSealableKeySpaces) {
    BOOST_TEST(content(space).size() == (space == KeySpace::observation_directory ? 0U : 51U));
  }
}

BOOST_FIXTURE_TEST_CASE(damage_to_sealed_entries_keeps_nobody_from_putting_them_anew, File) {
  for (int i = 0; i < 50; ++i) put(KeySpace::directory, std::to_string(i), "value");
  seal_all(KeySpace::directory);
  write([](WriteTransaction& transaction) {
    std::string block;
    {
      Cursor cursor = transaction.key_cursor(KeySpace::sealed);
      BOOST_REQUIRE(must(cursor.seek({})));
      block = cursor.key();
    }
    must(transaction.put(KeySpace::sealed, block, "no block"));
  });
  {
    const auto transaction = must(environment->begin_read());
    const auto lost = get_sealable(transaction, KeySpace::directory, "7");
    BOOST_REQUIRE(!lost);
    BOOST_TEST((lost.error().code == Code::corrupt));
  }
  put(KeySpace::directory, "7", "again");
  BOOST_TEST(get(KeySpace::directory, "7").value() == "again");
}

BOOST_FIXTURE_TEST_CASE(puts_erases_and_sealing_in_turns, File) {
  std::mt19937 random(tracelite::test::short_random_seed());
  std::map<KeySpace, Oracle> expected;
  for (int round = 0; round < 150; ++round) {
    write([&](WriteTransaction& transaction) {
      for (int i = 0; i < 20; ++i) {
        const KeySpace space = kSealableKeySpaces[random() % kSealableKeySpaces.size()];
        const std::string key = std::to_string(random() % 300);
        if (random() % 3 == 0) {
          const bool was_there = must(erase_sealable(transaction, space, key));
          BOOST_TEST(was_there == (expected[space].erase(key) == 1));
        } else {
          const std::string value(random() % 400, static_cast<char>('a' + random() % 26));
          const std::size_t half = value.size() / 2;
          const Bytes parts[] = {Bytes(value).substr(0, half), Bytes(value).substr(half)};
          must(put_sealable(transaction, space, key, parts));
          expected[space][key] = value;
        }
      }
    });
    if (random() % 3 == 0) seal_all(kSealableKeySpaces[random() % kSealableKeySpaces.size()]);
    for (const KeySpace space : kSealableKeySpaces) {
      BOOST_REQUIRE((content(space) == expected[space]));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
