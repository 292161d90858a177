// See sealed.hpp.
#include "store/sealed.hpp"

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
  for (;;) {
    TL_TRY_ASSIGN(entry, sealed_entries(transaction).at_least(prefix));
    if (!entry || !entry->key.starts_with(prefix)) return {};
    const std::string key(entry->key);
    TL_TRY(sealed_entries(transaction).erase(key));
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
