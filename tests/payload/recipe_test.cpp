// Recipes without a file: coding, settling on a base, and heads that make no sense.
#include "payload/recipe.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "payload/random_json.hpp"
#include "payload/store_fixture.hpp"

namespace {

using namespace tracelite;
using namespace tracelite::payload;
using namespace tracelite::test;

// The same start for every log, so that positions are not offsets.
constexpr std::uint64_t kLogStart = 70000;

// What recipes refer to.
struct Log {
  std::string bytes;
  std::vector<std::string> segments;
};

// The bytes of a recipe that is in the log, from the operations in memory, with a list of what is
// still to do; the depth of references that it followed.
std::size_t expand(const Log& log, const Recipe& recipe, std::string& out) {
  struct Task {
    const Recipe* of;
    Operation operation;
    std::size_t depth;
  };
  std::size_t depth = 0;
  std::vector<Task> tasks;
  const auto add = [&](const Recipe& of, std::uint64_t from, std::uint64_t to, std::size_t level) {
    std::vector<Task> parts;
    std::uint64_t start = 0;
    for (Operation operation : of.operations) {
      const std::uint64_t end = start + operation.size_bytes;
      const std::uint64_t cut_from = std::max(start, from);
      const std::uint64_t cut_to = std::min(end, to);
      if (cut_from < cut_to) {
        operation.at += cut_from - start;
        operation.size_bytes = static_cast<std::uint32_t>(cut_to - cut_from);
        parts.push_back({&of, operation, level});
      }
      start = end;
    }
    BOOST_REQUIRE(to <= start);
    tasks.insert(tasks.end(), parts.rbegin(), parts.rend());
  };
  add(recipe, 0, recipe.size_bytes, 0);
  while (!tasks.empty()) {
    const Task task = tasks.back();
    tasks.pop_back();
    const Operation& operation = task.operation;
    depth = std::max(depth, task.depth);
    switch (operation.source) {
      case Source::base:
        BOOST_REQUIRE(task.of->base != nullptr);
        add(*task.of->base, operation.at, operation.at + operation.size_bytes, task.depth + 1);
        break;
      case Source::segment:
        out += log.segments.at(operation.slot).substr(operation.at, operation.size_bytes);
        break;
      default:
        out += log.bytes.substr(operation.at - kLogStart, operation.size_bytes);
    }
  }
  return depth;
}

// The recipe that lies in the log at a position.
Recipe decode(const Log& log, std::uint64_t position) {
  const Bytes bytes = Bytes(log.bytes).substr(position - kLogStart);
  const auto head = read_recipe_head(bytes, position);
  BOOST_REQUIRE(head.has_value());
  Recipe recipe = head->recipe;
  std::uint64_t at = head->size_bytes;
  for (std::uint64_t size = 0; size < recipe.size_bytes;) {
    const auto operation = read_operation_head(bytes.substr(at), position + at);
    BOOST_REQUIRE(operation.has_value());
    at += operation->size_bytes;
    if (operation->operation.source == Source::literal) at += operation->operation.size_bytes;
    size += operation->operation.size_bytes;
    recipe.operations.push_back(operation->operation);
  }
  return recipe;
}

bool same(const Operation& a, const Operation& b) {
  return a.source == b.source && a.size_bytes == b.size_bytes && a.slot == b.slot && a.at == b.at;
}

struct Seeded {
  Seeded() {
    for (std::size_t i = 0; i < 20; ++i) log.segments.push_back(random_bytes(2000, seed + i));
  }

