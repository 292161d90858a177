// Apart, because the headers of lib/ cannot be included behind tracelite.hpp.
#pragma once

#include <cstdint>

namespace bench {

// How many bytes of events tracelite commits at once; the other side's batches have as many.
std::uint64_t batch_size_bytes_max();

}  // namespace bench
