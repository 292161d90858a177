// What changes when an observation has trace-less events: see applier_strays.cpp.
#pragma once

#include <optional>
#include <vector>

#include "ingest/applier.hpp"

namespace tracelite::ingest {

struct Applier::StrayChange {
  std::optional<record::Found> stray_before;
  std::optional<record::Found> stray_after;  // not yet saved where it differs
  std::optional<record::Found> changed;     // a named observation that is new or differs, not saved
  std::vector<record::Found> named_before;  // all that name a trace, as they are in the file
};

}  // namespace tracelite::ingest
