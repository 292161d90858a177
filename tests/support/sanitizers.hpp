// What is not tested under sanitizers: preconditions that say why.
#pragma once

#include <boost/test/unit_test.hpp>

namespace tracelite::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kUnderSanitizer = true;
#else
inline constexpr bool kUnderSanitizer = false;
#endif

// For tests that measure memory, or leave little of it.
inline boost::test_tools::assertion_result not_under_sanitizers(
    boost::unit_test::test_unit_id /*unit*/) {
  boost::test_tools::assertion_result allowed(!kUnderSanitizer);
  allowed.message()
      << "skipped: a sanitizer takes memory and address space of its own, and keeps what is freed";
  return allowed;
}

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

// For tests whose child allocates memory that was forked while other threads did.
inline boost::test_tools::assertion_result may_fork_beside_threads(
    boost::unit_test::test_unit_id /*unit*/) {
  boost::test_tools::assertion_result allowed(!kUnderSanitizer);
  allowed.message()
      << "skipped: a sanitizer's allocator may hang in a child that was forked beside "
         "busy threads";
  return allowed;
}

// For tests that take long and in which one thread does all, or nearly all.
inline boost::test_tools::assertion_result threads_matter(boost::unit_test::test_unit_id /*unit*/) {
  boost::test_tools::assertion_result allowed(!kUnderThreadSanitizer);
  allowed.message() << "skipped: long, and of no interest to the thread sanitizer";
  return allowed;
}

}  // namespace tracelite::test
