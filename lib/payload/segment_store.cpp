// Finding a segment by its bytes, and counting who uses it.
#include "payload/segment_store.hpp"

#include <algorithm>

#include "payload/splitter.hpp"
#include "store/packed_space.hpp"
#include "store/sealed.hpp"

namespace tracelite::payload {
namespace {

using store::KeySpace;
using store::PackedSpace;

constexpr Bytes kSeedKey = "piece_seed";
constexpr Bytes kCounterKey = "next_segment";

std::string hash_key(std::uint64_t hash) {
  std::string key;
  append_big_endian(key, hash);
  return key;
}

std::string part_key(SegmentNumber number, std::size_t part) {
  std::string key;
  append_big_endian(key, number, kSegmentNumberSizeBytes);
  key.push_back(static_cast<char>(part));
  return key;
}

Error damage(SegmentNumber number, const char* what) {
  return make_error(Code::corrupt, "shared piece " + std::to_string(number) + ": " + what);
}

Status put_use(store::WriteTransaction& transaction, const SegmentUse& use) {
  std::string value;
  append_varint(value, use.number);
  append_varint(value, use.count);
  return store::put_sealable(transaction, KeySpace::segment, hash_key(use.hash), value);
}

Result<SegmentNumber> take_number(store::WriteTransaction& transaction) {
  TL_TRY_ASSIGN(counter, transaction.get(KeySpace::meta, kCounterKey));
  SegmentNumber number = 1;
  if (counter) {
    number = read_big_endian(*counter);
    if (counter->size() != sizeof number || number == 0) {
      return make_error(Code::corrupt, "the counter of shared pieces is wrong");
    }
  }
  if (number > kSegmentNumberMax) {
    return make_error(Code::limit, "the file has used up its numbers of shared pieces");
  }
  std::string next;
  append_big_endian(next, number + 1);
  TL_TRY(transaction.put(KeySpace::meta, kCounterKey, next));
  return number;
}

Status put_parts(store::WriteTransaction& transaction, SegmentNumber number, Bytes bytes) {
  PackedSpace& parts = PackedSpace::of(transaction, KeySpace::segment_bytes);
  for (std::size_t part = 0; !bytes.empty(); ++part) {
    const Bytes these = bytes.substr(0, kSegmentPartSizeBytes);
    TL_TRY(parts.put(part_key(number, part), these));
    bytes.remove_prefix(these.size());
  }
  return {};
}

Status erase_parts(store::WriteTransaction& transaction, SegmentNumber number) {
  PackedSpace& parts = PackedSpace::of(transaction, KeySpace::segment_bytes);
  for (std::size_t part = 0;; ++part) {
    TL_TRY_ASSIGN(erased, parts.erase(part_key(number, part)));
    if (!erased) return {};
  }
}

}  // namespace

Result<std::uint64_t> read_piece_seed(const store::Transaction& transaction) {
  TL_TRY_ASSIGN(value, transaction.get(KeySpace::meta, kSeedKey));
  if (!value) return std::uint64_t{0};
  if (value->size() != 8) return make_error(Code::corrupt, "the seed of piece hashes is wrong");
  return read_big_endian(*value);
}

Result<std::optional<SegmentUse>> segment_use(const store::Transaction& transaction,
                                              std::uint64_t hash) {
  TL_TRY_ASSIGN(value, store::get_sealable(transaction, KeySpace::segment, hash_key(hash)));
  if (!value) return std::optional<SegmentUse>();
  ByteReader reader(*value);
  SegmentUse use{hash, reader.varint(), reader.varint()};
  if (reader.failed() || !reader.at_end() || use.number == 0 || use.number > kSegmentNumberMax) {
    return make_error(Code::corrupt, "the count of a shared piece is wrong");
  }
  return std::optional(use);
}

Result<std::string> read_segment(const store::Transaction& transaction, SegmentNumber number) {
  PackedSpace& parts = PackedSpace::of(transaction, KeySpace::segment_bytes);
  std::string bytes;
  for (std::size_t part = 0; part * kSegmentPartSizeBytes == bytes.size(); ++part) {
    TL_TRY_ASSIGN(found, parts.get(part_key(number, part)));
    if (!found) break;
    bytes.append(*found);
    if (bytes.size() > kSegmentSizeBytesMax) return damage(number, "it is too long");
  }
  if (bytes.empty()) return damage(number, "it is missing");
  return bytes;
}

Bytes SegmentCache::keep(SegmentNumber number, std::string bytes) {
  if (size_bytes_ + bytes.size() > kSegmentCacheSizeBytesMax) forget();
  size_bytes_ += bytes.size();
  return segments_[number] = std::move(bytes);
}

void SegmentCache::forget(SegmentNumber number) {
  const auto known = segments_.find(number);
  if (known == segments_.end()) return;
  size_bytes_ -= known->second.size();
  segments_.erase(known);
}

Result<Bytes> SegmentCache::read(const store::Transaction& transaction, SegmentNumber number) {
  if (const auto known = segments_.find(number); known != segments_.end()) {
    return Bytes(known->second);
  }
  TL_TRY_ASSIGN(bytes, read_segment(transaction, number));
  return keep(number, std::move(bytes));
}

Result<std::optional<SegmentUse>> SegmentWriter::intern(store::WriteTransaction& transaction,
                                                        Bytes bytes, std::uint64_t hash) {
  for (unsigned step = 0; step < kSegmentProbeCount; ++step) {
    auto use = segment_use(transaction, hash + step);
    if (!use && use.error().code != Code::corrupt) return std::move(use).error();
    if (!use) continue;  // damaged: its place is taken
    if (!*use) {
      auto fresh = add(transaction, bytes, hash + step);
      if (fresh) return std::optional(*fresh);
      if (fresh.error().code != Code::corrupt) return std::move(fresh).error();
      return std::optional<SegmentUse>();
    }
    const auto present = read(transaction, (*use)->number);
    if (present && *present == bytes) return use;
    if (!present && present.error().code != Code::corrupt) return present.error();
  }
  return std::optional<SegmentUse>();
}

Result<SegmentUse> SegmentWriter::add(store::WriteTransaction& transaction, Bytes bytes,
                                      std::uint64_t hash) {
  TL_TRY_ASSIGN(number, take_number(transaction));
  const SegmentUse fresh{hash, number, 0};
  TL_TRY(put_parts(transaction, number, bytes));
  TL_TRY(put_use(transaction, fresh));
  cache_.keep(number, std::string(bytes));
  return fresh;
}

// The count of another group's new use may have been added since the caller looked.
Status SegmentWriter::add_use(store::WriteTransaction& transaction, SegmentUse segment) {
  TL_TRY_ASSIGN(use, segment_use(transaction, segment.hash));
  if (!use) return damage(segment.number, "it is missing");
  ++use->count;
  return put_use(transaction, *use);
}

Status SegmentWriter::drop_use(store::WriteTransaction& transaction, SegmentNumber number,
                               std::uint64_t seed) {
  TL_TRY_ASSIGN(bytes, read(transaction, number));
  const std::uint64_t hash = hash_of(bytes, seed);
  for (unsigned step = 0; step < kSegmentProbeCount; ++step) {
    auto use = segment_use(transaction, hash + step);
    if (!use && use.error().code != Code::corrupt) return std::move(use).error();
    if (!use || !*use || (*use)->number != number) continue;
    if ((*use)->count > 1) {
      --(*use)->count;
      return put_use(transaction, **use);
    }
    TL_TRY(store::erase_sealable(transaction, KeySpace::segment, hash_key((*use)->hash)));
    cache_.forget(number);
    return erase_parts(transaction, number);
  }
  return damage(number, "nothing counts it");
}

}  // namespace tracelite::payload
