// Checksums: what has changed on the disk, or has got to another place, is not given out.
#include <lmdb.h>

#include <boost/test/unit_test.hpp>

#include "helpers.hpp"

namespace tracelite::store::test {
namespace {

// Reads and writes a closed file without checksums.
class RawFile {
 public:
  explicit RawFile(const std::string& path) : path_(path) {
    BOOST_REQUIRE(mdb_env_create(&environment_) == 0);
    BOOST_REQUIRE(mdb_env_set_maxdbs(environment_, 8) == 0);
    BOOST_REQUIRE(mdb_env_open(environment_, path.c_str(), MDB_NOSUBDIR, 0600) == 0);
    BOOST_REQUIRE(mdb_txn_begin(environment_, nullptr, 0, &transaction_) == 0);
  }
  ~RawFile() {
    mdb_txn_commit(transaction_);
    mdb_env_close(environment_);
    unlink((path_ + "-lock").c_str());
  }
  RawFile(const RawFile&) = delete;
  RawFile& operator=(const RawFile&) = delete;

  std::string get(KeySpace space, std::string key) {
    MDB_val engine_key{key.size(), key.data()};
    MDB_val value{};
    BOOST_REQUIRE(mdb_get(transaction_, handle(space), &engine_key, &value) == 0);
    return {static_cast<const char*>(value.mv_data), value.mv_size};
  }
  void put(KeySpace space, std::string key, std::string value) {
    MDB_val engine_key{key.size(), key.data()};
    MDB_val engine_value{value.size(), value.data()};
    BOOST_REQUIRE(mdb_put(transaction_, handle(space), &engine_key, &engine_value, 0) == 0);
  }

 private:
  MDB_dbi handle(KeySpace space) {
    MDB_dbi found = 0;
    const std::string name(kKeySpaceNames[static_cast<std::size_t>(space)]);
    BOOST_REQUIRE(mdb_dbi_open(transaction_, name.c_str(), 0, &found) == 0);
    return found;
  }

  std::string path_;
  MDB_env* environment_ = nullptr;
  MDB_txn* transaction_ = nullptr;
};

// A get and a cursor must both refuse the value.
void check_refused(const std::string& path, KeySpace space, const std::string& key) {
  auto environment = open_file(path);
  auto transaction = must(environment->begin_read());
  const auto got = transaction.get(space, key);
  BOOST_TEST(!got);
  if (!got) {
    BOOST_TEST((got.error().code == Code::corrupt));
    BOOST_TEST(got.error().message.find(path) != std::string::npos);
  }
  Cursor cursor = transaction.cursor(space);
  const auto step = cursor.seek(key);
  BOOST_TEST((!step && step.error().code == Code::corrupt));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(integrity)

BOOST_AUTO_TEST_CASE(a_flipped_bit_is_noticed_wherever_it_is) {
  const Folder folder;
  const std::string value = "a value of some length";
  put_one(*open_file(folder.file()), "\x01\xab", value);
  std::string stored = RawFile(folder.file()).get(KeySpace::directory, "\x01\xab");
  BOOST_TEST(stored.size() == value.size() + kChecksumSizeBytes);
  for (std::size_t bit = 0; bit < stored.size() * 8; bit += 7) {
    std::string damaged = stored;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    RawFile(folder.file()).put(KeySpace::directory, "\x01\xab", damaged);
    check_refused(folder.file(), KeySpace::directory, "\x01\xab");
  }
  RawFile(folder.file()).put(KeySpace::directory, "\x01\xab", stored);
  BOOST_TEST(get_one(*open_file(folder.file()), "\x01\xab").value() == value);
}

BOOST_AUTO_TEST_CASE(a_damaged_value_is_named_by_key_space_and_key) {
  const Folder folder;
  put_one(*open_file(folder.file()), "\x01\xab", "value", KeySpace::payload);
  RawFile(folder.file()).put(KeySpace::payload, "\x01\xab", "something else");
  auto environment = open_file(folder.file());
  auto transaction = must(environment->begin_read());
  const Error error = transaction.get(KeySpace::payload, "\x01\xab").error();
  BOOST_TEST(error.message.find("key 01ab in key space payload") != std::string::npos,
             error.message);
}

BOOST_AUTO_TEST_CASE(a_value_under_another_key_is_noticed) {
  const Folder folder;
  {
    auto environment = open_file(folder.file());
    put_one(*environment, "one", "value of one");
    put_one(*environment, "two", "value of two");
  }
  {
    RawFile raw(folder.file());
    raw.put(KeySpace::directory, "two", raw.get(KeySpace::directory, "one"));
  }
  check_refused(folder.file(), KeySpace::directory, "two");
}

BOOST_AUTO_TEST_CASE(a_value_in_another_key_space_is_noticed) {
  const Folder folder;
  put_one(*open_file(folder.file()), "key", "value");
  {
    RawFile raw(folder.file());
    raw.put(KeySpace::observation_directory, "key", raw.get(KeySpace::directory, "key"));
  }
  check_refused(folder.file(), KeySpace::observation_directory, "key");
}

BOOST_AUTO_TEST_CASE(a_value_shorter_than_its_checksum_is_noticed) {
  const Folder folder;
  put_one(*open_file(folder.file()), "key", "value");
  RawFile(folder.file()).put(KeySpace::directory, "key", "short");
  check_refused(folder.file(), KeySpace::directory, "key");
}

BOOST_AUTO_TEST_CASE(a_cursor_goes_on_after_a_damaged_value) {
  const Folder folder;
  {
    auto environment = open_file(folder.file());
    for (const Bytes key : {"a", "b", "c"}) put_one(*environment, key, "value");
  }
  RawFile(folder.file()).put(KeySpace::directory, "b", "damaged value");
  auto environment = open_file(folder.file());
  auto transaction = must(environment->begin_read());
  Cursor cursor = transaction.cursor(KeySpace::directory);
  BOOST_TEST(must(cursor.next()));
  BOOST_TEST(!cursor.next());
  BOOST_TEST(must(cursor.next()));
  BOOST_TEST(cursor.key() == "c");
}

// The bytes of the checksum are part of the file format: these numbers must never change.
BOOST_AUTO_TEST_CASE(the_checksum_is_the_one_of_the_format) {
  BOOST_TEST(checksum(KeySpace::meta, "key", "value") !=
             checksum(KeySpace::directory, "key", "value"));
  BOOST_TEST(checksum(KeySpace::meta, "ab", "c") != checksum(KeySpace::meta, "a", "bc"));
  BOOST_TEST(checksum(KeySpace::meta, "key", "") !=
             checksum(KeySpace::observation_directory, "key", ""));
  BOOST_TEST(checksum(KeySpace::meta, "key", "value") == 11419176840750089445u);
  BOOST_TEST(checksum(KeySpace::page, std::string(4, '\0'), std::string(4064, 'x')) ==
             8449380829686377250u);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::store::test
