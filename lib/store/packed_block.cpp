// The raw form of blocks and patches, and changing the entries of a block.
#include "store/packed_block.hpp"

#include <algorithm>

#include "store/environment.hpp"

namespace tracelite::store {
namespace {

// A patch holds a share of its block; a smaller block is written as a whole.
constexpr std::size_t kPatchShare = 2;
constexpr std::size_t kPatchedSizeBytesMin = std::size_t{16} << 10;

// Keys share what they begin with, so a hostile block could make them thousands of times as long as
// itself; the writer's are never longer than what it cuts.
constexpr std::size_t kKeysSizeBytesMax = std::size_t{1} << 20;
static_assert(kKeysSizeBytesMax > kCutSizeBytes + kKeySizeBytesMax);

std::size_t shared_size_bytes(Bytes a, Bytes b) {
  const std::size_t most = std::min(a.size(), b.size());
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.begin() + most, b.begin()).first -
                                  a.begin());
}

}  // namespace

bool PackedBlock::parse(std::string raw) {
  ByteReader reader(raw);
  std::string last;
  while (!reader.at_end()) {
    const std::uint64_t shared = reader.varint();
    const Bytes rest = reader.text();
    const Bytes held = reader.text();
    if (reader.failed() || shared > last.size() || shared + rest.size() > kKeySizeBytesMax) {
      return false;
    }
    const std::string before = last;
    last.resize(shared);
    last.append(rest);
    if (keys.size() + last.size() > kKeysSizeBytesMax) return false;
    if (places.size() >= kBlockEntriesMax) return false;
    if (!holds(last) || (!places.empty() && last <= before)) return false;
    places.push_back({static_cast<std::uint32_t>(keys.size()),
                      static_cast<std::uint32_t>(last.size()),
                      static_cast<std::uint32_t>(held.data() - raw.data()),
                      static_cast<std::uint32_t>(held.size())});
    keys.append(last);
    size_bytes += places.back().size_bytes();
  }
  values = std::move(raw);
  return true;
}

bool PackedBlock::apply_patch(Bytes raw) {
  ByteReader reader(raw);
  std::string key;
  std::vector<Place> merged;
  merged.reserve(places.size());
  auto next = places.begin();
  while (!reader.at_end()) {
    const std::uint64_t shared = reader.varint();
    const Bytes rest = reader.text();
    const std::uint64_t value_size_bytes = reader.varint();
    const Bytes patched = value_size_bytes == 0 ? Bytes() : reader.take(value_size_bytes - 1);
    if (reader.failed() || shared > key.size() || shared + rest.size() > kKeySizeBytesMax) {
      return false;
    }
    const std::string before = key;
    key.resize(shared);
    key.append(rest);
    if (!holds(key) || key <= before || keys.size() + key.size() > kKeysSizeBytesMax) return false;
    while (next != places.end() && this->key(*next) < key) merged.push_back(*next++);
    const bool is_there = next != places.end() && this->key(*next) == key;
    if (value_size_bytes > 0) merged.push_back(append(is_there ? &*next : nullptr, key, patched));
    if (is_there) ++next;
    note_patched(key, value_size_bytes);
  }
  merged.insert(merged.end(), next, places.end());
  if (merged.size() > kBlockEntriesMax) return false;
  places = std::move(merged);
  size_bytes = size_bytes_between(0, places.size());
  return true;
}

PackedBlock::Place PackedBlock::append(const Place* replaced, Bytes key, Bytes value) {
  Place place;
  place.key_at = replaced != nullptr ? replaced->key_at : static_cast<std::uint32_t>(keys.size());
  place.key_size_bytes = static_cast<std::uint32_t>(key.size());
  place.value_at = static_cast<std::uint32_t>(values.size());
  place.value_size_bytes = static_cast<std::uint32_t>(value.size());
  if (replaced == nullptr) keys.append(key);
  values.append(value);
  return place;
}

std::string PackedBlock::raw_patch() const {
  std::string out;
  Bytes last;
  for (const std::string& patched : patched_keys) {
    const std::size_t shared = shared_size_bytes(last, patched);
    append_varint(out, shared);
    append_text(out, Bytes(patched).substr(shared));
    const std::size_t index = first_from(patched);
    if (is_at(index, patched)) {
      const Bytes held = value(places[index]);
      append_varint(out, held.size() + 1);
      out.append(held);
    } else {
      append_varint(out, 0);
    }
    last = patched;
  }
  return out;
}

