// Three kinds of cuts, all decided by a few bytes:
//  - before `{` and behind `}`: elements of arrays, content parts, tools, objects in escaped JSON;
//  - at a quote, if the text since the last cut candidate was long (a string's content), or else by
//    chance, so that text full of quotes is cut every few dozen bytes;
//  - in long text without either, by a rolling hash over its bytes.
#include "payload/splitter.hpp"

#include <xxhash.h>

#include <array>
#include <cstring>

namespace tracelite::payload {
namespace {

constexpr std::uint32_t kLongRunSizeBytes = 48;        // a string of its own
constexpr std::uint32_t kRollingStartSizeBytes = 256;  // text without anchors is cut behind this

enum class Anchor : std::uint8_t { none, open, close, quote };

constexpr std::array<Anchor, 256> make_anchors() {
  std::array<Anchor, 256> anchors{};
  anchors['{'] = Anchor::open;
  anchors['}'] = Anchor::close;
  anchors['"'] = Anchor::quote;
  return anchors;
}
constexpr std::array<Anchor, 256> kAnchors = make_anchors();

// Multipliers of the rolling hash: any fixed random numbers; made by SplitMix64.
constexpr std::array<std::uint64_t, 256> make_gear() {
  std::array<std::uint64_t, 256> gear{};
  std::uint64_t state = 0x7261636c69746531;
  for (std::uint64_t& value : gear) {
    state += 0x9e3779b97f4a7c15;
    std::uint64_t mixed = state;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    value = mixed ^ (mixed >> 31);
  }
  return gear;
}
constexpr std::array<std::uint64_t, 256> kGear = make_gear();
constexpr std::uint64_t kGearMask = 0xff00000000000000;  // one cut in 256 bytes

// One quote in eight, by the bytes behind it.
bool quote_cuts(Bytes behind) {
  std::uint64_t word = 0;
  std::memcpy(&word, behind.data(), behind.size() < sizeof word ? behind.size() : sizeof word);
  return (word * 0x9e3779b97f4a7c15) >> 61 == 0;
}

class Cutter {
 public:
  Cutter(Bytes bytes, std::uint64_t seed, std::vector<Piece>& pieces)
      : bytes_(bytes), seed_(seed), pieces_(pieces) {}

  void run() {
    std::uint64_t gear = 0;
    const auto size = static_cast<std::uint32_t>(bytes_.size());
    for (std::uint32_t at = 0; at < size; ++at) {
      const auto byte = static_cast<std::uint8_t>(bytes_[at]);
      switch (kAnchors[byte]) {
        case Anchor::none:
          gear = (gear << 1) + kGear[byte];
          if (at - start_ >= kRollingStartSizeBytes &&
              ((gear & kGearMask) == 0 || at - start_ >= kPieceSizeBytesMax - 1)) {
            cut(at + 1, false);
          }
          break;
        case Anchor::open:
          cut(at, true);
          last_anchor_ = at;
          break;
        case Anchor::close:
          cut(at + 1, true);
          last_anchor_ = at + 1;
          break;
        case Anchor::quote:
          if (at - last_anchor_ >= kLongRunSizeBytes || quote_cuts(bytes_.substr(at + 1))) {
            cut(at, false);
          } else if (at - start_ >= kPieceSizeBytesMax - 1) {
            cut(at + 1, false);
          }
          last_anchor_ = at;
          break;
      }
    }
    cut(size, true);
  }

 private:
  void cut(std::uint32_t end, bool ends_structure) {
    if (end == start_) return;
    const std::uint32_t size_bytes = end - start_;
    const std::uint64_t hash =
        size_bytes < kPieceSizeBytesMin ? 0 : hash_of(bytes_.substr(start_, size_bytes), seed_);
    if (joins_last(size_bytes)) {
      pieces_.back().size_bytes += size_bytes;
      pieces_.back().ends_structure = ends_structure;
    } else {
      pieces_.push_back({start_, size_bytes, ends_structure, hash});
    }
    start_ = end;
  }
  // Neighbours that are still too short to be looked for are one: text that is all braces would
  // have as many pieces as bytes.
  [[nodiscard]] bool joins_last(std::uint32_t size_bytes) const {
    return !pieces_.empty() && pieces_.back().size_bytes + size_bytes < kPieceSizeBytesMin;
  }

  Bytes bytes_;
  std::uint64_t seed_;
  std::vector<Piece>& pieces_;
  std::uint32_t start_ = 0;
  std::uint32_t last_anchor_ = 0;
};

}  // namespace

std::uint64_t hash_of(Bytes bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed) & testing::hash_mask;
}

void split(Bytes bytes, std::uint64_t seed, std::vector<Piece>& pieces) {
  pieces.clear();
  Cutter(bytes, seed, pieces).run();
}

}  // namespace tracelite::payload
