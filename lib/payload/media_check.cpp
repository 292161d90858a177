// Walks key space `media` once: heads, and which numbers have bytes.
#include "payload/media_check.hpp"

#include "model/media.hpp"
#include "payload/sha256.hpp"
#include "payload/value_reader.hpp"

namespace tracelite::payload {
namespace {

using model::MediaUse;
using model::PayloadValue;
using store::KeySpace;

constexpr std::size_t kSliceKeySizeBytes = 6 + 4 + 2;

Error damage(Bytes hash, const std::string& what) {
  return make_error(Code::corrupt, "medium " + model::media_id(hash) + ": " + what);
}

// SHA-256 of bytes that come in parts.
Result<std::string> hash_of(const PayloadReader& payloads, const MediumHead& head) {
  Sha256 hash;
  std::string bytes;
  for (std::uint64_t offset = 0; offset < head.size_bytes; offset += bytes.size()) {
    bytes.clear();
    TL_TRY(payloads.read(head.number, offset, kSliceSizeBytes, bytes));
    if (bytes.empty()) break;
    hash.add(bytes);
  }
  return hash.finish();
}

Status check_bytes(const PayloadReader& payloads, Bytes hash, const MediumHead& head) {
  auto size_bytes = payloads.size_bytes(head.number);
  if (!size_bytes && size_bytes.error().code == Code::not_found) {
    return damage(hash, "its bytes are missing");
  }
  if (!size_bytes) return std::move(size_bytes).error();
  if (*size_bytes != head.size_bytes) {
    return damage(hash, "it has " + std::to_string(*size_bytes) + " bytes, not " +
                            std::to_string(head.size_bytes));
  }
  TL_TRY_ASSIGN(actual, hash_of(payloads, head));
  return actual == hash ? Status() : Status(damage(hash, "its bytes have another hash"));
}

class MediaChecker {
 public:
  MediaChecker(const store::Transaction& transaction, MediaUses uses,
               const std::set<PayloadNumber>& pending, const GroupFinding& finding)
      : transaction_(transaction),
        payloads_(transaction),
        uses_(std::move(uses)),
        pending_(pending),
        finding_(finding) {}

  Status run() {
    store::Cursor cursor = transaction_.cursor(KeySpace::media);
    std::set<PayloadNumber> with_bytes;
    TL_TRY_ASSIGN(more, cursor.seek({}));
    while (more) {
      const Bytes key = cursor.key();
      if (key.size() == model::kMediaHashSizeBytes) {
        const std::string hash(key);
        Status status = check_medium(hash);
        if (!status && status.error().code != Code::corrupt) return status;
        if (!status) finding_("media", status.error().message);
      } else if (key.size() == kSliceKeySizeBytes) {
        with_bytes.insert(read_big_endian(key.substr(0, 6)) | kInMedia);
      } else {
        finding_("media", "there is a key that is none");
      }
      TL_TRY_ASSIGN(again, cursor.next());
      more = again;
    }
    for (const auto& [hash, count] : uses_) {
      finding_("media", damage(hash, "it is missing").message);
    }
    for (const PayloadNumber number : with_bytes) {
      if (owned_.contains(number) || pending_.contains(number)) continue;
      finding_("media", "bytes " + std::to_string(number & ~kInMedia) + " belong to no medium");
    }
    return {};
  }

 private:
  Status check_medium(const std::string& hash) {
    const auto used = uses_.find(hash);
    const std::uint64_t expected = used == uses_.end() ? 0 : used->second;
    if (used != uses_.end()) uses_.erase(used);
    TL_TRY_ASSIGN(head, find_medium(transaction_, hash));
    if (!head) return damage(hash, "it is missing");
    if (!owned_.insert(head->number).second) return damage(hash, "another has the same bytes");
    if (head->use_count != expected || expected == 0) {
      finding_("media", damage(hash, "it counts " + std::to_string(head->use_count) +
                                         " uses, payloads have " + std::to_string(expected))
                            .message);
    }
    return check_bytes(payloads_, hash, *head);
  }

  const store::Transaction& transaction_;
  PayloadReader payloads_;
  MediaUses uses_;
  const std::set<PayloadNumber>& pending_;
  const GroupFinding& finding_;
  std::set<PayloadNumber> owned_;
};

}  // namespace

Status check_media_of(const store::Transaction& transaction, const PayloadValue& value,
                      MediaUses& uses) {
  const ValueReader values(transaction);
  model::MediaWalker walker(value.media_list);
  while (walker.next()) {
    const MediaUse& use = walker.use();
    ++uses[std::string(use.hash)];
    const std::string expected = use.reference();
    std::string reference(expected.size(), '\0');
    TL_TRY_ASSIGN(read, values.read_into(value, ReadMode::as_stored, use.offset, reference));
    if (read != expected.size() || reference != expected) {
      return damage(use.hash, "there is no reference where a payload says");
    }
    TL_TRY_ASSIGN(head, find_medium(transaction, use.hash));
    if (!head || use.has_escaped_slashes) continue;  // check_media finds what is missing
    if (use.given_size_bytes != use.header().size() + (head->size_bytes + 2) / 3 * 4) {
      return damage(use.hash, "it has another size than a payload says");
    }
  }
  return {};
}

Status check_bytes_of_medium(const store::Transaction& transaction, Bytes hash) {
  TL_TRY_ASSIGN(head, find_medium(transaction, hash));
  if (!head) return damage(hash, "it is missing");
  return check_bytes(PayloadReader(transaction), hash, *head);
}

Status check_media(const store::Transaction& transaction, MediaUses uses,
                   const std::set<PayloadNumber>& pending, const GroupFinding& finding) {
  return MediaChecker(transaction, std::move(uses), pending, finding).run();
}

}  // namespace tracelite::payload
