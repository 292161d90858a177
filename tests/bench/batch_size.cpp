#include "bench/batch_size.hpp"

#include <cstdint>
#include <string_view>

#include "index/schema.hpp"
#include "ingest/recorder.hpp"
#include "store/environment.hpp"

namespace bench {

std::uint64_t batch_size_bytes_max() { return tracelite::ingest::kBatchSizeBytesMax; }

std::string index_and_format() {
  // FNV-1a: only to see that it is another.
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char byte : std::string_view(tracelite::index::kSchema)) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  }
  return "format " + std::to_string(tracelite::store::kFormatVersion) + " index " +
         std::to_string(tracelite::index::kSchemaVersion) + " " + std::to_string(hash);
}

}  // namespace bench