  // A recipe that uses whatever there is, and the payload that it makes.
  Recipe random_recipe(const std::shared_ptr<const Recipe>& base, Bytes base_bytes,
                       std::string& payload) {
    Recipe recipe;
    recipe.base = base;
    for (std::size_t n = random.below(12); n > 0; --n) {
      Operation operation;
      operation.source = static_cast<Source>(random.below(4));
      Bytes from;
      std::string literal;
      switch (operation.source) {
        case Source::literal:
          literal = random_bytes(1 + random.below(300), random.below(1U << 30));
          from = literal;
          break;
        case Source::base:
          from = base_bytes;
          break;
        case Source::log:
          from = log.bytes;
          break;
        case Source::segment:
          operation.slot = static_cast<std::uint32_t>(random.below(log.segments.size()));
          from = log.segments[operation.slot];
      }
      if (from.empty()) continue;
      std::size_t offset = random.below(from.size());
      operation.size_bytes = static_cast<std::uint32_t>(
          1 + random.below(std::min<std::size_t>(from.size() - offset, 400)));
      if (operation.source == Source::literal) {
        offset = 0;
        operation.size_bytes = static_cast<std::uint32_t>(literal.size());
      }
      operation.at = operation.source == Source::literal ? payload.size()
                     : operation.source == Source::log   ? kLogStart + offset
                                                         : offset;
      payload += from.substr(offset, operation.size_bytes);
      recipe.operations.push_back(operation);
    }
    return recipe;
  }

  std::uint64_t seed = random_seed();
  RandomJson random{seed};
  Log log;
};

BOOST_FIXTURE_TEST_SUITE(recipe, Seeded)

BOOST_AUTO_TEST_CASE(random_recipes_come_back_from_the_log) {
  struct Stored {
    std::shared_ptr<const Recipe> recipe;
    std::string payload;
  };
  std::vector<Stored> stored(1);
  for (std::size_t i = 0; i < scaled(5000); ++i) {
    const Stored base = stored[random.chance(4) ? random.below(stored.size()) : stored.size() - 1];
    std::string payload;
    Recipe recipe = random_recipe(base.recipe, base.payload, payload);
    settle_base(recipe);
    append_recipe(log.bytes, kLogStart, recipe, payload);

    std::string expanded;
    expand(log, recipe, expanded);
    BOOST_REQUIRE_MESSAGE(expanded == payload, "seed " << seed << ", recipe " << i);
    const Recipe decoded = decode(log, recipe.position);
    BOOST_REQUIRE(decoded.size_bytes == payload.size());
    BOOST_REQUIRE(decoded.chain_index == recipe.chain_index);
    BOOST_REQUIRE(recipe.chain_index == 0 || decoded.base_position == recipe.base->position);
    BOOST_REQUIRE(std::equal(decoded.operations.begin(), decoded.operations.end(),
                             recipe.operations.begin(), recipe.operations.end(), same));
    stored.push_back({std::make_shared<const Recipe>(std::move(recipe)), std::move(payload)});
  }
}

BOOST_AUTO_TEST_CASE(a_slice_makes_that_part_of_the_payload) {
  std::string base_payload;
  Recipe first;
  while (base_payload.empty()) first = random_recipe(nullptr, {}, base_payload);
  append_recipe(log.bytes, kLogStart, first, base_payload);
  const auto starts = starts_of(first.operations);
  for (int i = 0; i < 1000; ++i) {
    const std::size_t from = random.below(base_payload.size() + 1);
    const std::size_t size = random.below(base_payload.size() - from + 1);
    Recipe slice;
    append_slice(first.operations, starts, from, size, slice.operations);
    slice.size_bytes = size;
    for (const Operation& operation : slice.operations) {
      BOOST_REQUIRE(operation.source != Source::literal);
    }
    std::string expanded;
    expand(log, slice, expanded);
    BOOST_REQUIRE_MESSAGE(expanded == base_payload.substr(from, size), "seed " << seed);
  }
}

// A text that grows at its end and is cut at its begin, as a history that is kept short.
BOOST_AUTO_TEST_CASE(references_stay_few_in_a_chain_of_a_hundred_thousand) {
  const std::size_t count = scaled(100000);
  std::shared_ptr<const Recipe> last;
  std::string payload;
  std::size_t deepest = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string added = random_bytes(1 + random.below(9), random.below(1U << 30));
    const std::size_t dropped = payload.size() > 200 ? 1 + random.below(10) : 0;
    Recipe recipe;
    recipe.base = last;
    if (last) {
      recipe.operations.push_back(
          {Source::base, static_cast<std::uint32_t>(payload.size() - dropped), 0, dropped});
    }
    payload = payload.substr(dropped) + added;
    recipe.operations.push_back({Source::literal, static_cast<std::uint32_t>(added.size()), 0,
                                 payload.size() - added.size()});
    settle_base(recipe);
    append_recipe(log.bytes, kLogStart, recipe, payload);
    BOOST_REQUIRE(recipe.chain_index <= i);
    BOOST_REQUIRE(!recipe.base || recipe.base->chain_index < recipe.chain_index);
    last = std::make_shared<const Recipe>(std::move(recipe));
    if (i % 97 != 0 && i + 300 < count) continue;
    std::string expanded;
    deepest = std::max(deepest, expand(log, *last, expanded));
    BOOST_REQUIRE_MESSAGE(expanded == payload, "seed " << seed << ", recipe " << i);
    std::size_t depth = 0;
    for (const Recipe* at = last.get(); at->base; at = at->base.get()) ++depth;
    deepest = std::max(deepest, depth);
  }
  BOOST_TEST(deepest <= 27U);  // 3 log4(100,000)
  static_assert(27 < kRecipeDepthMax);
}

