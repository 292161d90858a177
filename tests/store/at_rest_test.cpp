// Whose files and folders, with which modes, behind which links: as SQLite does it.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "helpers.hpp"
#include "support/sanitizers.hpp"

namespace tracelite::store::test {
namespace {

constexpr uid_t kUser = 65534;
constexpr uid_t kAnother = 65533;

boost::test_tools::assertion_result is_root(boost::unit_test::test_unit_id) {
  boost::test_tools::assertion_result can(geteuid() == 0);
  can.message() << "skipped: only root can be several users";
  return can;
}

bool become(uid_t user) { return setgid(user) == 0 && setuid(user) == 0; }

struct stat status_of(const std::string& path) {
  struct stat status = {};
  BOOST_REQUIRE(lstat(path.c_str(), &status) == 0);
  return status;
}

std::string open_and_write(const std::string& path) {
  auto opened = Environment::open(path, {});
  if (!opened) return opened.error().message;
  put_one(*opened.value(), "key", "value");
  return {};
}

// A file of a user, in a folder where everybody may put files, and only remove his own.
void make_in_shared_folder(const Folder& folder) {
  BOOST_REQUIRE(chmod(folder.path().c_str(), 01777) == 0);
  Child owner([&] { return become(kUser) && open_and_write(folder.file()).empty() ? 0 : 1; });
  BOOST_REQUIRE(owner.wait() == 0);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(at_rest,
                      *boost::unit_test::precondition(tracelite::test::not_under_thread_sanitizer))

BOOST_AUTO_TEST_CASE(a_link_in_the_place_of_a_lock_file_is_removed_and_what_it_names_left_alone) {
  const Folder folder;
  BOOST_TEST(open_and_write(folder.file()) == "");
  write_file(folder.file("other"), "as it was");
  std::filesystem::create_symlink("other", folder.file() + "-lock");
  BOOST_TEST(open_and_write(folder.file()) == "");
  std::filesystem::create_hard_link(folder.file("other"), folder.file() + "-lock");
  BOOST_TEST(open_and_write(folder.file()) == "");
  BOOST_TEST(read_file(folder.file("other")) == "as it was");
  BOOST_TEST(!std::filesystem::exists(folder.file() + "-lock"));
}

BOOST_AUTO_TEST_CASE(a_link_that_another_user_put_there_is_refused,
                     *boost::unit_test::precondition(is_root)) {
  const Folder folder;
  make_in_shared_folder(folder);
  write_file(folder.file("other"), "as it was");
  BOOST_REQUIRE(chown(folder.file("other").c_str(), kUser, kUser) == 0);
  Child another([&] {
    return become(kAnother) && symlink("other", (folder.file() + "-lock").c_str()) == 0 ? 0 : 1;
  });
  BOOST_REQUIRE(another.wait() == 0);
  Child owner([&] {
    CHILD_CHECK(1, become(kUser));
    auto opened = Environment::open(folder.file(), {});
    CHILD_CHECK(2, !opened && opened.error().code == Code::permission);
    CHILD_CHECK(3, opened.error().message.find("is a link") != std::string::npos);
    return 0;
  });
  BOOST_TEST(owner.wait() == 0);
  BOOST_TEST(read_file(folder.file("other")) == "as it was");
}

BOOST_AUTO_TEST_CASE(a_file_of_another_user_is_used_where_its_mode_allows_it,
                     *boost::unit_test::precondition(is_root)) {
  const Folder folder;
  make_in_shared_folder(folder);
  BOOST_REQUIRE(chmod(folder.file().c_str(), 0666) == 0);
  Child another([&] {
    CHILD_CHECK(1, become(kAnother));
    auto opened = Environment::open(folder.file(), {});
    CHILD_CHECK(2, opened);
    put_one(*opened.value(), "another", "value");
    return 0;
  });
  BOOST_TEST(another.wait() == 0);
  BOOST_TEST(get_one(*open_file(folder.file()), "another").value() == "value");
}

BOOST_AUTO_TEST_CASE(a_file_of_another_user_alone_is_refused,
                     *boost::unit_test::precondition(is_root)) {
  const Folder folder;
  make_in_shared_folder(folder);
  Child another([&] {
    CHILD_CHECK(1, become(kAnother));
    auto opened = Environment::open(folder.file(), {});
    CHILD_CHECK(2, !opened && opened.error().code == Code::permission);
    return 0;
  });
  BOOST_TEST(another.wait() == 0);
}

BOOST_AUTO_TEST_CASE(root_locks_nobody_out_of_his_own_file,
                     *boost::unit_test::precondition(is_root)) {
  const Folder folder;
  make_in_shared_folder(folder);
  BOOST_REQUIRE(chmod(folder.file().c_str(), 0640) == 0);
  const auto opened_by_root = open_file(folder.file());
  const struct stat lock = status_of(folder.file() + "-lock");
  BOOST_TEST(lock.st_uid == kUser);
  BOOST_TEST(lock.st_gid == kUser);
  BOOST_TEST((lock.st_mode & 07777) == 0640U);
  Child owner([&] { return become(kUser) && open_and_write(folder.file()).empty() ? 0 : 1; });
  BOOST_TEST(owner.wait() == 0);
}

BOOST_AUTO_TEST_CASE(a_lock_file_that_a_crashed_program_of_another_user_left_does_not_matter,
                     *boost::unit_test::precondition(is_root)) {
  const Folder folder;
  make_in_shared_folder(folder);
  BOOST_REQUIRE(chmod(folder.file().c_str(), 0666) == 0);
  Child crashing([&] {
    if (!become(kAnother)) return 1;
    auto opened = Environment::open(folder.file(), {});
    if (!opened) return 2;
    raise(SIGKILL);
    return 3;
  });
  BOOST_REQUIRE(crashing.wait() == -SIGKILL);
  BOOST_REQUIRE(std::filesystem::exists(folder.file() + "-lock"));
  Child owner([&] { return become(kUser) && open_and_write(folder.file()).empty() ? 0 : 1; });
  BOOST_TEST(owner.wait() == 0);
}

BOOST_AUTO_TEST_CASE(a_folder_that_everybody_may_write_is_used_like_any_other) {
  const Folder folder;
  BOOST_REQUIRE(chmod(folder.path().c_str(), 0777) == 0);
  BOOST_TEST(open_and_write(folder.file()) == "");
  BOOST_TEST((status_of(folder.file()).st_mode & 07777) == 0600U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::store::test
