#include "bench/batch_size.hpp"

#include "ingest/recorder.hpp"

namespace bench {

std::uint64_t batch_size_bytes_max() { return tracelite::ingest::kBatchSizeBytesMax; }

}  // namespace bench