BOOST_AUTO_TEST_CASE(a_history_costs_words_in_proportion) {
  const auto words = [](std::size_t count) {
    std::string bytes;
    std::shared_ptr<const Recipe> last;
    std::string payload = "[]";
    for (std::size_t i = 0; i < count; ++i) {
      Recipe recipe;
      recipe.base = last;
      if (last) {
        const auto kept = static_cast<std::uint32_t>(payload.size() - 1);
        payload.insert(kept, "message,");
        recipe.operations = {
            {Source::base, kept, 0, 0}, {Source::literal, 8, 0, kept}, {Source::base, 1, 0, kept}};
      } else {
        recipe.operations = {{Source::literal, 2, 0, 0}};
      }
      settle_base(recipe);
      append_recipe(bytes, kLogStart, recipe, payload);
      last = std::make_shared<const Recipe>(std::move(recipe));
    }
    return static_cast<double>(bytes.size()) / static_cast<double>(count);
  };
  const double few = words(100);
  const double many = words(10000);
  BOOST_TEST_MESSAGE("bytes a call: " << few << " of 100, " << many << " of 10,000");
  BOOST_TEST(many < 3 * few);
}

BOOST_AUTO_TEST_CASE(a_recipe_that_does_not_use_its_base_has_none) {
  Recipe first;
  first.operations.push_back({Source::literal, 5, 0, 0});
  append_recipe(log.bytes, kLogStart, first, "first");
  Recipe second;
  second.base = std::make_shared<const Recipe>(first);
  second.operations.push_back({Source::literal, 6, 0, 0});
  settle_base(second);
  BOOST_TEST(second.base == nullptr);
  BOOST_TEST(second.chain_index == 0U);
}

// ------------------------------------------------------------------------------ hostile heads

