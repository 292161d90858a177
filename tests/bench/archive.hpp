// The same bytes as a solid archive: the limit, because nothing can be read from it alone.
#pragma once

#include <cstdint>
#include <string_view>

#include "bench/progress.hpp"

namespace bench {

// As `zstd -19 --long=27`.
inline constexpr int kArchiveLevel = 19;
inline constexpr int kArchiveWindowLog = 27;

std::uint64_t archive_size_bytes(std::string_view bytes, Progress& progress);

}  // namespace bench
