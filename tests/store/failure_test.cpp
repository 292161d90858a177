// What happens when the machine refuses: permissions, read-only media, full disks, failing writes,
// and callers that break the rules. Nothing is half written, and it goes on afterwards.
#include <lmdb.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <thread>

#include "helpers.hpp"
#include "store/testing.hpp"

namespace tracelite::store::test {
namespace {

// Root may do everything, so become somebody who may not.
bool become_nobody() {
  constexpr uid_t kNobody = 65534;
  return geteuid() != 0 || (setgid(kNobody) == 0 && setuid(kNobody) == 0);
}

bool make_read_only(const std::string& folder) {
  const char* const path = folder.c_str();
  return own_mounts() && mount(path, path, nullptr, MS_BIND, nullptr) == 0 &&
         mount("", path, nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) == 0;
}

bool says(const Error& error, const std::string& words) {
  if (error.message.find(words) != std::string::npos) return true;
  std::fprintf(stderr, "the message is: %s\n", error.message.c_str());
  return false;
}

// What was put before a failure, and nothing of the failed transaction.
void check_only_the_first(Environment& environment) {
  auto transaction = must(environment.begin_read());
  BOOST_TEST(must(transaction.get(KeySpace::directory, "first")).value() == "value");
  BOOST_TEST(must(transaction.statistics(KeySpace::directory)).entries == 1);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(failures)

BOOST_AUTO_TEST_CASE(an_unreadable_file_and_folder_are_named) {
  const Folder folder;
  open_file(folder.file()).reset();
  chmod(folder.path().c_str(), 0755);
  chmod(folder.file().c_str(), 0000);
  Child child([&] {
    CHILD_CHECK(1, become_nobody());
    const Error unreadable = Environment::open(folder.file(), {}).error();
    CHILD_CHECK(2, unreadable.code == Code::permission && unreadable.engine_code == EACCES);
    CHILD_CHECK(3, says(unreadable, folder.file()));
    const Error refused = Environment::open(folder.file("new.tl"), {}).error();
    CHILD_CHECK(4, refused.code == Code::permission && says(refused, "new.tl"));
    return 0;
  });
  BOOST_TEST(child.wait() == 0);
}

BOOST_AUTO_TEST_CASE(a_file_without_write_permission_can_be_read) {
  const Folder folder;
  put_one(*open_file(folder.file()), "key", "value");
  chmod(folder.path().c_str(), 0777);
  chmod(folder.file().c_str(), 0444);
  Child child([&] {
    CHILD_CHECK(1, become_nobody());
    auto opened = Environment::open(folder.file(), {});
    CHILD_CHECK(2, opened);
    CHILD_CHECK(3, !opened.value()->writable());
    CHILD_CHECK(4, get_one(*opened.value(), "key") == "value");
    CHILD_CHECK(5, opened.value()->begin_write().error().code == Code::read_only);
    opened.value().reset();
    return 0;
  });
  BOOST_TEST(child.wait() == 0);
  BOOST_TEST(folder.names() == kOnlyTheDataFile, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_folder_that_refuses_the_lock_file_is_named) {
  const Folder folder;
  open_file(folder.file()).reset();
  chmod(folder.path().c_str(), 0555);
  chmod(folder.file().c_str(), 0666);
  Child child([&] {
    CHILD_CHECK(1, become_nobody());
    const Error error = Environment::open(folder.file(), {}).error();
    CHILD_CHECK(2, error.code == Code::permission);
    CHILD_CHECK(3, says(error, "cannot create the lock file"));
    CHILD_CHECK(4, says(error, "folder " + folder.path() + " "));
    CHILD_CHECK(5, says(error, "TL_OPEN_IMMUTABLE"));
    return 0;
  });
  BOOST_TEST(child.wait() == 0);
  chmod(folder.path().c_str(), 0755);
}

BOOST_AUTO_TEST_CASE(a_file_that_nobody_writes_is_read_in_a_folder_that_refuses_the_lock_file) {
  const Folder folder;
  put_one(*open_file(folder.file()), "key", "value");
  chmod(folder.path().c_str(), 0555);
  chmod(folder.file().c_str(), 0666);
  OpenOptions immutable;
  immutable.read_only = true;
  immutable.immutable = true;
  Child child([&] {
    CHILD_CHECK(1, become_nobody());
    auto opened = Environment::open(folder.file(), immutable);
    CHILD_CHECK(2, opened);
    CHILD_CHECK(3, !opened.value()->writable());
    CHILD_CHECK(4, get_one(*opened.value(), "key") == "value");
    CHILD_CHECK(5, folder.names() == kOnlyTheDataFile);
    return 0;
  });
  BOOST_TEST(child.wait() == 0);
  chmod(folder.path().c_str(), 0755);
}

BOOST_AUTO_TEST_CASE(a_file_that_somebody_has_open_is_not_taken_for_one_that_nobody_writes) {
  const Folder folder;
  put_one(*open_file(folder.file()), "key", "value");
  Holder holder(folder.file());
  OpenOptions immutable;
  immutable.read_only = true;
  immutable.immutable = true;
  const Error error = open_error(folder.file(), immutable);
  BOOST_TEST((error.code == Code::busy));
  BOOST_TEST(says(error, "TL_OPEN_IMMUTABLE"));
  BOOST_TEST(holder.close() == 0);
  auto opened = open_file(folder.file(), immutable);
  BOOST_TEST(get_one(*opened, "key").value() == "value");
  // Who would write has to wait until nobody counts on it any more.
  Child writer([&] {
    const auto refused = Environment::open(folder.file(), {});
    CHILD_CHECK(1, !refused && refused.error().code == Code::busy);
    return 0;
  });
  BOOST_TEST(writer.wait() == 0);
}

BOOST_AUTO_TEST_CASE(a_read_only_medium_is_read_without_locks,
                     *boost::unit_test::precondition(may_mount)) {
  const Folder folder;
  put_one(*open_file(folder.file()), "key", "value");
  Child child([&] {
    CHILD_CHECK(90, make_read_only(folder.path()));
    for (int i = 0; i < 2; ++i) {
      auto opened = Environment::open(folder.file(), {});
      CHILD_CHECK(1, opened);
      CHILD_CHECK(2, !opened.value()->writable());
      CHILD_CHECK(3, get_one(*opened.value(), "key") == "value");
      CHILD_CHECK(4, opened.value()->begin_write().error().code == Code::read_only);
      CHILD_CHECK(5, folder.names() == kOnlyTheDataFile);
    }
    const Error error = Environment::open(folder.file("new.tl"), {}).error();
    CHILD_CHECK(6, error.code == Code::permission && error.engine_code == EROFS);
    return 0;
  });
  BOOST_TEST(child.wait() == 0);
}

// Its reader is not seen by the writer, who would overwrite what it reads.
BOOST_AUTO_TEST_CASE(a_read_only_mount_and_a_writer_exclude_each_other,
                     *boost::unit_test::precondition(may_mount)) {
  const Folder folder;
  put_one(*open_file(folder.file()), "key", "value");
  Line told;
  Line said;
  Child child([&] {
    told.close_writing();
    CHILD_CHECK(90, make_read_only(folder.path()));
    auto opened = Environment::open(folder.file(), {});
    CHILD_CHECK(1, opened);
    said.send('o');
    (void)told.receive();
    opened.value().reset();
    said.send('c');
    (void)told.receive();
    CHILD_CHECK(2, Environment::open(folder.file(), {}).error().code == Code::busy);
    return 0;
  });
  said.close_writing();
  BOOST_REQUIRE(said.receive() == 'o');
  BOOST_TEST((open_error(folder.file()).code == Code::busy));
  told.send('c');
  BOOST_REQUIRE(said.receive() == 'c');
  auto environment = open_file(folder.file());
  told.send('t');
  BOOST_TEST(child.wait() == 0);
}

BOOST_AUTO_TEST_CASE(two_read_only_mounts_do_not_exclude_each_other,
                     *boost::unit_test::precondition(may_mount)) {
  const Folder folder;
  put_one(*open_file(folder.file()), "key", "value");
  Child child([&] {
    CHILD_CHECK(90, make_read_only(folder.path()));
    auto opened = Environment::open(folder.file(), {});
    CHILD_CHECK(1, opened);
    Child other([&] {
      auto mine = Environment::open(folder.file(), {});
      CHILD_CHECK(2, mine && get_one(*mine.value(), "key") == "value");
      return 0;
    });
    CHILD_CHECK(3, other.wait() == 0);
    return 0;
  });
  BOOST_TEST(child.wait() == 0);
}

// LMDB tells processes apart by their numbers, and two containers may have the same ones.
BOOST_AUTO_TEST_CASE(processes_with_the_same_number_are_told_so,
                     *boost::unit_test::precondition(may_be_a_container)) {
  const Folder folder;
  open_file(folder.file()).reset();
  Line told;
  Line said;
  const auto in_container = [&](const std::function<int()>& body) {
    return [&told, body] {
      told.close_writing();
      CHILD_CHECK(90, unshare(CLONE_NEWPID) == 0);
      Child first(body);
      return first.wait();
    };
  };
  Child holder(in_container([&] {
    CHILD_CHECK(1, getpid() == 1);
    auto opened = Environment::open(folder.file(), {});
    CHILD_CHECK(2, opened);
    said.send('o');
    (void)told.receive();
    opened.value().reset();
    return 0;
  }));
  said.close_writing();
  BOOST_REQUIRE(said.receive() == 'o');
  Child other(in_container([&] {
    const auto opened = Environment::open(folder.file(), {});
    CHILD_CHECK(1, !opened && opened.error().code == Code::busy);
    CHILD_CHECK(2, says(opened.error(), "same process number"));
    return 0;
  }));
  BOOST_TEST(other.wait() == 0);
  told.close_writing();
  BOOST_TEST(holder.wait() == 0);
}

BOOST_AUTO_TEST_CASE(a_full_disk_loses_nothing_and_is_named,
                     *boost::unit_test::precondition(may_mount)) {
  const Folder folder;
  Child child([&] {
    CHILD_CHECK(90, own_mounts());
    CHILD_CHECK(91, mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=1m,mode=0700") == 0);
    auto opened = Environment::open(folder.file(), {});
    CHILD_CHECK(1, opened);
    put_one(*opened.value(), "first", "value");
    {
      auto transaction = must(opened.value()->begin_write());
      CHILD_CHECK(2, transaction.put(KeySpace::directory, "large", std::string(2 << 20, 'x')));
      const Status status = transaction.commit();
      CHILD_CHECK(3, !status && status.error().code == Code::disk_full);
      CHILD_CHECK(4, says(status.error(), "no space left on the disk"));
      CHILD_CHECK(5, status.error().engine_code == ENOSPC);
    }
    check_only_the_first(*opened.value());
    put_one(*opened.value(), "second", "fits");
    opened.value().reset();
    CHILD_CHECK(6, Environment::open(folder.file(), {}));
    // A new file finds no room: nothing of it stays.
    write_file(folder.file("filler"), std::string(1 << 20, 'x'));
    const Error error = Environment::open(folder.file("new.tl"), {}).error();
    CHILD_CHECK(7, error.code == Code::disk_full);
    CHILD_CHECK(8, !std::filesystem::exists(folder.file("new.tl")));
    CHILD_CHECK(9, !std::filesystem::exists(folder.file("new.tl-lock")));
    return 0;
  });
  BOOST_TEST(child.wait() == 0);
}

BOOST_AUTO_TEST_CASE(a_commit_that_cannot_write_loses_nothing_and_can_be_run_again) {
  const Folder folder;
  Child child([&] {
    signal(SIGXFSZ, SIG_IGN);
    auto opened = Environment::open(folder.file(), {});
    CHILD_CHECK(1, opened);
    put_one(*opened.value(), "first", "value");
    const rlimit small{must(opened.value()->file_size_bytes()), RLIM_INFINITY};
    CHILD_CHECK(2, setrlimit(RLIMIT_FSIZE, &small) == 0);
    for (int tries = 0; tries < 3; ++tries) {
      auto transaction = must(opened.value()->begin_write());
      CHILD_CHECK(3, transaction.put(KeySpace::directory, "large", std::string(100'000, 'x')));
      CHILD_CHECK(4, transaction.commit().error().code == Code::disk_full);
      CHILD_CHECK(5, transaction.finished());
    }
    check_only_the_first(*opened.value());
    const rlimit large{RLIM_INFINITY, RLIM_INFINITY};
    CHILD_CHECK(6, setrlimit(RLIMIT_FSIZE, &large) == 0);
    put_one(*opened.value(), "large", std::string(100'000, 'x'));
    opened.value().reset();
    return 0;
  });
  BOOST_TEST(child.wait() == 0);
  BOOST_TEST(get_one(*open_file(folder.file()), "large").value().size() == 100'000);
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_made_leaves_nothing_behind) {
  const Folder folder;
  for (const bool existed : {false, true}) {
    if (existed) write_file(folder.file(), "");
    Child child([&] {
      signal(SIGXFSZ, SIG_IGN);
      // Enough for the heads, not for the first commit.
      const rlimit small{3 * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)), RLIM_INFINITY};
      CHILD_CHECK(1, setrlimit(RLIMIT_FSIZE, &small) == 0);
      CHILD_CHECK(2, !Environment::open(folder.file(), {}));
      return 0;
    });
    BOOST_TEST(child.wait() == 0);
    BOOST_TEST(folder.names() == (existed ? kOnlyTheDataFile : kNothing),
               boost::test_tools::per_element());
    if (existed) BOOST_TEST(std::filesystem::file_size(folder.file()) == 0);
  }
}

BOOST_AUTO_TEST_CASE(a_failed_put_ends_the_transaction) {
  const Folder folder;
  auto environment = open_file(folder.file());
  put_one(*environment, "first", "value");
  for (const int code : {MDB_MAP_FULL, ENOSPC, EIO, ENOMEM}) {
    auto transaction = must(environment->begin_write());
    testing::fail(testing::Point::put, 2, code);
    must(transaction.put(KeySpace::directory, "one", "v"));
    const Status status = transaction.put(KeySpace::directory, "two", "v");
    BOOST_TEST(!status);
    BOOST_TEST(status.error().engine_code == code);
    BOOST_TEST((transaction.put(KeySpace::directory, "three", "v").error().code == Code::misuse));
    BOOST_TEST((transaction.commit().error().code == Code::misuse));
  }
  check_only_the_first(*environment);
}

BOOST_AUTO_TEST_CASE(a_failed_commit_leaves_nothing_and_the_next_one_works) {
  const Folder folder;
  auto environment = open_file(folder.file());
  put_one(*environment, "first", "value");
  const std::uint64_t before = environment->last_transaction_id();
  const std::pair<int, Code> cases[] = {{MDB_MAP_FULL, Code::disk_full},
                                        {ENOSPC, Code::disk_full},
                                        {EDQUOT, Code::disk_full},
                                        {EIO, Code::io},
                                        {ENOMEM, Code::no_memory},
                                        {MDB_CORRUPTED, Code::corrupt},
                                        {MDB_PANIC, Code::io}};
  for (const auto& [engine_code, code] : cases) {
    auto transaction = must(environment->begin_write());
    must(transaction.put(KeySpace::directory, "one", "v"));
    testing::fail(testing::Point::commit, 1, engine_code);
    const Status status = transaction.commit();
    BOOST_TEST((status.error().code == code));
    BOOST_TEST(status.error().engine_code == engine_code);
    BOOST_TEST(transaction.finished());
  }
  BOOST_TEST(environment->last_transaction_id() == before);
  check_only_the_first(*environment);
  put_one(*environment, "second", "value");
}

BOOST_AUTO_TEST_CASE(commit_from_another_thread_is_refused_and_changes_nothing) {
  const Folder folder;
  auto environment = open_file(folder.file());
  auto transaction = must(environment->begin_write());
  must(transaction.put(KeySpace::directory, "key", "value"));
  std::thread([&] { BOOST_TEST((transaction.commit().error().code == Code::misuse)); }).join();
  must(transaction.commit());
  put_one(*environment, "key", "other");
}

BOOST_AUTO_TEST_CASE(a_transaction_dropped_by_another_thread_does_not_hang_the_next_writer) {
  const Folder folder;
  Child child([&] {
    auto opened = Environment::open(folder.file(), {});
    CHILD_CHECK(1, opened);
    auto transaction = std::make_unique<WriteTransaction>(must(opened.value()->begin_write()));
    std::thread([&] { transaction.reset(); }).join();
    CHILD_CHECK(2, opened.value()->begin_write().error().code == Code::internal);
    return 0;
  });
  BOOST_TEST(child.wait() == 0);
  put_one(*open_file(folder.file()), "key", "value");
}

BOOST_AUTO_TEST_CASE(too_many_snapshots_are_busy_and_those_of_the_dead_are_taken_back) {
  const Folder folder;
  auto environment = open_file(folder.file());
  Line said;
  Child child([&] {
    auto opened = Environment::open(folder.file(), {});
    std::vector<ReadTransaction> held;
    for (int i = 0; i < 400; ++i) held.push_back(must(opened.value()->begin_read()));
    said.send('r');
    pause();
    return 0;
  });
  said.close_writing();
  BOOST_REQUIRE(said.receive() == 'r');
  std::vector<ReadTransaction> held;
  Error error;
  while (held.size() < 1000) {
    auto transaction = environment->begin_read();
    if (!transaction) {
      error = transaction.error();
      break;
    }
    held.push_back(std::move(transaction).value());
  }
  BOOST_TEST((error.code == Code::busy));
  BOOST_TEST(held.size() > 100);
  child.kill();
  BOOST_TEST(environment->begin_read().ok());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::store::test
