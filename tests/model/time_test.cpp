#include <boost/test/unit_test.hpp>
#include "model/event.hpp"
BOOST_AUTO_TEST_CASE(links) { BOOST_TEST(tracelite::model::check_id("a", "id").ok()); }
