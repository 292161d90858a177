// Opening where memory runs out: nothing stays of a store that was not opened.
#include <signal.h>

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <string>

#include "api/support.hpp"
#include "support/fault_injector.hpp"

namespace tracelite::failure {
namespace {

using faults::Kind;
using faults::Lasting;
using store::test::fast_folder;
using store::test::Folder;

bool handles_sigterm() {
  struct sigaction now = {};
  BOOST_REQUIRE(sigaction(SIGTERM, nullptr, &now) == 0);
  return (now.sa_flags & SA_SIGINFO) != 0 || now.sa_handler != SIG_DFL;
}

tl_store* open(const std::string& path) {
  tl_options options{};
  options.struct_size = sizeof options;
  options.drain_on_sigterm_ms = 1;
  tl_store* store = nullptr;
  return tl_open(path.c_str(), &options, &store) == TL_OK ? store : nullptr;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(failing_opening)

BOOST_AUTO_TEST_CASE(a_store_that_could_not_be_opened_is_not_drained) {
  const Folder folder(fast_folder());
  const std::string path = folder.file();
  api::test::must(tl_close(open(path), UINT32_MAX, nullptr));
  BOOST_REQUIRE(!handles_sigterm());
  const std::uint64_t live_before = faults::live_allocation_count();
  std::uint64_t refused = 0;
  std::uint64_t nth = 0;
  for (bool reached = true; reached;) {
    faults::arm({Kind::allocation, ++nth, Lasting::once});
    tl_store* const store = open(path);
    faults::disarm();
    reached = faults::call_count() >= nth;
    refused += store == nullptr ? 1 : 0;
    BOOST_TEST(handles_sigterm() == (store != nullptr), "allocation " << nth);
    if (store != nullptr) api::test::must(tl_close(store, UINT32_MAX, nullptr));
    const std::uint64_t live = faults::live_allocation_count();
    BOOST_TEST(live == live_before, "allocation " << nth << " leaks");
  }
  BOOST_TEST(refused > 10U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::failure
