// Many blocks of few entries, so that tests need little to fill several.
#pragma once

#include "store/packed_space.hpp"

namespace tracelite::store::test {

inline constexpr Packing kSmallPacking{1, 1, std::size_t{24} << 10, 64};

}  // namespace tracelite::store::test
