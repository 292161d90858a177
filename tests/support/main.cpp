// The main function of every test program. A test file only includes <boost/test/unit_test.hpp>.
#define BOOST_TEST_MODULE tracelite
#include <boost/test/unit_test.hpp>
