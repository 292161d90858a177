// fork(): a child must not touch what it inherits, and must be able to open anew.
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <thread>

#include "helpers.hpp"
#include "support/sanitizers.hpp"

namespace tracelite::store::test {
namespace {

int check_inherited_handles(Environment& environment, ReadTransaction& read, Cursor& cursor) {
  CHILD_CHECK(10, environment.forked());
  CHILD_CHECK(11, environment.begin_read().error().code == Code::forked);
  CHILD_CHECK(12, environment.begin_write().error().code == Code::forked);
  CHILD_CHECK(13, environment.grow().error().code == Code::forked);
  CHILD_CHECK(14, environment.file_size_bytes().error().code == Code::forked);
  CHILD_CHECK(15, environment.last_transaction_id() == 0);
  CHILD_CHECK(16, environment.oldest_reader_lag() == 0);
  CHILD_CHECK(17, read.get(KeySpace::directory, "key").error().code == Code::forked);
  CHILD_CHECK(18, read.statistics(KeySpace::directory).error().code == Code::forked);
  CHILD_CHECK(19, cursor.next().error().code == Code::forked);
  CHILD_CHECK(20, read.cursor(KeySpace::directory).next().error().code != Code::ok);
  return 0;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(forking)

BOOST_AUTO_TEST_CASE(a_child_is_told_and_can_open_anew_while_the_parent_goes_on) {
  const Folder folder;
  auto environment = open_file(folder.file());
  put_one(*environment, "key", "of the parent");
  std::optional<ReadTransaction> read(must(environment->begin_read()));
  std::optional<Cursor> cursor(read->cursor(KeySpace::directory));
  Child child([&] {
    if (const int code = check_inherited_handles(*environment, *read, *cursor)) return code;
    auto opened = Environment::open(folder.file(), {});
    CHILD_CHECK(1, opened);
    CHILD_CHECK(2, opened.value() != environment);
    CHILD_CHECK(3, !opened.value()->opened_alone());
    CHILD_CHECK(4, get_one(*opened.value(), "key") == "of the parent");
    put_one(*opened.value(), "child", "was here");
    // Dropping what was inherited must not disturb the parent, nor the child's own.
    cursor.reset();
    read.reset();
    environment.reset();
    put_one(*opened.value(), "child", "was here twice");
    opened.value().reset();
    CHILD_CHECK(5, Environment::open(folder.file(), {}));
    return 0;
  });
  BOOST_TEST(child.wait() == 0);
  BOOST_TEST(!environment->forked());
  BOOST_TEST(must(cursor->next()));
  BOOST_TEST(!must(read->get(KeySpace::directory, "child")).has_value());
  BOOST_TEST(get_one(*environment, "child").value() == "was here twice");
  put_one(*environment, "key", "changed");
  BOOST_TEST(environment->oldest_reader_lag() == 3);  // its reader slot is still its own
  cursor.reset();
  read.reset();
  environment.reset();
  BOOST_TEST(folder.names() == kOnlyTheDataFile, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_write_transaction_stays_the_parents) {
  const Folder folder;
  auto environment = open_file(folder.file());
  std::optional<WriteTransaction> write(must(environment->begin_write()));
  must(write->put(KeySpace::directory, "key", "value"));
  Child child([&] {
    CHILD_CHECK(1, write->put(KeySpace::directory, "key", "other").error().code == Code::forked);
    CHILD_CHECK(2, write->commit().error().code == Code::forked);
    write.reset();
    return 0;
  });
  BOOST_TEST(child.wait() == 0);
  Holder other(folder.file());  // a third process does not find the write lock free, nor broken
  must(write->commit());
  BOOST_TEST(get_one(*environment, "key").value() == "value");
  BOOST_TEST(other.close() == 0);
}

// A child that inherited the guard would keep the file "in use" for ever.
BOOST_AUTO_TEST_CASE(a_living_child_does_not_keep_the_file_in_use) {
  const Folder folder;
  auto environment = open_file(folder.file());
  Line told;
  Line said;
  Child child([&] {
    told.close_writing();
    said.send('s');
    (void)told.receive();
    return 0;
  });
  told.close_reading();
  BOOST_REQUIRE(said.receive() == 's');
  environment.reset();
  BOOST_TEST(folder.names() == kOnlyTheDataFile, boost::test_tools::per_element());
  auto again = open_file(folder.file());
  BOOST_TEST(again->opened_alone());
  told.close_writing();
  BOOST_TEST(child.wait() == 0);
}

BOOST_AUTO_TEST_CASE(a_living_child_of_a_killed_parent_does_not_keep_the_file_in_use) {
  const Folder folder;
  Line told;
  Line said;
  Child parent([&] {
    auto opened = Environment::open(folder.file(), {});
    CHILD_CHECK(1, opened);
    if (fork() == 0) {
      told.close_writing();
      said.send('s');
      (void)told.receive();
      said.send('e');
      _exit(0);
    }
    pause();
    return 0;
  });
  told.close_reading();
  said.close_writing();
  BOOST_REQUIRE(said.receive() == 's');
  parent.kill();
  auto again = open_file(folder.file());
  BOOST_TEST(again->opened_alone());
  told.close_writing();
  BOOST_TEST(said.receive() == 'e');
}

BOOST_AUTO_TEST_CASE(a_fork_does_not_disturb_a_thread_that_opens_and_closes,
                     *boost::unit_test::precondition(tracelite::test::may_fork_beside_threads)) {
  const Folder folder(fast_folder());
  open_file(folder.file()).reset();
  std::atomic<bool> stop{false};
  std::atomic<int> failures{0};
  std::thread busy([&] {
    while (!stop) {
      auto opened = Environment::open(folder.file(), {});
      if (!opened || !opened.value()->begin_write()) ++failures;
    }
  });
  for (int i = 0; i < 50; ++i) {
    Child child([&] {
      auto opened = Environment::open(folder.file(), {});
      CHILD_CHECK(1, opened);
      put_one(*opened.value(), "key", std::to_string(i));
      return 0;
    });
    BOOST_TEST(child.wait() == 0);
  }
  stop = true;
  busy.join();
  BOOST_TEST(failures == 0);
  BOOST_TEST(get_one(*open_file(folder.file()), "key").value() == "49");
  BOOST_TEST(folder.names() == kOnlyTheDataFile, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_child_of_a_child_can_open_too) {
  const Folder folder;
  auto environment = open_file(folder.file());
  Child child([&] {
    auto mine = Environment::open(folder.file(), {});
    CHILD_CHECK(1, mine);
    const pid_t grandchild = fork();
    if (grandchild == 0) {
      if (!environment->forked() || !mine.value()->forked()) _exit(1);
      auto own = Environment::open(folder.file(), {});
      if (!own) _exit(2);
      put_one(*own.value(), "grandchild", "was here");
      own.value().reset();
      _exit(0);
    }
    int status = 0;
    CHILD_CHECK(2, waitpid(grandchild, &status, 0) == grandchild && status == 0);
    CHILD_CHECK(3, get_one(*mine.value(), "grandchild") == "was here");
    return 0;
  });
  BOOST_TEST(child.wait() == 0);
  BOOST_TEST(get_one(*environment, "grandchild").value() == "was here");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::store::test
