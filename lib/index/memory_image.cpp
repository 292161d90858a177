// See memory_image.hpp.
#include "index/memory_image.hpp"

#include "index/page_file.hpp"

namespace tracelite::index {

Result<std::shared_ptr<const MemoryImage>> MemoryImage::copy(sqlite3* database,
                                                             std::uint64_t transaction_id) {
  const std::shared_ptr<MemoryImage> image(new MemoryImage);
  sqlite3_int64 size_bytes = 0;
  image->bytes_.reset(sqlite3_serialize(database, "main", &size_bytes, 0));
  if (!image->bytes_) return make_error(Code::no_memory, "no memory for an index");
  image->size_bytes_ = static_cast<std::uint64_t>(size_bytes);
  image->transaction_id_ = transaction_id;
  if (image->size_bytes_ % kPageSizeBytes != 0) {
    return make_error(Code::internal, "an index in memory has pages of another size");
  }
  return std::shared_ptr<const MemoryImage>(image);
}

std::uint32_t MemoryImage::page_count() const {
  return static_cast<std::uint32_t>(size_bytes_ / kPageSizeBytes);
}

Bytes MemoryImage::page(std::uint32_t number) const {
  if (number == 0 || number > page_count()) return {};
  const auto* bytes = reinterpret_cast<const char*>(bytes_.get());
  return {bytes + std::uint64_t{number - 1} * kPageSizeBytes, kPageSizeBytes};
}

}  // namespace tracelite::index
