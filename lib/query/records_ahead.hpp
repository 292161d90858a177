// Records of one trace that are wanted in another order than they lie in: kept from when all of
// them were looked at, or read ahead in the order of their keys, so that each block of the file is
// decoded once for many of them.
//
// Knows keys and bytes; must not know what a record says. Memory is bounded by kKeptSizeBytesMax
// and kAheadSizeBytesMax, but for one record.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "query/snapshot.hpp"
#include "record/record_key.hpp"

namespace tracelite::query {

inline constexpr std::size_t kKeptSizeBytesMax = std::size_t{8} << 20;
inline constexpr std::size_t kAheadSizeBytesMax = std::size_t{1} << 20;

// As many of the records as there is room for, by their number in the order of their keys.
class KeptRecords {
 public:
  void add(Bytes record) {
    if (bytes_.size() + record.size() > kKeptSizeBytesMax) is_full_ = true;
    if (!is_full_) bytes_.append(record);
    ends_.push_back(bytes_.size());
  }
  // Empty: it was not kept, or there is none.
  [[nodiscard]] Bytes get(std::size_t number) const {
    if (number >= ends_.size()) return {};
    const std::size_t begin = number == 0 ? 0 : ends_[number - 1];
    return Bytes(bytes_).substr(begin, ends_[number] - begin);
  }

 private:
  std::string bytes_;
  std::vector<std::size_t> ends_;
  bool is_full_ = false;
};

class RecordsAhead {
 public:
  // The record of an observation, or empty if it has none of its own kind. `wanted` are the
  // entities that come next, this one first. Valid until the next call. Errors: those of reading.
  template <class Steps>
  Result<Bytes> get(const Snapshot::Use& use, record::ContainerNumber container, const Steps& steps,
                    std::size_t at) {
    if (at < first_ || at >= first_ + records_.size() || generation_ != use.generation()) {
      start(use, at, steps.size());
      for (std::size_t i = 0; i < records_.size(); ++i) records_[i].entity = steps[at + i].entity;
      TL_TRY(read(use, container));
    }
    const Place& place = records_[at - first_];
    return Bytes(bytes_).substr(place.begin, place.size_bytes);
  }

 private:
  struct Place {
    std::int64_t entity = 0;
    std::size_t begin = 0;
    std::size_t size_bytes = 0;
  };
  void start(const Snapshot::Use& use, std::size_t at, std::size_t count);
  Status read(const Snapshot::Use& use, record::ContainerNumber container);

  std::size_t first_ = 0;  // of the steps
  std::vector<Place> records_;
  std::string bytes_;
  std::uint64_t generation_ = 0;
  std::size_t count_next_ = 0;  // how many to read the next time
};

}  // namespace tracelite::query
