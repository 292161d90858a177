// What the tests of the model share: randomness that can be repeated, bounded work, short-cuts.
#pragma once

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "model/entity.hpp"
#include "model/event.hpp"
#include "support/assembled_event.hpp"
#include "support/random_seed.hpp"

namespace tracelite::test {

// How often to do something of which `count` times is right for a release build: less where the
// program is slow, or as TL_TEST_SCALE says.
inline std::size_t scaled(std::size_t count) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
  double scale = 0.1;
#else
  double scale = 1;
#endif
  if (const char* given = std::getenv("TL_TEST_SCALE")) scale = std::strtod(given, nullptr);
  return std::max<std::size_t>(1, static_cast<std::size_t>(static_cast<double>(count) * scale));
}

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  std::size_t below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(engine_);
  }
  bool chance(std::size_t in) { return below(in) == 0; }
  std::uint64_t number() { return engine_(); }

  template <class Container>
  const auto& pick(const Container& from) {
    return from[below(std::size(from))];
  }
  template <class T>
  void shuffle(std::vector<T>& values) {
    std::shuffle(values.begin(), values.end(), engine_);
  }

 private:
  std::mt19937_64 engine_;
};

inline std::string encoded(const model::Entity& entity) {
  std::string out;
  model::encode(entity, out);
  return out;
}

// The text repeated: for limits.
inline std::string times(std::size_t count, Bytes text) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out.append(text);
  return out;
}

// A value, or a failed check with its message.
template <class T>
T value_of(Result<T> result) {
  if (!result) BOOST_FAIL(result.error().field << ": " << result.error().message);
  return std::move(result).value();
}
inline void check_ok(const Status& status) {
  if (!status) BOOST_FAIL(const_cast<Status&>(status).error().message);
}

// For entities whose metadata never needs to be taken apart.
class NoMetadata : public model::MetadataSource {
 public:
  Result<model::MetadataTree> read(const model::Register& reg, const model::Order&) override {
    return reg.tree() ? model::MetadataTree::decode(model::PayloadValue::decode(reg.value).bytes)
                      : Result<model::MetadataTree>(make_error(Code::internal, "not expected"));
  }
};

}  // namespace tracelite::test
