// Bytes as every room passes them: unowned views, and the integer codings that records use.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace tracelite {

using Bytes = std::string_view;  // bytes of any kind; the owner is named where it is returned

template <class Integer>
void append_big_endian(std::string& out, Integer value, int size_bytes = sizeof(Integer)) {
  for (int shift = (size_bytes - 1) * 8; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>((static_cast<std::uint64_t>(value) >> shift) & 0xff));
  }
}

inline std::uint64_t read_big_endian(Bytes bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes) value = (value << 8) | static_cast<unsigned char>(byte);
  return value;
}

// LEB128: seven bits a byte, least significant first.
inline void append_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

inline std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
inline std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

// Which of 8 bytes are not printable ASCII: their high bits are set.
inline std::uint64_t unprintable_of(std::uint64_t word) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  const std::uint64_t deleted = word ^ (0x7f * kOnes);  // 0 where a byte is DEL
  return (word | ((word - 0x20 * kOnes) & ~word) | ((deleted - kOnes) & ~deleted)) & (0x80 * kOnes);
}

// True if every byte is printable ASCII: 8 at a time, for texts that mostly are.
inline bool is_printable_ascii(Bytes text) {
  std::uint64_t found = 0;
  std::uint64_t word = 0;
  for (; text.size() >= sizeof word; text.remove_prefix(sizeof word)) {
    std::memcpy(&word, text.data(), sizeof word);
    found |= unprintable_of(word);
  }
  word = 0x2020202020202020;
  for (const char c : text) word = word << 8 | static_cast<unsigned char>(c);
  return (found | unprintable_of(word)) == 0;
}

// Sum and difference that wrap around: a difference of any two times fits and comes back.
inline std::int64_t wrapping_add(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
inline std::int64_t wrapping_subtract(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}

inline void append_text(std::string& out, Bytes text) {
  append_varint(out, text.size());
  out.append(text);
}

// Reads codings from bytes that may be damaged: every read says whether it fitted.
class ByteReader {
 public:
  explicit ByteReader(Bytes bytes) : rest_(bytes) {}

  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] Bytes rest() const { return rest_; }

  std::uint8_t byte() {
    if (rest_.empty()) return fail();
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const std::uint8_t next = byte();
      value |= static_cast<std::uint64_t>(next & 0x7f) << shift;
      if ((next & 0x80) == 0) return value;
    }
    return fail();
  }

  std::int64_t signed_varint() { return unzigzag(varint()); }

  std::uint64_t big_endian(std::size_t size_bytes) { return read_big_endian(take(size_bytes)); }

  Bytes take(std::uint64_t size_bytes) {
    if (size_bytes > rest_.size()) {
      fail();
      return {};
    }
    const Bytes taken = rest_.substr(0, static_cast<std::size_t>(size_bytes));
    rest_.remove_prefix(static_cast<std::size_t>(size_bytes));
    return taken;
  }

  Bytes text() { return take(varint()); }

  // For readers of codings made of these: what was read makes no sense.
  std::uint8_t fail() {
    failed_ = true;
    rest_ = {};
    return 0;
  }

 private:
  Bytes rest_;
  bool failed_ = false;
};

}  // namespace tracelite
