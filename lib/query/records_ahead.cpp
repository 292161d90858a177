// How far ahead, and the reading.
#include "query/records_ahead.hpp"

#include <algorithm>
#include <numeric>

#include "record/records.hpp"

namespace tracelite::query {
namespace {

// The first rows are given soon; who goes on gets more at once.
constexpr std::size_t kFirstCount = 64;
constexpr std::size_t kGrowth = 4;

}  // namespace

void RecordsAhead::start(const Snapshot::Use& use, std::size_t at, std::size_t count) {
  if (count_next_ == 0) count_next_ = kFirstCount;
  first_ = at;
  generation_ = use.generation();
  records_.assign(std::min(count_next_, count - at), {});
}

Status RecordsAhead::read(const Snapshot::Use& use, record::ContainerNumber container) {
  bytes_.clear();
  std::vector<std::size_t> by_key(records_.size());
  std::iota(by_key.begin(), by_key.end(), std::size_t{0});
  std::sort(by_key.begin(), by_key.end(),
            [&](std::size_t a, std::size_t b) { return records_[a].entity < records_[b].entity; });
  store::PackedSpace& records = record::records(use.transaction());
  std::size_t kept = records_.size();  // a prefix of what is wanted
  for (const std::size_t index : by_key) {
    if (index >= kept) continue;
    Place& place = records_[index];
    const record::RecordKey key{container, record::RecordKind::observation,
                                static_cast<record::EntityKey>(place.entity)};
    TL_TRY_ASSIGN(value, records.get(record::encode(key)));
    if (!value) continue;
    // Of records that are larger than expected the last ones are left out.
    if (bytes_.size() + value->size() > kAheadSizeBytesMax && index > 0) {
      kept = std::max<std::size_t>(index, 1);
      continue;
    }
    place.begin = bytes_.size();
    place.size_bytes = value->size();
    bytes_.append(*value);
  }
  records_.resize(kept);
  const std::size_t size_bytes_each = bytes_.size() / std::max<std::size_t>(kept, 1) + 1;
  count_next_ = std::clamp(kAheadSizeBytesMax / 2 / size_bytes_each, std::size_t{1},
                           std::max(kFirstCount, kept * kGrowth));
  return {};
}

}  // namespace tracelite::query
