// The checksum of a value, which is part of the file format.
//
// XXH3-64 of the value, seeded with the XXH3-64 of its key, which is seeded in turn with the number
// of its key space and the length of the key: a value that turns up under another key or in another
// key space does not match.
#define XXH_INLINE_ALL  // most values are short: the call would cost as much as the hash
#include <xxhash.h>

#include "store/environment.hpp"

namespace tracelite::store {

std::uint64_t checksum(KeySpace space, Bytes key, Bytes value) {
  const auto place = (static_cast<XXH64_hash_t>(space) << 32) | key.size();
  const XXH64_hash_t seed = XXH3_64bits_withSeed(key.data(), key.size(), place);
  return XXH3_64bits_withSeed(value.data(), value.size(), seed);
}

}  // namespace tracelite::store
