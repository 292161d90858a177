// What must be in the file: the model, kept in maps and nothing else, and what each step changes of
// it.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "model_based/steps.hpp"
#include "tracelite/tracelite.h"

namespace tracelite::model_based {

// Something is not as it must be. Not a failed check of Boost.Test, because a run that fails is run
// again and again to make it shorter.
struct Broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};
inline void require(bool holds, const std::string& what) {
  if (!holds) throw Broken(what);
}

struct Key {
  tl_kind kind = 0;
  std::string trace_id, id;  // trace_id: of observations and scores
  friend auto operator<=>(const Key&, const Key&) = default;
};
std::string text_of(const Key& key);

// By name. Payloads with their form in front; each tag is a field. What begins with ~ is not in the
// file.
using Fields = std::map<std::string, std::string>;
// A trace without fields of its own is there because of its observations, with the field "derived".
using World = std::map<Key, Fields>;

struct Change {
  Key key;
  Fields fields;
  std::string appended;  // to "output"
};

// The live observations of a process, by places.
using LiveSpans = std::array<Key, 4>;  // an empty id: none

// Also enters what is live. None: the step means nothing as things are.
std::vector<Change> changes_of(const Step& step, LiveSpans& live);
void apply_change(World& world, const Change& change);

// The latest of a trace's time and of the starts and ends of its observations.
std::int64_t last_activity_ns(const World& world, const std::string& trace_id);
// Of a session that is bookmarked.
bool is_bookmarked(const World& world, const std::string& trace_id);
std::set<std::string> old_traces(const World& world, std::int64_t before_ns, bool keeps_bookmarked);
// `retain_by_age`: what was last active before goes.
std::int64_t cutoff_ns(const Step& step);
bool keeps_bookmarked(const Step& step);
inline constexpr std::uint64_t kCapSizeBytes = std::uint64_t{1} << 20;  // `retain_by_size`

// What `put_secret` puts into the name and the input of a trace, and nobody else anywhere.
std::string secret_of(const Change& change);  // "": none

// What `erase` and `erase_securely` select. One of them is given.
struct Selection {
  std::string trace_id, session_id, user_id, tag;
};
Selection selection_of(const Step& step);
std::set<std::string> selected_traces(const World& world, const Selection& selection);
void erase_trace(World& world, const std::string& trace_id);
// And what goes with them without a trace.
void erase(World& world, const Selection& selection);

// As it is listed: with the traces and sessions that others only name, without what is not in the
// file.
World visible(const World& world);
std::string difference(const World& wanted, const World& got);  // "": none

}  // namespace tracelite::model_based
