// Finding a segment by its bytes, and counting who uses it.
#include "payload/segment_store.hpp"

namespace tracelite::payload {
namespace {

using store::KeySpace;

constexpr Bytes kSeedKey = "piece_seed";

std::string segment_key(SegmentId id) {
  std::string key;
  append_big_endian(key, id);
  return key;
}

Error damage(SegmentId id, const char* what) {
  return make_error(Code::corrupt, "shared piece " + std::to_string(id) + ": " + what);
}

Status put_use_count(store::WriteTransaction& transaction, SegmentId id, std::uint64_t count) {
  std::string value;
  append_varint(value, count);
  return transaction.put(KeySpace::segment, segment_key(id), value);
}

}  // namespace

Result<std::uint64_t> read_piece_seed(const store::Transaction& transaction) {
  TL_TRY_ASSIGN(value, transaction.get(KeySpace::meta, kSeedKey));
  if (!value) return std::uint64_t{0};
  if (value->size() != 8) return make_error(Code::corrupt, "the seed of piece hashes is wrong");
  return read_big_endian(*value);
}

Result<std::optional<std::uint64_t>> segment_use_count(const store::Transaction& transaction,
                                                       SegmentId id) {
  TL_TRY_ASSIGN(value, transaction.get(KeySpace::segment, segment_key(id)));
  if (!value) return std::optional<std::uint64_t>();
  ByteReader reader(*value);
  const std::uint64_t count = reader.varint();
  if (reader.failed()) return damage(id, "its count is wrong");
  return std::optional<std::uint64_t>(count);
}

Bytes SegmentCache::keep(SegmentId id, std::string bytes) {
  if (size_bytes_ + bytes.size() > kSegmentCacheSizeBytesMax) forget();
  size_bytes_ += bytes.size();
  return segments_[id] = std::move(bytes);
}

Result<Bytes> SegmentCache::read(const store::Transaction& transaction, BlockReader& reader,
                                 SegmentId id) {
  if (const auto known = segments_.find(id); known != segments_.end()) return Bytes(known->second);
  const std::string key = segment_key(id);
  TL_TRY_ASSIGN(block, find_block(transaction, KeySpace::segment, key));
  if (!block) return damage(id, "it is missing");
  std::string bytes(block->raw_size_bytes, '\0');
  TL_TRY(reader.read(transaction, KeySpace::segment, key, *block, {}, bytes.data()));
  return keep(id, std::move(bytes));
}

Result<std::optional<SegmentId>> SegmentWriter::intern(store::WriteTransaction& transaction,
                                                       Bytes bytes, std::uint64_t hash) {
  for (unsigned step = 0; step < kSegmentProbeCount; ++step) {
    const SegmentId id = hash + step;
    const auto count = segment_use_count(transaction, id);
    if (!count && count.error().code != Code::corrupt) return count.error();
    if (!count) continue;  // damaged: its number is taken
    if (!*count) {
      TL_TRY(put_use_count(transaction, id, 0));
      TL_TRY(writer_.put(transaction, KeySpace::segment, segment_key(id), bytes));
      cache_.keep(id, std::string(bytes));
      return std::optional(id);
    }
    const auto present = read(transaction, id);
    if (present && *present == bytes) return std::optional(id);
    if (!present && present.error().code != Code::corrupt) return present.error();
  }
  return std::optional<SegmentId>();
}

Status SegmentWriter::add_use(store::WriteTransaction& transaction, SegmentId id) {
  TL_TRY_ASSIGN(count, segment_use_count(transaction, id));
  if (!count) return damage(id, "it is missing");
  return put_use_count(transaction, id, *count + 1);
}

Status SegmentWriter::drop_use(store::WriteTransaction& transaction, SegmentId id) {
  TL_TRY_ASSIGN(count, segment_use_count(transaction, id));
  if (!count) return damage(id, "it is missing");
  if (*count > 1) return put_use_count(transaction, id, *count - 1);
  TL_TRY(transaction.erase(KeySpace::segment, segment_key(id)));
  TL_TRY(erase_block(transaction, KeySpace::segment, segment_key(id)));
  return {};
}

}  // namespace tracelite::payload
