// Files that are not ours, not ours any more, or not whole: each is refused with its reason, and
// none is changed or crashes the process.
#include <dlfcn.h>
#include <lmdb.h>
#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <random>

#include "helpers.hpp"
#include "support/random_seed.hpp"
#include "support/sanitizers.hpp"

namespace {

long pretended_page_size = 0;

}  // namespace

// In the place of the C library's, for LMDB and for us, to be a machine with other pages. The
// thread sanitizer calls it before it is ready for code of ours.
#if !defined(__SANITIZE_THREAD__)
extern "C" __attribute__((visibility("default"))) long sysconf(int name) noexcept {
  static const auto real = reinterpret_cast<long (*)(int)>(dlsym(RTLD_NEXT, "sysconf"));
  return name == _SC_PAGESIZE && pretended_page_size != 0 ? pretended_page_size : real(name);
}
#endif

namespace tracelite::store::test {
namespace {

const std::size_t kPage = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));

// Where things lie in each of the two heads; checked against the real thing in the first test.
constexpr std::size_t kMagicAt = 16;
constexpr std::size_t kVersionAt = 20;
constexpr std::size_t kPageSizeAt = 40;
constexpr std::size_t kMainRootAt = 128;
constexpr std::size_t kLastPageAt = 136;
constexpr std::size_t kTransactionAt = 144;

template <class Integer>
Integer get_at(const std::string& file, std::size_t offset) {
  Integer value{};
  std::memcpy(&value, file.data() + offset, sizeof value);
  return value;
}
template <class Integer>
void set_at(std::string& file, std::size_t offset, Integer value) {
  std::memcpy(file.data() + offset, &value, sizeof value);
}

// A closed file with some content.
std::string sample(const Folder& folder, int commits = 6) {
  auto environment = open_file(folder.file());
  for (int i = 0; i < commits; ++i) {
    put_one(*environment, std::to_string(i), std::string(2000, 'v'));
  }
  environment.reset();
  return read_file(folder.file());
}

