// Finding, changing and writing blocks of packed entries.
#include "store/packed_space.hpp"

#include <algorithm>
#include <utility>

#include "store/block_codec.hpp"

namespace tracelite::store {

static_assert(kEntrySizeBytesMax + 2 * (kCutSizeBytes + kKeySizeBytesMax) < kRawSizeBytesMax);
namespace {

// A commit that changes more blocks than this writes all of them: it is no trickle.
constexpr std::size_t kPatchedBlockCountMax = 3;
// It is written anew with each commit, so time counts for more than bytes.
constexpr int kPatchLevelMax = 1;

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

}  // namespace

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
    if (!space) continue;
    space->transaction_ = &transaction;
    TL_TRY(space->flush(transaction, packing_));
  }
  return {};
}

void PackedSpaces::forget_unchanged() {
  for (const auto& space : spaces_) {
    if (!space) continue;
    space->forget_unchanged();
    space->dictionaries_.clear();
  }
}

std::size_t PackedSpaces::held_size_bytes(KeySpace space) const {
  const auto& one = spaces_[static_cast<std::size_t>(space)];
  std::size_t size_bytes = 0;
  if (!one) return size_bytes;
  for (const auto& [begin, block] : one->blocks_) size_bytes += block->held_size_bytes();
  return size_bytes;
}

std::size_t PackedSpaces::dictionary_count(KeySpace space) const {
  const auto& one = spaces_[static_cast<std::size_t>(space)];
  return one ? one->dictionaries_.size() : 0;
}

