// Packed key spaces against a map: what is put is found, in order, within the transaction and after
// it; what is erased leaves nothing; dictionaries change no byte; damage is called so, and keeps
// nobody from writing.
#include <array>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "store/dictionary.hpp"
#include "store/helpers.hpp"
#include "store/packed_space.hpp"
#include "store/small_packing.hpp"

namespace {

using namespace tracelite;
using namespace tracelite::store;
using store::test::Folder;
using store::test::must;
using store::test::random_seed;
using tracelite::store::test::kSmallPacking;

constexpr KeySpace kSpace = KeySpace::record;
using Oracle = std::map<std::string, std::string>;

class File {
 public:
  File() : environment_(must(Environment::open(folder_.file(), {}))) {}

  template <class Work>
  void write(const Work& work, const Packing& packing = kSmallPacking) {
    auto transaction = must(environment_->begin_write());
    PackedSpaces::of(transaction).set_packing(packing);
    work(transaction, PackedSpace::of(transaction, kSpace));
    must(transaction.commit());
  }
  [[nodiscard]] WriteTransaction begin() const { return must(environment_->begin_write()); }
  [[nodiscard]] ReadTransaction read() const { return must(environment_->begin_read()); }
  [[nodiscard]] Oracle blocks() const {
    const ReadTransaction transaction = read();
    Cursor cursor = transaction.cursor(kSpace);
    Oracle found;
    for (bool more = must(cursor.seek({})); more; more = must(cursor.next())) {
      found.emplace(cursor.key(), cursor.value());
    }
    return found;
  }

