// Text of recorded conversations to cut payloads from: of any size, and seldom twice the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

using Random = std::mt19937_64;

// Less than the bound, which is not 0.
inline std::uint64_t below(Random& random, std::uint64_t bound) { return random() % bound; }
inline bool chance(Random& random, std::uint64_t percent) { return below(random, 100) < percent; }

class TextPool {
 public:
  // Of the sources that have short texts: dialogues in English, Chinese and Japanese.
  static TextPool of_corpus();

  // About so many bytes from a random place, cut between characters. They need no escapes in JSON.
  [[nodiscard]] std::string_view cut(Random& random, std::size_t size_bytes) const;
  // A size for a payload: median 300, mean 600, at most kSizeBytesMax (log-normal, clamped).
  [[nodiscard]] std::size_t size(Random& random) const {
    return sizes_[below(random, sizes_.size())];
  }
  static constexpr std::size_t kSizeBytesMax = 4096;

  // What it was made from; "synthetic" where there is no corpus.
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::size_t size_bytes() const { return text_.size(); }

 private:
  TextPool();

  std::string name_;
  std::string text_;
  std::vector<std::uint16_t> sizes_;
};

}  // namespace bench
