// Finding, changing and writing blocks of packed entries.
#include "store/packed_space.hpp"

#include <algorithm>
#include <set>

#include "store/block_codec.hpp"

namespace tracelite::store {
namespace {

// Blocks that grow beyond this in memory are cut, so that inserting stays cheap. It is several
// times what is compressed at once, because what is left over at the end of a block fills no page.
constexpr std::size_t kCutSizeBytes = std::size_t{256} << 10;
// What an entry takes beside key and value, about.
constexpr std::size_t kEntryHeadSizeBytes = 4;
constexpr std::size_t kPageSizeBytes = 4096;
// A block that changes in the middle is left some room, so that the next change does not cut it
// again; one that grows at its end will not change any more.
constexpr double kFillOfChanged = 0.88;
constexpr double kFillOfGrown = 0.98;
constexpr double kFillWorthKeeping = 0.8;
constexpr double kFillOfWholePages = 0.93;
// So little is not left over for a value of its own.
constexpr std::size_t kRestSizeBytes = 2048;

// A patch holds at most so much, and a share of its block; a smaller block is written as a whole.
// A commit that changes more blocks than this writes all of them: it is no trickle.
constexpr std::size_t kPatchSizeBytesMax = std::size_t{16} << 10;
constexpr std::size_t kPatchShare = 2;
constexpr std::size_t kPatchedSizeBytesMin = std::size_t{16} << 10;
constexpr std::size_t kPatchedBlockCountMax = 3;

// Keys share what they begin with, so a hostile block could make them thousands of times as long as
// itself; the writer's are never longer than what it cuts.
constexpr std::size_t kKeysSizeBytesMax = std::size_t{1} << 20;
static_assert(kKeysSizeBytesMax > kCutSizeBytes + kKeySizeBytesMax);

// The largest value that takes so many pages.
std::size_t value_size_bytes_max(std::size_t page_count) {
  return kOnePageValueSizeBytes + (page_count - 1) * kPageSizeBytes;
}
std::size_t page_count_of(std::size_t value_size_bytes) {
  if (value_size_bytes <= kOnePageValueSizeBytes) return 1;
  return 1 + (value_size_bytes - kOnePageValueSizeBytes + kPageSizeBytes - 1) / kPageSizeBytes;
}

// Empty: a block with so long a key has no patch.
std::string patch_key(KeySpace space, Bytes block_key) {
  if (block_key.size() >= kKeySizeBytesMax) return {};
  std::string key(1, static_cast<char>(space));
  key.append(block_key);
  return key;
}

Error damage(KeySpace space) {
  return make_error(Code::corrupt,
                    "a block of key space " +
                        std::string(kKeySpaceNames[static_cast<std::size_t>(space)]) +
                        " makes no sense");
}

std::size_t shared_size_bytes(Bytes a, Bytes b) {
  const std::size_t most = std::min(a.size(), b.size());
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.begin() + most, b.begin()).first -
                                  a.begin());
}

}  // namespace

// The entries of a block, with their keys and values in two runs of bytes. What is replaced leaves
// its bytes behind until they are more than what is left.
struct PackedSpace::Block {
  struct Place {
    std::uint32_t key_at = 0;
    std::uint32_t key_size_bytes = 0;
    std::uint32_t value_at = 0;
    std::uint32_t value_size_bytes = 0;
    [[nodiscard]] std::size_t size_bytes() const {
      return kEntryHeadSizeBytes + key_size_bytes + value_size_bytes;
    }
  };

  std::string begin;
  std::string end;         // the key that the next block begins with; empty: there is none
  std::string stored_key;  // in the file; empty: it is not there
  std::string keys, values;
  std::vector<Place> places;
  std::size_t size_bytes = 0;  // of the entries
  bool changed = false;        // since it was read
  bool grows = false;          // the last change was at its end, or at that of the key space
  // Of those put or erased since the block was written, as long as they make a patch.
  std::set<std::string, std::less<>> patched_keys;
  std::size_t patch_size_bytes = 0;
  bool has_patch = false;     // in the file
  bool is_patchable = false;  // it is in the file, and has changed little

