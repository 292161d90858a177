// What a run of the script is told, kept without allocating anything, and whether it is right: the
// answers of a run in which nothing failed say what is.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "tracelite/tracelite.h"

namespace tracelite::failure {

template <class Struct>
Struct sized() {
  Struct value{};
  value.struct_size = sizeof value;
  return value;
}

// Of what comes in pieces, which must be cut at multiples of eight bytes.
class Hash {
 public:
  void add(std::string_view bytes) {
    while (bytes.size() >= sizeof(std::uint64_t)) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes.data(), sizeof word);
      add(word);
      bytes.remove_prefix(sizeof word);
    }
    for (const char byte : bytes) add(static_cast<unsigned char>(byte));
  }
  void add(const tl_text& text) {
    add(text.size_bytes);
    if (text.data != nullptr) add(std::string_view(text.data, text.size_bytes));
  }
  void add(std::uint64_t number) {
    value_ = (value_ ^ number) * 0x9e3779b97f4a7c15U;
    value_ ^= value_ >> 29U;
  }
  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0x243f6a8885a308d3U;
};

// What the script records, each thing by the calls that record it.
enum class Thing : std::uint8_t {
  first,     // a trace, with a medium
  put,       // an observation of it, with a long output
  score,     // of it
  session,   // its flags
  parent,    // a live observation that is not ended
  begun,     // one that is: its begin alone
  child,     // all of it
  imported,  // a trace and an observation
  lazy,      // a trace, by a store whose commits are not synced each
  second,    // a trace
};
inline constexpr std::size_t kThingCount = 10;
constexpr std::uint32_t bit(Thing thing) {
  return std::uint32_t{1} << static_cast<unsigned>(thing);
}
inline constexpr std::uint32_t kAllThings = (std::uint32_t{1} << kThingCount) - 1;

// What one walk, or another call that reads, came to.
struct Answer {
  const char* of = nullptr;
  bool is_complete = false;  // it succeeded to its end
  bool is_exact = false;     // nothing had failed that it depends on
  std::uint64_t row_count = 0;
  std::uint64_t hash = 0;
  // Of what was there before the script, and whatever fails stays as it was.
  std::uint64_t base_row_count = 0;
  std::uint64_t base_hash = 0;
};

struct Progress {
  tl_store* store = nullptr;   // still open if it was opened and not closed
  tl_span* span = nullptr;     // never ended
  std::uint32_t recorded = 0;  // things of which no call failed
  std::uint32_t durable = 0;   // and a flush after them succeeded
  bool may_delete = false;     // a deletion of `base-gone` has begun
  bool has_deleted = false;    // and one has succeeded
  bool has_backup = false;
  bool has_salvaged = false;
  const char* failed = nullptr;  // the first call that did not succeed
  // The first answer that no failing system explains, and of what.
  const char* wrong = nullptr;
  char wrong_message[400] = {};

  static constexpr std::size_t kAnswersMax = 64;
  std::array<Answer, kAnswersMax> answers{};
  std::size_t answer_count = 0;

  // Whether every answer has to be that of a run in which nothing fails.
  [[nodiscard]] bool is_exact() const {
    return durable == kAllThings && (!may_delete || has_deleted);
  }
  Answer& begin_answer(const char* of);
  void say_wrong(const char* what, const char* why);
};

enum class Answers : std::uint8_t {
  nothing,  // of a handle that is there
  absence,  // there may be no such thing, and TL_NOT_FOUND says so
  expiry,   // the file may not remember
};

// Notes an answer of the library; whether it is TL_OK. has_handle: the call was given what an
// earlier one should have made.
bool note(Progress& progress, const char* what, tl_status status, bool has_handle,
          Answers also = Answers::nothing);

// Says in `progress` which of its answers are not what those of the run without a fault say.
void compare(Progress& progress, const Progress& reference);

}  // namespace tracelite::failure
