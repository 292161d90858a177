// A file on a network file system: refused with what to do about it, because neither LMDB's map nor
// the locks reach other machines.
#include <sys/vfs.h>

#include <boost/test/unit_test.hpp>

#include "helpers.hpp"
#include "support/pretended_disk.hpp"

namespace tracelite::store::test {
namespace {

struct Fixture {
  pretended_disk::AsItIs afterwards;
  Folder folder;
  Fixture() { put_one(*open_file(folder.file()), "key", "value"); }
};

constexpr std::uint32_t kNfs = 0x6969;

void expect_refused(const std::string& path, const OpenOptions& options) {
  const Error error = open_error(path, options);
  BOOST_TEST((error.code == Code::unsupported));
  BOOST_TEST(error.message == path + " is on a network file system; put it on a local disk");
  BOOST_TEST(error.field == "path");
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(network, Fixture)

BOOST_AUTO_TEST_CASE(a_file_on_a_network_is_refused_however_it_is_opened) {
  const std::string before = read_file(folder.file());
  pretended_disk::file_system_type = kNfs;
  OpenOptions options;
  expect_refused(folder.file(), options);
  options.untrusted = true;
  expect_refused(folder.file(), options);
  options.read_only = true;
  expect_refused(folder.file(), options);
  options.immutable = true;
  expect_refused(folder.file(), options);
  BOOST_TEST(read_file(folder.file()) == before);
  BOOST_TEST(folder.names() == kOnlyTheDataFile, boost::test_tools::per_element());
  pretended_disk::file_system_type = 0;
  BOOST_TEST(get_one(*open_file(folder.file()), "key").value() == "value");
}

BOOST_AUTO_TEST_CASE(no_file_is_left_where_none_could_be_made) {
  pretended_disk::file_system_type = kNfs;
  expect_refused(folder.file("new.tl"), {});
  BOOST_TEST(folder.names() == kOnlyTheDataFile, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(each_kind_of_network_is_known_and_local_disks_are_none) {
  for (const std::uint32_t type :
       {kNfs, 0x517bU, 0xfe534d42U, 0xff534d42U, 0x5346414fU, 0x6b414653U, 0x73757245U, 0x564cU,
        0x00c36400U, 0x01161970U, 0x7461636fU, 0x0bd00bd0U, 0x47504653U, 0x19830326U}) {
    BOOST_TEST_CONTEXT("type " << type) {
      pretended_disk::file_system_type = type;
      expect_refused(folder.file(), {});
    }
  }
  // ext4, XFS, Btrfs, tmpfs, overlayfs, ZFS, FUSE
  for (const std::uint32_t type :
       {0xef53U, 0x58465342U, 0x9123683eU, 0x01021994U, 0x794c7630U, 0x2fc12fc1U, 0x65735546U}) {
    BOOST_TEST_CONTEXT("type " << type) {
      pretended_disk::file_system_type = type;
      open_file(folder.file()).reset();
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::store::test