  [[nodiscard]] bool holds(Bytes key) const { return key >= begin && (end.empty() || key < end); }
  [[nodiscard]] Bytes key(const Place& place) const {
    return Bytes(keys).substr(place.key_at, place.key_size_bytes);
  }
  [[nodiscard]] Bytes value(const Place& place) const {
    return Bytes(values).substr(place.value_at, place.value_size_bytes);
  }
  [[nodiscard]] Entry entry(std::size_t index) const {
    const bool is_last = index + 1 == places.size();
    return {key(places[index]), value(places[index]),
            is_last ? Bytes(end) : key(places[index + 1])};
  }
  // The first entry at or behind a key.
  [[nodiscard]] std::size_t first_from(Bytes wanted) const {
    const auto at =
        std::lower_bound(places.begin(), places.end(), wanted,
                         [this](const Place& place, Bytes k) { return key(place) < k; });
    return static_cast<std::size_t>(at - places.begin());
  }
  [[nodiscard]] bool is_at(std::size_t index, Bytes wanted) const {
    return index < places.size() && key(places[index]) == wanted;
  }

  bool parse(std::string raw);
  bool apply_patch(Bytes raw);
  [[nodiscard]] std::string raw_patch() const;
  void note_patched(Bytes key, std::size_t value_size_bytes);
  [[nodiscard]] bool takes_patch() const {
    return is_patchable && size_bytes >= kPatchedSizeBytesMin &&
           patch_size_bytes <= size_bytes / kPatchShare;
  }
  void put(std::size_t index, bool replaces, Bytes key, Bytes value);
  void erase(std::size_t index);
  void tidy();
  // Moves the entries from an index on to another block.
  void move_from(std::size_t index, Block& to);
  // Behind the last of the entries, at least one, that take at most so much.
  [[nodiscard]] std::size_t end_of_run(std::size_t from, std::size_t raw_size_bytes) const;
  [[nodiscard]] std::string raw(std::size_t from, std::size_t to) const;
};