 private:
  Folder folder_;
  std::shared_ptr<Environment> environment_;
};

// Everything in order, every entry by its key, and what lies beside keys that are not there.
void check_all(const Transaction& transaction, const Oracle& oracle) {
  PackedCursor cursor(transaction, kSpace);
  auto expected = oracle.begin();
  for (bool more = must(cursor.seek({})); more; more = must(cursor.next()), ++expected) {
    BOOST_REQUIRE(expected != oracle.end());
    BOOST_REQUIRE(cursor.key() == expected->first);
    BOOST_REQUIRE(cursor.value() == expected->second);
  }
  BOOST_REQUIRE(expected == oracle.end());
  PackedSpace& space = PackedSpace::of(transaction, kSpace);
  for (auto at = oracle.begin(); at != oracle.end(); ++at) {
    const auto found = must(space.get(at->first));
    BOOST_REQUIRE(found.has_value());
    BOOST_REQUIRE(*found == at->second);
    BOOST_REQUIRE(must(space.at_most(at->first)).value().value == at->second);
    const std::string behind = at->first + '\0';
    const auto next = std::next(at);
    if (next != oracle.end() && next->first == behind) continue;
    BOOST_REQUIRE(must(space.at_most(behind)).value().key == at->first);
    const auto above = must(space.at_least(behind));
    BOOST_REQUIRE(above.has_value() == (next != oracle.end()));
    if (above) BOOST_REQUIRE(above->key == next->first);
  }
}

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t below(std::uint64_t end) { return engine_() % end; }
  // Some close together, some far apart, of several lengths.
  std::string key() {
    std::string key;
    append_big_endian(key, 1 + below(6), 6);
    if (below(5) > 0) append_big_endian(key, engine_() >> below(60));
    return key;
  }
  std::string value() {
    const std::uint64_t size = below(50) == 0 ? below(20'000) : below(400);
    std::string bytes(size, 'x');
    for (std::size_t i = 0; i < size; i += 1 + below(9)) bytes[i] = static_cast<char>(engine_());
    return bytes;
  }
  // Of words that come again, but seldom in the same block, so that there is something to learn.
  std::string text() {
    static const std::vector<std::string> words = [] {
      std::mt19937_64 letters(1);
      std::vector<std::string> made(500);
      for (std::string& word : made) {
        while (word.size() < 24) word.push_back(static_cast<char>('a' + letters() % 26));
      }
      return made;
    }();
    std::string text;
    for (std::uint64_t i = 3 + below(6); i > 0; --i) {
      text += words[below(words.size())] + std::to_string(below(1000)) + ',';
    }
    return text;
  }

 private:
  std::mt19937_64 engine_;
};

void change(Random& random, PackedSpace& space, Oracle& oracle, bool mostly_erases) {
  for (std::uint64_t i = random.below(80); i > 0; --i) {
    const std::string key = random.key();
    const auto present = oracle.lower_bound(key);
    if (random.below(3) < (mostly_erases ? 2U : 1U) && present != oracle.end()) {
      BOOST_REQUIRE(must(space.erase(present->first)));
      oracle.erase(present);
    } else {
      const std::string value = random.value();
      must(space.put(key, value));
      oracle[key] = value;
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(packed_space)

BOOST_AUTO_TEST_CASE(whatever_is_done_it_holds_what_a_map_would) {
  Random random(random_seed());
  File file;
  Oracle oracle;
  for (int round = 0; round < 60; ++round) {
    static constexpr std::array kPackings = {kSmallPacking, kQuickPacking, kDensePacking};
    const Packing& packing = kPackings[random.below(kPackings.size())];
    file.write(
        [&](WriteTransaction& transaction, PackedSpace& space) {
          change(random, space, oracle, round % 7 == 6);
          BOOST_REQUIRE(!must(space.erase("zzz")));
          check_all(transaction, oracle);
        },
        packing);
    check_all(file.read(), oracle);
  }
  file.write([&](WriteTransaction&, PackedSpace& space) {
    for (const auto& [key, value] : oracle) BOOST_REQUIRE(must(space.erase(key)));
  });
  BOOST_TEST(file.blocks().empty());
}

BOOST_AUTO_TEST_CASE(keys_that_come_in_falling_order_share_values) {
  File file;
  Oracle oracle;
  for (char key = 'z'; key >= 'a'; --key) {
    file.write([&](WriteTransaction&, PackedSpace& space) {
      must(space.put(Bytes(&key, 1), "an entry"));
      oracle[std::string(1, key)] = "an entry";
    });
  }
  check_all(file.read(), oracle);
  BOOST_TEST(file.blocks().size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_value_takes_one_page_and_fills_it) {
  Random random(random_seed());
  File file;
  for (std::uint64_t commit = 0; commit < 40; ++commit) {
    file.write([&](WriteTransaction&, PackedSpace& space) {
      for (std::uint64_t i = 0; i < 50; ++i) {
        std::string key;
        append_big_endian(key, commit * 50 + i);
        must(space.put(key, random.text()));
      }
    });
  }
  std::size_t size_bytes = 0;
  const Oracle blocks = file.blocks();
  for (const auto& [key, value] : blocks) {
    BOOST_TEST(value.size() <= kOnePageValueSizeBytes);
    size_bytes += value.size();
  }
  BOOST_TEST(blocks.size() > 20U);
  BOOST_TEST(size_bytes > blocks.size() * kOnePageValueSizeBytes * 3 / 4);
}

// Also where entries come in no order, as long as they come behind those of the last commits.
BOOST_AUTO_TEST_CASE(values_of_several_pages_fill_them) {
  Random random(random_seed());
  File file;
  for (std::uint64_t commit = 0; commit < 40; ++commit) {
    const auto put_all = [&](WriteTransaction&, PackedSpace& space) {
      for (std::uint64_t i = 0; i < 1'000; ++i) {
        std::string key;
        append_big_endian(key, commit);
        append_big_endian(key, random.below(1'000'000));
        must(space.put(key, random.text()));
      }
    };
    file.write(put_all, kQuickPacking);
  }
  std::size_t size_bytes = 0;
  std::size_t page_count = 0;
  for (const auto& [key, value] : file.blocks()) {
    const std::size_t of_value = 1 + (value.size() + 4096 - kOnePageValueSizeBytes - 1) / 4096;
    BOOST_TEST(of_value <= kQuickPacking.page_count_max);
    size_bytes += value.size();
    page_count += of_value;
  }
  BOOST_TEST(page_count > 100U);
  BOOST_TEST(size_bytes > page_count * 4096 * 9 / 10);
}

BOOST_AUTO_TEST_CASE(an_entry_that_is_much_longer_than_a_page_has_a_value_of_its_own) {
  File file;
  Oracle oracle;
  Random random(random_seed());
  file.write([&](WriteTransaction&, PackedSpace& space) {
    for (int i = 0; i < 9; ++i) {
      const std::string key = "entry " + std::to_string(i);
      while (oracle[key].size() < (i == 4 ? 1'000'000U : 300U)) oracle[key] += random.value();
      must(space.put(key, oracle[key]));
    }
  });
  check_all(file.read(), oracle);
}

BOOST_AUTO_TEST_CASE(a_transaction_that_is_dropped_changes_nothing) {
  File file;
  file.write([&](WriteTransaction&, PackedSpace& space) { must(space.put("key", "old")); });
  {
    auto transaction = file.begin();
    must(PackedSpace::of(transaction, kSpace).put("key", "new"));
  }
  check_all(file.read(), {{"key", "old"}});
}

BOOST_AUTO_TEST_CASE(clearing_the_key_space_forgets_what_was_put) {
  File file;
  file.write([&](WriteTransaction& transaction, PackedSpace& space) {
    must(space.put("key", "old"));
    must(transaction.clear(kSpace));
    must(PackedSpace::of(transaction, kSpace).put("other", "new"));
  });
  check_all(file.read(), {{"other", "new"}});
}

BOOST_AUTO_TEST_CASE(keys_that_lmdb_would_refuse_are_refused) {
  File file;
  file.write([&](WriteTransaction&, PackedSpace& space) {
    BOOST_TEST((space.put("", "value").error().code == Code::invalid));
    const std::string long_key(kKeySizeBytesMax + 1, 'k');
    BOOST_TEST((space.put(long_key, "value").error().code == Code::limit));
    must(space.put(long_key.substr(1), "value"));
  });
  BOOST_TEST(file.blocks().size() == 1U);
}

// ------------------------------------------------------------------------------ dictionaries

BOOST_AUTO_TEST_CASE(a_dictionary_comes_when_there_is_enough_to_learn_from) {
  Random random(random_seed());
  File file;
  Oracle oracle;
  std::uint64_t next = 0;
  const auto grow = [&](std::uint64_t count) {
    file.write([&](WriteTransaction&, PackedSpace& space) {
      for (; count > 0; --count) {
        std::string key;
        append_big_endian(key, next++);
        oracle[key] = random.text();
        must(space.put(key, oracle[key]));
      }
    });
  };
  grow(100);
  BOOST_TEST(!must(newest_dictionary(file.read(), kSpace)).has_value());
  while (file.blocks().size() < kSmallPacking.blocks_to_train_from) grow(200);
  grow(1);
  const auto first = must(newest_dictionary(file.read(), kSpace));
  BOOST_REQUIRE(first.has_value());
  BOOST_TEST(first->number == 1U);
  check_all(file.read(), oracle);
  // What is written from now on takes fewer bytes.
  const auto bytes_an_entry = [&] {
    std::size_t size_bytes = 0;
    for (const auto& [key, value] : file.blocks()) size_bytes += value.size();
    return static_cast<double>(size_bytes) / static_cast<double>(next);
  };
  const double before = bytes_an_entry();
  const std::uint64_t entries_before = next;
  grow(2000);
  const double after = (bytes_an_entry() * static_cast<double>(next) -
                        before * static_cast<double>(entries_before)) /
                       static_cast<double>(next - entries_before);
  BOOST_TEST(after < before * 0.95);
  check_all(file.read(), oracle);
}

BOOST_AUTO_TEST_CASE(bytes_that_nothing_can_be_learned_from_get_no_dictionary) {
  std::mt19937_64 engine(random_seed());
  File file;
  for (std::uint64_t commit = 0; commit < 30; ++commit) {
    file.write([&](WriteTransaction&, PackedSpace& space) {
      for (std::uint64_t i = 0; i < 20; ++i) {
        std::string key;
        append_big_endian(key, commit * 20 + i);
        std::string noise;
        while (noise.size() < 800) append_big_endian(noise, engine());
        must(space.put(key, noise));
      }
    });
  }
  BOOST_TEST(file.blocks().size() > kSmallPacking.blocks_to_train_from);
  BOOST_TEST(!must(newest_dictionary(file.read(), kSpace)).has_value());
}

// ------------------------------------------------------------------------------ damage

BOOST_AUTO_TEST_CASE(damage_is_called_so) {
  Random random(random_seed());
  File file;
  file.write([&](WriteTransaction&, PackedSpace& space) {
    must(space.put("first", std::string(500, 'r')));
    must(space.put("second", std::string(300, 's')));
  });
  const std::string whole = file.blocks().at("first");
  for (int round = 0; round < 2'000; ++round) {
    std::string damaged = whole;
    if (random.below(2) == 0) damaged.resize(random.below(damaged.size()));
    for (std::uint64_t i = random.below(4); i > 0 && !damaged.empty(); --i) {
      damaged[random.below(damaged.size())] = static_cast<char>(random.below(256));
    }
    auto transaction = file.begin();
    must(transaction.put(kSpace, "first", damaged));
    const auto found = PackedSpace::of(transaction, kSpace).get("first");
    // Damage that decodes to sound entries is the checksum's business, which put() made right.
    if (!found) BOOST_REQUIRE((found.error().code == Code::corrupt));
  }
}

BOOST_AUTO_TEST_CASE(damage_to_one_block_neither_hides_others_nor_keeps_anybody_from_writing) {
  Random random(random_seed());
  File file;
  Oracle oracle;
  file.write([&](WriteTransaction&, PackedSpace& space) {
    for (std::uint64_t i = 0; i < 400; ++i) {
      std::string key;
      append_big_endian(key, 2 * i);
      oracle[key] = random.text();
      must(space.put(key, oracle[key]));
    }
  });
  const Oracle blocks = file.blocks();
  BOOST_REQUIRE(blocks.size() > 3U);
  for (const auto& [begin, value] : blocks) {
    auto transaction = file.begin();
    must(transaction.put(kSpace, begin, "no block at all"));
    const auto next = blocks.upper_bound(begin);
    PackedSpace& space = PackedSpace::of(transaction, kSpace);
    for (const auto& [key, held] : oracle) {
      const bool is_damaged = key >= begin && (next == blocks.end() || key < next->first);
      const auto found = space.get(key);
      BOOST_REQUIRE(found.ok() == !is_damaged);
      if (found) BOOST_REQUIRE(found->value() == held);
    }
    // New keys before, within and behind.
    for (const std::uint64_t number : {std::uint64_t{1}, read_big_endian(begin) + 3,
                                       std::uint64_t{799}, std::uint64_t{10'000}}) {
      std::string key;
      append_big_endian(key, number);
      must(space.put(key, "new"));
      BOOST_REQUIRE(must(space.get(key)).value() == "new");
    }
    BOOST_REQUIRE((space.put(begin, "gone").error().code == Code::corrupt) ||
                  read_big_endian(begin) == 0);
  }
}

BOOST_AUTO_TEST_SUITE_END()
