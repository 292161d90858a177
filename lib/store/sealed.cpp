// See sealed.hpp.
#include "store/sealed.hpp"

#include <utility>
#include <vector>

namespace tracelite::store {
namespace {

std::string sealed_key(KeySpace space, Bytes key) {
  std::string sealed(1, static_cast<char>(space));
  sealed.append(key);
  return sealed;
}

PackedSpace& sealed_entries(const Transaction& transaction) {
  return PackedSpace::of(transaction, KeySpace::sealed);
}

struct SealedBlock {
  std::string key;
  std::string next_key;  // of the block behind it; empty: there is none
};

// The first one that cannot be read of those that may hold keys from this one on.
Result<std::optional<SealedBlock>> damaged_block(const Transaction& transaction, Bytes from) {
  Cursor cursor = transaction.key_cursor(KeySpace::sealed);
  TL_TRY_ASSIGN(more, cursor.seek(from));
  if (!more || cursor.key() != from) {
    // The block before reaches so far.
    TL_TRY_ASSIGN(before, more ? cursor.previous() : cursor.seek_last());
    more = before;
    if (!before) {
      TL_TRY_ASSIGN(first, cursor.seek({}));
      more = first;
    }
  }
  while (more) {
    SealedBlock block{std::string(cursor.key()), {}};
    TL_TRY_ASSIGN(again, cursor.next());
    more = again;
    const auto read = sealed_entries(transaction).get(block.key);
    if (read) continue;
    if (read.error().code != Code::corrupt) return read.error();
    if (more) block.next_key = cursor.key();
    return std::optional(std::move(block));
  }
  return std::optional<SealedBlock>();
}

// Of the sealed key spaces it is the last one.
Result<bool> may_hold_segments(const Transaction& transaction, const SealedBlock& block) {
  const std::string segments(1, static_cast<char>(KeySpace::segment));
  if (!block.next_key.empty() && block.next_key <= segments) return false;
  // Each has its bytes there.
  TL_TRY_ASSIGN(bytes, transaction.statistics(KeySpace::segment_bytes));
  return bytes.entries > 0;
}

Status erase_block(WriteTransaction& transaction, const std::string& key) {
  TL_TRY(transaction.erase(KeySpace::sealed, key));
  const std::string patch_key = sealed_key(KeySpace::sealed, key);
  if (patch_key.size() > kKeySizeBytesMax) return {};
  TL_TRY(transaction.erase(KeySpace::patch, patch_key));
  return {};
}

}  // namespace

Result<std::optional<Bytes>> get_sealable(const Transaction& transaction, KeySpace space,
                                          Bytes key) {
  TL_TRY_ASSIGN(value, transaction.get(space, key));
  if (value) return value;
  return sealed_entries(transaction).get(sealed_key(space, key));
}

Status put_sealable(WriteTransaction& transaction, KeySpace space, Bytes key,
                    std::span<const Bytes> parts) {
  TL_TRY_ASSIGN(value, transaction.get(space, key));
  if (!value) {
    // What cannot be taken from a damaged block cannot be read there, either.
    const auto erased = sealed_entries(transaction).erase(sealed_key(space, key));
    if (!erased && erased.error().code != Code::corrupt) return erased.error();
  }
  return transaction.put(space, key, parts);
}

Result<bool> erase_sealable(WriteTransaction& transaction, KeySpace space, Bytes key) {
  TL_TRY_ASSIGN(erased, transaction.erase(space, key));
  if (erased) return true;
  return sealed_entries(transaction).erase(sealed_key(space, key));
}

Status clear_sealable(WriteTransaction& transaction, KeySpace space) {
  TL_TRY(transaction.clear(space));
  const std::string prefix(1, static_cast<char>(space));
  for (std::string from = prefix;;) {
    const auto found = sealed_entries(transaction).at_least(from);
    if (found) {
      const std::optional<PackedSpace::Entry>& entry = *found;
      if (!entry || !entry->key.starts_with(prefix)) return {};
      from = entry->key;
      TL_TRY(sealed_entries(transaction).erase(from));
      continue;
    }
    if (found.error().code != Code::corrupt) return found.error();
    TL_TRY_ASSIGN(damaged, damaged_block(transaction, from));
    if (!damaged) return found.error();
    // All that is left begins behind this key space.
    if (damaged->key > prefix && !damaged->key.starts_with(prefix)) return {};
    TL_TRY_ASSIGN(may_hold_truth, may_hold_segments(transaction, *damaged));
    if (may_hold_truth) return found.error();
    TL_TRY(erase_block(transaction, damaged->key));
  }
}

Result<std::optional<std::string>> seal(WriteTransaction& transaction, KeySpace space, Bytes from,
                                        std::size_t size_bytes_max) {
  std::vector<std::string> keys;
  std::optional<std::string> next;
  {
    Cursor cursor = transaction.cursor(space);
    TL_TRY_ASSIGN(found, cursor.seek(from));
    std::size_t size_bytes = 0;
    for (bool more = found; more;) {
      if (size_bytes >= size_bytes_max) {
        next = cursor.key();
        break;
      }
      size_bytes += cursor.key().size() + cursor.value().size();
      keys.emplace_back(cursor.key());
      TL_TRY_ASSIGN(again, cursor.next());
      more = again;
    }
  }
  for (const std::string& key : keys) {
    TL_TRY_ASSIGN(value, transaction.get(space, key));
    if (!value) continue;
    TL_TRY(sealed_entries(transaction).put(sealed_key(space, key), *value));
    TL_TRY(transaction.erase(space, key));
  }
  return next;
}

// ------------------------------------------------------------------------------ walking

SealableCursor::SealableCursor(const Transaction& transaction, KeySpace space)
    : transaction_(transaction), space_(space), sealed_(transaction, KeySpace::sealed) {}

Result<bool> SealableCursor::next() {
  if (!plain_) {
    const std::string prefix(1, static_cast<char>(space_));
    TL_TRY_ASSIGN(more, has_begun_ ? sealed_.next() : sealed_.seek(prefix));
    has_begun_ = true;
    if (more && sealed_.key().starts_with(prefix)) return true;
    plain_.emplace(transaction_.cursor(space_));
  }
  return plain_->next();
}

Bytes SealableCursor::key() const { return plain_ ? plain_->key() : sealed_.key().substr(1); }
Bytes SealableCursor::value() const { return plain_ ? plain_->value() : sealed_.value(); }

}  // namespace tracelite::store
