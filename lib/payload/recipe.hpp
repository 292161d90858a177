// Recipes: how a payload is put together from bytes that are stored already and a few new ones.
//
// Knows how a recipe lies in the log of its group, and how one refers to another. Must not know
// store/: whoever reads hands in the bytes.
//
// A recipe at position p of a log is
//     varint  size of the payload
//     varint  chain index: 0 if there is no base, else by how many steps of payloads built on
//             payloads this one is away from one without
//     varint  p less the position of the base, if the chain index is not 0
//     operations, until their sizes add up to the size of the payload; each is
//         varint  size_bytes << 2 | kind; the size is at least 1
//         literal  the bytes themselves
//         base     varint: offset in the payload that the base's recipe makes
//         log      varint: position of this operation less the position of the bytes
//         segment  varint: slot of the group, varint: offset in the segment
//
// A history that grows by a message a call would make lists as long as itself. Instead a recipe
// says `base, from 0` once; and so that the way to the end of such references stays short, the base
// of the n-th recipe of a chain is not always n - 1 but n less the largest power of four that
// divides n, whose difference is written out: n of them cost O(n log n), and reading follows at
// most 3 log4(n) references.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/bytes.hpp"

namespace tracelite::payload {

enum class Source : std::uint8_t { literal = 0, base = 1, log = 2, segment = 3 };

struct Operation {
  Source source = Source::literal;
  std::uint32_t size_bytes = 0;
  std::uint32_t slot = 0;  // segment
  // literal: offset in the payload while it is encoded, position in the log once it has one;
  // base: offset in the base's payload; log: position; segment: offset in it
  std::uint64_t at = 0;
};

struct Recipe {
  std::uint64_t position = 0;
  std::uint64_t size_bytes = 0;
  std::uint32_t chain_index = 0;
  std::uint64_t base_position = 0;  // if chain_index > 0
  std::vector<Operation> operations;
  std::shared_ptr<const Recipe> base;  // while writing; readers go by base_position
};

// Longer chains are nobody's: 3 * log4(2^32) at most.
inline constexpr std::size_t kRecipeDepthMax = 64;
// A payload that would need more operations is written without a base. So reading one is bounded.
inline constexpr std::size_t kOperationCountMax = std::size_t{1} << 16;
// What a recipe refers to is shorter than that; so an offset with a size added never wraps around.
inline constexpr std::uint64_t kOperationOffsetMax = UINT32_MAX;
inline constexpr std::size_t kRecipeHeadSizeBytesMax = 30;
inline constexpr std::size_t kOperationHeadSizeBytesMax = 30;

// Where each operation begins in the payload that they make.
std::vector<std::uint64_t> starts_of(const std::vector<Operation>& operations);

// Appends the operations that make [offset, offset + size_bytes) of a payload, whose literals are
// in the log. Takes a binary search and a step for each operation.
void append_slice(const std::vector<Operation>& operations,
                  const std::vector<std::uint64_t>& starts, std::uint64_t offset,
                  std::uint64_t size_bytes, std::vector<Operation>& out);

// The chain index of the base of the recipe with this one, which is at least 1.
std::uint32_t settled_base_index(std::uint32_t chain_index);

// What a recipe and the ones it is built on take of memory, about.
std::size_t size_of_chain(const Recipe& recipe);

// Gives a recipe that is built on `recipe.base` its chain index and the base that suits it.
void settle_base(Recipe& recipe);

// Appends the recipe at the end of the log, whose first byte in `log` has position `log_start`.
// Literals are taken from the payload, and get their positions.
void append_recipe(std::string& log, std::uint64_t log_start, Recipe& recipe, Bytes payload);

// Reads the recipe's head at the start of `bytes`: all but the operations. nullopt: makes no sense.
struct RecipeHead {
  Recipe recipe;
  std::size_t size_bytes = 0;  // of the head
};
std::optional<RecipeHead> read_recipe_head(Bytes bytes, std::uint64_t position);

// Reads an operation's head at `bytes`, whose first byte has position `position`.
struct OperationHead {
  Operation operation;
  std::size_t size_bytes = 0;  // of the head; a literal's bytes follow
};
std::optional<OperationHead> read_operation_head(Bytes bytes, std::uint64_t position);

}  // namespace tracelite::payload
