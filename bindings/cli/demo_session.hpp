// The session that `tracelite demo` records: an agent that finds and books a room.
//
// Knows the recording half of tracelite.hpp, used as an application would. Must not know how the
// file is shown.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tracelite/tracelite.hpp"

namespace cli {

// Hears what is said while it is recorded: by whom, and the next piece of it.
using Listener = std::function<void(std::string_view who, std::string_view piece)>;

struct DemoSession {
  std::string session_id;
  std::string last_trace_id;
  // Never ended on purpose; to be let go after the store is closed, as if the program had died.
  tracelite::Span unfinished;
};

DemoSession record_demo_session(tracelite::Store& store, const Listener& listener);

}  // namespace cli
