// An event as a struct of the C API, parsed from its line of JSON, to be given to either side.
#pragma once

#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <string_view>
#include <variant>
#include <vector>

#include "bench/events.hpp"
#include "tracelite/tracelite.h"

namespace bench {

struct Event {
  std::variant<tl_trace, tl_observation, tl_score> entity;
  // What tables have as text and the structs in other forms; absent as there.
  tl_text tags_json{};
  tl_text type_name{};
  tl_text level_name{};
  tl_text source_name{};
  std::int64_t end_ns = 0;  // of a trace; 0: not known
};

// Payloads and other JSON values of an event are views of its line, all other texts lie in the
// memory given.
class EventParser {
 public:
  explicit EventParser(std::pmr::memory_resource& memory) : memory_(memory) {}

  // The line has Events::kPaddingSizeBytes readable bytes behind it. Throws if it is no event.
  Event parse(std::string_view line);

 private:
  using Object = simdjson::ondemand::object;
  using Value = simdjson::ondemand::value;

  tl_trace trace(Object& body, std::int64_t at_ns, Event& event);
  tl_observation observation(Object& body, std::int64_t at_ns, Event& event);
  tl_score score(Object& body, std::int64_t at_ns, Event& event);
  void usage(tl_observation& into, Object object);
  void cost(tl_observation& into, Object object);
  tl_text keep(std::string_view text);
  template <class Item>
  const Item* keep_all(const std::vector<Item>& items);
  // Sets the field where the value is a text.
  template <class Entity>
  bool text(Entity& entity, tl_field field, tl_text& member, Value value);

  std::pmr::memory_resource& memory_;
  simdjson::ondemand::parser parser_;
};

// A whole stream, parsed before any clock starts. The Events must live as long.
class PreparedEvents {
 public:
  explicit PreparedEvents(const Events& events);

  // Calls `put` for each event, and `commit` behind each batch of at most batch_size_bytes of
  // lines.
  template <class Put, class Commit>
  void in_batches(std::uint64_t batch_size_bytes, const Put& put, const Commit& commit) const {
    std::uint64_t size_bytes = 0;
    for (std::size_t i = 0; i < events_.size(); ++i) {
      if (size_bytes > 0 && size_bytes + line_sizes_bytes_[i] > batch_size_bytes) {
        commit();
        size_bytes = 0;
      }
      size_bytes += line_sizes_bytes_[i];
      put(events_[i]);
    }
    if (size_bytes > 0) commit();
  }
  [[nodiscard]] const std::vector<Event>& all() const { return events_; }

 private:
  std::pmr::monotonic_buffer_resource memory_;
  std::vector<Event> events_;
  std::vector<std::size_t> line_sizes_bytes_;
};

// The input, output and metadata that an event brings.
std::vector<std::string_view> payloads_of(const Event& event);

}  // namespace bench
