// What a transaction adds to the directory is found in it at once, and by others once it commits.
#include "record/directory.hpp"

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "store/helpers.hpp"

namespace {

using namespace tracelite;
using namespace tracelite::record;
using store::test::Folder;
using store::test::must;

using Containers = std::vector<ContainerNumber>;

struct File {
  Folder folder{store::test::fast_folder()};
  std::shared_ptr<store::Environment> environment =
      must(store::Environment::open(folder.file(), {}));

  [[nodiscard]] Containers find(DirectoryKind kind, Bytes id) const {
    return must(find_containers(must(environment->begin_read()), kind, id));
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(directory, File)

BOOST_AUTO_TEST_CASE(what_is_added_is_found_before_and_after_the_commit) {
  auto transaction = must(environment->begin_write());
  must(add_container(transaction, DirectoryKind::trace, "one", 5));
  BOOST_TEST(must(find_containers(transaction, DirectoryKind::trace, "one")) == Containers{5},
             boost::test_tools::per_element());
  BOOST_TEST(find(DirectoryKind::trace, "one").empty());
  must(transaction.commit());
  BOOST_TEST(find(DirectoryKind::trace, "one") == Containers{5}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_same_id_of_another_kind_is_another) {
  auto transaction = must(environment->begin_write());
  const DirectoryKind kinds[] = {DirectoryKind::trace, DirectoryKind::session, DirectoryKind::score,
                                 DirectoryKind::observation};
  for (const DirectoryKind kind : kinds) {
    must(add_container(transaction, kind, "id", static_cast<ContainerNumber>(kind)));
  }
  must(transaction.commit());
  for (const DirectoryKind kind : kinds) {
    BOOST_TEST(find(kind, "id") == Containers{static_cast<ContainerNumber>(kind)},
               boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(containers_of_one_id_come_ascending_and_once_each) {
  for (const ContainerNumber container : {9, 4, 9}) {
    auto transaction = must(environment->begin_write());
    must(add_container(transaction, DirectoryKind::observation, "id", container));
    must(transaction.commit());
  }
  const Containers expected = {4, 9};
  BOOST_TEST(find(DirectoryKind::observation, "id") == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(nothing_stays_of_a_transaction_that_is_given_up) {
  {
    auto transaction = must(environment->begin_write());
    must(add_container(transaction, DirectoryKind::trace, "one", 5));
  }
  auto transaction = must(environment->begin_write());
  must(transaction.commit());
  BOOST_TEST(find(DirectoryKind::trace, "one").empty());
}

BOOST_AUTO_TEST_CASE(clearing_takes_what_is_there_and_what_is_not_written_yet) {
  {
    auto transaction = must(environment->begin_write());
    must(add_container(transaction, DirectoryKind::trace, "one", 5));
    must(transaction.commit());
  }
  auto transaction = must(environment->begin_write());
  must(add_container(transaction, DirectoryKind::trace, "two", 6));
  must(clear_directory(transaction));
  must(add_container(transaction, DirectoryKind::trace, "three", 7));
  must(transaction.commit());
  BOOST_TEST(find(DirectoryKind::trace, "one").empty());
  BOOST_TEST(find(DirectoryKind::trace, "two").empty());
  BOOST_TEST(find(DirectoryKind::trace, "three") == Containers{7},
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
