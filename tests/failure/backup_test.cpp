// Copying a file where memory runs out: nothing of the copy stays but the copy.
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <filesystem>
#include <string>

#include "api/support.hpp"
#include "support/fault_injector.hpp"

namespace tracelite::failure {
namespace {

using api::test::Store;
using faults::Kind;
using faults::Lasting;
using store::test::fast_folder;
using store::test::Folder;

}  // namespace

BOOST_AUTO_TEST_SUITE(failing_backup)

BOOST_AUTO_TEST_CASE(no_draft_and_no_lock_file_of_one_stays_whatever_allocation_fails) {
  const Folder folder(fast_folder());
  const Store store(folder.file());
  const auto names_before = folder.names();
  const std::string target = folder.file("backup.tl");
  std::uint64_t made = 0;
  std::uint64_t nth = 0;
  for (bool reached = true; reached;) {
    faults::arm({Kind::allocation, ++nth, Lasting::once});
    const tl_status status = tl_backup(store.get(), target.c_str(), nullptr, nullptr);
    reached = faults::call_count() >= nth;
    faults::disarm();
    if (status == TL_OK) {
      ++made;
      BOOST_REQUIRE(std::filesystem::remove(target));
    }
    BOOST_REQUIRE_MESSAGE(folder.names() == names_before, "allocation " << nth);
  }
  BOOST_TEST(made > 0U);
  BOOST_TEST(nth > 20U);
  BOOST_TEST_MESSAGE(nth << " allocations, " << made << " made");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::failure
