// The sampling decision.
#include "ingest/sampling.hpp"

#include <xxhash.h>

#include <algorithm>

namespace tracelite::ingest {

bool is_sampled(Bytes trace_id, double rate) {
  if (rate >= 1 || trace_id.empty()) return true;
  if (!(rate > 0)) return false;
  const bool w3c =
      trace_id.size() == 32 && std::all_of(trace_id.begin(), trace_id.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
      });
  std::uint64_t number = 0;
  if (w3c) {
    for (const char c : trace_id.substr(16)) {
      number = number << 4 | static_cast<std::uint64_t>(c <= '9' ? c - '0' : c - 'a' + 10);
    }
  } else {
    number = XXH3_64bits(trace_id.data(), trace_id.size());
  }
  return static_cast<double>(number) < rate * 0x1p64;
}

}  // namespace tracelite::ingest
