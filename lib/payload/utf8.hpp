// One step of UTF-8 (Unicode, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF).
// Internal to this room; others use is_valid_utf8 of json_scanner.hpp.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tracelite::payload {

enum class Utf8Verdict : std::uint8_t { valid, invalid, cut };

struct Utf8Step {
  Utf8Verdict verdict = Utf8Verdict::invalid;
  std::size_t size_bytes = 0;  // how many bytes fit: the whole character, or what came before the
                               // byte that does not fit (0 if it is the first) or before the end
};

// Looks at the character that starts at `at`, which must lie before `end`.
inline Utf8Step utf8_step(const char* at, const char* end) {
  const auto byte = [at](std::size_t i) { return static_cast<unsigned char>(at[i]); };
  const auto available = static_cast<std::size_t>(end - at);
  const unsigned lead = byte(0);
  if (lead < 0x80) return {Utf8Verdict::valid, 1};
  if (lead < 0xc2 || lead > 0xf4) return {Utf8Verdict::invalid, 0};

  const std::size_t size_bytes = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  // The second byte's range keeps out overlong forms, surrogates and what is above U+10FFFF.
  const unsigned least = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  const unsigned most = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  if (available < 2) return {Utf8Verdict::cut, 1};
  if (byte(1) < least || byte(1) > most) return {Utf8Verdict::invalid, 1};
  for (std::size_t i = 2; i < size_bytes; ++i) {
    if (available <= i) return {Utf8Verdict::cut, i};
    if ((byte(i) & 0xc0) != 0x80) return {Utf8Verdict::invalid, i};
  }
  return {Utf8Verdict::valid, size_bytes};
}

// Skips characters that are valid and not ASCII: the end, an ASCII byte, or the start of a faulty
// character. Three bytes at a time, because text that is mostly not ASCII is mostly of such.
inline const char* skip_not_ascii(const char* at, const char* end) {
  while (at != end && static_cast<unsigned char>(*at) >= 0x80) {
    if (end - at >= 3) {
      const unsigned lead = static_cast<unsigned char>(at[0]);
      const unsigned second = static_cast<unsigned char>(at[1]);
      const unsigned third = static_cast<unsigned char>(at[2]);
      if (lead > 0xe0 && lead < 0xf0 && lead != 0xed && (second & 0xc0) == 0x80 &&
          (third & 0xc0) == 0x80) {
        at += 3;
        continue;
      }
    }
    const Utf8Step step = utf8_step(at, end);
    if (step.verdict != Utf8Verdict::valid) return at;
    at += step.size_bytes;
  }
  return at;
}

}  // namespace tracelite::payload
