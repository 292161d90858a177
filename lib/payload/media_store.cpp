// Heads of media, and their counts.
#include "payload/media_store.hpp"

#include <cstdint>

#include "model/media.hpp"
#include "payload/sha256.hpp"

namespace tracelite::payload {
namespace {

using store::KeySpace;

static_assert(model::kMediaHashSizeBytes == Sha256::kSizeBytes);

Error damage(Bytes hash, const char* what) {
  return make_error(Code::corrupt, "medium " + model::media_id(hash) + ": " + what);
}

Result<MediumHead> decode_head(Bytes hash, Bytes value) {
  ByteReader reader(value);
  MediumHead head;
  head.use_count = reader.varint();
  head.size_bytes = reader.varint();
  head.number = reader.varint() | kInMedia;
  head.mime = reader.text();
  if (reader.failed() || !reader.at_end() || !is_in_media(head.number)) {
    return damage(hash, "its head is wrong");
  }
  return head;
}

}  // namespace

std::string media_hash(Bytes bytes) { return sha256(bytes); }

Result<std::optional<MediumHead>> find_medium(const store::Transaction& transaction, Bytes hash) {
  TL_TRY_ASSIGN(value, transaction.get(KeySpace::media, hash));
  if (!value) return std::optional<MediumHead>();
  TL_TRY_ASSIGN(head, decode_head(hash, *value));
  return std::optional<MediumHead>(std::move(head));
}

Result<std::optional<MediumHead>> find_medium_by_id(const store::Transaction& transaction,
                                                    Bytes id) {
  const auto prefix = model::media_id_prefix(id);
  if (!prefix) return std::optional<MediumHead>();
  store::Cursor cursor = transaction.cursor(KeySpace::media);
  TL_TRY_ASSIGN(more, cursor.seek(*prefix));
  while (more && cursor.key().starts_with(*prefix)) {
    const Bytes hash = cursor.key();
    if (hash.size() == model::kMediaHashSizeBytes && model::media_id(hash) == id) {
      TL_TRY_ASSIGN(head, decode_head(hash, cursor.value()));
      return std::optional<MediumHead>(std::move(head));
    }
    TL_TRY_ASSIGN(again, cursor.next());
    more = again;
  }
  return std::optional<MediumHead>();
}

Status put_medium_head(store::WriteTransaction& transaction, Bytes hash, const MediumHead& head) {
  std::string value;
  append_varint(value, head.use_count);
  append_varint(value, head.size_bytes);
  append_varint(value, head.number & ~kInMedia);
  append_text(value, head.mime);
  return transaction.put(KeySpace::media, hash, value);
}

Status put_medium(store::WriteTransaction& transaction, PayloadWriter& payloads,
                  const Medium& medium, std::uint64_t use_count) {
  TL_TRY_ASSIGN(number, payloads.create_medium(transaction));
  TL_TRY(payloads.append(transaction, number, medium.bytes));
  return put_medium_head(transaction, medium.hash,
                         {use_count, medium.bytes.size(), number, medium.mime});
}

Status erase_medium_head(store::WriteTransaction& transaction, Bytes hash) {
  auto erased = transaction.erase(KeySpace::media, hash);
  return erased ? Status() : Status(std::move(erased).error());
}

void MediaCountChanges::change(const model::PayloadValue& value, std::int64_t difference) {
  model::MediaWalker walker(value.media_list);
  while (walker.next()) differences_[std::string(walker.use().hash)] += difference;
}

Status MediaCountChanges::apply(store::WriteTransaction& transaction,
                                PayloadWriter& payloads) const {
  for (const auto& [hash, difference] : differences_) {
    if (difference == 0) continue;
    auto head = find_medium(transaction, hash);
    if (!head) {
      if (difference < 0 && head.error().code == Code::corrupt) continue;
      return std::move(head).error();
    }
    if (!*head) {
      if (difference < 0) continue;
      return damage(hash, "it is missing");
    }
    std::uint64_t& use_count = (**head).use_count;
    const auto dropped = static_cast<std::uint64_t>(-difference);
    if (difference < 0 && use_count <= dropped) {
      TL_TRY(erase_medium_head(transaction, hash));
      TL_TRY(payloads.erase(transaction, (**head).number));
      continue;
    }
    const auto added = static_cast<std::uint64_t>(difference);
    // A stranger's file may say any count: one that began at 0 again would lose a medium in use.
    const bool is_too_many = difference > 0 && use_count > UINT64_MAX - added;
    use_count = is_too_many ? UINT64_MAX : use_count + added;
    TL_TRY(put_medium_head(transaction, hash, **head));
  }
  return {};
}

}  // namespace tracelite::payload
