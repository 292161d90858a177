// The main function of every test program. A test file only includes <boost/test/unit_test.hpp>.
#define BOOST_TEST_MODULE tracelite
#include <boost/test/unit_test.hpp>
#include <iostream>

namespace {

// After a crash the log must end with the case that crashed.
struct UnbufferedLog {
  UnbufferedLog() { std::cout << std::unitbuf; }
} unbuffered_log;

}  // namespace
