// What says nothing under sanitizers: a precondition that says why.
#pragma once

#include <boost/test/unit_test.hpp>

namespace tracelite::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kUnderSanitizer = true;
#else
inline constexpr bool kUnderSanitizer = false;
#endif

// For tests that measure memory.
inline boost::test_tools::assertion_result not_under_sanitizers(
    boost::unit_test::test_unit_id /*unit*/) {
  boost::test_tools::assertion_result allowed(!kUnderSanitizer);
  allowed.message() << "skipped: a sanitizer takes memory of its own, and keeps what is freed";
  return allowed;
}

}  // namespace tracelite::test
