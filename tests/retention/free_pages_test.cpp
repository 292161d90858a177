// Free pages that are given back or overwritten: nobody misses them, and they are gone.
#include <fcntl.h>
#include <sys/stat.h>

#include <map>

#include "retention/support.hpp"
#include "store/free_pages.hpp"
#include "store/unused_bytes.hpp"

namespace tracelite::retention::test {
namespace {

using store::Environment;
using store::KeySpace;
using store::test::open_file;
using store::test::put_one;

using Content = std::map<std::string, std::string>;

std::uint64_t taken_bytes(const std::string& path) {
  struct stat status = {};
  BOOST_REQUIRE(stat(path.c_str(), &status) == 0);
  return static_cast<std::uint64_t>(status.st_blocks) * 512;
}

boost::test_tools::assertion_result makes_holes(boost::unit_test::test_unit_id) {
  const Folder folder(fast_folder());
  store::test::write_file(folder.file("holes"), std::string(1 << 16, 'x'));
  const int descriptor = open(folder.file("holes").c_str(), O_RDWR);
  const bool can =
      fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1 << 16) == 0;
  close(descriptor);
  boost::test_tools::assertion_result result(can);
  if (!can) result.message() << "the file system makes no holes in files";
  return result;
}

void commit_nothing_much(Environment& environment) { put_one(environment, "other", "x"); }

// So that nothing is free in the commits that LMDB cannot use yet.
void commit_twice(Environment& environment) {
  commit_nothing_much(environment);
  commit_nothing_much(environment);
}

Content content_of(const store::Transaction& transaction) {
  Content content;
  store::Cursor cursor = transaction.cursor(KeySpace::directory);
  for (bool more = store::test::must(cursor.next()); more;
       more = store::test::must(cursor.next())) {
    content[std::string(cursor.key())] = cursor.value();
  }
  return content;
}

void verify(const std::shared_ptr<Environment>& environment) {
  const auto told = [](Bytes where, Bytes message) { BOOST_ERROR(where << ": " << message); };
  BOOST_TEST(store::test::must(store::begin_verified_read(environment, told, {})).has_value());
}

constexpr store::FreePagesRequest kAll{};
constexpr store::FreePagesRequest kOverwrite{.overwrites = true};

}  // namespace

BOOST_AUTO_TEST_SUITE(free_pages)