// Opening must fail with that code, say the words, and leave the file and the folder as they were.
void check_refused(const Folder& folder, const std::string& content, Code code,
                   const std::string& words) {
  write_file(folder.file(), content);
  for (const bool read_only : {false, true}) {
    const Error error = open_error(folder.file(), {.read_only = read_only});
    BOOST_TEST((error.code == code), error.message);
    BOOST_TEST(error.message.find(words) != std::string::npos, error.message);
    BOOST_TEST(error.message.find(folder.file()) != std::string::npos, error.message);
  }
  BOOST_TEST((read_file(folder.file()) == content));
  BOOST_TEST(folder.names() == kOnlyTheDataFile, boost::test_tools::per_element());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(foreign_files)

BOOST_AUTO_TEST_CASE(other_formats_are_not_tracelite_files) {
  const Folder folder;
  std::string noise(20'000, '\0');
  std::mt19937 random(7);
  for (char& byte : noise) byte = static_cast<char>(random());
  check_refused(folder, noise, Code::not_tracelite, "not a tracelite file");
  check_refused(folder, "x", Code::not_tracelite, "not a tracelite file");
  check_refused(folder, "SQLite format 3" + std::string(8177, '\0'), Code::not_tracelite, "not a");
  check_refused(folder, std::string(3 * kPage, '\0'), Code::not_tracelite, "not a tracelite file");
}

BOOST_AUTO_TEST_CASE(an_lmdb_file_of_somebody_else_is_not_a_tracelite_file) {
  const Folder folder;
  for (const bool named : {false, true}) {
    MDB_env* raw = nullptr;
    MDB_txn* transaction = nullptr;
    MDB_dbi handle = 0;
    BOOST_REQUIRE(mdb_env_create(&raw) == 0);
    mdb_env_set_maxdbs(raw, 4);
    BOOST_REQUIRE(mdb_env_open(raw, folder.file().c_str(), MDB_NOSUBDIR, 0600) == 0);
    BOOST_REQUIRE(mdb_txn_begin(raw, nullptr, 0, &transaction) == 0);
    BOOST_REQUIRE(mdb_dbi_open(transaction, named ? "records" : nullptr, MDB_CREATE, &handle) == 0);
    std::string word = "meta";
    MDB_val value{word.size(), word.data()};
    BOOST_REQUIRE(mdb_put(transaction, handle, &value, &value, 0) == 0);
    BOOST_REQUIRE(mdb_txn_commit(transaction) == 0);
    mdb_env_close(raw);
    unlink((folder.file() + "-lock").c_str());
    check_refused(folder, read_file(folder.file()), Code::not_tracelite, "not a tracelite file");
    unlink(folder.file().c_str());
  }
}

BOOST_AUTO_TEST_CASE(a_newer_format_is_named_with_both_numbers) {
  const Folder folder;
  std::string content = sample(folder);
  const std::size_t mark = content.rfind(std::string("tracelite\0\0\0\1", 13));
  BOOST_REQUIRE(mark != std::string::npos);
  for (std::size_t at = 0;
       (at = content.find(std::string("tracelite\0\0\0\1", 13), at)) != std::string::npos;) {
    content[at + 12] = 9;
  }
  check_refused(folder, content, Code::newer_format, "format version 9");
  check_refused(folder, content, Code::newer_format, "up to version 1");
}

BOOST_AUTO_TEST_CASE(other_geometry_is_named_with_both_sizes) {
  const Folder folder;
  const std::string content = sample(folder);
  BOOST_REQUIRE(get_at<std::uint32_t>(content, kMagicAt) == 0xbeefc0de);
  BOOST_REQUIRE(get_at<std::uint32_t>(content, kPageSizeAt) == kPage);

  std::string other = content;
  set_at<std::uint32_t>(other, kPageSizeAt, 65536);
  check_refused(folder, other, Code::other_geometry, "65536");
  check_refused(folder, other, Code::other_geometry, "4096 to 32768");
  set_at<std::uint32_t>(other, kPageSizeAt, 4097);
  check_refused(folder, other, Code::corrupt, "4097");
  other = content;
  set_at<std::uint32_t>(other, kPage + kPageSizeAt, 16384);
  check_refused(folder, other, Code::corrupt, "different page sizes");

  other = content;
  std::reverse(other.begin() + kMagicAt, other.begin() + kMagicAt + 4);
  check_refused(folder, other, Code::other_geometry, "byte order");
  other = content;
  set_at<std::uint32_t>(other, kMagicAt, 0);
  set_at<std::uint32_t>(other, kMagicAt - 4, 0xbeefc0de);
  check_refused(folder, other, Code::other_geometry, "32-bit");
  other = content;
  set_at<std::uint32_t>(other, kVersionAt, 2);
  check_refused(folder, other, Code::newer_format, "LMDB data version 2");
  other = content;
  set_at<std::uint32_t>(other, kPage + kVersionAt, 2);
  check_refused(folder, other, Code::newer_format, "LMDB data version 2");
}

// A laptop with pages of 16 KiB and a server with pages of 4 KiB can use the same file.
BOOST_AUTO_TEST_CASE(a_file_from_a_machine_with_other_pages_can_be_used,
                     *boost::unit_test::precondition(tracelite::test::not_under_thread_sanitizer)) {
  const Folder folder;
  const auto elsewhere = [&folder](long page_size, const std::string& key) {
    Child child([&] {
      pretended_page_size = page_size;
      auto opened = Environment::open(folder.file(), {});
      if (!opened) std::fprintf(stderr, "%s\n", opened.error().message.c_str());
      CHILD_CHECK(1, opened);
      put_one(*opened.value(), key, std::string(50'000, 'v'));
      opened.value().reset();
      return 0;
    });
    BOOST_TEST(child.wait() == 0);
  };
  for (const long page_size : {16'384, 32'768, 65'536}) {
    elsewhere(page_size, "there");
    BOOST_TEST(get_at<std::uint32_t>(read_file(folder.file()), kPageSizeAt) ==
               std::min(page_size, 32'768L));
    {
      auto environment = open_file(folder.file());
      BOOST_TEST(get_one(*environment, "there").value() == std::string(50'000, 'v'));
      put_one(*environment, "here", std::string(3'000, 'v'));
    }
    elsewhere(page_size, "there again");
    BOOST_TEST(get_one(*open_file(folder.file()), "here").value() == std::string(3'000, 'v'));
    unlink(folder.file().c_str());
  }
  open_file(folder.file()).reset();
  elsewhere(16'384, "there");
  BOOST_TEST(get_one(*open_file(folder.file()), "there").value() == std::string(50'000, 'v'));
}

BOOST_AUTO_TEST_CASE(heads_that_do_not_belong_together_are_damage) {
  const Folder folder;
  const std::string content = sample(folder);
  const auto first = get_at<std::uint64_t>(content, kTransactionAt);
  const auto second = get_at<std::uint64_t>(content, kPage + kTransactionAt);
  BOOST_REQUIRE(first % 2 == 0);
  BOOST_REQUIRE(second % 2 == 1);

  std::string other = content;
  set_at<std::uint64_t>(other, kTransactionAt, first + 4);
  check_refused(folder, other, Code::corrupt, "two heads");
  other = content;
  set_at<std::uint64_t>(other, kTransactionAt, second);
  set_at<std::uint64_t>(other, kPage + kTransactionAt, first);
  check_refused(folder, other, Code::corrupt, "two heads");
  other = content;
  set_at<std::uint64_t>(other, kTransactionAt, 0);
  check_refused(folder, other, Code::corrupt, "two heads");
  other = content;
  std::fill_n(other.begin() + static_cast<std::ptrdiff_t>(kPage), kPage, '\0');
  check_refused(folder, other, Code::corrupt, "second head");
  other = content;
  set_at<std::uint64_t>(other, kMainRootAt, 1'000'000);
  check_refused(folder, other, Code::corrupt, "cannot be");
}

BOOST_AUTO_TEST_CASE(a_truncated_file_is_named_with_both_sizes) {
  const Folder folder;
  const std::string content = sample(folder, 20);
  const auto last_page = std::max(get_at<std::uint64_t>(content, kLastPageAt),
                                  get_at<std::uint64_t>(content, kPage + kLastPageAt));
  BOOST_REQUIRE(content.size() == (last_page + 1) * kPage);
  for (const std::size_t size : {content.size() - 1, content.size() - kPage, content.size() / 2,
                                 3 * kPage, 2 * kPage, 2 * kPage - 1}) {
    write_file(folder.file(), content.substr(0, size));
    const Error error = open_error(folder.file());
    BOOST_TEST((error.code == Code::corrupt), error.message);
    if (size >= 2 * kPage) {
      BOOST_TEST(error.message.find(std::to_string(size) + " bytes, needs " +
                                    std::to_string(content.size())) != std::string::npos,
                 error.message);
    }
  }
}

// LMDB does not write pages at the end that a transaction took and gave back.
BOOST_AUTO_TEST_CASE(a_file_whose_last_pages_were_never_written_is_whole) {
  const Folder folder(fast_folder());
  std::mt19937 random(11);
  int shorter = 0;
  for (int round = 0; round < 150; ++round) {
    auto environment = open_file(folder.file());
    auto transaction = must(environment->begin_write());
    for (int i = 0; i < 30; ++i) {
      const std::string key = std::to_string(random() % 100);
      if (random() % 3 != 0) {
        const std::size_t size = random() % (random() % 3 == 0 ? 100'000 : 3'000);
        must(transaction.put(KeySpace::directory, key, std::string(size, 'v')));
      } else {
        (void)must(transaction.erase(KeySpace::directory, key));
      }
    }
    for (int i = 0; i < 60 && round % 2 == 0; ++i) {
      (void)must(transaction.erase(KeySpace::directory, std::to_string(random() % 100)));
    }
    must(transaction.commit());
    environment.reset();
    const std::string head = read_head(folder.file(), 2 * kPage);
    const auto newest = get_at<std::uint64_t>(head, kTransactionAt) >
                                get_at<std::uint64_t>(head, kPage + kTransactionAt)
                            ? std::size_t{0}
                            : kPage;
    const std::uint64_t needed = (get_at<std::uint64_t>(head, newest + kLastPageAt) + 1) * kPage;
    if (std::filesystem::file_size(folder.file()) < needed) ++shorter;
  }
  BOOST_TEST_MESSAGE(shorter << " of 150 commits left the file shorter than its head says");
  BOOST_TEST(shorter > 0);  // or this test does not test anything
  open_file(folder.file()).reset();
}

// Any damage in the heads: an error or a file that works, but no crash, and no change on refusal.
BOOST_AUTO_TEST_CASE(no_damage_of_the_heads_crashes_the_opener) {
  const Folder folder(fast_folder());
  const std::string content = sample(folder);
  const std::uint32_t seed = short_random_seed();
  Child child([&] {
    std::mt19937 random(seed);
    int refused_count = 0;
    for (int round = 0; round < 400; ++round) {
      std::string damaged = content;
      const std::size_t offset = (random() % 2) * kPage + random() % 152;
      damaged[offset] = static_cast<char>(damaged[offset] ^ (1 << random() % 8));
      write_file(folder.file(), damaged);
      const auto opened = Environment::open(folder.file(), {});
      if (opened) continue;
      ++refused_count;
      CHILD_CHECK(1, read_file(folder.file()) == damaged);
      CHILD_CHECK(2, folder.names() == kOnlyTheDataFile);
    }
    CHILD_CHECK(3, refused_count > 40);
    return 0;
  });
  BOOST_TEST(child.wait() == 0);
}

BOOST_AUTO_TEST_CASE(what_is_not_a_file_is_refused_without_waiting) {
  const Folder folder;
  BOOST_TEST(open_error(folder.path()).message.find("is a directory") != std::string::npos);
  BOOST_REQUIRE(mkfifo(folder.file("pipe").c_str(), 0600) == 0);
  BOOST_TEST((open_error(folder.file("pipe")).code == Code::not_tracelite));
  BOOST_TEST((open_error("/dev/null").code == Code::not_tracelite));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::store::test
