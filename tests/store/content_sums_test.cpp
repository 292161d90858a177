// The sums of key spaces: whatever is written they are those of what is there, and they tell of
// something older in the place of what was written last.
#include "store/content_sums.hpp"

#include <lmdb.h>

#include <boost/test/unit_test.hpp>
#include <random>
#include <string>
#include <vector>

#include "helpers.hpp"
#include "page_image.hpp"
#include "store/page_verifier.hpp"

namespace tracelite::store::test {
namespace {

constexpr std::array kSpaces = {KeySpace::meta, KeySpace::directory, KeySpace::payload,
                                KeySpace::media, KeySpace::page};
constexpr std::size_t kLongSizeBytes = 9'000;
const char* const kWords = "what is in key space media is not all that was written there last";

std::vector<std::string> findings_of(const std::shared_ptr<Environment>& environment) {
  std::vector<std::string> findings;
  const auto finding = [&](Bytes /*where*/, Bytes message) { findings.emplace_back(message); };
  BOOST_TEST(must(begin_verified_read(environment, finding, {})).has_value());
  return findings;
}

void check_sound(const std::shared_ptr<Environment>& environment) {
  for (const std::string& found : findings_of(environment)) BOOST_TEST(found.empty(), found);
}

std::optional<ContentSums> sums_of(const std::shared_ptr<Environment>& environment) {
  auto transaction = must(environment->begin_read());
  const auto value = must(transaction.get(KeySpace::meta, kSumsKey));
  return value ? ContentSums::decode(*value) : std::nullopt;
}

void put(const std::shared_ptr<Environment>& environment, KeySpace space, const std::string& key,
         const std::string& value) {
  auto transaction = must(environment->begin_write());
  must(transaction.put(space, key, value));
  must(transaction.commit());
}

void erase_or_replace(const std::shared_ptr<Environment>& environment, bool erases) {
  if (!erases) return put(environment, KeySpace::media, "k", "another");
  auto transaction = must(environment->begin_write());
  must(transaction.erase(KeySpace::media, "k"));
  must(transaction.commit());
}

void clear(const std::shared_ptr<Environment>& environment, KeySpace space) {
  auto transaction = must(environment->begin_write());
  must(transaction.clear(space));
  must(transaction.commit());
}

// What is in key space `media` there is long, and lies in the file as it is; so does what was there
// before.
std::string with_an_older_value(const std::string& path) {
  {
    const auto environment = open_file(path);
    put(environment, KeySpace::media, "k", std::string(kLongSizeBytes, 'a'));
    put(environment, KeySpace::media, "k", std::string(kLongSizeBytes, 'b'));
  }
  return read_file(path);
}

std::size_t begin_of(const std::string& content, char letter) {
  const std::size_t at = content.find(std::string(kLongSizeBytes, letter));
  BOOST_REQUIRE(at != std::string::npos);
  return at;
}

// Changes the stored sums of a closed file with LMDB alone; without a value they are taken away.
void change_sums(const std::string& path, std::optional<std::string> value) {
  MDB_env* environment = nullptr;
  MDB_txn* transaction = nullptr;
  MDB_dbi meta = 0;
  BOOST_REQUIRE(mdb_env_create(&environment) == 0);
  BOOST_REQUIRE(mdb_env_set_maxdbs(environment, 1) == 0);
  BOOST_REQUIRE(mdb_env_open(environment, path.c_str(), MDB_NOSUBDIR, 0600) == 0);
  BOOST_REQUIRE(mdb_txn_begin(environment, nullptr, 0, &transaction) == 0);
  BOOST_REQUIRE(mdb_dbi_open(transaction, "meta", 0, &meta) == 0);
  std::string name(kSumsKey);
  MDB_val key{name.size(), name.data()};
  if (value) {
    MDB_val stored{value->size(), value->data()};
    BOOST_REQUIRE(mdb_put(transaction, meta, &key, &stored, 0) == 0);
  } else {
    BOOST_REQUIRE(mdb_del(transaction, meta, &key, nullptr) == 0);
  }
  BOOST_REQUIRE(mdb_txn_commit(transaction) == 0);
  mdb_env_close(environment);
  unlink((path + "-lock").c_str());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(content_sums)

BOOST_AUTO_TEST_CASE(they_are_those_of_what_is_there_whatever_was_written) {
  const Folder folder;
  std::mt19937_64 random(random_seed());
  auto environment = open_file(folder.file());
  check_sound(environment);
  for (int commit = 0; commit < 200; ++commit) {
    auto transaction = must(environment->begin_write());
    for (std::uint64_t i = random() % 8; i > 0; --i) {
      const KeySpace space = kSpaces[random() % kSpaces.size()];
      const std::string key = "k" + std::to_string(random() % 40);
      const std::string value(random() % (random() % 10 == 0 ? 20'000 : 200), 'v');
      if (random() % 3 == 0) {
        must(transaction.erase(space, key));
      } else {
        must(transaction.put(space, key, value));
      }
    }
    if (random() % 20 == 0) must(transaction.clear(KeySpace::directory));
    if (random() % 10 != 0) must(transaction.commit());
    if (commit % 50 == 49) {
      environment.reset();
      environment = open_file(folder.file(), {.untrusted = true});
    }
    if (commit % 10 == 9) check_sound(environment);
  }
  BOOST_TEST(sums_of(environment).value().unknown == 0U);
}

BOOST_AUTO_TEST_CASE(something_older_in_the_place_of_what_was_written_last_is_found) {
  const Folder folder;
  std::string content = with_an_older_value(folder.file());
  const std::size_t from = begin_of(content, 'a');
  const std::size_t to = begin_of(content, 'b');
  content.replace(to, kLongSizeBytes + kChecksumSizeBytes,
                  content.substr(from, kLongSizeBytes + kChecksumSizeBytes));
  write_file(folder.file(), content);
  for (const bool read_only : {false, true}) {
    const Error error = open_error(folder.file(), {.read_only = read_only, .untrusted = true});
    BOOST_TEST((error.code == Code::corrupt));
    BOOST_TEST(error.message.ends_with(kWords), error.message);
  }
  const auto environment = open_file(folder.file());
  const auto findings = findings_of(environment);
  BOOST_REQUIRE(findings.size() == 1U);
  BOOST_TEST(findings[0].ends_with(kWords), findings[0]);
  put(environment, KeySpace::media, "k", "another");
  BOOST_TEST(findings_of(environment).size() == 1U);
  clear(environment, KeySpace::media);
  check_sound(environment);
}

// What it had added cannot be told: its checksum may be what was damaged.
BOOST_AUTO_TEST_CASE(a_sum_is_not_known_behind_a_damaged_value_until_its_key_space_is_cleared) {
  const Folder folder;
  const std::string content = with_an_older_value(folder.file());
  const std::size_t at = begin_of(content, 'b');
  for (const std::size_t damage : {at, at + kLongSizeBytes}) {
    for (const bool erases : {false, true}) {
      std::string damaged = content;
      damaged[damage] ^= 1;
      write_file(folder.file(), damaged);
      const auto environment = open_file(folder.file());
      BOOST_TEST(findings_of(environment).size() == 1U);
      erase_or_replace(environment, erases);
      check_sound(environment);
      constexpr auto kMedia = static_cast<std::size_t>(KeySpace::media);
      BOOST_TEST(sums_of(environment).value().unknown == 1U << kMedia);
      clear(environment, KeySpace::media);
      put(environment, KeySpace::media, "k", "one more");
      BOOST_TEST(sums_of(environment).value().unknown == 0U);
      check_sound(environment);
    }
  }
}

// It is not read; its checksum is all that is needed.
BOOST_AUTO_TEST_CASE(a_very_long_value_is_taken_away_as_its_checksum_says) {
  for (const bool erases : {false, true}) {
    const Folder folder;
    const std::size_t size_bytes = std::size_t{256} << 10;
    put(open_file(folder.file()), KeySpace::media, "k", std::string(size_bytes, 'a'));
    std::string damaged = read_file(folder.file());
    damaged[begin_of(damaged, 'a') + size_bytes / 2] ^= 1;
    write_file(folder.file(), damaged);
    const auto environment = open_file(folder.file());
    BOOST_TEST(findings_of(environment).size() == 1U);
    erase_or_replace(environment, erases);
    check_sound(environment);
    BOOST_TEST(sums_of(environment).value().unknown == 0U);
  }
}

// What it says goes on behind the end of the file.
BOOST_AUTO_TEST_CASE(a_value_whose_length_is_damaged_can_be_erased) {
  for (const unsigned high : {0x1U, 0x10U, 0x4000U, 0xffffU}) {
    const Folder folder;
    put(open_file(folder.file()), KeySpace::media, "k", std::string(kLongSizeBytes, 'a'));
    PageImage image(read_file(folder.file()));
    const std::uint64_t leaf = image.tree(KeySpace::media).root;
    layout::Node node = image.node(leaf, 0);
    node.high = static_cast<std::uint16_t>(high);
    image.put(image.node_at(leaf, 0), node);
    write_file(folder.file(), image.content());
    const auto environment = open_file(folder.file());
    auto transaction = must(environment->begin_write());
    // LMDB gives up the pages that the length asks for, and refuses those that are not there.
    const auto erased = transaction.erase(KeySpace::media, "k");
    BOOST_TEST((erased || erased.error().code == Code::corrupt), "high " << high);
  }
}

BOOST_AUTO_TEST_CASE(a_file_without_them_stays_without_them) {
  const Folder folder;
  (void)with_an_older_value(folder.file());
  change_sums(folder.file(), std::nullopt);
  const auto environment = open_file(folder.file(), {.untrusted = true});
  put(environment, KeySpace::media, "other", "value");
  BOOST_TEST(!sums_of(environment).has_value());
  check_sound(environment);
}

BOOST_AUTO_TEST_CASE(damaged_ones_are_found_and_stop_nobody_who_writes) {
  const Folder folder;
  (void)with_an_older_value(folder.file());
  change_sums(folder.file(), std::string(ContentSums::kStoredSizeBytes, '\0'));
  const auto environment = open_file(folder.file());
  put(environment, KeySpace::media, "other", "value");
  const auto findings = findings_of(environment);
  BOOST_REQUIRE(findings.size() == 1U);
  BOOST_TEST(findings[0].ends_with("in key space meta does not match its checksum"), findings[0]);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::store::test