BOOST_AUTO_TEST_CASE(random_heads_are_refused_or_bounded) {
  for (std::size_t i = 0; i < scaled(300000); ++i) {
    std::string bytes = random_bytes(random.below(40), random.below(1U << 30));
    if (random.chance(2)) {
      for (char& byte : bytes) {
        if (random.chance(3)) byte = static_cast<char>(random.below(5));
      }
    }
    const std::vector<char> exact(bytes.begin(), bytes.end());  // no NUL behind it
    const Bytes given(exact.data(), exact.size());
    const std::uint64_t position = random.below(std::size_t{1} << 28);
    if (const auto head = read_recipe_head(given, position)) {
      BOOST_REQUIRE(head->size_bytes <= given.size());
      BOOST_REQUIRE(head->recipe.position == position);
      BOOST_REQUIRE(head->recipe.chain_index == 0 || head->recipe.base_position < position);
    }
    if (const auto head = read_operation_head(given, position)) {
      BOOST_REQUIRE(head->size_bytes <= given.size());
      BOOST_REQUIRE(head->operation.size_bytes > 0);
      if (head->operation.source == Source::log) {
        BOOST_REQUIRE(head->operation.at + head->operation.size_bytes <= position);
      }
    }
  }
}

std::string varints(const std::vector<std::uint64_t>& values) {
  std::string out;
  for (const std::uint64_t value : values) append_varint(out, value);
  return out;
}

BOOST_AUTO_TEST_CASE(heads_that_refer_to_what_cannot_be_are_refused) {
  BOOST_TEST(read_recipe_head(varints({5, 1, 100}), 100).has_value());
  BOOST_TEST(!read_recipe_head(varints({5, 1, 0}), 100));    // itself
  BOOST_TEST(!read_recipe_head(varints({5, 1, 101}), 100));  // before the log
  BOOST_TEST(!read_recipe_head(varints({5, 1}), 100));
  BOOST_TEST(!read_recipe_head(varints({5}), 100));
  BOOST_TEST(!read_recipe_head("", 100));
  // More steps than a log has bytes: the next index would be 0 again.
  BOOST_TEST(!read_recipe_head(varints({5, UINT32_MAX, 100}), 100));
  BOOST_TEST(!read_recipe_head(varints({5, UINT64_MAX, 100}), 100));

  const auto kind = [](Source source, std::uint64_t size) {
    return size << 2 | static_cast<std::uint64_t>(source);
  };
  BOOST_TEST(read_operation_head(varints({kind(Source::log, 50), 50}), 100).has_value());
  BOOST_TEST(!read_operation_head(varints({kind(Source::log, 50), 49}), 100));   // into itself
  BOOST_TEST(!read_operation_head(varints({kind(Source::log, 50), 101}), 100));  // before the log
  BOOST_TEST(!read_operation_head(varints({kind(Source::literal, 0)}), 100));
  BOOST_TEST(!read_operation_head(varints({kind(Source::base, 0), 0}), 100));
  BOOST_TEST(!read_operation_head(varints({kind(Source::base, std::uint64_t{1} << 32), 0}), 100));
  BOOST_TEST(!read_operation_head(varints({kind(Source::segment, 5), UINT64_MAX, 0}), 100));
  for (const std::uint64_t offset : {kOperationOffsetMax + 1, UINT64_MAX - 4, UINT64_MAX}) {
    BOOST_TEST(!read_operation_head(varints({kind(Source::base, 5), offset}), 100));
    BOOST_TEST(!read_operation_head(varints({kind(Source::segment, 5), 0, offset}), 100));
  }
}

BOOST_AUTO_TEST_CASE(a_head_that_ends_too_early_is_refused) {
  const std::string recipe_head = varints({1U << 20, 1U << 16, 1U << 20});
  const std::string operation_head = varints({1U << 20 | 3, 1U << 16, 1U << 20});
  for (std::size_t size = 0; size < recipe_head.size(); ++size) {
    BOOST_TEST(!read_recipe_head(Bytes(recipe_head).substr(0, size), 1U << 24));
  }
  for (std::size_t size = 0; size < operation_head.size(); ++size) {
    BOOST_TEST(!read_operation_head(Bytes(operation_head).substr(0, size), 1U << 24));
  }
  BOOST_TEST(read_recipe_head(recipe_head, 1U << 24)->size_bytes == recipe_head.size());
  BOOST_TEST(read_operation_head(operation_head, 1U << 24)->size_bytes == operation_head.size());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
