// The life of a group in memory: loaded, grown, written, dropped.
#include "payload/group_writer.hpp"

#include <algorithm>
#include <map>
#include <random>

namespace tracelite::payload {

using store::KeySpace;

namespace {

constexpr std::size_t kLoadedWindowSizeBytesMax = kLogWindowSizeBytesMax / 2;
// What a recipe takes beside literals.
constexpr std::size_t kRecipeOverheadSizeBytesMax =
    kRecipeHeadSizeBytesMax + kOperationCountMax * kOperationHeadSizeBytesMax;
constexpr std::size_t kPiecesKeptMax = 32'768;
constexpr std::uint64_t kSegmentSizeBytesUsual = 2 * kSegmentSizeBytesMin;

Result<std::uint64_t> seed_of_file(store::WriteTransaction& transaction) {
  TL_TRY_ASSIGN(known, read_piece_seed(transaction));
  if (known != 0) return known;
  std::random_device random;
  const std::uint64_t seed = (std::uint64_t{random()} << 32 | random()) | 1;
  std::string value;
  append_big_endian(value, seed);
  TL_TRY(transaction.put(KeySpace::meta, "piece_seed", value));
  return seed;
}

}  // namespace

// ------------------------------------------------------------------------------ payloads

Result<std::optional<PayloadNumber>> GroupWriter::put(store::WriteTransaction& transaction,
                                                      GroupNumber number, Bytes bytes) {
  if (number == 0 || number > kGroupNumberMax || bytes.size() > kSharedPayloadSizeBytesMax) {
    return std::optional<PayloadNumber>();
  }
  if (!groups_.contains(number)) TL_TRY(make_room(transaction));
  auto opened = open(transaction, number);
  // Damage to what is there must not keep anybody from recording more.
  if (!opened && opened.error().code == Code::corrupt) return std::optional<PayloadNumber>();
  if (!opened) return std::move(opened).error();
  Group* group = *opened;
  const std::size_t slot_count = group->slots.size() + bytes.size() / kSegmentSizeBytesMin + 1;
  if (group->end() + bytes.size() + kRecipeOverheadSizeBytesMax > kLogSizeBytesMax ||
      slot_count > kSlotCountMax) {
    return std::optional<PayloadNumber>();
  }
  Encoder encoder(transaction, segments_, seed_, pieces_, *group, bytes);
  TL_TRY_ASSIGN(position, encoder.run());
  ++group->payload_count;
  group->changed = true;
  return std::optional(payload_number({number, position}));
}

Status GroupWriter::erase(store::WriteTransaction& transaction, GroupPosition at) {
  const auto known = groups_.find(at.group);
  if (known == groups_.end()) return erase_in_file(transaction, at.group);
  Group* group = known->second.get();
  if (group->payload_count == 0) return {};  // there is none
  group->changed = true;
  if (--group->payload_count > 0) return {};
  const std::vector<SegmentNumber> slots = std::move(group->slots);
  groups_.erase(known);
  return remove(transaction, at.group, slots);
}

// Of a group that is not in memory. As long as its head can be read, it goes on counting.
Status GroupWriter::erase_in_file(store::WriteTransaction& transaction, GroupNumber number) {
  auto found = read_head(transaction, number);
  if (!found && found.error().code != Code::corrupt) return std::move(found).error();
  if (!found || !*found || (*found)->payload_count == 0) return {};
  GroupHead& head = **found;
  if (--head.payload_count > 0) {
    return frames(transaction).put(head_key(number), encode(head));
  }
  std::vector<SegmentNumber> slots;
  for (std::uint64_t slot = 0; slot < head.slot_count; ++slot) {
    const auto segment = read_slot(transaction, number, slot);
    if (segment) {
      slots.push_back(*segment);
    } else if (segment.error().code == Code::corrupt) {
      slot |= kSlotsPerEntry - 1;  // nor can the others of this entry
    } else {
      return segment.error();
    }
  }
  return remove(transaction, number, slots);
}

Result<std::uint64_t> GroupWriter::kept_size_bytes(store::WriteTransaction& transaction,
                                                   GroupNumber number) const {
  if (const auto known = groups_.find(number); known != groups_.end()) {
    return known->second->end() + known->second->slots.size() * kSegmentSizeBytesUsual;
  }
  const auto head = read_head(transaction, number);
  // Damage to what is there must not keep anybody from recording more.
  if (!head && head.error().code == Code::corrupt) return kLogSizeBytesMax;
  if (!head) return head.error();
  if (!*head) return std::uint64_t{0};
  return (*head)->size_bytes + (*head)->slot_count * kSegmentSizeBytesUsual;
}

std::optional<Bytes> GroupWriter::unwritten_log(GroupNumber number, std::uint64_t position) const {
  const auto known = groups_.find(number);
  if (known == groups_.end() || position < known->second->window_start) return std::nullopt;
  return known->second->from(position);
}

std::optional<SegmentNumber> GroupWriter::unwritten_slot(GroupNumber number,
                                                         std::uint64_t slot) const {
  const auto known = groups_.find(number);
  if (known == groups_.end() || slot >= known->second->slots.size()) return std::nullopt;
  return known->second->slots[slot];
}

// ------------------------------------------------------------------------------ memory

Result<Group*> GroupWriter::open(store::WriteTransaction& transaction, GroupNumber number) {
  GroupReader::of(transaction).set_unwritten(this);
  if (seed_ == 0) {
    TL_TRY_ASSIGN(seed, seed_of_file(transaction));
    seed_ = seed;
  }
  auto known = groups_.find(number);
  if (known == groups_.end()) {
    auto group = std::make_unique<Group>();
    group->number = number;
    TL_TRY_ASSIGN(head, read_head(transaction, number));
    TL_TRY(load(transaction, head.value_or(GroupHead()), *group));
    loaded_size_bytes_ += group->size_bytes();
    known = groups_.emplace(number, std::move(group)).first;
  }
  known->second->last_use = ++clock_;
  return known->second.get();
}

Status GroupWriter::load(store::WriteTransaction& transaction, const GroupHead& head,
                         Group& group) {
  TL_TRY(load_log(transaction, head, group));
  TL_TRY(load_slots(transaction, head, group));
  group.payload_count = head.payload_count;
  // Recipes between the texts are split as well, which does no harm.
  split(group.window, seed_, pieces_);
  for (const Piece& piece : pieces_) {
    if (piece.hash == 0) continue;
    const auto position = static_cast<std::uint32_t>(group.window_start + piece.offset);
    group.pieces[piece.hash] = {Place::kInLog, position};
  }
  return load_recent(transaction, head, group);
}

// The end of the log.
Status GroupWriter::load_log(store::WriteTransaction& transaction, const GroupHead& head,
                             Group& group) {
  if (head.size_bytes > kLoadedWindowSizeBytesMax) {
    group.window_start = head.size_bytes - kLoadedWindowSizeBytesMax;
  }
  while (group.end() < head.size_bytes) {
    TL_TRY_ASSIGN(chunk, read_chunk(transaction, group.number, group.end()));
    group.last_chunk_start = chunk.start;
    group.window += chunk.bytes.substr(group.end() - chunk.start);
  }
  // What is written next must not go over anything, nor before it.
  TL_TRY_ASSIGN(more, frames(transaction).at_least(chunk_key(group.number, group.end())));
  const auto next = more ? decode_group_key(more->key) : std::nullopt;
  const bool has_more = next && next->group == group.number && next->part == GroupPart::log;
  if (group.end() != head.size_bytes || has_more) {
    return group_damage(group.number, "its log is too long");
  }
  group.written_end = head.size_bytes;
  return {};
}

Status GroupWriter::load_slots(store::WriteTransaction& transaction, const GroupHead& head,
                               Group& group) {
  for (std::uint64_t slot = 0; slot < head.slot_count; ++slot) {
    TL_TRY_ASSIGN(segment, read_slot(transaction, group.number, slot));
    group.slot_of.emplace(segment, static_cast<std::uint32_t>(slot));
    group.slots.push_back(segment);
  }
  group.written_slot_count = group.slots.size();
  // As of the log: a recipe that is built on may refer to any slot that is there.
  const auto more = read_slot(transaction, group.number, head.slot_count);
  if (!more && more.error().code != Code::corrupt) return more.error();
  if (more) return group_damage(group.number, "it has more slots than it says");
  return {};
}

Status GroupWriter::load_recent(store::WriteTransaction& transaction, const GroupHead& head,
                                Group& group) {
  GroupReader& reader = GroupReader::of(transaction);
  std::map<std::uint64_t, std::shared_ptr<const Recipe>> recipes;
  for (const std::uint64_t position : head.recent) {
    std::vector<Recipe> chain;  // from this one to the first that is known or has no base
    std::shared_ptr<const Recipe> base;
    for (std::uint64_t at = position;;) {
      if (const auto known = recipes.find(at); known != recipes.end()) {
        base = known->second;
        break;
      }
      TL_TRY_ASSIGN(recipe, reader.recipe({group.number, at}));
      at = recipe.base_position;
      const bool has_base = recipe.chain_index > 0;
      chain.push_back(std::move(recipe));
      if (!has_base) break;
      if (chain.size() > kRecipeDepthMax) {
        return group_damage(group.number, "recipes refer too deep");
      }
    }
    for (auto recipe = chain.rbegin(); recipe != chain.rend(); ++recipe) {
      // The writer relies on it: otherwise references might become too deep.
      if (base && settled_base_index(recipe->chain_index) != base->chain_index) {
        return group_damage(group.number, "a recipe has the wrong base");
      }
      recipe->base = base;
      base = std::make_shared<const Recipe>(std::move(*recipe));
      recipes[base->position] = base;
    }
    if (base->size_bytes > kSharedPayloadSizeBytesMax) {
      return group_damage(group.number, "a payload is too long");
    }
    RecentPayload recent;
    recent.recipe = base;
    recent.recipe_size_bytes = size_of_chain(*base);
    recent.last_use = ++group.recent_clock;
    recent.bytes.resize(base->size_bytes);
    TL_TRY(reader.read({group.number, position}, 0, recent.bytes));
    group.recent.push_back(std::move(recent));
  }
  return {};
}

void GroupWriter::forget() {
  groups_.clear();
  segments_.forget();
  seed_ = 0;
}

// A transaction may write to any number of groups.
Status GroupWriter::make_room(store::WriteTransaction& transaction) {
  return loaded_size_bytes_ < kWriterCacheSizeBytesMax ? Status() : flush(transaction);
}

void GroupWriter::evict() {
  loaded_size_bytes_ = 0;
  std::size_t size_bytes = 0;
  std::vector<std::pair<std::uint64_t, GroupNumber>> by_use;
  by_use.reserve(groups_.size());
  for (const auto& [number, group] : groups_) {
    size_bytes += group->size_bytes();
    by_use.emplace_back(group->last_use, number);
  }
  if (size_bytes <= kWriterCacheSizeBytesMax) return;
  std::sort(by_use.begin(), by_use.end());
  for (const auto& [last_use, number] : by_use) {
    const auto group = groups_.find(number);
    size_bytes -= group->second->size_bytes();
    groups_.erase(group);
    if (size_bytes <= kWriterCacheSizeBytesMax / 4 * 3) break;
  }
}

// ------------------------------------------------------------------------------ writing

Status GroupWriter::flush(store::WriteTransaction& transaction) {
  std::vector<Group*> changed;
  for (const auto& [number, group] : groups_) {
    if (group->changed) changed.push_back(group.get());
  }
  // In key order, for neighbouring pages.
  std::sort(changed.begin(), changed.end(),
            [](const Group* a, const Group* b) { return a->number < b->number; });
  for (Group* group : changed) TL_TRY(write(transaction, *group));
  if (pieces_.capacity() > kPiecesKeptMax) pieces_ = {};
  if (!changed.empty()) GroupReader::of(transaction).forget();
  evict();
  return {};
}

Status GroupWriter::write(store::WriteTransaction& transaction, Group& group) {
  TL_TRY(write_log(transaction, group));
  TL_TRY(write_slots(transaction, group));
  GroupHead head{group.end(), group.payload_count, group.slots.size(), {}};
  std::vector<const RecentPayload*> by_use;
  for (const RecentPayload& recent : group.recent) by_use.push_back(&recent);
  std::sort(by_use.begin(), by_use.end(), [](const RecentPayload* a, const RecentPayload* b) {
    return a->last_use < b->last_use;
  });
  for (const RecentPayload* recent : by_use) head.recent.push_back(recent->recipe->position);
  TL_TRY(frames(transaction).put(head_key(group.number), encode(head)));
  group.changed = false;
  trim(group);
  return {};
}

// The last chunk grows until it is full.
Status GroupWriter::write_log(store::WriteTransaction& transaction, Group& group) {
  if (group.written_end == group.end()) return {};
  const bool last_is_full = group.written_end - group.last_chunk_start >= kChunkSizeBytes;
  std::uint64_t start = last_is_full ? group.written_end : group.last_chunk_start;
  for (; start < group.end(); start += kChunkSizeBytes) {
    const Bytes chunk = group.from(start).substr(0, kChunkSizeBytes);
    TL_TRY(frames(transaction).put(chunk_key(group.number, start), chunk));
    group.last_chunk_start = start;
  }
  group.written_end = group.end();
  return {};
}

Status GroupWriter::write_slots(store::WriteTransaction& transaction, Group& group) {
  for (std::size_t entry = group.written_slot_count / kSlotsPerEntry;
       entry * kSlotsPerEntry < group.slots.size(); ++entry) {
    if (group.written_slot_count == group.slots.size()) break;
    const std::size_t from = entry * kSlotsPerEntry;
    const std::size_t to = std::min(from + kSlotsPerEntry, group.slots.size());
    std::string value;
    for (std::size_t slot = from; slot < to; ++slot) {
      append_big_endian(value, group.slots[slot], kSegmentNumberSizeBytes);
    }
    TL_TRY(frames(transaction).put(slots_key(group.number, entry), value));
  }
  group.written_slot_count = group.slots.size();
  return {};
}

void GroupWriter::trim(Group& group) {
  if (group.window.size() <= kLogWindowSizeBytesMax) return;
  const std::uint64_t start = group.end() - kLoadedWindowSizeBytesMax;
  group.window.erase(0, start - group.window_start);
  group.window_start = start;
  std::erase_if(group.pieces, [&](const auto& entry) {
    return entry.second.slot == Place::kInLog && entry.second.at < start;
  });
}

Status GroupWriter::remove(store::WriteTransaction& transaction, GroupNumber number,
                           const std::vector<SegmentNumber>& slots) {
  TL_TRY_ASSIGN(seed, read_piece_seed(transaction));
  for (const SegmentNumber segment : slots) {
    Status dropped = segments_.drop_use(transaction, segment, seed);
    if (!dropped && dropped.error().code != Code::corrupt) return dropped;
  }
  segments_.forget();  // some may be gone
  GroupReader::of(transaction).forget();
  const std::string prefix = group_prefix(number);
  // Blocks before the last entry are empty until the commit, and would be gone through each time.
  std::string from = prefix;
  for (;;) {
    const auto entry = frames(transaction).at_least(from);
    // What cannot be read stays; check finds it.
    if (!entry && entry.error().code != Code::corrupt) return entry.error();
    if (!entry || !*entry || !(*entry)->key.starts_with(prefix)) return {};
    from = (*entry)->key;
    TL_TRY(frames(transaction).erase(from));
  }
}

}  // namespace tracelite::payload