void PackedBlock::note_patched(Bytes key, std::size_t value_size_bytes) {
  if (!is_patchable) return;
  patched_keys.emplace(key);
  patch_size_bytes += kEntryHeadSizeBytes + key.size() + value_size_bytes;
  if (patch_size_bytes <= kPatchSizeBytesMax) return;
  is_patchable = false;
  patched_keys.clear();
}

bool PackedBlock::takes_patch() const {
  return is_patchable && size_bytes >= kPatchedSizeBytesMin &&
         patch_size_bytes <= size_bytes / kPatchShare;
}

void PackedBlock::put(std::size_t index, bool replaces, Bytes key, Bytes value) {
  grows = end.empty() || index + (replaces ? 1 : 0) == places.size();
  changed = true;
  const Place place = append(replaces ? &places[index] : nullptr, key, value);
  if (replaces) {
    size_bytes -= places[index].size_bytes();
    places[index] = place;
  } else {
    places.insert(places.begin() + static_cast<std::ptrdiff_t>(index), place);
  }
  size_bytes += place.size_bytes();
  if (values.size() > 2 * (size_bytes + kCutSizeBytes)) tidy();
}

void PackedBlock::erase(std::size_t index) {
  size_bytes -= places[index].size_bytes();
  places.erase(places.begin() + static_cast<std::ptrdiff_t>(index));
  changed = true;
  grows = false;
}

void PackedBlock::tidy() {
  PackedBlock fresh;
  move_from(0, fresh);
  keys = std::move(fresh.keys);
  values = std::move(fresh.values);
  places = std::move(fresh.places);
  size_bytes = fresh.size_bytes;
}

void PackedBlock::become_stored(std::size_t from) {
  if (from > 0) {
    PackedBlock rest;
    rest.begin = key(places[from]);
    move_from(from, rest);
    begin = std::move(rest.begin);
    keys = std::move(rest.keys);
    values = std::move(rest.values);
    places = std::move(rest.places);
    size_bytes = rest.size_bytes;
  }
  stored_key = begin;
  changed = false;
  patched_keys.clear();
  patch_size_bytes = 0;
  has_patch = false;
  is_patchable = stored_key.size() < kKeySizeBytesMax;
}

void PackedBlock::move_from(std::size_t index, PackedBlock& to) {
  for (std::size_t i = index; i < places.size(); ++i) {
    const auto [moved_key, moved_value, next_key] = entry(i);
    to.places.push_back({static_cast<std::uint32_t>(to.keys.size()), places[i].key_size_bytes,
                         static_cast<std::uint32_t>(to.values.size()), places[i].value_size_bytes});
    to.keys.append(moved_key);
    to.values.append(moved_value);
    to.size_bytes += places[i].size_bytes();
    size_bytes -= places[i].size_bytes();
  }
  places.resize(index);
}

std::size_t PackedBlock::end_of_run(std::size_t from, std::size_t raw_size_bytes) const {
  std::size_t run_size_bytes = places[from].size_bytes();
  std::size_t to = from + 1;
  while (to < places.size() && run_size_bytes + places[to].size_bytes() <= raw_size_bytes) {
    run_size_bytes += places[to++].size_bytes();
  }
  return to;
}

std::size_t PackedBlock::size_bytes_between(std::size_t from, std::size_t to) const {
  std::size_t sum_size_bytes = 0;
  for (std::size_t i = from; i < to; ++i) sum_size_bytes += places[i].size_bytes();
  return sum_size_bytes;
}

void PackedBlock::append_raw(std::string& out, std::size_t first, std::size_t from,
                             std::size_t to) const {
  Bytes last = from > first ? key(places[from - 1]) : Bytes();
  for (std::size_t i = from; i < to; ++i) {
    const auto [coded_key, coded_value, next_key] = entry(i);
    const std::size_t shared = shared_size_bytes(last, coded_key);
    append_varint(out, shared);
    append_text(out, coded_key.substr(shared));
    append_text(out, coded_value);
    last = coded_key;
  }
}

}  // namespace tracelite::store
