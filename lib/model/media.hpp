// What a payload register remembers of the media that were taken out of its payload: where their
// references stand, and how to write again what stood there.
//
// Coding of a list (part of a PayloadValue, see entity.hpp): how many (varint, at least 1), then
// for each, ascending by place:
//     varint    bytes of the stored payload between the reference before (or the begin) and this
//               one
//     varint    size of the text that the reference stands for, as it was given
//     32 bytes  SHA-256 of the medium
//     1 byte    bits 0..1: what stood before the base64, see MediaHeader; bit 2: every '/' of the
//               base64 was written as "\/"; bits 3..4: MediaSource
//     text      MIME type: varint size, bytes
//     text      only with MediaHeader::given: what stood before the base64
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/bytes.hpp"
#include "model/limits.hpp"

namespace tracelite::model {

inline constexpr std::size_t kMediaHashSizeBytes = 32;
inline constexpr std::size_t kMediaIdSizeBytes = 22;

enum class MediaHeader : std::uint8_t {
  none = 0,      // base64 alone: the "data" of an object that names the MIME type elsewhere
  data_uri = 1,  // "data:", the MIME type, ";base64,"
  given = 2,     // something else, such as a data URI with parameters
};
enum class MediaSource : std::uint8_t { base64_data_uri = 0, bytes = 1, file = 2 };

// One reference. The views point into the list.
struct MediaUse {
  std::uint64_t offset = 0;  // of the reference, in the payload as it is stored
  std::uint64_t given_size_bytes = 0;
  Bytes hash;
  MediaHeader header_kind = MediaHeader::none;
  bool has_escaped_slashes = false;
  MediaSource source = MediaSource::base64_data_uri;
  Bytes mime;
  Bytes given_header;

  [[nodiscard]] std::string header() const;
  [[nodiscard]] std::string reference() const;
  [[nodiscard]] std::size_t reference_size_bytes() const;
  [[nodiscard]] std::uint64_t end() const { return offset + reference_size_bytes(); }
};

// "type/subtype" of the characters that RFC 6838 allows, at most kMimeSizeBytesMax bytes.
bool is_mime(Bytes text);
// The first kMediaIdSizeBytes characters of the URL-safe base64 of a SHA-256.
std::string media_id(Bytes hash);
// The id in a reference, or the text itself if it is none.
Bytes media_id_in(Bytes text);
// The first 16 bytes of the SHA-256 that an id stands for; nullopt if it is none.
std::optional<std::string> media_id_prefix(Bytes id);

// Walks a list. Usage: while (walker.next()) use(walker.use()).
class MediaWalker {
 public:
  explicit MediaWalker(Bytes list);
  bool next();
  [[nodiscard]] const MediaUse& use() const { return use_; }
  // After the end: the list is damaged.
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  ByteReader reader_;
  std::uint64_t left_ = 0;
  MediaUse use_;
  bool failed_ = false;
};

// Makes a list. Uses must ascend by offset.
class MediaListBuilder {
 public:
  void add(const MediaUse& use);
  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] std::string finish() const;
  // Of a payload with so many stored bytes: its size as it was given.
  [[nodiscard]] std::uint64_t given_size_bytes(std::uint64_t stored_size_bytes) const;

 private:
  std::string uses_;
  std::uint64_t count_ = 0;
  std::uint64_t last_end_ = 0;
  std::uint64_t reference_sizes_ = 0, given_sizes_ = 0;
};

}  // namespace tracelite::model
