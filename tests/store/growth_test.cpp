// The map grows: when it is full, when another process has grown the file, and beside readers.
#include <lmdb.h>
#include <sys/resource.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <mutex>
#include <optional>
#include <thread>

#include "helpers.hpp"
#include "support/sanitizers.hpp"

namespace tracelite::store::test {
namespace {

constexpr std::size_t kSmallMap = kMinimumMapSizeBytes;
const OpenOptions kSmall{.map_size_bytes = kSmallMap};

// A reader that gives its snapshot up when asked, as those of the rooms above do.
class PoliteReader : public std::enable_shared_from_this<PoliteReader> {
 public:
  void begin(Environment& environment) {
    transaction_.emplace(must(environment.begin_read([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->let_go();
    })));
  }
  bool holds() {
    const std::scoped_lock lock(mutex_);
    return transaction_.has_value();
  }

 private:
  void let_go() {
    const std::scoped_lock lock(mutex_);
    transaction_.reset();
  }
  std::mutex mutex_;
  std::optional<ReadTransaction> transaction_;
};

// Puts `count` values of 1,000 bytes in one transaction; the first failure is returned.
Status put_many(Environment& environment, int first, int count) {
  TL_TRY_ASSIGN(transaction, environment.begin_write());
  const std::string value(1000, 'v');
  for (int i = first; i < first + count; ++i) {
    std::string key;
    append_big_endian(key, static_cast<std::uint32_t>(i));
    TL_TRY(transaction.put(KeySpace::directory, key, value));
  }
  return transaction.commit();
}

void put_many_growing(Environment& environment, int first, int count) {
  for (int tries = 0; tries < 20; ++tries) {
    const Status status = put_many(environment, first, count);
    if (status) return;
    BOOST_REQUIRE((status.error().code == Code::disk_full));
    BOOST_REQUIRE(status.error().engine_code == MDB_MAP_FULL);
    must(environment.grow());
  }
  BOOST_FAIL("it never fitted");
}

std::uint64_t entries(Environment& environment) {
  return must(must(environment.begin_read()).statistics(KeySpace::directory)).entries;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(growth)

BOOST_AUTO_TEST_CASE(a_full_map_grows_and_the_batch_runs_again) {
  const Folder folder;
  auto environment = open_file(folder.file(), kSmall);
  BOOST_TEST(environment->map_size_bytes() == kSmallMap);
  put_many_growing(*environment, 0, 3000);
  BOOST_TEST(environment->map_size_bytes() >= 4 * kSmallMap);
  BOOST_TEST(entries(*environment) == 3000);
  environment.reset();
  BOOST_TEST(entries(*open_file(folder.file(), kSmall)) == 3000);  // never below the file's size
}

BOOST_AUTO_TEST_CASE(a_reader_that_lets_go_does_not_hold_it_up) {
  const Folder folder;
  auto environment = open_file(folder.file(), kSmall);
  auto reader = std::make_shared<PoliteReader>();
  reader->begin(*environment);
  put_many_growing(*environment, 0, 3000);
  BOOST_TEST(!reader->holds());
  BOOST_TEST(entries(*environment) == 3000);
}

BOOST_AUTO_TEST_CASE(a_reader_that_does_not_let_go_makes_it_busy_and_keeps_its_view) {
  const Folder folder;
  OpenOptions options = kSmall;
  options.grow_patience = std::chrono::milliseconds(20);
  auto environment = open_file(folder.file(), options);
  put_one(*environment, "key", "value");
  std::optional<ReadTransaction> stubborn(must(environment->begin_read()));
  BOOST_TEST((put_many(*environment, 0, 3000).error().code == Code::disk_full));
  BOOST_TEST((environment->grow().error().code == Code::busy));
  BOOST_TEST(must(stubborn->get(KeySpace::directory, "key")).value() == "value");
  BOOST_TEST(entries(*environment) == 1);  // others may begin again
  stubborn.reset();
  put_many_growing(*environment, 0, 3000);
}

BOOST_AUTO_TEST_CASE(growing_twice_for_one_failure_grows_once) {
  const Folder folder;
  auto environment = open_file(folder.file(), kSmall);
  must(environment->grow());  // nobody has failed
  BOOST_TEST(environment->map_size_bytes() == kSmallMap);
  BOOST_TEST(!put_many(*environment, 0, 3000));
  must(environment->grow());
  BOOST_TEST(environment->map_size_bytes() == 2 * kSmallMap);
  must(environment->grow());
  BOOST_TEST(environment->map_size_bytes() == 2 * kSmallMap);
}

BOOST_AUTO_TEST_CASE(what_another_process_has_grown_can_be_read_and_written) {
  const Folder folder;
  for (const bool write_first : {false, true}) {
    auto environment = open_file(folder.file(), kSmall);
    auto reader = std::make_shared<PoliteReader>();
    reader->begin(*environment);
    Child child([&] {
      auto opened = Environment::open(folder.file(), {.map_size_bytes = 64 << 20});
      CHILD_CHECK(1, opened);
      CHILD_CHECK(2, put_many(*opened.value(), 0, 5000));
      opened.value().reset();
      return 0;
    });
    BOOST_TEST(child.wait() == 0);
    if (write_first) put_many_growing(*environment, 5000, 1);
    BOOST_TEST(entries(*environment) == (write_first ? 5001 : 5000));
    BOOST_TEST(!reader->holds());
    BOOST_TEST(environment->map_size_bytes() > 5000 * 1000);
    environment.reset();
    std::filesystem::remove(folder.file());
  }
}

BOOST_AUTO_TEST_CASE(readers_and_writers_in_many_threads_live_through_it) {
  const Folder folder(fast_folder());
  OpenOptions options = kSmall;
  options.grow_patience = std::chrono::seconds(60);
  auto environment = open_file(folder.file(), options);
  put_many_growing(*environment, 0, 100);
  std::atomic<bool> stop{false};
  std::atomic<int> failures{0};
  const auto read = [&] {
    while (!stop) {
      auto transaction = environment->begin_read();
      if (!transaction) {
        ++failures;
        continue;
      }
      Cursor cursor = transaction->cursor(KeySpace::directory);
      std::uint64_t count = 0;
      while (cursor.next().ok() && !cursor.key().empty()) ++count;
      const auto statistics = transaction->statistics(KeySpace::directory);
      if (!statistics || statistics->entries != count) ++failures;
      (void)environment->last_transaction_id();
    }
  };
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) readers.emplace_back(read);
  std::thread writer([&] {
    for (int i = 0; i < 20; ++i) {
      const Status status = put_many(*environment, 10'000 + i * 150, 150);
      if (!status && !environment->grow()) ++failures;
    }
  });
  for (int i = 1; i < 20; ++i) put_many_growing(*environment, i * 200, 200);
  writer.join();
  stop = true;
  for (auto& reader : readers) reader.join();
  BOOST_TEST(failures == 0);
  BOOST_TEST(environment->map_size_bytes() > kSmallMap);
}

BOOST_AUTO_TEST_CASE(little_address_space_means_a_smaller_map,
                     *boost::unit_test::precondition(tracelite::test::not_under_sanitizers)) {
  const Folder folder(fast_folder());
  Child child([&] {
    const rlimit limit{1 << 30, 1 << 30};
    CHILD_CHECK(1, setrlimit(RLIMIT_AS, &limit) == 0);
    auto opened = Environment::open(folder.file(), {});
    CHILD_CHECK(2, opened);
    const std::size_t size = opened.value()->map_size_bytes();
    CHILD_CHECK(3, size >= 64 << 20 && size <= 512 << 20);
    put_one(*opened.value(), "key", "value");
    // Growing ends in an error, not in a crash.
    Status status;
    for (int i = 0; i < 100 && status; ++i) {
      status = put_many(*opened.value(), i * 10'000, 10'000);
      if (!status && status.error().engine_code == MDB_MAP_FULL) status = opened.value()->grow();
    }
    CHILD_CHECK(4, !status && status.error().code == Code::disk_full);
    CHILD_CHECK(5, get_one(*opened.value(), "key") == "value");
    opened.value().reset();
    return 0;
  });
  BOOST_TEST(child.wait() == 0);
  BOOST_TEST(get_one(*open_file(folder.file()), "key").value() == "value");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::store::test
