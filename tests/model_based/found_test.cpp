// What random runs have found, each in its few steps.
#include <boost/test/unit_test.hpp>

#include "api/support.hpp"

namespace tracelite::api::test {

BOOST_AUTO_TEST_SUITE(found_by_runs)

// The user got the number of the session in the index, and its row with it.
BOOST_AUTO_TEST_CASE(a_user_who_comes_as_the_last_trace_of_a_session_leaves_it_is_no_session) {
  const Folder folder;
  const Store store(folder.file());
  tl_trace trace{};
  trace.struct_size = sizeof trace;
  trace.id = tl_str("t");
  trace.set_mask = TL_BIT(TL_FIELD_TIMESTAMP);
  trace.timestamp_ns = 1'000'000'000;
  must(tl_put_trace(store.get(), &trace));
  store.flush();
  trace.set_mask = TL_BIT(TL_FIELD_SESSION_ID);
  trace.session_id = tl_str("s");
  must(tl_put_trace(store.get(), &trace));
  store.flush();
  trace.set_mask = TL_BIT(TL_FIELD_USER_ID);
  trace.clear_mask = TL_BIT(TL_FIELD_SESSION_ID);
  trace.user_id = tl_str("u");
  must(tl_put_trace(store.get(), &trace));
  store.flush();
  BOOST_TEST(count(store, TL_KIND_SESSION) == 0U);
  BOOST_TEST(count(store, TL_KIND_USER) == 1U);
  store.check();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace tracelite::api::test
