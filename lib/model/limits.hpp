// The limits of the model, by name (MODEL: Identifiers, Trace, Score, Session).
#pragma once

#include <cstddef>

namespace tracelite::model {

inline constexpr std::size_t kIdSizeBytesMax = 800;
inline constexpr std::size_t kShortTextCharactersMax = 200;  // session, user, version, tag
inline constexpr std::size_t kNameCharactersMax = 1000;
inline constexpr std::size_t kEnvironmentCharactersMax = 40;
inline constexpr std::size_t kScoreTextCharactersMax = 500;
inline constexpr int kCostDecimalPlaces = 12;
// Deeper objects in metadata are one value: they are replaced whole, not merged by key.
inline constexpr std::size_t kMetadataMergeDepthMax = 64;

}  // namespace tracelite::model
