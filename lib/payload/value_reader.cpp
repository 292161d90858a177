// Putting media back, by the places that the register names.
#include "payload/value_reader.hpp"

#include <algorithm>

#include "model/media.hpp"
#include "payload/base64.hpp"
#include "payload/media_scan.hpp"
#include "payload/media_store.hpp"

namespace tracelite::payload {
namespace {

using model::MediaUse;
using model::PayloadValue;

// What is encoded at once: a multiple of three bytes, so that its base64 can be cut off from the
// rest.
constexpr std::uint64_t kRawSizeBytes = std::uint64_t{3} << 15;

std::size_t copy(Bytes from, std::uint64_t offset, std::span<char> out) {
  if (offset >= from.size()) return 0;
  from = from.substr(static_cast<std::size_t>(offset), out.size());
  std::copy(from.begin(), from.end(), out.begin());
  return from.size();
}

Error damage(const MediaUse& use, const char* what) {
  return make_error(Code::corrupt, "medium " + model::media_id(use.hash) + ": " + what);
}

// The text that one reference stands for.
class GivenMedium {
 public:
  GivenMedium(const PayloadReader& payloads, const MediaUse& use, const MediumHead& head)
      : payloads_(payloads), use_(use), head_(head), header_(use.header()) {}

  // Fills `out`, which does not reach beyond the end.
  Status read(std::uint64_t offset, std::span<char> out) const {
    const std::size_t of_header = copy(header_, offset, out);
    offset = std::max<std::uint64_t>(offset, header_.size()) - header_.size();
    out = out.subspan(of_header);
    return use_.has_escaped_slashes ? read_escaped(offset, out) : read_plain(offset, out);
  }

 private:
  // The base64 of the bytes from `raw_offset` on, at most kRawSizeBytes of them.
  Result<std::string> encode(std::uint64_t raw_offset, std::uint64_t size_bytes) const {
    std::string raw;
    TL_TRY(payloads_.read(head_.number, raw_offset, std::min(size_bytes, kRawSizeBytes), raw));
    std::string text;
    append_base64(text, raw);
    return text;
  }

  Status read_plain(std::uint64_t offset, std::span<char> out) const {
    while (!out.empty()) {
      TL_TRY_ASSIGN(text, encode(offset / 4 * 3, (out.size() + offset % 4 + 3) / 4 * 3));
      const std::size_t copied = copy(text, offset % 4, out);
      if (copied == 0) return damage(use_, "it is too short");
      offset += copied;
      out = out.subspan(copied);
    }
    return {};
  }

  // Where a slash is takes up two bytes, so only reading from the begin tells the place.
  Status read_escaped(std::uint64_t offset, std::span<char> out) const {
    for (std::uint64_t raw_offset = 0; !out.empty(); raw_offset += kRawSizeBytes) {
      TL_TRY_ASSIGN(plain, encode(raw_offset, kRawSizeBytes));
      if (plain.empty()) return damage(use_, "it is too short");
      const std::string text = escape_slashes(plain);
      const std::size_t copied = copy(text, offset, out);
      offset -= std::min<std::uint64_t>(offset, text.size());
      out = out.subspan(copied);
    }
    return {};
  }

  const PayloadReader& payloads_;
  const MediaUse& use_;
  const MediumHead& head_;
  const std::string header_;
};

}  // namespace

Result<std::size_t> ValueReader::read_stored(const PayloadValue& value, std::uint64_t offset,
                                             std::span<char> out) const {
  if (!value.is_stored) return copy(value.bytes, offset, out);
  if (value.number == 0) return std::size_t{0};  // withheld
  return payloads_.read_into(value.number, offset, out);
}

Result<std::size_t> ValueReader::read_into(const PayloadValue& value, ReadMode mode,
                                           std::uint64_t offset, std::span<char> out) const {
  if (mode == ReadMode::as_stored || !value.has_media()) return read_stored(value, offset, out);
  std::size_t done = 0;
  std::uint64_t stored_at = 0;  // behind the reference before
  std::uint64_t given_at = 0;   // the same place in the payload as it was given
  model::MediaWalker walker(value.media_list);
  for (bool more = true; more && done < out.size();) {
    more = walker.next();
    if (walker.failed()) return make_error(Code::corrupt, "a list of media is damaged");
    // The text before the reference, or up to the end.
    const std::uint64_t text_end = more ? walker.use().offset : value.stored_size_bytes;
    const std::uint64_t text_size = text_end - stored_at;
    if (offset + done < given_at + text_size) {
      const std::uint64_t within = offset + done - given_at;
      const std::span<char> room = out.subspan(done);
      TL_TRY_ASSIGN(read, read_stored(value, stored_at + within,
                                      room.first(static_cast<std::size_t>(std::min<std::uint64_t>(
                                          room.size(), text_size - within)))));
      done += read;
      if (offset + done < given_at + text_size) return done;  // no room, or the payload ends here
    }
    given_at += text_size;
    if (!more) break;
    const MediaUse& use = walker.use();
    stored_at = use.end();
    if (done < out.size() && offset + done < given_at + use.given_size_bytes) {
      TL_TRY_ASSIGN(head, find_medium(transaction_, use.hash));
      if (!head) return damage(use, "it is missing");
      const std::uint64_t within = offset + done - given_at;
      const auto size = static_cast<std::size_t>(
          std::min<std::uint64_t>(out.size() - done, use.given_size_bytes - within));
      TL_TRY(GivenMedium(payloads_, use, *head).read(within, out.subspan(done, size)));
      done += size;
    }
    given_at += use.given_size_bytes;
  }
  return done;
}

Result<std::string> ValueReader::read_all(const PayloadValue& value, ReadMode mode,
                                          std::uint64_t size_bytes_max) const {
  const auto too_long = [] {
    return make_error(Code::corrupt, "a payload is longer than it may be");
  };
  if (size_bytes(value, mode) > size_bytes_max) return too_long();
  if (value.number == 0 && value.is_stored) return std::string();
  if (mode == ReadMode::as_given && value.has_media()) return read_all_as_given(value);
  if (!value.is_stored) return std::string(value.bytes);
  if (size_bytes_max == UINT64_MAX) return payloads_.read_all(value.number);
  std::string all;
  TL_TRY(payloads_.read(value.number, 0, size_bytes_max + 1, all));
  if (all.size() > size_bytes_max) return too_long();
  return all;
}

// Not at once: a damaged list may name any size.
Result<std::string> ValueReader::read_all_as_given(const PayloadValue& value) const {
  std::string all;
  while (all.size() < value.size_bytes) {
    const std::size_t before = all.size();
    const auto step = static_cast<std::size_t>(std::min<std::uint64_t>(
        value.size_bytes - before, std::max<std::uint64_t>(before, kRawSizeBytes)));
    all.resize(before + step);
    TL_TRY_ASSIGN(
        read, read_into(value, ReadMode::as_given, before, std::span<char>(all).subspan(before)));
    all.resize(before + read);
    if (read == 0) break;
  }
  return all;
}

}  // namespace tracelite::payload
