// Finding the next byte that matters in text, many bytes at a time: what makes the scanner as fast
// as memory where text is long and plain. Internal to this room.
//
// A block type loads kSizeBytes bytes and answers questions about all of them at once; the lowest
// set bit of an answer belongs to the first byte that matches, and bits above it may be wrong
// (borrows of the word variant), so only first() may be asked.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace tracelite::payload {

// Eight bytes in an ordinary register: every machine.
class WordBlock {
 public:
  static constexpr std::size_t kSizeBytes = 8;
  using Mask = std::uint64_t;

  explicit WordBlock(const char* at) {
    std::memcpy(&word_, at, sizeof word_);
    if constexpr (std::endian::native == std::endian::big) {
      std::uint64_t turned = 0;
      for (int i = 0; i < 8; ++i) turned |= ((word_ >> (8 * i)) & 0xff) << (56 - 8 * i);
      word_ = turned;
    }
  }
  [[nodiscard]] Mask equal(char byte) const { return zero(word_ ^ repeat(byte)); }
  // Equal if bit 0x20 of both is ignored: '[' and '{', ']' and '}'.
  [[nodiscard]] Mask equal_folded(char byte_with_bit) const {
    return zero((word_ | repeat(0x20)) ^ repeat(byte_with_bit));
  }
  // Below 0x20, or 0x80 and above.
  [[nodiscard]] Mask control_or_not_ascii() const {
    return ((word_ - repeat(0x20)) | word_) & kHigh;
  }
  // Below this one, which is at most 0x80, or 0x80 and above.
  [[nodiscard]] Mask below_or_not_ascii(char byte) const {
    return ((word_ - repeat(byte)) | word_) & kHigh;
  }
  [[nodiscard]] Mask not_ascii() const { return word_ & kHigh; }
  static std::size_t first(Mask mask) {
    return static_cast<std::size_t>(std::countr_zero(mask)) / 8;
  }

 private:
  static constexpr std::uint64_t kLow = 0x0101010101010101U;
  static constexpr std::uint64_t kHigh = 0x8080808080808080U;
  static constexpr std::uint64_t repeat(char byte) {
    return kLow * static_cast<unsigned char>(byte);
  }
  static constexpr Mask zero(std::uint64_t word) { return (word - kLow) & ~word & kHigh; }

  std::uint64_t word_ = 0;
};

#if defined(__SSE2__)
class Sse2Block {
 public:
  static constexpr std::size_t kSizeBytes = 16;
  using Mask = unsigned;

  explicit Sse2Block(const char* at)
      : block_(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at))) {}
  [[nodiscard]] Mask equal(char byte) const {
    return mask(_mm_cmpeq_epi8(block_, _mm_set1_epi8(byte)));
  }
  [[nodiscard]] Mask equal_folded(char byte_with_bit) const {
    return mask(
        _mm_cmpeq_epi8(_mm_or_si128(block_, _mm_set1_epi8(0x20)), _mm_set1_epi8(byte_with_bit)));
  }
  // The comparison is signed, so bytes from 0x80 are below 0x20 as well.
  [[nodiscard]] Mask control_or_not_ascii() const {
    return mask(_mm_cmplt_epi8(block_, _mm_set1_epi8(0x20)));
  }
  [[nodiscard]] Mask below_or_not_ascii(char byte) const {
    return mask(_mm_cmplt_epi8(block_, _mm_set1_epi8(byte)));
  }
  [[nodiscard]] Mask not_ascii() const { return mask(block_); }
  static std::size_t first(Mask mask) { return static_cast<std::size_t>(std::countr_zero(mask)); }

 private:
  static Mask mask(__m128i block) { return static_cast<Mask>(_mm_movemask_epi8(block)); }

  __m128i block_;
};
using ScanBlock = Sse2Block;
#else
using ScanBlock = WordBlock;
#endif

// The first byte in [at, end) of which `block_matches` (a block -> its mask) and `byte_matches`
// (one byte -> bool, the same question) say that it matters; `end` if there is none.
template <class Block, class BlockMatches, class ByteMatches>
inline const char* find_byte(const char* at, const char* end, BlockMatches block_matches,
                             ByteMatches byte_matches) {
  while (static_cast<std::size_t>(end - at) >= Block::kSizeBytes) {
    if (const auto mask = block_matches(Block(at)); mask != 0) return at + Block::first(mask);
    at += Block::kSizeBytes;
  }
  while (at != end && !byte_matches(*at)) ++at;
  return at;
}

// A quote, a backslash, a control character, or a byte that is not ASCII: everything inside a
// string that must be looked at.
template <class Block = ScanBlock>
inline const char* find_string_event(const char* at, const char* end) {
  return find_byte<Block>(
      at, end,
      [](const Block& block) {
        return block.equal('"') | block.equal('\\') | block.control_or_not_ascii();
      },
      [](char byte) {
        const auto value = static_cast<unsigned char>(byte);
        return value < 0x20 || value >= 0x80 || byte == '"' || byte == '\\';
      });
}

// What ends a string or hides its end, in text that need not be checked.
template <class Block = ScanBlock>
inline const char* find_quote_or_backslash(const char* at, const char* end) {
  return find_byte<Block>(
      at, end, [](const Block& block) { return block.equal('"') | block.equal('\\'); },
      [](char byte) { return byte == '"' || byte == '\\'; });
}

// A bracket of any kind, or a quote.
template <class Block = ScanBlock>
inline const char* find_bracket_or_quote(const char* at, const char* end) {
  return find_byte<Block>(
      at, end,
      [](const Block& block) {
        return block.equal('"') | block.equal_folded('{') | block.equal_folded('}');
      },
      [](char byte) { return byte == '"' || (byte | 0x20) == '{' || (byte | 0x20) == '}'; });
}

template <class Block = ScanBlock>
inline const char* find_not_ascii(const char* at, const char* end) {
  return find_byte<Block>(
      at, end, [](const Block& block) { return block.not_ascii(); },
      [](char byte) { return static_cast<unsigned char>(byte) >= 0x80; });
}

// The white space of JSON. Most often there is none, or one byte.
inline bool is_json_space(char byte) {
  return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}
inline const char* skip_json_space(const char* at, const char* end) {
  while (at != end && is_json_space(*at)) ++at;
  return at;
}

}  // namespace tracelite::payload
