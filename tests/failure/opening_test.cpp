// Opening where memory runs out, or the engine gives no answer: nothing stays of a store that was
// not opened, and one that was is whole.
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

// What a call would have told, such as the size of a page, is not taken for 0: that is seen where
// free pages are overwritten.
BOOST_AUTO_TEST_CASE(a_store_is_opened_without_an_answer_of_the_engine_or_not_at_all) {
  const Folder folder(fast_folder());
  const std::string path = folder.file();
  api::test::must(tl_close(open(path), UINT32_MAX, nullptr));
  std::uint64_t opened = 0;
  std::uint64_t nth = 0;
  for (bool reached = true; reached;) {
    faults::arm({Kind::lmdb, ++nth, Lasting::once});
    tl_store* const store = open(path);
    reached = faults::call_count() >= nth;
    faults::disarm();
    if (store == nullptr) continue;
    ++opened;
    tl_trace trace{};
    trace.struct_size = sizeof trace;
    trace.id = tl_str("t");
    api::test::must(tl_put_trace(store, &trace));
    tl_filter filter{};
    filter.struct_size = sizeof filter;
    filter.trace_id = trace.id;
    tl_delete_report report{};
    report.struct_size = sizeof report;
    api::test::must(tl_delete_securely(store, &filter, UINT32_MAX, nullptr, nullptr, &report));
    BOOST_TEST(report.trace_count == 1U);
    BOOST_TEST(report.zeroed_size_bytes > 0U, "call " << nth);
    api::test::must(tl_check(store, nullptr, nullptr, nullptr, nullptr));
    api::test::must(tl_close(store, UINT32_MAX, nullptr));
  }
  BOOST_TEST(nth > opened + 5);
  BOOST_TEST(opened > 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::failure