// False if the bytes make no sense.
bool PackedSpace::Block::parse(std::string raw) {
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

// False if the bytes make no sense.
bool PackedSpace::Block::apply_patch(Bytes raw) {
  ByteReader reader(raw);
  std::string key;
  while (!reader.at_end()) {
    const std::uint64_t shared = reader.varint();
    const Bytes rest = reader.text();
    const std::uint64_t value_size_bytes = reader.varint();
    if (reader.failed() || shared > key.size() || shared + rest.size() > kKeySizeBytesMax) {
      return false;
    }
    key.resize(shared);
    key.append(rest);
    if (!holds(key) || keys.size() + key.size() > kKeysSizeBytesMax) return false;
    const std::size_t index = first_from(key);
    const bool replaces = is_at(index, key);
    if (value_size_bytes == 0) {
      if (replaces) erase(index);
    } else {
      const Bytes value = reader.take(value_size_bytes - 1);
      if (reader.failed()) return false;
      put(index, replaces, key, value);
    }
    note_patched(key, value_size_bytes);
  }
  return true;
}

std::string PackedSpace::Block::raw_patch() const {
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

void PackedSpace::Block::note_patched(Bytes key, std::size_t value_size_bytes) {
  if (!is_patchable) return;
  patched_keys.emplace(key);
  patch_size_bytes += kEntryHeadSizeBytes + key.size() + value_size_bytes;
  if (patch_size_bytes <= kPatchSizeBytesMax) return;
  is_patchable = false;
  patched_keys.clear();
}

void PackedSpace::Block::put(std::size_t index, bool replaces, Bytes key, Bytes value) {
  grows = end.empty() || index + (replaces ? 1 : 0) == places.size();
  changed = true;
  Place place;
  place.value_at = static_cast<std::uint32_t>(values.size());
  place.value_size_bytes = static_cast<std::uint32_t>(value.size());
  if (replaces) {
    place.key_at = places[index].key_at;
    place.key_size_bytes = places[index].key_size_bytes;
    size_bytes -= places[index].size_bytes();
    places[index] = place;
  } else {
    place.key_at = static_cast<std::uint32_t>(keys.size());
    place.key_size_bytes = static_cast<std::uint32_t>(key.size());
    keys.append(key);
    places.insert(places.begin() + static_cast<std::ptrdiff_t>(index), place);
  }
  values.append(value);
  size_bytes += place.size_bytes();
  if (values.size() > 2 * (size_bytes + kCutSizeBytes)) tidy();
}

void PackedSpace::Block::erase(std::size_t index) {
  size_bytes -= places[index].size_bytes();
  places.erase(places.begin() + static_cast<std::ptrdiff_t>(index));
  changed = true;
  grows = false;
}

void PackedSpace::Block::tidy() {
  Block fresh;
  move_from(0, fresh);
  keys = std::move(fresh.keys);
  values = std::move(fresh.values);
  places = std::move(fresh.places);
  size_bytes = fresh.size_bytes;
}

void PackedSpace::Block::move_from(std::size_t index, Block& to) {
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

std::size_t PackedSpace::Block::end_of_run(std::size_t from, std::size_t raw_size_bytes) const {
  std::size_t run_size_bytes = places[from].size_bytes();
  std::size_t to = from + 1;
  while (to < places.size() && run_size_bytes + places[to].size_bytes() <= raw_size_bytes) {
    run_size_bytes += places[to++].size_bytes();
  }
  return to;
}

std::string PackedSpace::Block::raw(std::size_t from, std::size_t to) const {
  std::string out;
  Bytes last;
  for (std::size_t i = from; i < to; ++i) {
    const auto [coded_key, coded_value, next_key] = entry(i);
    const std::size_t shared = shared_size_bytes(last, coded_key);
    append_varint(out, shared);
    append_text(out, coded_key.substr(shared));
    append_text(out, coded_value);
    last = coded_key;
  }
  return out;
}

// ------------------------------------------------------------------------------ of a transaction

PackedSpace::PackedSpace(KeySpace space, PackedSpaces& all)
    : space_(space), all_(all), codec_(*all.codec_) {}

PackedSpaces::PackedSpaces() : codec_(std::make_unique<BlockCodec>()) {}
PackedSpaces::~PackedSpaces() = default;

PackedSpaces& PackedSpaces::of(const Transaction& transaction) {
  std::unique_ptr<Companion>& companion = transaction.companion(CompanionSlot::packed);
  if (!companion) companion = std::make_unique<PackedSpaces>();
  return static_cast<PackedSpaces&>(*companion);
}

PackedSpace& PackedSpace::of(const Transaction& transaction, KeySpace space) {
  PackedSpaces& all = PackedSpaces::of(transaction);
  std::unique_ptr<PackedSpace>& one = all.spaces_[static_cast<std::size_t>(space)];
  if (!one) one = std::make_unique<PackedSpace>(space, all);
  one->transaction_ = &transaction;
  return *one;
}

Status PackedSpaces::before_commit(WriteTransaction& transaction) {
  for (const auto& space : spaces_) {
    if (space) TL_TRY(space->flush(transaction, packing_));
  }
  return {};
}

// ------------------------------------------------------------------------------ entries

Result<std::optional<Bytes>> PackedSpace::get(Bytes key) {
  TL_TRY_ASSIGN(block, find(key));
  if (block == nullptr) return std::optional<Bytes>();
  const std::size_t index = block->first_from(key);
  if (!block->is_at(index, key)) return std::optional<Bytes>();
  return std::optional(block->value(block->places[index]));
}

Result<std::optional<PackedSpace::Entry>> PackedSpace::at_least(Bytes key) {
  TL_TRY_ASSIGN(block, find(key));
  if (block == nullptr) {
    TL_TRY_ASSIGN(first, first_from(key));
    block = first;
  }
  while (block != nullptr) {
    const std::size_t index = block->first_from(key);
    if (index < block->places.size()) return std::optional(block->entry(index));
    if (block->end.empty()) break;
    TL_TRY_ASSIGN(next, first_from(block->end));
    block = next;
  }
  return std::optional<Entry>();
}

Result<std::optional<PackedSpace::Entry>> PackedSpace::at_most(Bytes key) {
  TL_TRY_ASSIGN(block, find(key));
  while (block != nullptr) {
    std::size_t index = block->first_from(key);
    if (block->is_at(index, key)) ++index;
    if (index > 0) return std::optional(block->entry(index - 1));
    TL_TRY_ASSIGN(before, last_before(block->begin));
    block = before;
  }
  return std::optional<Entry>();
}

Status PackedSpace::put(Bytes key, Bytes value) {
  if (key.empty()) return make_error(Code::invalid, "a key must not be empty", "key");
  if (key.size() > kKeySizeBytesMax) return make_error(Code::limit, "a key is too long", "key");
  TL_TRY_ASSIGN(block, block_for(key));
  const std::size_t index = block->first_from(key);
  ++all_.changes_;
  block->put(index, block->is_at(index, key), key, value);
  block->note_patched(key, value.size());
  if (block->size_bytes > kCutSizeBytes) cut(block);
  return {};
}

Result<bool> PackedSpace::erase(Bytes key) {
  TL_TRY_ASSIGN(block, find(key));
  if (block == nullptr) return false;
  const std::size_t index = block->first_from(key);
  if (!block->is_at(index, key)) return false;
  ++all_.changes_;
  block->erase(index);
  block->note_patched(key, 0);
  return true;
}

// ------------------------------------------------------------------------------ blocks

Result<PackedSpace::BlockPointer> PackedSpace::load(Cursor& cursor) {
  const auto behind = blocks_.upper_bound(cursor.key());
  if (behind != blocks_.begin() && std::prev(behind)->second->holds(cursor.key())) {
    return std::prev(behind)->second;
  }
  auto block = std::make_shared<Block>();
  block->begin = block->stored_key = cursor.key();
  TL_TRY_ASSIGN(value, cursor.read_value());
  TL_TRY_ASSIGN(raw, decode(value));
  TL_TRY_ASSIGN(more, cursor.next());
  if (more) block->end = cursor.key();
  if (!block->parse(std::move(raw))) return damage(space_);
  block->is_patchable = true;
  TL_TRY(apply_patch(*block));
  make_room();
  size_bytes_ += block->values.size();
  blocks_[block->begin] = block;
  return block;
}

Status PackedSpace::apply_patch(Block& block) {
  const std::string key = patch_key(space_, block.begin);
  if (key.empty()) {
    block.is_patchable = false;
    return {};
  }
  TL_TRY_ASSIGN(patch, transaction_->get(KeySpace::patch, key));
  if (!patch) return {};
  TL_TRY_ASSIGN(raw, decode(*patch));
  if (!block.apply_patch(raw)) return damage(space_);
  block.has_patch = true;
  block.changed = false;
  return {};
}

Result<std::string> PackedSpace::decode(Bytes value) {
  TL_TRY_ASSIGN(coded, parse_block(value));
  if (coded.dictionary == 0) return codec_.decode(coded, nullptr);
  auto& dictionary = dictionaries_[coded.dictionary];
  if (!dictionary) {
    TL_TRY_ASSIGN(stored, read_dictionary(*transaction_, space_, coded.dictionary));
    TL_TRY_ASSIGN(digested, Dictionary::digest(stored.bytes, std::nullopt));
    dictionary = digested;
  }
  return codec_.decode(coded, dictionary.get());
}

Result<PackedSpace::BlockPointer> PackedSpace::find(Bytes key) {
  if (last_found_ != nullptr && last_found_->holds(key)) return last_found_;
  const auto behind = blocks_.upper_bound(key);
  if (behind != blocks_.begin() && std::prev(behind)->second->holds(key)) {
    last_found_ = std::prev(behind)->second;
    return last_found_;
  }
  if (key.empty()) return BlockPointer();
  Cursor cursor = transaction_->key_cursor(space_);
  TL_TRY_ASSIGN(found, cursor.seek(key));
  if (!found || cursor.key() != key) {
    TL_TRY_ASSIGN(before, found ? cursor.previous() : cursor.seek_last());
    if (!before) return BlockPointer();
  }
  return load(cursor);
}

Result<PackedSpace::BlockPointer> PackedSpace::first_from(Bytes key) {
  BlockPointer known;
  if (const auto at = blocks_.lower_bound(key); at != blocks_.end()) known = at->second;
  Cursor cursor = transaction_->key_cursor(space_);
  TL_TRY_ASSIGN(found, cursor.seek(key));
  if (!found || (known != nullptr && known->begin <= cursor.key())) return known;
  return load(cursor);
}

Result<PackedSpace::BlockPointer> PackedSpace::last_before(Bytes key) {
  BlockPointer known;
  if (const auto at = blocks_.lower_bound(key); at != blocks_.begin())
    known = std::prev(at)->second;
  Cursor cursor = transaction_->key_cursor(space_);
  TL_TRY_ASSIGN(found, cursor.seek(key));
  TL_TRY_ASSIGN(before, found ? cursor.previous() : cursor.seek_last());
  if (!before || (known != nullptr && known->begin >= cursor.key())) return known;
  return load(cursor);
}

// Where a new entry goes: what is lower than all there is moves the begin of the first block.
Result<PackedSpace::BlockPointer> PackedSpace::block_for(Bytes key) {
  auto found = find(key);
  if (!found && found.error().code == Code::corrupt) return beside_damage(key);
  if (!found) return std::move(found).error();
  if (*found != nullptr) return *found;
  TL_TRY_ASSIGN(first, first_from(key));
  if (first == nullptr) {
    first = std::make_shared<Block>();
  } else {
    blocks_.erase(first->begin);
  }
  first->begin = key;
  first->changed = true;
  blocks_[first->begin] = first;
  return first;
}

// Damage must not keep anybody from recording more: from this key on there is a new block. Only
// what has the very key of a damaged block has no other place.
Result<PackedSpace::BlockPointer> PackedSpace::beside_damage(Bytes key) {
  Cursor cursor = transaction_->key_cursor(space_);
  TL_TRY_ASSIGN(more, cursor.seek(key));
  if (more && cursor.key() == key) return damage(space_);
  auto block = std::make_shared<Block>();
  block->begin = key;
  if (more) block->end = cursor.key();
  // One that was made in the same way may not be in the file yet.
  const auto behind = blocks_.upper_bound(key);
  if (behind != blocks_.end() && (!more || behind->first < block->end)) block->end = behind->first;
  blocks_[block->begin] = block;
  return block;
}

void PackedSpace::cut(const BlockPointer& block) {
  if (block->places.size() < 2) return;
  std::size_t at = block->places.size() - 1;
  if (!block->grows) {
    std::size_t lower_size_bytes = 0;
    at = 0;
    while (at + 1 < block->places.size() && lower_size_bytes < block->size_bytes / 2) {
      lower_size_bytes += block->places[at++].size_bytes();
    }
  }
  auto upper = std::make_shared<Block>();
  upper->begin = block->key(block->places[at]);
  upper->end = block->end;
  upper->changed = true;
  upper->grows = block->grows;
  block->move_from(at, *upper);
  block->tidy();
  block->is_patchable = false;
  block->end = upper->begin;
  blocks_[upper->begin] = upper;
}

// Whoever holds a block keeps it alive; only what is not in the file must stay.
void PackedSpace::make_room() {
  if (size_bytes_ < kPackedCacheSizeBytesMax) return;
  std::erase_if(blocks_, [](const auto& entry) { return !entry.second->changed; });
  last_found_ = nullptr;
  size_bytes_ = 0;
  ++all_.changes_;
}

// ------------------------------------------------------------------------------ writing

Status PackedSpace::flush(WriteTransaction& transaction, const Packing& packing) {
  std::size_t changed_count = 0;
  bool any_whole = false;
  for (const auto& [begin, block] : blocks_) {
    if (!block->changed || block->places.empty()) continue;
    ++changed_count;
    any_whole |= !block->takes_patch();
  }
  const bool patches = changed_count <= kPatchedBlockCountMax;
  if (any_whole || (!patches && changed_count > 0)) {
    TL_TRY(choose_dictionary(transaction, packing));
  }
  // Also what begins elsewhere now is taken out before anything is put in its place.
  for (const auto& [begin, block] : blocks_) {
    if (!block->changed || block->stored_key.empty()) continue;
    if (block->stored_key == block->begin && !block->places.empty()) continue;
    TL_TRY(erase_patch(transaction, *block));
    TL_TRY(transaction.erase(space_, block->stored_key));
    block->is_patchable = false;
  }
  for (const auto& [begin, block] : blocks_) {
    if (!block->changed || block->places.empty()) continue;
    if (patches && block->takes_patch()) {
      TL_TRY(write_patch(transaction, packing, *block));
    } else {
      TL_TRY(erase_patch(transaction, *block));
      TL_TRY(write(transaction, packing, *block));
    }
  }
  ++all_.changes_;
  blocks_.clear();
  last_found_ = nullptr;
  size_bytes_ = 0;
  return {};
}

Status PackedSpace::write(WriteTransaction& transaction, const Packing& packing, Block& block) {
  for (std::size_t from = 0; from < block.places.size();) {
    TL_TRY_ASSIGN(run, encode(packing, block, from));
    const Bytes key = from == 0 ? Bytes(block.begin) : block.key(block.places[from]);
    TL_TRY(transaction.put(space_, key, run.value));
    from = run.to;
  }
  return {};
}

Status PackedSpace::write_patch(WriteTransaction& transaction, const Packing& packing,
                                const Block& block) {
  TL_TRY_ASSIGN(value, codec_.encode(block.raw_patch(), packing.level, nullptr, 0));
  return transaction.put(KeySpace::patch, patch_key(space_, block.begin), value);
}

Status PackedSpace::erase_patch(WriteTransaction& transaction, const Block& block) {
  if (!block.has_patch) return {};
  auto erased = transaction.erase(KeySpace::patch, patch_key(space_, block.stored_key));
  return erased ? Status() : Status(std::move(erased).error());
}

// The value of as many entries as fill it well: tried with as many as the last ones let expect, and
// then with more or fewer.
Result<PackedSpace::Run> PackedSpace::encode(const Packing& packing, const Block& block,
                                             std::size_t from) {
  const std::size_t count = block.places.size();
  const double fill = block.grows ? kFillOfGrown : kFillOfChanged;
  const std::size_t raw_size_bytes_max = packing.raw_size_bytes_max;
  const auto size_bytes_max = static_cast<double>(value_size_bytes_max(packing.page_count_max));
  const std::size_t whole = block.end_of_run(from, raw_size_bytes_max);
  const auto end_at = [&](double raw_size_bytes) {
    return std::min(whole, block.end_of_run(from, static_cast<std::size_t>(raw_size_bytes)));
  };
  std::size_t to = end_at(expansion_ * size_bytes_max * fill);
  if (whole == count && block.end_of_run(to - 1, kRestSizeBytes) == count) to = count;
  for (bool enlarged = false, shrunk = false;;) {
    const std::string raw = block.raw(from, to);
    TL_TRY_ASSIGN(value, codec_.encode(raw, packing.level, dictionary_.get(), dictionary_number_));
    const auto raw_size_bytes = static_cast<double>(raw.size());
    const auto value_size_bytes = static_cast<double>(value.size());
    const std::size_t pages = page_count_of(value.size());
    const auto shrink_to = [&](std::size_t wanted) {
      const auto size_bytes = static_cast<double>(value_size_bytes_max(wanted));
      to = std::min(to - 1, end_at(raw_size_bytes * size_bytes / value_size_bytes * fill));
      shrunk = true;
    };
    if (to > from + 1 && pages > packing.page_count_max) {
      shrink_to(packing.page_count_max);
      continue;
    }
    if (to < whole && !enlarged && !shrunk &&
        value_size_bytes < kFillWorthKeeping * size_bytes_max * fill) {
      to = std::max(to + 1, end_at(raw_size_bytes * size_bytes_max / value_size_bytes * fill));
      enlarged = true;
      continue;
    }
    // What is left at the end is not cut for the sake of a page.
    const auto of_pages = static_cast<double>(value_size_bytes_max(pages));
    if (to > from + 1 && to < count && pages > 1 && !shrunk &&
        value_size_bytes < kFillOfWholePages * of_pages) {
      shrink_to(pages - 1);
      continue;
    }
    expansion_ = raw_size_bytes / value_size_bytes;
    return Run{value, to};
  }
}

// ------------------------------------------------------------------------------ walking

Result<bool> PackedCursor::seek(Bytes key_at_least) {
  TL_TRY_ASSIGN(found, PackedSpace::of(transaction_, space_).at_least(key_at_least));
  if (!found) return false;
  key_ = found->key;
  value_ = found->value;
  return true;
}

Result<bool> PackedCursor::next() {
  // The key right behind this one.
  std::string after = key_;
  after.push_back('\0');
  return seek(after);
}

}  // namespace tracelite::store
