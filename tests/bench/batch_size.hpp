// What the benchmarks know of the inside; apart, because the headers of lib/ cannot be included
// behind tracelite.hpp.
#pragma once

#include <cstdint>
#include <string>

namespace bench {

// How many bytes of events tracelite commits at once; the other side's batches have as many.
std::uint64_t batch_size_bytes_max();

// Changes with the index and with the file format: files made before are stale then.
std::string index_and_format();

}  // namespace bench
