// See packing.hpp.
#include "store/packing.hpp"

#include <algorithm>
#include <cmath>

namespace tracelite::store {
namespace {

constexpr std::size_t kPageSizeBytes = 4096;
// A block that changes in the middle is left some room, so that the next change does not cut it
// again; one that grows at its end will not change any more.
constexpr double kFillOfChanged = 0.88;
constexpr double kFillOfGrown = 0.98;
// The room that another piece is worth its bytes and time for.
constexpr double kRoomWorthFilling = 0.03;
// How much of the room a piece is to fill: the first one less, the more wrong forecasts were.
constexpr double kFirstShareMin = 0.5;
constexpr double kFirstShareMax = 0.97;
constexpr double kDeviations = 2.5;
constexpr double kNextShare = 0.9;
constexpr double kWeightOfLast = 0.25;
// With which a value that has become too large is compressed once more.
constexpr double kShareOfLess = 0.95;
// So little is not left over for a value of its own.
constexpr std::size_t kRestSizeBytes = 2048;

// The largest value that takes so many pages.
double value_size_bytes_max(std::size_t page_count) {
  return static_cast<double>(kOnePageValueSizeBytes + (page_count - 1) * kPageSizeBytes);
}

// The most pages that are filled with so much, at least one.
std::size_t filled_page_count(double value_size_bytes) {
  const double behind_first = value_size_bytes - value_size_bytes_max(1);
  return 1 + static_cast<std::size_t>(std::max(0.0, behind_first) / kPageSizeBytes);
}

std::size_t floor_of(double size_bytes) {
  return static_cast<std::size_t>(std::max(0.0, size_bytes));
}

}  // namespace

// The value at work.
struct Packer::Run {
  const Packing& packing;
  const PackedBlock& block;
  std::size_t from;
  std::size_t whole;  // more entries must not be decoded at once
  std::size_t to;     // what has been compressed, and to what
  double value_size_bytes;
  double expansion;
  double fill;
  double share;
  // In memory: what is shared by keys is counted with each of them, as it is in all forecasts.
  [[nodiscard]] double entries_size_bytes(std::size_t end) const {
    return static_cast<double>(block.size_bytes_between(from, end));
  }
  [[nodiscard]] double value_size_bytes_most() const {
    return value_size_bytes_max(packing.page_count_max);
  }
  [[nodiscard]] bool is_too_large(std::size_t end, std::size_t size_bytes) const {
    return end > from + 1 && static_cast<double>(size_bytes) > value_size_bytes_most();
  }
};

Result<Packer::Packed> Packer::pack(BlockCodec& codec, const Packing& packing,
                                    const PackingDictionary& dictionary, const PackedBlock& block,
                                    std::size_t from) {
  Run run{packing,
          block,
          from,
          block.end_of_run(from, packing.raw_size_bytes_max),
          from,
          0,
          expansion_,
          block.grows ? kFillOfGrown : kFillOfChanged,
          std::clamp(1 - kDeviations * deviation_, kFirstShareMin, kFirstShareMax)};
  TL_TRY(codec.begin(packing.level, dictionary.digested.get(), dictionary.number,
                     packing.raw_size_bytes_max));
  raw_.clear();
  for (;;) {
    const std::size_t end = end_of_piece(run);
    block.append_raw(raw_, from, run.to, end);
    if (end == run.to || end == run.whole) {
      TL_TRY_ASSIGN(value, codec.finish(raw_));
      if (run.is_too_large(end, value.size())) {
        return pack_less(codec, dictionary, run, end, value.size());
      }
      learn(run.entries_size_bytes(end), static_cast<double>(value.size()));
      return Packed{value, end};
    }
    TL_TRY_ASSIGN(size_bytes, codec.add(raw_));
    if (run.is_too_large(end, size_bytes)) {
      return pack_less(codec, dictionary, run, end, size_bytes);
    }
    run.to = end;
    run.value_size_bytes = static_cast<double>(size_bytes);
    run.expansion = run.entries_size_bytes(end) / run.value_size_bytes;
    run.share = kNextShare;
  }
}

// Behind the entries that are compressed next; `run.to` if the value is to end there.
std::size_t Packer::end_of_piece(const Run& run) const {
  const auto& [packing, block, from, whole, to, value_size_bytes, expansion, fill, share] = run;
  if (to == whole) return to;
  const bool is_last = whole == block.places.size();
  const double rest_size_bytes =
      static_cast<double>(block.size_bytes_between(to, whole)) / expansion;
  const double expected_size_bytes = value_size_bytes + rest_size_bytes;
  if (is_last && expected_size_bytes + kDeviations * deviation_ * rest_size_bytes <=
                     run.value_size_bytes_most()) {
    return whole;
  }
  // What compresses so well that it may take no more entries fills fewer pages.
  const std::size_t page_count =
      std::min(packing.page_count_max, filled_page_count(expected_size_bytes / fill));
  const double target_size_bytes = fill * value_size_bytes_max(page_count);
  if (expected_size_bytes <= target_size_bytes && page_count == 1) return whole;
  const double room_size_bytes = target_size_bytes - value_size_bytes;
  if (to > from) {
    if (room_size_bytes < kRoomWorthFilling * target_size_bytes) return to;
    if (static_cast<double>(block.places[to].size_bytes()) > room_size_bytes * expansion) return to;
  }
  const std::size_t end =
      std::min(whole, block.end_of_run(to, floor_of(room_size_bytes * expansion * share)));
  const bool leaves_little = is_last && block.size_bytes_between(end, whole) <= kRestSizeBytes;
  return leaves_little && expected_size_bytes <= target_size_bytes ? whole : end;
}

// Up to `to` it has become too large.
Result<Packer::Packed> Packer::pack_less(BlockCodec& codec, const PackingDictionary& dictionary,
                                         const Run& run, std::size_t to,
                                         std::size_t value_size_bytes) {
  double size_bytes = static_cast<double>(value_size_bytes);
  for (std::size_t end = to;;) {
    const double target_size_bytes = kShareOfLess * run.fill * run.value_size_bytes_most();
    const double less = run.entries_size_bytes(end) * target_size_bytes / size_bytes;
    end = std::min(end - 1, run.block.end_of_run(run.from, floor_of(less)));
    end = std::max(end, run.from + 1);
    raw_.clear();
    run.block.append_raw(raw_, run.from, run.from, end);
    TL_TRY_ASSIGN(
        value, codec.encode(raw_, run.packing.level, dictionary.digested.get(), dictionary.number));
    if (!run.is_too_large(end, value.size())) {
      learn(run.entries_size_bytes(end), static_cast<double>(value.size()));
      return Packed{value, end};
    }
    size_bytes = static_cast<double>(value.size());
  }
}

void Packer::learn(double entries_size_bytes, double value_size_bytes) {
  // What is short says little about what is long.
  if (value_size_bytes < value_size_bytes_max(1) * kFirstShareMin) return;
  const double expansion = entries_size_bytes / value_size_bytes;
  deviation_ += kWeightOfLast * (std::abs(expansion / expansion_ - 1) - deviation_);
  expansion_ = expansion;
}

}  // namespace tracelite::store
