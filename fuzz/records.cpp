// Aims at: lib/model/entity.cpp lib/model/register_check.cpp lib/model/view.cpp lib/model/media.cpp
//   lib/model/queued_event.cpp lib/payload/recipe.cpp lib/store/packed_block.cpp
//   lib/store/block_codec.cpp lib/model/metadata_tree.cpp
//
// Bytes of a stranger's file as what lies in it, in memory: they decode, or they are an error. What
// decodes can be looked at, and coding it again gives the same.
//
// The first byte says as what.

#include <algorithm>
#include <array>
#include <vector>

#include "fuzz/entities.hpp"
#include "fuzz/input.hpp"
#include "ingest/given_checker.hpp"
#include "model/entity.hpp"
#include "model/media.hpp"
#include "model/queued_event.hpp"
#include "model/time.hpp"
#include "model/view.hpp"
#include "payload/recipe.hpp"
#include "record/record_key.hpp"
#include "store/block_codec.hpp"
#include "store/packed_block.hpp"

namespace tracelite::fuzz {
namespace {

void check_media(Bytes list) {
  model::MediaWalker walker(list);
  model::MediaListBuilder builder;
  while (walker.next()) {
    require(!walker.use().reference().empty(), "a medium has a reference");
    builder.add(walker.use());
  }
  if (!walker.failed() && !builder.empty()) {
    const std::string written = builder.finish();
    model::MediaWalker again(written);
    while (again.next()) {
    }
    require(!again.failed(), "a list of media that was written is sound");
  }
}

void check_tree(Bytes bytes) {
  const auto tree = model::MetadataTree::decode(bytes);
  if (!tree) return;
  const auto again = must(model::MetadataTree::decode(tree->encode()));
  require(again.leaves() == tree->leaves(), "metadata comes back from its coding");
  (void)tree->visible();
  const auto joined = model::MetadataTree::join(*tree, *tree);
  (void)joined.visible();
}

void view(const model::Entity& entity) {
  switch (entity.kind) {
    case model::EntityKind::trace:
      (void)model::view_trace(entity);
      break;
    case model::EntityKind::observation: {
      const model::ObservationView seen = model::view_observation(entity);
      (void)seen.input_tokens();
      (void)seen.total_tokens();
      (void)seen.total_cost();
      break;
    }
    case model::EntityKind::score:
      (void)model::view_score(entity);
      break;
    case model::EntityKind::session:
      (void)model::view_session(entity);
  }
  (void)model::payload_size_bytes(entity);
}

// With what comes behind it, as an event to an entity.
void check_join(const model::Entity& entity) {
  InlineMetadata metadata;
  model::Entity later = entity;
  for (model::Order& order : later.orders) {
    if (order.event_time_ns < INT64_MAX) ++order.event_time_ns;
  }
  const auto joined = model::join(entity, later, metadata);
  if (!joined) return;
  const auto again = model::join(*joined, later, metadata);
  require(again && encoded(*again) == encoded(*joined), "joining twice changes nothing");
}

void check_entity(Bytes bytes) {
  const auto entity = model::decode(bytes);
  if (!entity) {
    require(entity.error().code == Code::corrupt, "what does not decode is corrupt");
    return;
  }
  require(must(model::decode(encoded(*entity))) == *entity, "an entity comes back from its coding");
  view(*entity);
  check_join(*entity);
  for (const model::Register& reg : entity->registers) {
    if (reg.cleared() || reg.field != model::Field::metadata) continue;
    if (reg.tree()) check_tree(model::PayloadValue::decode(reg.value).bytes);
  }
}

// Only its parts: the head is the process's own.
void check_queued(Bytes bytes) {
  Input input(bytes);
  model::QueuedHead head;
  head.kind = static_cast<model::EntityKind>(1 + input.below(4));
  head.is_update = input.below(2) != 0;
  head.event_time_ns = static_cast<std::int64_t>(input.number());
  const Bytes parts = input.rest();
  std::string queued(model::queued_size_bytes(parts, {}), '\0');
  model::write_queued(head, parts, {}, queued.data());
  ingest::GivenChecker checker([](const std::string&, const std::string&) {});
  const auto event = model::assemble(queued, checker);
  if (event) require(event->entity.orders.size() == 1, "an event has one order");
}

// The operations of a recipe, as a reader takes them; their literals become a payload.
void check_recipe(Bytes bytes) {
  Input input(bytes);
  const std::uint64_t position = input.number(4);
  const Bytes log = input.rest();
  const auto head = payload::read_recipe_head(log, position);
  if (!head) return;
  require(head->size_bytes <= log.size(), "the head of a recipe lies in the log");
  payload::Recipe recipe = head->recipe;
  std::vector<payload::Operation> expected;
  std::string payload_bytes;
  std::size_t at = head->size_bytes;
  std::uint64_t made = 0;
  while (made < recipe.size_bytes && recipe.operations.size() < 256) {
    const auto operation = payload::read_operation_head(log.substr(at), position + at);
    if (!operation) return;
    at += operation->size_bytes;
    require(at <= log.size(), "the head of an operation lies in the log");
    payload::Operation one = operation->operation;
    made += one.size_bytes;
    if (one.source == payload::Source::literal) {
      if (one.size_bytes > log.size() - at) return;
      one.at = payload_bytes.size();
      payload_bytes.append(log.substr(at, one.size_bytes));
      at += one.size_bytes;
    }
    recipe.operations.push_back(one);
  }
  const auto starts = payload::starts_of(recipe.operations);
  payload::append_slice(recipe.operations, starts, made / 3, made / 3, expected);
  std::uint64_t sliced = 0;
  for (const payload::Operation& one : expected) sliced += one.size_bytes;
  require(sliced == made / 3 || recipe.operations.empty(), "a slice has its size");

  // Written at the same place, so that distances stay what they are.
  for (payload::Operation& one : recipe.operations) {
    if (one.source == payload::Source::log && one.at + one.size_bytes > position) return;
  }
  std::string written;
  payload::append_recipe(written, position, recipe, payload_bytes);
  const auto again = payload::read_recipe_head(written, position);
  require(again && again->recipe.chain_index == recipe.chain_index, "a recipe comes back");
  at = again->size_bytes;
  for (const payload::Operation& one : recipe.operations) {
    const auto operation = payload::read_operation_head(Bytes(written).substr(at), position + at);
    require(operation && operation->operation.source == one.source &&
                operation->operation.size_bytes == one.size_bytes &&
                operation->operation.at == one.at && operation->operation.slot == one.slot,
            "an operation comes back");
    at += operation->size_bytes + (one.source == payload::Source::literal ? one.size_bytes : 0);
  }
  require(at == written.size(), "a recipe is read whole");
}

using Entries = std::vector<std::pair<std::string, std::string>>;

Entries entries_of(const store::PackedBlock& block) {
  Entries entries;
  for (std::size_t i = 0; i < block.places.size(); ++i) {
    const store::PackedEntry entry = block.entry(i);
    require(block.holds(entry.key), "a block holds its keys");
    require(entries.empty() || entries.back().first < entry.key, "keys ascend");
    require(block.is_at(block.first_from(entry.key), entry.key), "a key is found");
    entries.emplace_back(entry.key, entry.value);
  }
  return entries;
}

// A block, a patch of it, and both written anew.
void check_block(Bytes bytes) {
  Input input(bytes);
  const std::size_t size_bytes = input.number(2);
  const std::string raw(input.take(size_bytes));
  store::PackedBlock block;
  block.begin = std::string(1, '\0');
  if (!block.parse(raw)) return;
  const Entries read = entries_of(block);
  std::string written;
  block.append_raw(written, 0, 0, block.places.size());
  store::PackedBlock again;
  again.begin = block.begin;
  require(again.parse(written), "a block that was written can be read");
  require(entries_of(again) == read, "a block comes back");

  block.is_patchable = true;
  if (!block.apply_patch(std::string(input.rest()))) return;
  const Entries patched = entries_of(block);
  if (!block.is_patchable) return;
  require(again.apply_patch(block.raw_patch()), "a patch that was written can be read");
  require(entries_of(again) == patched, "a patch comes back");
}

void check_coded_block(Bytes bytes) {
  store::BlockCodec codec;
  const auto parsed = store::parse_block(bytes);
  if (parsed && parsed->raw_size_bytes <= std::size_t{1} << 20) {
    const auto raw = codec.decode(*parsed, nullptr);
    if (raw) require(raw->size() == parsed->raw_size_bytes, "a block has the size that it says");
  }
  const std::string coded(must(codec.encode(bytes, 1, nullptr, 0)));
  const auto again = must(store::parse_block(coded));
  require(must(codec.decode(again, nullptr)) == bytes, "what is compressed comes back");
}

void check_key(Bytes bytes) {
  if (bytes.size() != record::kRecordKeySizeBytes) return;
  require(record::encode(record::decode_record_key(bytes)) == bytes, "a record's key comes back");
}

void check_numbers(Bytes bytes) {
  if (const auto time_ns = model::parse_time(bytes)) {
    require(model::parse_time(model::format_time(*time_ns)) == time_ns, "a time comes back");
  }
  if (const auto units = model::parse_decimal(bytes)) {
    require(model::parse_decimal(model::format_decimal(*units)) == units, "a cost comes back");
  }
  std::string path;
  model::append_path_key(path, bytes);
  Bytes rest = path;
  require(model::take_path_key(rest) == bytes && rest.empty(), "a key of metadata comes back");
}

}  // namespace
}  // namespace tracelite::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  using namespace tracelite::fuzz;
  static constexpr std::array kChecks = {check_entity,      check_tree,   check_media,
                                         check_queued,      check_recipe, check_block,
                                         check_coded_block, check_key,    check_numbers};
  Input input(as_bytes(data, size_bytes));
  const std::size_t check = input.below(kChecks.size());
  kChecks[check](input.rest());
  return 0;
}
