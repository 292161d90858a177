// From the number of a payload to its bytes: recipes are followed with a list of what is still to
// do, never by recursion, and nothing in them is believed before it is checked.
#include "payload/group_reader.hpp"

#include <algorithm>

#include "store/packed_space.hpp"

namespace tracelite::payload {

GroupReader& GroupReader::of(const store::Transaction& transaction) {
  std::unique_ptr<store::Companion>& companion =
      transaction.companion(store::CompanionSlot::payloads);
  if (!companion) companion = std::make_unique<GroupReader>();
  auto& reader = static_cast<GroupReader&>(*companion);
  reader.transaction_ = &transaction;
  return reader;
}

Result<std::uint64_t> GroupReader::size_bytes(GroupPosition at) {
  TL_TRY_ASSIGN(head, recipe_head(at));
  return head.recipe.size_bytes;
}

Result<std::size_t> GroupReader::read(GroupPosition at, std::uint64_t offset, std::span<char> out) {
  TL_TRY_ASSIGN(head, recipe_head(at));
  const std::uint64_t whole = head.recipe.size_bytes;
  if (whole > kSharedPayloadSizeBytesMax) return group_damage(at.group, "a payload is too long");
  if (offset >= whole || out.empty()) return std::size_t{0};
  const std::size_t size_bytes = std::min<std::size_t>(out.size(), whole - offset);
  if (operation_count_ > kOperationCacheEntriesMax) {
    recipes_.clear();
    operation_count_ = 0;
  }
  tasks_.clear();
  tasks_.push_back(
      {{Source::base, static_cast<std::uint32_t>(size_bytes), 0, offset}, at.position});
  begin_ = out.data();
  begun_with_ = nullptr;
  char* next = begin_;
  while (!tasks_.empty()) {
    const Task task = tasks_.back();
    tasks_.pop_back();
    TL_TRY(task.operation.source == Source::base ? expand(at.group, task, next)
                                                 : copy(at.group, task.operation, next));
  }
  if (size_bytes == whole) keep(at, Bytes(out.data(), size_bytes));
  return size_bytes;
}

GroupReader::Kept* GroupReader::kept(GroupPosition at) {
  const PayloadNumber number = payload_number(at);
  for (Kept& one : kept_) {
    if (one.number == number) return &one;
  }
  return nullptr;
}

void GroupReader::keep(GroupPosition at, Bytes bytes) {
  if (bytes.size() < kKeptPayloadSizeBytesMin || bytes.size() > kKeptPayloadSizeBytesMax) return;
  if (kept(at) != nullptr) return;
  // A history that has grown takes the place of what it was: only its new end is copied.
  if (begun_with_ != nullptr && begun_size_bytes_ >= begun_with_->bytes.size() / 2) {
    begun_with_->number = 0;  // while it is neither
    begun_with_->bytes.resize(begun_size_bytes_);
    begun_with_->bytes.append(bytes.substr(begun_size_bytes_));
    begun_with_->number = payload_number(at);
    return;
  }
  Kept& place = kept_[next_kept_];
  place.number = 0;
  place.bytes.assign(bytes);
  place.number = payload_number(at);
  next_kept_ = (next_kept_ + 1) % kKeptPayloadCount;
}

void GroupReader::forget() {
  slots_.clear();
  segments_.forget();
  recipes_.clear();
  operation_count_ = 0;
  for (Kept& one : kept_) one.number = 0;
}

Result<Recipe> GroupReader::recipe(GroupPosition at) {
  TL_TRY_ASSIGN(head, recipe_head(at));
  TL_TRY_ASSIGN(decoded, decode(at, head.recipe.size_bytes));
  Recipe recipe = head.recipe;
  recipe.operations = decoded->operations;
  return recipe;
}

Result<RecipeHead> GroupReader::recipe_head(GroupPosition at) {
  TL_TRY_ASSIGN(bytes, window(at.group, at.position, kRecipeHeadSizeBytesMax));
  const auto head = read_recipe_head(bytes, at.position);
  if (!head) return group_damage(at.group, "a recipe makes no sense");
  return *head;
}

// The last operation comes first in the list, because it is worked off from the end.
Status GroupReader::expand(GroupNumber group, const Task& task, char*& out) {
  const std::uint64_t from = task.operation.at;
  if (from > kOperationOffsetMax) return group_damage(group, "a recipe refers beyond its base");
  const std::uint64_t to = from + task.operation.size_bytes;
  if (Kept* base = kept({group, task.base_position}); base != nullptr) {
    if (to > base->bytes.size()) return group_damage(group, "a recipe refers beyond its base");
    if (out == begin_ && from == 0) {
      begun_with_ = base;
      begun_size_bytes_ = task.operation.size_bytes;
    }
    out = std::copy_n(base->bytes.data() + from, task.operation.size_bytes, out);
    return {};
  }
  if (task.depth > kRecipeDepthMax) return group_damage(group, "recipes refer too deep");
  TL_TRY_ASSIGN(recipe, decode({group, task.base_position}, to));
  operations_.clear();
  append_slice(recipe->operations, recipe->starts, from, to - from, operations_);
  for (auto at = operations_.rbegin(); at != operations_.rend(); ++at) {
    if (at->source == Source::base && recipe->head.recipe.chain_index == 0) {
      return group_damage(group, "a recipe refers to a base that it does not have");
    }
    tasks_.push_back({*at, recipe->head.recipe.base_position, task.depth + 1});
  }
  return {};
}

Result<const GroupReader::Decoded*> GroupReader::decode(GroupPosition at, std::uint64_t to) {
  const PayloadNumber number = payload_number(at);
  auto known = recipes_.find(number);
  if (known == recipes_.end()) {
    TL_TRY_ASSIGN(head, recipe_head(at));
    known = recipes_.emplace(number, Decoded{head, {}, {}, at.position + head.size_bytes, 0}).first;
    ++operation_count_;
  }
  Decoded& recipe = known->second;
  const std::uint64_t whole = recipe.head.recipe.size_bytes;
  if (to > whole) return group_damage(at.group, "a recipe refers beyond its base");
  // One too many is there if memory ran out between the two.
  recipe.starts.resize(recipe.operations.size());
  while (recipe.size_bytes < to) {
    TL_TRY_ASSIGN(bytes, window(at.group, recipe.position, kOperationHeadSizeBytesMax));
    const auto read = read_operation_head(bytes, recipe.position);
    if (!read || recipe.operations.size() == kOperationCountMax) {
      return group_damage(at.group, "an operation makes no sense");
    }
    const Operation& operation = read->operation;
    if (operation.size_bytes > whole - recipe.size_bytes) {
      return group_damage(at.group, "a recipe is too long");
    }
    recipe.starts.push_back(recipe.size_bytes);
    recipe.operations.push_back(operation);
    recipe.position += read->size_bytes;
    if (operation.source == Source::literal) recipe.position += operation.size_bytes;
    recipe.size_bytes += operation.size_bytes;
    ++operation_count_;
  }
  return &recipe;
}

Status GroupReader::copy(GroupNumber group, const Operation& operation, char*& out) {
  if (operation.source == Source::segment) {
    TL_TRY_ASSIGN(number, slot(group, operation.slot));
    TL_TRY_ASSIGN(bytes, segments_.read(*transaction_, number));
    if (operation.at > bytes.size() || operation.size_bytes > bytes.size() - operation.at) {
      return group_damage(group, "a recipe refers beyond a shared piece");
    }
    out = std::copy_n(bytes.data() + operation.at, operation.size_bytes, out);
    return {};
  }
  std::uint64_t position = operation.at;
  std::uint64_t rest = operation.size_bytes;
  while (rest > 0) {
    TL_TRY_ASSIGN(bytes, log(group, position));
    bytes = bytes.substr(0, rest);
    out = std::copy(bytes.begin(), bytes.end(), out);
    position += bytes.size();
    rest -= bytes.size();
  }
  return {};
}

Result<Bytes> GroupReader::log(GroupNumber group, std::uint64_t position) {
  if (unwritten_ != nullptr) {
    if (const auto bytes = unwritten_->unwritten_log(group, position)) {
      if (bytes->empty()) return group_damage(group, "a recipe refers beyond the end");
      return *bytes;
    }
  }
  const store::PackedSpaces& packed = store::PackedSpaces::of(*transaction_);
  if (chunk_group_ != group || chunk_changes_ != packed.changes() || position < chunk_.start ||
      position - chunk_.start >= chunk_.bytes.size()) {
    chunk_ = {};
    TL_TRY_ASSIGN(chunk, read_chunk(*transaction_, group, position));
    chunk_group_ = group;
    chunk_ = chunk;
    chunk_changes_ = packed.changes();
  }
  return chunk_.bytes.substr(position - chunk_.start);
}

Result<Bytes> GroupReader::window(GroupNumber group, std::uint64_t position,
                                  std::size_t size_bytes) {
  if (position >= kLogSizeBytesMax) return group_damage(group, "a position is too large");
  TL_TRY_ASSIGN(bytes, log(group, position));
  if (bytes.size() >= size_bytes) return bytes.substr(0, size_bytes);
  joined_.assign(bytes);
  while (joined_.size() < size_bytes) {
    const auto more = log(group, position + joined_.size());
    if (!more && more.error().code != Code::corrupt) return more.error();
    if (!more) break;  // the log ends; what is cut off does not parse
    joined_.append(more->substr(0, size_bytes - joined_.size()));
  }
  return Bytes(joined_);
}

Result<SegmentNumber> GroupReader::slot(GroupNumber group, std::uint64_t slot) {
  if (unwritten_ != nullptr) {
    if (const auto number = unwritten_->unwritten_slot(group, slot)) return *number;
  }
  if (slot >= kLogSizeBytesMax) return group_damage(group, "a slot is missing");
  const std::uint64_t name = group << kPositionBits | slot;
  if (const auto known = slots_.find(name); known != slots_.end()) return known->second;
  TL_TRY_ASSIGN(number, read_slot(*transaction_, group, slot));
  if (slots_.size() >= kSlotCacheEntriesMax) slots_.clear();
  slots_.emplace(name, number);
  return number;
}

}  // namespace tracelite::payload
