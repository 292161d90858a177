// What a randomised test begins with: TL_SEED of the environment, or another number each time,
// printed so that a failure can be run again.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

namespace tracelite::test {

inline std::uint64_t random_seed() {
  const char* given = std::getenv("TL_SEED");
  const std::uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device{}();
  std::cout << "TL_SEED=" << seed << '\n';
  return seed;
}

// For generators of 32 bits.
inline std::uint32_t short_random_seed() { return static_cast<std::uint32_t>(random_seed()); }

}  // namespace tracelite::test
