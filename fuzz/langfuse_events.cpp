// Aims at: lib/exchange/langfuse_event.cpp lib/exchange/langfuse_event_body.cpp
//   lib/exchange/langfuse_event_usage.cpp lib/exchange/langfuse_import.cpp
//   lib/exchange/langfuse_export.cpp lib/exchange/json_members.cpp lib/exchange/json_stream.cpp
//   lib/model/event.cpp lib/model/decimal.cpp lib/model/metadata_tree.cpp lib/model/time.cpp
//   lib/payload/metadata_json.cpp
//
// A stream of Langfuse events without a store: in what pieces it is read changes nothing; what is
// taken can be coded, joined and exported; and an export imports to the same export.
//
// The first byte says in what pieces the rest is read.

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "exchange/langfuse_export.hpp"
#include "exchange/langfuse_import.hpp"
#include "fuzz/entities.hpp"
#include "fuzz/input.hpp"
#include "model/event.hpp"
#include "model/view.hpp"
#include "tests/support/assembled_event.hpp"

namespace tracelite::fuzz {
namespace {

using Key = std::tuple<model::EntityKind, std::string, std::string>;
using Entities = std::map<Key, model::Entity>;

constexpr std::size_t kDocumentSizeBytesMax = std::size_t{1} << 20;

struct Imported {
  exchange::ImportReport report;
  std::string told;  // all outcomes, as text
  Entities entities;
};

// As the writer joins it with what there is of its entity.
void add(Entities& entities, const model::Event& event) {
  const std::string coded = encoded(event.entity);
  require(must(model::decode(coded)) == event.entity, "an event comes back from its coding");

  const Key key{event.entity.kind, event.trace_id, event.entity.id};
  const auto [at, is_new] = entities.try_emplace(key, event.entity);
  InlineMetadata source;
  const model::Entity joined = must(model::join(at->second, event.entity, source));
  const model::Entity other_way = must(model::join(event.entity, at->second, source));
  require(encoded(joined) == encoded(other_way), "joining does not depend on who is first");
  const model::Entity again = must(model::join(joined, event.entity, source));
  require(encoded(again) == encoded(joined), "an event that comes twice changes nothing");
  if (!is_new) at->second = joined;
}

Imported import_text(Bytes text, std::size_t piece_bytes) {
  Imported imported;
  const exchange::ReadFunction read = [text, piece_bytes](char* buffer,
                                                          std::size_t capacity) mutable {
    const std::size_t size = std::min({text.size(), piece_bytes, capacity});
    if (size > 0) std::memcpy(buffer, text.data(), size);
    text.remove_prefix(size);
    return static_cast<std::int64_t>(size);
  };
  const auto sink = [&](const model::EventBuilder& sealed) -> Status {
    add(imported.entities, must(test::assembled(sealed)));
    return {};
  };
  const auto outcome = [&](const exchange::Outcome& one) {
    imported.told += std::to_string(one.line) + ' ' + std::to_string(one.index) + ' ' +
                     std::string(one.event_id) + ' ' + std::to_string(one.http_status) +
                     (one.is_warning ? " w " : " ") + std::string(one.field) + ": " +
                     std::string(one.message) + '\n';
  };
  must(exchange::import_langfuse(read, sink, outcome, {}, imported.report, kDocumentSizeBytesMax));
  const exchange::ImportReport& counts = imported.report;
  require(counts.succeeded_count + counts.failed_count + counts.ignored_count == counts.event_count,
          "each event succeeds, fails or is ignored");
  return imported;
}

Result<std::string> load_inline(const model::PayloadView& view) {
  require(view.is_tree, "only merged metadata is not inline");
  TL_TRY_ASSIGN(tree, model::MetadataTree::decode(view.value.bytes));
  return tree.visible().value_or(std::string());
}

std::string export_all(const Entities& entities) {
  std::string out;
  for (const auto& [key, entity] : entities) {
    must(exchange::append_event(entity, std::get<1>(key), load_inline, out));
  }
  return out;
}

}  // namespace
}  // namespace tracelite::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  using namespace tracelite::fuzz;
  Input input(as_bytes(data, size_bytes));
  const std::size_t piece_bytes = 1 + input.byte();
  const Imported imported = import_text(input.rest(), SIZE_MAX);
  const Imported in_pieces = import_text(input.rest(), piece_bytes);
  require(imported.told == in_pieces.told, "outcomes do not depend on the pieces");

  const std::string once = export_all(imported.entities);
  require(once == export_all(in_pieces.entities), "events do not depend on the pieces");
  const Imported again = import_text(once, SIZE_MAX);
  require(again.report.failed_count == 0, "what is exported can be imported");
  require(export_all(again.entities) == once, "an export imports to the same export");
  return 0;
}
