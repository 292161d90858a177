// What may go by age or by size, and what must: of what the file has afterwards, whether it can be
// what came of that.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model_based/world.hpp"

namespace tracelite::model_based {

// By age: what was last active before `must_ns` goes, from `may_ns` on nothing does.
struct Aging {
  std::int64_t must_ns = 0, may_ns = 0;
  bool keeps_bookmarked = false;
};

// What has gone, by what the file has got, goes from the world as well; `meanwhile` was recorded at
// the same time, and is there with the trace that it belongs to, or with what of it came after that
// had gone. Throws Broken where neither is so.
void age(World& world, const World& got, const Aging& aging, const std::vector<Change>& meanwhile);

// By size: the oldest ones go, by the times that the file tells.
void shrink(World& world, const World& got, const std::map<std::string, std::int64_t>& times);

}  // namespace tracelite::model_based
