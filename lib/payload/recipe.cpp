// Slicing, settling and coding recipes.
#include "payload/recipe.hpp"

#include <algorithm>

namespace tracelite::payload {
namespace {

// Two neighbours that continue each other are one.
void append(std::vector<Operation>& operations, const Operation& next) {
  if (!operations.empty()) {
    Operation& last = operations.back();
    if (last.source == next.source && last.slot == next.slot &&
        last.at + last.size_bytes == next.at) {
      last.size_bytes += next.size_bytes;
      return;
    }
  }
  operations.push_back(next);
}

}  // namespace

std::uint32_t settled_base_index(std::uint32_t chain_index) {
  std::uint32_t step = 1;
  while (chain_index % (step * 4) == 0 && step < (1U << 28)) step *= 4;
  return chain_index - step;
}

std::vector<std::uint64_t> starts_of(const std::vector<Operation>& operations) {
  std::vector<std::uint64_t> starts;
  starts.reserve(operations.size());
  std::uint64_t start = 0;
  for (const Operation& operation : operations) {
    starts.push_back(start);
    start += operation.size_bytes;
  }
  return starts;
}

void append_slice(const std::vector<Operation>& operations,
                  const std::vector<std::uint64_t>& starts, std::uint64_t offset,
                  std::uint64_t size_bytes, std::vector<Operation>& out) {
  const std::uint64_t slice_end = offset + size_bytes;
  const auto behind = std::upper_bound(starts.begin(), starts.end(), offset);
  auto at = static_cast<std::size_t>(behind - starts.begin());
  if (at > 0) --at;  // the operation that `offset` is in
  for (; at < operations.size() && starts[at] < slice_end; ++at) {
    Operation part = operations[at];
    const std::uint64_t from = std::max(starts[at], offset);
    const std::uint64_t to = std::min(starts[at] + part.size_bytes, slice_end);
    if (from >= to) continue;
    if (part.source == Source::literal) part.source = Source::log;
    part.at += from - starts[at];
    part.size_bytes = static_cast<std::uint32_t>(to - from);
    append(out, part);
  }
}

std::size_t size_of_chain(const Recipe& recipe) {
  std::size_t sum = 0;
  for (const Recipe* one = &recipe; one != nullptr; one = one->base.get()) {
    sum += sizeof(Recipe) + one->operations.capacity() * sizeof(Operation);
  }
  return sum;
}

void settle_base(Recipe& recipe) {
  if (!recipe.base) return;
  recipe.chain_index = recipe.base->chain_index + 1;
  const std::uint32_t wanted = settled_base_index(recipe.chain_index);
  while (recipe.base && recipe.base->chain_index > wanted) {
    const std::vector<Operation>& there = recipe.base->operations;
    const std::vector<std::uint64_t> starts = starts_of(there);
    std::vector<Operation> operations;
    for (const Operation& operation : recipe.operations) {
      if (operation.source == Source::base) {
        append_slice(there, starts, operation.at, operation.size_bytes, operations);
      } else {
        append(operations, operation);
      }
    }
    recipe.operations = std::move(operations);
    recipe.base = recipe.base->base;
  }
  const bool uses_base =
      std::any_of(recipe.operations.begin(), recipe.operations.end(),
                  [](const Operation& operation) { return operation.source == Source::base; });
  if (!uses_base) recipe.base = nullptr;
  if (recipe.base) {
    recipe.base_position = recipe.base->position;
  } else {
    recipe.chain_index = 0;
  }
}

void append_recipe(std::string& log, std::uint64_t log_start, Recipe& recipe, Bytes payload) {
  recipe.position = log_start + log.size();
  recipe.size_bytes = payload.size();
  append_varint(log, recipe.size_bytes);
  append_varint(log, recipe.chain_index);
  if (recipe.chain_index > 0) append_varint(log, recipe.position - recipe.base_position);
  for (Operation& operation : recipe.operations) {
    const std::uint64_t position = log_start + log.size();
    append_varint(log, (std::uint64_t{operation.size_bytes} << 2) |
                           static_cast<std::uint64_t>(operation.source));
    switch (operation.source) {
      case Source::literal: {
        const std::uint64_t offset = operation.at;
        operation.at = log_start + log.size();
        log.append(payload.substr(offset, operation.size_bytes));
        break;
      }
      case Source::base:
        append_varint(log, operation.at);
        break;
      case Source::log:
        append_varint(log, position - operation.at);
        break;
      case Source::segment:
        append_varint(log, operation.slot);
        append_varint(log, operation.at);
        break;
    }
  }
}

std::optional<RecipeHead> read_recipe_head(Bytes bytes, std::uint64_t position) {
  ByteReader reader(bytes);
  RecipeHead head;
  head.recipe.position = position;
  head.recipe.size_bytes = reader.varint();
  const std::uint64_t chain_index = reader.varint();
  if (chain_index > 0) {
    const std::uint64_t distance = reader.varint();
    // Each step before it took a byte of the log at least.
    if (distance == 0 || distance > position || chain_index > position ||
        chain_index > UINT32_MAX) {
      return std::nullopt;
    }
    head.recipe.base_position = position - distance;
  }
  if (reader.failed()) return std::nullopt;
  head.recipe.chain_index = static_cast<std::uint32_t>(chain_index);
  head.size_bytes = bytes.size() - reader.rest().size();
  return head;
}

std::optional<OperationHead> read_operation_head(Bytes bytes, std::uint64_t position) {
  ByteReader reader(bytes);
  OperationHead head;
  Operation& operation = head.operation;
  const std::uint64_t first = reader.varint();
  const std::uint64_t size_bytes = first >> 2;
  operation.source = static_cast<Source>(first & 3);
  if (size_bytes == 0 || size_bytes > UINT32_MAX) return std::nullopt;
  operation.size_bytes = static_cast<std::uint32_t>(size_bytes);
  switch (operation.source) {
    case Source::literal:
      break;
    case Source::base:
      operation.at = reader.varint();
      break;
    case Source::log: {
      const std::uint64_t distance = reader.varint();
      if (distance > position || distance < size_bytes) return std::nullopt;
      operation.at = position - distance;
      break;
    }
    case Source::segment: {
      const std::uint64_t slot = reader.varint();
      if (slot > UINT32_MAX) return std::nullopt;
      operation.slot = static_cast<std::uint32_t>(slot);
      operation.at = reader.varint();
      break;
    }
  }
  if (reader.failed() || operation.at > kOperationOffsetMax) return std::nullopt;
  head.size_bytes = bytes.size() - reader.rest().size();
  if (operation.source == Source::literal) operation.at = position + head.size_bytes;
  return head;
}

}  // namespace tracelite::payload
