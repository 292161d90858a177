// From the number of a payload to its bytes: recipes are followed with a list of what is still to
// do, never by recursion, and nothing in them is believed before it is checked.
#include "payload/group_reader.hpp"

#include <algorithm>

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
  tasks_.clear();
  tasks_.push_back(
      {{Source::base, static_cast<std::uint32_t>(size_bytes), 0, offset}, at.position});
  char* next = out.data();
  while (!tasks_.empty()) {
    const Task task = tasks_.back();
    tasks_.pop_back();
    TL_TRY(task.operation.source == Source::base ? expand(at.group, task, next)
                                                 : copy(at.group, task.operation, next));
  }
  if (size_bytes == whole) keep(at, Bytes(out.data(), size_bytes));
  return size_bytes;
}

const std::string* GroupReader::kept(GroupPosition at) const {
  const PayloadNumber number = payload_number(at);
  for (const Kept& one : kept_) {
    if (one.number == number) return &one.bytes;
  }
  return nullptr;
}

void GroupReader::keep(GroupPosition at, Bytes bytes) {
  if (bytes.size() < kKeptPayloadSizeBytesMin || bytes.size() > kKeptPayloadSizeBytesMax) return;
  if (kept(at) != nullptr) return;
  kept_[next_kept_].number = payload_number(at);
  kept_[next_kept_].bytes.assign(bytes);
  next_kept_ = (next_kept_ + 1) % kKeptPayloadCount;
}

void GroupReader::forget_frames() {
  frames_.clear();
  frames_size_bytes_ = 0;
  slots_.clear();
  for (Kept& one : kept_) one.number = 0;
}

Result<Recipe> GroupReader::recipe(GroupPosition at) {
  TL_TRY_ASSIGN(head, recipe_head(at));
  Recipe recipe = head.recipe;
  TL_TRY(add_operations(at.group, head, 0, recipe.size_bytes, recipe.operations));
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
  const std::uint64_t to = from + task.operation.size_bytes;
  if (const std::string* bytes = kept({group, task.base_position}); bytes != nullptr) {
    if (to > bytes->size()) return group_damage(group, "a recipe refers beyond its base");
    out = std::copy_n(bytes->data() + from, task.operation.size_bytes, out);
    return {};
  }
  if (task.depth > kRecipeDepthMax) return group_damage(group, "recipes refer too deep");
  TL_TRY_ASSIGN(head, recipe_head({group, task.base_position}));
  if (to > head.recipe.size_bytes || to < from) {
    return group_damage(group, "a recipe refers beyond its base");
  }
  operations_.clear();
  TL_TRY(add_operations(group, head, from, to, operations_));
  for (auto at = operations_.rbegin(); at != operations_.rend(); ++at) {
    if (at->source == Source::base && head.recipe.chain_index == 0) {
      return group_damage(group, "a recipe refers to a base that it does not have");
    }
    tasks_.push_back({*at, head.recipe.base_position, task.depth + 1});
  }
  return {};
}

Status GroupReader::add_operations(GroupNumber group, const RecipeHead& head, std::uint64_t from,
                                   std::uint64_t to, std::vector<Operation>& out) {
  std::uint64_t position = head.recipe.position + head.size_bytes;
  std::uint64_t start = 0;
  while (start < to) {
    TL_TRY_ASSIGN(bytes, window(group, position, kOperationHeadSizeBytesMax));
    const auto read = read_operation_head(bytes, position);
    if (!read) return group_damage(group, "an operation makes no sense");
    Operation operation = read->operation;
    const std::uint64_t end = start + operation.size_bytes;
    if (end > head.recipe.size_bytes) return group_damage(group, "a recipe is too long");
    position += read->size_bytes;
    if (operation.source == Source::literal) position += operation.size_bytes;
    const std::uint64_t cut_from = std::max(start, from);
    const std::uint64_t cut_to = std::min(end, to);
    if (cut_from < cut_to) {
      operation.at += cut_from - start;
      operation.size_bytes = static_cast<std::uint32_t>(cut_to - cut_from);
      out.push_back(operation);
    }
    start = end;
  }
  return {};
}

Status GroupReader::copy(GroupNumber group, const Operation& operation, char*& out) {
  if (operation.source == Source::segment) {
    TL_TRY_ASSIGN(id, slot(group, operation.slot));
    TL_TRY_ASSIGN(bytes, segments_.read(*transaction_, block_reader_, id));
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
  const std::uint64_t frame = position / kFrameSizeBytes;
  const std::uint64_t name = group << 16 | frame;
  static_assert(kLogSizeBytesMax / kFrameSizeBytes <= (1U << 16));
  auto known = frames_.find(name);
  if (known == frames_.end()) {
    TL_TRY_ASSIGN(bytes, read_frame(*transaction_, block_reader_, group, frame));
    if (frames_size_bytes_ + bytes.size() > kFrameCacheSizeBytesMax) {
      frames_.clear();
      frames_size_bytes_ = 0;
    }
    frames_size_bytes_ += bytes.size();
    known = frames_.emplace(name, std::move(bytes)).first;
  }
  const std::size_t offset = position % kFrameSizeBytes;
  if (offset >= known->second.size()) return group_damage(group, "a recipe refers beyond the end");
  return Bytes(known->second).substr(offset);
}

Result<Bytes> GroupReader::window(GroupNumber group, std::uint64_t position,
                                  std::size_t size_bytes) {
  if (position >= kLogSizeBytesMax) return group_damage(group, "a position is too large");
  TL_TRY_ASSIGN(bytes, log(group, position));
  const bool ends_frame = (position + bytes.size()) % kFrameSizeBytes == 0;
  if (bytes.size() >= size_bytes || !ends_frame) return bytes.substr(0, size_bytes);
  joined_.assign(bytes);
  const auto more = log(group, position + bytes.size());
  if (more) joined_.append(more->substr(0, size_bytes - joined_.size()));
  return Bytes(joined_);  // what is cut off does not parse
}

Result<SegmentId> GroupReader::slot(GroupNumber group, std::uint64_t slot) {
  if (unwritten_ != nullptr) {
    if (const auto id = unwritten_->unwritten_slot(group, slot)) return *id;
  }
  if (slot >= kLogSizeBytesMax) return group_damage(group, "a slot is missing");
  const std::uint64_t name = group << kPositionBits | slot;
  if (const auto known = slots_.find(name); known != slots_.end()) return known->second;
  TL_TRY_ASSIGN(id, read_slot(*transaction_, group, slot));
  if (slots_.size() >= kSlotCacheEntriesMax) slots_.clear();
  slots_.emplace(name, id);
  return id;
}

}  // namespace tracelite::payload
