// The lock file is what makes several processes agree on one writer. Whatever happens to it, nobody
// may come in with another one.
#include <fcntl.h>
#include <lmdb.h>

#include <boost/test/unit_test.hpp>

#include "helpers.hpp"

namespace tracelite::store::test {
namespace {

std::string lock_of(const Folder& folder) { return folder.file() + "-lock"; }

// Another process must be refused with `busy` and must change nothing that counts.
void check_others_are_refused(const std::string& path) {
  Child child([&path] {
    auto opened = Environment::open(path, {});
    CHILD_CHECK(1, !opened);
    CHILD_CHECK(2, opened.error().code == Code::busy);
    CHILD_CHECK(3, opened.error().message.find(path) != std::string::npos);
    return 0;
  });
  BOOST_TEST(child.wait() == 0);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(lock_file)

BOOST_AUTO_TEST_CASE(nobody_comes_in_while_the_lock_file_is_missing) {
  const Folder folder;
  auto environment = open_file(folder.file());
  put_one(*environment, "key", "value");
  BOOST_REQUIRE(unlink(lock_of(folder).c_str()) == 0);
  check_others_are_refused(folder.file());
  BOOST_TEST(folder.names() == kOnlyTheDataFile, boost::test_tools::per_element());
  put_one(*environment, "key", "still works");
  environment.reset();
  // All have closed: everything is as ever.
  BOOST_TEST(get_one(*open_file(folder.file()), "key").value() == "still works");
  BOOST_TEST(folder.names() == kOnlyTheDataFile, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(nobody_comes_in_with_a_lock_file_that_was_put_in_its_place) {
  const Folder folder;
  auto environment = open_file(folder.file());
  const std::string content = read_file(folder.file());  // not the lock file: see below
  BOOST_REQUIRE(unlink(lock_of(folder).c_str()) == 0);
  write_file(lock_of(folder), std::string(8192, '\0'));
  check_others_are_refused(folder.file());
  environment.reset();
  // Not ours, so it is still there; the next to open clears it away.
  BOOST_TEST(folder.names().size() == 2);
  open_file(folder.file()).reset();
  BOOST_TEST(folder.names() == kOnlyTheDataFile, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_lock_file_that_was_moved_back_is_good_again) {
  const Folder folder;
  auto environment = open_file(folder.file());
  BOOST_REQUIRE(rename(lock_of(folder).c_str(), folder.file("aside").c_str()) == 0);
  check_others_are_refused(folder.file());
  BOOST_REQUIRE(rename(folder.file("aside").c_str(), lock_of(folder).c_str()) == 0);
  BOOST_TEST(Holder(folder.file()).close() == 0);
}

BOOST_AUTO_TEST_CASE(nobody_comes_in_by_another_name_of_the_file) {
  const Folder folder;
  auto environment = open_file(folder.file());
  std::filesystem::create_hard_link(folder.file(), folder.file("hard.tl"));
  check_others_are_refused(folder.file("hard.tl"));
  BOOST_REQUIRE(rename(folder.file().c_str(), folder.file("renamed.tl").c_str()) == 0);
  check_others_are_refused(folder.file("renamed.tl"));
}

// Any close of any descriptor of a file ends the process's own locks on it: a program that copies
// its folder, lock file and all, while the file is open takes LMDB's locks away without knowing.
BOOST_AUTO_TEST_CASE(nobody_comes_in_when_the_locks_were_lost_by_reading_the_lock_file) {
  const Folder folder;
  auto environment = open_file(folder.file());
  (void)read_file(lock_of(folder));
  check_others_are_refused(folder.file());
  put_one(*environment, "key", "value");  // renews them
  BOOST_TEST(Holder(folder.file()).close() == 0);
  (void)read_file(lock_of(folder));
  for (int i = 0; i < 64; ++i) (void)get_one(*environment, "key");  // so does reading
  BOOST_TEST(Holder(folder.file()).close() == 0);
}

// Losing the lock that says that the process lives would let others take its snapshots for those of
// a dead process, and write over what they see.
BOOST_AUTO_TEST_CASE(snapshots_survive_a_loss_of_the_locks) {
  const Folder folder;
  auto environment = open_file(folder.file());
  put_one(*environment, "key", "value");
  auto snapshot = must(environment->begin_read());
  (void)read_file(lock_of(folder));
  put_one(*environment, "key", "other");
  Child child([&] {
    auto opened = Environment::open(folder.file(), {});  // takes back the snapshots of the dead
    CHILD_CHECK(1, opened);
    CHILD_CHECK(2, opened.value()->oldest_reader_lag() == 1);
    opened.value().reset();
    return 0;
  });
  BOOST_TEST(child.wait() == 0);
  BOOST_TEST(environment->oldest_reader_lag() == 1);
  BOOST_TEST(must(snapshot.get(KeySpace::directory, "key")).value() == "value");
}

BOOST_AUTO_TEST_CASE(a_file_in_use_by_a_program_without_our_guard_is_refused) {
  const Folder folder;
  open_file(folder.file()).reset();
  Line told;
  Line said;
  Child child([&] {
    MDB_env* raw = nullptr;
    CHILD_CHECK(1, mdb_env_create(&raw) == 0);
    CHILD_CHECK(2, mdb_env_open(raw, folder.file().c_str(), MDB_NOSUBDIR, 0600) == 0);
    told.close_writing();
    said.send('o');
    (void)told.receive();
    mdb_env_close(raw);
    return 0;
  });
  said.close_writing();
  BOOST_REQUIRE(said.receive() == 'o');
  BOOST_TEST((open_error(folder.file()).code == Code::busy));
  BOOST_TEST(std::filesystem::exists(lock_of(folder)));
  told.close_writing();
  BOOST_TEST(child.wait() == 0);
  open_file(folder.file()).reset();
}

// The one that closes last must not take the lock file of another file that has got the name.
BOOST_AUTO_TEST_CASE(closing_removes_only_the_own_lock_file) {
  const Folder folder;
  auto old = open_file(folder.file());
  BOOST_REQUIRE(rename(folder.file().c_str(), folder.file("old.tl").c_str()) == 0);
  BOOST_REQUIRE(rename(lock_of(folder).c_str(), folder.file("old.tl-lock").c_str()) == 0);
  Holder holder(folder.file());
  old.reset();
  BOOST_TEST(std::filesystem::exists(lock_of(folder)));
  BOOST_TEST(Holder(folder.file()).close() == 0);
  BOOST_TEST(holder.close() == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::store::test