void PackedSpaces::rest() {
  packing_ = kQuickPacking;
  codec_->rest();
  for (const auto& space : spaces_) {
    if (space) space->transaction_ = nullptr;
  }
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
  if (value.size() > kEntrySizeBytesMax) {
    return make_error(Code::limit, "what is to be stored as one record has " +
                                       std::to_string(value.size()) + " bytes, more than " +
                                       std::to_string(kEntrySizeBytesMax) +
                                       "; give long text as input, output or metadata");
  }
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

Status PackedSpace::renew(Bytes block_key) {
  TL_TRY_ASSIGN(block, find(block_key));
  if (block == nullptr) return {};
  ++all_.changes_;
  block->changed = true;
  block->is_patchable = false;
  return {};
}

// ------------------------------------------------------------------------------ blocks

Result<PackedSpace::BlockPointer> PackedSpace::load(Cursor& cursor) {
  const auto behind = blocks_.upper_bound(cursor.key());
  if (behind != blocks_.begin() && std::prev(behind)->second->holds(cursor.key())) {
    return std::prev(behind)->second;
  }
  auto block = std::make_shared<Block>();
  ++all_.load_count_;
  block->begin = block->stored_key = cursor.key();
  TL_TRY_ASSIGN(value, cursor.read_value());
  TL_TRY_ASSIGN(raw, decode(value));
  TL_TRY_ASSIGN(more, cursor.next());
  if (more) block->end = cursor.key();
  if (!block->parse(std::move(raw))) return damage(space_);
  block->is_patchable = true;
  TL_TRY(apply_patch(*block));
  make_room();
  size_bytes_ += block->held_size_bytes();
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
  TL_TRY_ASSIGN(raw, decode(*patch, kPatchRawSizeBytesMax));
  if (!block.apply_patch(raw)) return damage(space_);
  block.has_patch = true;
  block.changed = false;
  return {};
}

Result<std::string> PackedSpace::decode(Bytes value, std::size_t raw_size_bytes_max) {
  TL_TRY_ASSIGN(coded, parse_block(value));
  if (coded.raw_size_bytes > raw_size_bytes_max) return damage(space_);
  if (coded.dictionary == 0) return codec_.decode(coded, nullptr);
  TL_TRY_ASSIGN(named, dictionary(coded.dictionary));
  return codec_.decode(coded, named.get());
}

Result<std::shared_ptr<const Dictionary>> PackedSpace::dictionary(DictionaryNumber number) {
  const auto known = std::find_if(dictionaries_.begin(), dictionaries_.end(),
                                  [&](const auto& one) { return one.number == number; });
  if (known != dictionaries_.end()) {
    std::rotate(known, known + 1, dictionaries_.end());
    return dictionaries_.back().dictionary;
  }
  TL_TRY_ASSIGN(stored, read_dictionary(*transaction_, space_, number));
  TL_TRY_ASSIGN(digested, Dictionary::digest(stored.bytes, std::nullopt));
  if (dictionaries_.size() >= kPackedDictionariesMax) dictionaries_.erase(dictionaries_.begin());
  dictionaries_.push_back({number, digested});
  return digested;
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
  knows_ends_ = false;
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
  if (size_bytes_ >= kPackedCacheSizeBytesMax) forget_unchanged();
}

void PackedSpace::forget_unchanged() {
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
    knows_ends_ = knows_ends_ && !(block->changed && block->places.empty());
    if (!block->changed || block->stored_key.empty()) continue;
    if (block->stored_key == block->begin && !block->places.empty()) continue;
    knows_ends_ = false;
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
  keep_the_last();
  return {};
}

// What is recorded comes mostly at the end, or not far from it.
void PackedSpace::keep_the_last() {
  ++all_.changes_;
  last_found_ = nullptr;
  size_bytes_ = 0;
  std::map<std::string, BlockPointer, std::less<>> kept;
  for (auto at = blocks_.rbegin(); knows_ends_ && at != blocks_.rend(); ++at) {
    const BlockPointer& block = at->second;
    const std::size_t held_size_bytes = block->held_size_bytes();
    if (block->changed || size_bytes_ + held_size_bytes > kPackedKeptSizeBytesMax) continue;
    size_bytes_ += held_size_bytes;
    kept.emplace(block->begin, block);
  }
  blocks_ = std::move(kept);
  knows_ends_ = true;
}

Status PackedSpace::write(WriteTransaction& transaction, const Packing& packing, Block& block) {
  std::size_t last = 0;
  for (std::size_t from = 0; from < block.places.size();) {
    TL_TRY_ASSIGN(run, packer_.pack(codec_, packing, dictionary_, block, from));
    const Bytes key = from == 0 ? Bytes(block.begin) : block.key(block.places[from]);
    TL_TRY(transaction.put(space_, key, run.value));
    last = std::exchange(from, run.to);
  }
  block.become_stored(last);
  return {};
}

Status PackedSpace::write_patch(WriteTransaction& transaction, const Packing& packing,
                                Block& block) {
  const std::string raw = block.raw_patch();
  TL_TRY_ASSIGN(value, codec_.encode(raw, std::min(packing.level, kPatchLevelMax), nullptr, 0));
  TL_TRY(transaction.put(KeySpace::patch, patch_key(space_, block.begin), value));
  block.patch_size_bytes = raw.size();
  block.has_patch = true;
  block.changed = false;
  return {};
}

Status PackedSpace::erase_patch(WriteTransaction& transaction, const Block& block) {
  if (!block.has_patch) return {};
  auto erased = transaction.erase(KeySpace::patch, patch_key(space_, block.stored_key));
  return erased ? Status() : Status(std::move(erased).error());
}

Result<std::optional<std::string>> renew_patched_blocks(WriteTransaction& transaction,
                                                        Bytes behind) {
  constexpr std::size_t kBlockCountMax = 64;
  std::vector<std::string> keys;
  {
    Cursor patches = transaction.key_cursor(KeySpace::patch);
    TL_TRY_ASSIGN(more, patches.seek(behind));
    while (more && keys.size() < kBlockCountMax) {
      if (patches.key() != behind) keys.emplace_back(patches.key());
      TL_TRY_ASSIGN(again, patches.next());
      more = again;
    }
  }
  for (const std::string& key : keys) {
    const auto space = static_cast<std::size_t>(static_cast<unsigned char>(key.front()));
    if (space >= kKeySpaceCount || key.size() < 2) continue;
    const Status renewed =
        PackedSpace::of(transaction, static_cast<KeySpace>(space)).renew(Bytes(key).substr(1));
    if (!renewed && renewed.error().code != Code::corrupt) return renewed.error();
  }
  if (keys.size() < kBlockCountMax) return std::optional<std::string>();
  return std::optional(std::move(keys.back()));
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
