// Processes at work on one file, killed at any moment and started again: what a test of the C API
// says about them, and what each of them does.
#pragma once

#include <cstdint>
#include <string>

#include "tracelite/tracelite.h"

namespace tracelite::api::test {

// What a writer says through its pipe: everything up to this number is flushed.
struct Acknowledgement {
  std::uint32_t writer = 0;
  std::uint32_t number = 0;
  std::uint64_t position = 0;
  std::uint32_t deleted = 0;  // of its life, everything up to this number
};

std::string trace_id(std::uint32_t writer);
std::string observation_id(std::uint32_t writer, std::uint32_t number);
// An observation of this writer.
bool put(tl_store* store, std::uint32_t writer, std::uint32_t number, const std::string& trace);

enum class Children : std::uint8_t { none, idle, writing };

struct Scene {
  std::uint32_t writers = 1;
  std::uint32_t readers = 0;
  std::uint32_t compactors = 0;
  Children children = Children::none;  // forked by each writer
  bool deletes = false;                // the writers, what they have put a little before
};

// After each kill the file opens, is sound, and has all that was acknowledged; and whoever is left
// goes on at once.
void kill_again_and_again(const char* kind, const Scene& scene);

}  // namespace tracelite::api::test
