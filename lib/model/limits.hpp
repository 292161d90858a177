// The limits of what is given to the library, by name. Each has a test at its edge: in
// tests/api/limits_test.cpp or where its comment says. How large something may lie in the file is
// said beside its bytes, how much memory something takes beside what takes it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tracelite::model {

// ---- those of Langfuse, which its clients rely on (MODEL: Identifiers, Trace, Score, Session)

inline constexpr std::size_t kIdSizeBytesMax = 800;
inline constexpr std::size_t kShortTextCharactersMax = 200;  // session, user, version, tag
inline constexpr std::size_t kNameCharactersMax = 1000;
inline constexpr std::size_t kEnvironmentCharactersMax = 40;
inline constexpr std::size_t kScoreTextCharactersMax = 500;
inline constexpr int kCostDecimalPlaces = 12;

// ---- ours, of values

// The largest cost is 10^20, either way: a million of them can be added in 128 bits
// (tests/model/values_test.cpp).
inline constexpr int kCostPowerOfTenMax = 20;
// Deeper objects in metadata are one value: they are replaced whole, not merged by key.
inline constexpr std::size_t kMetadataMergeDepthMax = 64;
// And so are those with more bytes of keys above them, which each of their values would repeat.
inline constexpr std::size_t kMetadataMergePathSizeBytesMax = 512;

// Any metadata can be recorded. Of what is larger the index has no keys, so that whoever makes one,
// of a stranger's file as well, needs no more memory for it (tests/index/attributes_test.cpp).
inline constexpr std::size_t kIndexedMetadataSizeBytesMax = std::size_t{16} << 20;

// ---- ours, of media: what passes one stays in its payload (tests/payload/media_scan_test.cpp)

// Of base64; what is shorter would take more room as a reference, its place and a medium.
inline constexpr std::size_t kMediaTextSizeBytesMin = 128;
// Base64 with escaped slashes can only be read from its begin on.
inline constexpr std::size_t kEscapedMediaTextSizeBytesMax = std::size_t{4} << 20;
inline constexpr std::size_t kMediaDepthMax = 64;  // of objects that say what their base64 is
inline constexpr std::size_t kMimeSizeBytesMax = 100;
inline constexpr std::size_t kMediaHeaderSizeBytesMax = 256;  // what stands before the base64
// Every row of a list decodes the record, and with it the list of its media.
inline constexpr std::size_t kMediaPerPayloadMax = 1000;

// ---- ours, of imports (tests/exchange/langfuse_stream_test.cpp)

// A document that spans lines (a pretty-printed batch) is held whole; a line may not be longer
// either.
inline constexpr std::size_t kDocumentSizeBytesMax = std::size_t{1} << 30;

// ---- ours, of tl_options

// It is address space that is reserved at once.
inline constexpr std::uint64_t kQueueSizeBytesMax = std::uint64_t{1} << 36;
inline constexpr std::int32_t kCompressionLevelMax = 19;  // beyond it reading takes much memory
inline constexpr std::uint32_t kDictionarySizeBytesMax = std::uint32_t{1} << 20;
// Less would be below what an empty file and its next commits take.
inline constexpr std::uint64_t kRetentionSizeBytesMin = std::uint64_t{1} << 20;

// ---- ours, of tl_filter

// Each is a condition of a statement, whose depth SQLite bounds.
inline constexpr std::size_t kFilterTagCountMax = 200;

// ---- ours, of what is told: what is longer is cut between characters
// (tests/api/errors_test.cpp)

inline constexpr std::size_t kErrorFieldSizeBytesMax = 255;
inline constexpr std::size_t kErrorMessageSizeBytesMax = 5119;  // the longest path, and more

}  // namespace tracelite::model
