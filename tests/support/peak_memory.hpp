// The most memory that this process has had so far, for tests that bound what a call takes.
#pragma once

#include <sys/resource.h>

namespace tracelite::test {

inline long peak_memory_kib() {
  struct rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

}  // namespace tracelite::test
