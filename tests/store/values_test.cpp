// What is put comes back: values, order, cursors, and what ends a transaction.
#include <boost/test/unit_test.hpp>

#include "helpers.hpp"
#include "store/value_checker.hpp"

namespace tracelite::store::test {

BOOST_AUTO_TEST_SUITE(values)

BOOST_AUTO_TEST_CASE(what_is_put_comes_back_after_reopening) {
  const Folder folder;
  const std::string large(100'000, 'x');
  {
    auto environment = open_file(folder.file());
    auto transaction = must(environment->begin_write());
    must(transaction.put(KeySpace::directory, "key", "value"));
    must(transaction.put(KeySpace::directory, "empty", ""));
    must(transaction.put(KeySpace::payload, "key", large));
    const Bytes parts[] = {"one", "", "two", "three"};
    must(transaction.put(KeySpace::page, "parts", parts));
    BOOST_TEST(transaction.put_size_bytes() == 8 + 5 + 100'003 + 16);
    must(transaction.commit());
    BOOST_TEST(transaction.finished());
  }
  auto environment = open_file(folder.file());
  auto transaction = must(environment->begin_read());
  BOOST_TEST(must(transaction.get(KeySpace::directory, "key")).value() == "value");
  BOOST_TEST(must(transaction.get(KeySpace::directory, "empty")).value() == "");
  BOOST_TEST(must(transaction.get(KeySpace::payload, "key")).value() == large);
  BOOST_TEST(must(transaction.get(KeySpace::page, "parts")).value() == "onetwothree");
  BOOST_TEST(!must(transaction.get(KeySpace::directory, "absent")).has_value());
  BOOST_TEST(!must(transaction.get(KeySpace::observation_directory, "key")).has_value());
}

BOOST_AUTO_TEST_CASE(a_checksum_is_verified_however_the_value_comes_in_pieces) {
  const std::string key = "key";
  for (const std::size_t value_size : {0U, 1U, 8U, 1000U}) {
    std::string stored;
    for (std::size_t i = 0; i < value_size; ++i) stored += static_cast<char>(i * 7);
    const std::uint64_t sum = checksum(KeySpace::payload, key, stored);
    for (unsigned i = 0; i < kChecksumSizeBytes; ++i) stored += static_cast<char>(sum >> (8 * i));
    for (const std::size_t piece_size : {1U, 3U, 500U, 5000U}) {
      for (const bool is_sound : {true, false}) {
        std::string given = stored;
        if (!is_sound) given[given.size() / 2] = static_cast<char>(given[given.size() / 2] ^ 1);
        ValueChecker checker(KeySpace::payload, key, given.size());
        for (std::size_t at = 0; at < given.size(); at += piece_size) {
          checker.add(Bytes(given).substr(at, piece_size));
        }
        BOOST_TEST(checker.matching_checksum().has_value() == is_sound);
      }
    }
  }
  BOOST_TEST(!ValueChecker(KeySpace::payload, key, kChecksumSizeBytes - 1)
                  .matching_checksum()
                  .has_value());
}

BOOST_AUTO_TEST_CASE(a_cursor_walks_in_the_order_of_the_bytes) {
  const Folder folder;
  auto environment = open_file(folder.file());
  auto write = must(environment->begin_write());
  for (const Bytes key : {"b", "a", "\xff", "ab", "\x01"}) {
    must(write.put(KeySpace::directory, key, std::string("=").append(key)));
  }
  must(write.commit());

  auto read = must(environment->begin_read());
  Cursor cursor = read.cursor(KeySpace::directory);
  std::vector<std::string> keys;
  while (must(cursor.next())) {
    keys.emplace_back(cursor.key());
    BOOST_TEST(cursor.value() == "=" + keys.back());
  }
  const std::vector<std::string> expected = {"\x01", "a", "ab", "b", "\xff"};
  BOOST_TEST(keys == expected, boost::test_tools::per_element());
  BOOST_TEST(must(cursor.seek("aa")));
  BOOST_TEST(cursor.key() == "ab");
  BOOST_TEST(must(cursor.previous()));
  BOOST_TEST(cursor.key() == "a");
  BOOST_TEST(must(cursor.seek_last()));
  BOOST_TEST(cursor.key() == "\xff");
  BOOST_TEST(!must(cursor.next()));
  BOOST_TEST(must(cursor.seek("")));
  BOOST_TEST(cursor.key() == "\x01");
  BOOST_TEST(!must(cursor.previous()));
  BOOST_TEST(!must(cursor.seek("\xff\xff")));
  BOOST_TEST(must(read.cursor(KeySpace::observation_directory).seek("")) == false);
}

BOOST_AUTO_TEST_CASE(a_reader_keeps_its_view_while_others_write) {
  const Folder folder;
  auto environment = open_file(folder.file());
  put_one(*environment, "key", "old");
  auto before = must(environment->begin_read());
  put_one(*environment, "key", "new");
  BOOST_TEST(must(before.get(KeySpace::directory, "key")).value() == "old");
  BOOST_TEST(get_one(*environment, "key").value() == "new");
  BOOST_TEST(environment->last_transaction_id() == before.id() + 1);
  BOOST_TEST(environment->oldest_reader_lag() == 1);
}

BOOST_AUTO_TEST_CASE(a_transaction_that_is_dropped_leaves_nothing) {
  const Folder folder;
  auto environment = open_file(folder.file());
  {
    auto transaction = must(environment->begin_write());
    must(transaction.put(KeySpace::directory, "key", "value"));
    BOOST_TEST(must(transaction.get(KeySpace::directory, "key")).value() == "value");
  }
  BOOST_TEST(!get_one(*environment, "key").has_value());
}

BOOST_AUTO_TEST_CASE(erase_and_clear_say_what_they_did) {
  const Folder folder;
  auto environment = open_file(folder.file());
  put_one(*environment, "a", "1");
  put_one(*environment, "b", "2");
  put_one(*environment, "b", "2", KeySpace::observation_directory);
  auto transaction = must(environment->begin_write());
  BOOST_TEST(must(transaction.erase(KeySpace::directory, "a")));
  BOOST_TEST(!must(transaction.erase(KeySpace::directory, "a")));
  BOOST_TEST(must(transaction.statistics(KeySpace::directory)).entries == 1);
  must(transaction.clear(KeySpace::directory));
  must(transaction.commit());
  BOOST_TEST(!get_one(*environment, "b").has_value());
  BOOST_TEST(get_one(*environment, "b", KeySpace::observation_directory).value() == "2");
}

BOOST_AUTO_TEST_CASE(keys_that_cannot_be_are_refused) {
  const Folder folder;
  auto environment = open_file(folder.file());
  auto transaction = must(environment->begin_write());
  const std::string longest(kKeySizeBytesMax, 'k');
  must(transaction.put(KeySpace::directory, longest, "v"));
  BOOST_TEST(
      (transaction.put(KeySpace::directory, longest + "k", "v").error().code == Code::limit));
  BOOST_TEST((transaction.put(KeySpace::directory, "", "v").error().code == Code::invalid));
  BOOST_TEST((transaction.get(KeySpace::directory, "").error().code == Code::invalid));
  must(transaction.commit());
  BOOST_TEST(get_one(*environment, longest).value() == "v");
}

BOOST_AUTO_TEST_CASE(handles_that_outlive_their_transaction_answer_misuse) {
  const Folder folder;
  auto environment = open_file(folder.file());
  put_one(*environment, "key", "value");
  auto transaction = must(environment->begin_write());
  Cursor cursor = transaction.cursor(KeySpace::directory);
  BOOST_TEST(must(cursor.next()));
  must(transaction.put(KeySpace::directory, "other", "value"));
  must(transaction.commit());
  BOOST_TEST((cursor.next().error().code == Code::misuse));
  BOOST_TEST((transaction.put(KeySpace::directory, "k", "v").error().code == Code::misuse));
  BOOST_TEST((transaction.commit().error().code == Code::misuse));
  BOOST_TEST((transaction.get(KeySpace::directory, "key").error().code == Code::misuse));

  std::optional<Cursor> orphan;
  {
    auto read = must(environment->begin_read());
    orphan.emplace(read.cursor(KeySpace::directory));
    auto moved = std::move(read);
    BOOST_TEST((read.get(KeySpace::directory, "key").error().code == Code::misuse));  // NOLINT
    BOOST_TEST(must(orphan->next()));
  }
  BOOST_TEST((orphan->next().error().code == Code::misuse));
}

BOOST_AUTO_TEST_CASE(a_second_write_transaction_of_a_thread_is_refused) {
  const Folder folder;
  auto environment = open_file(folder.file());
  auto first = must(environment->begin_write());
  BOOST_TEST((environment->begin_write().error().code == Code::misuse));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::store::test
