// A world of random entities, small enough that every filter meets something and misses something.
#pragma once

#include "world.hpp"

namespace tracelite::query::test {

class RandomWorld {
 public:
  explicit RandomWorld(std::uint32_t seed) : random_(seed) {}

  // Adds traces with their observations and scores, in one commit.
  void grow(World& world, int trace_count);
  // A filter with each condition given with the chance 1 in `rarity`.
  Filter filter(int rarity);
  Filter single_filter(int condition);
  static constexpr int kConditionCount = 14;
  ListOrder order(bool all = true);
  int below(int count) { return std::uniform_int_distribution<int>(0, count - 1)(random_); }
  bool chance(int rarity) { return below(rarity) == 0; }
  std::string one_of(const char* prefix, int count) {
    return prefix + std::to_string(below(count));
  }
  // Of this trace; its parent, if any, is one of the others.
  ObservationSpec observation(const std::string& trace_id, const std::vector<std::string>& others);

 private:
  Text maybe(const char* prefix, int count) {
    return chance(3) ? Text() : Text(one_of(prefix, count));
  }
  std::string id(const char* prefix, std::size_t hex_digits);
  Metadata metadata();
  void condition(Filter& filter, int which);

  std::mt19937 random_;
  int next_ = 0;
};

}  // namespace tracelite::query::test
