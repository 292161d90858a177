#include "bench/text_pool.hpp"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "bench/event.hpp"
#include "bench/events.hpp"

namespace bench {
namespace {

constexpr std::size_t kSizeCount = 1 << 16;
constexpr double kMedianSizeBytes = 300;
constexpr double kSpread = 1.25;  // with the clamp it makes the mean 600
constexpr double kSizeBytesMin = 48;

bool is_inside_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

// What JSON must escape becomes a blank, so that any cut of it is the inside of a JSON string.
void append_plain(std::string& to, std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    char byte = text[i];
    if (byte == '\\' && i + 1 < text.size()) {
      ++i;
      byte = ' ';
    }
    if (static_cast<unsigned char>(byte) < 0x20 || byte == '"' || byte == '\\') byte = ' ';
    if (byte == ' ' && !to.empty() && to.back() == ' ') continue;
    to += byte;
  }
}

}  // namespace

TextPool::TextPool() {
  Random random(20'260'801);
  sizes_.reserve(kSizeCount);
  constexpr double kUnit = 1.0 / 18446744073709551616.0;  // 2^-64
  while (sizes_.size() < kSizeCount) {
    const double radius =
        std::sqrt(-2 * std::log((static_cast<double>(random()) + 1) * kUnit + 1e-300));
    const double angle = 2 * M_PI * static_cast<double>(random()) * kUnit;
    const double size = kMedianSizeBytes * std::exp(kSpread * radius * std::cos(angle));
    sizes_.push_back(static_cast<std::uint16_t>(
        std::clamp(size, kSizeBytesMin, static_cast<double>(kSizeBytesMax))));
  }
}

TextPool TextPool::of_corpus() {
  TextPool pool;
  std::unordered_set<std::string> seen;
  for (const char* source : {"taubench", "kdconv", "mtbench"}) {
    const Events events = Events::of_source(source);
    pool.name_ += (pool.name_.empty() ? "" : "+") + events.name();
    const PreparedEvents prepared(events);
    for (const Event& event : prepared.all()) {
      for (const std::string_view payload : payloads_of(event)) {
        if (payload.size() > kSizeBytesMax || !seen.emplace(payload).second) continue;
        append_plain(pool.text_, payload);
      }
    }
    if (events.name() == "synthetic") {
      pool.name_ = "synthetic";
      break;
    }
  }
  return pool;
}

std::string_view TextPool::cut(Random& random, std::size_t size_bytes) const {
  size_bytes = std::min(size_bytes, text_.size() / 2);
  std::size_t begin = below(random, text_.size() - size_bytes);
  std::size_t end = begin + size_bytes;
  while (begin < end && is_inside_character(text_[begin])) ++begin;
  while (end > begin && is_inside_character(text_[end])) --end;
  return std::string_view(text_).substr(begin, end - begin);
}

}  // namespace bench
