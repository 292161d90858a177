// Coding of references to media.
#include "model/media.hpp"

#include <algorithm>
#include <array>

namespace tracelite::model {
namespace {

constexpr std::array<Bytes, 3> kSourceNames = {"base64_data_uri", "bytes", "file"};
constexpr Bytes kStart = "@@@langfuseMedia:type=";
constexpr Bytes kId = "|id=";
constexpr Bytes kSource = "|source=";
constexpr Bytes kEnd = "@@@";
constexpr Bytes kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::uint8_t kEscapedSlashesFlag = 4;
// Sizes and places that a list may name: sums of all of them stay far from overflowing.
constexpr std::uint64_t kSizeBytesMax = std::uint64_t{1} << 50;

Bytes name_of(MediaSource source) { return kSourceNames[static_cast<std::size_t>(source)]; }

bool is_mime_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         Bytes("!#$&-^_.+").find(c) != Bytes::npos;
}

}  // namespace

std::string MediaUse::header() const {
  if (header_kind == MediaHeader::none) return {};
  if (header_kind == MediaHeader::given) return std::string(given_header);
  std::string text = "data:";
  return text.append(mime).append(";base64,");
}

std::string MediaUse::reference() const {
  std::string text(kStart);
  text.append(mime).append(kId).append(media_id(hash)).append(kSource);
  return text.append(name_of(source)).append(kEnd);
}

std::size_t MediaUse::reference_size_bytes() const {
  return kStart.size() + mime.size() + kId.size() + kMediaIdSizeBytes + kSource.size() +
         name_of(source).size() + kEnd.size();
}

bool is_mime(Bytes text) {
  const std::size_t slash = text.find('/');
  if (text.size() > kMimeSizeBytesMax || slash == Bytes::npos) return false;
  const Bytes type = text.substr(0, slash);
  const Bytes subtype = text.substr(slash + 1);
  return !type.empty() && !subtype.empty() &&
         std::all_of(type.begin(), type.end(), is_mime_character) &&
         std::all_of(subtype.begin(), subtype.end(), is_mime_character);
}

std::string media_id(Bytes hash) {
  std::string id;
  unsigned bits = 0;
  unsigned bit_count = 0;
  for (const char byte : hash) {
    bits = (bits << 8 | static_cast<unsigned char>(byte)) & 0xffffU;
    for (bit_count += 8; bit_count >= 6 && id.size() < kMediaIdSizeBytes; bit_count -= 6) {
      id.push_back(kDigits[bits >> (bit_count - 6) & 63U]);
    }
    if (id.size() == kMediaIdSizeBytes) break;
  }
  return id;
}

Bytes media_id_in(Bytes text) {
  if (!text.starts_with(kStart)) return text;
  const std::size_t id = text.find(kId);
  return id == Bytes::npos ? text : text.substr(id + kId.size(), kMediaIdSizeBytes);
}

std::optional<std::string> media_id_prefix(Bytes id) {
  if (id.size() != kMediaIdSizeBytes) return std::nullopt;
  std::string prefix;
  unsigned bits = 0;
  unsigned bit_count = 0;
  for (const char digit : id) {
    const std::size_t value = kDigits.find(digit);
    if (value == Bytes::npos) return std::nullopt;
    bits = (bits << 6 | static_cast<unsigned>(value)) & 0xffffU;
    bit_count += 6;
    if (bit_count < 8) continue;
    bit_count -= 8;
    prefix.push_back(static_cast<char>(bits >> bit_count & 0xffU));
  }
  return prefix;
}

MediaWalker::MediaWalker(Bytes list) : reader_(list) {
  if (list.empty()) return;
  left_ = reader_.varint();
  failed_ = reader_.failed() || left_ == 0 || left_ > kMediaPerPayloadMax;
}

bool MediaWalker::next() {
  if (failed_) return false;
  if (left_ == 0) {
    failed_ = !reader_.at_end();
    return false;
  }
  --left_;
  const std::uint64_t last_end = use_.hash.empty() ? 0 : use_.end();
  const std::uint64_t gap = reader_.varint();
  use_.given_size_bytes = reader_.varint();
  use_.hash = reader_.take(kMediaHashSizeBytes);
  const std::uint8_t flags = reader_.byte();
  use_.header_kind = static_cast<MediaHeader>(flags & 3U);
  use_.has_escaped_slashes = (flags & kEscapedSlashesFlag) != 0;
  use_.source = static_cast<MediaSource>(flags >> 3 & 3U);
  use_.mime = reader_.text();
  use_.given_header = use_.header_kind == MediaHeader::given ? reader_.text() : Bytes();
  use_.offset = last_end + gap;
  failed_ = reader_.failed() || (flags >> 5) != 0 || use_.header_kind > MediaHeader::given ||
            use_.source > MediaSource::file || !is_mime(use_.mime) || gap > kSizeBytesMax ||
            use_.offset > kSizeBytesMax || use_.given_size_bytes > kSizeBytesMax ||
            use_.given_header.size() > kMediaHeaderSizeBytesMax ||
            use_.given_size_bytes < use_.header().size();
  return !failed_;
}

void MediaListBuilder::add(const MediaUse& use) {
  append_varint(uses_, use.offset - last_end_);
  append_varint(uses_, use.given_size_bytes);
  uses_.append(use.hash);
  uses_.push_back(static_cast<char>(static_cast<unsigned>(use.header_kind) |
                                    (use.has_escaped_slashes ? kEscapedSlashesFlag : 0U) |
                                    static_cast<unsigned>(use.source) << 3));
  append_text(uses_, use.mime);
  if (use.header_kind == MediaHeader::given) append_text(uses_, use.given_header);
  last_end_ = use.end();
  reference_sizes_ += use.reference_size_bytes();
  given_sizes_ += use.given_size_bytes;
  ++count_;
}

std::string MediaListBuilder::finish() const {
  std::string list;
  append_varint(list, count_);
  return list.append(uses_);
}

std::uint64_t MediaListBuilder::given_size_bytes(std::uint64_t stored_size_bytes) const {
  return stored_size_bytes - reference_sizes_ + given_sizes_;
}

}  // namespace tracelite::model
