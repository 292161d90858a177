// The events of one entity in a batch, joined to one.
//
// By twos, and the results by twos again: a text that was appended in many pieces is not copied
// once for each of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/entity.hpp"

namespace tracelite::ingest {

class Joiner {
 public:
  // In the order in which they were recorded. Errors: those of the source.
  Status add(const model::Entity& event, model::MetadataSource& metadata);
  // All that were added, of which there is at least one. Errors: those of the source.
  Result<model::Entity> take(model::MetadataSource& metadata);

  // Whether what was appended to this field came after something else was written to it: then it
  // is a new text, and does not go behind what is in the file.
  [[nodiscard]] bool has_begun_anew(model::Field field) const {
    return (begun_anew_ & bit(field)) != 0;
  }

 private:
  // The first part may have payloads that were set; what is behind it is appended to them alone,
  // because joining streams is associative only as long as nothing is set between them.
  struct Part {
    model::Entity entity;
    std::size_t event_count = 0;
  };
  static std::uint64_t bit(model::Field field) {
    return std::uint64_t{1} << static_cast<unsigned>(field);
  }
  Status join_last_two(model::MetadataSource& metadata);

  std::vector<Part> parts_;
  std::uint64_t set_ = 0;  // fields of payloads
  std::uint64_t begun_anew_ = 0;
};

}  // namespace tracelite::ingest
