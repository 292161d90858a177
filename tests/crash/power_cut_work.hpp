// What is recorded for the power cuts: work on a store, by groups of observations that are known by
// their number, with marks in the log that say what must be there from then on.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "support/file_recorder.hpp"

namespace tracelite::crash::test {

// A group is a trace "g<number>" with its observations, put between two flushes, so that one commit
// has them all. Live observations are in one trace, and go through many commits.
inline constexpr const char* kLiveTrace = "live";

std::uint32_t size_of_group(std::uint32_t group);
std::string trace_of_group(std::uint32_t group);
std::string input_of(std::uint32_t group, std::uint32_t index);
// What the bytes of a disk show a group by, as long as it is there: none of it can be compressed.
std::vector<std::string> traits_of(std::uint32_t group);
std::string streamed_text(std::uint32_t live, std::size_t size_bytes);

enum Mark : int {
  kBegun = 1,    // a group may be there from now on
  kCommitted,    // a group has been committed
  kFlushed,      // a group must be there from now on
  kDeleteBegun,  // a group may be gone from now on
  kDeleted,      // a group must be gone
  kHead,         // the number of the newest commit
  kErased,       // and must be nowhere in the bytes of the disk
  kStreamed,     // a live observation (upper 32 bits) has so many bytes (lower 32 bits)
};

// What the marks of a log come to.
struct Expected {
  bool may_lose_last = false;
  std::set<std::uint32_t> begun, flushed, delete_begun, deleted, erased;
  std::vector<std::uint32_t> committed;  // in their order
  std::map<std::uint32_t, std::uint32_t> streamed;
  std::uint64_t head = 0;
  std::uint64_t mark_count = 0;

  void take(const recording::Entry& mark);
  // The groups that must be there.
  [[nodiscard]] std::set<std::uint32_t> required() const;
};

enum class Work : std::uint8_t {
  recording,
  import,
  deleting,
  erasing,
  compacting,
  growing,
  retention
};
const char* name_of(Work work);

// Does the work on a file in this folder, which is empty, and gives the log of it.
std::vector<recording::Entry> record(Work work, const std::string& folder, bool may_lose_last);

// Whether a folder, as a power cut has left it, has what it must and nothing else; and that work
// can go on. An empty text, or what is wrong: it begins with "lost", "half" or "unsound".
std::string judge(const std::string& path, const Expected& expected, bool thorough);

}  // namespace tracelite::crash::test
