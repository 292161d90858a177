// Pages of records against a map: what is put is found, in order, within the transaction and after
// it; what is erased leaves nothing; damage is called so.
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <string>

#include "record/record_pages.hpp"
#include "store/helpers.hpp"

namespace {

using namespace tracelite;
using namespace tracelite::record;
using store::Environment;
using store::KeySpace;
using store::test::Folder;
using store::test::must;

using Oracle = std::map<RecordKey, std::string>;

std::uint64_t seed() {
  const char* given = std::getenv("TL_SEED");
  const std::uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device{}();
  std::cout << "TL_SEED=" << seed << '\n';
  return seed;
}

class Records {
 public:
  Records() : environment_(must(Environment::open(folder_.file(), {}))) {}

  template <class Work>
  void write(const Work& work) {
    auto transaction = must(environment_->begin_write());
    work(transaction, RecordPages::of(transaction));
    must(RecordPages::of(transaction).flush(transaction));
    must(transaction.commit());
  }
  [[nodiscard]] store::ReadTransaction read() const { return must(environment_->begin_read()); }
  [[nodiscard]] std::uint64_t value_count() const {
    return must(read().statistics(KeySpace::record)).entries;
  }

 private:
  Folder folder_;
  std::shared_ptr<Environment> environment_;
};

// Everything in order, and every record by its key.
void check_all(const store::Transaction& transaction, const Oracle& oracle) {
  RecordCursor cursor(transaction);
  auto expected = oracle.begin();
  for (bool more = must(cursor.seek({})); more; more = must(cursor.next()), ++expected) {
    BOOST_REQUIRE(expected != oracle.end());
    BOOST_REQUIRE((cursor.key() == expected->first));
    BOOST_REQUIRE(cursor.record() == expected->second);
  }
  BOOST_REQUIRE(expected == oracle.end());
  for (const auto& [key, record] : oracle) {
    const auto found = must(RecordPages::of(transaction).get(key));
    BOOST_REQUIRE(found.has_value());
    BOOST_REQUIRE(*found == record);
  }
}

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t below(std::uint64_t end) { return engine_() % end; }
  RecordKey key() {
    const std::uint64_t entity = below(4) == 0 ? below(2) * UINT64_MAX : engine_() >> below(60);
    return {1 + below(6), static_cast<RecordKind>(below(4)), entity};
  }
  std::string record() {
    const std::uint64_t size = below(50) == 0 ? below(20'000) : below(400);
    std::string bytes(size, 'x');
    for (std::size_t i = 0; i < size; i += 1 + below(9)) bytes[i] = static_cast<char>(engine_());
    return bytes;
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(record_pages)

BOOST_AUTO_TEST_CASE(whatever_is_done_they_hold_what_a_map_would) {
  Random random(seed());
  Records records;
  Oracle oracle;
  for (int round = 0; round < 60; ++round) {
    records.write([&](store::WriteTransaction& transaction, RecordPages& pages) {
      const bool mostly_erases = round % 7 == 6;
      for (std::uint64_t i = random.below(80); i > 0; --i) {
        const RecordKey key = random.key();
        const auto present = oracle.lower_bound(key);
        if (random.below(3) < (mostly_erases ? 2U : 1U) && present != oracle.end()) {
          BOOST_REQUIRE(must(pages.erase(present->first)));
          oracle.erase(present);
        } else {
          const std::string record = random.record();
          must(pages.put(key, record));
          oracle[key] = record;
        }
      }
      BOOST_REQUIRE(!must(pages.erase({99, RecordKind::score, 7})));
      check_all(transaction, oracle);
    });
    check_all(records.read(), oracle);
  }
  records.write([&](store::WriteTransaction&, RecordPages& pages) {
    for (const auto& [key, record] : oracle) BOOST_REQUIRE(must(pages.erase(key)));
  });
  BOOST_TEST(records.value_count() == 0U);
}

BOOST_AUTO_TEST_CASE(neighbours_of_one_container_share_a_value) {
  Records records;
  records.write([](store::WriteTransaction&, RecordPages& pages) {
    for (EntityKey entity = 0; entity < 20; ++entity) {
      must(pages.put({1, RecordKind::observation, entity}, "a record of one trace"));
      must(pages.put({2, RecordKind::observation, entity}, "a record of another"));
    }
  });
  BOOST_TEST(records.value_count() == 2U);
}

BOOST_AUTO_TEST_CASE(a_transaction_that_is_dropped_changes_nothing) {
  Records records;
  const RecordKey key{1, RecordKind::header, 0};
  records.write([&](store::WriteTransaction&, RecordPages& pages) { must(pages.put(key, "old")); });
  {
    auto transaction = store::test::must(records.read().environment()->begin_write());
    must(RecordPages::of(transaction).put(key, "new"));
    must(RecordPages::of(transaction).flush(transaction));
  }
  check_all(records.read(), {{key, "old"}});
}

BOOST_AUTO_TEST_CASE(a_record_that_is_much_longer_than_a_page_has_one_of_its_own) {
  Records records;
  Oracle oracle;
  records.write([&](store::WriteTransaction&, RecordPages& pages) {
    for (EntityKey entity = 0; entity < 9; ++entity) {
      const RecordKey key{1, RecordKind::observation, entity};
      oracle[key] = std::string(entity == 4 ? 1'000'000 : 3'000, static_cast<char>('a' + entity));
      must(pages.put(key, oracle[key]));
    }
  });
  check_all(records.read(), oracle);
}

BOOST_AUTO_TEST_CASE(damage_is_called_so) {
  Random random(seed());
  Records records;
  const RecordKey key{1, RecordKind::header, 0};
  records.write([&](store::WriteTransaction&, RecordPages& pages) {
    must(pages.put(key, std::string(500, 'r')));
    must(pages.put({1, RecordKind::observation, 3}, std::string(300, 's')));
  });
  const std::string whole(must(records.read().get(KeySpace::record, encode(key))).value());
  for (int round = 0; round < 2'000; ++round) {
    std::string damaged = whole;
    if (random.below(2) == 0) damaged.resize(random.below(damaged.size()));
    for (std::uint64_t i = random.below(4); i > 0 && !damaged.empty(); --i) {
      damaged[random.below(damaged.size())] = static_cast<char>(random.below(256));
    }
    auto transaction = must(records.read().environment()->begin_write());
    must(transaction.put(KeySpace::record, encode(key), damaged));
    const auto found = RecordPages::of(transaction).get(key);
    // Damage that decodes to sound pages is the checksum's business, which put() made right.
    if (!found) BOOST_REQUIRE((found.error().code == Code::corrupt));
  }
}

BOOST_AUTO_TEST_SUITE_END()
