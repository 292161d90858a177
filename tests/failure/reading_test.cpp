// Reading where memory runs out: what is read next, of the same snapshot, is right.
#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <random>
#include <string>

#include "api/support.hpp"
#include "support/fault_injector.hpp"

namespace tracelite::failure {
namespace {

using api::test::Store;
using api::test::text_of;
using faults::Kind;
using faults::Lasting;
using store::test::fast_folder;
using store::test::Folder;

// Histories that grow, each stored by what it has in common with the one before.
void record_histories(const Store& store) {
  constexpr int kStepCount = 8;
  std::mt19937 random(1);
  std::string history;
  for (int i = 0; i < kStepCount; ++i) {
    for (int letter = 0; letter < 3'000; ++letter) {
      history += static_cast<char>('!' + random() % 90);
    }
    const std::string id = std::to_string(i);
    auto one = tl_observation{};
    one.struct_size = sizeof one;
    one.set_mask = TL_BIT(TL_FIELD_TRACE_ID) | TL_BIT(TL_FIELD_INPUT);
    one.id = text_of(id);
    one.trace_id = tl_str("histories");
    one.input = {TL_FORM_TEXT, text_of(history)};
    api::test::must(tl_put_observation(store.get(), &one));
    store.flush();
  }
}

std::int32_t write_nowhere(void* /*context*/, const void* /*data*/, std::size_t /*size*/) {
  return 0;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(failing_reading)

BOOST_AUTO_TEST_CASE(what_is_read_after_memory_ran_out_is_what_was_written) {
  const Folder folder(fast_folder());
  std::string right;
  {
    const Store store(folder.file());
    record_histories(store);
    right = store.export_all();
  }
  std::uint64_t nth = 0;
  for (bool reached = true; reached;) {
    const Store store(folder.file());  // which has read nothing yet
    tl_snapshot* snapshot = nullptr;
    api::test::must(tl_snapshot_open(store.get(), &snapshot));
    faults::arm({Kind::allocation, ++nth, Lasting::once});
    const tl_status status = tl_export(store.get(), snapshot, nullptr, TL_FORMAT_LANGFUSE,
                                       write_nowhere, nullptr, nullptr, nullptr);
    faults::disarm();
    reached = faults::call_count() >= nth;
    BOOST_TEST((status == TL_OK || status == TL_NO_MEMORY), tl_status_name(status));
    BOOST_TEST((store.export_all(snapshot) == right), "after allocation " << nth);
    tl_snapshot_close(snapshot);
  }
  BOOST_TEST(nth > 10U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::failure
