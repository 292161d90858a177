// A larger map that cannot be had: the old one is gone then, and the file is opened anew.
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <string>

#include "store/helpers.hpp"
#include "support/fault_injector.hpp"

namespace tracelite::failure {
namespace {

using faults::Kind;
using faults::Lasting;
using store::test::fast_folder;
using store::test::Folder;

}  // namespace

BOOST_AUTO_TEST_SUITE(failing_growth)

BOOST_AUTO_TEST_CASE(a_map_that_was_lost_is_not_looked_at) {
  constexpr std::size_t kMore = std::size_t{64} << 20;
  const Folder folder(fast_folder());
  std::uint64_t failures = 0;
  std::uint64_t nth = 0;
  for (bool reached = true; reached;) {
    const auto environment =
        store::test::open_file(folder.file(), {.map_size_bytes = store::kMinimumMapSizeBytes});
    faults::arm({Kind::lmdb, ++nth, Lasting::once});
    const Status failed = environment->make_room(kMore);
    reached = faults::call_count() >= nth;
    faults::disarm();
    failures += failed ? 0 : 1;
    // Nobody has had a transaction since.
    store::test::must(environment->make_room(kMore));
    BOOST_TEST(environment->map_size_bytes() >= kMore);
    const auto transaction = store::test::must(environment->begin_read());
    BOOST_TEST(transaction.id() == environment->last_transaction_id());
  }
  BOOST_TEST(failures > 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::failure
