// What the tests of events in and out share: importing a text, and what came of it.
#pragma once

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "exchange/langfuse_export.hpp"
#include "exchange/langfuse_import.hpp"
#include "model/event.hpp"
#include "model/view.hpp"
#include "payload/metadata_json.hpp"
#include "support/assembled_event.hpp"
#include "support/random_seed.hpp"

namespace tracelite::test {

// How often to do something of which `count` times is right for a release build: less where the
// program is slow, or as TL_TEST_SCALE says.
inline std::size_t scaled(std::size_t count) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
  double scale = 0.1;
#else
  double scale = 1;
#endif
  if (const char* given = std::getenv("TL_TEST_SCALE")) scale = std::strtod(given, nullptr);
  return std::max<std::size_t>(1, static_cast<std::size_t>(static_cast<double>(count) * scale));
}

// An outcome that outlives its call.
struct Told {
  std::uint64_t line = 0;
  std::uint64_t index = 0;
  std::string event_id;
  int http_status = 0;
  bool is_warning = false;
  model::Reason reason{};
  std::string field;
  std::string message;
};

struct Imported {
  exchange::ImportReport report;
  std::vector<Told> told;
  std::vector<model::Event> events;
  std::vector<model::Warning> warnings;

  [[nodiscard]] std::vector<Told> failures() const {
    std::vector<Told> all;
    std::copy_if(told.begin(), told.end(), std::back_inserter(all),
                 [](const Told& one) { return one.http_status != 201; });
    return all;
  }
};

// A read function over a text, in pieces of at most this size.
inline exchange::ReadFunction read_text(Bytes text, std::size_t piece_bytes) {
  return [text, piece_bytes](char* buffer, std::size_t capacity) mutable {
    const std::size_t size = std::min({text.size(), piece_bytes, capacity});
    std::memcpy(buffer, text.data(), size);
    text.remove_prefix(size);
    return static_cast<std::int64_t>(size);
  };
}

inline Told told(const exchange::Outcome& outcome) {
  return {outcome.line,
          outcome.index,
          std::string(outcome.event_id),
          outcome.http_status,
          outcome.is_warning,
          outcome.reason,
          std::string(outcome.field),
          std::string(outcome.message)};
}

inline Imported import_text(Bytes text, std::size_t piece_bytes = SIZE_MAX,
                            std::size_t size_max = model::kDocumentSizeBytesMax) {
  Imported imported;
  const Status status = exchange::import_langfuse(
      read_text(text, piece_bytes),
      [&](const model::EventBuilder& sealed) -> Status {
        TL_TRY_ASSIGN(event, assembled(sealed));
        imported.events.push_back(std::move(event));
        const std::vector<model::Warning>& warnings = sealed.warnings();
        imported.warnings.insert(imported.warnings.end(), warnings.begin(), warnings.end());
        return {};
      },
      [&](const exchange::Outcome& outcome) { imported.told.push_back(told(outcome)); }, {},
      imported.report, size_max);
  if (!status) BOOST_FAIL(status.error().message);
  return imported;
}

// {"id":"e1","timestamp":...,"type":type,"body":body}
inline std::string event_text(Bytes type, Bytes body, Bytes id = "e1",
                              Bytes time = "2026-11-21T00:00:00Z") {
  std::string text = R"({"id":")";
  text.append(id).append(R"(","timestamp":")").append(time).append(R"(","type":")");
  text.append(type).append(R"(","body":)").append(body).append("}");
  return text;
}

// The one event of a text that must be accepted without warnings.
inline model::Event import_event(Bytes text) {
  Imported imported = import_text(text);
  for (const Told& one : imported.told) {
    if (one.http_status != 201 || one.is_warning) BOOST_FAIL(one.field << ": " << one.message);
  }
  BOOST_REQUIRE_EQUAL(imported.events.size(), 1U);
  return std::move(imported.events.front());
}
inline model::Event import_event(Bytes type, Bytes body) {
  return import_event(event_text(type, body));
}

// Joins metadata that is all inline.
class InlineMetadata : public model::MetadataSource {
 public:
  Result<model::MetadataTree> read(const model::Register& reg, const model::Order& order) override {
    const Bytes bytes = model::PayloadValue::decode(reg.value).bytes;
    return reg.tree() ? model::MetadataTree::decode(bytes) : payload::parse_metadata(bytes, order);
  }
};

// Entities as the writer would keep them: by kind, trace and id.
class Entities {
 public:
  void add(const model::Event& event) {
    const Key key{event.entity.kind, event.trace_id, event.entity.id};
    const auto [at, is_new] = entities_.try_emplace(key, event.entity);
    if (is_new) return;
    InlineMetadata source;
    auto joined = model::join(at->second, event.entity, source);
    if (!joined) BOOST_FAIL(joined.error().message);
    at->second = std::move(*joined);
  }
  void add(const std::vector<model::Event>& events) {
    for (const model::Event& event : events) add(event);
  }
  [[nodiscard]] const model::Entity* find(model::EntityKind kind, const std::string& trace_id,
                                          const std::string& id) const {
    const auto at = entities_.find(Key{kind, trace_id, id});
    return at == entities_.end() ? nullptr : &at->second;
  }
  [[nodiscard]] std::size_t size() const { return entities_.size(); }
  [[nodiscard]] std::string exported() const;

 private:
  using Key = std::tuple<model::EntityKind, std::string, std::string>;
  std::map<Key, model::Entity> entities_;
};

inline Result<std::string> load_inline(const model::PayloadView& view) {
  BOOST_REQUIRE(view.is_tree);
  const auto tree = model::MetadataTree::decode(view.value.bytes);
  if (!tree) return tree.error();
  return tree->visible().value_or(std::string());
}

inline std::string export_entity(const model::Entity& entity, Bytes trace_id = {}) {
  std::string out;
  auto status = exchange::append_event(entity, trace_id, load_inline, out);
  if (!status) BOOST_FAIL(status.error().message);
  return out;
}

inline std::string Entities::exported() const {
  std::string out;
  for (const auto& [key, entity] : entities_) {
    out += export_entity(entity, std::get<1>(key));
  }
  return out;
}

// The bytes of a payload as they were stored.
inline model::PayloadValue payload_of(const model::Entity& entity, model::Field field) {
  const model::Register* reg = entity.find(field);
  return reg == nullptr || reg->cleared() ? model::PayloadValue()
                                          : model::PayloadValue::decode(reg->value);
}

}  // namespace tracelite::test
