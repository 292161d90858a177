// What cannot be tested under the thread sanitizer: a precondition that says why.
#pragma once

#include <boost/test/unit_test.hpp>

namespace tracelite::test {

#if defined(__SANITIZE_THREAD__)
inline constexpr bool kUnderThreadSanitizer = true;
#else
inline constexpr bool kUnderThreadSanitizer = false;
#endif

// For tests whose forked child starts threads, and for those that stand in for the C library.
inline boost::test_tools::assertion_result not_under_thread_sanitizer(
    boost::unit_test::test_unit_id /*unit*/) {
  boost::test_tools::assertion_result allowed(!kUnderThreadSanitizer);
  allowed.message() << "skipped: the thread sanitizer supports neither threads in a forked child "
                       "nor a stand-in for the C library's functions";
  return allowed;
}

}  // namespace tracelite::test