BOOST_AUTO_TEST_CASE(what_lay_in_them_is_nowhere_in_the_file_any_more) {
  const Folder folder(fast_folder());
  const auto environment = open_file(folder.file());
  const std::string marker = noise(7, 3'000);
  for (int i = 0; i < 50; ++i) put_one(*environment, "key" + std::to_string(i), marker);
  {
    auto transaction = store::test::must(environment->begin_write());
    for (int i = 0; i < 50; ++i) {
      BOOST_TEST(
          store::test::must(transaction.erase(KeySpace::directory, "key" + std::to_string(i))));
    }
    store::test::must(transaction.commit());
  }
  commit_twice(*environment);
  BOOST_TEST(store::test::read_file(folder.file()).find(marker) != std::string::npos);
  const auto done = store::test::must(store::clear_free_pages(*environment, kOverwrite));
  BOOST_TEST(done.size_bytes >= 50U * 4'096U);
  BOOST_TEST(store::test::read_file(folder.file()).find(marker.substr(0, 100)) ==
             std::string::npos);
  verify(environment);
  BOOST_TEST(store::test::must(store::clear_free_pages(*environment, kOverwrite)).size_bytes == 0U);
}

BOOST_AUTO_TEST_CASE(the_file_takes_less_of_the_disk,
                     *boost::unit_test::precondition(makes_holes)) {
  const Folder folder(fast_folder());
  const auto environment = open_file(folder.file());
  for (int i = 0; i < 40; ++i) put_one(*environment, "key", noise(1, 200'000));
  put_one(*environment, "key", "short");
  commit_twice(*environment);
  const std::uint64_t before = taken_bytes(folder.file());
  const std::uint64_t size_before = std::filesystem::file_size(folder.file());
  const auto done = store::test::must(store::clear_free_pages(*environment, kAll));
  BOOST_TEST(done.makes_holes);
  BOOST_TEST(done.size_bytes > 200'000U);
  BOOST_TEST(taken_bytes(folder.file()) + done.size_bytes <= before + 4'096);
  BOOST_TEST(std::filesystem::file_size(folder.file()) == size_before);
  BOOST_TEST(store::test::must(store::clear_free_pages(*environment, kAll)).size_bytes == 0U);
  verify(environment);
}

BOOST_AUTO_TEST_CASE(in_small_pieces_it_comes_to_the_same,
                     *boost::unit_test::precondition(makes_holes)) {
  const Folder folder(fast_folder());
  const auto environment = open_file(folder.file());
  put_one(*environment, "key", noise(1, 1'000'000));
  put_one(*environment, "key", "short");
  commit_twice(*environment);
  store::FreePagesRequest request;
  request.size_bytes_max = 100'000;
  std::uint64_t sum = 0;
  int pieces = 0;
  for (bool more = true; more; ++pieces) {
    const auto done = store::test::must(store::clear_free_pages(*environment, request));
    BOOST_TEST(done.size_bytes <= request.size_bytes_max);
    sum += done.size_bytes;
    more = done.is_more;
  }
  BOOST_TEST(pieces > 9);
  BOOST_TEST(sum >= 1'000'000U);
  verify(environment);
}

// LMDB takes free pages for what is written between the pieces, and gives them up again. Who
// writes is a process that has never had the words in its memory.
BOOST_AUTO_TEST_CASE(what_is_overwritten_in_pieces_beside_commits_is_nowhere_any_more) {
  const Folder folder(fast_folder());
  const std::uint64_t seed = store::test::random_seed();
  const store::test::Line done;
  store::test::Line go_on;
  store::test::Child child([&] {
    go_on.close_writing();
    std::mt19937_64 random(seed);
    while (go_on.receive() != '\0') {
      const auto environment = open_file(folder.file());
      auto transaction = store::test::must(environment->begin_write());
      for (std::uint64_t i = 1 + random() % 4; i-- > 0;) {
        const std::string key = "k" + std::to_string(random() % 60);
        store::test::must(transaction.put(
            KeySpace::directory, key,
            noise(static_cast<std::uint32_t>(random()), random() % 3 == 0 ? 20'000 : 300)));
        if (random() % 2 == 0) store::test::must(transaction.erase(KeySpace::directory, key));
      }
      store::test::must(transaction.commit());
      done.send('d');
    }
    return 0;
  });
  const auto environment = open_file(folder.file());
  std::mt19937_64 random(seed + 1);
  const std::string marker = noise(7, 300);
  for (std::uint32_t i = 0; i < 300; ++i) {
    put_one(*environment, "word" + std::to_string(i),
            marker + noise(i, random() % 3 == 0 ? 9'000 : 500));
  }
  {
    auto transaction = store::test::must(environment->begin_write());
    for (std::uint32_t i = 0; i < 300; ++i) {
      BOOST_TEST(
          store::test::must(transaction.erase(KeySpace::directory, "word" + std::to_string(i))));
    }
    store::test::must(transaction.commit());
  }
  BOOST_TEST(store::test::must(store::zero_unused_bytes(*environment)) > 0U);
  constexpr std::uint64_t kPieceSizeBytes = 64 << 10;
  store::FreePageOverwriting overwriting(*environment, true, kPieceSizeBytes);
  std::uint64_t step_count = 0;
  for (bool more = true; more; ++step_count) {
    BOOST_REQUIRE(step_count < 10'000U);
    const auto step = store::test::must(overwriting.step());
    BOOST_TEST(step.size_bytes <= kPieceSizeBytes);
    more = step.is_more || step.held_size_bytes > 0;
    go_on.send('g');
    BOOST_REQUIRE(done.receive() == 'd');
  }
  BOOST_TEST(step_count > 10U);
  BOOST_TEST(store::test::read_file(folder.file()).find(marker.substr(0, 100)) ==
             std::string::npos);
  verify(environment);
  go_on.close_writing();
  BOOST_TEST(child.wait() == 0);
}

BOOST_AUTO_TEST_CASE(what_a_snapshot_of_another_process_sees_is_left_alone) {
  const Folder folder(fast_folder());
  const std::string marker = noise(7, 3'000);
  put_one(*open_file(folder.file()), "key", marker);
  const store::test::Line ready;
  store::test::Line go_on;
  store::test::Child child([&] {
    go_on.close_writing();
    const auto environment = open_file(folder.file());
    const auto snapshot = store::test::must(environment->begin_read());
    ready.send('r');
    (void)go_on.receive();
    return content_of(snapshot).at("key") == marker ? 0 : 1;
  });
  BOOST_REQUIRE(ready.receive() == 'r');
  const auto environment = open_file(folder.file());
  put_one(*environment, "key", "short");
  for (int i = 0; i < 5; ++i) commit_nothing_much(*environment);
  const auto held = store::test::must(store::clear_free_pages(*environment, kOverwrite));
  BOOST_TEST(held.held_size_bytes > 0U);
  BOOST_TEST(store::test::read_file(folder.file()).find(marker) != std::string::npos);
  go_on.close_writing();
  BOOST_TEST(child.wait() == 0);
  commit_twice(*environment);
  store::test::must(store::clear_free_pages(*environment, kOverwrite));
  BOOST_TEST(store::test::read_file(folder.file()).find(marker) == std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_a_page_in_use_has_between_its_entries_is_overwritten) {
  const Folder folder(fast_folder());
  const auto environment = open_file(folder.file());
  const std::string marker = noise(7, 300);
  put_one(*environment, "a", "stays");
  put_one(*environment, "b", marker);
  {
    auto transaction = store::test::must(environment->begin_write());
    BOOST_TEST(store::test::must(transaction.erase(KeySpace::directory, "b")));
    store::test::must(transaction.put(KeySpace::directory, "long", noise(8, 3'000)));
    store::test::must(transaction.commit());
  }
  const std::string begin = marker.substr(0, 50);
  BOOST_TEST(store::test::must(store::zero_unused_bytes(*environment)) >= begin.size());
  // Also before each commit, as a deletion does it: what the commit gives up is not overwritten.
  for (int i = 0; i < 2; ++i) {
    store::test::must(store::clear_free_pages(*environment, kOverwrite));
    put_one(*environment, "other", "x", KeySpace::change);
    store::test::must(store::zero_unused_bytes(*environment));
  }
  store::test::must(store::clear_free_pages(*environment, kOverwrite));
  BOOST_TEST(store::test::read_file(folder.file()).find(begin) == std::string::npos);
  BOOST_TEST(store::test::must(store::zero_unused_bytes(*environment)) == 0U);
  verify(environment);
  BOOST_TEST(content_of(store::test::must(environment->begin_read())).at("a") == "stays");
}

// Commits of all sizes with snapshots between them, each of which must go on seeing its own.
BOOST_AUTO_TEST_CASE(whatever_the_commits_are_every_snapshot_keeps_what_it_sees) {
  const Folder folder(fast_folder());
  const auto environment = open_file(folder.file());
  std::mt19937_64 random(store::test::random_seed());
  Content now;
  std::vector<std::pair<store::ReadTransaction, Content>> snapshots;
  const int rounds = 300 * api::test::test_scale();
  for (int round = 0; round < rounds; ++round) {
    auto transaction = store::test::must(environment->begin_write());
    for (std::uint64_t i = random() % 12; i-- > 0;) {
      const std::string key = "k" + std::to_string(random() % 60);
      if (random() % 3 == 0) {
        store::test::must(transaction.erase(KeySpace::directory, key));
        now.erase(key);
      } else {
        now[key] = noise(static_cast<std::uint32_t>(random()), random() % 3 == 0 ? 20'000 : 300);
        store::test::must(transaction.put(KeySpace::directory, key, now[key]));
      }
    }
    store::test::must(transaction.commit());
    if (random() % 4 == 0) {
      snapshots.emplace_back(store::test::must(environment->begin_read()), now);
    }
    if (snapshots.size() > 4 || (!snapshots.empty() && random() % 8 == 0)) {
      snapshots.erase(snapshots.begin() + static_cast<std::ptrdiff_t>(random() % snapshots.size()));
    }
    store::FreePagesRequest request;
    request.overwrites = random() % 2 == 0;
    request.run_page_count_min = 1 + random() % 3;
    store::test::must(store::clear_free_pages(*environment, request));
    for (const auto& [snapshot, content] : snapshots) {
      BOOST_REQUIRE(content_of(snapshot) == content);
    }
    BOOST_REQUIRE(content_of(store::test::must(environment->begin_read())) == now);
  }
  verify(environment);
}

BOOST_AUTO_TEST_CASE(a_store_with_a_cap_makes_its_file_smaller,
                     *boost::unit_test::precondition(makes_holes)) {
  const Folder folder(fast_folder());
  constexpr std::uint64_t kCapBytes = std::uint64_t{2} << 20;
  {
    const Store store(folder.file());
    for (std::uint32_t i = 0; i < 1'200; ++i) {
      record(store, i, {.time_ns = model::now_ns(), .input_size_bytes = 6'000, .session = {}});
    }
  }
  const std::uint64_t before = taken_bytes(folder.file());
  BOOST_TEST(before > 9 * kCapBytes);
  const Store store(folder.file(), with_size(kCapBytes));
  for (std::uint32_t i = 0; taken_bytes(folder.file()) > 4 * kCapBytes; ++i) {
    BOOST_REQUIRE(i < 1'000U);
    record(store, 10'000 + i, {.time_ns = model::now_ns(), .session = {}});
    store.flush();
  }
  store.check();
  BOOST_TEST(store.statistics().file_size_bytes >= before - kCapBytes);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::retention::test
